//! What clients say about dead letters: parameters of queries, and bodies.

use axum::extract::Request;
use bytes::Bytes;
use serde_json::json;
use weir_catalog::{Detail, EventTypeName, SubscriptionId};
use weir_domain::{Key, Position};
use weir_flow::{LetterQuery, LetterSelection, LetterState};

use crate::{
    configuration::{
        fields::Fields,
        media,
        parameter::{number, short, single, wrong},
        resource::utf8,
    },
    gateway::Shared,
    openapi::{self, Member},
    problem::Problem,
    query,
    room::Place,
};

/// Letters in one answer where nothing is said.
const LIMIT_DEFAULT: u64 = 100;
/// The most letters in one answer.
const LIMIT_MAX: u64 = 1000;
/// The longest reason in bytes.
const REASON_BYTES_MAX: usize = 1024;

/// The parameter by which a list goes on.
pub(super) const FROM: &str = "from";
/// All of them.
const NAMES: &str = "subscription, type, key, state, from and limit";
/// The word for letters of every state.
const ALL: &str = "all";

/// What is told of the parameters; others are not known.
pub(super) const PARAMETERS: &[Member] = &[
    SUBSCRIPTION,
    TYPE,
    KEY,
    Member::new("state", || {
        let words = LetterState::ALL.map(LetterState::as_str).into_iter().chain([ALL]);
        openapi::word("Only those in this state: `open`, where nothing is said.", words)
    }),
    Member::new(FROM, || {
        let about = "The first position that may be returned.";
        json!({ "type": "integer", "description": about, "minimum": 0 })
    }),
    Member::new("limit", || {
        openapi::number(
            &format!("The most letters in the answer; {LIMIT_DEFAULT} where nothing is said."),
            1,
            LIMIT_MAX,
        )
    }),
];

const SUBSCRIPTION: Member =
    Member::new("subscription", || openapi::text("Only those of this subscription.", SubscriptionId::BYTES_MAX));
const TYPE: Member =
    Member::new("type", || openapi::text("Only those about events of this type.", EventTypeName::BYTES_MAX));
const KEY: Member = Member::new(
    "key",
    || json!({ "type": "string", "description": "Only those of this key.", "minLength": 1, "maxLength": Key::BYTES_MAX }),
);
const TO: Member = Member::new("to", || {
    let about = "The subscription that is to deliver it, where its own is gone and nothing took the place of that. It \
                 must be given events of the same type.";
    openapi::text(about, SubscriptionId::BYTES_MAX)
});
const REASON: Member = Member::new("reason", || openapi::text("Why it is not to be delivered.", REASON_BYTES_MAX));
const EVERYTHING: Member =
    Member::new(ALL, || openapi::flag("Where true, all open ones are meant. It is needed where nothing else is said."));

/// What the body of a request to redrive one may have.
pub(super) const TO_REDRIVE: &[Member] = &[TO];
/// What the body of a request to discard one may have.
pub(super) const TO_DISCARD: &[Member] = &[REASON];
/// What the body of a request to redrive several may have.
pub(super) const TO_REDRIVE_ALL: &[Member] = &[SUBSCRIPTION, TYPE, KEY, EVERYTHING, TO];
/// What the body of a request to discard several may have.
pub(super) const TO_DISCARD_ALL: &[Member] = &[SUBSCRIPTION, TYPE, KEY, EVERYTHING, REASON];

/// Which part of the letters is asked for.
pub(super) struct Query(pub(super) LetterQuery);

