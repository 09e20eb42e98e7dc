//! Names of event types, and wildcards over them.

use std::fmt;

/// What stands for exactly one part of a name.
pub(crate) const ONE: &str = "*";
/// What stands for one or more parts, at the end.
pub(crate) const REST: &str = ">";
/// Whose names begin so are the platform's own types, which no wildcard meets.
const OWN: [&str; 2] = ["weir.", "eventgateway."];

/// A name of an event type, or a wildcard over the names that are parts with dots between, as NATS has them for subjects:
/// `order.*` is `order.placed` and not `order.item.added`; `order.>` is both, and not `order`.
///
/// A wildcard never meets the platform's own types: whoever wants them names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypePattern {
    text: Box<str>,
}

/// Why something is no wildcard. It continues the sentence that begins with what was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct TypePatternError {
    problem: String,
}

impl TypePattern {
    /// Reads a name or a wildcard. What stands between the dots of a name is the business of who has names.
    ///
    /// # Errors
    /// A part that has a wildcard and something else, `>` before the end, and an empty part beside a wildcard.
    pub fn parse(text: &str) -> Result<Self, TypePatternError> {
        let refuse = |problem: String| Err(TypePatternError { problem });
        if text.is_empty() {
            return refuse("is empty: give a name of an event type, or a wildcard such as \"order.*\"".into());
        }
        if text.contains(['*', '>']) {
            let mut parts = text.split('.').peekable();
            while let Some(part) = parts.next() {
                match part {
                    "" => return refuse("has an empty part: write names between all dots".into()),
                    REST if parts.peek().is_some() => {
                        return refuse(
                            "has \">\" before its end, where it means the rest: write \"*\" for one part".into(),
                        );
                    }
                    ONE | REST => {}
                    _ if part.contains(['*', '>']) => {
                        return refuse(format!(
                            "has \"{part}\" between two dots: a wildcard stands alone there; a prefix or a suffix is a filter"
                        ));
                    }
                    _ => {}
                }
            }
        }
        Ok(Self { text: text.into() })
    }

    /// Takes a name as it is; `None` where it is empty or a wildcard. A name may have `*` or `>` in it beside other letters.
    #[must_use]
    pub fn exact(name: &str) -> Option<Self> {
        (!name.is_empty() && !Self::has_wildcard(name)).then(|| Self { text: name.into() })
    }

    /// Tells whether one of the parts of a text stands for others.
    #[must_use]
    pub fn has_wildcard(text: &str) -> bool {
        text.split('.').any(|part| part == ONE || part == REST)
    }

    /// Returns it as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the name, where it is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        (!self.is_wildcard()).then_some(&*self.text)
    }

    /// Tells whether it is a wildcard.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        Self::has_wildcard(&self.text)
    }

    /// Returns the parts; of a name the name itself is what counts.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.text.split('.')
    }

    /// Tells whether a name is one of the platform's own types.
    pub(crate) fn is_own(name: &str) -> bool {
        OWN.iter().any(|own| name.starts_with(own))
    }

    /// Tells whether a name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        if !self.is_wildcard() {
            return *self.text == *name;
        }
        if Self::is_own(name) {
            return false;
        }
        let mut names = name.split('.');
        for part in self.parts() {
            match (part, names.next()) {
                (_, None) => return false,
                (REST, Some(_)) => return true,
                (ONE, Some(_)) => {}
                (part, Some(name)) if part == name => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }
}

impl fmt::Display for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::TypePattern;

    #[test]
    fn a_star_is_one_part_and_an_arrow_is_the_rest() {
        let check = |pattern: &str, name: &str, expected: bool| {
            let read = TypePattern::parse(pattern).expect("a pattern");
            assert_eq!(read.matches(name), expected, "{pattern} {name}");
        };
        check("order.placed", "order.placed", true);
        check("order.placed", "order", false);
        check("order.*", "order.placed", true);
        check("order.*", "order", false);
        check("order.*", "order.item.added", false);
        check("*.item.*", "order.item.added", true);
        check("order.>", "order.placed", true);
        check("order.>", "order.item.added", true);
        check("order.>", "order", false);
        check(">", "order", true);
        check("*", "order.placed", false);
        check(">", "weir.deadletter.created", false);
        check("weir.deadletter.created", "weir.deadletter.created", true);
        check("*.function.invoked", "eventgateway.function.invoked", false);
    }

    #[test]
    fn what_is_no_wildcard_is_refused_with_the_reason() {
        for text in ["", "order.>.x", "order.a*", "a>.b", "*.", ".>"] {
            assert!(TypePattern::parse(text).is_err(), "{text}");
        }
        assert_eq!(TypePattern::exact("order.*"), None);
        assert!(TypePattern::exact("order.a*").is_some_and(|it| it.matches("order.a*") && !it.matches("order.ab")));
    }
}
