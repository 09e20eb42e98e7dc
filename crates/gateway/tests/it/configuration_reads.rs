//! How the configuration is read beyond what the Event Gateway knew: in pages, and under the rules of HTTP.

use serde_json::json;

use crate::support::{Answer, Door, door};

const EVENT_TYPES: &str = "/v1/spaces/shop/eventtypes";

/// The path of the next page.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?;
    let target = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\""));
    Some(target.unwrap_or_else(|| panic!("no link to a next page: {link}")).to_owned())
}

/// Follows the links from one page on, and returns the named member of everything, page by page.
async fn pages(door: &Door, path: &str, list: &str, member: &str) -> Vec<Vec<String>> {
    let (mut pages, mut path) = (Vec::new(), Some(path.to_owned()));
    while let Some(here) = path {
        let answer = door.configure("GET", &here, "").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let value = answer.json();
        let items = value[list].as_array().unwrap_or_else(|| panic!("no {list}: {value}"));
        pages.push(items.iter().map(|item| item[member].as_str().expect(member).to_owned()).collect());
        assert!(pages.len() < 10, "{pages:?}");
        path = next(&answer);
    }
    pages
}

#[tokio::test]
async fn lists_come_in_pages() {
    let door = door().await;
    for (name, team) in [("d", "x"), ("a/b c", "x y&z"), ("c", "x y&z"), ("b", "x y&z"), ("k\u{e4}se", "x y&z")] {
        door.create_in("shop", "eventtypes", json!({ "name": name, "metadata": { "team": team } })).await;
    }
    let check = async |query: &str, expected: &[&[&str]]| {
        let path = format!("{EVENT_TYPES}?{query}");
        assert_eq!(pages(&door, &path, "eventTypes", "name").await, expected, "{query}");
    };
    check("", &[&["a/b c", "b", "c", "d", "k\u{e4}se"]]).await;
    check("limit=5", &[&["a/b c", "b", "c", "d", "k\u{e4}se"]]).await;
    check("limit=2", &[&["a/b c", "b"], &["c", "d"], &["k\u{e4}se"]]).await;
    check("after=bb", &[&["c", "d", "k\u{e4}se"]]).await;
    check("after=zz&limit=1", &[&[]]).await;
    // The filter goes along, and pages are full of what it lets through.
    check("metadata.team=x+y%26z&limit=3", &[&["a/b c", "b", "c"], &["k\u{e4}se"]]).await;
    check("metadata.team=x%20y%26z&limit=1", &[&["a/b c"], &["b"], &["c"], &["k\u{e4}se"]]).await;

    // What comes and goes between two pages takes nothing else along.
    let first = door.configure("GET", &format!("{EVENT_TYPES}?limit=2"), "").await;
    assert_eq!(door.configure("DELETE", &format!("{EVENT_TYPES}/b"), "").await.status, 204);
    door.register("shop", &["aa", "bb"]).await;
    let rest = pages(&door, &next(&first).expect("there is more"), "eventTypes", "name").await;
    assert_eq!(rest, [vec!["bb", "c"], vec!["d", "k\u{e4}se"]]);

    for (query, message) in [
        ("limit=0", "parameter \"limit\" must be a number from 1 to 1000, not \"0\""),
        ("limit=x", "parameter \"limit\" must be a number from 1 to 1000, not \"x\""),
        ("after=", "parameter \"after\" must be the name or identifier of the last one that was seen, not \"\""),
        ("after=a&after=a", "parameter \"after\" is given twice: give it once"),
    ] {
        for path in [EVENT_TYPES, "/v1/spaces"] {
            door.configure("GET", &format!("{path}?{query}"), "").await.check_refused(400, message);
        }
    }
}

#[tokio::test]
async fn a_page_ends_where_it_has_too_many_bytes() {
    let door = door().await;
    let schema = json!({ "description": "x".repeat(250_000) });
    let names: Vec<String> = (10..30).map(|number| format!("type.{number}")).collect();
    for name in &names {
        door.create_in("shop", "eventtypes", json!({ "name": name, "schema": schema })).await;
    }
    // Of 4 MiB at most, without being asked for; then it goes on as every page does.
    let found = pages(&door, EVENT_TYPES, "eventTypes", "name").await;
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [16, 4]);
    assert_eq!(found.concat(), names);
}

#[tokio::test]
async fn identifiers_with_escapes_are_cursors_too() {
    let door = door().await;
    for path in ["/a", "/b", "/c"] {
        door.create_in("shop", "cors", json!({ "method": "GET", "path": path })).await;
    }
    let found = pages(&door, "/v1/spaces/shop/cors?limit=1", "cors", "corsId").await;
    assert_eq!(found, [["GET%2Fa"], ["GET%2Fb"], ["GET%2Fc"]]);
}

