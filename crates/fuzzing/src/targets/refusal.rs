//! What every refusal of the codec owes its sender.

use http::StatusCode;

use weir_cloudevents::{DecodeError, Problem};
use weir_domain::{ErrorKind, Limits};

/// The longest message in bytes: parts of the input are quoted, but never all of it.
const MESSAGE_BYTES_MAX: usize = 2048;

/// Bounds for what was accepted once: a second reading may not fail because an implied attribute was written out.
pub(super) const ROOMY: Limits = Limits {
    event_bytes_max: usize::MAX,
    request_bytes_max: usize::MAX,
    batch_events_max: usize::MAX,
    extensions_max: usize::MAX,
    attribute_bytes_max: usize::MAX,
    hops_max: u32::MAX,
};

/// Returns what was accepted; checks the refusal otherwise.
pub(super) fn accepted<T>(result: Result<T, DecodeError>) -> Option<T> {
    result.inspect_err(check).ok()
}

/// A refusal says what is wrong in a bounded text, names the attribute it is about, and is answered with a status that
/// blames the sender.
pub(super) fn check(error: &DecodeError) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() <= MESSAGE_BYTES_MAX, "{} bytes", text.len());
    assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
    let expected = match error {
        DecodeError::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        DecodeError::TooLarge { given, limit, .. } => {
            assert!(given > limit, "{text}");
            StatusCode::PAYLOAD_TOO_LARGE
        }
        DecodeError::Invalid { problem, .. } => {
            if let Problem::Attribute(attribute) = problem {
                assert!(text.contains(&format!("attribute \"{}\" ", attribute.attribute())), "{text}");
            }
            StatusCode::BAD_REQUEST
        }
    };
    assert_eq!(error.status(), expected, "{text}");
}
