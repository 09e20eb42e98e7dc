//! The settings of a server: defaults, a TOML file, the environment and flags, in this order, the later over the former.
//!
//! Every mistake in every layer is told in one report, with the line, variable or flag where it stands, also where a
//! later layer would have covered it. What an application consists of is no setting: that is the manifest's.

mod auth;
mod compatibility;
mod field;
mod layer;
mod otlp;
mod tls;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

use figment::Figment;
use serde::{Deserialize, Serialize};
use weir_domain::ErrorKind;

use crate::report::{self, Fault};

use compatibility::CompatibilitySettings;
use field::FIELDS;
use layer::Layer;
use otlp::Ratio;

/// What every variable of the environment that sets something begins with.
const VARIABLE_PREFIX: &str = "WEIR_";

/// The settings of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The directory of the log and of what is derived from it.
    pub(crate) data_dir: PathBuf,
    /// The address on which both APIs listen.
    pub(crate) host: IpAddr,
    /// Names that a server answers to which asks nobody for a token, beside those of this machine, separated by commas.
    pub(crate) allowed_hosts: Option<String>,
    /// The port of the Events API; 0 takes a free one.
    pub(crate) events_port: u16,
    /// The port of the Configuration API; 0 takes a free one.
    pub(crate) config_port: u16,
    /// The certificate of the Events API with those of its issuers, in PEM; without it, there is no TLS.
    pub(crate) events_tls_cert: Option<PathBuf>,
    /// The private key that belongs to it, in PEM.
    pub(crate) events_tls_key: Option<PathBuf>,
    /// The certificates of those who issue certificates to clients, in PEM: with it, clients must have one of theirs.
    pub(crate) events_tls_client_ca: Option<PathBuf>,
    /// The same of the Configuration API.
    pub(crate) config_tls_cert: Option<PathBuf>,
    /// The private key that belongs to it.
    pub(crate) config_tls_key: Option<PathBuf>,
    /// Those who issue certificates to clients of the Configuration API.
    pub(crate) config_tls_client_ca: Option<PathBuf>,
    /// When an event counts as kept.
    pub(crate) durability: Durability,
    /// How long requests and calls in flight may take after a stop was asked for, in milliseconds.
    pub(crate) grace_period_ms: u64,
    /// Size of a segment file of the log in bytes.
    pub(crate) log_segment_bytes: u64,
    /// Whether each request is logged, and in which form.
    pub(crate) access_log: AccessLog,
    /// The file for that; without it, standard output.
    pub(crate) access_log_file: Option<PathBuf>,
    /// Where traces and metrics are sent by OTLP; without it, nowhere.
    pub(crate) otlp_endpoint: Option<String>,
    /// Headers that go along, as names and values. They are secrets.
    pub(crate) otlp_headers: Option<String>,
    /// Which part of the traces that begin here is recorded.
    pub(crate) otlp_sample_ratio: Ratio,
    /// The name that traces and metrics carry.
    pub(crate) otlp_service_name: String,
    /// What is done as the Event Gateway did.
    pub(crate) compatibility: CompatibilitySettings,
    /// What the server writes about itself.
    pub(crate) log: LogSettings,
    /// What events and requests may be.
    pub(crate) limits: LimitSettings,
    /// What may be in flight at the same time.
    pub(crate) in_flight: InFlightSettings,
    /// What connections may do.
    pub(crate) connections: ConnectionSettings,
    /// How events are delivered.
    pub(crate) delivery: DeliverySettings,
    /// What functions need.
    pub(crate) functions: FunctionSettings,
    /// Who is let in.
    pub(crate) auth: AuthSettings,
    /// How many requests are let in.
    pub(crate) rates: RateSettings,
}

/// When an event counts as kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// When it is on stable storage.
    #[default]
    Synced,
    /// When the operating system has it: lost with the machine, not with the process.
    Os,
}

/// Whether each request is logged, and in which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AccessLog {
    /// None is.
    #[default]
    Off,
    /// One JSON object a line, for programs.
    Json,
    /// A line as web servers write it.
    Text,
}

/// What the server writes about itself, to standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogSettings {
    /// The form of a line.
    pub(crate) format: LogFormat,
    /// How much: a level, or levels for parts of the program, such as `info,weir_flow=debug`.
    pub(crate) level: String,
}

