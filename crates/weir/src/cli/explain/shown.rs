//! The explanation of an event as people see it. Whatever a server says is made safe for a terminal.

use serde::Deserialize;

use crate::{
    cli::output::{Output, Paint, clip},
    naming::counted,
};

/// What people copy is shown whole.
const WHOLE: usize = usize::MAX;
/// The widest that an error of a function gets, in characters.
const ERROR_WIDTH_MAX: usize = 120;
/// How many of the failed attempts are shown: the last ones.
const ATTEMPTS_SHOWN: usize = 10;

/// What a server tells of an event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explanation {
    event: Event,
    configuration: u64,
    event_type: EventType,
    route: Option<Route>,
    deliveries: Vec<Delivery>,
    deliveries_left: u64,
    other_subscriptions: u64,
    causes: Vec<Link>,
    causes_cut: Option<String>,
    effects: Vec<Effect>,
    effects_cut: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    id: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    position: u64,
    time: String,
    function_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(flatten)]
    link: Link,
    subject: Option<String>,
    key: Option<String>,
    method: String,
    path: String,
    authorization: Option<serde_json::Value>,
    traceparent: Option<String>,
    replay_id: Option<String>,
    quarantined: Option<Quarantined>,
}

#[derive(Debug, Deserialize)]
struct Quarantined {
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    violations: Vec<Violation>,
}

