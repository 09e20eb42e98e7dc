//! Names of the headers that Weir defines and of those that only custom knows, made once. What the headers of HTTP
//! itself mean is not repeated here.

use http::HeaderName;

/// The receipt: the position of an event, first and last position of a batch, or the position of a change.
pub(crate) static POSITION: HeaderName = HeaderName::from_static("weir-position");

/// Says that an event was in the log before, or of a batch how many were.
pub(crate) static DUPLICATE: HeaderName = HeaderName::from_static("weir-duplicate");

/// Says that an event is kept in quarantine, because its data break the schema of its type, or of a batch how many are.
pub(crate) static QUARANTINED: HeaderName = HeaderName::from_static("weir-quarantined");

/// The space that a request is for.
pub(crate) static SPACE: HeaderName = HeaderName::from_static("weir-space");

/// How caller and operator name a request. No standard has it, and everybody sends it.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where the next read goes on.
pub(crate) static NEXT: HeaderName = HeaderName::from_static("weir-next");

/// Whether a read came to the end: forwards the durable end of the log, backwards its beginning.
pub(crate) static END: HeaderName = HeaderName::from_static("weir-end");

/// Writes a name as the Event Gateway did: capitals at the beginning and after each hyphen.
pub(crate) fn canonical(name: &HeaderName) -> String {
    let mut begins = true;
    let letters = name.as_str().chars().map(|letter| {
        let letter = if begins { letter.to_ascii_uppercase() } else { letter };
        begins = letter == '-';
        letter
    });
    letters.collect()
}
