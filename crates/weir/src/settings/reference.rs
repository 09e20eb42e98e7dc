//! The reference of all settings, `docs/settings.md`: made of what the program knows, and compared with what is there.

use std::fs;

use clap::CommandFactory;
use serde_json::Value;

use super::{
    field::{LEVELS, Rule},
    *,
};
use crate::cli::Cli;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");

const INTRODUCTION: &str = "\
# Settings

Made by a test from what the program knows: `UPDATE_DOCS=1 cargo test -p weir reference` writes this page anew.

A server takes its settings from four places, the later over the former: defaults, a TOML file (`weir serve --config
FILE`; `weir dev` reads none), variables of the environment, and flags. A dot in a name is a table in the file and `__`
in a variable:

```toml
events_port = 5000                  # WEIR_EVENTS_PORT=5000, --events-port 5000

[log]
level = \"debug\"                     # WEIR_LOG__LEVEL=debug, --log-level debug
```

Every mistake in every place is told in one report, and the server does not start. `weir config show` prints the
settings that a server would have, and where each comes from. Variables that Kubernetes and linked containers set for
services, such as `WEIR_CONFIG_SERVICE_HOST`, or with a value that begins with `tcp://`, are passed over.

Started by the flags of the Event Gateway, such as `weir -dev -embed-data-dir DIR -events-port 4000`, the program stands
in for it: [the HTTP APIs](http-api.md#8-in-place-of-the-event-gateway) tells which flags there are.
";

/// What each setting is for.
const PURPOSES: [(&str, &str); 63] = [
    (
        "data_dir",
        "The directory of the log and of what is derived from it. One server uses it at a time, says at its start where \
         it is, and whether it made a new log there.",
    ),
    ("host", "The address on which both APIs listen: `0.0.0.0` is every network of this machine."),
    (
        "allowed_hosts",
        "Names of the server, without ports, to which it answers beside `localhost` and IP addresses while `auth.mode` is off \
         and only this machine reaches it; where any are set, whoever reaches it. Requests to other names are refused with \
         421: [security.md](security.md).",
    ),
    ("events_port", "The port of the Events API; 0 takes a free one."),
    ("config_port", "The port of the Configuration API; 0 takes a free one."),
    (
        "events_tls_cert",
        "The certificate of the Events API in PEM, followed by those of its issuers: with it, the API speaks TLS and \
         nothing else. [The HTTP APIs](http-api.md#tls) tells how it is replaced while the server runs.",
    ),
    ("events_tls_key", "The private key that belongs to `events_tls_cert`, in PEM, without a password."),
    (
        "events_tls_client_ca",
        "The certificates of those who issue certificates to clients, in PEM: with it, a client of the Events API that \
         has none of theirs is refused.",
    ),
    ("config_tls_cert", "As `events_tls_cert`, of the Configuration API. It may be the same file."),
    ("config_tls_key", "The private key that belongs to `config_tls_cert`."),
    ("config_tls_client_ca", "As `events_tls_client_ca`, of the Configuration API."),
    (
        "durability",
        "When an event is acknowledged: when it is on stable storage, or already when the operating system has \
         it. Then it is lost with the machine, though not with the process, and the server says so at its start.",
    ),
    (
        "grace_period_ms",
        "How long a stop may take, in milliseconds. What is in flight then is broken off, and delivered again \
         after the next start; the log has five seconds at least to be closed.",
    ),
    ("log_segment_bytes", "Size of a segment file of the log, in bytes."),
    (
        "access_log",
        "Whether each request is logged: one JSON object a line, or a line as web servers write it, which \
         [observability.md](observability.md) describes.",
    ),
    (
        "access_log_file",
        "The file to which these lines are added, and which SIGHUP opens again; without it they go to standard output.",
    ),
    (
        "otlp_endpoint",
        "Where traces and metrics are sent by OTLP over HTTP with binary protobuf: the URL without `/v1/traces` and \
         `/v1/metrics`. Without it nothing is traced or sent: [observability.md](observability.md). \
         `OTEL_EXPORTER_OTLP_ENDPOINT` sets it too, and `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_SERVICE_NAME` the ones below.",
    ),
    (
        "otlp_headers",
        "Headers that go with every export, as `name=value,name=value` with other characters percent-encoded. Nobody is \
         shown them.",
    ),
    (
        "otlp_sample_ratio",
        "Which part of the traces that begin here is recorded. A request that brings a trace along is recorded where its \
         sender records it.",
    ),
    ("otlp_service_name", "The name of this server in traces and metrics: `service.name`."),
    (
        "compatibility.profile",
        "`event-gateway` does everything as the Event Gateway did that the switches below name, but for what they turn off; \
         `none` does nothing of it but what they turn on. [http-api.md](http-api.md), section 7, tells what each means.",
    ),
    ("compatibility.unmatched_requests", "A request that nobody is subscribed to is answered with 202."),
    (
        "compatibility.base64_bodies",
        "A body of a plain request, or beside the header `Event`, is JSON only where it is an object and its media type has \
         no parameters; it is text only where it is a form, and else base64.",
    ),
    ("compatibility.encoded_params", "The parameters of a path stay percent-encoded."),
    (
        "compatibility.cross_space_matching",
        "A request to the Events API that names no space is for the routes and subscriptions of all spaces; \
         [http-api.md](http-api.md#the-space) tells how.",
    ),
    ("compatibility.unregistered_types", "Events of types that nobody registered are accepted, and kept."),
    (
        "compatibility.old_events",
        "Functions outside of the process are given CloudEvents 0.1 where they do not ask for another version, and so are \
         events within system events.",
    ),
    (
        "compatibility.only_500_fails",
        "Of a function at a URL only the status 500 is a failure; every other answer counts as done, and is the answer \
         to a caller who waits.",
    ),
    (
        "compatibility.exact_arrivals",
        "An async subscription is given what came by exactly its method and path, also where these are `POST` and `/`.",
    ),
    (
        "compatibility.only_answer_objects",
        "What a function at a URL answers to a caller who waits must be an object such as `{\"statusCode\":200}`.",
    ),
    ("log.format", "The form of the server's own log, on standard error: for people, or one JSON object a line."),
    ("log.level", "How much the server logs, as a whole or by parts of the program: `info,weir_flow=debug`."),
    ("limits.event_bytes_max", "One event, attributes and data together, in bytes."),
    ("limits.request_bytes_max", "The body of one request, in bytes; not less than one event."),
    ("limits.batch_events_max", "Events in one batch."),
    (
        "limits.extensions_max",
        "Extension attributes of one event as it is kept: with those that Weir adds, which are the method and path by which \
         it came and what an authorizer said. A trace of the request for which there is no place is left out.",
    ),
    (
        "limits.attribute_bytes_max",
        "The value of one attribute of an event, in bytes, which is also what an authorizer may say about one.",
    ),
    (
        "limits.head_bytes_max",
        "The head of one request, in bytes; HTTP/2 counts 32 more for each header. Every open connection may have as much \
         in memory. Beyond, a request is refused with 431.",
    ),
    (
        "limits.headers_max",
        "Headers of one request of HTTP/1.1; those of HTTP/2 are bounded by their bytes. Beyond, a request is refused with \
         431. Another number than 100 costs a little for each request.",
    ),
    (
        "limits.hops_max",
        "How many functions may follow one another from one first event. The event that would go further becomes a dead \
         letter that names the cycle.",
    ),
    ("in_flight.requests_max", "Requests in flight at each API. Further ones are refused with 503."),
    (
        "in_flight.bytes_max",
        "The bodies of these requests together, in bytes; and as many again of answers that clients have not read yet. \
         Requests for which there is no room are refused with 503.",
    ),
    (
        "connections.open_max",
        "Open connections of each API. Further ones wait until others end. At the start the server raises its limit of \
         open files to the hard one (`ulimit -Hn`); where that is too low, each API takes half of what the log and \
         functions leave, and the server says so in its log. With fewer than 128 it does not start.",
    ),
    (
        "connections.head_timeout_ms",
        "How long a connection may take to send the head of a request, and may idle between two, in milliseconds: then it \
         is closed.",
    ),
    (
        "connections.body_timeout_ms",
        "How long the body of a request may take, in milliseconds: then the request is refused with 408.",
    ),
    (
        "connections.write_timeout_ms",
        "How long a client may take less than 64 KiB of an answer that is sent to it, unless less is left, in \
         milliseconds: then its connection is closed, or with HTTP/2 the request given up. By default that is 2 KiB a \
         second. Who reads slowly, but faster than that, is served to the end.",
    ),
    (
        "connections.tls_handshake_timeout_ms",
        "How long the TLS handshake of a connection may take, in milliseconds: then it is closed.",
    ),
    (
        "delivery.calls_max",
        "Calls that all async subscriptions together have in flight; beside these, each of them may always have four. The \
         priority of a subscription says who comes first where so many are reached.",
    ),
    (
        "delivery.window_bytes_max",
        "Events that one async subscription reads ahead and has in memory, in bytes. What is beyond waits in the log.",
    ),
    (
        "delivery.windows_bytes_max",
        "The same of all async subscriptions together, in bytes: each has its even part of them, but never less than 64 KiB.",
    ),
    (
        "functions.cache_dir",
        "Where compiled functions are kept between starts, seen from the data directory; without it `cache` there.",
    ),
    (
        "auth.mode",
        "Whether callers must show a token: [security.md](security.md). `weir serve` refuses to be reached from other \
         machines while it is off, unless it is started with `--insecure`.",
    ),
    ("auth.admin_token_file", "A file with the token of the operator: 32 characters or more that nobody can guess."),
    ("auth.jwt_keys_file", "A file with the public keys that sign JWTs: PEM, a JSON Web Key, or a set of them."),
    ("auth.jwt_jwks_url", "Where the public keys that sign JWTs are published, as a set of JSON Web Keys."),
    ("auth.jwt_issuer", "Who makes the JWTs that are taken: their claim `iss`."),
    ("auth.jwt_audience", "For whom the JWTs that are taken are made: their claim `aud`, or one of its entries."),
    ("auth.jwt_algorithms", "The algorithms of the JWTs that are taken."),
    ("auth.jwt_leeway_s", "By how much the clock of who makes JWTs may differ, in seconds."),
    ("rates.requests_per_second_per_token", "Requests a second of each token, or subject of a JWT; 0 sets no limit."),
    ("rates.requests_burst_per_token", "How many of them at once after a pause; 0 is as many as in a second."),
    ("rates.requests_per_second_per_space", "Requests a second for each space; 0 sets no limit."),
    ("rates.requests_burst_per_space", "How many of them at once after a pause; 0 is as many as in a second."),
];

fn reference() -> String {
    let values = |settings: &Settings| serde_json::to_value(settings).expect("JSON");
    let (serve, dev) = (values(&Settings::default()), values(&Settings::for_development(Path::new("DIR"))));
    let mut text = INTRODUCTION.to_owned();
    for (field, (key, purpose)) in FIELDS.iter().zip(PURPOSES) {
        assert_eq!(field.key, key, "each setting has its purpose, in this order");
        let place = format!("/{}", field.key.replace('.', "/"));
        let [usual, in_dev] = [&serve, &dev].map(|all| shown(all.pointer(&place)));
        let allowed = allowed(&field.rule);
        text.push_str(&format!("\n## `{key}`\n\n{purpose}\n\n- {allowed}; default {usual}"));
        if in_dev != usual {
            text.push_str(&format!(", in `weir dev DIR` {in_dev}"));
        }
        text.push_str(&format!("\n- `{}`", field.variable()));
        let flag = field.flag();
        match ["serve", "dev"].map(|command| has_flag(command, &flag)) {
            [true, true] => text.push_str(&format!(", `{flag}`")),
            [true, false] => text.push_str(&format!(", `{flag}` of `weir serve`")),
            [false, true] => text.push_str(&format!(", `{flag}` of `weir dev`")),
            [false, false] => {}
        }
        text.push('\n');
    }
    text
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "none".into(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(other) => format!("`{other}`"),
    }
}

fn allowed(rule: &Rule) -> String {
    match rule {
        Rule::Path => "a path".into(),
        Rule::Directory | Rule::File => "a path, in a settings file seen from its directory".into(),
        Rule::Address => "an IP address".into(),
        Rule::Number { least, most } => format!("a number from {least} to {most}"),
        Rule::Word(words) => format!("`{}`", words.join("` or `")),
        Rule::Levels => format!("`{}`", LEVELS.join("`, `")),
        Rule::Text => "a text".into(),
        Rule::Url => "a URL that begins with `https://`, or with `http://` of this machine".into(),
        Rule::Hosts => "names of hosts without ports, separated by commas".into(),
        Rule::Endpoint => "a URL that begins with `http://` or `https://`".into(),
        Rule::Headers => "names and values".into(),
        Rule::Ratio => "a number from 0 to 1".into(),
        Rule::Truth => "`true` or `false`".into(),
        Rule::Words(words) => format!("`{}`, separated by commas", words.join("`, `")),
    }
}

fn has_flag(command: &str, flag: &str) -> bool {
    let cli = Cli::command();
    let command = cli.find_subcommand(command).expect("a command");
    command.get_arguments().filter_map(clap::Arg::get_long).any(|long| flag.strip_prefix("--") == Some(long))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether to write is asked of this run of the test, not of the program")]
fn the_reference_is_what_the_program_knows() {
    let expected = reference();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(FILE, &expected).expect("written");
    }
    let found = fs::read_to_string(FILE).expect("readable");
    assert_eq!(found, expected, "docs/settings.md: write it with UPDATE_DOCS=1 cargo test -p weir reference");
}
