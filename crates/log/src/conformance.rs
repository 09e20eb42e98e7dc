//! The suite that every engine runs: one function for each promise of [`LogEngine`], and a random comparison with
//! [`MemoryLog`](crate::MemoryLog).
//!
//! An engine implements [`Harness`] in its tests and calls [`conformance_suite!`](crate::conformance_suite).

#![allow(clippy::missing_panics_doc, reason = "a test suite speaks by panicking")]

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use weir_domain::{Clock, Data, Event, Key, Position, SpaceName, Timestamp};

use crate::{Append, Condition, Direction, Filter, LogEngine, LogError, NewEvent, Page, Query, Read, Recorded};

mod arrivals;
mod lookups;
mod random;

pub use arrivals::{arrivals_are_told_by_type, no_arrival_is_missed};
pub use lookups::{events_are_counted, events_are_found_by_source_and_id};
pub use random::agrees_with_memory;

/// Opens one and the same log again and again.
pub trait Harness: Send + Sync {
    /// Opens the log; what was opened before has been closed.
    fn open(&self) -> BoxFuture<'_, Arc<dyn LogEngine>>;
}

/// A clock that stands still.
pub struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(1_700_000_000_000_000)
    }
}

/// Makes one test for each function of the suite; the argument is an expression that makes a fresh [`Harness`].
#[macro_export]
macro_rules! conformance_suite {
    ($harness:expr) => {
        $crate::conformance_suite!(@tests $harness,
            positions_grow_and_are_receipts,
            a_batch_is_one_append,
            repeated_events_return_the_first_receipt,
            conditions_are_checked_against_keys_and_types,
            concurrent_conditions_have_one_winner,
            reads_go_both_ways_by_page,
            reads_filter_by_key_and_type,
            spaces_are_apart,
            everything_survives_reopening,
            positions_are_found_by_time,
            the_durable_end_is_watched,
            checkpoints_are_kept,
            a_closed_log_says_so,
            arrivals_are_told_by_type,
            no_arrival_is_missed,
            events_are_counted,
            events_are_found_by_source_and_id,
        );

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn random_operations_agree_with_memory() {
            for seed in 0..20 {
                $crate::conformance::agrees_with_memory(&$harness, seed).await;
            }
        }
    };
    (@tests $harness:expr, $($name:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::conformance::$name(&$harness).await;
            }
        )*
    };
}

fn space() -> SpaceName {
    SpaceName::default()
}

fn event(id: &str, key: &str, event_type: &str) -> NewEvent {
    let event = Event::builder(id, "/conformance", event_type)
        .data(Data::Json(format!("{{\"id\":\"{id}\"}}").into()))
        .build()
        .expect("a valid event");
    NewEvent { event, key: Key::new(key.to_owned()) }
}

fn append(events: Vec<NewEvent>) -> Append {
    Append::new(space(), events)
}

fn condition(keys: &[&str], types: &[&str], after: Position) -> Condition {
    let keys = keys.iter().filter_map(|key| Key::new((*key).to_owned())).collect();
    Condition { query: Query { keys, types: types.iter().map(|name| (*name).to_owned()).collect() }, after }
}

async fn write(log: &dyn LogEngine, events: Vec<NewEvent>) -> Vec<Position> {
    let receipt = log.append(append(events)).await.expect("the append succeeds");
    receipt.events.iter().map(|entry| entry.position).collect()
}

/// Reads all pages and checks that they fit together.
async fn read_all(log: &dyn LogEngine, mut read: Read) -> Vec<Recorded> {
    let mut all: Vec<Recorded> = Vec::new();
    loop {
        let Page { events, next, end } = log.read(read.clone()).await.expect("the read succeeds");
        assert!(events.len() <= read.events_max, "a page holds no more than was asked for");
        all.extend(events);
        if end {
            let ordered = all.windows(2).all(|pair| match read.direction {
                Direction::Forward => pair[0].position < pair[1].position,
                Direction::Backward => pair[0].position > pair[1].position,
            });
            assert!(ordered, "positions go one way");
            return all;
        }
        assert_ne!(next, read.from, "a page that is not the last goes on somewhere else");
        read.from = next;
    }
}