/// The form of a line of the server's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// What events and requests may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitSettings {
    /// One event, attributes and data together, in bytes.
    pub(crate) event_bytes_max: usize,
    /// The body of one request in bytes.
    pub(crate) request_bytes_max: usize,
    /// Events in one batch.
    pub(crate) batch_events_max: usize,
    /// Extension attributes of one event.
    pub(crate) extensions_max: usize,
    /// The value of one attribute in bytes.
    pub(crate) attribute_bytes_max: usize,
    /// The head of one request in bytes.
    pub(crate) head_bytes_max: usize,
    /// Headers of one request of HTTP/1.1.
    pub(crate) headers_max: usize,
    /// How many functions may follow one another from one first event.
    pub(crate) hops_max: u32,
}

/// What may be in flight at the same time; beyond, requests are refused with 503.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InFlightSettings {
    /// Requests of each API.
    pub(crate) requests_max: usize,
    /// Bytes of the bodies of these requests together, and of answers that were not read yet.
    pub(crate) bytes_max: usize,
}

/// What the connections of each API may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionSettings {
    /// How many may be open; beyond, connections wait to be accepted.
    pub(crate) open_max: usize,
    /// How long the head of a request may take, and a connection may idle between two, in milliseconds.
    pub(crate) head_timeout_ms: u64,
    /// How long the body of a request may take, in milliseconds.
    pub(crate) body_timeout_ms: u64,
    /// How long a client may read nothing at all of its answer, in milliseconds.
    pub(crate) write_timeout_ms: u64,
    /// How long a TLS handshake may take, in milliseconds.
    pub(crate) tls_handshake_timeout_ms: u64,
}

/// How events are delivered to async subscriptions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeliverySettings {
    /// Calls that all of them together have in flight.
    pub(crate) calls_max: usize,
    /// Bytes of events that one of them reads ahead.
    pub(crate) window_bytes_max: usize,
    /// Bytes of events that all of them together read ahead.
    pub(crate) windows_bytes_max: usize,
}

/// What functions need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunctionSettings {
    /// Where compiled components are kept between starts; none is a place in the data directory.
    pub(crate) cache_dir: Option<PathBuf>,
}

/// Who is let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthSettings {
    /// Whether callers are asked who they are.
    pub(crate) mode: AuthMode,
    /// A file with the token of the operator.
    pub(crate) admin_token_file: Option<PathBuf>,
    /// A file with the public keys of JWTs: PEM, a JSON Web Key, or a set of them.
    pub(crate) jwt_keys_file: Option<PathBuf>,
    /// Where the public keys of JWTs are published as a set of JSON Web Keys.
    pub(crate) jwt_jwks_url: Option<String>,
    /// Who makes JWTs: their claim `iss`.
    pub(crate) jwt_issuer: Option<String>,
    /// For whom JWTs must be made: their claim `aud`.
    pub(crate) jwt_audience: Option<String>,
    /// The algorithms of JWTs that are taken, separated by commas.
    pub(crate) jwt_algorithms: String,
    /// By how much the clock of who makes JWTs may differ, in seconds.
    pub(crate) jwt_leeway_s: u64,
}

/// Whether callers are asked who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuthMode {
    /// Whoever reaches the server may do everything.
    Off,
    /// Whoever shows no token is refused.
    Required,
}

/// How many requests are let in; 0 sets no limit, and a burst of 0 is what comes in a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateSettings {
    /// Of each token.
    pub(crate) requests_per_second_per_token: u32,
    /// Of each token at once.
    pub(crate) requests_burst_per_token: u32,
    /// For each space.
    pub(crate) requests_per_second_per_space: u32,
    /// For each space at once.
    pub(crate) requests_burst_per_space: u32,
}

