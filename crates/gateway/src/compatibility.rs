//! What the door does as the Event Gateway did, where that is asked for.

/// What is done as the Event Gateway did. Each is off unless somebody has it on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compatibility {
    /// A request that nobody is subscribed to is answered with 202, whatever its method and path.
    pub unmatched_requests: bool,
    /// A body is JSON only where its media type is exactly `application/json` or ends with `+json` and it is an object;
    /// other bodies but forms are base64.
    pub base64_bodies: bool,
    /// The parameters of a path stay percent-encoded.
    pub encoded_params: bool,
    /// A request to the Events API that names no space is for the routes and subscriptions of all spaces.
    pub cross_space_matching: bool,
}

impl Compatibility {
    /// All of it.
    pub const EVENT_GATEWAY: Self =
        Self { unmatched_requests: true, base64_bodies: true, encoded_params: true, cross_space_matching: true };
}

/// How the Event Gateway took a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OldBody {
    /// As the JSON object that it is.
    Object,
    /// As text.
    Text,
    /// As bytes.
    Bytes,
}

impl OldBody {
    /// Tells how, by the media type, whose parameters count.
    pub(crate) fn of(media_type: &str, body: &[u8]) -> Self {
        if media_type.starts_with("multipart/form-data") || media_type == "application/x-www-form-urlencoded" {
            return Self::Text;
        }
        let is_declared = media_type == "application/json" || media_type.ends_with("+json");
        let is_object = || {
            body.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
        };
        if is_declared && is_object() { Self::Object } else { Self::Bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_of_exactly_json_is_one() {
        let check = |media_type: &str, body: &str, expected: OldBody| {
            assert_eq!(OldBody::of(media_type, body.as_bytes()), expected, "{media_type} {body}");
        };
        check("application/json", r#" {"a":1}"#, OldBody::Object);
        check("application/vnd.api+json", "{}", OldBody::Object);
        for (media_type, body) in [
            ("application/json; charset=utf-8", "{}"),
            ("application/json", "[1]"),
            ("application/json", "7"),
            ("application/json", "{broken"),
            ("text/plain", "text"),
            ("", "{}"),
        ] {
            check(media_type, body, OldBody::Bytes);
        }
        check("application/x-www-form-urlencoded", "a=1", OldBody::Text);
        check("multipart/form-data; boundary=x", "--x--", OldBody::Text);
    }
}