fn ids(events: &[Recorded]) -> Vec<&str> {
    events.iter().map(|recorded| recorded.event.id()).collect()
}

/// Promises 1 and 3.
pub async fn positions_grow_and_are_receipts(harness: &dyn Harness) {
    let log = harness.open().await;
    let mut last = Position::ORIGIN;
    for number in 0..50 {
        let positions = write(&*log, vec![event(&format!("e{number}"), "k", "t")]).await;
        assert!(positions[0] > last);
        last = positions[0];
        let page = log.read(Read::forward(space(), last)).await.expect("readable at once");
        assert_eq!(ids(&page.events), [format!("e{number}")]);
        assert!(page.end);
    }
}

/// Promise 2.
pub async fn a_batch_is_one_append(harness: &dyn Harness) {
    let log = harness.open().await;
    write(&*log, vec![event("before", "k", "t")]).await;
    let refused = append(vec![event("a", "k", "t"), event("b", "k", "t")]);
    let refused = refused.only_if(condition(&["k"], &[], Position::ORIGIN));
    log.append(refused).await.expect_err("the condition fails");
    assert_eq!(ids(&read_all(&*log, Read::forward(space(), Position::ORIGIN)).await), ["before"]);
    let positions = write(&*log, (0..500).map(|n| event(&format!("n{n}"), "k", "t")).collect()).await;
    assert!(positions.windows(2).all(|pair| pair[0] < pair[1]));
    let all = read_all(&*log, Read::forward(space(), positions[0])).await;
    assert_eq!(all.iter().map(|recorded| recorded.position).collect::<Vec<_>>(), positions);
    let none = log.append(append(Vec::new())).await.expect("an empty batch is no error");
    assert!(none.events.is_empty());
}

/// Promise 4.
pub async fn repeated_events_return_the_first_receipt(harness: &dyn Harness) {
    let log = harness.open().await;
    let first = write(&*log, vec![event("a", "k", "t"), event("b", "k", "t")]).await;
    let again = log
        .append(append(vec![event("b", "other", "t2"), event("c", "k", "t"), event("c", "k", "t")]))
        .await
        .expect("repeats are no error");
    let duplicates: Vec<_> = again.events.iter().map(|entry| entry.duplicate).collect();
    assert_eq!(duplicates, [true, false, true]);
    assert_eq!(again.events[0].position, first[1]);
    assert_eq!(again.events[1].position, again.events[2].position);
    let other_source = Event::builder("a", "/elsewhere", "t").build().expect("valid");
    let other = log.append(append(vec![NewEvent { event: other_source, key: None }])).await.expect("appended");
    assert!(!other.events[0].duplicate, "the same id of another source is another event");
    let all = read_all(&*log, Read::forward(space(), Position::ORIGIN)).await;
    assert_eq!(ids(&all), ["a", "b", "c", "a"]);
    // Many at once: one is written, all get its position.
    let repeats = join_all((0..32).map(|_| log.append(append(vec![event("race", "k", "t")])))).await;
    let positions: Vec<_> = repeats.into_iter().map(|receipt| receipt.expect("appended").events[0]).collect();
    assert_eq!(positions.iter().filter(|entry| !entry.duplicate).count(), 1);
    assert!(positions.iter().all(|entry| entry.position == positions[0].position));
}