impl Default for Settings {
    /// What `weir serve` takes where nothing is said.
    fn default() -> Self {
        let limits = weir_domain::Limits::default();
        let gateway = weir_gateway::Options::default();
        let flow = weir_flow::Options::default();
        Self {
            data_dir: "weir-data".into(),
            host: Ipv4Addr::LOCALHOST.into(),
            allowed_hosts: None,
            events_port: 4000,
            config_port: 4001,
            events_tls_cert: None,
            events_tls_key: None,
            events_tls_client_ca: None,
            config_tls_cert: None,
            config_tls_key: None,
            config_tls_client_ca: None,
            durability: Durability::Synced,
            grace_period_ms: 30_000,
            log_segment_bytes: weir_log_embedded::Options::default().segment_bytes,
            access_log: AccessLog::Off,
            access_log_file: None,
            otlp_endpoint: None,
            otlp_headers: None,
            otlp_sample_ratio: Ratio::WHOLE,
            otlp_service_name: "weir".into(),
            compatibility: CompatibilitySettings::default(),
            log: LogSettings { format: LogFormat::Json, level: "info".into() },
            limits: LimitSettings {
                event_bytes_max: limits.event_bytes_max,
                request_bytes_max: limits.request_bytes_max,
                batch_events_max: limits.batch_events_max,
                extensions_max: limits.extensions_max,
                attribute_bytes_max: limits.attribute_bytes_max,
                head_bytes_max: gateway.head_bytes_max,
                headers_max: gateway.headers_max,
                hops_max: limits.hops_max,
            },
            in_flight: InFlightSettings { requests_max: gateway.requests_max, bytes_max: gateway.in_flight_bytes_max },
            connections: ConnectionSettings {
                open_max: gateway.connections_max,
                head_timeout_ms: gateway.header_read_timeout.as_millis() as u64,
                body_timeout_ms: gateway.body_read_timeout.as_millis() as u64,
                write_timeout_ms: gateway.write_timeout.as_millis() as u64,
                tls_handshake_timeout_ms: gateway.handshake_timeout.as_millis() as u64,
            },
            delivery: DeliverySettings {
                calls_max: flow.deliveries_max,
                window_bytes_max: flow.window_bytes_max,
                windows_bytes_max: flow.windows_bytes_max,
            },
            functions: FunctionSettings { cache_dir: None },
            auth: AuthSettings {
                mode: AuthMode::Off,
                admin_token_file: None,
                jwt_keys_file: None,
                jwt_jwks_url: None,
                jwt_issuer: None,
                jwt_audience: None,
                jwt_algorithms: "RS256,ES256,EdDSA".into(),
                jwt_leeway_s: 60,
            },
            rates: RateSettings {
                requests_per_second_per_token: 0,
                requests_burst_per_token: 0,
                requests_per_second_per_space: 0,
                requests_burst_per_space: 0,
            },
        }
    }
}

impl Settings {
    /// What `weir dev` takes where nothing is said: data beside the application, and a log for people.
    pub(crate) fn for_development(directory: &Path) -> Self {
        let log = LogSettings { format: LogFormat::Text, level: "warn".into() };
        Self { data_dir: directory.join(".weir"), log, ..Self::default() }
    }

    /// Puts the layers over one another.
    ///
    /// # Errors
    /// All mistakes in all layers.
    pub(crate) fn load(sources: &Sources) -> Result<(Self, Origins), SettingsError> {
        let mut faults = Vec::new();
        let mut is_missing = false;
        let mut faulty: Vec<&'static str> = Vec::new();
        let mut figment = Figment::new();
        for layer in [
            Layer::defaults(&sources.defaults),
            sources.file.as_deref().map(Layer::file).unwrap_or_default(),
            Layer::environment(&sources.environment),
            Layer::flags(&sources.flags),
        ] {
            // What a later layer sets well is a value like others, whatever stood in an earlier one.
            faulty.retain(|key| !layer.sets(key));
            faulty.extend_from_slice(layer.faulty());
            faults.extend_from_slice(layer.faults());
            is_missing |= layer.is_missing();
            figment = figment.merge(layer);
        }
        let origins = Origins::of(&figment);
        match figment.extract::<Self>() {
            Ok(settings) => {
                faults.extend(settings.contradictions(&origins, &faulty));
                if faults.is_empty() { Ok((settings, origins)) } else { Err(SettingsError { faults, is_missing }) }
            }
            Err(error) => {
                // The layers have checked every value: this speaks up where they and the type have come apart.
                if faults.is_empty() {
                    faults.push(Fault::new("settings", error.to_string()));
                }
                Err(SettingsError { faults, is_missing })
            }
        }
    }

