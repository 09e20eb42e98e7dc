//! Lists of positions, in chunks that are found by their first position.

use std::ops::Bound;

use fjall::Keyspace;
use weir_domain::Position;
use weir_log::Direction;

use super::{position, trouble::Trouble};
use crate::prepare::ListName;

/// Positions in one entry at most.
pub(super) const CHUNK: usize = 1024;

/// Returns up to `most` positions of a list, beginning at `from`. The chunks of a list do not overlap.
pub(super) fn read(
    lists: &Keyspace,
    list: &ListName,
    from: Position,
    direction: Direction,
    most: usize,
) -> Result<Vec<Position>, Trouble> {
    let mut found = Vec::new();
    if most == 0 {
        return Ok(found);
    }
    let start = key(list, from);
    // The chunk that begins at or before `from` may contain it.
    let mut before = lists.range(list.to_vec()..=start.clone()).rev();
    match direction {
        Direction::Backward => {
            for chunk in before {
                let chunk = decode(chunk.into_inner()?)?;
                found.extend(chunk.into_iter().rev().filter(|p| *p <= from).take(most - found.len()));
                if found.len() >= most {
                    break;
                }
            }
        }
        Direction::Forward => {
            let first = before.next();
            let after = lists.range((Bound::Excluded(start), Bound::Included(key(list, Position::MAX))));
            for chunk in first.into_iter().chain(after) {
                let chunk = decode(chunk.into_inner()?)?;
                found.extend(chunk.into_iter().filter(|p| *p >= from).take(most - found.len()));
                if found.len() >= most {
                    break;
                }
            }
        }
    }
    Ok(found)
}

/// Returns the key of a chunk.
pub(super) fn key(list: &ListName, first: Position) -> Vec<u8> {
    let mut key = list.to_vec();
    key.extend_from_slice(&first.get().to_be_bytes());
    key
}

/// Returns the value of a chunk, which is never empty.
pub(super) fn encode(positions: &[Position]) -> Vec<u8> {
    let mut out = Vec::with_capacity(positions.len() * 2);
    let mut last = positions[0];
    for position in &positions[1..] {
        let mut distance = position.get() - last.get();
        last = *position;
        while distance >= 0x80 {
            out.push(distance as u8 | 0x80);
            distance >>= 7;
        }
        out.push(distance as u8);
    }
    out
}

fn decode((key, value): (fjall::UserKey, fjall::UserValue)) -> Result<Vec<Position>, Trouble> {
    let malformed = || Trouble::Malformed("list");
    let first = key.get(17..).and_then(position).ok_or_else(malformed)?;
    let mut positions = vec![first];
    let (mut at, mut distance, mut shift) = (first.get(), 0u64, 0u32);
    for byte in value.iter() {
        if shift > 63 {
            return Err(malformed());
        }
        distance |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if *byte < 0x80 {
            at = at.checked_add(distance).ok_or_else(malformed)?;
            positions.push(Position::new(at));
            (distance, shift) = (0, 0);
        }
    }
    Ok(positions)
}