/// Promise 5.
pub async fn conditions_are_checked_against_keys_and_types(harness: &dyn Harness) {
    let log = harness.open().await;
    let a = write(&*log, vec![event("1", "a", "x")]).await[0];
    let b = write(&*log, vec![event("2", "b", "y")]).await[0];
    let mut number = 2;
    let mut check = async |keys: &[&str], types: &[&str], after: Position, beaten_by: Option<Position>| {
        number += 1;
        let batch = append(vec![event(&number.to_string(), "other", "other")]);
        match (log.append(batch.only_if(condition(keys, types, after))).await, beaten_by) {
            (Ok(_), None) => {}
            (Err(LogError::ConditionFailed { beaten_by: by, .. }), Some(expected)) => assert_eq!(by, expected),
            (outcome, expected) => panic!("{keys:?} {types:?} after {after}: {outcome:?}, expected {expected:?}"),
        }
    };
    check(&["a"], &[], Position::ORIGIN, Some(a)).await;
    check(&["a"], &[], a, None).await;
    check(&["a", "b"], &[], a, Some(b)).await;
    check(&[], &["y"], a, Some(b)).await;
    check(&[], &["x"], a, None).await;
    check(&["a"], &["y"], Position::ORIGIN, None).await;
    check(&["a"], &["x", "y"], Position::ORIGIN, Some(a)).await;
    check(&["never"], &["never"], Position::ORIGIN, None).await;
    let newest = write(&*log, vec![event("newest", "z", "z")]).await[0];
    check(&[], &[], newest.previous(), Some(newest)).await;
    check(&[], &[], newest, None).await;
    // Who missed the answer may repeat a conditional append.
    let batch = || append(vec![event("once", "w", "w")]).only_if(condition(&["w"], &[], Position::ORIGIN));
    let first = log.append(batch()).await.expect("the condition holds");
    let again = log.append(batch()).await.expect("a repeat is answered before the condition");
    assert_eq!(again.events[0].position, first.events[0].position);
}

/// Promise 5, in a race.
pub async fn concurrent_conditions_have_one_winner(harness: &dyn Harness) {
    let log = harness.open().await;
    for round in 0..10 {
        let key = format!("seat-{round}");
        let tries = join_all((0..16).map(|writer| {
            let batch = append(vec![event(&format!("{round}-{writer}"), &key, "taken")]);
            log.append(batch.only_if(condition(&[&key], &[], Position::ORIGIN)))
        }))
        .await;
        let winners: Vec<_> = tries.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
        assert_eq!(winners.len(), 1);
        let won = winners[0].events[0].position;
        for outcome in &tries {
            if let Err(error) = outcome {
                assert!(matches!(error, LogError::ConditionFailed { beaten_by, .. } if *beaten_by == won), "{error}");
            }
        }
    }
}

/// Promise 6.
pub async fn reads_go_both_ways_by_page(harness: &dyn Harness) {
    let log = harness.open().await;
    for part in 0..10 {
        write(&*log, (0..10).map(|n| event(&format!("{part}-{n}"), "k", "t")).collect()).await;
    }
    let whole = read_all(&*log, Read::forward(space(), Position::ORIGIN)).await;
    assert_eq!(whole.len(), 100);
    for events_max in [1, 3, 10, 99, 100, 101] {
        let forward = Read::forward(space(), Position::ORIGIN).events_max(events_max);
        assert_eq!(read_all(&*log, forward).await, whole);
        let backward = Read::backward(space(), Position::MAX).events_max(events_max);
        let mut reversed = read_all(&*log, backward).await;
        reversed.reverse();
        assert_eq!(reversed, whole);
    }
    let mut small = Read::forward(space(), Position::ORIGIN);
    small.bytes_max = 1;
    assert_eq!(log.read(small).await.expect("readable").events.len(), 1, "one event comes back whatever its size");
    let middle = whole[50].position;
    assert_eq!(read_all(&*log, Read::forward(space(), middle)).await, whole[50..]);
    assert_eq!(read_all(&*log, Read::backward(space(), middle)).await.len(), 51);
    let beyond = log.read(Read::forward(space(), whole[99].position.plus(1000))).await.expect("no error");
    assert!(beyond.events.is_empty() && beyond.end);
}

