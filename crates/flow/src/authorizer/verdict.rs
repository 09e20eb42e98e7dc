//! What an authorizer said: `{"authorization":{"principalId":…,"context":{…}}}` is yes, `{"error":{"message":…}}` is no.
//!
//! The Event Gateway took an empty answer for a yes. Here nothing is a yes but an authorization with a principal.

use std::sync::Arc;

use serde_json::{Value, json};

use super::mark::{self, AUTHORIZATION};

/// How much of what an authorizer says to the sender is passed on, in characters.
const MESSAGE_MAX: usize = 1024;

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may enter, with this text as its mark.
    Allowed(Arc<str>),
    /// It may not, for this reason.
    Denied(Arc<str>),
    /// The authorizer failed: the event may not enter.
    Failed,
    /// The authorizer was not called, and nothing is known.
    NotAsked,
}

/// Reads the answer; the mark has at most this many bytes.
///
/// # Errors
/// What is wrong with the answer, for its author.
pub(super) fn read(text: &str, bytes_max: usize) -> Result<Verdict, String> {
    let Ok(Value::Object(mut reply)) = serde_json::from_str(text) else {
        let given: String = text.chars().take(64).collect();
        return Err(format!(
            "it must return an object with \"{AUTHORIZATION}\" or \"error\", but it returned {given:?}"
        ));
    };
    let mut take = |name: &str| reply.remove(name).filter(|value| !value.is_null());
    match (take(AUTHORIZATION), take("error")) {
        (Some(authorization), None) => allowed(authorization, bytes_max),
        (None, Some(error)) => {
            let message = error.get("message").and_then(Value::as_str).unwrap_or("no reason was given");
            Ok(Verdict::Denied(message.chars().take(MESSAGE_MAX).collect::<String>().into()))
        }
        (Some(_), Some(_)) => Err(format!("it returned both \"{AUTHORIZATION}\" and \"error\": return one of them")),
        (None, None) => Err(format!("it returned neither \"{AUTHORIZATION}\" nor \"error\": return one of them")),
    }
}

fn allowed(authorization: Value, bytes_max: usize) -> Result<Verdict, String> {
    if authorization.get("principalId").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(format!("\"principalId\" of the \"{AUTHORIZATION}\" must be a text that is not empty"));
    }
    let fits = match authorization.get("context") {
        None | Some(Value::Null) => true,
        Some(Value::Object(context)) => context.values().all(Value::is_string),
        Some(_) => false,
    };
    if !fits {
        return Err(format!("\"context\" of the \"{AUTHORIZATION}\" must be an object of texts"));
    }
    let text = mark::attribute_text(&json!({ AUTHORIZATION: authorization }).to_string());
    if text.len() > bytes_max {
        let given = text.len();
        return Err(format!(
            "the \"{AUTHORIZATION}\" must have at most {bytes_max} bytes with the name around it, but has {given}"
        ));
    }
    Ok(Verdict::Allowed(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        let check = |text: &str, expected: Option<Verdict>| assert_eq!(read(text, 100).ok(), expected, "{text}");
        let yes = |mark: &str| Some(Verdict::Allowed(mark.into()));
        let no = |message: &str| Some(Verdict::Denied(message.into()));
        let ada = r#"{"authorization":{"principalId":"ada"}}"#;
        check(ada, yes(ada));
        check(r#" {"error": null, "authorization": {"principalId": "ada"}, "more": 1} "#, yes(ada));
        let whole = r#"{"authorization":{"context":{"role":"a"},"principalId":"ada","ttl":7}}"#;
        check(whole, yes(whole));
        // No attribute may have such characters; in JSON an escape means the same.
        let escaped = r#"{"authorization":{"principalId":"a\u0085b"}}"#;
        check("{\"authorization\":{\"principalId\":\"a\u{85}b\"}}", yes(escaped));

        check(r#"{"error":{"message":"not you"}}"#, no("not you"));
        for unclear in [r#"{"error":{}}"#, r#"{"error":"not you"}"#, r#"{"error":false}"#] {
            check(unclear, no("no reason was given"));
        }

        let nothing =
            ["", "null", "{}", "[]", "true", "\"yes\"", "{", r#"{"error":null}"#, r#"{"authorization":null}"#];
        let both = [r#"{"authorization":{"principalId":"ada"},"error":{"message":"no"}}"#];
        let broken = [
            r#"{"authorization":true}"#,
            r#"{"authorization":{}}"#,
            r#"{"authorization":{"principalId":""}}"#,
            r#"{"authorization":{"principalId":7}}"#,
            r#"{"authorization":{"principalId":"ada","context":[]}}"#,
            r#"{"authorization":{"principalId":"ada","context":{"admin":true}}}"#,
            r#"{"Authorization":{"principalId":"ada"}}"#,
        ];
        for text in nothing.into_iter().chain(both).chain(broken) {
            check(text, None);
        }
        let long = "x".repeat(100);
        check(&format!(r#"{{"authorization":{{"principalId":"{long}"}}}}"#), None);
    }
}
