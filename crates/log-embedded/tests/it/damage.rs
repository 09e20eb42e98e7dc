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
fn written() -> SimDisk {
    let disk = SimDisk::default();
    let (_log, mut workers, _) = open(&disk).expect("the log opens");
    let mut number = 0;
    while number < 40 {
        let count = (1 + usize::from(number % 3 == 0)).min(40 - number);
        let events = (number..number + count).map(|n| event(&format!("event-{n}"), "k")).collect();
        workers.writer.step(&[append(events)]).expect("small").remove(0).expect("appended");
        workers.indexer.step().expect("indexed");
        number += count;
    }
    workers.writer.close().expect("closed");
    disk
}

fn open(
    disk: &SimDisk,
) -> Result<(EmbeddedLog, weir_log_embedded::Workers, weir_log_embedded::Recovered), LogError> {
    let store: Arc<dyn IndexStore> = Arc::new(MemoryStore::default());
    EmbeddedLog::open_on(Arc::new(disk.clone()), store, tiny_options(), Arc::new(StoppedClock))
}

fn verify(disk: &SimDisk) -> tools::Verified {
    tools::verify_on(disk, &mut |_, _| {}).expect("readable")
}

#[test]
fn a_sound_log_verifies() {
    let disk = written();
    let found = verify(&disk);
    assert!(found.segments > 1, "{found:?}");
    assert_eq!((found.events, found.end), (40, Position::new(40)));
    assert_eq!((&found.damage, &found.gaps, found.unfinished_bytes), (&Vec::new(), &Vec::new(), 0));
    assert_ne!(found.head, [0; 32]);
}

/// Every byte of every file, one flipped bit each.
#[test]
fn a_flipped_bit_anywhere_is_found_and_repaired_without_silent_loss() {
    let sound = written();
    let head = verify(&sound).head;
    for (name, length) in sound.segments() {
        for byte in 0..length {
            let disk = sound.restart(0);
            disk.flip(&name, byte * 8 + byte % 8);
            let outcome = tools::verify_on(&disk, &mut |_, _| {});
            // A flipped version number is a format that this program does not know, which is said as such.
            let Ok(found) = outcome else { continue };
            let named = found.damage.iter().any(|damage| damage.file == name && damage.offset <= byte as u64);
            let shortened = found.end < Position::new(40) && found.unfinished_bytes > 0;
            assert!(named || shortened, "{name} byte {byte}: {found:?}");
            assert!(found.damage.iter().any(|d| !d.what.is_empty()) || found.head != head);
            if named {
                repaired(disk, &found, byte);
            }
        }
    }
}

fn repaired(disk: SimDisk, found: &tools::Verified, byte: usize) {
    let lost: u64 = found.damage.iter().filter_map(|d| d.lost).map(|l| l.last.get() - l.first.get() + 1).sum();
    let store: Arc<dyn IndexStore> = Arc::new(MemoryStore::default());
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let repair = |accept_loss| {
        tools::repair_on(&shared, &store, &tiny_options(), accept_loss, &StoppedClock, &mut |_, _| {})
    };
    assert!(matches!(repair(false), Err(LogError::Corrupt { .. })), "byte {byte}");
    let done = repair(true).unwrap_or_else(|error| panic!("byte {byte}: {error}"));
    assert_eq!(done.given_up, found.damage);
    let again = verify(&disk);
    assert_eq!(again.damage, Vec::new(), "byte {byte}");
    assert_eq!(again.events, 40 - lost, "byte {byte}");
    let (log, mut workers, _) = open(&disk).unwrap_or_else(|error| panic!("byte {byte}: {error}"));
    let read = Read::forward(SpaceName::default(), Position::ORIGIN).events_max(1000);
    assert_eq!(log.read_blocking(&read).expect("readable").events.len() as u64, 40 - lost);
    workers.writer.step(&[append(vec![event("after", "k")])]).expect("small").remove(0).expect("appended");
}

#[test]
fn opening_refuses_damage_in_the_middle_and_names_it() {
    let disk = written();
    let (name, length) = disk.segments()[0].clone();
    disk.flip(&name, length / 2 * 8);
    let Err(error) = open(&disk).map(|_| ()) else { panic!("a damaged log opened") };
    let LogError::Corrupt { file, offset, detail } = &error else { panic!("{error}") };
    assert!(file.ends_with(&name) && *offset > 0, "{error}");
    assert!(detail.contains("weir log repair") && detail.contains("acknowledged"), "{error}");
    let found = verify(&disk);
    assert_eq!(found.damage.len(), 1);
    assert!(matches!(found.damage[0].lost, Some(PositionRange { first, last }) if first <= last));
}
