//! What can be set, and what its value may be. Where a value stands, and which one holds, is not known here.

use std::net::IpAddr;

use figment::value::{Dict, Tag, Value};
use toml::de::DeValue;

use crate::{
    document::with_article,
    report::did_you_mean,
    settings::{Settings, VARIABLE_PREFIX, otlp},
};

/// One setting.
pub(super) struct Field {
    /// Its name, with a dot behind the table it is in.
    pub(super) key: &'static str,
    /// What it may be.
    pub(super) rule: Rule,
}

/// What a value may be.
pub(super) enum Rule {
    Path,
    /// The path of a directory that is seen from the directory of the settings file where it stands in one.
    Directory,
    /// A path that is seen from the directory of the settings file where it stands in one.
    File,
    Address,
    Number {
        least: u64,
        most: u64,
    },
    Word(&'static [&'static str]),
    Levels,
    /// Any text.
    Text,
    /// Where something is published: `https`, or `http` on this machine.
    Url,
    /// Names of hosts without ports, separated by commas.
    Hosts,
    /// A receiver of OTLP.
    Endpoint,
    /// Names and values that nobody is shown.
    Headers,
    /// A number from 0 to 1, which may have a fraction.
    Ratio,
    /// Yes or no.
    Truth,
    /// Several of these, separated by commas.
    Words(&'static [&'static str]),
}