impl Query {
    /// Reads the query of a URL.
    ///
    /// # Errors
    /// Where a parameter is not known, comes twice, or has a value that it cannot have.
    pub(super) fn read(query: &str) -> Result<Self, Problem> {
        for (name, _) in query::pairs(query) {
            // What nobody is told of is not read either.
            if !PARAMETERS.iter().any(|member| member.name == name) {
                let name = short(&name);
                return Err(Problem::invalid(format!("parameter {name:?} is not known: use {NAMES}")));
            }
        }
        let text = |name: &str| single(query, name).map(|value| value.map(|value| value.into_owned()));
        let key = match text("key")? {
            Some(text) => Some(key(&text)?),
            None => None,
        };
        let state = match text("state")?.as_deref() {
            None => Some(LetterState::Open),
            Some(ALL) => None,
            Some(word) => {
                let rule = "must be open, redriven, discarded or all";
                Some(LetterState::parse(word).ok_or_else(|| wrong("state", rule, word))?)
            }
        };
        let from = number(FROM, text(FROM)?.as_deref(), 0, u64::MAX)?.unwrap_or_default();
        let limit = number("limit", text("limit")?.as_deref(), 1, LIMIT_MAX)?.unwrap_or(LIMIT_DEFAULT);
        let selection = LetterSelection { subscription: text("subscription")?, event_type: text("type")?, key };
        Ok(Self(LetterQuery { selection, state, from: Position::new(from), limit: limit as usize }))
    }
}

fn key(text: &str) -> Result<Key, Problem> {
    Key::new(text.to_owned()).ok_or_else(|| wrong("key", &format!("must have 1 to {} bytes", Key::BYTES_MAX), text))
}

/// Reads the body of a request, which may have none.
pub(super) async fn body(shared: &Shared, request: Request, place: &mut Place<'_>) -> Result<Bytes, Problem> {
    media::refuse_other_answers(request.headers())?;
    media::refuse_other_bodies(request.headers())?;
    shared.read_configuration_body(request.into_body(), place).await
}

/// Makes the problem that a body is not what it should be.
pub(super) fn wrong_body(detail: &Detail) -> Problem {
    Problem::invalid(format!("the body: {}: {}", detail.message(), detail.cure()))
}

fn fields<'b>(body: &'b Bytes, told: &'static [Member]) -> Result<Fields<'b>, Detail> {
    let text = utf8(body)?;
    Fields::read(if text.trim().is_empty() { "{}" } else { text }, "", told)
}

/// Reads which subscription is to deliver a letter.
pub(super) fn redrive(body: &Bytes) -> Result<Option<String>, Problem> {
    fields(body, TO_REDRIVE).and_then(|mut fields| fields.optional("to")).map_err(|detail| wrong_body(&detail))
}

/// Reads why a letter is discarded.
pub(super) fn discard(body: &Bytes) -> Result<Option<String>, Problem> {
    let reason = fields(body, TO_DISCARD).and_then(|mut fields| fields.optional("reason"));
    checked(reason.map_err(|detail| wrong_body(&detail))?)
}

fn checked(reason: Option<String>) -> Result<Option<String>, Problem> {
    match &reason {
        Some(text) if text.len() > REASON_BYTES_MAX => {
            Err(Problem::invalid(format!("the reason must not be longer than {REASON_BYTES_MAX} bytes: shorten it")))
        }
        _ => Ok(reason),
    }
}

/// Which letters are to be decided about, and how.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) selection: LetterSelection,
    pub(super) to: Option<String>,
    pub(super) reason: Option<String>,
}

impl Chosen {
    /// Reads which letters are to be delivered again.
    pub(super) fn to_redrive(body: &Bytes) -> Result<Self, Problem> {
        let mut fields = fields(body, TO_REDRIVE_ALL).map_err(|detail| wrong_body(&detail))?;
        let selection = Self::selection(&mut fields)?;
        let to = fields.optional("to").map_err(|detail| wrong_body(&detail))?;
        Ok(Self { selection, to, reason: None })
    }

    /// Reads which letters are to be given up.
    pub(super) fn to_discard(body: &Bytes) -> Result<Self, Problem> {
        let mut fields = fields(body, TO_DISCARD_ALL).map_err(|detail| wrong_body(&detail))?;
        let selection = Self::selection(&mut fields)?;
        let reason = checked(fields.optional("reason").map_err(|detail| wrong_body(&detail))?)?;
        Ok(Self { selection, to: None, reason })
    }

