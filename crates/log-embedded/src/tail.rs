//! The newest frames in memory, as they were written: readers at the end of the log share them.
//!
//! The frames of one group lie in one buffer, and memory is given back only when the last of them goes. So the bound
//! counts buffers, and a buffer goes as a whole.

use std::collections::VecDeque;

use weir_domain::Position;

use crate::frame::Frame;

#[cfg(test)]
mod tests;

/// A bounded run of the newest frames.
pub(crate) struct Tail {
    /// Oldest first, without a gap.
    frames: VecDeque<Held>,
    /// The buffers that hold them, oldest first.
    buffers: VecDeque<Buffer>,
    /// The number of the oldest buffer.
    first_buffer: u64,
    /// The size of all buffers.
    bytes: usize,
    bytes_max: usize,
    /// Where in memory the newest frame ends: one that begins there lies in the same buffer.
    end: usize,
    /// Whether the newest buffer was too large to be kept.
    spent: bool,
}

struct Held {
    frame: Frame,
    buffer: u64,
}

struct Buffer {
    bytes: usize,
    frames: usize,
}

impl Tail {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            buffers: VecDeque::new(),
            first_buffer: 0,
            bytes: 0,
            bytes_max,
            end: 0,
            spent: false,
        }
    }

    /// Adds the newest frame and drops the oldest buffers beyond the bound.
    pub(crate) fn push(&mut self, frame: Frame) {
        let (begin, bytes) = (frame.bytes.as_ptr().addr(), frame.bytes.len());
        let same = begin == self.end;
        self.end = begin + bytes;
        if same && self.spent {
            // Nothing is kept of a buffer in part; where the tail begins anew, readers ask the disk for what is before.
            return;
        }
        self.spent = false;
        match self.buffers.back_mut().filter(|_| same) {
            Some(buffer) => {
                buffer.bytes += bytes;
                buffer.frames += 1;
            }
            None => self.buffers.push_back(Buffer { bytes, frames: 1 }),
        }
        self.frames.push_back(Held { frame, buffer: self.first_buffer + self.buffers.len() as u64 - 1 });
        self.bytes += bytes;
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.buffers.pop_front() else { break };
            self.first_buffer += 1;
            self.bytes -= oldest.bytes;
            self.frames.drain(..oldest.frames);
            self.spent = self.buffers.is_empty();
        }
    }

    /// Returns the frames from the one that holds a position on, up to about `bytes_max`, each with the size of its
    /// buffer; `None` where memory does not reach back that far.
    pub(crate) fn from(&self, position: Position, bytes_max: usize) -> Option<Vec<(Frame, usize)>> {
        if self.frames.front()?.frame.header.base > position {
            return None;
        }
        let mut bytes = 0;
        let taken = self.frames.range(self.place_of(position)..).take_while(|held| {
            let before = bytes;
            bytes += held.frame.bytes.len();
            before < bytes_max
        });
        Some(taken.map(|held| (held.frame.clone(), self.buffer_bytes(held))).collect())
    }

    /// Returns the frame that holds a position, with the size of its buffer.
    pub(crate) fn frame_with(&self, position: Position) -> Option<(Frame, usize)> {
        let held = self.frames.get(self.place_of(position)).filter(|held| held.frame.header.base <= position)?;
        Some((held.frame.clone(), self.buffer_bytes(held)))
    }

    fn place_of(&self, position: Position) -> usize {
        self.frames.partition_point(|held| held.frame.header.end() <= position)
    }

    fn buffer_bytes(&self, held: &Held) -> usize {
        // A place in a queue that is in memory.
        self.buffers.get((held.buffer - self.first_buffer) as usize).map_or(0, |buffer| buffer.bytes)
    }
}
