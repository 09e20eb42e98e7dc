//! The rules of single resources, whatever else the catalog has. Each function returns every fault it finds.

mod aws;
mod subscription;

use std::collections::BTreeMap;

use weir_routing::ROUTE_BYTES_MAX;

use crate::{
    Code, Cors, Detail, EventType, Function, FunctionKind, Instances, Resource, Schema, Token, limits,
    names::OWN_PREFIX,
};

pub(crate) use aws::{missing as missing_aws, partial_credentials};
pub(crate) use subscription::check as subscription;

/// Collects the faults of one resource.
struct Faults {
    resource: Resource,
    details: Vec<Detail>,
}

impl Faults {
    const fn of(resource: Resource) -> Self {
        Self { resource, details: Vec::new() }
    }

    fn field(&mut self, broken: bool, field: &str, rule: &str, cure: impl FnOnce() -> String) {
        if broken {
            self.details.push(Detail::field(self.resource, field, rule, cure()));
        }
    }

    fn between<T: PartialOrd + std::fmt::Display>(&mut self, field: &str, value: T, least: T, most: T) {
        let cure = || format!("give {field} a value from {least} to {most}, not {value}");
        if value < least {
            self.details.push(Detail::field(self.resource, field, "min", cure()));
        } else if value > most {
            self.details.push(Detail::field(self.resource, field, "max", cure()));
        }
    }

    fn entries(&mut self, field: &str, map: &BTreeMap<String, String>) {
        let bytes: usize = map.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.field(map.len() > limits::ENTRIES_MAX || bytes > limits::ENTRIES_BYTES_MAX, field, "max", || {
            let (entries, most) = (limits::ENTRIES_MAX, limits::ENTRIES_BYTES_MAX);
            format!("keep {field} within {entries} entries and {most} bytes")
        });
    }
}

impl Faults {
    fn list(&mut self, field: &str, texts: &[String], fits: impl Fn(&String) -> bool, cure: impl FnOnce() -> String) {
        let bytes: usize = texts.iter().map(String::len).sum();
        self.field(texts.len() > limits::ENTRIES_MAX || bytes > limits::ENTRIES_BYTES_MAX, field, "max", || {
            format!("keep {field} within {} entries and {} bytes", limits::ENTRIES_MAX, limits::ENTRIES_BYTES_MAX)
        });
        self.field(!texts.iter().all(fits), field, "dive", cure);
    }
}

pub(crate) fn event_type(event_type: &EventType) -> Vec<Detail> {
    let mut faults = Faults::of(Resource::EventType);
    faults.field(event_type.name.as_str().starts_with(OWN_PREFIX), "Name", "reserved", || {
        format!("choose a name that does not begin with {OWN_PREFIX}, which only Weir itself uses")
    });
    let description = event_type.description.as_deref().unwrap_or_default();
    faults.field(description.len() > limits::DESCRIPTION_BYTES_MAX, "Description", "max", || {
        format!("shorten the description to {} bytes", limits::DESCRIPTION_BYTES_MAX)
    });
    faults.between("AuthorizerCache", event_type.authorizer_cache_ms, 0, limits::AUTHORIZER_CACHE_MS_MAX);
    if let Some((rule, cure)) = event_type.schema.as_ref().and_then(Schema::fault) {
        faults.details.push(Detail::field(Resource::EventType, "Schema", rule, cure));
    }
    faults.entries("Metadata", &event_type.metadata);
    faults.details
}

pub(crate) fn token(token: &Token) -> Vec<Detail> {
    let mut faults = Faults::of(Resource::Token);
    let count = token.scopes.iter().count();
    faults.field(count == 0, "Scopes", "required", || "give the token at least one scope, such as emit@shop".into());
    faults.field(count > limits::SCOPES_MAX, "Scopes", "max", || {
        format!("give the token {} scopes at most: one can name several spaces and event types", limits::SCOPES_MAX)
    });
    let description = token.description.as_deref().unwrap_or_default();
    faults.field(description.len() > limits::DESCRIPTION_BYTES_MAX, "Description", "max", || {
        format!("shorten the description to {} bytes", limits::DESCRIPTION_BYTES_MAX)
    });
    faults.details
}

pub(crate) fn function(function: &Function) -> Vec<Detail> {
    let mut faults = Faults::of(Resource::Function);
    match &function.kind {
        FunctionKind::Http { url, timeout_ms, headers, version: _ } => {
            if !is_http_url(url) {
                faults.details.push(missing_url());
            }
            faults.field(url.len() > limits::URL_BYTES_MAX, "URL", "max", || {
                format!("shorten the URL to {} bytes", limits::URL_BYTES_MAX)
            });
            faults.between("Timeout", *timeout_ms, 1, limits::TIMEOUT_MS_MAX);
            for (name, value) in headers {
                let fits = is_header_name(name) && is_header_value(value);
                faults.field(!fits, "Headers", "header", || {
                    format!(
                        "give the header {name:?} a name and a value that HTTP allows, and one that Weir does not set"
                    )
                });
            }
            faults.entries("Headers", headers);
        }
        FunctionKind::Aws(aws) => aws::check(&mut faults, aws),
        FunctionKind::Wasm { code, instances, timeout_ms, memory_bytes_max, config } => {
            faults.field(code.is_empty(), "Code", "required", missing_code);
            faults.field(code.len() > limits::CODE_BYTES_MAX, "Code", "max", || {
                format!("make the code smaller than {} bytes", limits::CODE_BYTES_MAX)
            });
            // Anything else fails in the compiler, far from whom it could help.
            let is_wasm = |code: &Code| !matches!(code, Code::Component(bytes) if !bytes.starts_with(b"\0asm"));
            faults.field(!code.is_empty() && !is_wasm(code), "Code", "wasm", || {
                "give a WebAssembly component in its binary form, or JavaScript as text".into()
            });
            if let Instances::Reuse { calls_max } = instances {
                faults.between("Instances", *calls_max, 1, u32::MAX);
            }
            faults.between("Timeout", *timeout_ms, 1, limits::TIMEOUT_MS_MAX);
            faults.between("Memory", *memory_bytes_max, limits::MEMORY_BYTES_MIN, limits::MEMORY_BYTES_MAX);
            faults.entries("Config", config);
        }
        FunctionKind::Builtin { name: _ } => {}
    }
    faults.entries("Metadata", &function.metadata);
    faults.details
}

