//! The port through which lines that a function writes leave: `console.log`, the imported log, standard output. Where
//! they go and how they look is decided by whoever implements it.

use weir_domain::FunctionId;

/// How important a line is to the function that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuestLevel {
    /// For whoever looks for a mistake.
    Debug,
    /// What happens.
    Info,
    /// Something is not as it should be.
    Warn,
    /// Something failed.
    Error,
}

impl GuestLevel {
    /// Returns the name of the level.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Takes the lines that functions write.
///
/// It is called in the midst of a call and must not block. A line has at most 8 KiB and may hold line breaks and
/// control characters, as the function wrote it; one call brings at most 1,000 lines.
pub trait GuestLog: Send + Sync + 'static {
    /// Takes one line. The id of the event is empty for lines that belong to no call: those written while the function
    /// was loaded.
    fn line(&self, function: &FunctionId, event_id: &str, level: GuestLevel, text: &str);
}
