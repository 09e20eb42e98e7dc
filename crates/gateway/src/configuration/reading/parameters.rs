//! The parameters of a read, from the query of its URL.

use std::time::Duration;

use serde_json::json;
use weir_cloudevents::time;
use weir_domain::{Key, Position, Timestamp};
use weir_log::Direction;

use crate::{
    configuration::parameter::{number, short, twice, wrong},
    openapi::{self, Member},
    problem::Problem,
    query,
};

/// Events in an answer where nothing is said.
const LIMIT_DEFAULT: usize = 100;
/// The most events in an answer.
pub(super) const LIMIT_MAX: usize = 1000;
/// The longest wait in seconds.
const WAIT_SECONDS_MAX: u64 = 30;
/// The most types that one read may name.
const TYPES_MAX: usize = 256;

const NAMES: &str = "from, since, type, key, limit, order, wait and at-least";

/// What is told of the parameters; others are not known.
pub(super) const MEMBERS: &[Member] = &[
    Member::new("from", || {
        let about =
            "The first position that may be returned, or `end`: only what comes from now on. It excludes `since`.";
        json!({ "type": "string", "description": about, "pattern": "^([0-9]{1,19}|end)$" })
    }),
    Member::new("since", || {
        let about = "The same as a time (RFC 3339): what was recorded then or later. Not with `order=desc`.";
        json!({ "type": "string", "description": about, "format": "date-time" })
    }),
    Member::new("type", || {
        json!({
            "type": "array",
            "description": "Only events of these types: the parameter comes once for each.",
            "items": { "type": "string", "minLength": 1 },
            "maxItems": TYPES_MAX,
        })
    }),
    Member::new("key", || {
        json!({
            "type": "string",
            "description": "Only events of this key.",
            "minLength": 1,
            "maxLength": Key::BYTES_MAX,
        })
    }),
    Member::new("limit", || {
        let about = format!("The most events in the answer; {LIMIT_DEFAULT} where nothing is said.");
        openapi::number(&about, 1, LIMIT_MAX as u64)
    }),
    Member::new("order", || openapi::word("Forwards, which is the default, or from newer to older.", ["asc", "desc"])),
    Member::new("wait", || {
        let about = "Up to how many seconds to wait for a matching event where there is none.";
        openapi::number(about, 0, WAIT_SECONDS_MAX)
    }),
    Member::new("at-least", || {
        let about = "Answer only when the log has come to this position, waiting as long as `wait` says; else 503.";
        json!({ "type": "integer", "description": about, "minimum": 0 })
    }),
];

/// Where a read begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// With the first event of the space.
    Beginning,
    /// With the newest one, backwards.
    Newest,
    /// With what comes from now on.
    AfterEnd,
    /// At a position.
    At(Position),
    /// With the first event that was recorded at this time or later.
    Since(Timestamp),
}

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) start: Start,
    pub(super) direction: Direction,
    pub(super) types: Vec<String>,
    pub(super) key: Option<Key>,
    pub(super) limit: usize,
    pub(super) wait: Duration,
    pub(super) at_least: Option<Position>,
}

/// The values as they came.
#[derive(Default)]
struct Given {
    from: Option<String>,
    since: Option<String>,
    types: Vec<String>,
    key: Option<String>,
    limit: Option<String>,
    order: Option<String>,
    wait: Option<String>,
    at_least: Option<String>,
}

impl Parameters {
    /// Reads the query of a URL.
    ///
    /// # Errors
    /// Where a parameter is not known, comes twice, has a value that it cannot have, or contradicts another.
    pub(super) fn read(query: &str) -> Result<Self, Problem> {
        let given = Given::read(query)?;
        let direction = match given.order.as_deref() {
            None | Some("asc") => Direction::Forward,
            Some("desc") => Direction::Backward,
            Some(other) => return Err(wrong("order", "must be asc or desc", other)),
        };
        let limit = number("limit", given.limit.as_deref(), 1, LIMIT_MAX as u64)?;
        let wait = number("wait", given.wait.as_deref(), 0, WAIT_SECONDS_MAX)?.unwrap_or_default();
        let at_least = given.at_least.as_deref().map(|text| position("at-least", text)).transpose()?;
        if direction == Direction::Backward && wait > 0 && at_least.is_none() {
            return Err(Problem::invalid("parameter \"wait\" waits for newer events: leave it or order=desc out"));
        }
        if given.types.len() > TYPES_MAX {
            return Err(Problem::invalid(format!("parameter \"type\" may come {TYPES_MAX} times: name fewer types")));
        }
        let key = match given.key {
            None => None,
            Some(text) => Some(
                Key::new(text.as_str())
                    .ok_or_else(|| wrong("key", &format!("must have 1 to {} bytes", Key::BYTES_MAX), &text))?,
            ),
        };
        Ok(Self {
            start: start(given.from.as_deref(), given.since.as_deref(), direction)?,
            direction,
            types: given.types,
            key,
            limit: limit.map_or(LIMIT_DEFAULT, |limit| limit as usize),
            wait: Duration::from_secs(wait),
            at_least,
        })
    }
}

