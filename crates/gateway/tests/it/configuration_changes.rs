//! How the configuration is changed beyond what the Event Gateway knew: under conditions, as a rehearsal, and with
//! secrets that stay.

use std::sync::Arc;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use weir_domain::{Data, Position};
use weir_flow::system_space;
use weir_gateway::Options;
use weir_log::Read;

use crate::support::{Answer, Door, STRUCTURED, door, event, gateway};

const FUNCTIONS: &str = "/v1/spaces/shop/functions";
const ONE: &str = "/v1/spaces/shop/functions/f";

fn http_function(url: &str, token: &str) -> String {
    let provider = json!({ "url": url, "headers": { "authorization": token } });
    json!({ "functionId": "f", "type": "http", "provider": provider }).to_string()
}

async fn with_function() -> (Door, String) {
    let door = door().await;
    let created = door.configure("POST", FUNCTIONS, &http_function("http://a", "old")).await;
    assert_eq!(created.status, 201, "{}", created.text());
    (door, tag(&created))
}

fn tag(answer: &Answer) -> String {
    answer.header("etag").expect("a tag").to_owned()
}

#[tokio::test]
async fn a_tag_names_one_version() {
    let (door, first) = with_function().await;
    let read = door.configure("GET", ONE, "").await;
    assert_eq!((tag(&read), read.status), (first.clone(), 200));
    for known in [first.clone(), format!("\"0\", W/{first}"), "*".to_owned()] {
        let same = door.configure_with("GET", ONE, &[("if-none-match", known.as_str())], "").await;
        assert_eq!((same.status, same.text(), tag(&same)), (304, "", first.clone()), "{known}");
    }
    let replaced =
        door.configure_with("PUT", ONE, &[("if-match", first.as_str())], &http_function("http://b", "t")).await;
    assert_eq!((replaced.status, tag(&replaced)), (200, format!("\"{}\"", replaced.position())));
    let second = tag(&replaced);
    assert_ne!(first, second);
    assert_eq!(door.configure_with("GET", ONE, &[("if-none-match", first.as_str())], "").await.status, 200);

    // The strong comparison: a weak tag is not the present one.
    let message = format!("the header If-Match does not name the present tag, which is {second}");
    for other in [first.clone(), format!("W/{second}")] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = door
                .configure_with(method, ONE, &[("if-match", other.as_str())], &http_function("http://c", "t"))
                .await;
            answer.check_refused(412, &message);
            assert_eq!((answer.header("weir-position"), answer.header("etag")), (None, None));
        }
    }
    let message = "the header If-Match must be *, or entity tags such as \"17\" with commas between them";
    door.configure_with("DELETE", ONE, &[("if-match", "17")], "").await.check_refused(400, message);

    // Another server on the same log gives the same tags.
    let restarted = gateway(Arc::clone(&door.log), Options::default(), |log| log).await;
    assert_eq!(tag(&restarted.configure("GET", ONE, "").await), second);

    assert_eq!(door.configure_with("DELETE", ONE, &[("if-match", second.as_str())], "").await.status, 204);
    // What is not there is not at another version.
    for method in ["GET", "PUT", "DELETE"] {
        let answer = door.configure_with(method, ONE, &[("if-match", "*")], &http_function("http://c", "t")).await;
        answer.check_refused(404, "Function \"f\" not found.");
    }
    // Nor is what has the name later what had it before.
    let again = door.configure("POST", FUNCTIONS, &http_function("http://b", "t")).await;
    assert!(![first, second].contains(&tag(&again)));
}

#[tokio::test]
async fn who_only_creates_says_so() {
    let (door, first) = with_function().await;
    let body = http_function("http://b", "t");
    let only_new = [("if-none-match", "*")];
    let message = format!("the header If-None-Match excludes the present tag, which is {first}");
    door.configure_with("POST", FUNCTIONS, &only_new, &body).await.check_refused(412, &message);
    door.configure_with("PUT", ONE, &only_new, &body).await.check_refused(412, &message);
    let message = "the header If-Match asks for something that is there, and it is not";
    let other = body.replace("\"f\"", "\"g\"");
    door.configure_with("POST", FUNCTIONS, &[("if-match", "*")], &other).await.check_refused(412, message);
    assert_eq!(door.configure_with("POST", FUNCTIONS, &only_new, &other).await.status, 201);
}