    /// Finds values that exclude one another, and files that cannot be used, unless one of them is a mistake anyway.
    fn contradictions(&self, origins: &Origins, faulty: &[&str]) -> Vec<Fault> {
        let sound = |keys: [&str; 2]| !keys.iter().any(|key| faulty.contains(key));
        let mut faults = Vec::new();
        let keys = ["events_port", "config_port"];
        if self.events_port == self.config_port && self.events_port != 0 && sound(keys) {
            let message = format!("both APIs are to listen on port {}: give each a port of its own", self.events_port);
            faults.push(Fault::new(origins.changed(keys), message));
        }
        let keys = ["limits.event_bytes_max", "limits.request_bytes_max"];
        let (event, request) = (self.limits.event_bytes_max, self.limits.request_bytes_max);
        if event > request && sound(keys) {
            let message = format!(
                "an event of {event} bytes cannot come in a request of {request}: \
                 lower limits.event_bytes_max or raise limits.request_bytes_max"
            );
            faults.push(Fault::new(origins.changed(keys), message));
        }
        let keys = ["access_log_file", "access_log"];
        if self.access_log_file.is_some() && self.access_log == AccessLog::Off && sound(keys) {
            let message =
                "access_log_file is set, but access_log is off and nothing is written there: set it to json or text";
            faults.push(Fault::new(origins.changed(keys), message));
        }
        faults.extend(auth::contradictions(self, origins, faulty));
        faults.extend(tls::faults(self, origins, faulty));
        faults
    }
}

/// Where settings come from.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    /// What holds where nothing is said.
    pub(crate) defaults: Settings,
    /// A TOML file.
    pub(crate) file: Option<PathBuf>,
    /// Variables of the environment; those that do not begin with `WEIR_` are passed over.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Keys and values that were given as flags; the flag of `log.level` is `--log-level`.
    pub(crate) flags: Vec<(&'static str, String)>,
}

/// Settings whose values are shown to nobody.
pub(crate) const SECRETS: [&str; 1] = ["otlp_headers"];

/// What every command shows to a server, where no flag says otherwise. It is no setting: a server passes it over.
const TOKEN_VARIABLE: &str = "WEIR_TOKEN";

/// Reads the token in the environment that a command shows to a server.
#[expect(clippy::disallowed_methods, reason = "settings are the one place that reads the environment")]
pub(crate) fn token_variable() -> Option<OsString> {
    std::env::var_os(TOKEN_VARIABLE).filter(|value| !value.is_empty())
}

/// Reads the environment of the process.
#[expect(clippy::disallowed_methods, reason = "settings are the one place that reads the environment")]
pub(crate) fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// Where each value comes from: `default`, a file with a line, a variable, or a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origins(BTreeMap<&'static str, String>);

impl Origins {
    fn of(figment: &Figment) -> Self {
        let origins = FIELDS.iter().map(|field| {
            let parts: Vec<&str> = field.key.split('.').collect();
            let metadata = figment.find_metadata(field.key);
            let origin = metadata.map(|metadata| metadata.interpolate(figment.profile(), &parts));
            (field.key, origin.unwrap_or_else(|| layer::DEFAULT.into()))
        });
        Self(origins.collect())
    }

    /// Returns the origin of a value.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or(layer::DEFAULT, String::as_str)
    }

    /// Returns all keys with their origins.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(key, origin)| (*key, origin.as_str()))
    }

    /// Returns the origin of the first value that somebody has set.
    fn changed(&self, keys: [&str; 2]) -> &str {
        keys.into_iter().map(|key| self.get(key)).find(|origin| *origin != layer::DEFAULT).unwrap_or(layer::DEFAULT)
    }
}

/// The mistakes in the settings, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettingsError {
    faults: Vec<Fault>,
    /// Whether the file of settings is not there.
    is_missing: bool,
}

impl SettingsError {
    /// Returns what the reader must do next: correct the settings, or name another file where nothing else is wrong.
    pub(crate) fn kind(&self) -> ErrorKind {
        if self.is_missing && self.faults.len() == 1 { ErrorKind::NotFound } else { ErrorKind::Invalid }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        report::list(f, "the settings have", &self.faults)
    }
}

impl std::error::Error for SettingsError {}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
