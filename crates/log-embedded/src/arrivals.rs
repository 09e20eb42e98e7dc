//! Who waits for events of which types: they are woken by these, and by nothing else.
//!
//! All who wait for the same types of a space share one sender. It hangs at each of these types, under the name that the
//! index has for the list of the type, so that the writer finds it without a look at an event. Where nobody waits any more a
//! sender stays until the next sweep; it is told nothing.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;
use tokio::sync::watch;
use weir_domain::{Position, SpaceName};
use weir_log::{LogError, Receipt};

use crate::{
    index::UniformMap,
    prepare::{ListName, Prepared, type_list},
};

#[cfg(test)]
mod tests;

/// So many senders are kept whether anybody waits or not.
const KEPT_MIN: usize = 64;

type Sender = watch::Sender<Position>;

/// The senders.
#[derive(Default)]
pub(crate) struct Arrivals {
    watched: RwLock<Watched>,
}

#[derive(Default)]
struct Watched {
    /// For all events of a space.
    spaces: HashMap<SpaceName, Arc<Sender>>,
    /// For the types of a space that were asked for together, in order and each of them once.
    sets: HashMap<Vec<ListName>, Arc<Sender>>,
    /// The senders of all sets, at each type of theirs.
    types: UniformMap<ListName, Vec<Arc<Sender>>>,
    /// With so many senders those are removed for which nobody waits.
    sweep_at: usize,
}

impl Arrivals {
    /// Begins to wait for events of these types, where none are named of any type. `end` shows the durable end.
    pub(crate) fn watch(&self, space: &SpaceName, types: &[String], end: &Sender) -> watch::Receiver<Position> {
        let mut set: Vec<ListName> = types.iter().map(|name| type_list(space, name)).collect();
        set.sort_unstable();
        set.dedup();
        let mut watched = self.watched.write();
        // The writer moves the end before it tells: what is not within this end yet will be told.
        let end = *end.borrow();
        watched.sender(space, set, end).subscribe()
    }

    /// Tells of a group that is durable and can be read. Only the newest event of each type has anything to say, so it goes
    /// from the newest to the oldest.
    pub(crate) fn tell(&self, group: &[Prepared], outcomes: &[Result<Receipt, LogError>]) {
        let watched = self.watched.read();
        if watched.spaces.is_empty() && watched.sets.is_empty() {
            return;
        }
        let (mut space_before, mut type_before) = (None, None);
        for (batch, outcome) in group.iter().zip(outcomes).rev() {
            let Ok(receipt) = outcome else { continue };
            let entries = batch.events.iter().zip(&receipt.events).rev();
            let mut fresh = entries.filter(|(_, entry)| !entry.duplicate).peekable();
            if let Some((_, newest)) = fresh.peek()
                && space_before != Some(&batch.space)
            {
                space_before = Some(&batch.space);
                tell(watched.spaces.get(&batch.space), newest.position);
            }
            for (event, entry) in fresh {
                if type_before != Some(&event.event_type) {
                    type_before = Some(&event.event_type);
                    tell(watched.types.get(&event.event_type).into_iter().flatten(), entry.position);
                }
            }
        }
    }
}

fn tell<'a>(senders: impl IntoIterator<Item = &'a Arc<Sender>>, position: Position) {
    for sender in senders {
        if sender.receiver_count() > 0 {
            sender.send_if_modified(|newest| {
                let newer = *newest < position;
                *newest = position.max(*newest);
                newer
            });
        }
    }
}

impl Watched {
    /// Returns the sender of a set of types, or of a space where it is empty.
    fn sender(&mut self, space: &SpaceName, set: Vec<ListName>, end: Position) -> Arc<Sender> {
        let known = if set.is_empty() { self.spaces.get(space) } else { self.sets.get(&set) };
        if let Some(known) = known {
            if known.receiver_count() == 0 {
                // It was told nothing meanwhile.
                known.send_replace(end);
            }
            return known.clone();
        }
        if self.len() >= self.sweep_at {
            self.sweep();
        }
        let fresh = Arc::new(Sender::new(end));
        if set.is_empty() {
            self.spaces.insert(space.clone(), fresh.clone());
        } else {
            hang(&mut self.types, &set, &fresh);
            self.sets.insert(set, fresh.clone());
        }
        fresh
    }

    fn len(&self) -> usize {
        self.spaces.len() + self.sets.len()
    }

    /// Removes the senders for which nobody waits. The next time is when there are twice as many as remain, so that each new
    /// one pays for a few.
    fn sweep(&mut self) {
        self.spaces.retain(|_, sender| sender.receiver_count() > 0);
        self.sets.retain(|_, sender| sender.receiver_count() > 0);
        // Made anew, and not looked through as well: some may go meanwhile, and a set must hang at all of its types or at
        // none.
        self.types.clear();
        for (set, sender) in &self.sets {
            hang(&mut self.types, set, sender);
        }
        self.sweep_at = KEPT_MIN.max(2 * self.len());
    }
}

fn hang(types: &mut UniformMap<ListName, Vec<Arc<Sender>>>, set: &[ListName], sender: &Arc<Sender>) {
    for name in set {
        types.entry(*name).or_default().push(sender.clone());
    }
}
