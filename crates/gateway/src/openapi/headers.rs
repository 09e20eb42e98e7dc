//! The headers of answers.

use serde_json::json;

use super::schema::Member;

/// The version of what an answer shows.
pub(crate) const ETAG: Member = Member::new("ETag", || {
    json!({
        "type": "string",
        "description": "The position of the last change of what is shown, in quotes (RFC 9110, section 8.8.3). A list has \
                        that of the whole configuration. Absent where nothing was changed because of `dryRun`.",
        "pattern": "^\"[0-9]+\"$",
    })
});

/// The receipt of one event or of a change.
pub(crate) const POSITION: Member = Member::new("Weir-Position", || {
    json!({
        "type": "integer",
        "description": "The receipt: where the event or the change stands in the log. Positions grow and have gaps. Absent \
                        where nothing was changed because of `dryRun`.",
        "minimum": 0,
    })
});

/// The receipt of one event or of a batch.
pub(crate) const POSITIONS: Member = Member::new("Weir-Position", || {
    json!({
        "type": "string",
        "description": "The receipt: the position of the event in the log, or the lowest and the highest position of the \
                        batch. That of a duplicate is where the event has stood before. Absent where nothing was kept: \
                        for an empty batch.",
        "pattern": "^[0-9]+(, [0-9]+)?$",
    })
});

/// Whether events were there before.
pub(crate) const DUPLICATE: Member = Member::new("Weir-Duplicate", || {
    json!({
        "type": "string",
        "description": "`true` where an event of this `source` and `id` was in the log before; of a batch, how many of its \
                        events were. Absent where none was.",
        "pattern": "^(true|[1-9][0-9]*)$",
    })
});

/// Whether events are kept apart.
pub(crate) const QUARANTINED: Member = Member::new("Weir-Quarantined", || {
    json!({
        "type": "string",
        "description": "`true` where the event is in quarantine, because its data break the schema of its type; of a batch, \
                        how many of its events are. Absent where none is.",
        "pattern": "^(true|[1-9][0-9]*)$",
    })
});

/// Where the next read goes on.
pub(crate) const NEXT: Member = Member::new(
    "Weir-Next",
    || json!({ "type": "integer", "description": "The value of `from` with which to read on.", "minimum": 0 }),
);

/// Whether a read came to the end.
pub(crate) const END: Member = Member::new("Weir-End", || {
    json!({
        "type": "string",
        "description": "Whether the end was reached: forwards that of the log, backwards its beginning. An answer without \
                        events that did not reach it is to be gone on from.",
        "enum": ["true", "false"],
    })
});

/// Where the next page of a list is.
pub(crate) const LINK: Member = Member::new("Link", || {
    json!({
        "type": "string",
        "description": "Where the next page is, with `rel=\"next\"` (RFC 8288). Absent on the last page.",
        "pattern": "^<[^>]+>; rel=\"next\"$",
    })
});

/// When to repeat a request.
pub(super) const RETRY_AFTER: Member = Member::new(
    "Retry-After",
    || json!({ "type": "integer", "description": "After how many seconds to repeat the request.", "minimum": 1 }),
);

/// The name of the request.
pub(crate) const REQUEST_ID: Member = Member::new("X-Request-Id", || {
    json!({
        "type": "string",
        "description": "The name of the request: that of the caller, or one that was made. It stands in the log of the server.",
        "minLength": 1,
    })
});

/// The name that a caller gives to a request: a parameter.
pub(crate) const GIVEN_REQUEST_ID: Member = Member::new(REQUEST_ID.name, || {
    let about =
        "The name of the request: up to 128 letters, digits and characters of `-._~+/=:@`. The answer has it again.";
    json!({ "type": "string", "description": about, "maxLength": 128, "pattern": "^[A-Za-z0-9._~+/=:@-]+$" })
});

/// What a path can be asked by.
pub(crate) const ALLOW: Member = Member::new(
    "Allow",
    || json!({ "type": "string", "description": "The methods that the path has.", "examples": ["GET, HEAD, POST"] }),
);

/// How the caller can be known.
pub(super) const CHALLENGE: Member = Member::new("WWW-Authenticate", || {
    json!({
        "type": "string",
        "description": "How the caller can be known, and what was wrong (RFC 6750, section 3).",
        "examples": ["Bearer realm=\"weir\", error=\"invalid_token\""],
    })
});

/// Keeps a secret out of caches.
pub(crate) const CACHE_CONTROL: Member = Member::new(
    "Cache-Control",
    || json!({ "type": "string", "description": "The answer is not to be kept.", "const": "no-store" }),
);
