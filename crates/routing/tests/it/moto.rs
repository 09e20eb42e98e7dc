//! Patterns against those of moto, the stand-in for AWS: `tests/moto_oracle.py` asks it, and says what it is not asked.
//! It is installed by `scripts/interop-setup.sh`; where it is not there, the test is skipped.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
    strategy::ValueTree as _,
    test_runner::TestRunner,
};
use serde_json::{Map, Value, json};
use weir_domain::{Data, Event};
use weir_routing::Filter;

/// Where the packages are: in the build folder, or where this variable says. Not `WEIR_…`: those are settings.
const FOLDER: &str = "INTEROP_DIR";

const CASES: usize = 600;

fn packages() -> PathBuf {
    std::env::var_os(FOLDER).map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("../interop"), PathBuf::from)
}

/// Returns a command that asks moto; nothing, and a line that says so, where it is not there.
fn moto() -> Option<Command> {
    let program = packages().join("moto/bin/python3");
    let mut tried = Command::new(&program);
    tried.args(["-c", "import moto.events.models"]);
    tried.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if !tried.status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: moto_oracle.py needs what scripts/interop-setup.sh installs");
        return None;
    }
    let mut command = Command::new(program);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moto_oracle.py"));
    Some(command)
}

fn text() -> impl Strategy<Value = Value> {
    select(vec!["a", "b", "ab", "aB", "bab", "", "a*", "10.0.0.7", "10.9.0.1"]).prop_map(Value::from)
}

fn number() -> impl Strategy<Value = Value> {
    select(vec![json!(5), json!(5.0), json!(-3), json!(2.5), json!(300)])
}

/// Conditions of which each is about texts, numbers or null.
fn conditions() -> impl Strategy<Value = Value> {
    let wildcards = || select(vec!["*", "a*", "*b", "a*b", r"a\*", "*a*b*"]).prop_map(Value::from);
    let texts = || vec(text(), 1..3).prop_map(Value::from);
    let numbers = select(vec![json!(["=", 5]), json!([">", -3, "<=", 5]), json!(["<", 2.6]), json!([">=", 300])]);
    let condition = prop_oneof![
        4 => text(),
        3 => number(),
        1 => Just(Value::Null),
        2 => (select(vec!["prefix", "suffix", "equals-ignore-case"]), text())
            .prop_map(|(name, text)| json!({ name: text })),
        1 => (select(vec!["prefix", "suffix"]), text())
            .prop_map(|(name, text)| json!({ name: { "equals-ignore-case": text } })),
        1 => wildcards().prop_map(|wildcard| json!({ "wildcard": wildcard })),
        1 => prop_oneof![text(), number(), texts()].prop_map(|excluded| json!({ "anything-but": excluded })),
        1 => (select(vec!["prefix", "suffix", "equals-ignore-case"]), prop_oneof![text(), texts()])
            .prop_map(|(name, texts)| json!({ "anything-but": { name: texts } })),
        1 => wildcards().prop_map(|wildcard| json!({ "anything-but": { "wildcard": wildcard } })),
        2 => numbers.prop_map(|numbers| json!({ "numeric": numbers })),
        1 => select(vec!["10.0.0.0/24", "10.0.0.0/8"]).prop_map(|network| json!({ "cidr": network })),
        1 => any::<bool>().prop_map(|wanted| json!({ "exists": wanted })),
    ];
    vec(condition, 1..5).prop_map(Value::from)
}

/// What is asked of the truth that events have at `flag`.
fn truths() -> impl Strategy<Value = Value> {
    select(vec![
        json!([true]),
        json!([false]),
        json!([{ "exists": true }]),
        json!([{ "exists": false }]),
        json!([null]),
    ])
}

