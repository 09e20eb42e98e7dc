//! From a server that lets in everybody to one that asks for tokens, with the commands that do it.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    cli::weir,
    process::{Server, directory},
};

/// Tells whether a text stands in any file of a directory.
fn is_kept(text: &str, directory: &Path) -> bool {
    fs::read_dir(directory).expect("readable").any(|entry| {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            return is_kept(text, &path);
        }
        let bytes = fs::read(&path).expect("readable");
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    })
}

#[test]
fn a_server_is_closed_with_a_token_of_its_own() {
    let directory = directory();
    let data = directory.path().join("data");
    let open = Server::start(&data);
    let url = format!("http://{}", open.config);
    let made = weir(&["token", "create", "--scope", "admin", "--url", &url], &[]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let token = made.out.trim().to_owned();
    assert!(token.starts_with("weir_") && made.err.contains("it is not shown again"), "{made:?}");
    assert_eq!(open.terminate(), Some(0));
    let secret = &token[token.len() - 43..];
    assert!(is_kept("weir.token.created", &data) && !is_kept(secret, &data));

    let settings = directory.path().join("weir.toml");
    fs::write(&settings, "[auth]\nmode = \"required\"\n").expect("written");
    let file = directory.path().join("token");
    fs::write(&file, &made.out).expect("written");
    let closed = Server::start_with(&data, &settings);
    let url = format!("http://{}", closed.config);
    let ask = |args: &[&str], token: &str| weir(&[args, &["--url", &url]].concat(), &[("WEIR_TOKEN", token)]);
    let refused = ask(&["token", "list"], "");
    assert!(refused.code == Some(7) && refused.err.contains("the request shows no token"), "{refused:?}");
    assert!(refused.err.contains("give --token-file FILE, or set WEIR_TOKEN"), "{refused:?}");
    let refused = ask(&["tail"], "weir_a_b");
    assert!(refused.code == Some(7) && refused.err.contains("the token is not valid"), "{refused:?}");
    let listed = ask(&["token", "list", "--token-file", file.to_str().expect("UTF-8")], "");
    assert!(listed.code == Some(0) && listed.out.contains("admin") && !listed.out.contains(secret), "{listed:?}");

    let made = ask(&["token", "create", "--scope", "read@default", "--days", "1", "--json"], &token);
    let made: Value = serde_json::from_str(&made.out).expect("JSON");
    let (id, reader) = (made["tokenId"].as_str().expect("an id"), made["token"].as_str().expect("a token"));
    assert_eq!(ask(&["tail"], reader).code, Some(0));
    assert_eq!(ask(&["token", "list"], reader).code, Some(7));
    let revoked = ask(&["token", "revoke", id], &token);
    assert!(revoked.code == Some(0) && revoked.err.contains(id), "{revoked:?}");
    assert_eq!(ask(&["tail"], reader).code, Some(7));
    assert_eq!(ask(&["token", "revoke", id], &token).code, Some(3));
    assert_eq!(closed.terminate(), Some(0));
}

#[test]
fn a_server_that_nobody_could_use_says_so() {
    let directory = directory();
    let data = directory.path().join("data");
    let args = ["serve", "--data-dir", data.to_str().expect("UTF-8"), "--events-port", "0", "--config-port", "0"];
    let ended = weir(&args, &[("WEIR_AUTH__MODE", "required")]);
    assert!(ended.code == Some(2) && ended.err.contains("there is no token that could be shown"), "{ended:?}");
}
