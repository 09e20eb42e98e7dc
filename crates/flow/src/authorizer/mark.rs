//! The extension `eventgateway`, in which an event carries what its authorizer said: the text of a JSON object, as an
//! extension of CloudEvents 1.0 can be no object itself.
//!
//! The Event Gateway kept other things there too, which stay. Only the platform says who was authorized: what an event from
//! outside brings along as `authorization` is taken out, whether its type has an authorizer or not, for a function that
//! reads it cannot know.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _};

use serde_json::value::RawValue;
use weir_domain::{AttributeError, AttributeValue, Event, Limits};

use crate::Refusal;

/// The extension.
const MARK: &str = "eventgateway";
/// The member of its object that only the platform writes.
pub(super) const AUTHORIZATION: &str = "authorization";

/// The members of the object, each as it was written.
type Members = BTreeMap<String, Box<RawValue>>;

/// Takes a forged authorization out of an event. One that has none, as nearly all, is given back as it is.
///
/// # Errors
/// Where the extension is no object, but could be taken for one that has an authorization.
pub(crate) fn checked(event: Event) -> Result<Event, Refusal> {
    if !event.extension_text(MARK).is_some_and(is_suspect) {
        return Ok(event);
    }
    let mut members = members(&event)?;
    if !take_authorization(&mut members) {
        return Ok(event);
    }
    let text = if members.is_empty() { None } else { Some(written(&members)) };
    with(&event, text.as_deref())
}

/// Gives an event the mark that says who was authorized, beside what it has there of its own.
///
/// # Errors
/// Where what it has there is no object, or the event would become larger than one may be.
pub(super) fn given(event: &Event, mark: &str, limits: &Limits) -> Result<Event, Refusal> {
    let text = match event.extension_text(MARK) {
        None => Cow::Borrowed(mark),
        Some(_) => {
            let mut members = members(event)?;
            take_authorization(&mut members);
            members.append(&mut parsed(mark)?);
            Cow::Owned(written(&members))
        }
    };
    let given = with(event, Some(&text))?;
    let check = |what, given, limit| if given > limit { Err(Refusal::TooLarge { what, given, limit }) } else { Ok(()) };
    check(
        "attribute \"eventgateway\" in bytes, with what the authorizer said,",
        text.len(),
        limits.attribute_bytes_max,
    )?;
    check("number of extensions, with what the authorizer said,", given.extensions().count(), limits.extensions_max)?;
    check("size in bytes, with what the authorizer said,", given.size(), limits.event_bytes_max)?;
    Ok(given)
}

/// Writes JSON so that it can be an attribute: characters that none may have are escaped. They stand in strings, where an
/// escape means the same.
pub(super) fn attribute_text(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        let code = u32::from(c);
        if c.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// Tells whether a text may have the member, in any case of its letters: readers in Go do not mind the case. Behind a
/// backslash it can hide.
fn is_suspect(text: &str) -> bool {
    let names = |window: &[u8]| window.eq_ignore_ascii_case(AUTHORIZATION.as_bytes());
    text.contains('\\') || text.as_bytes().windows(AUTHORIZATION.len()).any(names)
}

/// Takes the member out, however it is written. Tells whether it was there.
fn take_authorization(members: &mut Members) -> bool {
    let count = members.len();
    members.retain(|name, _| !name.eq_ignore_ascii_case(AUTHORIZATION));
    members.len() < count
}

fn members(event: &Event) -> Result<Members, Refusal> {
    parsed(event.extension_text(MARK).unwrap_or_default())
}

fn parsed(text: &str) -> Result<Members, Refusal> {
    serde_json::from_str(text).map_err(|_| {
        let problem =
            "must be the text of a JSON object, for the platform keeps there who was authorized: leave it out";
        AttributeError::new(MARK, problem).into()
    })
}

fn written(members: &Members) -> String {
    attribute_text(&serde_json::to_string(members).expect("names are text, and the values are JSON already"))
}

/// Copies an event with this text as its mark, or with none.
fn with(event: &Event, text: Option<&str>) -> Result<Event, Refusal> {
    let mark = text.map(|text| (MARK, AttributeValue::String(text)));
    Ok(event.with_extensions(&[MARK], mark)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = r#"{"authorization":{"principalId":"ada"}}"#;

    fn event(mark: Option<&str>) -> Event {
        let event = Event::builder("1", "/s", "t").subject("x").extension("n", AttributeValue::Integer(7));
        event.extension_opt(MARK, mark).build().expect("valid")
    }

    #[test]
    fn what_is_forged_is_taken_out_and_the_rest_stays() {
        let check = |given: &str, expected: Option<Option<&str>>| {
            let checked = checked(event(Some(given))).ok();
            assert_eq!(checked, expected.map(event), "{given}");
        };
        let stays = |given: &str| check(given, Some(Some(given)));
        stays(r#"{"transformed":"true","transformation-version":"0.1"}"#);
        stays(r#"{"a":"\\"}"#);
        stays(r#"{"a":{"authorization":1}}"#);
        stays("anything");
        check(ADA, Some(None));
        check(r#"{"b":1.50,"authorization":{"principalId":"eve"},"a":"x"}"#, Some(Some(r#"{"a":"x","b":1.50}"#)));
        // Hidden, in other letters, or twice: some reader would find it.
        check(r#"{"\u0061uthorization":{}}"#, Some(None));
        check(r#"{"AuthoriZation":{},"authorization":{}}"#, Some(None));
        let deep = format!(r#"{{"authorization":{{}},"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        let rest = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        check(&deep, Some(Some(rest.as_str())));
        check(r#"[{"authorization":{}}]"#, None);
        check(r#"{"authorization":{}"#, None);
        assert_eq!(checked(event(None)).ok(), Some(event(None)));
    }

    #[test]
    fn the_mark_stands_beside_what_was_there() {
        let check = |own: Option<&str>, expected: Option<&str>| {
            let given = given(&event(own), ADA, &Limits::default()).ok();
            assert_eq!(given, expected.map(|text| event(Some(text))), "{own:?}");
        };
        check(None, Some(ADA));
        check(Some("{}"), Some(ADA));
        check(
            Some(r#"{"transformed":"true"}"#),
            Some(r#"{"authorization":{"principalId":"ada"},"transformed":"true"}"#),
        );
        check(Some("7"), None);

        let bare = event(None);
        let fits = Limits { event_bytes_max: bare.size() + MARK.len() + ADA.len(), ..Limits::default() };
        assert!(given(&bare, ADA, &fits).is_ok());
        for limits in [
            Limits { event_bytes_max: fits.event_bytes_max - 1, ..fits },
            Limits { attribute_bytes_max: ADA.len() - 1, ..fits },
            Limits { extensions_max: 1, ..fits },
        ] {
            assert!(matches!(given(&bare, ADA, &limits), Err(Refusal::TooLarge { .. })), "{limits:?}");
        }
    }
}
