//! Names of event types and identifiers of subscriptions.

use std::{borrow::Borrow, fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use weir_domain::FunctionId;
use weir_routing::{Filter, Method};

use crate::SubscriptionKind;

/// The event type of an HTTP request that is no CloudEvent. Every space knows it without registration.
pub const HTTP_REQUEST: &str = "http.request";

/// What Weir itself emits, and what the Event Gateway did.
const RESERVED_PREFIXES: [&str; 2] = [OWN_PREFIX, "eventgateway."];

/// Event types under this prefix cannot even be registered.
pub(crate) const OWN_PREFIX: &str = "weir.";

/// Tells whether only the platform may emit events of this type.
#[must_use]
pub fn is_reserved(event_type: &str) -> bool {
    RESERVED_PREFIXES.iter().any(|prefix| event_type.starts_with(prefix))
}

/// Why the name of an event type was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventTypeNameError {
    /// There is no name.
    #[error("the name of an event type must not be empty")]
    Empty,
    /// The name is longer than [`EventTypeName::BYTES_MAX`].
    #[error("the name of an event type must not be longer than {max} bytes", max = EventTypeName::BYTES_MAX)]
    TooLong,
    /// The name has a character that no CloudEvents attribute may have.
    #[error("the name of an event type must not contain the character U+{0:04X}")]
    Character(u32),
}

/// The name of an event type: the CloudEvents attribute `type`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTypeName(Arc<str>);

impl EventTypeName {
    /// The longest name in bytes.
    pub const BYTES_MAX: usize = 256;

    /// Checks and makes the name.
    ///
    /// # Errors
    /// Where the name is empty, too long, or cannot be the `type` of any event.
    pub fn new(text: &str) -> Result<Self, EventTypeNameError> {
        if text.is_empty() {
            return Err(EventTypeNameError::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(EventTypeNameError::TooLong);
        }
        // The String type of CloudEvents 1.0.2: neither control characters nor noncharacters.
        let refused = |c: &char| {
            let code = u32::from(*c);
            c.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
        };
        match text.chars().find(refused) {
            Some(c) => Err(EventTypeNameError::Character(c.into())),
            None => Ok(Self(text.into())),
        }
    }

    /// Returns the name `http.request`.
    #[must_use]
    pub fn http_request() -> Self {
        Self(HTTP_REQUEST.into())
    }

    /// Returns the text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Subscriptions accept fewer characters than registration does, as in the Event Gateway.
    pub(crate) fn is_subscribable(&self) -> bool {
        self.0.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    }
}

impl fmt::Display for EventTypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for EventTypeName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The identifier of a subscription within its space, derived from what it binds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(Arc<str>);

/// What Go's `url.PathEscape` leaves as it is.
const PATH_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

impl SubscriptionId {
    /// The longest identifier in bytes: that of the longest names and of a route of escapes only.
    pub const BYTES_MAX: usize = 8 * 1024;

    /// How much of the hash of a filter stands in an identifier, in bytes: enough that no two filters have one.
    const FILTER_HASH_BYTES: usize = 16;

    /// Derives the identifier as the Event Gateway did: the function counts for an async subscription only, so that a
    /// space has one sync subscription for each event type, method and path. A filter, which the Event Gateway had not,
    /// stands behind all that as the hash of its canonical text, and nothing where there is none.
    #[must_use]
    pub fn derive(
        kind: SubscriptionKind,
        event_type: &EventTypeName,
        function: &FunctionId,
        method: Method,
        path: &str,
        filter: Option<&Filter>,
    ) -> Self {
        let path = utf8_percent_encode(path, PATH_SEGMENT);
        let text = match (kind, filter) {
            (SubscriptionKind::Async, None) => format!("{kind},{event_type},{function},{path},{method}"),
            (SubscriptionKind::Async, Some(filter)) => {
                let hash = blake3::hash(filter.canonical().as_bytes());
                let hash = URL_SAFE_NO_PAD.encode(&hash.as_bytes()[..Self::FILTER_HASH_BYTES]);
                format!("{kind},{event_type},{function},{path},{method},{hash}")
            }
            (SubscriptionKind::Sync, _) => format!("{kind},{event_type},{path},{method}"),
        };
        Self(URL_SAFE_NO_PAD.encode(text).into())
    }

    /// Takes an identifier that was derived before; `None` where the text cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        fits.then(|| Self(text.into()))
    }

    /// Returns the text of the identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for SubscriptionId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The identifier of a CORS configuration within its space: the method, then the path escaped as one segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CorsId(Arc<str>);

impl CorsId {
    /// Derives the identifier as the Event Gateway did, for example `GET%2Fhello`.
    #[must_use]
    pub fn derive(method: Method, path: &str) -> Self {
        Self(format!("{method}{}", utf8_percent_encode(path, PATH_SEGMENT)).into())
    }

