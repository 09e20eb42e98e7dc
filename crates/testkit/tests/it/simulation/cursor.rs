//! What the checkpoint of a cursor says, read from its bytes as `docs/log-format.md` describes them.

use weir_domain::{Key, Position};

/// How far a subscription is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Everything up to here is done, but for the lanes that are aside.
    pub(crate) done: Position,
    /// Keys that are aside, with the position from which on nothing of them is done.
    pub(crate) aside: Vec<(Key, Position)>,
}

impl Cursor {
    /// Reads it; `None` where it is of another form.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let (done, rest) = bytes.split_first_chunk::<8>()?;
        let done = Position::new(u64::from_be_bytes(*done));
        let aside = match rest.split_first() {
            None | Some((1, _)) => Vec::new(),
            Some((2, rest)) => aside(rest)?,
            Some(_) => return None,
        };
        Some(Self { done, aside })
    }
}

/// Reads past the mark and what is open behind it.
fn aside(mut rest: &[u8]) -> Option<Vec<(Key, Position)>> {
    let rest = &mut rest;
    let (_done, _up_to) = (number(rest)?, number(rest)?);
    for _ in 0..number(rest)? {
        number(rest)?;
    }
    let mut all = Vec::new();
    for _ in 0..number(rest)? {
        let length = usize::try_from(number(rest)?).ok()?;
        let (key, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        let key = Key::new(str::from_utf8(key).ok()?.to_owned())?;
        let (from, _held, _events) = (number(rest)?, number(rest)?, number(rest)?);
        all.push((key, Position::new(from)));
    }
    Some(all)
}

/// Takes a LEB128 number off the front.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[test]
fn a_cursor_of_every_version_is_read() {
    let done = |number: u64| number.to_be_bytes().to_vec();
    let with = |rest: &[u8]| Cursor::read(&[&done(7)[..], rest].concat());
    let cursor = |aside: &[(&str, u64)]| Cursor {
        done: Position::new(7),
        aside: aside
            .iter()
            .map(|(key, from)| (Key::new((*key).to_owned()).expect("a key"), Position::new(*from)))
            .collect(),
    };
    assert_eq!(with(&[]), Some(cursor(&[])));
    assert_eq!(with(&[1, 0xac, 2, 1, 2]), Some(cursor(&[])));
    assert_eq!(with(&[2, 7, 3, 2, 1, 1, 1, 2, b'k', b'1', 5, 0, 4, 0]), Some(cursor(&[("k1", 5)])));
    assert_eq!(with(&[3]), None);
}
