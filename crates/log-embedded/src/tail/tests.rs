//! The bound of the tail is about memory: a buffer counts as long as one of its frames is kept.

use bytes::Bytes;
use weir_domain::{Position, Timestamp};

use super::Tail;
use crate::frame::{self, CHAIN_START, Frame};

const RECORD_BYTES: usize = 920;

/// One buffer with frames of one event each, as a group is written; a frame takes about 1,000 bytes.
fn group(first: u64, count: u64) -> Vec<Frame> {
    let mut bytes = Vec::new();
    let mut starts = Vec::new();
    for number in first..first + count {
        let start = frame::begin("default", &mut bytes);
        bytes.resize(bytes.len() + RECORD_BYTES, 7);
        let draft = frame::Draft {
            flags: 0,
            space: "default",
            base: Position::new(number),
            count: 1,
            recorded: Timestamp::from_unix_micros(1),
            durable: Position::ORIGIN,
        };
        frame::finish(&draft, &CHAIN_START, start, &mut bytes);
        starts.push(start);
    }
    let bytes = Bytes::from(bytes);
    starts.iter().map(|start| Frame::read(&bytes.slice(*start..)).expect("whole")).collect()
}

fn push(tail: &mut Tail, frames: &[Frame]) {
    frames.iter().for_each(|frame| tail.push(frame.clone()));
}

/// The positions that are returned from a place on, each with the size of its buffer in frames.
fn from(tail: &Tail, position: u64) -> Option<Vec<(u64, usize)>> {
    let frames = tail.from(Position::new(position), usize::MAX)?;
    Some(frames.iter().map(|(frame, bytes)| (frame.header.base.get(), bytes / frame.bytes.len())).collect())
}

#[test]
fn buffers_are_dropped_as_a_whole() {
    let mut tail = Tail::new(5_500);
    let groups = [group(1, 3), group(4, 2), group(6, 1)];
    push(&mut tail, &groups[0]);
    push(&mut tail, &groups[1]);
    assert_eq!(from(&tail, 2), Some(vec![(2, 3), (3, 3), (4, 2), (5, 2)]));
    push(&mut tail, &groups[2]);
    // Dropping the first frame of three would free nothing.
    assert_eq!(from(&tail, 3), None);
    assert_eq!(from(&tail, 4), Some(vec![(4, 2), (5, 2), (6, 1)]));
    assert!(tail.frame_with(Position::new(3)).is_none());
    assert_eq!(tail.frame_with(Position::new(5)).expect("kept").0.header.base, Position::new(5));
    assert!(tail.frame_with(Position::new(7)).is_none());
}

#[test]
fn a_buffer_larger_than_the_bound_is_not_kept_in_part() {
    let mut tail = Tail::new(5_500);
    let groups = [group(1, 2), group(3, 9), group(12, 2)];
    push(&mut tail, &groups[0]);
    push(&mut tail, &groups[1]);
    assert_eq!(from(&tail, 11), None, "its last frames would keep all of it");
    push(&mut tail, &groups[2]);
    assert_eq!(from(&tail, 11), None);
    assert_eq!(from(&tail, 12), Some(vec![(12, 2), (13, 2)]), "the tail begins anew behind it");
}
