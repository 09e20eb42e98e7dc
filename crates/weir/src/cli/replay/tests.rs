//! What is asked for, and what is shown of it.

use clap::Parser;

use super::*;
use crate::cli::{Cli, Command, output::Captured};

fn args(line: &str) -> ReplayArgs {
    match Cli::try_parse_from(line.split(' ')).expect(line).command {
        Command::Replay(args) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_asked_for_is_what_was_typed() {
    let all =
        args("weir replay f --from 3d --to 17 --filter {\"exact\":{\"type\":\"a\"}} --rate 5 --as x --with-effects");
    let expected = json!({
        "from": "3d", "to": "17", "filter": { "exact": { "type": "a" } }, "rate": 5, "as": "x", "withEffects": true,
    });
    assert_eq!(Value::Object(request(&all)), expected);
    assert_eq!(Value::Object(request(&args("weir replay f --from earliest"))), json!({ "from": "earliest" }));
    assert!(Cli::try_parse_from("weir replay f --from 1 --filter {".split(' ')).is_err());
}

fn named() -> Named {
    Named { id: "s1".into(), told: "order.placed → invoice".into() }
}

#[test]
fn a_plan_says_what_would_happen() {
    let shown = |plan: Value| {
        let captured = Captured::default();
        let plan: Plan = serde_json::from_value(plan).expect("a plan");
        show_plan(&plan, &named(), &captured.output(false, None)).expect("written");
        captured.text()
    };
    let effects = json!([
        { "functionId": "mail", "type": "http", "target": "https://mail.example\u{1b}" },
        { "functionId": "queue", "type": "awssqs", "target": "orders", "indirect": true },
    ]);
    let text = shown(json!({
        "from": 1, "to": 5000, "events": 1200, "more": true, "ratePerSecond": 400, "seconds": 3, "effects": effects,
    }));
    for part in [
        "order.placed → invoice",
        "1 to 5,000",
        "more than 1,200 events",
        "about 3 s at 400 events/s",
        "function mail (http https://mail.example\u{fffd}); function queue (awssqs orders), where",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = shown(json!({ "from": 7, "to": 7, "events": 1, "effects": [] }));
    assert!(text.contains("1 event\n") && text.contains("nobody knows") && text.contains("none"), "{text}");
}

#[test]
fn the_end_of_a_replay_is_the_end_of_the_command() {
    let replay = |state: &str, given_up: u64| -> Replay {
        serde_json::from_value(json!({
            "replayId": "r1", "state": state, "from": 1, "to": 9, "position": 9, "delivered": 4, "givenUp": given_up,
            "requested": "2026-01-31T12:00:00Z", "more": true,
        }))
        .expect("a replay")
    };
    assert_eq!(replay("finished", 0).exit(), Exit::Done);
    assert_eq!(replay("finished", 1).exit(), Exit::Findings);
    assert_eq!(replay("cancelled", 0).exit(), Exit::Findings);
    assert_eq!(replay("running", 2).told(), "running, 4 events delivered, 2 given up, position 9 of 9, r1");
    let flag = args("weir replay f --status r1 --url http://127.0.0.1:4101").server.flag();
    assert_eq!(flag, " --url http://127.0.0.1:4101");
    assert_eq!(args("weir replay f --status r1").server.flag(), "");
    let (shop, usual) = (SpaceName::new("shop").expect("valid"), SpaceName::default());
    let how = |space| How { name: "s1", space, server: String::new(), replay: "r1" }.told();
    assert!(how(&shop).starts_with("`weir replay s1 --space shop --status r1`"), "{}", how(&shop));
    assert!(how(&usual).starts_with("`weir replay s1 --status r1`"), "{}", how(&usual));
}