impl Given {
    fn read(query: &str) -> Result<Self, Problem> {
        let mut given = Self::default();
        for (name, value) in query::pairs(query) {
            // What nobody is told of is not read either.
            if !MEMBERS.iter().any(|member| member.name == name) {
                return Err(unknown(&name));
            }
            let place = match &*name {
                "from" => &mut given.from,
                "since" => &mut given.since,
                "key" => &mut given.key,
                "limit" => &mut given.limit,
                "order" => &mut given.order,
                "wait" => &mut given.wait,
                "at-least" => &mut given.at_least,
                "type" if value.is_empty() => return Err(wrong("type", "must not be empty", "")),
                "type" => {
                    given.types.push(value.into_owned());
                    continue;
                }
                other => return Err(unknown(other)),
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(twice(&name));
            }
        }
        Ok(given)
    }
}

fn unknown(name: &str) -> Problem {
    Problem::invalid(format!("parameter {:?} is not known: use {NAMES}", short(name)))
}

fn start(from: Option<&str>, since: Option<&str>, direction: Direction) -> Result<Start, Problem> {
    match (from, since, direction) {
        (Some(_), Some(_), _) => {
            Err(Problem::invalid("parameters \"from\" and \"since\" both say where to begin: give one of them"))
        }
        (None, Some(_), Direction::Backward) => {
            Err(Problem::invalid("parameter \"since\" says where to begin forwards: use from with order=desc"))
        }
        (None, Some(text), Direction::Forward) => {
            let time = time::parse(text).map_err(|error| Problem::invalid(format!("parameter \"since\": {error}")))?;
            Ok(Start::Since(time))
        }
        (Some("end"), None, Direction::Forward) => Ok(Start::AfterEnd),
        (Some("end"), None, Direction::Backward) | (None, None, Direction::Backward) => Ok(Start::Newest),
        (Some(text), None, _) => position("from", text).map(Start::At),
        (None, None, Direction::Forward) => Ok(Start::Beginning),
    }
}

fn position(name: &str, text: &str) -> Result<Position, Problem> {
    text.parse::<u64>().map(Position::new).map_err(|_| wrong(name, "must be a position such as 17", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Parameters {
        Parameters {
            start: Start::Beginning,
            direction: Direction::Forward,
            types: Vec::new(),
            key: None,
            limit: 100,
            wait: Duration::ZERO,
            at_least: None,
        }
    }

    #[test]
    fn parameters_are_read() {
        let check = |query: &str, expected: Parameters| {
            assert_eq!(
                Parameters::read(query).map_err(|problem| problem.message().to_owned()),
                Ok(expected),
                "{query}"
            );
        };
        check("", usual());
        check("from=17&limit=1000", Parameters { start: Start::At(Position::new(17)), limit: 1000, ..usual() });
        check("from=end&wait=30", Parameters { start: Start::AfterEnd, wait: Duration::from_secs(30), ..usual() });
        let since = Start::Since(Timestamp::from_unix_micros(1_000_000));
        check("since=1970-01-01T00:00:01Z", Parameters { start: since, ..usual() });
        let types = vec!["a".to_owned(), "b c".to_owned()];
        check("type=a&key=k&type=b+c", Parameters { types, key: Key::new("k"), ..usual() });
        let newest = Parameters { start: Start::Newest, direction: Direction::Backward, ..usual() };
        check("order=desc", newest);
        let at = Parameters { start: Start::At(Position::new(3)), direction: Direction::Backward, ..usual() };
        check("order=desc&from=3", at);
        let at_least = Some(Position::new(9));
        check("at-least=9&wait=1&order=asc", Parameters { at_least, wait: Duration::from_secs(1), ..usual() });
    }

    #[test]
    fn every_parameter_that_is_told_of_is_read() {
        let names: Vec<&str> = MEMBERS.iter().map(|member| member.name).collect();
        let (last, others) = names.split_last().expect("parameters");
        assert_eq!(format!("{} and {last}", others.join(", ")), NAMES);
        for name in names {
            let read = Given::read(&format!("{name}=7")).map_err(|problem| problem.message().to_owned());
            assert!(read.is_ok(), "{name}: {:?}", read.err());
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let check = |query: &str, message: &str| {
            let problem = Parameters::read(query).expect_err(query);
            assert_eq!((problem.status().as_u16(), problem.message()), (400, message), "{query}");
        };
        check("form=1", "parameter \"form\" is not known: use from, since, type, key, limit, order, wait and at-least");
        check("from=1&from=2", "parameter \"from\" is given twice: give it once");
        check("from=-1", "parameter \"from\" must be a position such as 17, not \"-1\"");
        check("at-least=x", "parameter \"at-least\" must be a position such as 17, not \"x\"");
        check("limit=0", "parameter \"limit\" must be a number from 1 to 1000, not \"0\"");
        check("limit=1001", "parameter \"limit\" must be a number from 1 to 1000, not \"1001\"");
        check("wait=31", "parameter \"wait\" must be a number from 0 to 30, not \"31\"");
        check("order=up", "parameter \"order\" must be asc or desc, not \"up\"");
        check("type=", "parameter \"type\" must not be empty, not \"\"");
        check("key=", "parameter \"key\" must have 1 to 1024 bytes, not \"\"");
        check(
            "from=1&since=1970-01-01T00:00:00Z",
            "parameters \"from\" and \"since\" both say where to begin: give one of them",
        );
        check(
            "since=yesterday",
            "parameter \"since\": a time must be written as in RFC 3339, such as 2026-01-31T12:00:00Z, not \"yesterday\"",
        );
        check(
            "since=1970-01-01T00:00:00Z&order=desc",
            "parameter \"since\" says where to begin forwards: use from with order=desc",
        );
        check("order=desc&wait=1", "parameter \"wait\" waits for newer events: leave it or order=desc out");
    }
}