/// A value as it was given.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    /// In the environment or as a flag.
    Text(&'a str),
    /// In a file.
    Toml(&'a DeValue<'a>),
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What the log writes at once: a larger request could come in, but not be kept as a whole.
pub(super) const REQUEST_BYTES_MAX: u64 = 32 * MIB;

/// Twice what the platform itself may add to an event, with a trace, where it came in, and what made it.
const EXTENSIONS_LEAST: u64 = 16;

/// How much can be logged.
pub(super) const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Everything that can be set.
pub(super) const FIELDS: [Field; 63] = [
    Field { key: "data_dir", rule: Rule::Directory },
    Field { key: "host", rule: Rule::Address },
    Field { key: "allowed_hosts", rule: Rule::Hosts },
    Field { key: "events_port", rule: Rule::Number { least: 0, most: 65_535 } },
    Field { key: "config_port", rule: Rule::Number { least: 0, most: 65_535 } },
    Field { key: "events_tls_cert", rule: Rule::File },
    Field { key: "events_tls_key", rule: Rule::File },
    Field { key: "events_tls_client_ca", rule: Rule::File },
    Field { key: "config_tls_cert", rule: Rule::File },
    Field { key: "config_tls_key", rule: Rule::File },
    Field { key: "config_tls_client_ca", rule: Rule::File },
    Field { key: "durability", rule: Rule::Word(&["synced", "os"]) },
    Field { key: "grace_period_ms", rule: Rule::Number { least: 0, most: 3_600_000 } },
    Field { key: "log_segment_bytes", rule: Rule::Number { least: MIB, most: 16 * KIB * MIB } },
    Field { key: "access_log", rule: Rule::Word(&["off", "json", "text"]) },
    Field { key: "access_log_file", rule: Rule::File },
    Field { key: "otlp_endpoint", rule: Rule::Endpoint },
    Field { key: "otlp_headers", rule: Rule::Headers },
    Field { key: "otlp_sample_ratio", rule: Rule::Ratio },
    Field { key: "otlp_service_name", rule: Rule::Text },
    Field { key: "compatibility.profile", rule: Rule::Word(&["none", "event-gateway"]) },
    Field { key: "compatibility.unmatched_requests", rule: Rule::Truth },
    Field { key: "compatibility.base64_bodies", rule: Rule::Truth },
    Field { key: "compatibility.encoded_params", rule: Rule::Truth },
    Field { key: "compatibility.cross_space_matching", rule: Rule::Truth },
    Field { key: "compatibility.unregistered_types", rule: Rule::Truth },
    Field { key: "compatibility.old_events", rule: Rule::Truth },
    Field { key: "compatibility.only_500_fails", rule: Rule::Truth },
    Field { key: "compatibility.exact_arrivals", rule: Rule::Truth },
    Field { key: "compatibility.only_answer_objects", rule: Rule::Truth },
    Field { key: "log.format", rule: Rule::Word(&["text", "json"]) },
    Field { key: "log.level", rule: Rule::Levels },
    Field { key: "limits.event_bytes_max", rule: Rule::Number { least: KIB, most: REQUEST_BYTES_MAX } },
    Field { key: "limits.request_bytes_max", rule: Rule::Number { least: KIB, most: REQUEST_BYTES_MAX } },
    Field { key: "limits.batch_events_max", rule: Rule::Number { least: 1, most: KIB * KIB } },
    Field { key: "limits.extensions_max", rule: Rule::Number { least: EXTENSIONS_LEAST, most: KIB } },
    Field { key: "limits.attribute_bytes_max", rule: Rule::Number { least: KIB, most: 64 * KIB } },
    Field { key: "limits.head_bytes_max", rule: Rule::Number { least: 8 * KIB, most: MIB } },
    Field { key: "limits.headers_max", rule: Rule::Number { least: 16, most: 4 * KIB } },
    Field { key: "limits.hops_max", rule: Rule::Number { least: 1, most: KIB } },
    Field { key: "in_flight.requests_max", rule: Rule::Number { least: 1, most: KIB * KIB } },
    Field { key: "in_flight.bytes_max", rule: Rule::Number { least: KIB, most: 64 * KIB * MIB } },
    Field { key: "connections.open_max", rule: Rule::Number { least: 1, most: KIB * KIB } },
    Field { key: "connections.head_timeout_ms", rule: Rule::Number { least: 100, most: 3_600_000 } },
    Field { key: "connections.body_timeout_ms", rule: Rule::Number { least: 100, most: 3_600_000 } },
    Field { key: "connections.write_timeout_ms", rule: Rule::Number { least: 100, most: 3_600_000 } },
    Field { key: "connections.tls_handshake_timeout_ms", rule: Rule::Number { least: 100, most: 3_600_000 } },
    Field { key: "delivery.calls_max", rule: Rule::Number { least: 16, most: 64 * KIB } },
    Field { key: "delivery.window_bytes_max", rule: Rule::Number { least: MIB, most: 16 * KIB * MIB } },
    Field { key: "delivery.windows_bytes_max", rule: Rule::Number { least: MIB, most: 64 * KIB * MIB } },
    Field { key: "functions.cache_dir", rule: Rule::Path },
    Field { key: "auth.mode", rule: Rule::Word(&["off", "required"]) },
    Field { key: "auth.admin_token_file", rule: Rule::File },
    Field { key: "auth.jwt_keys_file", rule: Rule::File },
    Field { key: "auth.jwt_jwks_url", rule: Rule::Url },
    Field { key: "auth.jwt_issuer", rule: Rule::Text },
    Field { key: "auth.jwt_audience", rule: Rule::Text },
    Field { key: "auth.jwt_algorithms", rule: Rule::Words(&["RS256", "ES256", "EdDSA"]) },
    Field { key: "auth.jwt_leeway_s", rule: Rule::Number { least: 0, most: 3600 } },
    Field { key: "rates.requests_per_second_per_token", rule: Rule::Number { least: 0, most: 1_000_000 } },
    Field { key: "rates.requests_burst_per_token", rule: Rule::Number { least: 0, most: 1_000_000 } },
    Field { key: "rates.requests_per_second_per_space", rule: Rule::Number { least: 0, most: 1_000_000 } },
    Field { key: "rates.requests_burst_per_space", rule: Rule::Number { least: 0, most: 1_000_000 } },
];

impl Field {
    /// Finds a setting by its name.
    pub(super) fn find(key: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.key == key)
    }

    /// Returns the variable of the environment that sets it.
    pub(super) fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.key.to_ascii_uppercase().replace('.', "__"))
    }

    /// Returns the flag that sets it, where it has one.
    pub(super) fn flag(&self) -> String {
        format!("--{}", self.key.replace(['_', '.'], "-"))
    }

    /// Makes the value, or says in a sentence why it cannot be one.
    pub(super) fn read(&self, given: Given<'_>) -> Result<Value, String> {
        self.rule.read(given).map_err(|problem| format!("{} {problem}", self.key))
    }
}

impl Rule {
    fn read(&self, given: Given<'_>) -> Result<Value, String> {
        if let Self::Number { least, most } = self {
            return number(given, *least, *most);
        }
        if let Self::Ratio = self {
            return ratio(given);
        }
        if let Self::Truth = self {
            return truth(given);
        }
        let text = match given {
            Given::Text(text) => text,
            Given::Toml(DeValue::String(text)) => &**text,
            Given::Toml(other) => {
                return Err(format!("must be a text in quotes, but is {}", with_article(other.type_str())));
            }
        };
        match self {
            Self::Path | Self::Directory if text.is_empty() => Err("must not be empty: name a directory".into()),
            Self::File if text.is_empty() => Err("must not be empty: name a file".into()),
            Self::Address if text.parse::<IpAddr>().is_err() => Err(format!(
                "must be an IP address such as 127.0.0.1, or 0.0.0.0 for every network of this machine, but is {text:?}"
            )),
            Self::Word(words) if !words.contains(&text) => {
                Err(format!("cannot be {text:?}: {}", did_you_mean(text, words)))
            }
            Self::Levels => levels(text).map(|()| Value::from(text)),
            Self::Text if text.is_empty() => Err("must not be empty: leave it out where there is none".into()),
            Self::Url if !is_url(text) => Err(format!(
                "must be an absolute URL such as https://issuer.example/keys, http only for 127.0.0.1 or [::1], but is {text:?}"
            )),
            Self::Endpoint if !otlp::is_endpoint(text) => Err(format!(
                "must be the URL of a receiver of OTLP over HTTP such as http://127.0.0.1:4318, but is {text:?}"
            )),
            Self::Hosts if !text.split(',').all(is_host_name) => Err(format!(
                "must be names of hosts without ports, separated by commas, such as weir.internal,weir, but is {text:?}"
            )),
            Self::Headers => otlp::headers(text).map(|_| Value::from(text)),
            Self::Words(words) => match text.split(',').find(|word| !words.contains(word)) {
                Some(word) => Err(format!("cannot be {text:?}: {}", did_you_mean(word, words))),
                None => Ok(Value::from(text)),
            },
            _ => Ok(Value::from(text)),
        }
    }
}

