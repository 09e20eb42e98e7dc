//! What is wrong with the text of an expression, and where.

use std::fmt;

/// The most letters of a line that are shown before and behind a fault.
const AROUND: usize = 60;

/// What is wrong in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where it begins, in bytes of the text.
    pub(crate) offset: usize,
    /// How many bytes it has; 0 at the end of the text.
    pub(crate) length: usize,
    /// What was found and what was expected, with the cure.
    pub(crate) message: String,
}

impl Fault {
    pub(super) fn new(offset: usize, length: usize, message: impl Into<String>) -> Self {
        Self { offset, length, message: message.into() }
    }

    /// Returns the message, the line of the text that it is about, and marks below the place.
    pub(crate) fn rendered(&self, text: &str) -> String {
        let start = text.floor_char_boundary(self.offset.min(text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |end| end + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let number = text[..line_start].matches('\n').count() + 1;
        let end = text.ceil_char_boundary(start.saturating_add(self.length).min(line_end)).max(start);

        let before: Vec<char> = text[line_start..start].chars().collect();
        let inside = text[start..end].chars().take(AROUND).collect::<String>();
        let behind: Vec<char> = text[start + inside.len()..line_end.max(start + inside.len())].chars().collect();
        let cut_before = before.len().saturating_sub(AROUND);
        let dots = |cut: bool| if cut { "…" } else { "" };
        let shown = format!(
            "{}{}{inside}{}{}",
            dots(cut_before > 0),
            before[cut_before..].iter().collect::<String>(),
            behind.iter().take(AROUND).collect::<String>(),
            dots(behind.len() > AROUND),
        );
        // One column for each letter, tabs and line ends too.
        let shown: String = shown.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        let margin = " ".repeat(number.to_string().len());
        let indent = " ".repeat(before.len() - cut_before + usize::from(cut_before > 0));
        let marks = "^".repeat(inside.chars().count().max(1));
        format!("{}\n{number} | {}\n{margin} | {indent}{marks}", self.message, shown.trim_end())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
