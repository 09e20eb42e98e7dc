//! Merge patches (RFC 7396). Everything that one does not name stays as it was written, numbers of any length included.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::value::RawValue;
use weir_cloudevents::json as codec;

use crate::LetterError;

/// The deepest nesting of a patch.
const DEPTH_MAX: usize = 127;

/// Applies a patch to a JSON object.
///
/// # Errors
/// Where the patch is no JSON object, or nests too deeply.
pub(super) fn merged(target: &RawValue, patch: &str) -> Result<String, LetterError> {
    let patch: &RawValue = serde_json::from_str(patch).map_err(|error| broken(&error))?;
    if !is_object(patch) {
        return Err(LetterError::Patch { detail: "it must be a JSON object".to_owned() });
    }
    if codec::nesting(patch.get()) > DEPTH_MAX {
        return Err(LetterError::Patch { detail: format!("it nests more than {DEPTH_MAX} levels deep") });
    }
    apply(Some(target), patch).map_err(|error| broken(&error))
}

fn broken(error: &serde_json::Error) -> LetterError {
    LetterError::Patch { detail: error.to_string().chars().take(160).collect() }
}

fn is_object(json: &RawValue) -> bool {
    json.get().starts_with('{')
}

/// No deeper than the patch nests.
fn apply(target: Option<&RawValue>, patch: &RawValue) -> serde_json::Result<String> {
    if !is_object(patch) {
        return Ok(patch.get().to_owned());
    }
    let before: BTreeMap<String, &RawValue> = match target.filter(|target| is_object(target)) {
        Some(target) => serde_json::from_str(target.get())?,
        None => BTreeMap::new(),
    };
    let changes: BTreeMap<String, &RawValue> = serde_json::from_str(patch.get())?;
    let mut after: BTreeMap<&str, Cow<'_, str>> =
        before.iter().map(|(name, value)| (name.as_str(), Cow::Borrowed(value.get()))).collect();
    for (name, change) in &changes {
        if change.get() == "null" {
            after.remove(name.as_str());
        } else {
            after.insert(name, Cow::Owned(apply(before.get(name).copied(), change)?));
        }
    }
    let mut json = String::from("{");
    for (index, (name, value)) in after.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        json.push_str(&serde_json::to_string(name)?);
        json.push(':');
        json.push_str(value);
    }
    json.push('}');
    Ok(json)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The examples of RFC 7396, appendix A, whose patches are objects.
    #[test]
    fn patches_are_merged_as_the_standard_says() {
        let check = |target: &str, patch: &str, expected: Value| {
            let target: &RawValue = serde_json::from_str(target).expect("JSON");
            let found = merged(target, patch).expect(patch);
            assert_eq!(serde_json::from_str::<Value>(&found).expect("JSON"), expected, "{patch}");
        };
        check(r#"{"a":"b"}"#, r#"{"a":"c"}"#, json!({ "a": "c" }));
        check(r#"{"a":"b"}"#, r#"{"b":"c"}"#, json!({ "a": "b", "b": "c" }));
        check(r#"{"a":"b"}"#, r#"{"a":null}"#, json!({}));
        check(r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, json!({ "b": "c" }));
        check(r#"{"a":["b"]}"#, r#"{"a":"c"}"#, json!({ "a": "c" }));
        check(r#"{"a":"c"}"#, r#"{"a":["b"]}"#, json!({ "a": ["b"] }));
        check(r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, json!({ "a": { "b": "d" } }));
        check(r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, json!({ "a": [1] }));
        check(r#"{"e":null}"#, r#"{"a":1}"#, json!({ "e": null, "a": 1 }));
        check("[1,2]", r#"{"a":"b","c":null}"#, json!({ "a": "b" }));
        check("{}", r#"{"a":{"bb":{"ccc":null}}}"#, json!({ "a": { "bb": {} } }));
    }

    #[test]
    fn what_is_not_named_stays_as_it_was_written() {
        let target = r#"{ "a" : 12345678901234567890123.10, "b":{"c": 1e400 , "\"d":[ ]}, "e":"x" }"#;
        let target: &RawValue = serde_json::from_str(target).expect("JSON");
        let found = merged(target, r#"{"b":{"f":0.10},"e":null}"#).expect("merged");
        assert_eq!(found, r#"{"a":12345678901234567890123.10,"b":{"\"d":[ ],"c":1e400,"f":0.10}}"#);
    }

    #[test]
    fn what_is_no_patch_is_refused() {
        let target: &RawValue = serde_json::from_str("{}").expect("JSON");
        for patch in ["", "[]", "7", "{\"a\":}", &format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200))] {
            assert!(matches!(merged(target, patch), Err(LetterError::Patch { .. })), "{patch}");
        }
    }
}
