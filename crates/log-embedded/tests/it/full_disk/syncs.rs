//! A sync that fails is not made good by the next one that succeeds: the kernel forgets what it could not write.

use weir_log_embedded::Durability;

use super::*;

/// The process dies in a sync that fails, and starts again on the same machine. There the event reads as it was written, so
/// it is served, and who repeats it is told that it is there.
#[test]
fn what_a_start_serves_survives_a_power_cut() {
    for seed in 0..20 {
        let disk = SimDisk::default();
        let (_log, mut workers, _) = open(&disk, &tiny_options()).expect("the log opens");
        write(&mut workers, event("before", "k")).expect("appended");
        disk.die_in_sync();
        write(&mut workers, event("unsure", "k")).expect_err("not synced");
        disk.revive();
        let (log, mut workers, _) = open(&disk, &tiny_options()).expect("the log opens");
        assert_eq!(ids(&log), ["before", "unsure"]);
        assert!(write(&mut workers, event("unsure", "k")).expect("it is there").events[0].duplicate);
        let (log, ..) = open(&disk.restart(seed), &tiny_options()).expect("the log opens");
        assert_eq!(ids(&log), ["before", "unsure"], "seed {seed}");
    }
}

/// The same for a segment that was made and holds no frame: its header and its name.
#[test]
fn a_segment_whose_creation_was_interrupted_survives_a_power_cut() {
    for operations in 0..10 {
        for seed in 0..10 {
            let disk = SimDisk::default();
            disk.cut_power_after(operations);
            let opened = open(&disk, &tiny_options());
            disk.revive();
            drop(opened);
            let (_log, mut workers, _) = open(&disk, &tiny_options()).expect("the log opens");
            write(&mut workers, event("there", "k")).expect("appended");
            let (log, ..) = open(&disk.restart(seed), &tiny_options()).expect("the log opens");
            assert_eq!(ids(&log), ["there"], "after {operations} operations, seed {seed}");
        }
    }
}

/// Without a sync for each group: a full segment is synced before the next one begins, and where that fails, the second
/// attempt carries what the first one lost.
#[test]
fn a_full_segment_is_durable_before_the_next_one_begins() {
    let options = Options { durability: Durability::Os, index_block_events: 1000, ..tiny_options() };
    for seed in 0..20 {
        let disk = SimDisk::default();
        let (_log, mut workers, _) = open(&disk, &options).expect("the log opens");
        disk.fail_sync(true);
        let mut acknowledged = Vec::new();
        loop {
            let id = format!("event-{}", acknowledged.len());
            if write(&mut workers, event(&id, "k")).is_err() {
                break;
            }
            acknowledged.push(id);
        }
        assert!(acknowledged.len() > 5, "a segment takes some events: {}", acknowledged.len());
        disk.fail_sync(false);
        write(&mut workers, event("next", "k")).expect("in a new segment");
        assert_eq!(disk.segments().len(), 2);
        let (log, ..) = open(&disk.restart(seed), &options).expect("the log opens");
        assert_eq!(ids(&log)[..acknowledged.len()], acknowledged, "seed {seed}");
    }
}

/// The index is synced with every block. A log that ends before what the index says is taken for damaged.
#[test]
fn the_index_is_never_ahead_of_what_is_durable() {
    let options =
        Options { durability: Durability::Os, segment_bytes: 1 << 20, index_block_events: 8, ..tiny_options() };
    for seed in 0..50 {
        let (disk, store) = (SimDisk::default(), Arc::new(MemoryStore::default()));
        let (_log, mut workers, _) = open_with(&disk, store.clone(), &options).expect("the log opens");
        for number in 0..20 {
            write(&mut workers, event(&format!("event-{number}"), "k")).expect("appended");
            workers.indexer.step().expect("indexed");
        }
        let (log, ..) =
            open_with(&disk.restart(seed), store, &options).unwrap_or_else(|error| panic!("{seed}: {error}"));
        assert!(ids(&log).len() >= 16, "seed {seed}");
    }
}
