//! `weir status`: how deliveries to the async subscriptions of a space stand; and which subscription somebody means who
//! names a function.

use std::time::Duration;

use clap::Args;
use http::StatusCode;
use indicatif::HumanCount;
use serde::Deserialize;
use serde_json::{Value, json};
use weir_catalog::{Resource, limits};
use weir_domain::{ErrorKind, SpaceName};
use weir_gateway::wire;

use crate::{
    cli::{
        output::{Exit, Failure, Output, Paint, Table, clip},
        replay::Replay,
        resources::{Api, ServerArgs},
        space,
    },
    client::{Answer, Client, ClientError},
    naming::counted,
};

/// How long one answer may take: what waits is counted for it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How many subscriptions are named where one of them is to be chosen.
const CHOICES_MAX: usize = 20;
/// Texts are shown whole.
const WHOLE: usize = usize::MAX;

/// Flags of `weir status`.
#[derive(Clone, Debug, Args)]
pub(crate) struct StatusArgs {
    /// Only this one: a subscription by its identifier, or by its function where that has no other async one
    #[arg(value_name = "SUBSCRIPTION|FUNCTION")]
    name: Option<String>,
    /// The space to look at
    #[arg(long, value_name = "SPACE", default_value = "default", value_parser = space)]
    space: SpaceName,
    /// Which server.
    #[command(flatten)]
    server: ServerArgs,
}

/// A subscription that somebody has named.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Its identifier.
    pub(super) id: String,
    /// What it binds, for people.
    pub(super) told: String,
}

impl Named {
    fn of(item: &Value) -> Self {
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        Self { id: text("subscriptionId"), told: format!("{} → {}", text("eventType"), text("functionId")) }
    }
}

/// Finds the subscription of this identifier, else the only async one of the function of this name.
///
/// # Errors
/// Where there is none, or more than one.
pub(super) async fn find(api: &Api, name: &str) -> anyhow::Result<Named> {
    let answer = api.list(Resource::Subscription, "").await?;
    let items = api.items(Resource::Subscription, &answer)?;
    let items: Result<Vec<Value>, _> = items.iter().map(|item| serde_json::from_str(item.get())).collect();
    let items = items.map_err(|error| api.unreadable(format!("it has something that is not JSON: {error}")))?;
    Ok(choose(&items, name, api.space())?)
}

fn choose(items: &[Value], name: &str, space: &SpaceName) -> Result<Named, Failure> {
    if let Some(item) = items.iter().find(|item| item["subscriptionId"] == name) {
        return Ok(Named::of(item));
    }
    let own: Vec<Named> =
        items.iter().filter(|it| it["functionId"] == name && it["type"] == "async").map(Named::of).collect();
    match own.as_slice() {
        [] => {
            let message = format!(
                "the space {space} has no subscription {name:?}, and no function of this name with an async one: \
                 `weir get subscriptions --space {space}` shows what is there"
            );
            Err(Failure::new(ErrorKind::NotFound, message))
        }
        [only] => Ok(Named { id: only.id.clone(), told: only.told.clone() }),
        several => {
            let ids: Vec<String> =
                several.iter().take(CHOICES_MAX).map(|it| format!("{} ({})", it.id, it.told)).collect();
            let ids = ids.join(", ");
            Err(Failure::invalid(format!("function {name:?} has several async subscriptions, name one of them: {ids}")))
        }
    }
}

/// Returns the path of a subscription.
pub(super) fn path_of(api: &Api, id: &str) -> String {
    wire::path(api.space(), Resource::Subscription, Some(id))
}

/// Takes an answer with this status apart.
///
/// # Errors
/// Where it has another status, or is not what it should be.
pub(super) fn read<T: for<'de> Deserialize<'de>>(
    client: &Client,
    answer: &Answer,
    expected: StatusCode,
) -> Result<T, ClientError> {
    if answer.status != expected {
        return Err(client.refused(answer));
    }
    serde_json::from_slice(&answer.body).map_err(|error| client.unreadable(error.to_string()))
}

/// How deliveries to a subscription stand, as the server tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    subscription_id: String,
    event_type: String,
    function_id: String,
    state: String,
    cursor: u64,
    next: u64,
    backlog: Backlog,
    in_flight: u64,
    retrying: u64,
    keys_aside: u64,
    events_aside: u64,
    #[serde(default)]
    aside: Vec<KeyAside>,
    parked: Option<Parked>,
    replay: Option<Replay>,
    rate_per_second: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Backlog {
    events: u64,
    #[serde(default)]
    more: bool,
    seconds: f64,
}

