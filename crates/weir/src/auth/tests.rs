//! What is read for the guard, and what a start is refused for.

use std::fs;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use weir_catalog::{Command, Scope, Token, TokenId};
use weir_domain::{ErrorKind, SpaceName};

use super::*;
use crate::{cli::output::kind_of, run};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn settings(host: &str, mode: AuthMode) -> Settings {
    let defaults = Settings::default();
    let auth = AuthSettings { mode, ..defaults.auth.clone() };
    Settings { host: host.parse().expect("an address"), auth, ..defaults }
}

#[test]
fn a_server_that_others_reach_asks_who_they_are() {
    let check = |host: &str, mode: AuthMode, insecure: bool, is_good: bool| {
        let checked = check_reach(&settings(host, mode), insecure);
        assert_eq!(checked.is_ok(), is_good, "{host} {mode:?} {insecure}");
        if let Err(failure) = checked {
            assert_eq!(failure.kind(), ErrorKind::Invalid);
            let message = failure.to_string();
            assert!(message.contains("auth.mode") && message.contains("--insecure"), "{message}");
        }
    };
    for host in ["127.0.0.1", "127.8.0.1", "::1"] {
        check(host, AuthMode::Off, false, true);
    }
    for host in ["0.0.0.0", "::", "192.0.2.1", "::ffff:127.0.0.1"] {
        check(host, AuthMode::Off, false, false);
        check(host, AuthMode::Off, true, true);
        check(host, AuthMode::Required, false, true);
    }
}

#[test]
fn a_server_that_nobody_could_use_does_not_start() {
    let nobody = AuthOptions::default();
    let operator = AuthOptions { operator: OperatorToken::new(TOKEN), jwt: None };
    assert!(check_somebody(None, &Catalog::new()).is_ok());
    assert!(check_somebody(Some(&operator), &Catalog::new()).is_ok());
    let failure = check_somebody(Some(&nobody), &Catalog::new()).expect_err("nobody can do anything");
    assert!(failure.to_string().contains("auth.admin_token_file"), "{failure}");
    let token = Token {
        id: TokenId::parse("a").expect("valid"),
        hash: [7; 32],
        description: None,
        scopes: [Scope::parse("admin").expect("valid")].into_iter().collect(),
        expires: None,
    };
    let change = Catalog::new().plan(&SpaceName::default(), Command::CreateToken(token)).expect("good");
    let catalog = Catalog::new().apply(&change).expect("good");
    assert!(check_somebody(Some(&nobody), &catalog).is_ok());
}

#[test]
fn names_are_looked_at_where_nobody_is_asked_for_a_token() {
    let check = |host: &str, mode: AuthMode, names: Option<&str>, is_looked_at: bool| {
        let settings = Settings { allowed_hosts: names.map(str::to_owned), ..settings(host, mode) };
        let plan = run::plan(&settings).and_then(|plan| guarded(plan, &settings)).expect("good");
        let place = format!("{host} {mode:?} {names:?}");
        assert_eq!(plan.gateway.local_names_only, is_looked_at, "{place}");
        assert_eq!(plan.gateway.allowed_hosts.join(","), names.unwrap_or_default(), "{place}");
    };
    check("127.0.0.1", AuthMode::Off, None, true);
    check("127.0.0.1", AuthMode::Off, Some("weir.internal,weir"), true);
    check("0.0.0.0", AuthMode::Off, None, false);
    check("0.0.0.0", AuthMode::Off, Some("weir"), true);
    check("127.0.0.1", AuthMode::Required, Some("weir"), false);
}

#[test]
fn files_are_read_and_mistakes_in_them_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("written");
        path
    };
    let with = |auth: AuthSettings| {
        let settings = Settings { auth, ..settings("127.0.0.1", AuthMode::Required) };
        guarded(run::plan(&settings)?, &settings)
    };
    let usual = settings("127.0.0.1", AuthMode::Required).auth;
    let token = Some(file("token", &format!("{TOKEN}\n")));
    let plan = with(AuthSettings { admin_token_file: token, ..usual.clone() }).expect("good");
    let auth = plan.gateway.auth.expect("a guard");
    assert!(auth.operator.is_some() && auth.jwt.is_none() && plan.keys.is_none());

    let check = |auth: AuthSettings, kind: ErrorKind, part: &str| {
        let error = with(auth).err().expect(part);
        assert_eq!(kind_of(&error), kind, "{error:#}");
        assert!(error.to_string().contains(part), "{error:#}");
    };
    for text in ["short", "", &format!("{TOKEN} {TOKEN}")] {
        let token = Some(file("token", text));
        check(AuthSettings { admin_token_file: token, ..usual.clone() }, ErrorKind::Invalid, "openssl rand");
    }
    let gone = Some(directory.path().join("gone"));
    check(AuthSettings { admin_token_file: gone, ..usual.clone() }, ErrorKind::NotFound, "cannot be read");
    let keys = Some(file("keys", "{}"));
    check(AuthSettings { jwt_keys_file: keys, ..usual.clone() }, ErrorKind::Invalid, "no public key");
    let large = Some(file("keys", &" ".repeat(300 * 1024)));
    check(AuthSettings { jwt_keys_file: large, ..usual.clone() }, ErrorKind::Invalid, "more than 262144 bytes");
    let url = Some("https://127.0.0.1:1/keys".to_owned());
    let plan = with(AuthSettings { jwt_jwks_url: url, ..usual }).expect("nothing is fetched yet");
    assert!(plan.keys.is_some());
}

#[tokio::test]
async fn published_keys_are_read_whole_or_not_at_all() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let published = Published::new(format!("http://{address}/keys").parse().expect("a URL"));
    let large = format!("HTTP/1.1 200 OK\r\ncontent-length: {0}\r\n\r\n{1}", 300 * 1024, "a".repeat(300 * 1024));
    let cases: [(&str, Result<&str, &str>); 4] = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}", Ok("{}")),
        ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", Err("answers 503")),
        ("HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", Err("answers 302")),
        (&*large, Err("length limit")),
    ];
    for (bytes, expected) in cases {
        let served = async {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert_ne!(socket.read_buf(&mut request).await.expect("a request"), 0);
            }
            // Whoever has read enough hangs up.
            let _ = socket.write_all(bytes.as_bytes()).await;
        };
        let (text, ()) = tokio::join!(published.text(), served);
        match expected {
            Ok(expected) => assert_eq!(text.as_deref(), Ok(expected)),
            Err(part) => assert!(text.as_ref().is_err_and(|problem| problem.contains(part)), "{text:?}"),
        }
    }
}
