//! Why a message was refused, in words that name the place and the cure. How an answer is written is the gateway's.

use http::StatusCode;

use weir_domain::{AttributeError, ErrorKind};

/// Why a message is no CloudEvent that can be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The media type is none that is understood: HTTP status 415.
    #[error("unsupported media type: {cure}, not {given:?}")]
    Unsupported {
        /// The media type of the message.
        given: String,
        /// What to send instead.
        cure: &'static str,
    },
    /// Something exceeds a limit: HTTP status 413.
    #[error("{}the {what} is {given}, over the limit of {limit}: send less", place(.index))]
    TooLarge {
        /// Which event of a batch, counted from 0.
        index: Option<usize>,
        /// What was counted or measured, with its unit.
        what: String,
        /// How much came.
        given: usize,
        /// How much is accepted.
        limit: usize,
    },
    /// The message breaks a rule of CloudEvents: HTTP status 400.
    #[error("{}{problem}", place(.index))]
    Invalid {
        /// Which event of a batch, counted from 0.
        index: Option<usize>,
        /// What is wrong.
        problem: Problem,
    },
}

/// Which rule a message breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Required attributes of CloudEvents 0.1 are missing or broken, in the words of the Event Gateway, which its
    /// clients know.
    #[error("CloudEvent doesn't validate: {0}")]
    Validation(String),
    /// An attribute is missing, given twice, or has a value that it must not have.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// The event's data is not what it is declared to be; the text continues the sentence `data …`.
    #[error("data {0}")]
    Data(String),
    /// The body as a whole is unusable; the text continues the sentence `the body …`.
    #[error("the body {0}")]
    Body(String),
    /// A header that is no attribute is unusable.
    #[error("header {name:?} {problem}")]
    Header {
        /// Name of the header.
        name: &'static str,
        /// What is wrong, continuing the sentence.
        problem: String,
    },
    /// The body is not JSON, or not a JSON object where an event must be one.
    #[error("the JSON is broken at line {line}, column {column}{}: {reason}", within(.member))]
    Json {
        /// The line, counted from 1.
        line: usize,
        /// The byte within the line, counted from 1.
        column: usize,
        /// The member of the event that was being read.
        member: Option<String>,
        /// What was found or missed there.
        reason: String,
    },
}

impl DecodeError {
    /// Returns what the sender must do next: correct the message, never repeat it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    /// Returns the HTTP status that answers such a message.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
        }
    }

    /// Makes the error about the event with this index of a batch.
    pub(crate) fn at(mut self, event: usize) -> Self {
        match &mut self {
            Self::TooLarge { index, .. } | Self::Invalid { index, .. } => *index = Some(event),
            Self::Unsupported { .. } => {}
        }
        self
    }

    pub(crate) fn too_large(what: impl Into<String>, given: usize, limit: usize) -> Self {
        Self::TooLarge { index: None, what: what.into(), given, limit }
    }
}

impl From<Problem> for DecodeError {
    fn from(problem: Problem) -> Self {
        Self::Invalid { index: None, problem }
    }
}

impl From<AttributeError> for DecodeError {
    fn from(error: AttributeError) -> Self {
        Problem::Attribute(error).into()
    }
}

impl Problem {
    /// Makes the problem of an attribute or of the data that came more than once.
    pub(crate) fn repeated(name: &str) -> Self {
        const PROBLEM: &str = "is given twice: give it once";
        match name {
            "data" => Self::Data(PROBLEM.to_owned()),
            _ => AttributeError::new(name, PROBLEM).into(),
        }
    }

    pub(crate) fn json(error: &serde_json::Error, member: Option<&str>) -> Self {
        let (line, column) = (error.line(), error.column());
        Self::Json { line, column, member: member.map(short), reason: json_reason(error) }
    }
}

/// What a JSON error says beside its place, bounded, because such errors quote the input.
pub(crate) fn json_reason(error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "it ends too early".to_owned();
    }
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).chars().take(160).collect()
}

/// The beginning of a text that a sender chose, as much as belongs into a message.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

fn place(index: &Option<usize>) -> String {
    index.map(|index| format!("event {index} of the batch, counted from 0: ")).unwrap_or_default()
}

fn within(member: &Option<String>) -> String {
    member.as_ref().map(|member| format!(", in {member:?}")).unwrap_or_default()
}
