//! Frames as `docs/log-format.md` describes them, read and made without the code that is tested.

use weir_domain::{Position, PositionRange};

/// Where the first frame of a segment begins.
const FIRST: usize = 128;
const HEADER: usize = 80;

/// What the header of a frame says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framed {
    pub(super) offset: usize,
    pub(super) bytes: usize,
    pub(super) base: u64,
    pub(super) count: u32,
}

impl Framed {
    /// Where the next frame begins.
    pub(super) fn until(&self) -> usize {
        self.offset + self.bytes
    }

    pub(super) fn positions(&self) -> PositionRange {
        let last = self.base + u64::from(self.count) - 1;
        PositionRange { first: Position::new(self.base), last: Position::new(last) }
    }
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The frames of a segment, up to the first place without one.
pub(super) fn of(segment: &[u8]) -> Vec<Framed> {
    let mut all = Vec::new();
    let mut offset = FIRST;
    while segment[offset..].starts_with(b"WEIF") {
        let head = &segment[offset..offset + HEADER];
        let bytes = HEADER + (number(head, 6, 2) + number(head, 20, 4)) as usize;
        all.push(Framed { offset, bytes, base: number(head, 8, 8), count: number(head, 16, 4) as u32 });
        offset += bytes;
    }
    all
}

/// Makes a well-formed frame of the default space.
pub(super) fn make(base: u64, durable: u64, count: u32, chain_before: &[u8; 32], records: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; HEADER];
    frame[..6].copy_from_slice(b"WEIF\x01\x00");
    frame[6..8].copy_from_slice(&7u16.to_le_bytes());
    frame[8..16].copy_from_slice(&base.to_le_bytes());
    frame[16..20].copy_from_slice(&count.to_le_bytes());
    frame[20..24].copy_from_slice(&(records.len() as u32).to_le_bytes());
    frame[32..40].copy_from_slice(&durable.to_le_bytes());
    frame.extend_from_slice(b"default");
    frame.extend_from_slice(records);
    let mut chain = blake3::Hasher::new();
    chain.update(chain_before).update(&frame[..40]).update(&frame[HEADER..]);
    frame[40..72].copy_from_slice(chain.finalize().as_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[..72]), &frame[76..]);
    frame[72..76].copy_from_slice(&crc.to_le_bytes());
    frame
}
