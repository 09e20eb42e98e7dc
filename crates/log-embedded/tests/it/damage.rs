//! Damage to stored bytes is found and named, and a repair gives up only what it says.

use std::sync::Arc;

use weir_domain::{Position, PositionRange, SpaceName};
use weir_log::{Append, LogError, NewEvent, Read, conformance::StoppedClock};
use weir_log_embedded::{Disk, EmbeddedLog, IndexStore, MemoryStore, Options, Workers, tools};
use weir_testkit::SimDisk;

use crate::support::{append, event, tiny_options};

mod forged;
mod frames;
mod groups;
mod inspecting;
mod left_over;

use frames::Framed;

const EVENTS: usize = 40;

/// A cleanly closed log of 40 events in several segments; every third frame holds two events.
fn written() -> (SimDisk, Arc<dyn IndexStore>) {
    let (disk, store) = (SimDisk::default(), new_store());
    let (_log, mut workers) = open(&disk, &store).expect("the log opens");
    let mut number = 0;
    while number < EVENTS {
        let count = (1 + usize::from(number % 3 == 0)).min(EVENTS - number);
        let events = (number..number + count).map(|n| event(&format!("event-{n}"), "k")).collect();
        write(&mut workers, append(events));
        number += count;
    }
    close(workers);
    (disk, store)
}

fn new_store() -> Arc<dyn IndexStore> {
    Arc::new(MemoryStore::default())
}

fn open(disk: &SimDisk, store: &Arc<dyn IndexStore>) -> Result<(EmbeddedLog, Workers), LogError> {
    open_with(disk, store, tiny_options())
}

fn open_with(
    disk: &SimDisk,
    store: &Arc<dyn IndexStore>,
    options: Options,
) -> Result<(EmbeddedLog, Workers), LogError> {
    EmbeddedLog::open_on(Arc::new(disk.clone()), store.clone(), options, Arc::new(StoppedClock))
        .map(|(log, workers, _)| (log, workers))
}

/// Appends one batch in a group of its own.
fn write(workers: &mut Workers, batch: Append) {
    workers.writer.step(&[batch]).expect("small").remove(0).expect("appended");
    workers.indexer.step().expect("indexed");
}

fn close(workers: Workers) {
    workers.writer.close().expect("closed");
    workers.indexer.step().expect("indexed");
}

/// The ids of all events of the default space.
fn ids(log: &EmbeddedLog) -> Vec<String> {
    let read = Read::forward(SpaceName::default(), Position::ORIGIN).events_max(1000);
    let page = log.read_blocking(&read).expect("readable");
    page.events.iter().map(|recorded| recorded.event.id().to_owned()).collect()
}

fn verify(disk: &SimDisk, sealed: u64) -> tools::Verified {
    tools::verify_on(disk, Position::new(sealed), &mut |_, _| {}).expect("readable")
}

fn repair(disk: &SimDisk, store: &Arc<dyn IndexStore>, accept_loss: bool) -> Result<tools::Repaired, LogError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    tools::repair_on(&disk, store, &tiny_options(), accept_loss, &StoppedClock, &mut |_, _, _| {})
}

#[test]
fn a_sound_log_verifies() {
    let (disk, _) = written();
    let found = verify(&disk, EVENTS as u64);
    assert!(found.segments > 1, "{found:?}");
    assert_eq!((found.events, found.end), (40, Position::new(40)));
    assert_eq!((&found.damage, &found.gaps, found.unfinished_bytes), (&Vec::new(), &Vec::new(), 0));
    assert_ne!(found.head, [0; 32]);
}

#[test]
fn a_repair_tells_how_far_each_of_its_stages_is() {
    let (disk, store) = written();
    let bytes: u64 = disk.segments().iter().map(|(_, length)| *length as u64).sum();
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let mut told = Vec::new();
    let mut progress = |stage: tools::Stage, done: u64, total: u64| told.push((stage, done, total));
    tools::repair_on(&disk, &store, &tiny_options(), false, &StoppedClock, &mut progress).expect("nothing to repair");
    assert!(told.is_sorted_by(|(stage, done, _), (next, more, _)| stage != next || done <= more), "{told:?}");
    assert!(told.iter().all(|(_, done, total)| (1..=bytes).contains(done) && *total == bytes), "{told:?}");
    // First everything is checked, then the index is built from it.
    let stages: Vec<_> = told.chunk_by(|one, next| one.0 == next.0).map(|part| (part[0].0, part.len() > 1)).collect();
    assert_eq!(stages, [(tools::Stage::Checking, true), (tools::Stage::Indexing, true)], "{told:?}");
}

