//! Whether the condition of an append holds.
//!
//! This runs on the writer, for which everybody waits. Most conditions cost a look-up or two. One that asks for a key and a
//! type together may have to go far back through two long lists that never meet, so the work for one append is bounded: what
//! was gone over is remembered, and who repeats the append has the rest done.

use std::collections::VecDeque;

use weir_domain::{Position, SpaceName};
use weir_log::{Direction, LogError};

use crate::{
    index::Index,
    prepare::{ListName, PreparedCondition},
};

/// Positions of each list that are looked at in the first step. Most conditions name a position shortly before the end.
const FIRST_STEP: usize = 16;
/// Positions of each list in a later step: about what one look-up in the store reads anyway.
const STEP_MAX: usize = 1024;
/// The most look-ups for one append, each in one list. It takes some milliseconds.
const LOOKUPS_MAX: usize = 256;
/// How many unfinished searches are remembered.
const SEARCHES_MAX: usize = 16;

/// Checks conditions, and remembers those that take several attempts.
#[derive(Default)]
pub(super) struct Conditions {
    unfinished: VecDeque<Search>,
}

/// How far a search for an event with a key and one of some types has come.
struct Search {
    key: ListName,
    types: Vec<ListName>,
    /// No such event stands after `from` and up to here.
    newest: Position,
    /// One may stand here or before.
    from: Position,
}

impl Conditions {
    /// Checks that no event that matches stands after the position of the condition. `durable` is the end of the log,
    /// without the group that is being built.
    ///
    /// # Errors
    /// [`LogError::ConditionFailed`] where one does; [`LogError::Overloaded`] where the search takes too long for one
    /// attempt.
    pub(super) fn check(
        &mut self,
        index: &Index,
        space: &SpaceName,
        condition: &PreparedCondition,
        durable: Position,
    ) -> Result<(), LogError> {
        let newest = match (condition.keys.as_slice(), condition.types.as_slice()) {
            ([], []) => index.newest_of_space(space)?,
            (lists, []) | ([], lists) => {
                let mut newest = None;
                for list in lists {
                    newest = newest.max(index.newest(list)?);
                }
                newest
            }
            (keys, types) => {
                let mut newest = None;
                let mut lookups = LOOKUPS_MAX;
                for key in keys {
                    newest =
                        newest.max(self.newest_of_both(index, key, types, condition.after, durable, &mut lookups)?);
                }
                newest
            }
        };
        match newest {
            Some(beaten_by) if beaten_by > condition.after => {
                Err(LogError::ConditionFailed { after: condition.after, beaten_by })
            }
            _ => Ok(()),
        }
    }

    /// Finds the newest position after `after` that is in the list of the key and in one of the types.
    fn newest_of_both(
        &mut self,
        index: &Index,
        key: &ListName,
        types: &[ListName],
        after: Position,
        durable: Position,
        lookups: &mut usize,
    ) -> Result<Option<Position>, LogError> {
        let known = self.unfinished.iter().position(|search| search.key == *key && search.types == types);
        let known = known.and_then(|number| self.unfinished.remove(number));
        let mut from = Position::MAX;
        let mut most = FIRST_STEP;
        loop {
            if let Some(known) = known.as_ref().filter(|known| from <= known.newest) {
                from = from.min(known.from);
            }
            match step(index, key, types, from, most)? {
                Step::Found(position) => return Ok(Some(position).filter(|position| *position > after)),
                Step::NotAbove(position) if position > after => from = position,
                Step::NotAbove(_) => return Ok(None),
            }
            most = STEP_MAX.min(most * 4);
            *lookups = lookups.saturating_sub(1 + types.len());
            if *lookups == 0 {
                self.remember(Search { key: *key, types: types.to_vec(), newest: durable, from });
                return Err(LogError::Overloaded);
            }
        }
    }

    /// Positions behind the durable end are left out: the group that gave them may not be written, and others get them.
    fn remember(&mut self, search: Search) {
        if self.unfinished.len() == SEARCHES_MAX {
            self.unfinished.pop_front();
        }
        self.unfinished.push_back(search);
    }
}

/// What one step backwards through the lists found.
enum Step {
    /// The newest event that matches.
    Found(Position),
    /// None matches above this position; the origin where none matches at all.
    NotAbove(Position),
}

/// Compares the newest positions of the lists at or before `from`, up to `most` of each.
fn step(index: &Index, key: &ListName, types: &[ListName], from: Position, most: usize) -> Result<Step, LogError> {
    let of_key = index.list(key, from, Direction::Backward, most)?;
    let Some(newest_of_key) = of_key.first().copied() else { return Ok(Step::NotAbove(Position::ORIGIN)) };
    // What a list may hold before the positions that were read is not known.
    let mut known_from = floor(&of_key, most);
    let mut newest_of_types = Position::ORIGIN;
    let mut of_types = Vec::with_capacity(types.len());
    for list in types {
        let positions = index.list(list, newest_of_key, Direction::Backward, most)?;
        known_from = known_from.max(floor(&positions, most));
        newest_of_types = newest_of_types.max(positions.first().copied().unwrap_or_default());
        of_types.push(positions);
    }
    let in_a_type = |position: &Position| {
        // Newest first.
        of_types.iter().any(|positions| positions.binary_search_by(|other| position.cmp(other)).is_ok())
    };
    let found = of_key.iter().copied().take_while(|position| *position >= known_from).find(in_a_type);
    Ok(match found {
        Some(position) => Step::Found(position),
        // Whichever is further back: the two lists cannot meet above the newest of either.
        None => Step::NotAbove(newest_of_types.min(known_from.previous())),
    })
}

/// Returns the position from which on a page holds all of its list.
fn floor(page: &[Position], most: usize) -> Position {
    page.last().copied().filter(|_| page.len() >= most).unwrap_or_default()
}

#[cfg(test)]
mod tests;
