//! Subscriptions on the wire.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use weir_catalog::{
    CatalogError, ChangeKind, Command, Detail, EventTypeName, Method, Resource as Kind, RetryPolicy, SpaceCatalog,
    Subscription, SubscriptionId, SubscriptionKind, draft::SubscriptionDraft, limits,
};
use weir_domain::SpaceName;

use super::{
    described::Profile,
    fields::Fields,
    resource::{Resource, is_empty},
};
use crate::openapi::{self, Member};

/// What a client may write, and is shown again.
const MEMBERS: &[Member] = &[
    Member::new("type", || {
        let about = "`async`: events are delivered from the log, at least once, in the order of their keys. `sync`: the caller \
                     of a route waits for the function.";
        openapi::word(about, [SubscriptionKind::Async, SubscriptionKind::Sync].map(SubscriptionKind::as_str))
    }),
    Member::new("eventType", || {
        let about = "The event type, which is registered, or `http.request`: characters `a-z A-Z 0-9 . - _`.";
        openapi::text(about, EventTypeName::BYTES_MAX)
    }),
    Member::new("functionId", || openapi::text("The function, which exists.", 256)),
    Member::new("path", || {
        let about = "The path of a route, `/` where nothing is said; `:name` stands for one segment and `*name` at the end for \
                     the rest. An `async` one is given what came in on such a path; with `POST` and `/`, every event.";
        openapi::text(about, limits::ROUTE_BYTES_MAX)
    }),
    Member::new("method", || {
        let about = "The method of a route, in any case; `POST` where nothing is said. It is shown in capitals. An `async` one \
                     is given what came in by it; with `POST` and `/`, every event.";
        json!({ "type": "string", "description": about, "examples": Method::ALL.map(Method::as_str) })
    }),
    Member::new("retry", || openapi::reference("RetryPolicy")),
    Member::new("metadata", || openapi::texts("Texts of its owner by name; lists can be filtered by them.")),
];

/// What a client may write where one is made, and is not shown again.
const SUCCESSION: &[Member] = &[Member::new("continues", || {
    let about = "Where one is made: the identifier of an `async` subscription in whose place it is made. That one is gone in \
                 the same change, and the new one goes on where it stood. Both may differ in their function only.";
    openapi::text(about, SubscriptionId::BYTES_MAX)
})];

/// What a client is shown beside it.
const SHOWN: &[Member] = &[
    Member::new("space", || openapi::space("The space.")),
    Member::new("subscriptionId", || {
        openapi::text("Its identifier, which is derived from what it binds.", SubscriptionId::BYTES_MAX)
    }),
];

/// The members of `retry`.
const RETRY: &[Member] = &[
    Member::new("attemptsMax", || {
        let about = "The most deliveries of one event, the first included; without it, there is no such bound. One that reached \
                     nobody does not count.";
        openapi::number(about, 1, limits::ATTEMPTS_MAX.into())
    }),
    Member::new("backoffFirstMs", || {
        let about = format!(
            "The wait in milliseconds after the first failure, which doubles with each further one; {} where nothing is said. \
             Not more than `backoffMaxMs`.",
            usual().backoff_first_ms
        );
        openapi::number(&about, 1, limits::BACKOFF_MS_MAX.into())
    }),
    Member::new("backoffMaxMs", || {
        let about = format!("The longest wait in milliseconds; {} where nothing is said.", usual().backoff_max_ms);
        openapi::number(&about, 1, limits::BACKOFF_MS_MAX.into())
    }),
    Member::new("ageMaxMs", || {
        let about = "No delivery is tried when the first one is longer ago than this, in milliseconds; a day where nothing is \
                     said, and 0 for no such bound.";
        json!({ "type": "integer", "description": about, "minimum": 0 })
    }),
];

fn usual() -> RetryPolicy {
    RetryPolicy::default()
}

