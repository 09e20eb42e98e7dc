//! Which version of CloudEvents an event claims to follow. What each version demands stands with its decoder.

use weir_domain::AttributeError;

use crate::error::short;

/// A version of the specification that is understood.
///
/// An older form (0.1, 0.3) becomes another variant here and another arm of the decoders' `match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpecVersion {
    /// CloudEvents 1.0 in all its patch versions.
    V1,
}

impl SpecVersion {
    /// Reads the attribute `specversion`.
    pub(crate) fn parse(given: Option<&str>) -> Result<Self, AttributeError> {
        match given {
            Some(V1) => Ok(Self::V1),
            Some(other) => Err(problem(format!("must be \"{V1}\": send CloudEvents {V1}, not {:?}", short(other)))),
            None => Err(problem(format!("is required: send CloudEvents {V1}, whose value is \"{V1}\""))),
        }
    }
}

/// What an event that follows CloudEvents 1.0 says of itself.
pub(crate) const V1: &str = "1.0";

fn problem(text: String) -> AttributeError {
    AttributeError::new("specversion", text)
}