    /// Nobody means everything by saying nothing.
    fn selection(fields: &mut Fields<'_>) -> Result<LetterSelection, Problem> {
        let mut text = |name: &str| fields.optional(name).map_err(|detail| wrong_body(&detail));
        let (subscription, event_type, own) = (text("subscription")?, text("type")?, text("key")?);
        let key = match own {
            Some(text) => Some(key(&text)?),
            None => None,
        };
        let is_everything = fields.take::<bool>(ALL).map_err(|detail| wrong_body(&detail))?.unwrap_or_default();
        let selection = LetterSelection { subscription, event_type, key };
        if selection.is_everything() && !is_everything {
            let message = "nothing says which dead letters are meant: give subscription, type or key, or all: true";
            return Err(Problem::invalid(message));
        }
        Ok(selection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::fields::check_taken;

    fn read(query: &str) -> Result<LetterQuery, String> {
        Query::read(query).map(|query| query.0).map_err(|problem| problem.message().to_owned())
    }

    #[test]
    fn parameters_are_read() {
        let usual = read("").expect("nothing");
        assert_eq!((usual.state, usual.limit, usual.from), (Some(LetterState::Open), 100, Position::ORIGIN));
        assert!(usual.selection.is_everything());
        let all = read("subscription=s&type=a+b&key=k&state=all&from=7&limit=1").expect("all of them");
        assert_eq!((all.state, all.limit, all.from), (None, 1, Position::new(7)));
        let selection =
            LetterSelection { subscription: Some("s".into()), event_type: Some("a b".into()), key: Key::new("k") };
        assert_eq!(all.selection, selection);
        let names: Vec<&str> = PARAMETERS.iter().map(|member| member.name).collect();
        let (last, others) = names.split_last().expect("parameters");
        assert_eq!(format!("{} and {last}", others.join(", ")), NAMES);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let check = |query: &str, message: &str| assert_eq!(read(query).expect_err(query), message);
        check("stat=open", &format!("parameter \"stat\" is not known: use {NAMES}"));
        check("state=shut", "parameter \"state\" must be open, redriven, discarded or all, not \"shut\"");
        check("key=", "parameter \"key\" must have 1 to 1024 bytes, not \"\"");
        check("limit=1001", "parameter \"limit\" must be a number from 1 to 1000, not \"1001\"");
        check("from=1&from=2", "parameter \"from\" is given twice: give it once");
    }

    #[test]
    fn bodies_say_what_is_meant() {
        let chosen = |body: &str| Chosen::to_redrive(&Bytes::copy_from_slice(body.as_bytes()));
        let nothing = "nothing says which dead letters are meant: give subscription, type or key, or all: true";
        for body in ["", "{}", r#"{"all":false,"to":"s"}"#] {
            assert_eq!(chosen(body).expect_err(body).message(), nothing);
        }
        assert!(chosen(r#"{"all":true}"#).expect("all").selection.is_everything());
        let one = chosen(r#"{"Subscription":"s","to":"t"}"#).expect("those of one");
        assert_eq!((one.selection.subscription.as_deref(), one.to.as_deref()), (Some("s"), Some("t")));

        let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        assert_eq!(redrive(&bytes("")).map_err(|problem| problem.message().to_owned()), Ok(None));
        check_taken(TO_REDRIVE, |text| redrive(&bytes(text)).is_err());
        check_taken(TO_DISCARD, |text| discard(&bytes(text)).is_err());
        check_taken(TO_REDRIVE_ALL, |text| Chosen::to_redrive(&bytes(text)).is_err());
        check_taken(TO_DISCARD_ALL, |text| Chosen::to_discard(&bytes(text)).is_err());
    }
}
