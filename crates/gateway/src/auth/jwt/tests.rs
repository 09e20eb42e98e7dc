//! What is taken for a token, and what is not, whatever it says of itself.
//!
//! The tokens of the fixtures were made by another program; those of Ed25519, whose signatures are always the same, here.

use std::sync::{Arc, Mutex};

use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;

const KEYS: &str = include_str!("../../../tests/fixtures/jwt/keys.json");
const PEM: &str = include_str!("../../../tests/fixtures/jwt/keys.pem");
const RS256: &str = include_str!("../../../tests/fixtures/jwt/rs256.jwt");
const ES256: &str = include_str!("../../../tests/fixtures/jwt/es256.jwt");
/// Signed with the text of the RSA key as a shared secret.
const HS256: &str = include_str!("../../../tests/fixtures/jwt/hs256.jwt");

/// When the tests take place, in seconds since the Unix epoch.
const NOW: u64 = 1_700_000_000;

fn options(keys: &str) -> JwtOptions {
    JwtOptions {
        keys: Keys::parse(keys).expect("keys"),
        algorithms: Algorithm::ALL.to_vec(),
        issuer: "https://issuer.example".into(),
        audience: "weir".into(),
        leeway: Duration::from_secs(60),
    }
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Signs with the key `d1` of the fixture.
fn signed(header: &Value, claims: &Value) -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed");
    let signed = format!("{}.{}", encoded(header), encoded(claims));
    let signature = pair.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "kid": "d1" })
}

fn claims() -> Value {
    json!({ "iss": "https://issuer.example", "aud": "weir", "sub": "till-7", "exp": NOW + 1 })
}

fn with(mut value: Value, name: &str, member: Value) -> Value {
    value[name] = member;
    value
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().expect("an object").remove(name);
    value
}

fn verify(options: &JwtOptions, text: &str, seconds: u64) -> Result<Vec<String>, Unauthenticated> {
    let subject = options.verify(text.trim(), Timestamp::from_unix_micros(seconds * 1_000_000))?;
    assert_eq!(subject.name, "jwt:till-7");
    Ok(subject.scopes.iter().map(ToString::to_string).collect())
}

#[test]
fn tokens_of_all_algorithms_are_taken_with_keys_of_both_forms() {
    let ed = signed(&header(), &with(claims(), "scope", json!("openid emit@shop read")));
    for options in [options(KEYS), options(PEM)] {
        for text in [RS256, ES256, &ed] {
            assert_eq!(verify(&options, text, NOW), Ok(vec!["emit@shop".to_owned(), "read".to_owned()]), "{text}");
        }
    }
    // One key of a set is a set.
    let one = serde_json::from_str::<Value>(KEYS).expect("JSON")["keys"][1].to_string();
    let one = options(&one);
    assert!(verify(&one, ES256, NOW).is_ok());
    assert_eq!(verify(&one, RS256, NOW), Err(Unauthenticated::Unknown));
}

#[test]
fn the_algorithm_is_never_that_of_the_token_alone() {
    let check = |options: &JwtOptions, text: &str| {
        assert_eq!(verify(options, text, NOW), Err(Unauthenticated::Unknown), "{text}");
    };
    let all = options(KEYS);
    check(&all, HS256);
    for alg in ["none", "None", "HS256", "RS512", "PS256", "eddsa", ""] {
        let header = with(header(), "alg", json!(alg));
        check(&all, &signed(&header, &claims()));
        check(&all, &format!("{}.{}.", encoded(&header), encoded(&claims())));
    }
    // A key is for one algorithm, and a signature is made with one key.
    check(&all, &signed(&with(header(), "alg", json!("ES256")), &claims()));
    check(&all, &signed(&json!({ "alg": "RS256", "kid": "d1" }), &claims()));
    check(&all, &signed(&json!({ "alg": "EdDSA", "kid": "r1" }), &claims()));
    check(&all, &signed(&json!({ "alg": "EdDSA", "kid": "x" }), &claims()));
    let only = JwtOptions { algorithms: vec![Algorithm::Es256], ..options(KEYS) };
    assert!(verify(&only, ES256, NOW).is_ok());
    check(&only, RS256);
    check(&only, &signed(&header(), &claims()));
}

#[test]
fn every_claim_is_judged() {
    use Unauthenticated::{Expired, Malformed, Unknown};
    let all = options(KEYS);
    let check = |claims: Value, expected: Result<(), Unauthenticated>| {
        assert_eq!(verify(&all, &signed(&header(), &claims), NOW).map(drop), expected, "{claims}");
    };
    check(claims(), Ok(()));
    check(with(claims(), "aud", json!(["a", "weir"])), Ok(()));
    check(with(claims(), "exp", json!(NOW as f64 - 59.5)), Ok(()));
    check(with(claims(), "exp", json!(NOW - 60)), Err(Expired));
    check(with(claims(), "exp", json!(-1)), Err(Expired));
    check(with(claims(), "nbf", json!(NOW + 60)), Ok(()));
    check(with(claims(), "nbf", json!(NOW + 61)), Err(Unknown));
    check(with(claims(), "iss", json!("https://issuer.example/")), Err(Unknown));
    check(with(claims(), "aud", json!("weird")), Err(Unknown));
    check(with(claims(), "aud", json!([])), Err(Unknown));
    check(with(claims(), "sub", json!("")), Err(Unknown));
    check(with(claims(), "sub", json!("a".repeat(SUBJECT_BYTES_MAX + 1))), Err(Unknown));
    for name in ["iss", "aud", "sub", "exp"] {
        check(without(claims(), name), Err(Malformed));
        check(with(claims(), name, Value::Null), Err(Malformed));
    }
    check(with(claims(), "exp", json!("1700000001")), Err(Malformed));
    check(with(claims(), "scope", json!(["admin"])), Err(Malformed));
    let unscoped = verify(&all, &signed(&header(), &with(claims(), "scope", json!("openid  admin/x"))), NOW);
    assert_eq!(unscoped, Ok(vec![]));
}

