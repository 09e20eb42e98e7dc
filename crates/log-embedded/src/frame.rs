//! The frame: the unit that is written, checked and chained. It holds whole batches of one space.
//!
//! ```text
//! byte  0  magic "WEIF"            byte 40  chain value, 32 bytes
//!       4  version, u8             byte 72  CRC-32C of all other bytes of the frame, u32
//!       5  flags, u8               byte 76  zero, u32
//!       6  length of space, u16    byte 80  name of the space
//!       8  first position, u64              records, one for each event
//!      16  number of events, u32
//!      20  length of records, u32
//!      24  time of writing, microseconds since 1970, u64
//!      32  durable end when this was written, u64
//! ```
//!
//! All numbers are little-endian. The chain value is the BLAKE3 hash over the chain value of the frame before, the
//! first 40 bytes, the name of the space and the records.

use bytes::Bytes;
use weir_domain::{Position, Timestamp};

/// Bytes in front of the name of the space.
pub(crate) const HEADER_BYTES: usize = 80;
/// The chain value before the first frame of a log.
pub(crate) const CHAIN_START: Chain = [0; 32];
/// This frame stands in for damaged bytes that a repair gave up: its positions are lost.
pub(crate) const FLAG_GAP: u8 = 1;

const MAGIC: [u8; 4] = *b"WEIF";
const VERSION: u8 = 1;

/// A link of the hash chain.
pub(crate) type Chain = [u8; 32];

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) flags: u8,
    pub(crate) space_len: u16,
    pub(crate) base: Position,
    pub(crate) count: u32,
    pub(crate) records_len: u32,
    pub(crate) recorded: Timestamp,
    pub(crate) durable: Position,
    pub(crate) chain: Chain,
    crc: u32,
}

impl Header {
    /// Reads the header at the front of `bytes`; `None` where there is none of this version.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let head = bytes.first_chunk::<HEADER_BYTES>()?;
        if head[0..4] != MAGIC || head[4] != VERSION || head[76..80] != [0; 4] {
            return None;
        }
        Some(Self {
            flags: head[5],
            space_len: u16::from_le_bytes(array(head, 6)),
            base: Position::new(u64::from_le_bytes(array(head, 8))),
            count: u32::from_le_bytes(array(head, 16)),
            records_len: u32::from_le_bytes(array(head, 20)),
            recorded: Timestamp::from_unix_micros(u64::from_le_bytes(array(head, 24))),
            durable: Position::new(u64::from_le_bytes(array(head, 32))),
            chain: array(head, 40),
            crc: u32::from_le_bytes(array(head, 72)),
        })
    }

    /// Returns the bytes of the whole frame.
    pub(crate) fn frame_len(&self) -> usize {
        HEADER_BYTES + usize::from(self.space_len) + self.records_len as usize
    }

    /// Returns the position after the last one of the frame.
    pub(crate) fn end(&self) -> Position {
        self.base.plus(u64::from(self.count))
    }

    /// Tells whether the frame stands in for lost positions.
    pub(crate) fn is_gap(&self) -> bool {
        self.flags & FLAG_GAP != 0
    }
}

/// A whole frame whose checksum was right.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) header: Header,
    pub(crate) bytes: Bytes,
}

impl Frame {
    /// Takes the frame at the front of `bytes` and checks its checksum; `None` where it is cut off or damaged.
    pub(crate) fn read(bytes: &Bytes) -> Option<Self> {
        let header = Header::read(bytes)?;
        let length = header.frame_len();
        if bytes.len() < length || crc_of(&bytes[..length]) != header.crc {
            return None;
        }
        Some(Self { header, bytes: bytes.slice(..length) })
    }

    /// Returns the name of the space.
    pub(crate) fn space(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..HEADER_BYTES + usize::from(self.header.space_len)]
    }

    /// Returns the records.
    pub(crate) fn records(&self) -> Bytes {
        self.bytes.slice(HEADER_BYTES + usize::from(self.header.space_len)..)
    }

    /// Tells whether the chain value follows from that of the frame before.
    pub(crate) fn follows(&self, before: &Chain) -> bool {
        chain_of(before, &self.bytes) == self.header.chain
    }
}

/// What the writer knows of a frame before its records are complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) flags: u8,
    pub(crate) space: &'a str,
    pub(crate) base: Position,
    pub(crate) count: u32,
    pub(crate) recorded: Timestamp,
    pub(crate) durable: Position,
}

/// Begins a frame behind what `out` holds; records are then pushed onto `out`, and [`finish`] completes it.
pub(crate) fn begin(space: &str, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.resize(start + HEADER_BYTES, 0);
    out.extend_from_slice(space.as_bytes());
    start
}

/// Completes the frame that began at `start`: fills in the header and returns the chain value.
pub(crate) fn finish(draft: &Draft<'_>, before: &Chain, start: usize, out: &mut [u8]) -> Chain {
    let frame = &mut out[start..];
    let records_len = frame.len() - HEADER_BYTES - draft.space.len();
    frame[0..4].copy_from_slice(&MAGIC);
    frame[4] = VERSION;
    frame[5] = draft.flags;
    // Space names have at most 128 bytes, batches are bounded far below 4 GiB.
    frame[6..8].copy_from_slice(&(draft.space.len() as u16).to_le_bytes());
    frame[8..16].copy_from_slice(&draft.base.get().to_le_bytes());
    frame[16..20].copy_from_slice(&draft.count.to_le_bytes());
    frame[20..24].copy_from_slice(&(records_len as u32).to_le_bytes());
    frame[24..32].copy_from_slice(&draft.recorded.unix_micros().to_le_bytes());
    frame[32..40].copy_from_slice(&draft.durable.get().to_le_bytes());
    let chain = chain_of(before, frame);
    frame[40..72].copy_from_slice(&chain);
    let crc = crc_of(frame);
    frame[72..76].copy_from_slice(&crc.to_le_bytes());
    chain
}

fn chain_of(before: &Chain, frame: &[u8]) -> Chain {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before);
    hasher.update(&frame[..40]);
    hasher.update(&frame[HEADER_BYTES..]);
    *hasher.finalize().as_bytes()
}

fn crc_of(frame: &[u8]) -> u32 {
    let head = crc32c::crc32c(&frame[..72]);
    crc32c::crc32c_append(head, &frame[76..])
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(before: &Chain) -> Vec<u8> {
        let mut out = vec![7; 3];
        let start = begin("default", &mut out);
        out.extend_from_slice(b"records");
        let draft = Draft {
            flags: 0,
            space: "default",
            base: Position::new(5),
            count: 2,
            recorded: Timestamp::from_unix_micros(9),
            durable: Position::new(4),
        };
        finish(&draft, before, start, &mut out);
        out.split_off(start)
    }

    #[test]
    fn a_frame_is_read_as_written() {
        let frame = Frame::read(&frame(&CHAIN_START).into()).expect("whole");
        assert_eq!((frame.space(), &frame.records()[..]), (&b"default"[..], &b"records"[..]));
        assert_eq!((frame.header.base, frame.header.end()), (Position::new(5), Position::new(7)));
        assert!(frame.follows(&CHAIN_START));
        assert!(!frame.follows(&[1; 32]));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let good = frame(&CHAIN_START);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::read(&bad.into()).is_none(), "bit {bit}");
        }
        for length in 0..good.len() {
            assert!(Frame::read(&good[..length].to_vec().into()).is_none(), "length {length}");
        }
    }
}
