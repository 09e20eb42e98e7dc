//! Layers over one another, and the report of everything that is wrong with them.

use std::{fs, net::Ipv4Addr};

use super::*;

fn sources(variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Sources {
    Sources {
        defaults: Settings::default(),
        file: None,
        environment: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        flags: flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
    }
}

fn faults(sources: &Sources) -> Vec<String> {
    let error = Settings::load(sources).expect_err("mistakes");
    error.faults.iter().map(ToString::to_string).collect()
}

#[test]
fn every_setting_has_a_rule_and_a_default() {
    fn keys(prefix: &str, value: &serde_json::Value, found: &mut Vec<String>) {
        for (key, value) in value.as_object().expect("a table") {
            match value.is_object() {
                true => keys(&format!("{prefix}{key}."), value, found),
                false => found.push(format!("{prefix}{key}")),
            }
        }
    }
    let mut found = Vec::new();
    keys("", &serde_json::to_value(Settings::default()).expect("JSON"), &mut found);
    found.sort();
    let mut ruled: Vec<_> = FIELDS.iter().map(|field| field.key.to_owned()).collect();
    ruled.sort();
    assert_eq!(found, ruled);
    let (settings, origins) = Settings::load(&sources(&[], &[])).expect("defaults are good");
    assert_eq!(settings, Settings::default());
    assert!(origins.iter().all(|(_, origin)| origin == layer::DEFAULT));
}

#[test]
fn what_a_request_may_have_can_be_written_at_once() {
    let batch = weir_log_embedded::Options::default().batch_bytes_max;
    assert_eq!(u64::try_from(batch), Ok(field::REQUEST_BYTES_MAX));
}

#[test]
fn later_layers_cover_earlier_ones() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("server.toml");
    let text =
        "events_port = 5000\nconfig_port = 5001\ndurability = \"os\"\n\n[log]\nlevel = \"warn\"\nformat = \"text\"\n";
    fs::write(&file, text).expect("written");
    let variables = [("WEIR_CONFIG_PORT", "6001"), ("WEIR_LOG__LEVEL", "debug"), ("PATH", "/bin")];
    let mut sources = sources(&variables, &[("log.level", "info,weir_flow=trace"), ("host", "0.0.0.0")]);
    sources.file = Some(file.clone());
    let (settings, origins) = Settings::load(&sources).expect("good");
    assert_eq!((settings.events_port, settings.config_port), (5000, 6001));
    assert_eq!(settings.durability, Durability::Os);
    assert_eq!(settings.host, Ipv4Addr::UNSPECIFIED);
    assert_eq!((settings.log.level.as_str(), settings.log.format), ("info,weir_flow=trace", LogFormat::Text));
    let check = |key: &str, origin: &str| assert_eq!(origins.get(key), origin, "{key}");
    check("events_port", &format!("{}:1", file.display()));
    check("config_port", "WEIR_CONFIG_PORT");
    check("log.level", "--log-level");
    check("log.format", &format!("{}:7", file.display()));
    check("host", "--host");
    check("data_dir", "default");
}

