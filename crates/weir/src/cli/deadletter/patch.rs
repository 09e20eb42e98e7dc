//! `weir deadletter patch`: another form of an event, from flags, a file or standard input.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::{json, value::RawValue};
use tokio::io::AsyncReadExt;

use super::{
    ANSWER_TIMEOUT, Api,
    args::{FormArgs, PatchArgs},
};
use crate::cli::output::{Exit, Failure, Output, Paint};

const MERGE_PATCH: &str = "application/merge-patch+json";
const EVENT: &str = weir_cloudevents::json::CONTENT_TYPE;

/// The most bytes that are read: what a request may have.
const BYTES_MAX: u64 = 32 * 1024 * 1024;

pub(super) async fn run(args: PatchArgs, output: &Output) -> anyhow::Result<Exit> {
    let PatchArgs { position, form, place } = args;
    let (media_type, body) = match form {
        FormArgs { merge: Some(text), .. } => (MERGE_PATCH, given(text).await?),
        FormArgs { event: Some(text), .. } => (EVENT, given(text).await?),
        FormArgs { set, .. } => (MERGE_PATCH, merged(&set)?),
    };
    let api = Api::new(place).await?;
    let answer = api.client.patch(&api.path(position), media_type, body.into(), ANSWER_TIMEOUT).await?;
    let _: &RawValue = api.read(&answer)?;
    let at = answer.header("weir-position").unwrap_or("?").to_owned();
    if output.is_json() {
        output.json(&json!({ "position": position, "patchedAt": at.parse::<u64>().ok() }))?;
        return Ok(Exit::Done);
    }
    output.line(format!("{} {position} at position {at}", output.paint(Paint::Good, "patched")))?;
    let space = &api.space;
    let hint = format!("look at it with `weir deadletter diff {position} --space {space}`, then redrive it");
    output.note(Paint::Dim, hint);
    Ok(Exit::Done)
}

/// Reads what a flag says: itself, a file, or standard input.
async fn given(text: String) -> anyhow::Result<String> {
    if text == "-" {
        return bounded(tokio::io::stdin(), "standard input").await;
    }
    match text.strip_prefix('@') {
        Some(path) => {
            let file = tokio::fs::File::open(path).await.with_context(|| format!("{path} cannot be read"))?;
            bounded(file, path).await
        }
        None => Ok(text),
    }
}

async fn bounded(reader: impl tokio::io::AsyncRead + Unpin, name: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut reader = reader.take(BYTES_MAX + 1);
    reader.read_to_string(&mut text).await.with_context(|| format!("{name} cannot be read"))?;
    if text.len() as u64 > BYTES_MAX {
        return Err(
            Failure::invalid(format!("{name} has more than the {BYTES_MAX} bytes that a request may have")).into()
        );
    }
    Ok(text)
}

/// What is to be set at a place.
enum Node {
    /// JSON.
    Leaf(String),
    Inner(BTreeMap<String, Node>),
}

/// Makes the merge patch that sets all of these.
fn merged(set: &[(String, String)]) -> Result<String, Failure> {
    let mut root = BTreeMap::new();
    for (path, value) in set {
        // What is no JSON is text.
        let value = match serde_json::from_str::<&RawValue>(value) {
            Ok(json) => json.get().to_owned(),
            Err(_) => json!(value).to_string(),
        };
        let (parents, name) = path.rsplit_once('.').map_or((None, path.as_str()), |(front, name)| (Some(front), name));
        let mut place = &mut root;
        for parent in parents.into_iter().flat_map(|parents| parents.split('.')) {
            let inner = || Node::Inner(BTreeMap::new());
            let Node::Inner(members) = place.entry(parent.to_owned()).or_insert_with(inner) else {
                return Err(twice(path));
            };
            place = members;
        }
        if place.insert(name.to_owned(), Node::Leaf(value)).is_some() {
            return Err(twice(path));
        }
    }
    let mut json = String::new();
    write(&root, &mut json);
    Ok(json)
}

fn twice(path: &str) -> Failure {
    Failure::invalid(format!("--set {path} sets what another --set sets as well: give one of them"))
}

fn write(members: &BTreeMap<String, Node>, json: &mut String) {
    json.push('{');
    for (index, (name, node)) in members.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(&json!(name).to_string());
        json.push(':');
        match node {
            Node::Leaf(value) => json.push_str(value),
            Node::Inner(members) => write(members, json),
        }
    }
    json.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_set_by_their_paths() {
        let set = |all: &[(&str, &str)]| {
            let all: Vec<_> = all.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
            merged(&all).map_err(|failure| failure.to_string())
        };
        let check = |all: &[(&str, &str)], expected: &str| assert_eq!(set(all).as_deref(), Ok(expected), "{all:?}");
        check(&[("data.price", "3")], r#"{"data":{"price":3}}"#);
        check(
            &[("data.a", "x y"), ("data.b.c", "1.10"), ("subject", "null")],
            r#"{"data":{"a":"x y","b":{"c":1.10}},"subject":null}"#,
        );
        check(&[("data", r#"{"a":[1]}"#)], r#"{"data":{"a":[1]}}"#);
        check(&[("a", "\"7\""), ("b", "")], r#"{"a":"7","b":""}"#);
        for both in [[("a", "1"), ("a", "2")], [("a", "1"), ("a.b", "2")], [("a.b", "1"), ("a", "2")]] {
            assert!(set(&both).is_err(), "{both:?}");
        }
    }
}
