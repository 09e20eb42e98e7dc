//! Numbers and texts of a checkpoint of a cursor, see `docs/log-format.md`.

use bytes::Bytes;
use weir_domain::Position;

use super::Ahead;

/// The version that is written, behind the first eight bytes.
pub(super) const VERSION: u8 = 2;

pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// Begins with what every version begins with.
    pub(super) fn begin(done: Position) -> Self {
        let mut bytes = done.get().to_be_bytes().to_vec();
        bytes.push(VERSION);
        Self(bytes)
    }

    /// Appends a number as LEB128.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Appends a text with its length in front.
    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn finish(self) -> Bytes {
        self.0.into()
    }
}

pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads what every version begins with, and which one it is: 0 where nothing follows.
    pub(super) fn begin(bytes: &'a [u8]) -> Option<(Position, u8, Self)> {
        let (done, rest) = bytes.split_first_chunk::<8>()?;
        let done = Position::new(u64::from_be_bytes(*done));
        let (version, rest) = rest.split_first().map_or((0, rest), |(version, rest)| (*version, rest));
        Some((done, version, Self(rest)))
    }

    /// Takes a number off the front.
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let part = u64::from(*byte & 0x7f);
            // Bits that have no room are damage.
            if (part << shift) >> shift != part {
                return None;
            }
            number |= part << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// Takes a number of 32 bits.
    pub(super) fn short(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    /// Takes how many of something follow: each of them takes a byte at least.
    pub(super) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= self.0.len())
    }

    /// Takes a position; 0 is none.
    #[expect(clippy::option_option, reason = "what cannot be read is another thing than what is not there")]
    pub(super) fn position(&mut self) -> Option<Option<Position>> {
        let number = self.number()?;
        Some((number > 0).then_some(Position::new(number)))
    }

    /// Takes a text.
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.count()?;
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        str::from_utf8(text).ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads what stood behind the first nine bytes in version 1.
pub(super) fn ahead_of_version_1(done: Position, input: &mut Reader<'_>) -> Option<Ahead> {
    let up_to = done.get().checked_add(input.number()?)?;
    let (mut open, mut last) = (Vec::new(), done.get());
    while !input.is_empty() {
        last = last.checked_add(input.number()?)?;
        open.push(Position::new(last));
    }
    (last <= up_to).then_some(Ahead { up_to: Position::new(up_to), open })
}
