//! How far a subscription is: up to where everything is done, and what is done behind the first event that is not.
//!
//! One event that fails for hours holds the first of these up, and must not make a restart repeat all that was done behind
//! it meanwhile.

use bytes::Bytes;
use weir_domain::Position;

/// The version of what stands behind the first eight bytes.
const VERSION: u8 = 1;
/// How many events that are not done are named. What is done behind the next one is done again after a restart.
const OPEN_MAX: usize = 4096;

/// How far a subscription is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The last position up to which everything is done, itself included.
    pub(crate) done: Position,
    pub(crate) ahead: Ahead,
}

/// What is done of the events of a subscription, wherever everything before it is.
///
/// It stays true for ever: what is done is not undone. It only says less and less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// Up to here, itself included, every event of the subscription is done, but for those named.
    up_to: Position,
    /// Those that are not, ascending.
    open: Vec<Position>,
}

impl Ahead {
    /// Takes the events that are not done, ascending, of all up to a position.
    pub(crate) fn of(mut undone: impl Iterator<Item = Position>, up_to: Position) -> Self {
        let open = undone.by_ref().take(OPEN_MAX).collect();
        // What is behind one that is not named is not told.
        let up_to = undone.next().map_or(up_to, Position::previous);
        Self { up_to, open }
    }

    /// Returns up to where it tells anything.
    pub(crate) fn up_to(&self) -> Position {
        self.up_to
    }

    /// Tells whether an event is known to be done.
    pub(crate) fn is_done(&self, position: Position) -> bool {
        position <= self.up_to && self.open.binary_search(&position).is_err()
    }

    /// Returns the events after a position that are known not to be done.
    pub(crate) fn open_after(&self, position: Position) -> impl Iterator<Item = Position> + '_ {
        let first = self.open.partition_point(|open| *open <= position);
        self.open[first..].iter().copied()
    }
}

impl Progress {
    /// Returns what of it counts in a log that ends at a position: what stands behind that is other events.
    pub(crate) fn until(self, end: Position) -> Self {
        let Self { done, ahead: Ahead { up_to, mut open } } = self;
        open.retain(|position| *position <= end);
        Self { done: done.min(end), ahead: Ahead { up_to: up_to.min(end), open } }
    }

    /// Writes it down, see `docs/log-format.md`.
    pub(crate) fn encode(&self) -> Bytes {
        let Self { done, ahead } = self;
        let mut bytes = done.get().to_be_bytes().to_vec();
        if ahead.up_to > *done {
            bytes.push(VERSION);
            push_varint(&mut bytes, ahead.up_to.get() - done.get());
            let mut last = *done;
            for open in ahead.open_after(*done) {
                push_varint(&mut bytes, open.get() - last.get());
                last = open;
            }
        }
        bytes.into()
    }

    /// Reads it; `None` where it is damaged, or of another version.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (done, rest) = bytes.split_first_chunk::<8>()?;
        let done = u64::from_be_bytes(*done);
        let progress = |ahead| Some(Self { done: Position::new(done), ahead });
        let Some((version, mut rest)) = rest.split_first() else { return progress(Ahead::default()) };
        if *version != VERSION {
            return None;
        }
        let up_to = done.checked_add(take_varint(&mut rest)?)?;
        let (mut open, mut last) = (Vec::new(), done);
        while !rest.is_empty() {
            last = last.checked_add(take_varint(&mut rest)?)?;
            open.push(Position::new(last));
        }
        if last > up_to {
            return None;
        }
        progress(Ahead { up_to: Position::new(up_to), open })
    }
}

/// Appends a number as LEB128.
fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number off the front.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_written_before_there_was_more_is_read() {
        let plain = Progress { done: Position::new(7), ahead: Ahead::default() };
        assert_eq!(plain.encode().as_ref(), &[0, 0, 0, 0, 0, 0, 0, 7][..]);
        assert_eq!(Progress::decode(&[0, 0, 0, 0, 0, 0, 0, 7]), Some(plain));
        for broken in
            [&b"1234567"[..], b"12345678\x02\x01", b"12345678\x01", b"12345678\x01\x80", b"12345678\x01\x01\x02"]
        {
            assert_eq!(Progress::decode(broken), None, "{broken:?}");
        }
        let fixture = Progress::decode(&[0, 0, 0, 0, 0, 0, 0, 7, 1, 0xac, 2, 1, 2]).expect("readable");
        let open = [8, 10].map(Position::new).to_vec();
        assert_eq!(fixture, Progress { done: Position::new(7), ahead: Ahead { up_to: Position::new(307), open } });
    }

    #[test]
    fn what_is_named_is_bounded() {
        let all = 1..=OPEN_MAX as u64 + 2;
        let ahead = Ahead::of(all.map(|number| Position::new(number * 2)), Position::new(u64::MAX));
        assert_eq!((ahead.open.len(), ahead.up_to().get()), (OPEN_MAX, OPEN_MAX as u64 * 2 + 1));
    }

    proptest! {
        /// Against the set of what is done: what counts as done is, before and after it was written down, and in a log
        /// that lost its end.
        #[test]
        fn it_tells_what_is_done(done in 0u64..300, undone in prop::collection::btree_set(1u64..700, 0..40), up_to in 0u64..700, end in 0u64..900) {
            let undone: BTreeSet<u64> = undone.into_iter().filter(|it| *it > done && *it <= up_to).collect();
            let ahead = Ahead::of(undone.iter().map(|it| Position::new(*it)), Position::new(up_to));
            let progress = Progress { done: Position::new(done), ahead };
            let read = Progress::decode(&progress.encode()).expect("readable");
            let cut = read.clone().until(Position::new(end));
            for position in done + 1..900 {
                let expected = position <= up_to && !undone.contains(&position);
                let asked = Position::new(position);
                prop_assert_eq!(progress.ahead.is_done(asked), expected);
                prop_assert_eq!(read.ahead.is_done(asked), expected);
                prop_assert_eq!(cut.ahead.is_done(asked), expected && position <= end);
            }
            prop_assert_eq!(cut.done.get(), done.min(end));
            let after: Vec<u64> = read.ahead.open_after(Position::new(350)).map(Position::get).collect();
            prop_assert_eq!(after, undone.range(351..).copied().collect::<Vec<_>>());
        }
    }
}
