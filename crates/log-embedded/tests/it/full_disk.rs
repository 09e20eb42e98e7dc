//! A full disk: an error to who waits, nothing lost, and appends go on when there is space again.

use std::sync::Arc;

use weir_domain::{ErrorKind, Position, SpaceName};
use weir_log::{LogError, Read, conformance::StoppedClock};
use weir_log_embedded::{EmbeddedLog, MemoryStore};

use crate::{
    sim_disk::SimDisk,
    support::{append, event, tiny_options},
};

#[test]
fn a_full_disk_refuses_and_heals() {
    let disk = SimDisk::default();
    let (log, mut workers, _) = EmbeddedLog::open_on(
        Arc::new(disk.clone()),
        Arc::new(MemoryStore::default()),
        tiny_options(),
        Arc::new(StoppedClock),
    )
    .expect("the log opens");
    disk.limit_space(Some(10_000));
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for number in 0..200 {
        if number == 150 {
            disk.limit_space(None);
        }
        let id = format!("event-{number}");
        let outcomes = workers.writer.step(&[append(vec![event(&id, "k")])]).expect("a small batch");
        workers.indexer.step().expect("indexed");
        match &outcomes[0] {
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
    let read = Read::forward(SpaceName::default(), Position::ORIGIN).events_max(1000);
    let page = log.read_blocking(&read).expect("readable");
    let ids: Vec<_> = page.events.iter().map(|recorded| recorded.event.id().to_owned()).collect();
    assert_eq!(ids, acknowledged);
}

#[test]
fn a_failed_sync_acknowledges_nothing() {
    let disk = SimDisk::default();
    let (log, mut workers, _) = EmbeddedLog::open_on(
        Arc::new(disk.clone()),
        Arc::new(MemoryStore::default()),
        tiny_options(),
        Arc::new(StoppedClock),
    )
    .expect("the log opens");
    let mut one = |id: &str| workers.writer.step(&[append(vec![event(id, "k")])]).expect("small").remove(0);
    one("before").expect("appended");
    disk.fail_sync(true);
    let error = one("lost").expect_err("not synced");
    assert!(matches!(error.kind(), ErrorKind::Unavailable { .. }));
    let read = || log.read_blocking(&Read::forward(SpaceName::default(), Position::ORIGIN)).expect("readable");
    assert_eq!(read().events.len(), 1, "what was not acknowledged is not shown");
    disk.fail_sync(false);
    assert!(!one("lost").expect("appended").events[0].duplicate);
    assert_eq!(read().events.len(), 2);
}