#[test]
fn every_mistake_of_every_layer_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("server.toml");
    let text = "evnts_port = 1\nevents_port = \"4000\"\nlog = 1\n\n[limits]\nevent_bytes_max = 1\nfoo = 2\n";
    fs::write(&file, text).expect("written");
    let variables = [("WEIR_EVENTS_PORT", "many"), ("WEIR_LOG_LEVEL", "info"), ("WEIR_DURABILITY", "sync")];
    let mut sources = sources(&variables, &[("host", "localhost"), ("log.level", "inof")]);
    sources.file = Some(file.clone());
    let name = file.display();
    let expected = [
        format!("{name}:1: there is no setting evnts_port: did you mean \"events_port\"?"),
        format!("{name}:3: log must be a table such as [log], but is an integer"),
        format!("{name}:7: there is no setting limits.foo: choose one of {}", layer_keys()),
        format!("{name}:2: events_port must be a number from 0 to 65535, but is a string"),
        format!("{name}:6: limits.event_bytes_max must be a number from 1024 to 33554432, but is 1"),
        "WEIR_EVENTS_PORT: events_port must be a number from 0 to 65535, but is \"many\"".into(),
        "WEIR_LOG_LEVEL: there is no variable WEIR_LOG_LEVEL: did you mean \"WEIR_LOG__LEVEL\"?".into(),
        "WEIR_DURABILITY: durability cannot be \"sync\": did you mean \"synced\"?".into(),
        "--host: host must be an IP address such as 127.0.0.1, or 0.0.0.0 for every network of this machine, \
         but is \"localhost\""
            .into(),
        "--log-level: log.level cannot be \"inof\": did you mean \"info\"?".into(),
    ];
    let mut found = faults(&sources);
    let mut expected = expected.to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let report = Settings::load(&sources).expect_err("mistakes").to_string();
    assert!(report.starts_with("the settings have 10 mistakes\n  "), "{report}");
}

fn layer_keys() -> String {
    FIELDS.iter().map(|field| field.key).collect::<Vec<_>>().join(", ")
}

#[test]
fn values_that_exclude_one_another_are_mistakes() {
    let found = faults(&sources(&[("WEIR_CONFIG_PORT", "4000")], &[]));
    assert_eq!(found, ["WEIR_CONFIG_PORT: both APIs are to listen on port 4000: give each a port of its own"]);
    let any = sources(&[], &[("events_port", "0"), ("config_port", "0")]);
    assert!(Settings::load(&any).is_ok());
    let found = faults(&sources(&[("WEIR_LIMITS__REQUEST_BYTES_MAX", "2048")], &[]));
    let expected = "WEIR_LIMITS__REQUEST_BYTES_MAX: an event of 1048576 bytes cannot come in a request of 2048: \
                    lower limits.event_bytes_max or raise limits.request_bytes_max";
    assert_eq!(found, [expected]);
    let found = faults(&sources(&[("WEIR_ACCESS_LOG_FILE", "access.log")], &[]));
    let lonely = "WEIR_ACCESS_LOG_FILE: access_log_file is set, but access_log is off and nothing is written there: set it \
                  to json or text";
    assert_eq!(found, [lonely]);
    // What is a mistake by itself is not held against others.
    let found = faults(&sources(&[("WEIR_EVENTS_PORT", "x"), ("WEIR_CONFIG_PORT", "4000")], &[]));
    let mistake = "WEIR_EVENTS_PORT: events_port must be a number from 0 to 65535, but is \"x\"";
    assert_eq!(found, [mistake]);
    // What a later layer sets instead is.
    let variables = [("WEIR_EVENTS_PORT", "x"), ("WEIR_CONFIG_PORT", "4001")];
    let found = faults(&sources(&variables, &[("events_port", "4001")]));
    assert_eq!(found, [mistake, "--events-port: both APIs are to listen on port 4001: give each a port of its own"]);
}