/// What the Event Gateway says where the URL is missing or no URL.
pub(crate) fn missing_url() -> Detail {
    Detail::new(
        "missing required fields for HTTP endpoint",
        "give provider.url an absolute URL that begins with http:// or https://",
    )
}

pub(crate) fn missing_code() -> String {
    "give the function code: JavaScript as text, or a WebAssembly component".into()
}

pub(crate) fn cors(cors: &Cors) -> Vec<Detail> {
    let mut faults = Faults::of(Resource::Cors);
    faults.field(!cors.is_consistent(), "ID", "derived", || {
        "leave the identifier to Weir, which derives it from method and path".into()
    });
    faults.field(!cors.path.starts_with('/'), "Path", "path", || "begin the path with a slash".into());
    faults.field(cors.path.len() > ROUTE_BYTES_MAX, "Path", "max", || {
        format!("shorten the path to {ROUTE_BYTES_MAX} bytes")
    });
    faults.field(is_of_space(&cors.path), "Path", "reserved", begin_otherwise);
    let is_origin = |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b',');
    faults.list("AllowedOrigins", &cors.allowed_origins, is_origin, || {
        "give origins such as https://example.com, or *".into()
    });
    faults.list("AllowedMethods", &cors.allowed_methods, |text| is_token(text), || "give methods such as GET".into());
    faults.list(
        "AllowedHeaders",
        &cors.allowed_headers,
        |text| is_token(text),
        || "give names of headers such as X-Api-Key, or *".into(),
    );
    faults.entries("Metadata", &cors.metadata);
    faults.details
}

/// Tells whether a request for this path would be one for `/` or another path in the space that it names.
fn is_of_space(path: &str) -> bool {
    path.starts_with("/spaces/")
}

fn begin_otherwise() -> String {
    "begin the path otherwise: in a request, what follows /spaces/ is the name of a space".into()
}

/// An absolute URL (RFC 3986) of HTTP with a host, in printable ASCII.
fn is_http_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    if !["http", "https"].iter().any(|each| scheme.eq_ignore_ascii_case(each)) {
        return false;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match place.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((address, after)) if after.is_empty() || after.starts_with(':') => (address, after),
        Some(_) => return false,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let is_port = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok();
    let port_fits = port.strip_prefix(':').is_none_or(is_port);
    !host.is_empty() && port_fits && url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>'))
}

/// A token (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// A field name (RFC 9110, section 5.1) that no HTTP client sets by itself.
fn is_header_name(name: &str) -> bool {
    const OURS: [&str; 6] = ["connection", "content-length", "content-type", "host", "te", "transfer-encoding"];
    is_token(name) && !OURS.iter().any(|each| name.eq_ignore_ascii_case(each))
}

/// A field value (RFC 9110, section 5.5) in visible ASCII.
fn is_header_value(value: &str) -> bool {
    value.bytes().all(|b| b == b'\t' || (0x20..0x7f).contains(&b)) && value.trim() == value
}

#[cfg(test)]
mod tests {
    use super::{is_header_name, is_header_value, is_http_url};

    #[test]
    fn urls_of_functions() {
        for good in [
            "http://localhost:8080",
            "https://example.com/a/b?c=d#e",
            "HTTPS://user:secret@example.com",
            "http://127.0.0.1:1",
            "http://[::1]:8080/x",
            "http://[::1]",
        ] {
            assert!(is_http_url(good), "{good}");
        }
        for bad in [
            "",
            "/path",
            "example.com",
            "ftp://example.com",
            "http://",
            "http:///path",
            "http://:80",
            "http://host:port",
            "http://host:99999",
            "http://[::1",
            "http://[::1]x",
            "http://a b",
            "http://a\n",
            "http://käse",
        ] {
            assert!(!is_http_url(bad), "{bad}");
        }
    }

    #[test]
    fn headers_of_functions() {
        assert!(is_header_name("X-Api-Key") && is_header_name("authorization"));
        for bad in ["", "a b", "a:", "Host", "content-type", "ä"] {
            assert!(!is_header_name(bad), "{bad}");
        }
        assert!(is_header_value("") && is_header_value("Bearer a b"));
        for bad in ["a\r\nb", " a", "ä", "\0"] {
            assert!(!is_header_value(bad), "{bad}");
        }
    }
}
