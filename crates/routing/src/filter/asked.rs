//! One event under question: its data is read at most once, and what many filters have in common is asked once.

use std::{cell::OnceCell, mem};

use weir_domain::{Data, Event};

use crate::document::{Document, Members};

/// How many answers are remembered at first.
const ANSWERS_FIRST: usize = 32;
/// The most answers that are remembered of one event: what is beyond is asked again.
const ANSWERS_MAX: usize = 1 << 16;

/// An event, and what was found out about it so far.
///
/// What is asked about it must live as long as it does: an answer is known by the address of what gave it.
pub(crate) struct Asked<'e> {
    event: &'e Event,
    /// What those who ask may want to see of the data.
    members: &'e [&'e Members],
    document: OnceCell<Option<Document<'e>>>,
    scratch: Option<&'e mut Scratch>,
}

impl<'e> Asked<'e> {
    /// Begins with an event that many filters are asked about, of whose data they see these members only.
    pub(crate) fn new(event: &'e Event, members: &'e [&'e Members], scratch: &'e mut Scratch) -> Self {
        scratch.begin();
        Self { event, members, document: OnceCell::new(), scratch: Some(scratch) }
    }

    /// Begins with an event that one filter is asked about.
    pub(super) fn once(event: &'e Event, members: &'e [&'e Members]) -> Self {
        Self { event, members, document: OnceCell::new(), scratch: None }
    }

    pub(crate) fn event(&self) -> &'e Event {
        self.event
    }

    /// Returns the data, which is read now if it was not before; `None` where it is no JSON.
    pub(crate) fn document(&self) -> Option<&Document<'e>> {
        let read = || match self.event.data() {
            Data::Json(text) => Document::read(text, self.members),
            Data::None | Data::Text(_) | Data::Binary(_) => None,
        };
        self.document.get_or_init(read).as_ref()
    }

    /// Returns what was answered before by what has this address, or finds it out.
    pub(super) fn remembered(&mut self, address: usize, answer: impl FnOnce(&mut Self) -> bool) -> bool {
        if let Some(known) = self.scratch.as_ref().and_then(|scratch| scratch.get(address)) {
            return known;
        }
        let answer = answer(self);
        if let Some(scratch) = &mut self.scratch {
            scratch.set(address, answer);
        }
        answer
    }
}

/// Memory for answers that is used again from event to event. What is in it means nothing between events.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Where an answer belongs is decided by its address; where that is taken, it is in the next free place. Never
    /// more than half full.
    places: Vec<Place>,
    /// How many answers there are of the event.
    len: usize,
    /// Which event it is.
    event: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    address: usize,
    /// Of which event the answer is, and in the lowest bit the answer. The first event has number 1.
    answer: u64,
}

impl Place {
    fn is_of(self, event: u64) -> bool {
        self.answer >> 1 == event
    }
}

impl Scratch {
    fn begin(&mut self) {
        self.event += 1;
        self.len = 0;
    }

    /// Returns how many answers are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn get(&self, address: usize) -> Option<bool> {
        let place = self.places.get(self.find(address)?)?;
        place.is_of(self.event).then_some(place.answer & 1 == 1)
    }

    fn set(&mut self, address: usize, answer: bool) {
        if self.len >= ANSWERS_MAX {
            return;
        }
        if 2 * (self.len + 1) > self.places.len() {
            self.grow();
        }
        let Some(place) = self.find(address) else { return };
        if !self.places[place].is_of(self.event) {
            self.len += 1;
        }
        self.places[place] = Place { address, answer: (self.event << 1) | u64::from(answer) };
    }

    /// Returns the place where an address is, or else the one where it belongs; `None` where there are no places.
    fn find(&self, address: usize) -> Option<usize> {
        let bits = self.places.len().checked_ilog2()?;
        // The highest bits of the product depend on all of the address.
        let spread = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let first = (spread >> (u64::BITS - bits)) as usize;
        let mut behind = (0..self.places.len()).map(|step| (first + step) % self.places.len());
        behind.find(|place| {
            let place = self.places[*place];
            !place.is_of(self.event) || place.address == address
        })
    }

    fn grow(&mut self) {
        let places = vec![Place::default(); (2 * self.places.len()).max(ANSWERS_FIRST)];
        for old in mem::replace(&mut self.places, places) {
            if old.is_of(self.event)
                && let Some(place) = self.find(old.address)
            {
                self.places[place] = old;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWERS_MAX, Scratch};

    #[test]
    fn answers_are_those_of_the_event_and_bounded() {
        let mut scratch = Scratch::default();
        let addresses = |most: usize| (1..=most).map(|index| index * 48);
        for event in 0..3 {
            scratch.begin();
            assert_eq!(scratch.get(48), None);
            for address in addresses(5000) {
                scratch.set(address, address % 5 == event);
            }
            assert!(addresses(5000).all(|address| scratch.get(address) == Some(address % 5 == event)));
            assert_eq!(scratch.get(7), None);
        }
        scratch.begin();
        addresses(ANSWERS_MAX + 9).for_each(|address| scratch.set(address, true));
        assert_eq!(scratch.len(), ANSWERS_MAX);
        assert_eq!(scratch.get(48), Some(true));
        assert_eq!(scratch.get((ANSWERS_MAX + 1) * 48), None);
    }
}
