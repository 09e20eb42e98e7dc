//! What people and programs get to see: text, tables, colours, progress and errors, and the code with which the program
//! ends.
//!
//! Results go to standard output, everything else to standard error. This is the one place that knows which exit code
//! an error has.

use std::{
    error::Error,
    fmt::Display,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::Style;
use parking_lot::Mutex;
use serde::Serialize;
use weir_domain::{AttributeError, ErrorKind, NameError, error_chain};

use crate::{cli::When, client::ClientError, manifest::ManifestError, settings::SettingsError};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is done.
    Done,
    /// The work is done, and it found something that its caller must not overlook: damage, or refused events.
    Findings,
    /// It could not be done.
    Failed(ErrorKind),
}

impl Exit {
    /// Returns the exit code. Wrong flags end with 2 as well, because they are [`ErrorKind::Invalid`].
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Findings => 1,
            Self::Failed(ErrorKind::Invalid) => 2,
            Self::Failed(ErrorKind::NotFound) => 3,
            Self::Failed(ErrorKind::Conflict) => 4,
            Self::Failed(ErrorKind::Unavailable { .. }) => 5,
            Self::Failed(ErrorKind::Corrupt) => 6,
            Self::Failed(ErrorKind::Denied) => 7,
            Self::Failed(ErrorKind::Closed) => 8,
            Self::Failed(ErrorKind::Internal) => 9,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error that is found at the command line itself: a sentence and its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    kind: ErrorKind,
    message: String,
}

impl Failure {
    /// Makes an error of a kind.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Makes an error that the caller can correct.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Returns what the reader must do next.
    pub(crate) const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// What a part of the text means; how that looks is decided here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Nothing special.
    Plain,
    /// Something went as it should.
    Good,
    /// Something is wrong.
    Bad,
    /// Something to look at.
    Warn,
    /// What matters least.
    Dim,
    /// What matters most.
    Strong,
    /// One of several, told apart by colour.
    Hue(u8),
}

impl Paint {
    /// Picks the colour that a name always has.
    pub(crate) fn of_name(name: &str) -> Self {
        Self::Hue(name.bytes().fold(0, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)))
    }

    fn style(self) -> Style {
        let style = Style::new();
        match self {
            Self::Plain => style,
            Self::Good => style.green(),
            Self::Bad => style.red().bold(),
            Self::Warn => style.yellow(),
            Self::Dim => style.dimmed(),
            Self::Strong => style.bold(),
            Self::Hue(number) => match number % 5 {
                0 => style.cyan(),
                1 => style.magenta(),
                2 => style.blue(),
                3 => style.green(),
                _ => style.yellow(),
            },
        }
    }
}

/// Where results, remarks and progress go, and in which form.
pub(crate) struct Output {
    json: bool,
    out_colour: bool,
    err_colour: bool,
    progress: bool,
    width: Option<usize>,
    out: Mutex<Box<dyn Write + Send>>,
    err: Mutex<Box<dyn Write + Send>>,
}

