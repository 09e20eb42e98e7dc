//! What a group that could not be written leaves at the end of a segment is not part of the log, however whole it is.

use super::*;

/// The segment of a log with a few events, and where its frames lie.
fn first_segment(disk: &SimDisk) -> (String, Vec<Framed>) {
    let name = disk.segments()[0].0.clone();
    let frames = frames::of(&disk.bytes(&name));
    (name, frames)
}

fn with_events(count: usize) -> (SimDisk, Workers) {
    let disk = SimDisk::default();
    let (_log, mut workers) = open(&disk, &new_store()).expect("the log opens");
    for number in 0..count {
        write(&mut workers, append(vec![event(&format!("event-{number}"), "k")]));
    }
    (disk, workers)
}

/// The sync of a group fails, and its frames stay behind. The next group does not fit and begins a segment, with the same
/// position.
#[test]
fn a_whole_frame_behind_the_end_of_a_segment_is_ignored() {
    // What the group would have left: the same log with one event more.
    let (other, _workers) = with_events(4);
    let left_over = other.bytes(&first_segment(&other).0);
    let (disk, mut workers) = with_events(3);
    write(&mut workers, append(vec![binary("large", vec![7; 5000])]));
    let (name, frames) = first_segment(&disk);
    assert_eq!((disk.segments().len(), frames.len()), (2, 3));
    disk.put(&name, left_over);
    let found = verify(&disk, 0);
    assert_eq!((&found.damage, found.events, found.unfinished_bytes), (&Vec::new(), 4, 0));
    // Both ways: with an index of nothing and with one that is whole.
    let store = new_store();
    for _ in 0..2 {
        let (log, workers) = open(&disk, &store).expect("the log opens");
        assert_eq!(ids(&log), ["event-0", "event-1", "event-2", "large"]);
        close(workers);
    }
    repair(&disk, &store, false).expect("nothing is damaged");
}
