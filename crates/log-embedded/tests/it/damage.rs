//! Damage to stored bytes is found and named, and a repair gives up only what it says.

use std::sync::Arc;

use weir_domain::{Position, PositionRange, SpaceName};
use weir_log::{LogError, Read, conformance::StoppedClock};
use weir_log_embedded::{Disk, EmbeddedLog, IndexStore, MemoryStore, tools};

use crate::{
    sim_disk::SimDisk,
    support::{append, event, tiny_options},
};

/// A cleanly closed log of 40 events in several segments; every third frame holds two events.
fn written() -> (SimDisk, Arc<dyn IndexStore>) {
    let disk = SimDisk::default();
    let store: Arc<dyn IndexStore> = Arc::new(MemoryStore::default());
    let (_log, mut workers, _) = open(&disk, &store).expect("the log opens");
    let mut number = 0;
    while number < 40 {
        let count = (1 + usize::from(number % 3 == 0)).min(40 - number);
        let events = (number..number + count).map(|n| event(&format!("event-{n}"), "k")).collect();
        workers.writer.step(&[append(events)]).expect("small").remove(0).expect("appended");
        workers.indexer.step().expect("indexed");
        number += count;
    }
    workers.writer.close().expect("closed");
    workers.indexer.step().expect("indexed");
    (disk, store)
}

fn open(
    disk: &SimDisk,
    store: &Arc<dyn IndexStore>,
) -> Result<(EmbeddedLog, weir_log_embedded::Workers, weir_log_embedded::Recovered), LogError> {
    EmbeddedLog::open_on(Arc::new(disk.clone()), store.clone(), tiny_options(), Arc::new(StoppedClock))
}

/// The index has sealed all 40 events.
fn verify(disk: &SimDisk) -> tools::Verified {
    tools::verify_on(disk, Position::new(40), &mut |_, _| {}).expect("readable")
}

#[test]
fn a_sound_log_verifies() {
    let (disk, _) = written();
    let found = verify(&disk);
    assert!(found.segments > 1, "{found:?}");
    assert_eq!((found.events, found.end), (40, Position::new(40)));
    assert_eq!((&found.damage, &found.gaps, found.unfinished_bytes), (&Vec::new(), &Vec::new(), 0));
    assert_ne!(found.head, [0; 32]);
}

/// Every byte of every file, one flipped bit each.
#[test]
fn a_flipped_bit_anywhere_is_found_and_repaired_without_silent_loss() {
    let (sound, _) = written();
    let head = verify(&sound).head;
    for (name, length) in sound.segments() {
        for byte in 0..length {
            let disk = sound.restart(0);
            disk.flip(&name, byte * 8 + byte % 8);
            let outcome = tools::verify_on(&disk, Position::new(40), &mut |_, _| {});
            // A flipped version number is a format that this program does not know, which is said as such.
            let Ok(found) = outcome else { continue };
            let named = found.damage.iter().any(|damage| damage.file == name && damage.offset <= byte as u64);
            assert!(named, "{name} byte {byte}: {found:?}");
            assert!(found.damage.iter().all(|d| !d.what.is_empty()) && (found.head != head || found.damage.len() == 1));
            repaired(disk, &found, byte);
        }
    }
}

fn repaired(disk: SimDisk, found: &tools::Verified, byte: usize) {
    let lost: u64 = found.damage.iter().filter_map(|d| d.lost).map(|l| l.last.get() - l.first.get() + 1).sum();
    let (_, store) = written();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let repair =
        |accept_loss| tools::repair_on(&shared, &store, &tiny_options(), accept_loss, &StoppedClock, &mut |_, _| {});
    assert!(matches!(repair(false), Err(LogError::Corrupt { .. })), "byte {byte}");
    let done = repair(true).unwrap_or_else(|error| panic!("byte {byte}: {error}"));
    assert_eq!(done.given_up, found.damage);
    let again = verify(&disk);
    assert_eq!(again.damage, Vec::new(), "byte {byte}");
    assert_eq!(again.events, 40 - lost, "byte {byte}");
    let (log, mut workers, _) = open(&disk, &store).unwrap_or_else(|error| panic!("byte {byte}: {error}"));
    let read = Read::forward(SpaceName::default(), Position::ORIGIN).events_max(1000);
    assert_eq!(log.read_blocking(&read).expect("readable").events.len() as u64, 40 - lost);
    workers.writer.step(&[append(vec![event("after", "k")])]).expect("small").remove(0).expect("appended");
}

#[test]
fn opening_refuses_damage_anywhere_and_names_it() {
    let (sound, store) = written();
    let segments = sound.segments();
    let (first, last) = (segments[0].clone(), segments[segments.len() - 1].clone());
    for (name, byte) in [(&first.0, first.1 / 2), (&last.0, last.1 - 3)] {
        let disk = sound.restart(0);
        disk.flip(name, byte * 8);
        // An index that is whole spares reading what it covers, so damage in the middle shows when it is read; the end
        // is always looked at.
        if *name == last.0 {
            refused(&disk, &store, name);
        }
        store.clear_index().expect("cleared");
        refused(&disk, &store, name);
        let found = verify(&disk);
        assert_eq!(found.damage.len(), 1, "{found:?}");
        assert!(matches!(found.damage[0].lost, Some(PositionRange { first, last }) if first <= last));
    }
}

fn refused(disk: &SimDisk, store: &Arc<dyn IndexStore>, name: &str) {
    let Err(error) = open(disk, store).map(|_| ()) else { panic!("a damaged log opened: {name}") };
    let LogError::Corrupt { file, offset, detail } = &error else { panic!("{error}") };
    assert!(file.ends_with(name) && *offset > 0, "{error}");
    assert!(detail.contains("weir log repair") && detail.contains("acknowledged"), "{error}");
}