/// Promise 6, with filters.
pub async fn reads_filter_by_key_and_type(harness: &dyn Harness) {
    let log = harness.open().await;
    let batch = (0..300).map(|n| event(&n.to_string(), &format!("k{}", n % 7), &format!("t{}", n % 3))).collect();
    write(&*log, batch).await;
    let whole = read_all(&*log, Read::forward(space(), Position::ORIGIN)).await;
    let key = Key::new("k3").expect("valid");
    let types = vec!["t0".to_owned(), "t2".to_owned(), "absent".to_owned()];
    for (filter, wanted) in [
        (Filter::Key(key.clone()), whole.iter().filter(|r| r.key.as_ref() == Some(&key)).cloned().collect::<Vec<_>>()),
        (
            Filter::Types(types.clone()),
            whole.iter().filter(|r| types.iter().any(|t| t == r.event.event_type())).cloned().collect(),
        ),
        (Filter::Types(Vec::new()), Vec::new()),
    ] {
        for events_max in [1, 10, 1000] {
            let forward = Read::forward(space(), Position::ORIGIN).filter(filter.clone()).events_max(events_max);
            assert_eq!(read_all(&*log, forward).await, wanted);
            let backward = Read::backward(space(), Position::MAX).filter(filter.clone()).events_max(events_max);
            let mut reversed = read_all(&*log, backward).await;
            reversed.reverse();
            assert_eq!(reversed, wanted);
        }
    }
}

/// Spaces share the engine and nothing else.
pub async fn spaces_are_apart(harness: &dyn Harness) {
    let log = harness.open().await;
    let other = SpaceName::new("other").expect("valid");
    for number in 0..20 {
        let each = [space(), other.clone()][number % 2].clone();
        let batch = Append::new(each, vec![event(&(number / 2).to_string(), "k", "t")]);
        assert!(!log.append(batch).await.expect("appended").events[0].duplicate, "ids are unique per space");
    }
    let newest = log.durable_end().borrow().previous();
    for each in [space(), other.clone()] {
        let key = Filter::Key(Key::new("k").expect("valid"));
        for filter in [Filter::All, key, Filter::Types(vec!["t".into()])] {
            let found = read_all(&*log, Read::forward(each.clone(), Position::ORIGIN).filter(filter)).await;
            assert_eq!(found.len(), 10, "{each}");
        }
        assert_eq!(read_all(&*log, Read::backward(each, Position::MAX)).await.len(), 10);
    }
    // The newest event of all is of the other space and does not beat this condition.
    let batch = append(vec![event("last", "k2", "t")]).only_if(condition(&[], &[], newest));
    log.append(batch).await.expect("only events of the own space count");
}

/// Promise 1, over restarts.
pub async fn everything_survives_reopening(harness: &dyn Harness) {
    let mut expected = Vec::new();
    for round in 0..4 {
        let log = harness.open().await;
        assert_eq!(read_all(&*log, Read::forward(space(), Position::ORIGIN)).await, expected);
        let id = |n: usize| format!("{round}-{n}");
        let positions = write(&*log, (0..100).map(|n| event(&id(n), &format!("k{n}"), "t")).collect()).await;
        let repeat = log.append(append(vec![event("0-7", "k", "t")])).await.expect("appended");
        assert!(repeat.events[0].duplicate);
        assert!(expected.last().is_none_or(|last: &Recorded| last.position < positions[0]));
        let seen = condition(&["k7"], &[], positions[7].previous());
        log.append(append(vec![event("never", "k", "t")]).only_if(seen)).await.expect_err("the condition fails");
        expected = read_all(&*log, Read::forward(space(), Position::ORIGIN)).await;
        assert_eq!(expected.len(), (round + 1) * 100);
        log.close().await.expect("closed");
    }
}

/// Times lead to positions: exactly where the clock of the harness moves, and at the borders where it stands still.
pub async fn positions_are_found_by_time(harness: &dyn Harness) {
    let log = harness.open().await;
    for number in 0..40 {
        // Several events at one time, in between.
        write(&*log, (0..1 + number % 3).map(|n| event(&format!("{number}-{n}"), "k", "t")).collect()).await;
    }
    let all = read_all(&*log, Read::forward(space(), Position::ORIGIN)).await;
    let behind = log.durable_end().borrow().next();
    let at = |micros| log.position_at(Timestamp::from_unix_micros(micros));
    assert_eq!(at(0).await.expect("readable"), Position::new(1));
    for recorded in &all {
        let time = recorded.recorded.unix_micros();
        for asked in [time - 1, time, time + 1] {
            let first = all.iter().find(|each| each.recorded.unix_micros() >= asked);
            let expected = first.map_or(behind, |each| each.position);
            assert_eq!(at(asked).await.expect("readable"), expected, "at {asked}");
        }
    }
}

