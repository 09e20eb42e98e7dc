//! Which version of CloudEvents an event claims to follow. What each version demands stands with its decoder.

use weir_domain::AttributeError;

use crate::error::short;

/// A version of the specification that is understood and that `specversion` names; 0.1 has another name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpecVersion {
    /// CloudEvents 1.0 in all its patch versions.
    V1,
    /// CloudEvents 0.3, see [`v03`](crate::v03).
    V03,
}

impl SpecVersion {
    /// Reads the attribute `specversion`.
    pub(crate) fn parse(given: Option<&str>) -> Result<Self, AttributeError> {
        match given {
            Some(V1) => Ok(Self::V1),
            Some(V03) => Ok(Self::V03),
            Some(other) => Err(problem(format!("must be \"{V1}\": send CloudEvents {V1}, not {:?}", short(other)))),
            None => Err(problem(format!("is required: send CloudEvents {V1}, whose value is \"{V1}\""))),
        }
    }
}

/// What an event that follows CloudEvents 1.0 says of itself.
pub(crate) const V1: &str = "1.0";

/// What an event that follows CloudEvents 0.3 says of itself.
const V03: &str = "0.3";

fn problem(text: String) -> AttributeError {
    AttributeError::new("specversion", text)
}