#[tokio::test]
async fn of_many_changes_of_one_version_one_wins() {
    let (door, first) = with_function().await;
    let urls: Vec<String> = (0..8).map(|number| format!("http://{number}")).collect();
    let replacing = urls.iter().map(|url| {
        let (door, known, body) = (&door, first.as_str(), http_function(url, "t"));
        async move { door.configure_with("PUT", ONE, &[("if-match", known)], &body).await }
    });
    let answers = join_all(replacing).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    let [won] = won[..] else { panic!("{} have won", won.len()) };
    assert_eq!(lost.len(), urls.len() - 1);
    for answer in lost {
        let message = format!("the header If-Match does not name the present tag, which is {}", tag(won));
        answer.check_refused(412, &message);
    }
    let now = door.configure("GET", ONE, "").await;
    assert_eq!((now.json(), tag(&now)), (won.json(), tag(won)));
}

#[tokio::test]
async fn a_rehearsal_answers_and_changes_nothing() {
    let (door, first) = with_function().await;
    let end = *door.log.durable_end().borrow();
    let body = http_function("http://b", "t");
    let created = door.configure("POST", &format!("{FUNCTIONS}?dryRun=true"), &body.replace("\"f\"", "\"g\"")).await;
    assert_eq!((created.status, created.json()["functionId"].clone()), (201, json!("g")));
    let replaced = door.configure("PUT", &format!("{ONE}?dryRun=true"), &body).await;
    assert_eq!((replaced.status, replaced.json()["provider"]["url"].clone()), (200, json!("http://b")));
    let deleted = door.configure("DELETE", &format!("{ONE}?dryRun=true"), "").await;
    assert_eq!((deleted.status, deleted.text()), (204, ""));
    for answer in [created, replaced, deleted] {
        assert_eq!((answer.header("weir-position"), answer.header("etag")), (None, None), "{answer:?}");
    }

    // Everything is checked: rules, code, what is there, conditions.
    let check = async |method: &str, path: &str, headers: &[(&str, &str)], body: &str, status: u16, message: &str| {
        let path = format!("{path}?dryRun=true");
        door.configure_with(method, &path, headers, body).await.check_refused(status, message);
    };
    check("POST", FUNCTIONS, &[], &body, 409, "Function \"f\" already registered.").await;
    let broken = json!({ "functionId": "broken", "type": "wasm", "provider": { "javascript": "export function" } });
    let message = "Function doesn't validate. Validation error: line 1: unexpected end of input";
    check("POST", FUNCTIONS, &[], &broken.to_string(), 400, message).await;
    // Nothing is wrong with this one, and there is no place for it at this moment.
    let crowded = json!({ "functionId": "crowded", "type": "wasm", "provider": { "javascript": "export function" } });
    let answer = door.configure("POST", FUNCTIONS, &crowded.to_string()).await;
    answer.check_refused(503, "no place became free to try the function out");
    let cure = answer.json()["errors"][0]["cure"].clone();
    assert_eq!((answer.header("retry-after"), cure), (Some("1"), json!("repeat it later")));
    check("DELETE", "/v1/spaces/shop/functions/g", &[], "", 404, "Function \"g\" not found.").await;
    let message = format!("the header If-Match does not name the present tag, which is {first}");
    check("PUT", ONE, &[("if-match", "\"0\"")], &body, 412, &message).await;
    for (query, message) in [
        ("dryRun=yes", "parameter \"dryRun\" must be true or false, not \"yes\""),
        ("dryRun", "parameter \"dryRun\" must be true or false, not \"\""),
        ("dryRun=true&dryRun=true", "parameter \"dryRun\" is given twice: give it once"),
    ] {
        door.configure("DELETE", &format!("{ONE}?{query}"), "").await.check_refused(400, message);
    }

    assert_eq!(*door.log.durable_end().borrow(), end);
    assert_eq!(tag(&door.configure("GET", ONE, "").await), first);
    assert_eq!(door.configure("DELETE", &format!("{ONE}?dryRun=false"), "").await.status, 204);
}

/// What the log keeps of the headers of the function, change by change.
async fn tokens(door: &Door) -> Vec<Value> {
    let page = door.log.read(Read::forward(system_space(), Position::ORIGIN)).await.expect("readable");
    let token = |data: &Data| {
        let value: Value = serde_json::from_slice(data.as_bytes()).expect("JSON");
        value["item"]["kind"]["http"]["headers"]["authorization"].clone()
    };
    page.events.iter().map(|recorded| token(recorded.event.data())).collect()
}

