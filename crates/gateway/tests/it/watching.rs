//! Who watches is told of every request, with what was found out about it and without its secrets.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use weir_gateway::{Api, AuthOptions, OperatorToken, Options, RequestObserver, Served, ServedEvent, Watchers};

use crate::support::{BATCH, STRUCTURED, event, gateway, memory};

const OPERATOR: &str = "operator-0123456789abcdef0123456789abcdef";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01";

/// Remembers what it was told.
#[derive(Default)]
struct Seen(Mutex<Vec<Arc<Served>>>);

impl RequestObserver for Seen {
    fn served(&self, served: &Arc<Served>) {
        self.0.lock().push(Arc::clone(served));
    }
}

impl Seen {
    /// Returns the only request since the last time.
    fn one(&self) -> Arc<Served> {
        let mut all = std::mem::take(&mut *self.0.lock());
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

fn space(served: &Served) -> Option<&str> {
    served.space.as_ref().map(|space| space.as_str())
}

#[tokio::test]
async fn every_request_is_told_of_without_its_secrets() {
    let seen = Arc::new(Seen::default());
    let auth = AuthOptions { operator: OperatorToken::new(OPERATOR), jwt: None };
    let watchers = Watchers::new(vec![Arc::clone(&seen) as Arc<dyn RequestObserver>]);
    let door = gateway(memory(), Options { auth: Some(auth), watchers, ..Options::default() }, |log| log).await;
    let bearer = format!("Bearer {OPERATOR}");
    let authorization = ("authorization", &*bearer);

    let body = json!({ "name": "a" }).to_string();
    let made = door.configure_with("POST", "/v1/spaces/shop/eventtypes?x=secret", &[authorization], &body).await;
    let told = seen.one();
    assert_eq!(told.status.map(|status| status.as_u16()), Some(201));
    assert_eq!(
        (told.api, told.path.as_str(), space(&told)),
        (Api::Configuration, "/v1/spaces/shop/eventtypes", Some("shop"))
    );
    assert_eq!((told.principal.as_deref(), told.request_bytes), (Some("operator"), Some(body.len() as u64)));
    assert_eq!(told.response_bytes, Some(made.body.len() as u64));
    assert_eq!(made.header("x-request-id"), told.request_id.as_deref());
    assert!(told.request_id.is_some());

    let given = event("7", "a", r#","data":"private""#);
    let headers = [
        authorization,
        ("content-type", STRUCTURED),
        ("weir-space", "shop"),
        ("x-request-id", "mine"),
        ("traceparent", PARENT),
        ("user-agent", "probe"),
    ];
    let answer = door.request("POST", "/orders?token=secret", &headers, &given).await;
    assert_eq!((answer.status, answer.header("x-request-id")), (202, Some("mine")));
    let told = seen.one();
    assert_eq!((told.api, told.method.as_str(), told.path.as_str()), (Api::Events, "POST", "/orders"));
    assert_eq!((told.request_id.as_deref(), told.user_agent.as_deref()), (Some("mine"), Some("probe")));
    assert_eq!((space(&told), told.principal.as_deref()), (Some("shop"), Some("operator")));
    assert_eq!((told.request_bytes, told.response_bytes), (Some(given.len() as u64), Some(0)));
    assert_eq!(told.trace.map(|trace| trace.to_string()).as_deref(), Some(PARENT));
    let one = ServedEvent::One { event_type: "a".into(), id: "7".into(), source: "/test".into() };
    assert_eq!(told.event.as_ref(), Some(&one));
    let text = format!("{told:?}");
    assert!(["secret", "private", OPERATOR].iter().all(|secret| !text.contains(secret)), "{text}");

    let batch = format!("[{},{}]", event("8", "a", ""), event("9", "a", ""));
    let headers = [authorization, ("content-type", BATCH), ("weir-space", "shop")];
    assert_eq!(door.request("POST", "/", &headers, &batch).await.status, 202);
    assert_eq!(seen.one().event, Some(ServedEvent::Batch(2)));

    // Who is refused is told of as well, and has no name.
    assert_eq!(door.request("POST", "/", &[("content-type", STRUCTURED)], &given).await.status, 401);
    let told = seen.one();
    assert_eq!(told.status.map(|status| status.as_u16()), Some(401));
    assert_eq!((told.principal.as_deref(), told.event.as_ref()), (None, None));
}

#[tokio::test]
async fn a_sender_that_goes_away_is_told_of() {
    let seen = Arc::new(Seen::default());
    let watchers = Watchers::new(vec![Arc::clone(&seen) as Arc<dyn RequestObserver>]);
    let door = gateway(memory(), Options { watchers, ..Options::default() }, |log| log).await;
    door.register("default", &["a"]).await;
    seen.one();
    // A read that waits for events: the one that is dropped has not been answered.
    let waits = door.configure("GET", "/v1/spaces/default/events?from=100&wait=30", "");
    assert!(tokio::time::timeout(std::time::Duration::from_millis(1), waits).await.is_err());
    let told = seen.one();
    assert_eq!((told.status, told.response_bytes, space(&told)), (None, None, Some("default")));
}