#[test]
fn what_authentication_needs_is_told() {
    let check = |variables: &[(&str, &str)], expected: &[&str]| {
        let found = Settings::load(&sources(variables, &[])).err().map(|error| error.faults).unwrap_or_default();
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{variables:?}");
    };
    let required = ("WEIR_AUTH__MODE", "required");
    let (keys, url) = (("WEIR_AUTH__JWT_KEYS_FILE", "k.pem"), ("WEIR_AUTH__JWT_JWKS_URL", "https://a.example/keys"));
    let (issuer, audience) = (("WEIR_AUTH__JWT_ISSUER", "https://a.example"), ("WEIR_AUTH__JWT_AUDIENCE", "weir"));
    // The token that commands show is no setting.
    check(&[required, ("WEIR_TOKEN", "weir_a_b")], &[]);
    check(&[required, url, issuer, audience], &[]);
    let off = "WEIR_AUTH__ADMIN_TOKEN_FILE: auth.admin_token_file is set, but auth.mode is off and everybody is \
               let in: set it to required";
    check(&[("WEIR_AUTH__ADMIN_TOKEN_FILE", "t")], &[off]);
    let lacking = "WEIR_AUTH__JWT_KEYS_FILE: auth.jwt_keys_file needs auth.jwt_audience beside it, else tokens that were \
                   made for others would be taken: set it";
    check(&[required, keys, issuer], &[lacking]);
    let both =
        "WEIR_AUTH__JWT_KEYS_FILE: auth.jwt_keys_file and auth.jwt_jwks_url both say where keys are: set one of them";
    check(&[required, keys, url, issuer, audience], &[both]);
    let algorithm =
        "WEIR_AUTH__JWT_ALGORITHMS: auth.jwt_algorithms cannot be \"RS256,none\": choose one of RS256, ES256, EdDSA";
    check(&[required, ("WEIR_AUTH__JWT_ALGORITHMS", "RS256,none")], &[algorithm]);
    for wrong in ["http://a.example/keys", "/keys", "https://", "https://user@a.example/", "ftp://127.0.0.1/"] {
        let faults = faults(&sources(&[required, ("WEIR_AUTH__JWT_JWKS_URL", wrong)], &[]));
        assert_eq!(faults.len(), 1, "{wrong}");
    }
}

#[test]
fn what_tls_needs_and_cannot_use_is_told_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("UTF-8").to_owned();
    let (certificate, key, text) = (path("certificate.pem"), path("key.pem"), path("text.pem"));
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    fs::write(&certificate, issued.cert.pem()).expect("written");
    fs::write(&key, issued.signing_key.serialize_pem()).expect("written");
    fs::write(&text, "text").expect("written");

    let good = [("WEIR_EVENTS_TLS_CERT", certificate.as_str()), ("WEIR_EVENTS_TLS_KEY", key.as_str())];
    let (settings, _) =
        Settings::load(&sources(&good, &[("events_tls_client_ca", certificate.as_str())])).expect("good");
    assert_eq!(settings.events_tls().map(|files| files.key), Some(PathBuf::from(&key)));
    assert_eq!(settings.config_tls(), None);

    let variables = [("WEIR_EVENTS_TLS_CERT", certificate.as_str()), ("WEIR_CONFIG_TLS_KEY", "/nowhere/key.pem")];
    let found = faults(&sources(&variables, &[("config_tls_client_ca", certificate.as_str())]));
    assert_eq!(found[0], "WEIR_EVENTS_TLS_CERT: events_tls_cert needs the key that belongs to it: set events_tls_key");
    let lonely = "config_tls_key needs the certificate that it belongs to: set config_tls_cert";
    assert_eq!(found[1], format!("WEIR_CONFIG_TLS_KEY: {lonely}"));
    let missing = "/nowhere/key.pem cannot be read: check that it exists and that the server may read it: ";
    assert!(found[2].starts_with(&format!("WEIR_CONFIG_TLS_KEY: {missing}")), "{found:?}");
    assert_eq!(found.len(), 3);
    let found = faults(&sources(&[], &[("events_tls_client_ca", certificate.as_str())]));
    let lonely = "events_tls_client_ca asks clients for certificates, which only TLS can: \
                  set events_tls_cert and events_tls_key";
    assert_eq!(found, [format!("--events-tls-client-ca: {lonely}")]);

    let of_key = format!("{text} has no private key: give it one in PEM");
    let of_ca = format!("{text} has no certificate: give it one in PEM");
    for (name, beginning) in [("events_tls_key", of_key), ("events_tls_client_ca", of_ca)] {
        let found = faults(&sources(&good, &[(name, text.as_str())]));
        let place = format!("--{}", name.replace('_', "-"));
        assert!(found.len() == 1 && found[0].starts_with(&format!("{place}: {beginning}")), "{found:?}");
    }
}

