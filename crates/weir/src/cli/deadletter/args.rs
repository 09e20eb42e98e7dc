//! Flags of `weir deadletter`.

use clap::{Args, ValueEnum, value_parser};
use weir_domain::SpaceName;

use crate::cli::{resources::ServerArgs, space};

/// The most letters that are listed.
const LIMIT_MAX: i64 = 100_000;

/// Which space of which server.
#[derive(Clone, Debug, Args)]
pub(crate) struct WhereArgs {
    /// The space of the dead letters
    #[arg(long, value_name = "SPACE", default_value = "default", value_parser = space)]
    pub(super) space: SpaceName,
    /// Which server.
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// What was decided about letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// Nothing yet
    #[default]
    Open,
    /// They are delivered again
    Redriven,
    /// They are given up for good
    Discarded,
    /// Anything
    All,
}

impl State {
    /// Returns the word of the server.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
            Self::All => "all",
        }
    }
}

/// Flags of `weir deadletter list`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ListArgs {
    /// Only those of this subscription: its identifier, or its function where that has no other async one
    #[arg(long, value_name = "ID|FUNCTION")]
    pub(super) subscription: Option<String>,
    /// Only those about events of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) event_type: Option<String>,
    /// Only those of this key
    #[arg(long, value_name = "KEY")]
    pub(super) key: Option<String>,
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_enum, default_value_t)]
    pub(super) state: State,
    /// List so many at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..=LIMIT_MAX))]
    pub(super) limit: u32,
    /// Where.
    #[command(flatten)]
    pub(super) place: WhereArgs,
}

/// Flags of `weir deadletter show` and `diff`.
#[derive(Clone, Debug, Args)]
pub(crate) struct OneArgs {
    /// The position of the dead letter, as `weir deadletter list` shows it
    #[arg(value_name = "POSITION")]
    pub(super) position: u64,
    /// Where.
    #[command(flatten)]
    pub(super) place: WhereArgs,
}

/// Flags of `weir deadletter patch`.
#[derive(Clone, Debug, Args)]
pub(crate) struct PatchArgs {
    /// The position of the dead letter
    #[arg(value_name = "POSITION")]
    pub(super) position: u64,
    /// The new form.
    #[command(flatten)]
    pub(super) form: FormArgs,
    /// Where.
    #[command(flatten)]
    pub(super) place: WhereArgs,
}

/// How the new form is given.
#[derive(Clone, Debug, Args)]
#[group(id = "form", required = true, multiple = false)]
pub(crate) struct FormArgs {
    /// A merge patch (RFC 7396) of the event as JSON: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub(super) merge: Option<String>,
    /// Set one member of the event, such as data.price=3: the value is JSON, else text, and null takes the member away;
    /// may come several times
    #[arg(long, value_name = "PATH=VALUE", value_parser = assignment)]
    pub(super) set: Vec<(String, String)>,
    /// The whole event in the JSON format of CloudEvents: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-")]
    pub(super) event: Option<String>,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((path, value)) if path.split('.').all(|part| !part.is_empty()) => Ok((path.to_owned(), value.to_owned())),
        _ => Err("write it as PATH=VALUE, such as data.price=3".into()),
    }
}

/// Which letters are to be decided about.
#[derive(Clone, Debug, Args)]
#[group(id = "letters", required = true, multiple = true)]
pub(crate) struct LettersArgs {
    /// Positions of dead letters, as `weir deadletter list` shows them
    #[arg(value_name = "POSITION", conflicts_with_all = ["subscription", "event_type", "key", "all"])]
    pub(super) positions: Vec<u64>,
    /// All open ones of this subscription: its identifier, or its function where that has no other async one
    #[arg(long, value_name = "ID|FUNCTION")]
    pub(super) subscription: Option<String>,
    /// All open ones about events of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub(super) event_type: Option<String>,
    /// All open ones of this key
    #[arg(long, value_name = "KEY")]
    pub(super) key: Option<String>,
    /// All open ones of the space, or of what else is said
    #[arg(long)]
    pub(super) all: bool,
}

/// Flags of `weir deadletter redrive`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RedriveArgs {
    /// Which ones.
    #[command(flatten)]
    pub(super) letters: LettersArgs,
    /// The subscription that is to deliver them, where their own is gone
    #[arg(long, value_name = "ID")]
    pub(super) to: Option<String>,
    /// Where.
    #[command(flatten)]
    pub(super) place: WhereArgs,
}

/// Flags of `weir deadletter discard`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DiscardArgs {
    /// Which ones.
    #[command(flatten)]
    pub(super) letters: LettersArgs,
    /// Why, for those who look later
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Where.
    #[command(flatten)]
    pub(super) place: WhereArgs,
}
