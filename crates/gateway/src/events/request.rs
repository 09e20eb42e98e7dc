//! An HTTP request that is no CloudEvent, as the event `http.request`.
//!
//! Its data has the form that the Event Gateway gave it: `headers` (canonical names, repeated values joined by `, `),
//! `query` (name to list), `body`, `host`, `path` (decoded), `method` and `params` (name to decoded value; `null` on the
//! path `/` and where no route matched). `path` and `params` are those within the space.
//!
//! | body | becomes |
//! |---|---|
//! | JSON by its media type, with any parameters, any value, and well formed | that value |
//! | `text/*` in UTF-8, a form, `multipart/form-data`, anything that says `charset=utf-8` | a string |
//! | anything else, text in another charset, and what is not what its media type says | a string in base64 |
//! | none | `""` |
//!
//! Beside a string in base64 `isBase64Encoded` is `true`, a name from the proxy events of AWS Lambda. Elsewhere it is
//! missing, and everywhere where all is to be as in the Event Gateway.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName,
    header::{CONTENT_TYPE, HOST},
    request::Parts,
};
use percent_encoding::percent_decode_str;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use weir_catalog::{HTTP_REQUEST, Params};
use weir_cloudevents::{json, media, time};
use weir_domain::{Data, ErrorKind, Event};

use super::stamp::Stamp;
use crate::{
    compatibility::{Compatibility, OldBody},
    gateway::Shared,
    headers::canonical,
    problem::Problem,
    query,
};

/// The source of these events; it never changes, and their identifiers are unique.
const SOURCE: &str = "/weir/gateway";
const DATA_CONTENT_TYPE: &str = "application/json";

/// The deepest nesting of a JSON body: one level less than the data of an event may have, which is around it.
const DEPTH_MAX: usize = 126;

/// A request with its body.
pub(super) struct Plain<'a> {
    /// The head.
    pub(super) parts: &'a Parts,
    /// The path within the space, still percent-encoded.
    pub(super) path: &'a str,
    /// The body.
    pub(super) body: &'a Bytes,
    /// The parameters of the route, where one matched.
    pub(super) params: Option<&'a Params<'a>>,
}

/// Makes the event, with this stamp.
///
/// # Errors
/// Where it would be larger than an event may be.
pub(super) fn event(shared: &Shared, plain: &Plain<'_>, stamp: &Stamp<'_>) -> Result<Event, Problem> {
    let data = data(plain, shared.options.compatibility);
    let (id, now) = (shared.ids.unique(), time::format(shared.clock.now()));
    let fixed = [Some(&*id), Some(SOURCE), Some(HTTP_REQUEST), None, Some(&*now), Some(DATA_CONTENT_TYPE), None];
    let extensions: Vec<_> = stamp.attributes().collect();
    let event = Event::assemble(fixed, extensions.iter().copied(), Data::Json(data.into()))
        .map_err(|error| Problem::of(ErrorKind::Internal, &error))?;
    let bytes_max = shared.options.limits.event_bytes_max;
    if event.size() > bytes_max {
        return Err(Problem::too_large("size of the event", event.size() as u64, bytes_max));
    }
    Ok(event)
}

#[derive(Serialize)]
struct Form<'a> {
    headers: Headers<'a>,
    query: BTreeMap<Cow<'a, str>, Vec<Cow<'a, str>>>,
    body: Option<Content<'a>>,
    #[serde(rename = "isBase64Encoded", skip_serializing_if = "Option::is_none")]
    is_base64: Option<bool>,
    host: Cow<'a, str>,
    path: Cow<'a, str>,
    method: &'a str,
    params: Option<Values<'a>>,
}

fn data(plain: &Plain<'_>, compatibility: Compatibility) -> String {
    let Plain { parts, path, body, params } = *plain;
    let body = match parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) {
        media_type if compatibility.base64_bodies => old_content(media_type, body),
        media_type => content(media_type, body),
    };
    // There every body was in base64 that was not known to be something else, and none was marked.
    let is_marked = matches!(body, Content::Base64(_)) && !compatibility.base64_bodies;
    let params = params.map(|params| Values(params, compatibility.encoded_params));
    form(parts, path, params, Some(body), is_marked.then_some(true))
}