impl Output {
    /// Makes the output of the process.
    pub(crate) fn new(json: bool, when: When) -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        let colourless = declines_colour();
        let colour = |is_terminal: bool| match when {
            When::Auto => is_terminal && !colourless,
            When::Always => true,
            When::Never => false,
        };
        let width = rustix::termios::tcgetwinsize(&out).ok().map(|size| usize::from(size.ws_col));
        Self {
            json,
            out_colour: colour(out.is_terminal()),
            err_colour: colour(err.is_terminal()),
            progress: err.is_terminal(),
            width: width.filter(|columns| *columns > 0 && out.is_terminal()),
            out: Mutex::new(Box::new(out)),
            err: Mutex::new(Box::new(err)),
        }
    }

    /// Tells whether a program reads the results.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Tells whether results may be in colour.
    pub(crate) const fn colour(&self) -> bool {
        self.out_colour
    }

    /// Tells whether remarks may be in colour, and so may the log that a server writes beside them.
    pub(crate) const fn remark_colour(&self) -> bool {
        self.err_colour
    }

    /// Returns the columns of the terminal that shows the results, if one does.
    pub(crate) const fn width(&self) -> Option<usize> {
        self.width
    }

    /// Returns a part of a result with its colour.
    pub(crate) fn paint(&self, paint: Paint, text: impl Display) -> String {
        painted(self.out_colour, paint, text)
    }

    /// Writes a part of the results, lines and all, at once.
    pub(crate) fn print(&self, text: &str) -> io::Result<()> {
        let mut out = self.out.lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
            // Marked, so that no other broken pipe is taken for this one.
            io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, ReaderGone),
            _ => error,
        })
    }

    /// Writes a line of the results.
    pub(crate) fn line(&self, text: impl Display) -> io::Result<()> {
        self.print(&format!("{text}\n"))
    }

    /// Writes a result for programs: JSON on one line.
    pub(crate) fn json<T: Serialize>(&self, value: &T) -> io::Result<()> {
        self.line(serde_json::to_string(value)?)
    }

    /// Writes names and values below one another.
    pub(crate) fn pairs(&self, pairs: &[(&str, String)]) -> io::Result<()> {
        let mut table = Table::default();
        for (name, value) in pairs {
            table.row([((*name).to_owned(), Paint::Dim), (value.clone(), Paint::Plain)]);
        }
        self.print(&table.render(self.out_colour))
    }

    /// Writes a table.
    pub(crate) fn table(&self, table: &Table) -> io::Result<()> {
        self.print(&table.render(self.out_colour))
    }

    /// Writes a remark for people, which is no part of the results. Whatever others have written in it is made safe for
    /// a terminal.
    pub(crate) fn note(&self, paint: Paint, text: impl Display) {
        self.remark(&painted(self.err_colour, paint, clean(&text.to_string())));
    }

    fn remark(&self, text: &str) {
        // Where nobody can read remarks, there is nobody to be told that they cannot be written.
        drop(writeln!(self.err.lock(), "{text}"));
    }

    /// Begins to show progress in bytes, where a terminal can show it.
    pub(crate) fn progress(&self, what: &str, bytes: Option<u64>) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let (bar, template) = match bytes {
            Some(bytes) => {
                (ProgressBar::new(bytes), "{msg} [{wide_bar}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} to go")
            }
            None => (ProgressBar::no_length(), "{msg} {spinner} {bytes}, {bytes_per_sec}"),
        };
        let style = ProgressStyle::with_template(template).expect("the templates above are well-formed");
        bar.with_style(style).with_message(what.to_owned())
    }

    /// Begins to show progress in steps, where a terminal can show it.
    pub(crate) fn steps(&self, what: &str, steps: u64) -> ProgressBar {
        if !self.progress {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} [{wide_bar}] {percent}%, {eta} to go");
        let style = style.expect("the template above is well-formed");
        ProgressBar::new(steps).with_style(style).with_message(what.to_owned())
    }

    /// Tells an error with all its causes, and how the program is to end.
    pub(crate) fn failure(&self, error: &anyhow::Error) -> Exit {
        if is_reader_gone(error) {
            // Whoever read the results has seen enough, and nothing was found before that they must not overlook.
            return Exit::Done;
        }
        let cause: &(dyn Error + 'static) = &**error;
        let label = painted(self.err_colour, Paint::Bad, "error");
        self.remark(&format!("{label}: {}", clean(&error_chain(cause))));
        Exit::Failed(kind_of(error))
    }
}

/// Returns what the reader of an error must do next: the first of its causes that knows decides.
pub(crate) fn kind_of(error: &anyhow::Error) -> ErrorKind {
    error.chain().find_map(known_kind).unwrap_or(ErrorKind::Internal)
}

fn known_kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    macro_rules! first {
        ($($known:ty),+ $(,)?) => {
            $(
                if let Some(known) = error.downcast_ref::<$known>() {
                    return Some(known.kind());
                }
            )+
        };
    }
    first!(
        Failure,
        SettingsError,
        ManifestError,
        ClientError,
        weir_catalog::CatalogError,
        weir_cloudevents::DecodeError,
        weir_cloudevents::time::TimeError,
        weir_flow::ChangeError,
        weir_flow::OpenError,
        weir_log::LogError,
    );
    if error.is::<AttributeError>() || error.is::<NameError>() {
        return Some(ErrorKind::Invalid);
    }
    let kind = error.downcast_ref::<io::Error>()?.kind();
    match kind {
        io::ErrorKind::NotFound => Some(ErrorKind::NotFound),
        io::ErrorKind::PermissionDenied => Some(ErrorKind::Denied),
        io::ErrorKind::AddrInUse => Some(ErrorKind::Unavailable { retry_after: None }),
        _ => None,
    }
}

