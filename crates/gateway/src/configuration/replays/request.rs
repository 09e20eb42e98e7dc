//! What a client says of a replay.

use serde_json::{Value, json};
use weir_catalog::{Detail, Filter, limits};
use weir_cloudevents::time;
use weir_domain::{Position, Timestamp};
use weir_flow::{Place, ReplayRequest};

use crate::{
    configuration::{fields::Fields, parameter::short},
    openapi::{self, Member},
};

/// What names the beginning of the log.
const EARLIEST: &str = "earliest";

/// How the places of the log are named.
const PLACES: &str =
    "give a position such as 17, a time such as 2026-01-31T12:00:00Z, or how long ago that is, such as 3d or 12h30m";

/// What a client may write.
pub(super) const MEMBERS: &[Member] = &[
    Member::new("from", || {
        let about = "Where to begin: `earliest`, a position, a time (RFC 3339), or how long ago that is: numbers with `w`, `d`, \
                     `h`, `m` or `s`, such as `3d` or `12h30m`.";
        place(about)
    }),
    Member::new("to", || {
        let about = "Where to end, in the same forms: a position is the last one that is delivered, and what was recorded at a \
                     time or later is not. Without it, up to where the subscription stands.";
        place(about)
    }),
    KEPT[0],
    KEPT[1],
    KEPT[2],
    Member::new("withEffects", || {
        openapi::flag("Functions outside of this server may be called: those at a URL, and resources of AWS.")
    }),
];

/// What is shown again.
pub(super) const KEPT: &[Member] = &[
    Member::new("filter", || {
        let about = "Which of these events: a filter as that of a subscription; all of them where nothing is said.";
        json!({ "type": ["object", "array"], "description": about })
    }),
    Member::new("rate", || {
        let about = "The most events a second; that of the subscription holds as well.";
        openapi::number(about, 1, limits::RATE_MAX.into())
    }),
    Member::new("as", || {
        let about = "The name of a derivation: what the function returns is new under it, once for each name. Without it, that \
                     has the identifiers of the first time and is refused as a duplicate.";
        openapi::text(about, ReplayRequest::DERIVATION_BYTES_MAX)
    }),
];

fn place(about: &str) -> Value {
    json!({ "type": ["string", "integer"], "description": about, "minimum": 0 })
}

/// Reads the body of a request; times ago are counted from `now`.
///
/// # Errors
/// Where a member is missing, has another type than it should, or means nothing.
pub(super) fn read(text: &str, now: Timestamp) -> Result<ReplayRequest, Detail> {
    let mut fields = Fields::read(text, "", MEMBERS)?;
    let from = fields.take::<Value>("from")?;
    let from = from.ok_or_else(|| Detail::new("from: it is missing, and says where to begin", PLACES))?;
    let from = match &from {
        Value::String(word) if word == EARLIEST => Place::Earliest,
        given => named("from", given, now)?,
    };
    let request = ReplayRequest {
        from,
        to: fields.take::<Value>("to")?.map(|given| named("to", &given, now)).transpose()?,
        filter: fields.take::<Value>("filter")?.map(|given| filter(&given)).transpose()?,
        rate: fields.take("rate")?,
        derivation: fields.optional("as")?,
        with_effects: fields.take("withEffects")?.unwrap_or_default(),
    };
    fields.refuse_others()?;
    Ok(request)
}

fn filter(given: &Value) -> Result<Filter, Detail> {
    Filter::parse(given).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Detail::new(format!("filter: {}", faults.join("; ")), "correct it, or leave it out")
    })
}

fn named(member: &str, given: &Value, now: Timestamp) -> Result<Place, Detail> {
    let strange = |given: &str| Detail::new(format!("{member}: {:?} names no place in the log", short(given)), PLACES);
    let text = match given {
        Value::String(text) => text.as_str(),
        Value::Number(number) => {
            let position = number.as_u64().map(|position| Place::At(Position::new(position)));
            return position.ok_or_else(|| strange(&number.to_string()));
        }
        other => return Err(strange(&other.to_string())),
    };
    if let Ok(position) = text.parse::<u64>() {
        return Ok(Place::At(Position::new(position)));
    }
    if let Some(micros) = ago(text) {
        return Ok(Place::Since(Timestamp::from_unix_micros(now.unix_micros().saturating_sub(micros))));
    }
    time::parse(text).map(Place::Since).map_err(|_| strange(text))
}

/// Reads how long ago something was, in microseconds: numbers with units behind them, one after another.
fn ago(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut micros = 0_u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        let mut chars = rest.get(digits..)?.chars();
        let seconds = match chars.next()? {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            'w' => 7 * 24 * 60 * 60,
            _ => return None,
        };
        micros = micros.checked_add(number.checked_mul(seconds)?.checked_mul(1_000_000)?)?;
        rest = chars.as_str();
    }
    (!text.is_empty()).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::fields::check_taken;

    const NOW: Timestamp = Timestamp::from_unix_micros(1_000_000_000_000);

    fn places(text: &str) -> Result<(Place, Option<Place>), String> {
        let request = read(text, NOW).map_err(|detail| detail.message().to_owned())?;
        Ok((request.from, request.to))
    }

    #[test]
    fn places_are_named_in_many_ways() {
        let check = |from: &str, expected: Place| {
            assert_eq!(places(&format!(r#"{{"from":{from}}}"#)), Ok((expected, None)), "{from}");
        };
        let since = |micros: u64| Place::Since(Timestamp::from_unix_micros(micros));
        let at = |position: u64| Place::At(Position::new(position));
        check("\"earliest\"", Place::Earliest);
        check("17", at(17));
        check("\"17\"", at(17));
        check("\"30s\"", since(999_970_000_000));
        check("\"1h30m\"", since(994_600_000_000));
        check("\"3d\"", since(740_800_000_000));
        check("\"99w\"", since(0));
        check("\"1970-01-01T00:00:02Z\"", since(2_000_000));
        assert_eq!(places(r#"{"from":1,"to":"10m"}"#), Ok((at(1), Some(since(999_400_000_000)))));
        for strange in
            ["\"\"", "\"earliest \"", "\"3\\u00e9\"", "\"d\"", "\"3x\"", "\"99999999999999999w\"", "-1", "1.5", "[]"]
        {
            let told = places(&format!(r#"{{"from":{strange}}}"#)).expect_err(strange);
            assert!(told.starts_with("from: ") && told.ends_with("names no place in the log"), "{strange}: {told}");
        }
        // It has no end there.
        assert!(places(r#"{"from":1,"to":"earliest"}"#).is_err());
        assert_eq!(places("{}"), Err("from: it is missing, and says where to begin".to_owned()));
    }

    #[test]
    fn what_is_told_of_is_what_is_read() {
        let text =
            r#"{"FROM":1,"rate":7,"as":"again","withEffects":true,"filter":{"exact":{"subject":"x"}},"to":null}"#;
        let request = read(text, NOW).expect("good");
        assert_eq!((request.rate, request.derivation.as_deref(), request.with_effects), (Some(7), Some("again"), true));
        assert!(request.filter.is_some() && request.to.is_none());
        check_taken(MEMBERS, |text| {
            let text = text.replacen('{', r#"{"from":1,"#, usize::from(!text.contains("\"from\"")));
            read(&text, NOW).is_err()
        });
        let told = read(r#"{"from":1,"rat":3}"#, NOW).expect_err("it would go at full speed");
        assert_eq!(told.message(), "member \"rat\" is not known");
        let told = read(r#"{"from":1,"filter":{"exact":{}}}"#, NOW).expect_err("no filter");
        assert!(told.message().starts_with("filter: "), "{}", told.message());
    }
}