    /// Takes an identifier that was derived before; `None` where the text cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::parts(text).map(|_| Self(text.into()))
    }

    /// Returns the method and the path of an identifier that was derived before; `None` where the text cannot be one.
    #[must_use]
    pub fn parts(text: &str) -> Option<(Method, String)> {
        let method = Method::ALL.into_iter().find(|method| text.starts_with(method.as_str()))?;
        let path = percent_decode_str(&text[method.as_str().len()..]).decode_utf8().ok()?;
        let is_derived = path.starts_with('/') && Self::derive(method, &path).as_str() == text;
        is_derived.then(|| (method, path.into_owned()))
    }

    /// Returns the text of the identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CorsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_cors_configurations_are_those_of_the_event_gateway() {
        let id = CorsId::derive(Method::Get, "/hello");
        assert_eq!(id.as_str(), "GET%2Fhello");
        assert_eq!(CorsId::parse("GET%2Fhello"), Some(id));
        assert_eq!(CorsId::derive(Method::Post, "/a b/:id").as_str(), "POST%2Fa%20b%2F:id");
        for bad in ["", "GET/hello", "get%2Fhello", "%2Fhello", "GET%2fhello", "GET%FF"] {
            assert_eq!(CorsId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn identifiers_are_those_of_the_event_gateway() {
        let check = |kind, event_type: &str, function: &str, method, path: &str, expected: &str| {
            let event_type = EventTypeName::new(event_type).expect("valid");
            let function = FunctionId::new(function).expect("valid");
            let id = SubscriptionId::derive(kind, &event_type, &function, method, path, None);
            assert_eq!(id.as_str(), expected);
            assert_eq!(SubscriptionId::parse(expected), Some(id));
        };
        let (sync, asynchronous) = (SubscriptionKind::Sync, SubscriptionKind::Async);
        check(asynchronous, "user.created", "func", Method::Get, "/", "YXN5bmMsdXNlci5jcmVhdGVkLGZ1bmMsJTJGLEdFVA");
        check(sync, "http.request", "any", Method::Post, "/", "c3luYyxodHRwLnJlcXVlc3QsJTJGLFBPU1Q");
        // async,a,f,%2Fb%2F:id%2F%2Arest%20x%2Cy,PUT
        let escaped = "YXN5bmMsYSxmLCUyRmIlMkY6aWQlMkYlMkFyZXN0JTIweCUyQ3ksUFVU";
        check(asynchronous, "a", "f", Method::Put, "/b/:id/*rest x,y", escaped);
    }

    #[test]
    fn a_filter_stands_in_an_identifier_behind_what_was_there_before() {
        let (event_type, function) = (EventTypeName::new("a").expect("valid"), FunctionId::new("f").expect("valid"));
        let text = |filter: Option<serde_json::Value>| {
            let filter = filter.map(|value| Filter::parse(&value).expect("a filter"));
            let kind = SubscriptionKind::Async;
            let id = SubscriptionId::derive(kind, &event_type, &function, Method::Post, "/", filter.as_ref());
            String::from_utf8(URL_SAFE_NO_PAD.decode(id.as_str()).expect("base64")).expect("a text")
        };
        let of = |prefix: &str| text(Some(serde_json::json!({ "prefix": { "subject": prefix } })));
        let plain = text(None);
        assert_eq!(plain, "async,a,f,%2F,POST");
        let (eu, us) = (of("eu/"), of("us/"));
        assert!(eu.starts_with(&format!("{plain},")) && us.starts_with(&format!("{plain},")), "{eu} {us}");
        // However long the filter is.
        assert_eq!((eu.len(), of(&"x".repeat(1000)).len()), (plain.len() + 23, plain.len() + 23));
        assert!(eu != us && eu == of("eu/"), "{eu} {us}");
    }

    #[test]
    fn names_that_no_event_can_have_are_refused() {
        for good in ["a", "user.created", "with space", "with/slash", "käse", &"a".repeat(256)] {
            assert_eq!(EventTypeName::new(good).expect(good).as_str(), good);
        }
        assert_eq!(EventTypeName::new(""), Err(EventTypeNameError::Empty));
        assert_eq!(EventTypeName::new(&"a".repeat(257)), Err(EventTypeNameError::TooLong));
        assert_eq!(EventTypeName::new("a\n"), Err(EventTypeNameError::Character(10)));
        assert_eq!(EventTypeName::new("\u{fffe}"), Err(EventTypeNameError::Character(0xfffe)));
        assert_eq!(SubscriptionId::parse(""), None);
        assert_eq!(SubscriptionId::parse("a,b"), None);
    }

    #[test]
    fn reserved_types_are_known_by_their_prefix() {
        assert!(is_reserved("weir.function.created") && is_reserved("eventgateway.event.received"));
        assert!(!is_reserved("weir") && !is_reserved("weird.thing") && !is_reserved(HTTP_REQUEST));
    }
}
