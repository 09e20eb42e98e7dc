//! Senders go when nobody waits, whoever waits is told whatever goes, and the newest event is what is shown.

use weir_domain::Event;
use weir_log::{Append, EventReceipt, NewEvent};

use super::*;

fn names(types: &[&str]) -> Vec<String> {
    types.iter().map(|name| (*name).to_owned()).collect()
}

/// A batch with events of these types, the first of which is given this position; `duplicates` were there before.
fn batch(first: u64, types: &[&str], duplicates: &[usize]) -> (Prepared, Result<Receipt, LogError>) {
    let events = types.iter().map(|name| {
        let event = Event::builder("id", "/test", name).build().expect("a valid event");
        NewEvent { event, key: None }
    });
    let prepared = Prepared::new(&Append::new(SpaceName::default(), events.collect()), usize::MAX).expect("small");
    let entry = |number: usize| {
        let position = Position::new(first + number as u64);
        EventReceipt { position, duplicate: duplicates.contains(&number) }
    };
    (prepared, Ok(Receipt { events: (0..types.len()).map(entry).collect() }))
}

fn told(arrivals: &Arrivals, batches: Vec<(Prepared, Result<Receipt, LogError>)>) {
    let (group, outcomes): (Vec<_>, Vec<_>) = batches.into_iter().unzip();
    arrivals.tell(&group, &outcomes);
}

#[test]
fn who_waits_is_told_however_many_others_came_and_went() {
    let (arrivals, end) = (Arrivals::default(), Sender::new(Position::new(5)));
    let space = SpaceName::default();
    let mut some = arrivals.watch(&space, &names(&["b", "a"]), &end);
    let mut any = arrivals.watch(&space, &[], &end);
    for number in 0..10_000 {
        drop(arrivals.watch(&space, &[number.to_string(), "a".to_owned()], &end));
        drop(arrivals.watch(&SpaceName::new(&format!("space-{number}")).expect("valid"), &[], &end));
    }
    {
        let watched = arrivals.watched.read();
        assert!(watched.len() <= KEPT_MIN, "{} are kept for nobody", watched.len());
        let hanging: usize = watched.types.values().map(Vec::len).sum();
        assert_eq!(hanging, 2 * watched.sets.len());
    }
    for (position, name) in [(6, "a"), (7, "b")] {
        told(&arrivals, vec![batch(position, &[name], &[])]);
        for watcher in [&mut some, &mut any] {
            assert!(watcher.has_changed().expect("the sender is there"), "{name}");
            assert_eq!(*watcher.borrow_and_update(), Position::new(position));
        }
    }
    // Who begins to wait for the same again shares what is there.
    assert_eq!(*arrivals.watch(&space, &names(&["a", "b"]), &end).borrow(), Position::new(7));
}

#[test]
fn a_set_that_is_waited_for_again_shows_the_end() {
    let (arrivals, end) = (Arrivals::default(), Sender::new(Position::ORIGIN));
    for types in [names(&["a"]), Vec::new()] {
        drop(arrivals.watch(&SpaceName::default(), &types, &end));
    }
    end.send_replace(Position::new(3));
    told(&arrivals, vec![batch(3, &["a"], &[])]);
    for types in [names(&["a"]), Vec::new()] {
        let mut again = arrivals.watch(&SpaceName::default(), &types, &end);
        assert_eq!(*again.borrow_and_update(), Position::new(3));
        told(&arrivals, vec![batch(4, &["b"], &[])]);
        assert_eq!(again.has_changed().expect("the sender is there"), types.is_empty());
    }
}

#[test]
fn of_a_group_its_newest_events_are_told() {
    let (arrivals, end) = (Arrivals::default(), Sender::new(Position::ORIGIN));
    let watch = |types: &[&str]| arrivals.watch(&SpaceName::default(), &names(types), &end);
    let watchers = [watch(&["a"]), watch(&["b"]), watch(&["a", "b"]), watch(&["c"]), watch(&[])];
    let refused = (batch(9, &["c"], &[]).0, Err(LogError::Overloaded));
    let group = vec![
        batch(1, &["a", "b", "a", "a"], &[]),
        // It stood at 2 and 3 before.
        batch(2, &["b", "c"], &[0, 1]),
        refused,
        batch(5, &["b", "a", "b", "x"], &[2]),
    ];
    told(&arrivals, group);
    let shown = watchers.map(|watcher| watcher.borrow().get());
    assert_eq!(shown, [6, 5, 6, 0, 8]);
}
