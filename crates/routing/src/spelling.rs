//! The guess at which word was meant.

use std::mem;

/// Longer words are not compared: they are none of ours.
const BYTES_MAX: usize = 32;

/// Returns the known word that differs least, where it does not differ much; capital letters do not count.
pub(crate) fn nearest(given: &str, known: &[&'static str]) -> Option<&'static str> {
    if given.len() > BYTES_MAX {
        return None;
    }
    let given = given.to_lowercase();
    let most = (given.chars().count() / 3).clamp(1, 2);
    let distances = known.iter().map(|word| (distance(&given, word), *word));
    distances.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
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
