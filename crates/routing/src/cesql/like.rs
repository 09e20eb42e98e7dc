//! The pattern of LIKE, made ready to be asked often.
//!
//! A pattern is divided at its `%` into parts. The first one must stand at the beginning and the last one at the end.
//! Each of the others is taken where it comes first, and never looked for again: where the rest does not fit behind
//! that, it does not fit further on.

use std::fmt;

/// A pattern.
#[derive(Debug)]
pub(super) struct Like {
    first: Part,
    /// What comes between one `%` and the next; no part is empty.
    middle: Box<[Part]>,
    /// What comes behind the last `%`; none where there is no `%`.
    last: Option<Part>,
}

/// What stands between two `%`.
#[derive(Debug)]
enum Part {
    Text(Box<str>),
    /// Letters, and nothing for any one letter; at least one is any.
    Letters(Box<[Option<char>]>),
}

/// What a text begins with where a pattern fits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// The text is this one.
    Whole(String),
    Prefix(String),
}

impl Like {
    pub(super) fn new(pattern: &str) -> Self {
        let mut parts = vec![Vec::new()];
        let mut letters = pattern.chars().peekable();
        while let Some(letter) = letters.next() {
            let piece = match letter {
                '%' => {
                    parts.push(Vec::new());
                    continue;
                }
                '_' => None,
                '\\' => Some(letters.next_if(|next| matches!(next, '%' | '_')).unwrap_or('\\')),
                other => Some(other),
            };
            if let Some(part) = parts.last_mut() {
                part.push(piece);
            }
        }
        let mut parts = parts.into_iter().map(Part::new);
        let first = parts.next().unwrap_or(Part::Text("".into()));
        let last = parts.next_back();
        Self { first, middle: parts.filter(|part| !part.is_empty()).collect(), last }
    }

    /// Tells whether a text is as the pattern says.
    pub(super) fn matches(&self, text: &str) -> bool {
        let Some(begun) = self.first.at_start(text) else { return false };
        let rest = &text[begun..];
        let Some(last) = &self.last else { return rest.is_empty() };
        let Some(end) = last.at_end(rest) else { return false };
        let mut rest = &rest[..end];
        for part in &self.middle {
            let Some(end) = part.find(rest) else { return false };
            rest = &rest[end..];
        }
        true
    }

    /// Returns what every text begins with that is as it says.
    pub(super) fn beginning(&self) -> Beginning {
        match (&self.first, &self.last) {
            (Part::Text(text), None) => Beginning::Whole(text.to_string()),
            (Part::Text(text), Some(_)) => Beginning::Prefix(text.to_string()),
            (Part::Letters(letters), _) => Beginning::Prefix(letters.iter().map_while(|letter| *letter).collect()),
        }
    }
}

impl Part {
    fn new(letters: Vec<Option<char>>) -> Self {
        match letters.iter().copied().collect::<Option<String>>() {
            Some(text) => Self::Text(text.into()),
            None => Self::Letters(letters.into()),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    /// Returns where in the text it ends that begins with it.
    fn at_start(&self, text: &str) -> Option<usize> {
        match self {
            Self::Text(own) => text.starts_with(&**own).then_some(own.len()),
            Self::Letters(own) => {
                let mut letters = text.chars();
                let fits = own.iter().all(|wanted| letters.next().is_some_and(|letter| fits(*wanted, letter)));
                fits.then(|| text.len() - letters.as_str().len())
            }
        }
    }

    /// Returns where in the text it begins that ends with it.
    fn at_end(&self, text: &str) -> Option<usize> {
        match self {
            Self::Text(own) => text.ends_with(&**own).then(|| text.len() - own.len()),
            Self::Letters(own) => {
                let mut letters = text.chars();
                let fits =
                    own.iter().rev().all(|wanted| letters.next_back().is_some_and(|letter| fits(*wanted, letter)));
                fits.then_some(letters.as_str().len())
            }
        }
    }

    /// Returns where in the text it ends the first time that it stands there.
    fn find(&self, text: &str) -> Option<usize> {
        match self {
            Self::Text(own) => text.find(&**own).map(|start| start + own.len()),
            Self::Letters(_) => {
                text.char_indices().find_map(|(start, _)| self.at_start(&text[start..]).map(|length| start + length))
            }
        }
    }
}

fn fits(wanted: Option<char>, letter: char) -> bool {
    wanted.is_none_or(|wanted| wanted == letter)
}

/// As the literal, with its escapes.
impl fmt::Display for Like {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        let Some(last) = &self.last else { return Ok(()) };
        for part in self.middle.iter().chain([last]) {
            write!(f, "%{part}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write = |f: &mut fmt::Formatter<'_>, letter: Option<char>| match letter {
            None => f.write_str("_"),
            Some(letter @ ('%' | '_')) => write!(f, "\\{letter}"),
            Some(letter) => write!(f, "{letter}"),
        };
        match self {
            Self::Text(text) => text.chars().try_for_each(|letter| write(f, Some(letter))),
            Self::Letters(letters) => letters.iter().try_for_each(|letter| write(f, *letter)),
        }
    }
}
