//! Conditions agree with a plain scan of all events, and none holds up the writer for long.

use std::sync::Arc;

use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::*;
use crate::store::MemoryStore;

fn key(number: u8) -> ListName {
    [number; 17]
}

fn event_type(number: u8) -> ListName {
    [100 + number; 17]
}

fn empty() -> Index {
    Index::new(Arc::new(MemoryStore::default()), Position::new(1))
}

fn add(index: &Index, position: u64, key_number: u8, type_number: u8) {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&position.to_le_bytes());
    let before = index
        .with_active(|active| active.add(id, Some(key(key_number)), event_type(type_number), Position::new(position)));
    assert_eq!(before, None);
}

fn condition(keys: &[u8], types: &[u8], after: u64) -> PreparedCondition {
    PreparedCondition {
        keys: keys.iter().copied().map(key).collect(),
        types: types.iter().copied().map(event_type).collect(),
        after: Position::new(after),
    }
}

/// Two lists as long as the log that never meet: the writer must not go through all of it for one append.
#[test]
fn a_long_search_is_done_in_parts() {
    let events = 600_000;
    let index = empty();
    (1..=events).for_each(|position| add(&index, position, (position % 2) as u8, (position % 2) as u8));
    let (mut conditions, space) = (Conditions::default(), SpaceName::default());
    let asked = condition(&[0], &[1], 0);
    let mut attempts = 0;
    loop {
        attempts += 1;
        match conditions.check(&index, &space, &asked, Position::new(events)) {
            Ok(()) => break,
            Err(error) => assert!(matches!(error, LogError::Overloaded) && attempts < 20, "{attempts}: {error}"),
        }
    }
    assert!(attempts > 1, "one attempt went through everything");
    // What comes after an unfinished search is seen.
    conditions.check(&index, &space, &asked, Position::new(events)).expect_err("unfinished");
    add(&index, events + 1, 0, 1);
    let beaten = conditions.check(&index, &space, &asked, Position::new(events + 1)).expect_err("it matches");
    assert!(matches!(beaten, LogError::ConditionFailed { beaten_by, .. } if beaten_by == Position::new(events + 1)));
}

/// A rare type is found missing at once, however long the list of the key is.
#[test]
fn lists_are_left_behind_in_one_step() {
    let index = empty();
    add(&index, 1, 1, 1);
    (2..=100_000).for_each(|position| add(&index, position, 0, 0));
    let (mut conditions, space) = (Conditions::default(), SpaceName::default());
    for asked in [condition(&[0], &[1], 0), condition(&[1], &[0], 0), condition(&[0], &[7], 0)] {
        conditions.check(&index, &space, &asked, Position::new(100_000)).expect("holds, and takes one attempt");
    }
}

#[test]
fn conditions_agree_with_a_scan() {
    let mut random = SmallRng::seed_from_u64(7);
    let index = empty();
    let mut events = Vec::new();
    for position in 1..=3000 {
        let (key_number, type_number) = (random.random_range(0..3), random.random_range(0..40));
        add(&index, position, key_number, type_number);
        events.push((position, key_number, type_number));
    }
    let (mut conditions, space) = (Conditions::default(), SpaceName::default());
    for _ in 0..2000 {
        let keys: Vec<u8> = (0..random.random_range(1..3)).map(|_| random.random_range(0..4)).collect();
        let types: Vec<u8> = (0..random.random_range(1..3)).map(|_| random.random_range(0..41)).collect();
        let after = random.random_range(0..3001);
        let newest = events.iter().rev().find(|(_, key, of_type)| keys.contains(key) && types.contains(of_type));
        let expected = newest.map(|(position, ..)| *position).filter(|position| *position > after);
        let outcome = conditions.check(&index, &space, &condition(&keys, &types, after), Position::new(3000));
        let beaten_by = match outcome {
            Ok(()) => None,
            Err(LogError::ConditionFailed { beaten_by, .. }) => Some(beaten_by.get()),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(beaten_by, expected, "keys {keys:?}, types {types:?}, after {after}");
    }
}
