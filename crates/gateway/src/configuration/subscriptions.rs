//! Subscriptions on the wire.

pub(super) mod activity;
mod members;
mod policy;

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use weir_catalog::{
    Activity, CatalogError, ChangeKind, Command, Detail, Resource as Kind, SpaceCatalog, Subscription, SubscriptionId,
    draft::SubscriptionDraft,
};
use weir_domain::SpaceName;

use super::{
    described::Profile,
    fields::Fields,
    resource::{Resource, is_empty},
};
use crate::openapi;
use members::{MEMBERS, SUCCESSION, given, schemas, shown};

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
    #[serde(flatten)]
    policy: policy::Shown,
    #[serde(skip_serializing_if = "is_empty")]
    metadata: &'a BTreeMap<String, String>,
    /// Absent where it delivers, as nothing else could in the Event Gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
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
        creating: "An `async` subscription is given the events that come after it was made, or those from `start` on.",
        replacing: "Only `order`, `concurrency`, `batch`, `rate`, `priority`, `timeoutMs`, `onFailure`, `retry` and `metadata` \
                    can be changed; the rest must be what it is, and `start` may be left out. A subscription that is paused \
                    stays so.",
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
            policy: policy::Shown::of(item),
            metadata: &item.metadata,
            state: Some(item.activity).filter(|it| *it != Activity::default()).map(Activity::as_str),
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
    let policy::Given { filter, start, delivery, retry } = policy::Given::take(&mut fields)?;
    Ok(SubscriptionDraft {
        kind: fields.text("type")?,
        event_type: fields.text("eventType")?,
        function: fields.text("functionId")?,
        path: fields.text("path")?,
        method: fields.text("method")?,
        filter,
        start,
        delivery,
        retry,
        metadata: fields.map("metadata")?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{
        members::{BATCH, PLACE, RETRY},
        *,
    };
    use crate::configuration::fields::check_taken;

    #[test]
    fn every_member_that_is_told_of_is_read() {
        // A filter is looked at where everything else is good.
        let good = r#"{"type":"async","eventType":"a","functionId":"f","#;
        assert!(create(&format!("{}}}", good.trim_end_matches(','))).is_ok());
        check_taken(MEMBERS, |text| create(&text.replacen('{', good, 1)).is_err());
        check_taken(SUCCESSION, |text| continues(text).is_err());
        for (name, members) in [("retry", RETRY), ("batch", BATCH), ("start", PLACE)] {
            check_taken(members, |text| draft(&format!(r#"{{"{name}":{text}}}"#)).is_err());
        }
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
        let mut further = waits(day);
        further["multiplier"] = json!(1.25);
        further["jitter"] = json!("none");
        further["retryAfterMaxMs"] = json!(0);
        check(further.clone(), further);
        check(json!({ "multiplier": 2, "jitter": "full", "retryAfterMaxMs": 3_600_000 }), Value::Null);
    }

    #[test]
    fn how_it_delivers_comes_back_where_it_is_not_the_default() {
        let given = |members: &Value| {
            let mut text = json!({ "type": "async", "eventType": "a", "functionId": "f" });
            text.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
            text.to_string()
        };
        let plain = create(&given(&json!({}))).expect("good");
        let check = |members: Value, expected: Value| {
            let mut value = create(&given(&members)).expect("good");
            let has_filter = value["filter"] != Value::Null;
            assert_eq!(value["subscriptionId"] != plain["subscriptionId"], has_filter, "{value}");
            value["subscriptionId"] = plain["subscriptionId"].clone();
            let mut whole = plain.clone();
            whole.as_object_mut().expect("an object").extend(expected.as_object().expect("an object").clone());
            assert_eq!(value, whole);
        };
        let usual = json!({
            "start": "now", "order": "key", "concurrency": 256, "batch": { "size": 1, "waitMs": 0 }, "rate": null,
            "priority": "normal", "onFailure": "dead-letter", "filter": null, "state": "paused",
        });
        check(usual, json!({}));
        let whole = json!({
            "filter": { "prefix": { "subject": "eu/" } }, "start": "earliest", "order": "none", "concurrency": 8,
            "batch": { "size": 100, "waitMs": 20 }, "rate": 50, "priority": "low", "timeoutMs": 900,
        });
        check(whole.clone(), whole);
        check(json!({ "onFailure": "hold-key" }), json!({ "onFailure": "hold-key" }));
        check(json!({ "batch": { "waitMs": 20 } }), json!({ "batch": { "size": 1, "waitMs": 20 } }));
        check(json!({ "start": { "position": 7 } }), json!({ "start": { "position": 7 } }));
        let (time, shown) = ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z");
        check(json!({ "start": { "Time": time } }), json!({ "start": { "time": shown } }));
        let (_, command) = Subscriptions::create(&given(&json!({})), "default").expect("good");
        let Command::CreateSubscription(item) = command else { panic!("another command") };
        for (activity, state) in [(Activity::Paused, "paused"), (Activity::Draining, "draining")] {
            let paused = item.clone().with_activity(activity);
            let value = serde_json::to_value(Subscriptions::view("default", &paused)).expect("JSON");
            assert_eq!(value["state"], json!(state));
        }
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
        let of = |members: &str| format!(r#"{{"type":"async","eventType":"a","functionId":"f",{members}}}"#);
        check(&of(r#""order":"kye""#), r#"order must be "key" or "none", not "kye""#);
        check(&of(r#""start":"later""#), r#"start: must be "now", "earliest" or a place, not "later""#);
        check(&of(r#""start":{}"#), "start: it has neither position nor time");
        check(&of(r#""start":{"position":1,"time":"x"}"#), "start: position and time exclude each other");
        check(&of(r#""batch":{"size":"many"}"#), "batch: size: invalid type: string \"many\", expected u32");
        check(&of(r#""retry":{"jitter":"some"}"#), r#"retry: jitter must be "full" or "none", not "some""#);
        let decimals = "retry: multiplier must be from 1 to 10 with two decimals at most, not 1.125";
        check(&of(r#""retry":{"multiplier":1.125}"#), decimals);
        let faults = create(&of(r#""filter":{"prefix":{"subject":7}}"#)).expect_err("a fault");
        assert!(faults.starts_with(&format!("{prefix}filter/prefix/subject ")), "{faults}");
    }
}
