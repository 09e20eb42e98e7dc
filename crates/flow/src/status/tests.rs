//! Which state is told, and which lanes are named.

use super::*;

#[test]
fn what_was_decided_comes_before_what_has_come_of_itself() {
    let (event_type, function) = (EventTypeName::new("a").expect("valid"), FunctionId::new("f").expect("valid"));
    let subscription = Subscription::to_events(event_type, function);
    let check = |activity: Activity, seen: &Seen, is_drained: bool, expected: SubscriptionState| {
        let subscription = subscription.clone().with_activity(activity);
        assert_eq!(state(&subscription, seen, false, is_drained), expected);
    };
    let idle = Seen::default();
    let full = Seen { is_full: true, ..Seen::default() };
    let parked = ParkedSince { since: Timestamp::default(), cause: "503".into() };
    let parked = Seen { parked: Some(parked), is_full: true, ..Seen::default() };
    check(Activity::Active, &idle, false, SubscriptionState::Active);
    check(Activity::Active, &full, false, SubscriptionState::Blocked);
    check(Activity::Active, &Seen { calls: 1, ..full }, false, SubscriptionState::Active);
    check(Activity::Active, &parked, false, SubscriptionState::Parked);
    check(Activity::Paused, &parked, false, SubscriptionState::Paused);
    check(Activity::Draining, &idle, false, SubscriptionState::Draining);
    check(Activity::Draining, &idle, true, SubscriptionState::Drained);
}

#[test]
fn held_keys_are_named_before_others() {
    let lane = |key: &str, from: u64, held: Option<u64>| PutAside {
        key: Key::new(key).expect("a key"),
        from: Position::new(from),
        held: held.map(Position::new),
        events: 1,
    };
    let lanes = (0..LANES_NAMED_MAX as u64).map(|number| lane(&format!("a{number:03}"), number, None));
    let named = named(lanes.chain([lane("z", 900, Some(899))]).collect());
    assert_eq!((named.len(), named[0].key.as_str()), (LANES_NAMED_MAX, "z"));
    assert_eq!(named[1].key.as_str(), "a000");
}