#[test]
fn a_settings_file_names_other_files_from_where_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("server.toml");
    let text =
        "data_dir = \"data\"\nevents_tls_cert = \"tls/certificate.pem\"\nevents_tls_key = \"/nowhere/key.pem\"\n";
    fs::write(&file, text).expect("written");
    let mut sources = sources(&[], &[]);
    sources.file = Some(file.clone());
    let found = faults(&sources);
    let certificate = directory.path().join("tls/certificate.pem");
    for (line, path) in [(2, certificate.as_path()), (3, Path::new("/nowhere/key.pem"))] {
        let expected = format!("{}:{line}: {} cannot be read: ", file.display(), path.display());
        assert!(found.iter().any(|fault| fault.starts_with(&expected)), "{expected}: {found:?}");
    }
    assert_eq!(found.len(), 2);
}

#[test]
fn the_data_directory_in_a_settings_file_is_beside_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("server.toml");
    fs::write(&file, "data_dir = \"data\"\n").expect("written");
    let data_dir = |environment: &[(&str, &str)]| {
        let mut sources = sources(environment, &[]);
        sources.file = Some(file.clone());
        Settings::load(&sources).expect("good").0.data_dir
    };
    assert_eq!(data_dir(&[]), directory.path().join("data"));
    // What is said elsewhere is seen from where the server is started.
    assert_eq!(data_dir(&[("WEIR_DATA_DIR", "data")]), Path::new("data"));
}

#[test]
fn what_an_orchestrator_says_about_services_sets_nothing() {
    let links = [
        // As Kubernetes names them for the services `weir`, `weir-config` and `weir-events`.
        ("WEIR_SERVICE_HOST", "10.0.0.1"),
        ("WEIR_SERVICE_PORT", "4000"),
        ("WEIR_SERVICE_PORT_EVENTS", "4000"),
        ("WEIR_PORT", "tcp://10.0.0.1:4000"),
        ("WEIR_CONFIG_SERVICE_HOST", "10.0.0.2"),
        ("WEIR_CONFIG_SERVICE_PORT", "4001"),
        ("WEIR_CONFIG_PORT", "tcp://10.0.0.2:4001"),
        ("WEIR_EVENTS_PORT", "udp://10.0.0.3:4000"),
        ("WEIR_CONFIG_PORT_4001_TCP", "tcp://10.0.0.2:4001"),
        ("WEIR_CONFIG_PORT_4001_TCP_PROTO", "tcp"),
        ("WEIR_CONFIG_PORT_4001_TCP_PORT", "4001"),
        ("WEIR_CONFIG_PORT_4001_TCP_ADDR", "10.0.0.2"),
    ];
    let (settings, _) = Settings::load(&sources(&links, &[])).expect("nothing of it is a setting");
    assert_eq!(settings, Settings::default());
    // What somebody meant to set is told all the same.
    for (name, value) in [("WEIR_PORT", "4000"), ("WEIR_CONFIG_PORTS", "4001"), ("WEIR_HOST", "http://a")] {
        assert_eq!(faults(&sources(&[(name, value)], &[])).len(), 1, "{name}");
    }
}