/// Longest as DNS has them. An underscore is in names of containers.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(fits)
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// What comes in clear text from another machine may be anybody's.
fn is_url(text: &str) -> bool {
    let Ok(url) = text.parse::<http::Uri>() else { return false };
    let host = url.host().unwrap_or_default();
    let is_here = ["127.0.0.1", "[::1]"].contains(&host);
    let is_safe = url.scheme_str() == Some("https") || (url.scheme_str() == Some("http") && is_here);
    is_safe && !host.is_empty() && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
}

fn number(given: Given<'_>, least: u64, most: u64) -> Result<Value, String> {
    let (number, shown) = match given {
        Given::Text(text) => (text.parse::<u64>().ok(), format!("{text:?}")),
        Given::Toml(DeValue::Integer(digits)) => {
            (u64::from_str_radix(digits.as_str(), digits.radix()).ok(), digits.to_string())
        }
        Given::Toml(other) => (None, with_article(other.type_str())),
    };
    match number {
        Some(number) if (least..=most).contains(&number) => Ok(Value::from(number)),
        _ => Err(format!("must be a number from {least} to {most}, but is {shown}")),
    }
}

fn truth(given: Given<'_>) -> Result<Value, String> {
    let shown = match given {
        Given::Text("true") | Given::Toml(DeValue::Boolean(true)) => return Ok(Value::from(true)),
        Given::Text("false") | Given::Toml(DeValue::Boolean(false)) => return Ok(Value::from(false)),
        Given::Text(text) => format!("{text:?}"),
        Given::Toml(other) => with_article(other.type_str()),
    };
    Err(format!("must be true or false, but is {shown}"))
}

fn ratio(given: Given<'_>) -> Result<Value, String> {
    let (number, shown) = match given {
        Given::Text(text) => (text.parse::<f64>().ok(), format!("{text:?}")),
        Given::Toml(DeValue::Float(float)) => (float.as_str().parse().ok(), float.to_string()),
        Given::Toml(DeValue::Integer(digits)) => (digits.as_str().parse().ok(), digits.to_string()),
        Given::Toml(other) => (None, with_article(other.type_str())),
    };
    match number {
        Some(number) if (0.0..=1.0).contains(&number) => Ok(Value::from(number)),
        _ => Err(format!("must be a number from 0 to 1, but is {shown}")),
    }
}

/// A level, or several separated by commas, each with the part of the program that it is for.
///
/// Checked here because the subscriber takes every unknown word for the name of a part.
fn levels(text: &str) -> Result<(), String> {
    for directive in text.split(',') {
        let (target, level) =
            directive.rsplit_once('=').map_or((None, directive), |(target, level)| (Some(target), level));
        if !LEVELS.iter().any(|known| level.eq_ignore_ascii_case(known)) {
            return Err(format!("cannot be {text:?}: {}", did_you_mean(level, &LEVELS)));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-');
        if target.is_some_and(|target| target.is_empty() || !target.chars().all(is_name)) {
            return Err(format!("cannot be {text:?}: write levels such as info,weir_flow=debug"));
        }
    }
    Ok(())
}

/// Returns the value of every setting of a whole.
pub(super) fn values(settings: &Settings) -> Result<Vec<(&'static str, Value)>, String> {
    let whole = Value::serialize(settings).map_err(|error| error.to_string())?;
    let found = FIELDS.iter().filter_map(|field| Some((field.key, whole.find_ref(field.key)?.clone())));
    Ok(found.collect())
}

/// Adds a value to nested tables.
pub(super) fn nest(table: &mut Dict, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((outer, inner)) => {
            let place = table.entry(outer.to_owned()).or_insert_with(|| Value::Dict(Tag::Default, Dict::new()));
            if let Value::Dict(_, within) = place {
                nest(within, inner, value);
            }
        }
    }
}