#[derive(Debug, Deserialize)]
struct KeyAside {
    key: String,
    held: Option<u64>,
    from: u64,
    events: u64,
}

#[derive(Debug, Deserialize)]
struct Parked {
    since: String,
    cause: String,
}

/// Carries out the command.
pub(crate) async fn run(args: StatusArgs, output: &Output) -> anyhow::Result<Exit> {
    let StatusArgs { name, space, server } = args;
    let api = Api::new(server, space).await?;
    match name {
        Some(name) => one(&api, &name, output).await?,
        None => all(&api, output).await?,
    }
    Ok(Exit::Done)
}

async fn one(api: &Api, name: &str, output: &Output) -> anyhow::Result<()> {
    let id = find(api, name).await?.id;
    let client = api.client();
    let answer = client.get(&format!("{}/status", path_of(api, &id)), ANSWER_TIMEOUT).await?;
    let told: Value = read(client, &answer, StatusCode::OK)?;
    if output.is_json() {
        return Ok(output.json(&told)?);
    }
    let status: Status = serde_json::from_value(told).map_err(|error| client.unreadable(error.to_string()))?;
    show(&status, output)
}

async fn all(api: &Api, output: &Output) -> anyhow::Result<()> {
    let (client, list) = (api.client(), format!("/v1/spaces/{}/status", api.space()));
    let (mut all, mut path): (Vec<Value>, String) = (Vec::new(), list.clone());
    loop {
        let answer = client.get(&path, ANSWER_TIMEOUT).await?;
        let mut page: Value = read(client, &answer, StatusCode::OK)?;
        let Some(Value::Array(items)) = page.get_mut("subscriptions").map(Value::take) else {
            return Err(client.unreadable("it has no list of subscriptions").into());
        };
        let is_empty = items.is_empty();
        all.extend(items);
        match client.next_page(&answer, &list)? {
            None => break,
            Some(_) if is_empty || all.len() > limits::ITEMS_MAX => {
                return Err(client.unreadable("its list has no end").into());
            }
            Some(next) => path = next,
        }
    }
    if output.is_json() {
        return Ok(output.json(&json!({ "subscriptions": all }))?);
    }
    if all.is_empty() {
        let text = format!("the space {} has no async subscription: is it the right --space?", api.space());
        output.note(Paint::Dim, text);
        return Ok(());
    }
    let statuses: Result<Vec<Status>, _> = all.into_iter().map(serde_json::from_value).collect();
    let statuses = statuses.map_err(|error| client.unreadable(error.to_string()))?;
    Ok(output.table(&table(&statuses))?)
}

fn table(statuses: &[Status]) -> Table {
    let heading = ["listens to", "function", "state", "waiting", "oldest", "in flight", "retrying", "put aside", "id"];
    let mut table = Table::with_heading(&heading);
    for it in statuses {
        let plain = |text: String| (text, Paint::Plain);
        let function = clip(&it.function_id, WHOLE);
        let of_function = Paint::of_name(&function);
        table.row([
            (clip(&it.event_type, WHOLE), Paint::Strong),
            (function, of_function),
            (clip(&it.state, WHOLE), paint(&it.state)),
            plain(it.backlog.told()),
            plain(it.backlog.oldest()),
            plain(it.in_flight.to_string()),
            plain(it.retrying.to_string()),
            plain(it.events_aside.to_string()),
            plain(clip(&it.subscription_id, WHOLE)),
        ]);
    }
    table
}

fn paint(state: &str) -> Paint {
    match state {
        "active" => Paint::Good,
        "parked" | "blocked" => Paint::Bad,
        _ => Paint::Warn,
    }
}