#[derive(Debug, Deserialize)]
struct Violation {
    pointer: String,
    message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventType {
    standing: String,
    authorizer_id: Option<String>,
    schema_version: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Route {
    method: String,
    path: String,
    function_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    subscription_id: String,
    function_id: String,
    event_type: String,
    made: u64,
    continues: Option<String>,
    method: String,
    path: String,
    #[serde(default)]
    terms: Vec<Term>,
    state: String,
    answer: String,
    failures: u64,
    #[serde(default)]
    attempts: Vec<Attempt>,
    #[serde(default)]
    dead_letters: Vec<Letter>,
    #[serde(default)]
    replays: Vec<Replay>,
    #[serde(default)]
    changes: Vec<Change>,
}

#[derive(Debug, Deserialize)]
struct Term {
    pointer: String,
    wanted: String,
    found: Option<String>,
    matched: bool,
    decided: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    time: String,
    attempt: u64,
    cause: String,
    status: Option<u16>,
    error: String,
    retry_at: Option<String>,
    replay_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    position: u64,
    state: String,
    decided_at: Option<u64>,
    error: String,
    held: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Replay {
    replay_id: String,
    position: u64,
    state: String,
    matched: bool,
    dead_letter: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Change {
    position: u64,
    time: String,
    what: String,
}

#[derive(Debug, Deserialize)]
struct Effect {
    #[serde(flatten)]
    link: Link,
    effects: Vec<Effect>,
}

/// Shows all of it, and at the end the answer for each subscription.
pub(super) fn explanation(told: &Explanation, is_of_one: bool, output: &Output) -> anyhow::Result<()> {
    output.pairs(&event(told))?;
    let mut text = String::new();
    causes(told, output, &mut text);
    if !told.effects.is_empty() || told.effects_cut.is_some() {
        heading("caused", output, &mut text);
        branches(&told.effects, "", output, &mut text);
        cut(told.effects_cut.as_deref(), output, &mut text);
    }
    if !told.deliveries.is_empty() {
        heading("subscriptions", output, &mut text);
    }
    for each in &told.deliveries {
        delivery(each, output, &mut text);
    }
    text.push('\n');
    answers(told, is_of_one, output, &mut text);
    Ok(output.print(&text)?)
}

fn safe(text: &str) -> String {
    clip(text, WHOLE)
}

/// Returns how the event came.
fn event(told: &Explanation) -> Vec<(&'static str, String)> {
    let Explanation { event, event_type, route, .. } = told;
    let link = &event.link;
    let standing = match (&event_type.schema_version, event_type.standing.as_str()) {
        (Some(version), standing) => format!("{standing}, schema {version}"),
        (None, standing) => standing.to_owned(),
    };
    let route = route.as_ref().map(|it| match &it.function_id {
        Some(function) => format!("{} {} → {function}", it.method, it.path),
        None => format!("{} {}: no sync subscription had it", it.method, it.path),
    });
    let kept = event.quarantined.as_ref().map(|it| {
        let why = it.violations.iter().map(|each| format!("{} {}", each.pointer, each.message));
        format!("{} of type {}: {}", it.id, it.event_type, why.collect::<Vec<_>>().join("; "))
    });
    let pairs = [
        ("id", Some(link.id.clone())),
        ("source", Some(link.source.clone())),
        ("type", Some(format!("{} ({standing})", link.event_type))),
        ("position", Some(link.position.to_string())),
        ("recorded", Some(link.time.clone())),
        ("subject", event.subject.clone()),
        ("key", event.key.clone()),
        ("came by", Some(format!("{} {}", event.method, event.path))),
        ("returned by", link.function_id.clone()),
        ("replay", event.replay_id.clone()),
        ("authorizer", event_type.authorizer_id.clone()),
        ("authorization", event.authorization.as_ref().map(ToString::to_string)),
        ("trace", event.traceparent.clone()),
        ("keeps in quarantine", kept),
        ("route", route),
        ("configuration", Some(format!("as of position {}", told.configuration))),
    ];
    pairs.into_iter().filter_map(|(name, text)| Some((name, safe(&text?)))).collect()
}

fn heading(name: &str, output: &Output, out: &mut String) {
    out.push('\n');
    out.push_str(&output.paint(Paint::Dim, name));
    out.push('\n');
}

/// Shows the causes, each with its own cause below it.
fn causes(told: &Explanation, output: &Output, out: &mut String) {
    if told.causes.is_empty() && told.causes_cut.is_none() {
        return;
    }
    heading("caused by", output, out);
    for (depth, link) in told.causes.iter().enumerate() {
        out.push_str(&"   ".repeat(depth));
        out.push_str("└─ ");
        line(link, output, out);
    }
    cut(told.causes_cut.as_deref(), output, out);
}

fn branches(effects: &[Effect], indent: &str, output: &Output, out: &mut String) {
    for (index, effect) in effects.iter().enumerate() {
        let is_last = index + 1 == effects.len();
        out.push_str(indent);
        out.push_str(if is_last { "└─ " } else { "├─ " });
        line(&effect.link, output, out);
        let indent = format!("{indent}{}", if is_last { "   " } else { "│  " });
        branches(&effect.effects, &indent, output, out);
    }
}

fn line(link: &Link, output: &Output, out: &mut String) {
    let event_type = safe(&link.event_type);
    out.push_str(&output.paint(Paint::of_name(&event_type), &event_type));
    out.push_str(&format!(" {} of {}", safe(&link.id), safe(&link.source)));
    let mut place = format!(" at position {}, {}", link.position, safe(&link.time));
    if let Some(function) = &link.function_id {
        place.push_str(&format!(", returned by {}", safe(function)));
    }
    out.push_str(&output.paint(Paint::Dim, place));
    out.push('\n');
}

/// Says why there may be more.
fn cut(why: Option<&str>, output: &Output, out: &mut String) {
    let text = match why {
        None => return,
        Some("depth") => "they follow one another further than is told",
        Some("events") => "there are more of them than are told",
        Some("scan") => "only so much of the log is looked through",
        Some("hidden") => "some are of types that you may not read",
        Some(_) => "not all of them are told",
    };
    out.push_str(&output.paint(Paint::Warn, format!("… {text}")));
    out.push('\n');
}

fn paint_of(state: &str) -> Paint {
    match state {
        "delivered" => Paint::Good,
        "dead-letter" | "dropped" => Paint::Bad,
        "not-matched" | "before-start" | "too-late" | "done-before" => Paint::Dim,
        _ => Paint::Warn,
    }
}

fn delivery(it: &Delivery, output: &Output, out: &mut String) {
    let function = safe(&it.function_id);
    let named = output.paint(Paint::of_name(&function), &function);
    let state = output.paint(paint_of(&it.state), safe(&it.state));
    out.push_str(&format!("{} → {named}  {state}\n", safe(&it.event_type)));
    let mut detail = |name: &str, text: String| {
        out.push_str(&format!("  {}  {text}\n", output.paint(Paint::Dim, format!("{name:<12}"))));
    };
    detail("id", safe(&it.subscription_id));
    detail("made at", it.made.to_string());
    if let Some(before) = &it.continues {
        detail("continues", safe(before));
    }
    if it.method != "POST" || it.path != "/" {
        detail("takes", safe(&format!("{} {}", it.method, it.path)));
    }
    for each in &it.terms {
        detail("filter", term(each, output));
    }
    let left = it.attempts.len().saturating_sub(ATTEMPTS_SHOWN);
    let hidden = it.failures.saturating_sub((it.attempts.len() - left) as u64);
    if hidden > 0 {
        detail("attempts", format!("{hidden} more that failed before these"));
    }
    for each in &it.attempts[left..] {
        detail("attempt", attempt(each));
    }
    for each in &it.dead_letters {
        detail("dead letter", letter(each));
    }
    for each in &it.replays {
        detail("replay", replay(each));
    }
    for each in &it.changes {
        detail("since then", safe(&format!("{} at position {}, {}", each.what, each.position, each.time)));
    }
}

/// Shows a comparison: those on which nothing rests step back.
fn term(it: &Term, output: &Output) -> String {
    let mark = if it.matched { "✓" } else { "✗" };
    let found = it.found.as_ref().map_or_else(|| "the event has none".to_owned(), |text| format!("found {text:?}"));
    let text = safe(&format!("{mark} {}  wanted {:?}, {found}", it.pointer, it.wanted));
    match (it.decided, it.matched) {
        (true, true) => output.paint(Paint::Good, text),
        (true, false) => output.paint(Paint::Bad, text),
        (false, _) => output.paint(Paint::Dim, text),
    }
}

fn attempt(it: &Attempt) -> String {
    let status = it.status.map_or_else(String::new, |status| format!(" {status}"));
    let mut text = format!("{} at {}: {}{status}, {}", it.attempt, it.time, it.cause, clip(&it.error, ERROR_WIDTH_MAX));
    if let Some(retry_at) = &it.retry_at {
        text.push_str(&format!("; again at {retry_at}"));
    }
    if let Some(replay) = &it.replay_id {
        text.push_str(&format!(" (replay {replay})"));
    }
    safe(&text)
}

fn letter(it: &Letter) -> String {
    let held = if it.held && it.state == "open" { ", holds its key" } else { "" };
    let decided = it.decided_at.map_or_else(String::new, |at| format!(" at position {at}"));
    let error = clip(&it.error, ERROR_WIDTH_MAX);
    safe(&format!("at position {} ({}{decided}{held}): {error}", it.position, it.state))
}

fn replay(it: &Replay) -> String {
    let outcome = match (it.matched, it.dead_letter) {
        (false, _) => ", which did not take the event".to_owned(),
        (true, Some(letter)) => format!(", in which it was given up, see position {letter}"),
        (true, None) => String::new(),
    };
    safe(&format!("{} from position {} on ({}){outcome}", it.replay_id, it.position, it.state))
}

/// Says for each subscription in one sentence what became of the event.
fn answers(told: &Explanation, is_of_one: bool, output: &Output, out: &mut String) {
    for each in &told.deliveries {
        out.push_str(&output.paint(paint_of(&each.state), safe(&each.answer)));
        out.push('\n');
    }
    let mut say = |paint: Paint, text: String| {
        out.push_str(&output.paint(paint, text));
        out.push('\n');
    };
    if told.deliveries.is_empty() {
        let text = if is_of_one {
            "no async subscription of that name or function was given this event".to_owned()
        } else {
            format!("no async subscription listened to events of type {}", safe(&told.event.link.event_type))
        };
        say(Paint::Warn, text);
    }
    if told.deliveries_left > 0 {
        say(
            Paint::Warn,
            format!("… and {} more: ask for one with --subscription", counted(told.deliveries_left, "subscription")),
        );
    }
    if told.other_subscriptions > 0 {
        say(Paint::Dim, format!("{} listened to other types", counted(told.other_subscriptions, "async subscription")));
    }
}

#[cfg(test)]
mod tests;
