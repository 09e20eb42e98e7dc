//! The request that brought an event, as authorizers are told of it, and those who listen to what comes in.

use http::{HeaderMap, HeaderName, request::Parts};
use weir_catalog::Params;
use weir_cloudevents::trace::TraceParent;
use weir_flow::Sender;

use super::request;
use crate::{auth::Caller, compatibility::Compatibility, gateway::Shared};

/// In front of the headers that are attributes of an event, of 1.0 and of 0.1.
const ATTRIBUTE_PREFIX: &str = "ce-";

/// Headers that are about one message and not about who sent it: with them no two requests would be alike.
const OF_MESSAGE: [&str; 6] = ["content-length", "content-type", "date", "traceparent", "tracestate", "x-request-id"];

/// A request without its body.
pub(super) struct Request<'a> {
    /// The head.
    parts: &'a Parts,
    /// The path within the space, still percent-encoded.
    path: &'a str,
    /// The parameters of the route, where one matched.
    params: Option<&'a Params<'a>>,
    compatibility: Compatibility,
    /// Whether it is known who has sent it.
    is_known: bool,
    /// The span that it waits for, where it is traced.
    span: Option<TraceParent>,
}

impl<'a> Request<'a> {
    /// Tells of the request with this head, path within the space, still percent-encoded, and parameters of its route.
    pub(super) fn new(shared: &Shared, parts: &'a Parts, path: &'a str, params: Option<&'a Params<'a>>) -> Self {
        Self { parts, path, params, compatibility: shared.options.compatibility, is_known: true, span: None }
    }

    /// Says who has sent it.
    pub(super) fn by(self, caller: &Caller) -> Self {
        Self { is_known: !caller.is_stranger(), ..self }
    }

    /// Says which span waits for what is done for the request.
    pub(super) fn within(self, span: Option<TraceParent>) -> Self {
        Self { span, ..self }
    }
}

impl Sender for Request<'_> {
    fn path(&self) -> &str {
        self.path
    }

    fn headers(&self) -> String {
        serde_json::to_string(&request::Headers(&self.parts.headers)).expect("names and values are text")
    }

    fn request(&self) -> String {
        request::without_body(self.parts, self.path, self.params, self.compatibility)
    }

    fn is_known(&self) -> bool {
        self.is_known
    }

    fn span(&self) -> Option<TraceParent> {
        self.span
    }

    /// All of the head but what is of the message: which header a sender is known by, only the authorizer knows.
    fn identity(&self, part: &mut dyn FnMut(&[u8])) {
        let uri = &self.parts.uri;
        part(self.parts.method.as_str().as_bytes());
        part(uri.authority().map_or("", |authority| authority.as_str()).as_bytes());
        part(uri.path_and_query().map_or("", |target| target.as_str()).as_bytes());
        for (name, value) in of_sender(&self.parts.headers) {
            part(name.as_str().as_bytes());
            part(value);
        }
    }
}

fn of_sender(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &[u8])> {
    let is_of_sender = |name: &str| !name.starts_with(ATTRIBUTE_PREFIX) && !OF_MESSAGE.contains(&name);
    let all = headers.iter().filter(move |(name, _)| is_of_sender(name.as_str()));
    all.map(|(name, value)| (name, value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<Vec<u8>> {
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        let mut all = Vec::new();
        let compatibility = Compatibility::default();
        Request { parts: &parts, path: "/", params: None, compatibility, is_known: true, span: None }
            .identity(&mut |part| all.push(part.to_vec()));
        all
    }

    #[test]
    fn senders_are_told_apart_by_all_but_their_messages() {
        let ada = identity("POST", "/a?k=1", &[("authorization", "Bearer ada")]);
        let check = |is_same: bool, method: &str, target: &str, headers: &[(&str, &str)]| {
            assert_eq!(identity(method, target, headers) == ada, is_same, "{method} {target} {headers:?}");
        };
        let key = ("authorization", "Bearer ada");
        let of_message = [("ce-id", "7"), ("CE-X-A", "b"), ("content-length", "7"), ("traceparent", "x"), key];
        check(true, "POST", "/a?k=1", &of_message);
        check(false, "POST", "/a?k=1", &[]);
        check(false, "POST", "/a?k=1", &[("authorization", "Bearer eve")]);
        check(false, "POST", "/a?k=1", &[key, ("cookie", "eve")]);
        check(false, "POST", "/a?k=1", &[key, ("x-api-key", "eve")]);
        check(false, "POST", "/a?k=2", &[key]);
        check(false, "POST", "/b?k=1", &[key]);
        check(false, "PUT", "/a?k=1", &[key]);
        check(false, "POST", "http://b/a?k=1", &[key]);
    }
}