fn owned(names: &[&'static str]) -> impl Strategy<Value = String> + use<> {
    select(names.to_vec()).prop_map(str::to_owned)
}

fn object(members: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::Object(members.into_iter().collect::<Map<_, _>>())
}

/// Patterns for data in which `a` and `b` are no objects, `o` is an object with such or none, and `flag` is a truth.
fn details() -> impl Strategy<Value = Value> {
    let inner = || btree_map(owned(&["a", "b"]), conditions(), 1..3);
    let alternatives = || option::weighted(0.4, vec(inner().prop_map(object), 2..4));
    let nested = (inner(), alternatives()).prop_map(|(members, any)| with_alternatives(members, any));
    let members = (inner(), option::of(nested), option::weighted(0.2, truths()), alternatives());
    members.prop_map(|(mut members, nested, flag, any)| {
        members.extend(nested.map(|nested| ("o".to_owned(), nested)));
        members.extend(flag.map(|flag| ("flag".to_owned(), flag)));
        with_alternatives(members, any)
    })
}

fn with_alternatives(members: impl IntoIterator<Item = (String, Value)>, any: Option<Vec<Value>>) -> Value {
    object(members.into_iter().chain(any.map(|any| ("$or".to_owned(), Value::from(any)))))
}

/// Patterns with names as Weir has them.
fn patterns() -> impl Strategy<Value = Value> {
    let attribute = || {
        let condition = prop_oneof![
            select(vec!["t", "ab", "other"]).prop_map(Value::from),
            select(vec!["t", "o"]).prop_map(|text| json!({ "prefix": text })),
            select(vec!["t", "ab"]).prop_map(|text| json!({ "anything-but": [text] })),
        ];
        btree_map(owned(&["type", "subject"]), vec(condition, 1..3).prop_map(Value::from), 1..3)
    };
    let whole = (option::weighted(0.3, attribute()), details()).prop_map(|(attributes, data)| {
        let attributes = attributes.unwrap_or_default();
        attributes.into_iter().chain([("data".to_owned(), data)]).collect::<Vec<_>>()
    });
    let alternative = prop_oneof![attribute().prop_map(object), details().prop_map(|data| json!({ "data": data }))];
    (whole, option::weighted(0.2, vec(alternative, 2..4))).prop_map(|(members, any)| with_alternatives(members, any))
}

fn data() -> impl Strategy<Value = Value> {
    let scalar = || prop_oneof![3 => text(), 2 => number(), 1 => Just(Value::Null)];
    let leaf = || prop_oneof![4 => scalar(), 1 => vec(scalar(), 0..3).prop_map(Value::from)];
    let inner = move || btree_map(owned(&["a", "b"]), leaf(), 0..3);
    let nested = prop_oneof![4 => inner().prop_map(object), 1 => scalar()];
    (inner(), option::of(nested), option::of(any::<bool>())).prop_map(|(mut members, nested, flag)| {
        members.extend(nested.map(|nested| ("o".to_owned(), nested)));
        members.extend(flag.map(|flag| ("flag".to_owned(), flag.into())));
        object(members)
    })
}

/// A pattern with the names of EventBridge.
fn renamed(pattern: &Value) -> Value {
    let members =
        pattern.as_object().expect("a pattern").iter().map(|(name, content)| match (name.as_str(), content) {
            ("data", content) => ("detail".to_owned(), content.clone()),
            ("type", content) => ("detail-type".to_owned(), content.clone()),
            ("$or", Value::Array(alternatives)) => (name.clone(), alternatives.iter().map(renamed).collect()),
            (_, content) => (name.clone(), content.clone()),
        });
    object(members)
}

/// Asks moto about all cases at once.
fn answers(mut moto: Command, cases: &[(Value, Value)]) -> Vec<bool> {
    let mut child = moto.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the script starts");
    let lines: String =
        cases.iter().map(|(pattern, event)| json!({ "pattern": pattern, "event": event }).to_string() + "\n").collect();
    let mut input = child.stdin.take().expect("its input");
    // Beside it, for the answers would fill their pipe while the questions are not all written.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(lines.as_bytes()).expect("it reads"));
        child.wait_with_output().expect("it ends")
    });
    assert!(output.status.success(), "{}", output.status);
    let answers = String::from_utf8(output.stdout).expect("text");
    answers.lines().map(|line| line.parse().expect("true or false")).collect()
}

#[test]
fn patterns_are_as_those_of_moto() {
    let Some(moto) = moto() else { return };
    let mut runner = TestRunner::deterministic();
    let cases = (patterns(), data(), select(vec!["t", "other"]), option::of(select(vec!["ab", "t"])));
    let cases: Vec<_> = (0..CASES).map(|_| cases.new_tree(&mut runner).expect("a case").current()).collect();
    let asked: Vec<(Value, Value)> = cases
        .iter()
        .map(|(pattern, data, kind, subject)| {
            let mut event = json!({ "id": "1", "source": "/s", "detail-type": kind, "detail": data });
            if let Some(subject) = subject {
                event["subject"] = json!(subject);
            }
            (renamed(pattern), event)
        })
        .collect();
    let answers = answers(moto, &asked);
    assert_eq!(answers.len(), CASES);
    for ((pattern, data, kind, subject), expected) in cases.iter().zip(answers.iter().copied()) {
        let filter = json!({ "pattern": pattern });
        let filter = Filter::parse(&filter).unwrap_or_else(|faults| panic!("{filter}: {faults:?}"));
        let mut event = Event::builder("1", "/s", kind).data(Data::Json(data.to_string().into()));
        if let Some(subject) = subject {
            event = event.subject(subject);
        }
        let event = event.build().expect("valid");
        assert_eq!(filter.matches(&event), expected, "{pattern} {data} {kind} {subject:?}");
    }
    let held = answers.iter().filter(|held| **held).count();
    assert!((CASES / 50..CASES).contains(&held), "{held} of {CASES} hold: these say little");
}