fn show(status: &Status, output: &Output) -> anyhow::Result<()> {
    let text = |text: &str| clip(text, WHOLE);
    let mut pairs = vec![
        ("subscription", text(&status.subscription_id)),
        ("listens to", text(&status.event_type)),
        ("function", text(&status.function_id)),
        ("state", output.paint(paint(&status.state), text(&status.state))),
        ("waiting", status.backlog.told()),
        ("oldest", status.backlog.oldest()),
        ("in flight", status.in_flight.to_string()),
        ("retrying", status.retrying.to_string()),
        ("done up to", status.cursor.to_string()),
        ("reads on at", status.next.to_string()),
    ];
    if let Some(rate) = status.rate_per_second {
        pairs.push(("fastest", format!("{} events/s", HumanCount(rate))));
    }
    if let Some(Parked { since, cause }) = &status.parked {
        pairs.push(("parked since", format!("{}: {}", text(since), text(cause))));
    }
    if let Some(replay) = &status.replay {
        pairs.push(("replay", text(&replay.told())));
    }
    if status.keys_aside > 0 {
        let (keys, events) = (counted(status.keys_aside, "key"), counted(status.events_aside, "event"));
        pairs.push(("put aside", format!("{events} of {keys}")));
    }
    output.pairs(&pairs)?;
    if status.aside.is_empty() {
        return Ok(());
    }
    let mut table = Table::with_heading(&["key", "held by", "done before", "waiting"]);
    for KeyAside { key, held, from, events } in &status.aside {
        let held = held.map_or_else(|| "-".to_owned(), |position| position.to_string());
        let cells = [text(key), held, from.to_string(), events.to_string()];
        table.row(cells.map(|cell| (cell, Paint::Plain)));
    }
    output.line("")?;
    Ok(output.table(&table)?)
}

impl Backlog {
    fn told(&self) -> String {
        if self.more { format!("more than {}", HumanCount(self.events)) } else { HumanCount(self.events).to_string() }
    }

    fn oldest(&self) -> String {
        if self.events == 0 && !self.more { "-".to_owned() } else { lasted(self.seconds) }
    }
}

/// Says how long something took, or is ago, in the unit that fits.
pub(super) fn lasted(seconds: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s")];
    let unit = UNITS.iter().find(|(length, _)| seconds >= 2.0 * length);
    match unit {
        Some((length, unit)) => format!("{:.0} {unit}", seconds / length),
        None => format!("{seconds:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Captured;

    fn space_of(name: &str) -> SpaceName {
        SpaceName::new(name).expect("valid")
    }

    #[test]
    fn a_function_means_its_only_async_subscription() {
        let item = |id: &str, kind: &str, function: &str| {
            let mut item = json!({ "subscriptionId": id, "type": kind, "eventType": "a" });
            item["functionId"] = json!(function);
            item
        };
        let items = [
            item("s1", "async", "invoice"),
            item("s2", "sync", "invoice"),
            item("s3", "async", "mail"),
            item("s4", "async", "mail"),
            item("s5", "sync", "page"),
        ];
        let chosen = |name: &str| choose(&items, name, &space_of("shop")).map(|it| it.id);
        assert_eq!(chosen("invoice"), Ok("s1".to_owned()));
        // Whatever an identifier names: what is wrong with a sync one the server says.
        for id in ["s2", "s4"] {
            assert_eq!(chosen(id), Ok(id.to_owned()));
        }
        let several = chosen("mail").expect_err("two").to_string();
        assert!(several.ends_with("name one of them: s3 (a → mail), s4 (a → mail)"), "{several}");
        for nobody in ["page", "nobody"] {
            let error = chosen(nobody).expect_err("none");
            assert!(error.kind() == ErrorKind::NotFound && error.to_string().contains("--space shop"), "{error}");
        }
    }

    #[test]
    fn statuses_are_shown_to_people() {
        let told = json!({
            "subscriptionId": "s1", "eventType": "a", "functionId": "f", "state": "parked", "cursor": 7, "next": 9,
            "backlog": { "events": 1_000_000, "more": true, "seconds": 7300.5 }, "inFlight": 0, "waiting": 3, "retrying": 3,
            "keysAside": 1, "eventsAside": 12, "aside": [{ "key": "k\u{1b}", "held": 4, "from": 5, "events": 12 }],
            "parked": { "since": "2026-01-31T12:00:00Z", "cause": "503" }, "unknown": [],
        });
        let status: Status = serde_json::from_value(told).expect("a status");
        let captured = Captured::default();
        let output = captured.output(false, None);
        output.table(&table(std::slice::from_ref(&status))).expect("written");
        show(&status, &output).expect("written");
        let text = captured.text();
        for part in ["more than 1,000,000", "2 h", "2026-01-31T12:00:00Z: 503", "12 events of 1 key\n", "k\u{fffd}"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let all = [0.04, 1.2, 30.0, 160.0, 7300.0, 200_000.0].map(lasted);
        assert_eq!(all, ["0.0 s", "1.2 s", "30 s", "3 min", "2 h", "2 d"]);
    }
}
