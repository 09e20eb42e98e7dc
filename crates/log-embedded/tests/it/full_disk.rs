//! A disk that is full or fails: an error to who waits, nothing lost, and appends go on when it works again.

use std::sync::Arc;

use weir_domain::{Data, ErrorKind, Event, Position, SpaceName};
use weir_log::{LogError, NewEvent, Read, Receipt, conformance::StoppedClock};
use weir_log_embedded::{EmbeddedLog, IndexStore, MemoryStore, Options, Recovered, Workers};
use weir_testkit::SimDisk;

use crate::support::{append, event, tiny_options};

mod copies;
mod syncs;

fn open(disk: &SimDisk, options: &Options) -> Result<(EmbeddedLog, Workers, Recovered), LogError> {
    open_with(disk, Arc::new(MemoryStore::default()), options)
}

fn open_with(
    disk: &SimDisk,
    store: Arc<dyn IndexStore>,
    options: &Options,
) -> Result<(EmbeddedLog, Workers, Recovered), LogError> {
    EmbeddedLog::open_on(Arc::new(disk.clone()), store, options.clone(), Arc::new(StoppedClock))
}

/// Appends one event in a group of its own.
fn write(workers: &mut Workers, new: NewEvent) -> Result<Receipt, LogError> {
    workers.writer.step(&[append(vec![new])]).expect("a small batch").remove(0)
}

fn ids(log: &EmbeddedLog) -> Vec<String> {
    let read = Read::forward(SpaceName::default(), Position::ORIGIN).events_max(1000);
    let page = log.read_blocking(&read).expect("readable");
    page.events.iter().map(|recorded| recorded.event.id().to_owned()).collect()
}

#[test]
fn a_full_disk_refuses_and_heals() {
    let disk = SimDisk::default();
    let (log, mut workers, _) = open(&disk, &tiny_options()).expect("the log opens");
    disk.limit_space(Some(10_000));
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for number in 0..200 {
        if number == 150 {
            disk.limit_space(None);
        }
        let id = format!("event-{number}");
        let outcome = write(&mut workers, event(&id, "k"));
        workers.indexer.step().expect("indexed");
        match &outcome {
            Ok(receipt) => {
                assert!(!receipt.events[0].duplicate, "what was refused may be repeated");
                acknowledged.push(id);
            }
            Err(error) => {
                assert!(matches!(error, LogError::DiskFull(_)), "{error:?}");
                assert!(matches!(error.kind(), ErrorKind::Unavailable { retry_after: Some(_) }));
                refused += 1;
            }
        }
    }
    assert!(refused > 50, "the disk was full for a while: {refused}");
    assert!(acknowledged.iter().any(|id| id == "event-199"), "appends go on when there is space again");
    assert_eq!(ids(&log), acknowledged);
}

/// A batch that is larger than a segment, in a log whose segment holds no frame yet.
#[test]
fn a_refused_batch_does_not_take_the_segment_away() {
    let large = || {
        let event = Event::builder("large", "/test", "thing.happened").data(Data::Binary(vec![7; 20_000].into()));
        NewEvent { event: event.build().expect("valid"), key: None }
    };
    for seed in 0..20 {
        let disk = SimDisk::default();
        let (log, mut workers, _) = open(&disk, &tiny_options()).expect("the log opens");
        disk.limit_space(Some(6000));
        let error = write(&mut workers, large()).expect_err("there is no space");
        assert!(matches!(error, LogError::DiskFull(_)), "{error:?}");
        write(&mut workers, event("small", "k")).expect("it fits");
        let (after, mut others, _) = open(&disk.restart(seed), &tiny_options()).expect("the log opens");
        assert_eq!((ids(&log), ids(&after)), (vec!["small".to_owned()], vec!["small".to_owned()]), "seed {seed}");
        write(&mut others, large()).expect("there is space");
        assert_eq!(ids(&after), ["small", "large"]);
    }
    let disk = SimDisk::default();
    let (log, mut workers, _) = open(&disk, &tiny_options()).expect("the log opens");
    write(&mut workers, large()).expect("there is space");
    assert_eq!((ids(&log), disk.segments().len()), (vec!["large".to_owned()], 1));
}

#[test]
fn a_failed_sync_acknowledges_nothing() {
    let disk = SimDisk::default();
    let (log, mut workers, _) = open(&disk, &tiny_options()).expect("the log opens");
    write(&mut workers, event("before", "k")).expect("appended");
    disk.fail_sync(true);
    let error = write(&mut workers, event("lost", "k")).expect_err("not synced");
    assert!(matches!(error.kind(), ErrorKind::Unavailable { .. }));
    assert_eq!(ids(&log), ["before"], "what was not acknowledged is not shown");
    // Nor does a process that starts on the same machine show it, although the kernel may hold it as if it were written.
    let (other, ..) = open(&disk.copy(), &tiny_options()).expect("the log opens");
    assert_eq!(ids(&other), ["before"]);
    disk.fail_sync(false);
    assert!(!write(&mut workers, event("lost", "k")).expect("appended").events[0].duplicate);
    assert_eq!(ids(&log), ["before", "lost"]);
}
