//! What a space should have, from a manifest or from JSON with the bodies that the Configuration API takes.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use anyhow::Context;
use serde::Deserialize;
use serde_json::value::RawValue;
use weir_catalog::{Command, Desired, Resource};
use weir_domain::SpaceName;
use weir_gateway::wire;

use crate::{
    cli::{apply::members, output::Failure},
    manifest::{Loaded, Manifest},
};

/// The most JSON that is read, in bytes.
const JSON_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// What is to be applied.
#[derive(Debug)]
pub(super) struct Declared {
    /// The space, where the command names none.
    pub(super) space: SpaceName,
    pub(super) desired: Desired,
}

/// The lists of a JSON file. Each may be missing.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Bodies<'a> {
    #[serde(borrow)]
    event_types: Vec<&'a RawValue>,
    #[serde(borrow)]
    functions: Vec<&'a RawValue>,
    #[serde(borrow)]
    subscriptions: Vec<&'a RawValue>,
    #[serde(borrow)]
    cors: Vec<&'a RawValue>,
}

/// Reads a source. Nothing else goes on meanwhile: that reading blocks the thread harms nobody.
pub(super) fn read(source: &Path) -> anyhow::Result<Declared> {
    if source == Path::new("-") {
        return read_json("standard input", io::stdin().lock());
    }
    let is_manifest = source.extension().is_some_and(|extension| extension == "toml");
    if is_manifest || fs::metadata(source).is_ok_and(|about| about.is_dir()) {
        let loaded = if is_manifest { Manifest::load_file(source) } else { Manifest::load(source) };
        let Loaded { space, desired, .. } = loaded?;
        refuse_empty_lists(&desired)?;
        return Ok(Declared { space, desired });
    }
    let shown = source.display().to_string();
    let file = File::open(source).with_context(|| format!("{shown} cannot be read"))?;
    read_json(&shown, file)
}

/// The Configuration API takes an empty list for one that is left out, and would allow more than is asked for.
fn refuse_empty_lists(desired: &Desired) -> Result<(), Failure> {
    let has_empty = desired
        .cors
        .iter()
        .find(|it| it.allowed_origins.is_empty() || it.allowed_methods.is_empty() || it.allowed_headers.is_empty());
    has_empty.map_or(Ok(()), |it| {
        Err(Failure::invalid(format!(
            "cors of {} {}: the Configuration API knows no empty list of origins, methods or headers: name one, or \
             leave the table out",
            it.method, it.path
        )))
    })
}

fn read_json(shown: &str, from: impl Read) -> anyhow::Result<Declared> {
    let mut bytes = Vec::new();
    from.take(JSON_BYTES_MAX + 1).read_to_end(&mut bytes).with_context(|| format!("{shown} cannot be read"))?;
    if bytes.len() as u64 > JSON_BYTES_MAX {
        let message = format!("{shown} has more than {JSON_BYTES_MAX} bytes: apply it in parts");
        return Err(Failure::invalid(message).into());
    }
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::invalid(format!("{shown} is not UTF-8: save it as such")))?;
    let desired = parse(shown, &text)?;
    Ok(Declared { space: SpaceName::default(), desired })
}

/// Reads all lists; every fault is told.
fn parse(shown: &str, text: &str) -> Result<Desired, Failure> {
    let bodies: Bodies<'_> = serde_json::from_str(text).map_err(|error| {
        let lists = "the lists eventTypes, functions, subscriptions and cors";
        Failure::invalid(format!("{shown} is no JSON object with {lists}, correct it: {error}"))
    })?;
    let Bodies { event_types, functions, subscriptions, cors } = bodies;
    let lists = [
        (Resource::EventType, event_types),
        (Resource::Function, functions),
        (Resource::Subscription, subscriptions),
        (Resource::Cors, cors),
    ];
    let (mut desired, mut seen, mut faults) = (Desired::default(), BTreeSet::new(), Vec::new());
    for (kind, bodies) in lists {
        for (number, body) in bodies.into_iter().enumerate() {
            let place = format!("{}[{number}]", wire::list_name(kind));
            faults.extend(members::unknown(kind, &place, body.get()).into_iter().map(|fault| format!("\n  {fault}")));
            match wire::read(kind, body.get()) {
                Ok(command) => {
                    let id = add(&mut desired, command);
                    if !seen.insert((wire::list_name(kind), id)) {
                        faults.push(format!("\n  {place}: the same stands before it already: remove one"));
                    }
                }
                Err(error) => faults.push(format!("\n  {place}: {error} ({})", error.cure())),
            }
        }
    }
    match faults.len() {
        0 => Ok(desired),
        1 => Err(Failure::invalid(format!("{shown} has one mistake{}", faults.concat()))),
        count => Err(Failure::invalid(format!("{shown} has {count} mistakes{}", faults.concat()))),
    }
}