fn given() -> Value {
    json!({ "type": "async", "eventType": "parcel.sent", "functionId": "notice", "retry": { "attemptsMax": 5 } })
}

fn shown() -> Value {
    json!({
        "space": "default",
        "subscriptionId": "YXN5bmMscGFyY2VsLnNlbnQsbm90aWNlLCUyRixQT1NU",
        "type": "async",
        "eventType": "parcel.sent",
        "functionId": "notice",
        "path": "/",
        "method": "POST",
        "retry": { "attemptsMax": 5, "backoffFirstMs": 100, "backoffMaxMs": 60_000, "ageMaxMs": 86_400_000 },
    })
}

fn schemas() -> Vec<(String, Value)> {
    let about = "What a subscription is to be.";
    let input = openapi::object(about, MEMBERS.iter().chain(SUCCESSION), &["type", "eventType", "functionId"]);
    let needed = ["space", "subscriptionId", "type", "eventType", "functionId", "path", "method"];
    let output = openapi::object("A subscription.", SHOWN.iter().chain(MEMBERS), &needed);
    let about =
        "What happens when a delivery fails; of an `async` subscription. Shown where it differs from the default.";
    vec![
        ("SubscriptionInput".to_owned(), input),
        ("Subscription".to_owned(), output),
        ("RetryPolicy".to_owned(), openapi::object(about, RETRY, &[])),
    ]
}

/// The resource `subscriptions`.
pub(super) struct Subscriptions;

/// A subscription as clients see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View<'a> {
    space: &'a str,
    subscription_id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    event_type: &'a str,
    function_id: &'a str,
    path: &'a str,
    method: &'static str,
    /// Absent where it is the default, so that clients of the Event Gateway see what they know.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<RetryView>,
    #[serde(skip_serializing_if = "is_empty")]
    metadata: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RetryView {
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts_max: Option<u32>,
    backoff_first_ms: u32,
    backoff_max_ms: u32,
    /// 0 where there is no bound: a member that is left out means the default.
    age_max_ms: u64,
}

impl RetryView {
    fn of(retry: RetryPolicy) -> Option<Self> {
        let RetryPolicy { attempts_max, backoff_first_ms, backoff_max_ms, age_max_ms } = retry;
        let age_max_ms = age_max_ms.unwrap_or_default();
        (retry != RetryPolicy::default()).then_some(Self { attempts_max, backoff_first_ms, backoff_max_ms, age_max_ms })
    }
}

impl Resource for Subscriptions {
    type Item = Subscription;
    type View<'a> = View<'a>;

    const KIND: Kind = Kind::Subscription;
    const SEGMENT: &'static str = "subscriptions";
    const LIST: &'static str = "subscriptions";
    const PROFILE: Profile = Profile {
        name: "Subscription",
        names: "Subscriptions",
        tag: "Subscriptions",
        one: "a subscription",
        many: "subscriptions",
        id: || openapi::text("The identifier of the subscription, as it was shown.", SubscriptionId::BYTES_MAX),
        needed: &[],
        creating: "An `async` subscription is given the events that come after it was made.",
        replacing: "Only `retry` and `metadata` can be changed; the rest must be what it is.",
        deleting: "What has not been delivered yet is not delivered any more, and that is recorded.",
        given,
        shown,
        schemas,
    };

    fn all(present: &SpaceCatalog) -> impl Iterator<Item = &Arc<Subscription>> {
        present.subscriptions()
    }

