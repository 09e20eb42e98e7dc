//! Faults in what people write, collected so that one report tells all of them, and the guess at what was meant.
//!
//! What a fault is about is found elsewhere: [`document`](crate::document) reads TOML, `settings` and `manifest` know
//! what belongs there.

use std::{fmt, mem};

/// One fault: where it stands, what is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    place: String,
    message: String,
}

impl Fault {
    /// Describes a fault; the message tells what is wrong and then the cure.
    pub(crate) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Writes how many faults there are and each on a line of its own.
pub(crate) fn list(f: &mut fmt::Formatter<'_>, what: &str, faults: &[Fault]) -> fmt::Result {
    match faults {
        [_] => write!(f, "{what} one mistake")?,
        _ => write!(f, "{what} {} mistakes", faults.len())?,
    }
    faults.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
}

/// Says which of the known words was probably meant, or which there are.
pub(crate) fn did_you_mean(given: &str, known: &[&str]) -> String {
    match nearest(given, known) {
        Some(word) => format!("did you mean {word:?}?"),
        None if known.is_empty() => "remove it".into(),
        None => format!("choose one of {}", known.join(", ")),
    }
}

/// Returns the known word that differs least, where it does not differ much or only goes on.
fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let most = (given.chars().count() / 3).clamp(1, 4);
    let goes_on = |word: &str| given.len() >= 3 && word.starts_with(given);
    let parts = |word: &str| word.split(['_', '.']).map(str::to_owned).collect::<Vec<_>>();
    let given_parts = parts(given);
    // A part that was left out is more likely than another one in its place: WEIR_PORT is WEIR_EVENTS_PORT.
    let lacks_part = |word: &str| {
        let known = parts(word);
        given_parts.len() > 1 && given_parts.iter().all(|part| known.contains(part))
    };
    let distances = known.iter().map(|word| (distance(given, word), *word));
    let near = distances.filter(|(distance, word)| *distance <= most || goes_on(word) || lacks_part(word));
    let rank = |(distance, word): &(usize, &str)| (*distance > 1 && !lacks_part(word), *distance);
    near.min_by_key(rank).map(|(_, word)| word)
}

/// Counts the letters to be changed, added, removed, or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut two_above: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    let mut before = None;
    for (row, letter) in from.chars().enumerate() {
        let mut current = Vec::with_capacity(above.len());
        current.push(row + 1);
        for (column, other) in to.iter().enumerate() {
            let changed = above[column] + usize::from(letter != *other);
            let mut least = changed.min(above[column + 1] + 1).min(current[column] + 1);
            if column > 0 && before == Some(*other) && letter == to[column - 1] {
                least = least.min(two_above[column - 1] + 1);
            }
            current.push(least);
        }
        two_above = mem::replace(&mut above, current);
        before = Some(letter);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_guessed() {
        let known = ["source", "url", "timeout_ms", "memory_bytes_max"];
        let check = |given: &str, expected: &str| assert_eq!(did_you_mean(given, &known), expected, "{given}");
        check("sorce", "did you mean \"source\"?");
        check("soruce", "did you mean \"source\"?");
        check("ulr", "did you mean \"url\"?");
        check("timeout", "did you mean \"timeout_ms\"?");
        check("wait", "choose one of source, url, timeout_ms, memory_bytes_max");
        check("timeoutms", "did you mean \"timeout_ms\"?");
        check("", "choose one of source, url, timeout_ms, memory_bytes_max");
        assert_eq!(did_you_mean("x", &[]), "remove it");
        let variables = ["WEIR_HOST", "WEIR_EVENTS_PORT", "WEIR_CONFIG_PORT"];
        assert_eq!(did_you_mean("WEIR_PORT", &variables), "did you mean \"WEIR_EVENTS_PORT\"?");
        assert_eq!(did_you_mean("WEIR_HOTS", &variables), "did you mean \"WEIR_HOST\"?");
    }

    #[test]
    fn distances_count_single_steps() {
        for (from, to, expected) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("ab", "ba", 1), ("abc", "abd", 1), ("käse", "kase", 1)]
        {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }
}