/// Every byte of every file, one flipped bit each: exactly the frame that holds it is damaged, and nothing else is lost.
#[test]
fn a_flipped_bit_anywhere_is_found_and_repaired_without_silent_loss() {
    let (sound, _) = written();
    let head = verify(&sound, EVENTS as u64).head;
    for (name, length) in sound.segments() {
        let frames = frames::of(&sound.bytes(&name));
        for byte in 0..length {
            let disk = sound.copy();
            disk.flip(&name, byte * 8 + byte % 8);
            let found = verify(&disk, EVENTS as u64);
            let hit = frames.iter().find(|frame| frame.offset <= byte && byte < frame.until());
            assert_eq!((found.damage.len(), hit.is_none()), (1, byte < 128), "{name} byte {byte}: {found:?}");
            let damage = &found.damage[0];
            assert_eq!(damage.file, name);
            let expected = hit.map_or((0, 128, None), |frame| (frame.offset, frame.until(), Some(frame.positions())));
            assert_eq!((damage.offset as usize, damage.until as usize, damage.lost), expected, "{name} byte {byte}");
            let last = hit.is_some_and(|frame| frame.positions().last == Position::new(EVENTS as u64));
            assert_eq!(found.head != head, last, "the chain of what is whole is what it was: {name} byte {byte}");
            repaired(disk, &found, &sound.bytes(&name), hit);
        }
    }
}

fn repaired(disk: SimDisk, found: &tools::Verified, sound: &[u8], hit: Option<&Framed>) {
    let lost = hit.map_or(0, |frame| u64::from(frame.count));
    let (_, store) = written();
    assert!(matches!(repair(&disk, &store, false), Err(LogError::Corrupt { .. })), "{found:?}");
    let done = repair(&disk, &store, true).unwrap_or_else(|error| panic!("{found:?}: {error}"));
    assert_eq!(done.given_up, found.damage);
    let place = hit.map_or(0..128, |frame| frame.offset..frame.until());
    // One bit of it is another.
    let mut kept = disk.bytes(&done.kept_in[0]);
    kept.resize(place.len(), 0);
    let differ = sound[place].iter().zip(&kept).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
    assert_eq!((done.kept_in.len(), differ), (1, 1), "what was written over is kept: {found:?}");
    let again = verify(&disk, EVENTS as u64);
    assert_eq!((&again.damage, again.events), (&Vec::new(), 40 - lost), "{found:?}");
    let (log, mut workers) = open(&disk, &store).unwrap_or_else(|error| panic!("{found:?}: {error}"));
    assert_eq!(ids(&log).len() as u64, 40 - lost);
    write(&mut workers, append(vec![event("after", "k")]));
}

#[test]
fn opening_refuses_damage_anywhere_and_names_it() {
    let (sound, store) = written();
    let segments = sound.segments();
    let (first, last) = (segments[0].clone(), segments[segments.len() - 1].clone());
    for (name, byte) in [(&first.0, first.1 / 2), (&last.0, last.1 - 3)] {
        let disk = sound.copy();
        disk.flip(name, byte * 8);
        if *name == last.0 {
            // The end is always looked at.
            refused(&disk, &store, name);
        } else {
            // An index that is whole spares a start from reading what it covers: a read finds the damage.
            let (log, _workers) = open(&disk, &store).expect("the log opens");
            let read = Read::forward(SpaceName::default(), Position::ORIGIN).events_max(1000);
            let error = log.read_blocking(&read).expect_err("damaged");
            assert!(matches!(&error, LogError::Corrupt { file, .. } if file.ends_with(name)), "{error}");
        }
        store.clear_index().expect("cleared");
        refused(&disk, &store, name);
        let found = verify(&disk, EVENTS as u64);
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

/// A batch of one event with binary data.
fn binary(id: &str, data: Vec<u8>) -> NewEvent {
    let event = weir_domain::Event::builder(id, "/test", "thing.happened").data(weir_domain::Data::Binary(data.into()));
    NewEvent { event: event.build().expect("a valid event"), key: None }
}
