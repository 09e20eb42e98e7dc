//! The router's cases with an authorizer.

use serde_json::{Value, json};

use super::{Gateway, Space, check_refused, json_of, text};
use crate::process::{Answer, STRUCTURED};

const REFUSED: &str = "the authorizer of event type \"guarded\" refused the event: not you";
const FAILED: &str =
    "the authorizer of event type \"guarded\" failed, and without its yes no event enters: tell who runs the server";

/// Says what the header `Authorization` asks for; who is asked must be told of the event and of the request.
const GUARD: &str = "
    const { event: emitted, request } = event.data;
    if (emitted.type !== 'guarded' || request.body !== null) throw new Error('unexpected');
    switch (request.headers.Authorization) {
        case 'yes': return { authorization: { principalId: 'ada', context: { role: 'clerk' } } };
        case 'no': return { error: { message: 'not you' } };
        case 'nothing': return null;
        case 'empty': return {};
        case 'no error': return { error: null };
        default: throw new Error('it failed');
    }";

/// A space whose type `guarded` has the route `POST /guarded`, which answers with the event.
fn guarded(gateway: &Gateway) -> Space<'_> {
    let space = gateway.space("shop");
    space.script("guard", GUARD);
    space.script("echo", "return { body: JSON.stringify(event) };");
    space.create("eventtypes", &json!({ "name": "guarded", "authorizerId": "guard" }));
    space.route("echo", "guarded", "POST", "/guarded");
    space
}

fn custom(space: &Space<'_>, path: &str, asks: &str) -> Answer {
    space.request("POST", path, &[("event", "guarded"), ("authorization", asks)], "hello")
}

#[test]
fn nothing_but_a_yes_lets_an_event_in() {
    let gateway = Gateway::start();
    let space = guarded(&gateway);
    for (case, asks, message) in [
        ("router: returned error", "no", REFUSED),
        ("router: returned nil", "nothing", FAILED),
        ("it failed", "throw", FAILED),
        // Fixed: these were as good as yes.
        ("returned nothing in it", "empty", FAILED),
        ("returned no error and no yes", "no error", FAILED),
    ] {
        check_refused(case, &custom(&space, "/guarded", asks), 403, message);
        // Fixed: without a sync subscription it was answered with 202 and lost.
        check_refused(case, &custom(&space, "/", asks), 403, message);
    }
    assert_eq!(space.events(), Vec::<Value>::new(), "what was refused leaves no trace");
    let answer = custom(&space, "/", "yes");
    assert_eq!((answer.status, text(&answer)), (202, ""));
    assert_eq!(space.events().len(), 1);
}

/// What stands in `eventgateway` of the event that the function was given.
fn mark(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", text(answer));
    let event = json_of(answer);
    serde_json::from_str(event["eventgateway"].as_str().expect("text")).expect("JSON")
}

#[test]
fn what_the_authorizer_said_goes_on_with_the_event() {
    let gateway = Gateway::start();
    let space = guarded(&gateway);
    let said = json!({ "principalId": "ada", "context": { "role": "clerk" } });
    // router: include authorizer result in extensions, of an event that the gateway makes
    let made = mark(&custom(&space, "/guarded", "yes"));
    assert_eq!(made, json!({ "transformed": "true", "transformation-version": "0.1", "authorization": said }));
    // router: likewise, of a custom structured event. Fixed: its own extensions were dropped.
    let event = json!({
        "eventType": "guarded", "cloudEventsVersion": "0.1", "source": "/mysource", "eventID": "1",
        "extensions": { "own": "7", "eventgateway": { "authorization": { "principalId": "root" }, "a": "b" } },
    });
    let headers = [STRUCTURED, ("authorization", "yes")];
    let answer = space.request("POST", "/guarded", &headers, &event.to_string());
    assert_eq!(mark(&answer), json!({ "a": "b", "authorization": said }));
    assert_eq!(json_of(&answer)["own"], "7");
}