#[tokio::test]
async fn spaces_are_listed_and_counted() {
    let door = door().await;
    assert_eq!(door.configure("GET", "/v1/spaces", "").await.json(), json!({ "spaces": [] }));
    door.configure("GET", "/v1/spaces/shop", "").await.check_refused(404, "Space \"shop\" not found.");
    door.register("shop", &["a", "b"]).await;
    door.subscribe("shop", "echo", json!({ "type": "async", "eventType": "a" })).await;
    door.register("depot", &["a"]).await;
    let depot = json!({ "space": "depot", "eventTypes": 1, "functions": 0, "subscriptions": 0, "cors": 0 });
    let shop = json!({ "space": "shop", "eventTypes": 2, "functions": 1, "subscriptions": 1, "cors": 0 });
    assert_eq!(door.configure("GET", "/v1/spaces", "").await.json(), json!({ "spaces": [depot, shop] }));
    assert_eq!(pages(&door, "/v1/spaces?limit=1", "spaces", "space").await, [["depot"], ["shop"]]);
    let one = door.configure("GET", "/v1/spaces/shop", "").await;
    assert_eq!((one.status, one.json()), (200, shop));
    let message = "space \"weir.system\" belongs to the platform: use a space of your own";
    for method in ["GET", "DELETE"] {
        door.configure(method, "/v1/spaces/weir.system?force=true", "").await.check_refused(403, message);
    }
    // What has lost its last resource is no longer there.
    assert_eq!(door.configure("DELETE", "/v1/spaces/depot/eventtypes/a", "").await.status, 204);
    assert_eq!(pages(&door, "/v1/spaces", "spaces", "space").await, [["shop"]]);
}

#[tokio::test]
async fn a_list_has_a_tag_that_any_change_changes() {
    let door = door().await;
    for path in [EVENT_TYPES, "/v1/spaces"] {
        let read = door.configure("GET", path, "").await;
        let tag = read.header("etag").expect("a tag").to_owned();
        let same = door.configure_with("GET", path, &[("if-none-match", tag.as_str())], "").await;
        assert_eq!((same.status, same.text()), (304, ""));
        let new = format!("type-{}", tag.trim_matches('"'));
        door.register("shop", &[new.as_str()]).await;
        let other = door.configure_with("GET", path, &[("if-none-match", tag.as_str())], "").await;
        assert_eq!((other.status, other.header("etag") == Some(&*tag)), (200, false));
    }
}

#[tokio::test]
async fn requests_keep_the_rules_of_http() {
    let door = door().await;
    door.register("shop", &["a"]).await;
    // Every GET has a HEAD, with the same head.
    for path in ["/v1/status", "/v1/spaces", "/v1/spaces/shop", EVENT_TYPES, "/v1/spaces/shop/eventtypes/a"] {
        let (get, head) = (door.configure("GET", path, "").await, door.configure("HEAD", path, "").await);
        assert_eq!((head.status, head.text()), (200, ""), "{path}");
        for name in ["content-type", "etag"] {
            assert_eq!(head.header(name), get.header(name), "{path}");
        }
    }
    for (method, path, allow) in [("POST", "/v1/spaces", "GET,HEAD"), ("PUT", "/v1/spaces/shop", "GET,HEAD,DELETE")] {
        let answer = door.configure(method, path, "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)));
    }
    let body = r#"{"name":"b"}"#;
    let accept = "the header Accept excludes application/json, which all answers here are: add it, or leave it out";
    let html = [("accept", "text/html")];
    for (method, path) in [
        ("GET", EVENT_TYPES),
        ("POST", EVENT_TYPES),
        ("GET", "/v1/spaces/shop/eventtypes/a"),
        ("PUT", "/v1/spaces/shop/eventtypes/a"),
        ("GET", "/v1/spaces"),
        ("GET", "/v1/spaces/shop"),
    ] {
        door.configure_with(method, path, &html, body).await.check_refused(406, accept);
    }
    let text = "the header Content-Type is \"text/plain\": send JSON, and say application/json";
    for (method, path) in [("POST", EVENT_TYPES), ("PUT", "/v1/spaces/shop/eventtypes/a")] {
        let plain = [("content-type", "text/plain")];
        door.configure_with(method, path, &plain, body).await.check_refused(415, text);
    }
    // What `curl -d` and clients of the Event Gateway say, and what has no body to speak of.
    for (name, said) in [("c", "application/json"), ("d", "application/x-www-form-urlencoded")] {
        let headers = [("content-type", said), ("accept", "*/*")];
        let answer = door.configure_with("POST", EVENT_TYPES, &headers, &json!({ "name": name }).to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    assert_eq!(door.configure_with("DELETE", "/v1/spaces/shop/eventtypes/c", &html, "").await.status, 204);
}
