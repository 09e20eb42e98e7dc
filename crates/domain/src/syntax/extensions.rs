//! The values of the extension attributes that CloudEvents itself documents. All others may be anything.
//!
//! | attribute | extension | rule |
//! |---|---|---|
//! | `partitionkey` | Partitioning | not empty |
//! | `sequence`, `sequencetype` | Sequence | not empty; beside the type `Integer` a whole number of 32 bits |
//! | `correlationid`, `causationid` | Correlation | not empty |
//! | `recordedtime` | Recorded time | a time of RFC 3339 |
//! | `expirytime` | Expiry time | a time of RFC 3339 |
//! | `dataref` | Dataref | a URI-reference, not empty |
//! | `severitytext` | Severity | not empty |
//! | `severitynumber` | Severity | a whole number, not negative |
//! | `sampledrate` | Sampled rate | a whole number above 0 |
//!
//! `traceparent` and `tracestate` are not judged here: a trace that is malformed is begun anew, and harms no event (W3C
//! Trace Context, section 4.3). Numbers may come as text, because HTTP headers have no types.

use super::{check_timestamp, uri::check_uri_reference};
use crate::{AttributeError, AttributeValue};

/// The attribute beside which a sequence counts in whole numbers.
const INTEGERS: (&str, AttributeValue<'static>) = ("sequencetype", AttributeValue::String("Integer"));

/// Checks the value of one extension attribute; `others` are all of the event.
pub(crate) fn check_extension_value<'a>(
    name: &str,
    value: AttributeValue<'_>,
    mut others: impl Iterator<Item = (&'a str, AttributeValue<'a>)>,
) -> Result<(), AttributeError> {
    match name {
        "partitionkey" | "sequencetype" | "correlationid" | "causationid" | "severitytext" => not_empty(name, value),
        "sequence" => {
            not_empty(name, value)?;
            if number(value).is_none() && others.any(|other| other == INTEGERS) {
                let problem = "must be a whole number of 32 bits, for \"sequencetype\" is \"Integer\": give one";
                return Err(AttributeError::new(name, problem));
            }
            Ok(())
        }
        "recordedtime" | "expirytime" => check_timestamp(name, text(value)),
        "dataref" => {
            not_empty(name, value)?;
            check_uri_reference(name, text(value))
        }
        "severitynumber" => at_least(name, value, 0),
        "sampledrate" => at_least(name, value, 1),
        _ => Ok(()),
    }
}

fn not_empty(name: &str, value: AttributeValue<'_>) -> Result<(), AttributeError> {
    if value == AttributeValue::String("") {
        return Err(AttributeError::new(name, "must not be empty: give a value or leave it out"));
    }
    Ok(())
}

fn at_least(name: &str, value: AttributeValue<'_>, least: i32) -> Result<(), AttributeError> {
    match number(value) {
        Some(number) if number >= least => Ok(()),
        _ => Err(AttributeError::new(name, format!("must be a whole number of 32 bits that is at least {least}"))),
    }
}

/// A text as it is; anything else is no text, and as little a time or a reference as this.
fn text(value: AttributeValue<'_>) -> &str {
    if let AttributeValue::String(text) = value { text } else { " " }
}

fn number(value: AttributeValue<'_>) -> Option<i32> {
    match value {
        AttributeValue::Integer(number) => Some(number),
        AttributeValue::String(text) => text.parse().ok().filter(|_| !text.starts_with('+')),
        AttributeValue::Boolean(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_extensions_have_rules() {
        use AttributeValue::{Boolean, Integer, String};
        let check = |name: &str, value: AttributeValue<'_>, problem: Option<&str>| {
            let told = check_extension_value(name, value, [("sequencetype", String("Integer"))].into_iter());
            let expected = problem.map(|problem| format!("attribute \"{name}\" {problem}"));
            assert_eq!(told.err().map(|error| error.to_string()), expected, "{name} {value:?}");
        };
        let empty = "must not be empty: give a value or leave it out";
        for name in
            ["partitionkey", "sequence", "sequencetype", "correlationid", "causationid", "severitytext", "dataref"]
        {
            check(name, String(""), Some(empty));
        }
        check("other", String(""), None);
        check("traceparent", String("nonsense"), None);

        let time = "must be a time of RFC 3339 such as 2026-01-31T12:00:00Z";
        for name in ["recordedtime", "expirytime"] {
            check(name, String("2026-01-31T12:00:00.5+01:00"), None);
            check(name, String("tomorrow"), Some(time));
            check(name, Integer(7), Some(time));
        }
        check("dataref", String("https://example.com/a"), None);
        check("dataref", String("../a?b"), None);
        let reference = "is not a URI-reference (RFC 3986) at byte 0: percent-encode other characters";
        check("dataref", String("<a>"), Some(reference));
        check("dataref", Boolean(true), Some(reference));

        let whole = "must be a whole number of 32 bits, for \"sequencetype\" is \"Integer\": give one";
        check("sequence", Integer(-3), None);
        check("sequence", String("0007"), None);
        check("sequence", String("a7"), Some(whole));
        check("sequence", String("2147483648"), Some(whole));
        assert_eq!(check_extension_value("sequence", String("a7"), std::iter::empty()), Ok(()));

        let number = |least: i32| format!("must be a whole number of 32 bits that is at least {least}");
        check("severitynumber", Integer(0), None);
        check("severitynumber", String("9"), None);
        check("severitynumber", Integer(-1), Some(&number(0)));
        check("severitynumber", String("+9"), Some(&number(0)));
        check("sampledrate", Integer(30), None);
        check("sampledrate", Integer(0), Some(&number(1)));
        check("sampledrate", Boolean(true), Some(&number(1)));
    }
}