/// Promise 7.
pub async fn the_durable_end_is_watched(harness: &dyn Harness) {
    let log = harness.open().await;
    let mut end = log.durable_end();
    assert_eq!(*end.borrow_and_update(), Position::ORIGIN);
    let watcher = async {
        let mut last = Position::ORIGIN;
        while last < Position::new(20) {
            end.changed().await.expect("the log is open");
            let now = *end.borrow_and_update();
            assert!(now > last);
            last = now;
        }
    };
    let writer = async {
        for number in 0..20 {
            let positions = write(&*log, vec![event(&number.to_string(), "k", "t")]).await;
            assert!(*log.durable_end().borrow() >= positions[0]);
        }
    };
    futures_util::future::join(watcher, writer).await;
}

/// Promise 8.
pub async fn checkpoints_are_kept(harness: &dyn Harness) {
    let log = harness.open().await;
    assert_eq!(log.load_checkpoint("cursor").await.expect("readable"), None);
    let value = |text: &'static str| Bytes::from_static(text.as_bytes());
    let both = vec![("cursor".into(), value("1")), ("view".into(), value("a"))];
    log.store_checkpoints(both).await.expect("stored");
    log.store_checkpoints(vec![("cursor".into(), value("2")), ("gone".into(), value("b"))]).await.expect("stored");
    assert_eq!(log.load_checkpoint("cursor").await.expect("readable"), Some(value("2")));
    let names = ["gone", "never there", "cursor"].map(str::to_owned).to_vec();
    let loaded = log.load_checkpoints(names).await.expect("readable");
    assert_eq!(loaded, [Some(value("b")), None, Some(value("2"))]);
    log.remove_checkpoints(vec!["gone".into(), "never there".into()]).await.expect("removed");
    assert_eq!(log.load_checkpoint("gone").await.expect("readable"), None);
    log.close().await.expect("closed");
    drop(log);
    let log = harness.open().await;
    assert_eq!(log.load_checkpoint("cursor").await.expect("readable"), Some(value("2")));
    assert_eq!(log.load_checkpoint("view").await.expect("readable"), Some(value("a")));
    assert_eq!(log.load_checkpoint("gone").await.expect("readable"), None);
}

/// Promise 9: everything after the close is refused, whatever it is.
pub async fn a_closed_log_says_so(harness: &dyn Harness) {
    let log = harness.open().await;
    write(&*log, vec![event("1", "k", "t")]).await;
    log.store_checkpoints(vec![("cursor".into(), Bytes::from_static(b"1"))]).await.expect("stored");
    log.close().await.expect("closed");
    let refused = log.append(append(vec![event("2", "k", "t")])).await;
    assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
    for read in [Read::forward(space(), Position::ORIGIN), Read::backward(space(), Position::MAX)] {
        let refused = log.read(read).await;
        assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
    }
    let refused = log.position_at(StoppedClock.now()).await;
    assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
    let refused = log.count(space(), Filter::All, Position::ORIGIN..Position::MAX, 1).await;
    assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
    let refused = log.find(space(), "/conformance".into(), "1".into()).await;
    assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
    let refused = log.load_checkpoint("cursor").await;
    assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
    // A checkpoint that was stored now would be behind what the close wrote down.
    let refused = log.store_checkpoints(vec![("cursor".into(), Bytes::from_static(b"2"))]).await;
    assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
    let refused = log.remove_checkpoints(vec!["cursor".into()]).await;
    assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
    let refused = log.close().await;
    assert!(matches!(refused, Err(LogError::Closed)), "{refused:?}");
    drop(log);
    let log = harness.open().await;
    assert_eq!(log.load_checkpoint("cursor").await.expect("readable").as_deref(), Some(&b"1"[..]));
    assert_eq!(read_all(&*log, Read::forward(space(), Position::ORIGIN)).await.len(), 1);
}