/// Whoever read the results does so no more.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the results any more")]
struct ReaderGone;

fn is_reader_gone(error: &anyhow::Error) -> bool {
    let gone = |error: &io::Error| error.get_ref().is_some_and(|inner| inner.is::<ReaderGone>());
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(gone))
}

/// Ends a command whose outcome was known before it was shown: that nobody reads on does not change it.
pub(crate) fn ending(exit: Exit, shown: anyhow::Result<()>) -> anyhow::Result<Exit> {
    match shown {
        Err(error) if !is_reader_gone(&error) => Err(error),
        _ => Ok(exit),
    }
}

/// Tells whether the user or the terminal wants no colour (<https://no-color.org>).
#[expect(clippy::disallowed_methods, reason = "the convention is a variable of the environment")]
fn declines_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|value| value == "dumb")
}

fn painted(colour: bool, paint: Paint, text: impl Display) -> String {
    if colour && paint != Paint::Plain { paint.style().style(text).to_string() } else { text.to_string() }
}

/// What stands in the place of a character that a terminal could take for a command.
fn safe(c: char) -> char {
    if c.is_control() { '\u{fffd}' } else { c }
}

/// Makes a text safe for a terminal; its lines stay lines.
pub(crate) fn clean(text: &str) -> String {
    let safe = |c: char| match c {
        '\n' => c,
        '\t' => ' ',
        _ => safe(c),
    };
    text.chars().map(safe).collect()
}

/// Makes a text safe for a terminal and at most so many columns long, on one line.
pub(crate) fn clip(text: &str, columns: usize) -> String {
    if text.chars().nth(columns).is_none() {
        return text.chars().map(safe).collect();
    }
    text.chars().take(columns.saturating_sub(1)).map(safe).chain((columns > 0).then_some('…')).collect()
}

/// Rows of aligned cells. Under a heading, numbers stand to the right.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    has_heading: bool,
    rows: Vec<Vec<(String, Paint)>>,
}

impl Table {
    /// Begins a table with a heading.
    pub(crate) fn with_heading(heading: &[&str]) -> Self {
        let cells = heading.iter().map(|name| ((*name).to_owned(), Paint::Dim));
        Self { has_heading: true, rows: vec![cells.collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = (String, Paint)>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn render(&self, colour: bool) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let texts =
            |column: usize| self.rows.iter().filter_map(move |row| row.get(column)).map(|(text, _)| text.as_str());
        let width = |column: usize| texts(column).map(|text| text.chars().count()).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let has_numbers = |column: usize| self.has_heading && texts(column).skip(1).all(is_number);
        let to_right: Vec<bool> = (0..columns).map(has_numbers).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (text, paint)) in row.iter().enumerate() {
                let padding = " ".repeat(widths[column] - text.chars().count());
                let shown = painted(colour, *paint, text);
                let gap = if column > 0 { "  " } else { "" };
                let (before, after) = if to_right[column] { (padding.as_str(), "") } else { ("", padding.as_str()) };
                line.extend([gap, before, shown.as_str(), after]);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b',' | b'.'))
}

#[cfg(test)]
pub(crate) use captured::{Captured, unread};

#[cfg(test)]
mod captured {
    //! An output that tests read.

    use std::sync::Arc;

    use super::*;

    /// What was written.
    #[derive(Clone, Default)]
    pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

    /// Makes an output without colours whose results nobody reads.
    pub(crate) fn unread(json: bool) -> Output {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        output(Box::new(Closed), json, None)
    }

    fn output(out: Box<dyn Write + Send>, json: bool, width: Option<usize>) -> Output {
        Output {
            json,
            out_colour: false,
            err_colour: false,
            progress: false,
            width,
            out: Mutex::new(out),
            err: Mutex::new(Box::new(io::sink())),
        }
    }

    impl Captured {
        /// Makes an output without colours whose results are kept here.
        pub(crate) fn output(&self, json: bool, width: Option<usize>) -> Output {
            output(Box::new(self.clone()), json, width)
        }

        /// Returns the results as text.
        pub(crate) fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock()).into_owned()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