/// Adds what a command would create; returns its name or identifier.
fn add(desired: &mut Desired, command: Command) -> String {
    match command {
        Command::CreateEventType(it) => {
            let id = it.name.to_string();
            desired.event_types.push(it);
            id
        }
        Command::CreateFunction(it) => {
            let id = it.id.to_string();
            desired.functions.push(it);
            id
        }
        // What it continues is found by the comparison, like everything else that is to be done.
        Command::CreateSubscription(it) | Command::ReplaceSubscription { subscription: it, .. } => {
            let id = it.id.to_string();
            desired.subscriptions.push(it);
            id
        }
        Command::CreateCors(it) => {
            let id = it.id.to_string();
            desired.cors.push(it);
            id
        }
        // Only creations are read.
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_bodies_of_the_configuration_api() {
        let text = r#"{ "functions": [{ "FUNCTIONID": "f", "type": "http", "provider": { "url": "http://a" } }],
            "eventTypes": [{ "name": "a" }, { "name": "b", "key": "/data/id" }],
            "subscriptions": [{ "type": "async", "eventType": "a", "functionId": "f" }],
            "cors": [{ "method": "GET", "path": "/x" }] }"#;
        let desired = parse("shop.json", text).expect("good");
        let counts = (desired.event_types.len(), desired.functions.len());
        assert_eq!((counts, desired.subscriptions.len(), desired.cors.len()), ((2, 1), 1, 1));
        assert_eq!(parse("shop.json", "{}").expect("good"), Desired::default());
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let check = |text: &str, expected: &str| {
            let error = parse("shop.json", text).expect_err("a mistake").to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        let object =
            "shop.json is no JSON object with the lists eventTypes, functions, subscriptions and cors, correct it: ";
        check("[", object);
        check(r#"{"function":[]}"#, &format!("{object}unknown field `function`, expected one of `eventTypes`"));
        let text = r#"{"eventTypes":[{"name":"a"},{"name":"a"}],"functions":[{"functionId":"f"}]}"#;
        let expected = "shop.json has 2 mistakes\n  eventTypes[1]: the same stands before it already: remove one\n  \
                        functions[0]: Function doesn't validate. Validation error: provider configuration not set \
                        (give the function a type: http, wasm, awslambda, awskinesis, awsfirehose, awssqs or builtin)";
        check(text, expected);
    }

    #[test]
    fn misspelt_members_are_mistakes_and_those_that_servers_show_are_not() {
        let text = r#"{"eventTypes":[{"name":"x.y","keyy":"/data/a","shema":{"typo":1},"Description":"d"}],
            "functions":[{"functionId":"f","type":"http","provider":{"url":"http://a","timeout":5,"headers":{"x":"y"}}}],
            "subscriptions":[{"type":"async","eventType":"x.y","functionId":"f","retry":{"attemptMax":2}}]}"#;
        let error = parse("shop.json", text).expect_err("mistakes").to_string();
        let expected = "shop.json has 4 mistakes\n  \
                        eventTypes[0]: there is no member \"keyy\": did you mean \"key\"?\n  \
                        eventTypes[0]: there is no member \"shema\": did you mean \"schema\"?\n  \
                        functions[0].provider: there is no member \"timeout\": did you mean \"timeoutMs\"?\n  \
                        subscriptions[0].retry: there is no member \"attemptMax\": did you mean \"attemptsMax\"?";
        assert_eq!(error, expected);
        let shown = r#"{"eventTypes":[{"space":"default","name":"a","schemaVersion":1,"schema":true,"metadata":{"any":"x"}}],
            "functions":[{"space":"default","functionId":"f","type":"http","provider":{"url":"http://a"}}],
            "subscriptions":[{"space":"default","subscriptionId":"s","type":"async","eventType":"a","functionId":"f"}],
            "cors":[{"space":"default","corsId":"c","method":"GET","path":"/x"}]}"#;
        parse("shop.json", shown).expect("good");
    }
}