#[test]
fn the_words_of_opentelemetry_are_understood() {
    let standard = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b"),
        ("OTEL_SERVICE_NAME", "shop"),
        ("OTEL_TRACES_EXPORTER", "otlp"),
    ];
    let load = |more: &[(&str, &str)]| Settings::load(&sources(&[&standard[..], more].concat(), &[])).expect("good");
    let (settings, origins) = load(&[]);
    let otlp = settings.otlp().expect("good").expect("set");
    assert_eq!(otlp.traces, "http://collector:4318/v1/traces");
    assert_eq!(otlp.metrics, "http://collector:4318/v1/metrics");
    assert_eq!(otlp.headers.get("api-key").map(|value| value.as_bytes()), Some(&b"a b"[..]));
    assert_eq!((otlp.service_name.as_str(), otlp.sample_ratio), ("shop", 1.0));
    assert_eq!(origins.get("otlp_endpoint"), "OTEL_EXPORTER_OTLP_ENDPOINT");

    let (settings, origins) =
        load(&[("WEIR_OTLP_ENDPOINT", "https://other.example"), ("WEIR_OTLP_SAMPLE_RATIO", "0.25")]);
    let otlp = settings.otlp().expect("good").expect("set");
    assert_eq!((otlp.traces.to_string().as_str(), otlp.sample_ratio), ("https://other.example/v1/traces", 0.25));
    assert_eq!(origins.get("otlp_endpoint"), "WEIR_OTLP_ENDPOINT");
    // What is not meant for this way of sending, or for nobody, sets nothing.
    for off in [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_SDK_DISABLED", "True")] {
        assert_eq!(load(&[off]).0, Settings::default());
    }
    assert!(load(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]).0.otlp_endpoint.is_some());

    let check =
        |name: &str, value: &str, expected: &str| assert_eq!(faults(&sources(&[(name, value)], &[])), [expected]);
    let endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT: otlp_endpoint must be the URL of a receiver of OTLP over HTTP such as \
                    http://127.0.0.1:4318, but is \"collector:4317\"";
    check("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", endpoint);
    let ratio = "WEIR_OTLP_SAMPLE_RATIO: otlp_sample_ratio must be a number from 0 to 1, but is \"NaN\"";
    check("WEIR_OTLP_SAMPLE_RATIO", "NaN", ratio);
}

#[test]
fn names_of_hosts_are_names() {
    let load = |names: &str| Settings::load(&sources(&[("WEIR_ALLOWED_HOSTS", names)], &[]));
    let (settings, _) = load("weir.internal,weir_1").expect("good");
    assert_eq!(settings.allowed_hosts.as_deref(), Some("weir.internal,weir_1"));
    for wrong in ["", "weir:4000", "a,,b", "a, b", "http://weir", "*.internal", "weir."] {
        let rule = "must be names of hosts without ports, separated by commas, such as weir.internal,weir";
        let expected = format!("WEIR_ALLOWED_HOSTS: allowed_hosts {rule}, but is {wrong:?}");
        assert_eq!(faults(&sources(&[("WEIR_ALLOWED_HOSTS", wrong)], &[])), [expected]);
    }
}

#[test]
fn compatibility_is_a_profile_and_switches() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("server.toml");
    fs::write(&file, "[compatibility]\nprofile = \"event-gateway\"\nold_events = false\n").expect("written");
    let mut sources = sources(&[("WEIR_COMPATIBILITY__UNMATCHED_REQUESTS", "false")], &[]);
    sources.file = Some(file.clone());
    let (settings, origins) = Settings::load(&sources).expect("good");
    let (door, flow) = (settings.compatibility.of_gateway(), settings.compatibility.of_flow());
    assert_eq!((door.unmatched_requests, door.base64_bodies), (false, true));
    assert_eq!((flow.old_events, flow.only_500_fails), (false, true));
    assert_eq!(origins.get("compatibility.old_events"), format!("{}:3", file.display()));

    fs::write(&file, "[compatibility]\nold_events = \"no\"\n").expect("written");
    sources.environment = vec![("WEIR_COMPATIBILITY__BASE64_BODIES".into(), "yes".into())];
    let expected = [
        format!("{}:2: compatibility.old_events must be true or false, but is a string", file.display()),
        "WEIR_COMPATIBILITY__BASE64_BODIES: compatibility.base64_bodies must be true or false, but is \"yes\"".into(),
    ];
    assert_eq!(faults(&sources), expected);
    fs::write(&file, "compatibility = \"event-gateway\"\n").expect("written");
    sources.environment = Vec::new();
    let table = "compatibility must be a table such as [compatibility], but is a string";
    assert_eq!(faults(&sources), [format!("{}:1: {table}", file.display())]);
}

#[test]
fn a_file_that_cannot_be_read_is_one_mistake() {
    let mut sources = sources(&[], &[]);
    sources.file = Some("/nowhere/weir.toml".into());
    let found = faults(&sources);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("/nowhere/weir.toml: the settings cannot be read: "), "{found:?}");
}
