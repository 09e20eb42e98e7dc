//! Counting and finding without reading.

use weir_domain::{Key, Position, SpaceName};

use super::{Harness, append, event, read_all, space, write};
use crate::{Append, Counted, Filter, LogEngine, Read};

/// Promise 11.
pub async fn events_are_counted(harness: &dyn Harness) {
    let log = harness.open().await;
    let other = SpaceName::new("other").expect("valid");
    for part in 0..10 {
        let one = |n: usize| event(&format!("{part}-{n}"), &format!("k{}", n % 7), &format!("t{}", n % 3));
        write(&*log, (0..30).map(one).collect()).await;
        log.append(Append::new(other.clone(), (0..5).map(one).collect())).await.expect("appended");
    }
    let types = |names: &[&str]| Filter::Types(names.iter().map(|name| (*name).to_owned()).collect());
    for filter in [
        Filter::All,
        Filter::Key(Key::new("k3").expect("valid")),
        Filter::Key(Key::new("never").expect("valid")),
        types(&["t1"]),
        types(&["t2", "absent", "t0", "t2"]),
        types(&[]),
    ] {
        let all = read_all(&*log, Read::forward(space(), Position::ORIGIN).filter(filter.clone())).await;
        let all: Vec<_> = all.iter().map(|recorded| recorded.position).collect();
        let end = log.durable_end().borrow().next();
        let at = Position::new;
        let (part, one) = (at(33)..at(290), at(40)..at(41));
        for range in [at(0)..Position::MAX, at(1)..end, part, one, at(50)..at(50), at(200)..at(100)] {
            let found = all.iter().filter(|position| range.contains(*position)).count() as u64;
            for limit in [0, 1, found.saturating_sub(1), found, found + 1, u64::MAX] {
                let counted = log.count(space(), filter.clone(), range.clone(), limit).await.expect("counted");
                let expected = Counted { events: found.min(limit), more: found > limit };
                assert_eq!(counted, expected, "{filter:?} in {range:?}, at most {limit}");
            }
        }
    }
}

/// Promise 12.
pub async fn events_are_found_by_source_and_id(harness: &dyn Harness) {
    let log = harness.open().await;
    let mut positions = Vec::new();
    for part in 0..10 {
        positions.extend(write(&*log, (0..10).map(|n| event(&(part * 10 + n).to_string(), "k", "t")).collect()).await);
    }
    log.append(append(vec![event("7", "other", "other")])).await.expect("a repeat is no error");
    check_found(&*log, &positions).await;
    let other = SpaceName::new("other").expect("valid");
    for (space, source, id) in [
        (space(), "/conformance", "100"),
        (space(), "/elsewhere", "7"),
        (space(), "7", "/conformance"),
        (other.clone(), "/conformance", "7"),
    ] {
        let found = log.find(space.clone(), source.into(), id.into()).await.expect("readable");
        assert_eq!(found, None, "{source} {id} in {space}");
    }
    let elsewhere = log.append(Append::new(other.clone(), vec![event("7", "k", "t")])).await.expect("appended");
    let found = log.find(other, "/conformance".into(), "7".into()).await.expect("readable");
    assert_eq!(found, Some(elsewhere.events[0].position));
    log.close().await.expect("closed");
    drop(log);
    check_found(&*harness.open().await, &positions).await;
}

async fn check_found(log: &dyn LogEngine, positions: &[Position]) {
    for (id, position) in positions.iter().enumerate() {
        let found = log.find(space(), "/conformance".into(), id.to_string()).await.expect("readable");
        assert_eq!(found, Some(*position), "{id}");
    }
}