/// Writes a request in the same form without its body, which is `null`: what came in it stands elsewhere.
pub(super) fn without_body(
    parts: &Parts,
    path: &str,
    params: Option<&Params<'_>>,
    compatibility: Compatibility,
) -> String {
    form(parts, path, params.map(|params| Values(params, compatibility.encoded_params)), None, None)
}

fn form(
    parts: &Parts,
    path: &str,
    params: Option<Values<'_>>,
    body: Option<Content<'_>>,
    is_base64: Option<bool>,
) -> String {
    let mut query: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (name, value) in query::pairs(parts.uri.query().unwrap_or_default()) {
        query.entry(name).or_default().push(value);
    }
    let form = Form {
        headers: Headers(&parts.headers),
        query,
        body,
        is_base64,
        host: host(parts),
        path: percent_decode_str(path).decode_utf8().unwrap_or(Cow::Borrowed(path)),
        method: parts.method.as_str(),
        params: params.filter(|_| path != "/"),
    };
    serde_json::to_string(&form).expect("names are text, and no part can fail")
}

fn host(parts: &Parts) -> Cow<'_, str> {
    match parts.headers.get(HOST) {
        Some(host) => String::from_utf8_lossy(host.as_bytes()),
        None => parts.uri.authority().map_or("", |authority| authority.as_str()).into(),
    }
}

/// All headers but `host`, which has a place of its own.
pub(super) struct Headers<'a>(pub(super) &'a HeaderMap);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = self.0.keys().filter(|name| name.as_str() != "host");
        serializer.collect_map(names.map(|name| (canonical(name), joined(self.0, name))))
    }
}

fn joined<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Cow<'h, str> {
    let mut values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut all = values.next().unwrap_or_default();
    for value in values {
        let all = all.to_mut();
        all.push_str(", ");
        all.push_str(&value);
    }
    all
}

/// The parameters of a route, and whether they stay percent-encoded.
struct Values<'a>(&'a Params<'a>, bool);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.1 { serializer.collect_map(self.0.raw()) } else { serializer.collect_map(self.0.iter()) }
    }
}

/// A body, by what it is.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Json(&'a RawValue),
    Text(&'a str),
    Base64(String),
}

fn content<'a>(media_type: Option<&str>, body: &'a Bytes) -> Content<'a> {
    if body.is_empty() {
        return Content::Text("");
    }
    let kind = Kind::of(media_type.unwrap_or_default());
    match (kind, str::from_utf8(body)) {
        (Kind::Json, Ok(text)) if json::nesting(text) <= DEPTH_MAX => {
            serde_json::from_str(text).map_or_else(|_| Content::Base64(STANDARD.encode(body)), Content::Json)
        }
        (Kind::Text, Ok(text)) => Content::Text(text),
        _ => Content::Base64(STANDARD.encode(body)),
    }
}

/// The same as the Event Gateway had it.
fn old_content<'a>(media_type: Option<&str>, body: &'a Bytes) -> Content<'a> {
    match (OldBody::of(media_type.unwrap_or_default(), body), str::from_utf8(body)) {
        _ if body.is_empty() => Content::Text(""),
        (OldBody::Object, Ok(text)) if json::nesting(text) <= DEPTH_MAX => {
            serde_json::from_str(text).map_or_else(|_| Content::Base64(STANDARD.encode(body)), Content::Json)
        }
        (OldBody::Text, Ok(text)) => Content::Text(text),
        _ => Content::Base64(STANDARD.encode(body)),
    }
}

/// What a media type promises.
#[derive(Clone, Copy)]
enum Kind {
    Json,
    Text,
    Bytes,
}

impl Kind {
    fn of(media_type: &str) -> Self {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.split_once('/') {
            Some((_, subtype)) if subtype == "json" || subtype.ends_with("+json") => Self::Json,
            // Forms are of ASCII or say for each part what it is.
            Some(("multipart", "form-data") | ("application", "x-www-form-urlencoded")) => Self::Text,
            _ if media::is_utf8_text(media_type) => Self::Text,
            // Its bytes may be UTF-8 by chance, and mean something else.
            _ => Self::Bytes,
        }
    }
}

#[cfg(test)]
mod tests;
