//! Names of spaces and functions.

use std::{fmt, sync::Arc};

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}, but is {given:?}")]
pub struct NameError {
    what: &'static str,
    rule: &'static str,
    given: String,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $min:literal, $max:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and makes the name.
            ///
            /// # Errors
            /// Where the length or a character is outside the rule.
            pub fn new(text: &str) -> Result<Self, NameError> {
                let fits = ($min..=$max).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
                if fits {
                    Ok(Self(text.into()))
                } else {
                    Err(NameError { what: $what, rule: $rule, given: text.chars().take(128).collect() })
                }
            }

            /// Returns the text of the name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// Name and boundary: types, functions, subscriptions, log and rights of one space are invisible to others.
    SpaceName,
    "a space name",
    3,
    128,
    "3 to 128 of the characters a-z A-Z 0-9 . - _"
);
name_type!(
    /// The identifier of a function within its space.
    FunctionId,
    "a function id",
    1,
    256,
    "1 to 256 of the characters a-z A-Z 0-9 . - _"
);

impl Default for SpaceName {
    /// The space of who names none: `default`.
    fn default() -> Self {
        Self("default".into())
    }
}
