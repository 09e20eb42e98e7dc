//! Reads over damage that a start does not see: an error that names the place, never a step over it, and always an end.

use std::sync::Arc;

use weir_domain::{Clock, Key, Position, SpaceName};
use weir_log::{Direction, Filter, LogEngine, LogError, Read, conformance::StoppedClock};
use weir_log_embedded::{Disk, EmbeddedLog, IndexStore, MemoryStore, Options, Recovered, Workers};
use weir_testkit::SimDisk;

use crate::support::{append, event, tiny_options};

const EVENTS: u64 = 120;

/// An index that is whole spares a start from reading what it covers. Nothing is kept in memory for readers.
fn options() -> Options {
    Options { tail_bytes_max: 0, ..tiny_options() }
}

fn open(disk: &SimDisk, store: &Arc<dyn IndexStore>) -> Result<(EmbeddedLog, Workers, Recovered), LogError> {
    EmbeddedLog::open_on(Arc::new(disk.clone()), store.clone(), options(), Arc::new(StoppedClock))
}

/// A cleanly closed log in several segments; every third frame holds two events.
fn written() -> (SimDisk, Arc<dyn IndexStore>) {
    let disk = SimDisk::default();
    let store: Arc<dyn IndexStore> = Arc::new(MemoryStore::default());
    let (_log, mut workers, _) = open(&disk, &store).expect("the log opens");
    let mut number = 0;
    while number < EVENTS {
        let count = (1 + u64::from(number % 3 == 0)).min(EVENTS - number);
        let events = (number..number + count).map(|n| event(&format!("event-{n}"), "k")).collect();
        workers.writer.step(&[append(events)]).expect("small").remove(0).expect("appended");
        workers.indexer.step().expect("indexed");
        number += count;
    }
    workers.writer.close().expect("closed");
    workers.indexer.step().expect("indexed");
    (disk, store)
}

fn reads() -> Vec<Read> {
    let key = Filter::Key(Key::new("k").expect("valid"));
    let types = Filter::Types(vec!["thing.happened".to_owned(), "other".to_owned()]);
    let mut all = Vec::new();
    for filter in [Filter::All, key, types] {
        for events_max in [7, 1_000] {
            for read in [
                Read::forward(SpaceName::default(), Position::ORIGIN),
                Read::backward(SpaceName::default(), Position::MAX),
            ] {
                all.push(read.filter(filter.clone()).events_max(events_max));
            }
        }
    }
    all
}

/// Reads all pages; what came before an error must be what stands there, without a hole.
fn read_all(log: &EmbeddedLog, mut read: Read) -> Result<u64, LogError> {
    let mut count = 0;
    for _ in 0..EVENTS + 2 {
        let page = log.read_blocking(&read)?;
        for recorded in &page.events {
            count += 1;
            let expected = match read.direction {
                Direction::Forward => count,
                Direction::Backward => EVENTS + 1 - count,
            };
            assert_eq!(recorded.position, Position::new(expected), "an event was stepped over: {read:?}");
        }
        if page.end {
            return Ok(count);
        }
        assert_ne!(page.next, read.from, "a page goes on somewhere else");
        read.from = page.next;
    }
    panic!("a read does not end: {read:?}");
}

/// All reads are errors that name this file.
fn refused(log: &EmbeddedLog, name: &str, what: &str) {
    for read in reads() {
        match read_all(log, read.clone()) {
            Err(LogError::Corrupt { file, .. }) => assert!(file.ends_with(name), "{what}: {file:?} for {read:?}"),
            other => panic!("{what}: {other:?} for {read:?}"),
        }
    }
}

#[test]
fn a_sound_log_is_read_whole() {
    let (disk, store) = written();
    let (log, _workers, recovered) = open(&disk, &store).expect("the log opens");
    assert!(disk.segments().len() > 3 && recovered.scanned_events == 0, "{recovered:?}");
    for read in reads() {
        assert_eq!(read_all(&log, read).expect("readable"), EVENTS);
    }
}

#[tokio::test]
async fn a_flipped_bit_in_a_sealed_segment_is_an_error_in_every_read() {
    let (sound, store) = written();
    let segments = sound.segments();
    let mut tried = 0;
    for (name, length) in &segments[..segments.len() - 1] {
        // Behind the header, which a start checks.
        for byte in (128..*length).step_by(37) {
            let disk = sound.restart(0);
            disk.flip(name, byte * 8 + byte % 8);
            let (log, _workers, _) = open(&disk, &store).expect("the index is whole, so nothing was read");
            refused(&log, name, &format!("{name} byte {byte}"));
            // A search by time may or may not pass the place, but it ends.
            match log.position_at(StoppedClock.now()).await {
                Ok(_) | Err(LogError::Corrupt { .. }) => {}
                Err(other) => panic!("{name} byte {byte}: {other}"),
            }
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn a_missing_segment_is_an_error_in_every_read() {
    let (sound, store) = written();
    let segments = sound.segments();
    let last = segments.len() - 1;
    for missing in 0..last {
        let disk = sound.restart(0);
        disk.remove(&segments[missing].0).expect("removed");
        let (log, _workers, _) = match open(&disk, &store) {
            Ok(opened) => opened,
            // Just as well, and earlier.
            Err(LogError::Corrupt { .. }) => continue,
            Err(other) => panic!("without segment {missing}: {other}"),
        };
        // The one before ends too early; where there is none, the first begins too late.
        let named = if missing == 0 { 1 } else { missing - 1 };
        refused(&log, &segments[named].0, &format!("without segment {missing}"));
    }
}
