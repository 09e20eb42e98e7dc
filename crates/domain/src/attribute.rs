//! Values of context attributes and what can be wrong with them.

/// The value of a context attribute (CloudEvents 1.0.2, type system), borrowed from its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeValue<'a> {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number of 32 bits with sign.
    Integer(i32),
    /// Text; the types URI, URI-reference, Timestamp and Binary travel in their canonical text form.
    String(&'a str),
}

/// Which type a stored extension value has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Stored as its text.
    String,
    /// Stored as its decimal text.
    Integer,
    /// Stored as `true` or `false`.
    Boolean,
}

/// Why an attribute was refused: which one, what is wrong, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("attribute \"{attribute}\" {problem}")]
pub struct AttributeError {
    attribute: String,
    problem: String,
}

impl AttributeError {
    /// Makes an error about the named attribute; the problem continues the sentence `attribute "x" …`.
    #[must_use]
    pub fn new(attribute: &str, problem: impl Into<String>) -> Self {
        Self { attribute: attribute.chars().take(64).collect(), problem: problem.into() }
    }

    /// Returns the name of the attribute.
    #[must_use]
    pub fn attribute(&self) -> &str {
        &self.attribute
    }
}
