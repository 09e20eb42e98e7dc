//! Going over the frames of one segment, in order, with large reads.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use weir_log::LogError;

use crate::{
    disk::{Disk, DiskFile},
    frame::{Frame, HEADER_BYTES, Header},
    segment::Segment,
};

/// How much is read at once; a larger frame is read whole.
const CHUNK_BYTES: usize = 512 * 1024;

/// What stands at a place of a segment.
pub(crate) enum Next {
    /// A whole frame with a right checksum.
    Frame(Frame),
    /// No whole frame: the end of the written part, or damage.
    Nothing,
}

/// Reads frames one after the other.
pub(crate) struct Scanner {
    file: Arc<dyn DiskFile>,
    path: std::path::PathBuf,
    /// Offset of the next frame in the file.
    offset: u64,
    /// No frame that ends behind this is read.
    limit: u64,
    buffer: Bytes,
    chunk_bytes: usize,
}

impl Scanner {
    /// Begins at an offset and ends at a limit, which is the length of the file where nothing else is known.
    pub(crate) fn new(disk: &dyn Disk, segment: &Segment, offset: u64, limit: u64) -> Self {
        Self {
            file: segment.file.clone(),
            path: disk.path(&segment.name),
            offset,
            limit,
            buffer: Bytes::new(),
            chunk_bytes: CHUNK_BYTES,
        }
    }

    /// Reads less at once: for look-ups that want one frame.
    pub(crate) fn chunk_bytes(mut self, chunk_bytes: usize) -> Self {
        self.chunk_bytes = chunk_bytes;
        self
    }

    /// Returns the offset of the next frame.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next frame and goes on behind it.
    pub(crate) fn next(&mut self) -> Result<Next, LogError> {
        self.fill(HEADER_BYTES)?;
        let Some(header) = Header::read(&self.buffer) else { return Ok(Next::Nothing) };
        let length = header.frame_len();
        if self.offset + length as u64 > self.limit {
            return Ok(Next::Nothing);
        }
        self.fill(length)?;
        let Some(frame) = Frame::read(&self.buffer) else { return Ok(Next::Nothing) };
        self.buffer = self.buffer.slice(length..);
        self.offset += length as u64;
        Ok(Next::Frame(frame))
    }

    /// Makes the buffer hold `wanted` bytes from the offset on, or all there are.
    fn fill(&mut self, wanted: usize) -> Result<(), LogError> {
        if self.buffer.len() >= wanted {
            return Ok(());
        }
        let left = self.limit.saturating_sub(self.offset);
        // At most the rest of a file, which fits in memory addresses.
        let take = (wanted.max(self.chunk_bytes) as u64).min(left) as usize;
        let mut fresh = BytesMut::zeroed(take);
        let kept = self.buffer.len().min(take);
        fresh[..kept].copy_from_slice(&self.buffer[..kept]);
        let read = self
            .file
            .read_at(&mut fresh[kept..], self.offset + kept as u64)
            .map_err(|error| LogError::io("reading a segment", self.path.clone(), error))?;
        fresh.truncate(kept + read);
        self.buffer = fresh.freeze();
        Ok(())
    }
}