#[test]
fn what_is_no_token_is_refused() {
    let all = options(KEYS);
    let check = |text: &str, expected: Unauthenticated| assert_eq!(verify(&all, text, NOW), Err(expected), "{text}");
    let good = signed(&header(), &claims());
    for text in ["", "abc", "."] {
        assert!(verify(&all, text, NOW).is_err(), "{text}");
    }
    check("a.b", Unauthenticated::Malformed);
    check(&format!("{good}=="), Unauthenticated::Malformed);
    check(&good.replacen('.', "..", 1), Unauthenticated::Unknown);
    check(&signed(&with(header(), "crit", json!(["exp"])), &claims()), Unauthenticated::Malformed);
    check(&signed(&without(header(), "alg"), &claims()), Unauthenticated::Malformed);
    // Any other character makes it another token.
    for at in [good.find('.').expect("a point") + 3, good.len() - 10] {
        let other = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
        let mut text = good.clone();
        text.replace_range(at..=at, other);
        check(&text, Unauthenticated::Unknown);
    }
}

#[test]
fn keys_that_cannot_be_used_are_told() {
    let check = |text: &str, part: &str| {
        let error = Keys::parse(text).expect_err(part);
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(error.kind(), weir_domain::ErrorKind::Invalid);
    };
    check("", "no public key");
    check("{}", "no public key");
    check(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, "no public key");
    check("{", "neither a JSON Web Key");
    check(r#"{"keys":7}"#, "neither a JSON Web Key");
    check("-----BEGIN PUBLIC KEY-----\nMCow\n", "the PEM cannot be read");
    check(&" ".repeat(256 * 1024 + 1), "more bytes");
    let key = r#"{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
    check(&format!(r#"{{"keys":[{}]}}"#, vec![key; 65].join(",")), "more than 64");
    // What is not for us is passed over, and the rest is kept.
    assert_eq!(format!("{:?}", Keys::parse(KEYS).expect("keys")), "Keys(3)");
}

/// Where keys are published; each fetch waits for what it is to say.
struct Published(tokio::sync::Mutex<mpsc::Receiver<Result<String, String>>>);

impl FetchKeys for Published {
    fn fetch(&self) -> std::pin::Pin<Box<dyn Future<Output = Result<String, String>> + Send + '_>> {
        Box::pin(async { self.0.lock().await.recv().await.unwrap_or_else(|| Err("gone".into())) })
    }
}

/// The keys of an issuer who has another one now.
fn turned() -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).expect("a seed");
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    json!({ "keys": [{ "kty": "OKP", "kid": "d2", "crv": "Ed25519", "x": x }] }).to_string()
}

#[tokio::test(start_paused = true)]
async fn published_keys_are_fetched_again_when_others_are_wanted_but_not_too_often() {
    let (publish, published) = mpsc::channel(1);
    let empty = JwtOptions { keys: Keys::default(), ..options(KEYS) };
    let source = Arc::new(Published(tokio::sync::Mutex::new(published)));
    let refresher = KeyRefresher::new(empty.keys.clone(), source);
    let stop = CancellationToken::new();
    let token = signed(&header(), &claims());
    let is_known = || verify(&empty, &token, NOW).is_ok();
    let fetches = Mutex::new(Vec::new());
    let began = tokio::time::Instant::now();
    let script = async {
        // Each is taken by one fetch: the next one can be sent when that has begun.
        let say = async |answer: Result<String, String>| {
            publish.send(answer).await.expect("somebody fetches");
            publish.reserve().await.map(drop).expect("somebody fetches");
            tokio::task::yield_now().await;
            fetches.lock().expect("not poisoned").push(began.elapsed().as_secs());
        };
        say(Ok(KEYS.to_owned())).await;
        assert!(is_known());
        // Nobody asks: the keys grow as old as they may. What fails leaves them as they are, and is tried again soon.
        say(Err("it is down".into())).await;
        assert!(is_known());
        say(Ok("{}".into())).await;
        assert!(is_known());
        say(Ok(turned())).await;
        // The old key is gone. Asking for it twice is asking once.
        assert!(!is_known() && !is_known());
        say(Ok(KEYS.to_owned())).await;
        assert!(is_known());
        stop.cancel();
    };
    tokio::join!(refresher.run(stop.clone()), script);
    assert_eq!(*fetches.lock().expect("not poisoned"), [0, 300, 330, 360, 390]);
}