#[tokio::test]
async fn a_secret_that_is_written_back_stays() {
    let (door, _) = with_function().await;
    let hidden = json!("*****");
    let replaced = door.configure("PUT", ONE, &http_function("http://b", "*****")).await;
    assert_eq!((replaced.status, &replaced.json()["provider"]["headers"]["authorization"]), (200, &hidden));
    assert_eq!(tokens(&door).await, ["old", "old"]);

    // One gives a new secret while another one writes back what it was shown: whoever comes last, the new one holds.
    let (new, kept) = (http_function("http://b", "new"), http_function("http://c", "*****"));
    let (given, written_back) = join(door.configure("PUT", ONE, &new), door.configure("PUT", ONE, &kept)).await;
    assert_eq!((given.status, written_back.status), (200, 200));
    assert_eq!(tokens(&door).await.last(), Some(&json!("new")));

    let message = "Function doesn't validate. Validation error: unable to load function provider config: headers: \
                   \"authorization\" has no present value to keep";
    let other = kept.replace("\"f\"", "\"g\"");
    door.configure("POST", FUNCTIONS, &other).await.check_refused(400, message);
    let bare = json!({ "type": "http", "provider": { "url": "http://b" } }).to_string();
    assert_eq!(door.configure("PUT", ONE, &bare).await.status, 200);
    door.configure("PUT", ONE, &kept).await.check_refused(400, message);
}

#[tokio::test]
async fn a_space_goes_whole() {
    let door = door().await;
    let path = "/v1/spaces/shop";
    door.configure("DELETE", path, "").await.check_refused(404, "Space \"shop\" not found.");
    door.register("shop", &["a", "b"]).await;
    let listening = json!({ "type": "async", "eventType": "a" });
    door.subscribe("shop", "silent", listening.clone()).await;
    let headers = [("content-type", STRUCTURED), ("weir-space", "shop")];
    let recorded = door.request("POST", "/", &headers, &event("1", "a", "")).await;
    assert_eq!(recorded.status, 202, "{}", recorded.text());

    let refused = door.configure("DELETE", path, "").await;
    let message = "Space \"shop\" cannot be deleted because it has 2 event types, 1 function, 1 subscription.";
    refused.check_refused(400, message);
    let cure = "delete that first, or repeat the request with force=true";
    assert_eq!(refused.json()["errors"][0]["cure"], json!(cure));
    let message = "parameter \"force\" must be true or false, not \"1\"";
    door.configure("DELETE", &format!("{path}?force=1"), "").await.check_refused(400, message);
    let all = format!("{path}?force=true");
    let known = tag(&door.configure("GET", path, "").await);
    door.register("shop", &["c"]).await;
    let late = door.configure_with("DELETE", &all, &[("if-match", known.as_str())], "").await;
    assert_eq!(late.status, 412, "{}", late.text());
    assert_eq!(door.configure("DELETE", &format!("{all}&dryRun=true"), "").await.status, 204);

    let before = *door.log.durable_end().borrow();
    let deleted = door.configure("DELETE", &all, "").await;
    assert_eq!((deleted.status, deleted.text()), (204, ""));
    // One change, and one event in the log, whatever the space had.
    assert_eq!(deleted.position(), before.next().get());
    for collection in ["eventtypes", "functions", "subscriptions", "cors"] {
        let listed = door.configure("GET", &format!("{path}/{collection}"), "").await.json();
        let lists: Vec<_> = listed.as_object().expect("an object").values().collect();
        assert_eq!(lists, [&json!([])]);
    }
    door.configure("GET", path, "").await.check_refused(404, "Space \"shop\" not found.");
    assert_eq!(door.request("POST", "/", &headers, &event("2", "a", "")).await.status, 400);
    // What happened has happened, and the name can be used again.
    assert_eq!(door.read("shop", "").await.json().as_array().map(Vec::len), Some(1));
    door.register("shop", &["a"]).await;
    door.subscribe("shop", "silent", listening).await;
    let restarted = gateway(Arc::clone(&door.log), Options::default(), |log| log).await;
    let (there, here) = (restarted.configure("GET", path, "").await, door.configure("GET", path, "").await);
    assert_eq!((there.json(), tag(&there)), (here.json(), tag(&here)));
}
