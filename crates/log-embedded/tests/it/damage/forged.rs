//! What a producer puts into the data of an event is never taken for a frame of the log, however well-formed it is.

use weir_log::record;

use super::*;

/// Bytes in front of a forged frame: enough for it to name a position further on.
const BEFORE: usize = 4000;

/// Data with a well-formed frame in it that says a lot of itself.
fn data(base: u64, durable: u64) -> Vec<u8> {
    let mut records = Vec::new();
    record::encode(&binary("forged", Vec::new()), &mut records);
    let mut data = vec![b'x'; BEFORE];
    data.extend_from_slice(&frames::make(base, durable, 1, &[0; 32], &records));
    data.extend_from_slice(&[b'x'; 100]);
    data
}

/// A log in one segment: two events, one with the data, and perhaps another one. Not closed.
fn log_with(data: Vec<u8>, one_more: bool) -> (SimDisk, Arc<dyn IndexStore>, String) {
    let (disk, store) = (SimDisk::default(), new_store());
    let options = Options { segment_bytes: 1 << 20, index_block_events: 1000, ..tiny_options() };
    let (_log, mut workers) = open_with(&disk, &store, options).expect("the log opens");
    for new in [event("1", "k"), event("2", "k"), binary("3", data)] {
        write(&mut workers, append(vec![new]));
    }
    if one_more {
        write(&mut workers, append(vec![event("4", "k")]));
    }
    let name = disk.segments()[0].0.clone();
    (disk.copy(), store, name)
}

/// The last group was torn by a power cut. The frame in it says that everything was durable.
#[test]
fn a_forged_frame_in_a_torn_group_does_not_hold_up_the_start() {
    for (base, durable) in [(10, 9), (4, 3), (100, 99), (1 << 40, (1 << 40) - 1), (4, u64::MAX)] {
        let (disk, store, name) = log_with(data(base, durable), false);
        let torn = frames::of(&disk.bytes(&name))[2];
        disk.flip(&name, (torn.until() - 10) * 8);
        let (log, _workers) = open(&disk, &store).unwrap_or_else(|error| panic!("base {base}: {error}"));
        assert_eq!(ids(&log), ["1", "2"], "base {base}");
    }
}

/// The damage is real: the log goes on at the frame behind it, not inside it, and never with the events of the producer.
#[test]
fn a_repair_does_not_take_a_forged_frame_for_the_log() {
    for (base, durable) in [(3, 2), (4, 3), (4, 2), (10, 9), (1 << 40, (1 << 40) - 1)] {
        // In its data, in its length, and in the first byte of its header.
        for damaged in [300, 21, 0] {
            let (disk, store, name) = log_with(data(base, durable), true);
            let frame = frames::of(&disk.bytes(&name))[2];
            disk.flip(&name, (frame.offset + damaged) * 8);
            let what = format!("base {base}, durable {durable}, byte {damaged}");
            let found = verify(&disk, 0);
            let lost: Vec<_> = found.damage.iter().map(|damage| (damage.until as usize, damage.lost)).collect();
            assert_eq!(lost, [(frame.until(), Some(frame.positions()))], "{what}");
            repair(&disk, &store, true).unwrap_or_else(|error| panic!("{what}: {error}"));
            let (log, _workers) = open(&disk, &store).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(ids(&log), ["1", "2", "4"], "{what}");
        }
    }
}

/// The first frame of a group is torn, the second one is whole: what lies inside it is not looked at.
#[test]
fn a_forged_frame_in_a_whole_frame_is_stepped_over() {
    let (disk, store) = (SimDisk::default(), new_store());
    let options = Options { segment_bytes: 1 << 20, ..tiny_options() };
    let (_log, mut workers) = open_with(&disk, &store, options).expect("the log opens");
    write(&mut workers, append(vec![event("1", "k")]));
    let other = Append::new(SpaceName::new("other").expect("valid"), vec![binary("3", data(5, 4))]);
    for outcome in workers.writer.step(&[append(vec![event("2", "k")]), other]).expect("small") {
        outcome.expect("appended");
    }
    let disk = disk.copy();
    let name = disk.segments()[0].0.clone();
    let frames = frames::of(&disk.bytes(&name));
    assert_eq!(frames.len(), 3);
    disk.flip(&name, (frames[1].offset + 100) * 8);
    let (log, _workers) = open(&disk, &store).expect("the log opens");
    assert_eq!(ids(&log), ["1"]);
}