    fn find<'c>(present: &'c SpaceCatalog, id: &str) -> Option<&'c Arc<Subscription>> {
        present.subscription(id)
    }

    fn name(item: &Subscription) -> &str {
        item.id.as_str()
    }

    fn metadata(item: &Subscription) -> &BTreeMap<String, String> {
        &item.metadata
    }

    fn view<'a>(space: &'a str, item: &'a Subscription) -> View<'a> {
        View {
            space,
            subscription_id: item.id.as_str(),
            kind: item.kind.as_str(),
            event_type: item.event_type.as_str(),
            function_id: item.function.as_str(),
            path: &item.path,
            method: item.method.as_str(),
            retry: RetryView::of(item.retry),
            metadata: &item.metadata,
        }
    }

    fn create(text: &str, space: &str) -> Result<(SpaceName, Command), CatalogError> {
        let continues = continues(text).map_err(invalid)?;
        let (space, subscription) = draft(text).map_err(invalid)?.check(space)?;
        let command = match continues {
            None => Command::CreateSubscription(subscription),
            Some(id) => Command::ReplaceSubscription { id, subscription },
        };
        Ok((space, command))
    }

    fn replace(text: &str, space: &str, id: String) -> Result<(SpaceName, Command), CatalogError> {
        let (space, subscription) = draft(text).map_err(invalid)?.check(space)?;
        Ok((space, Command::UpdateSubscription { id, subscription }))
    }

    fn delete(id: String) -> Command {
        Command::DeleteSubscription(id)
    }

    fn changed(kind: &ChangeKind) -> Option<&Arc<Subscription>> {
        match kind {
            ChangeKind::SubscriptionCreated(item)
            | ChangeKind::SubscriptionReplaced { id: _, subscription: item }
            | ChangeKind::SubscriptionUpdated(item) => Some(item),
            _ => None,
        }
    }
}

/// A subscription that is to be made in the place of another one.
#[derive(Serialize)]
pub(super) struct Successor<'a> {
    #[serde(flatten)]
    view: View<'a>,
    continues: &'a str,
}

impl<'a> Successor<'a> {
    pub(super) fn of(space: &'a str, item: &'a Subscription, predecessor: &'a str) -> Self {
        Self { view: Subscriptions::view(space, item), continues: predecessor }
    }
}

/// Reads in whose place a subscription is to be made.
fn continues(text: &str) -> Result<Option<String>, Detail> {
    Fields::read(text, "", SUCCESSION)?.optional("continues")
}

fn invalid(detail: Detail) -> CatalogError {
    CatalogError::invalid(Kind::Subscription, detail)
}

/// Reads what a client wrote; the identifier follows from the rest.
fn draft(text: &str) -> Result<SubscriptionDraft, Detail> {
    let mut fields = Fields::read(text, "", MEMBERS)?;
    Ok(SubscriptionDraft {
        kind: fields.text("type")?,
        event_type: fields.text("eventType")?,
        function: fields.text("functionId")?,
        path: fields.text("path")?,
        method: fields.text("method")?,
        retry: fields.take::<&RawValue>("retry")?.map_or(Ok(RetryPolicy::default()), retry)?,
        metadata: fields.map("metadata")?,
    })
}

