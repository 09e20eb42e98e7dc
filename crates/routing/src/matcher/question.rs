//! One event under question: what the matcher asks of filters and of data while it looks for who wants the event.

use std::{collections::HashSet, fmt};

use smallvec::SmallVec;
use weir_domain::Event;

use crate::{
    Filter,
    cover::{Literal, Number, Operand},
    document::{Members, Scalar},
    filter::{self, Asked},
};

/// What those that are asked want to see of the data.
pub(super) type MembersOf<'m> = SmallVec<[&'m Members; 8]>;

/// Memory that is used again from event to event, so that little is allocated for each. What is in it means nothing.
#[derive(Default)]
pub struct Scratch {
    filters: filter::Scratch,
    // Never iterated, so the order of a hash set cannot show.
    seen: HashSet<usize>,
    #[cfg(test)]
    asked: usize,
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Scratch {
    /// Returns how many filters were asked with it.
    pub(super) fn asked(&self) -> usize {
        self.asked
    }
}

/// A value of an event, as an index finds it.
pub(super) enum Sought<'a> {
    Text(&'a str),
    /// Anything but a text.
    Literal(Literal),
}

/// An event, and what was found out about it.
pub(super) struct Question<'e> {
    event: &'e Event,
    asked: Asked<'e>,
    seen: &'e mut HashSet<usize>,
    #[cfg(test)]
    count: &'e mut usize,
}

impl<'e> Question<'e> {
    /// Begins to ask about an event, of whose data only these members will be seen.
    pub(super) fn new(event: &'e Event, members: &'e [&'e Members], scratch: &'e mut Scratch) -> Self {
        Self {
            event,
            asked: Asked::new(event, members, &mut scratch.filters),
            seen: &mut scratch.seen,
            #[cfg(test)]
            count: &mut scratch.asked,
        }
    }

    /// Asks a filter.
    pub(super) fn holds(&mut self, filter: &'e Filter) -> bool {
        #[cfg(test)]
        {
            *self.count += 1;
        }
        filter.holds(&mut self.asked)
    }

    /// Begins with another bucket: nothing of it was seen before.
    pub(super) fn begin_bucket(&mut self) {
        self.seen.clear();
    }

    /// Tells whether what is at an address is seen for the first time.
    pub(super) fn is_first(&mut self, address: usize) -> bool {
        self.seen.insert(address)
    }

    /// Tells all values that the event has of an operand.
    pub(super) fn values(&mut self, operand: &Operand, mut each: impl FnMut(Sought<'_>)) {
        match operand {
            Operand::Attribute(attribute) => {
                let Some(text) = attribute.of(self.event) else { return };
                each(Sought::Text(text));
                if let Some(literal) = literal_of(text) {
                    each(Sought::Literal(literal));
                }
            }
            Operand::Data(path) => {
                let Some(document) = self.asked.document() else { return };
                document.at(path, |scalar| {
                    let sought = match scalar {
                        Scalar::Text(text) => Some(Sought::Text(text)),
                        Scalar::Null => Some(Sought::Literal(Literal::Null)),
                        Scalar::Boolean(truth) => Some(Sought::Literal(Literal::Boolean(truth))),
                        Scalar::Number(number) => number_of(number.as_f64()).map(Sought::Literal),
                    };
                    sought.into_iter().for_each(&mut each);
                });
            }
        }
    }
}

fn number_of(number: f64) -> Option<Literal> {
    Number::new(number).map(Literal::Number)
}

/// Returns what else than a text the text of an attribute may be meant as, see [`Literal`]. What is no number of JSON
/// and read as one finds filters in vain, and is not wrong.
fn literal_of(text: &str) -> Option<Literal> {
    match text {
        "null" => Some(Literal::Null),
        "true" => Some(Literal::Boolean(true)),
        "false" => Some(Literal::Boolean(false)),
        _ if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
            text.parse().ok().and_then(number_of)
        }
        _ => None,
    }
}