fn retry(given: &RawValue) -> Result<RetryPolicy, Detail> {
    let mut fields = Fields::read(given.get(), "retry: ", RETRY)?;
    let usual = usual();
    Ok(RetryPolicy {
        attempts_max: fields.take("attemptsMax")?.or(usual.attempts_max),
        backoff_first_ms: fields.take("backoffFirstMs")?.unwrap_or(usual.backoff_first_ms),
        backoff_max_ms: fields.take("backoffMaxMs")?.unwrap_or(usual.backoff_max_ms),
        age_max_ms: fields.take("ageMaxMs")?.or(usual.age_max_ms).filter(|most| *most > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::fields::check_taken;

    #[test]
    fn every_member_that_is_told_of_is_read() {
        check_taken(MEMBERS, |text| draft(text).is_err());
        check_taken(SUCCESSION, |text| continues(text).is_err());
        check_taken(RETRY, |text| draft(&format!(r#"{{"retry":{text}}}"#)).is_err());
    }

    fn create(text: &str) -> Result<Value, String> {
        let (space, command) = Subscriptions::create(text, "default").map_err(|error| error.to_string())?;
        let Command::CreateSubscription(item) = command else { panic!("another command") };
        Ok(serde_json::to_value(Subscriptions::view(space.as_str(), &item)).expect("JSON"))
    }

    #[test]
    fn defaults_and_identifiers_are_those_of_the_event_gateway() {
        let text =
            r#"{"type":"async","eventType":"user.created","functionId":"func","method":"get","subscriptionId":"x"}"#;
        let expected = json!({
            "space": "default",
            "subscriptionId": "YXN5bmMsdXNlci5jcmVhdGVkLGZ1bmMsJTJGLEdFVA",
            "type": "async",
            "eventType": "user.created",
            "functionId": "func",
            "path": "/",
            "method": "GET",
        });
        assert_eq!(create(text), Ok(expected));
        let text = r#"{"Type":"sync","EventType":"http.request","FunctionID":"any","path":"users/:id"}"#;
        let value = create(text).expect("good");
        assert_eq!((&value["path"], &value["method"]), (&json!("/users/:id"), &json!("POST")));
    }

    #[test]
    fn retry_and_metadata_come_back() {
        let check = |retry: Value, expected: Value| {
            let text = json!({
                "type": "async", "eventType": "a", "functionId": "f", "retry": retry, "metadata": { "k": "v" },
            });
            let value = create(&text.to_string()).expect("good");
            assert_eq!((&value["retry"], &value["metadata"]["k"]), (&expected, &json!("v")));
        };
        check(Value::Null, Value::Null);
        check(json!({}), Value::Null);
        let day = 86_400_000;
        let waits = |age: u64| json!({ "backoffFirstMs": 100, "backoffMaxMs": 60_000, "ageMaxMs": age });
        let mut three = waits(day);
        three["attemptsMax"] = json!(3);
        check(json!({ "attemptsMax": 3 }), three);
        check(json!({ "ageMaxMs": day }), Value::Null);
        check(json!({ "ageMaxMs": 0 }), waits(0));
        let whole = json!({ "attemptsMax": 3, "backoffFirstMs": 5, "backoffMaxMs": 6, "ageMaxMs": 7 });
        check(whole.clone(), whole);
    }

    #[test]
    fn a_subscription_may_take_the_place_of_another() {
        let text = r#"{"type":"async","eventType":"a","functionId":"g","continues":"YXN5bmM"}"#;
        let (space, command) = Subscriptions::create(text, "default").expect("good");
        let Command::ReplaceSubscription { id, subscription } = &command else { panic!("{command:?}") };
        assert_eq!((id.as_str(), subscription.function.as_str()), ("YXN5bmM", "g"));
        // What a program sends is read as it was meant.
        let sent = serde_json::to_string(&Successor::of(space.as_str(), subscription, id)).expect("JSON");
        assert_eq!(Subscriptions::create(&sent, "default"), Ok((space, command)));
    }

    #[test]
    fn faults_are_told_in_the_words_of_the_event_gateway() {
        let prefix = "Subscription doesn't validate. Validation error: ";
        let check = |text: &str, detail: &str| assert_eq!(create(text), Err(format!("{prefix}{detail}")), "{text}");
        let field = |field: &str, rule: &str| {
            format!("Key: 'Subscription.{field}' Error:Field validation for '{field}' failed on the '{rule}' tag")
        };
        check("{", "unexpected EOF");
        let all = [field("Type", "required"), field("EventType", "required"), field("FunctionID", "required")];
        check("{}", &all.join("\n"));
        check(r#"{"type":"both","eventType":"a","functionId":"f"}"#, &field("Type", "eq=async|eq=sync"));
        check(
            r#"{"type":"sync","eventType":"a","functionId":"f","retry":{"attemptsMax":"many"}}"#,
            "retry: attemptsMax: invalid type: string \"many\", expected u32",
        );
        check(
            r#"{"type":"sync","eventType":"a","functionId":"f","retry":7}"#,
            "retry: invalid type: integer `7`, expected a map",
        );
    }
}
