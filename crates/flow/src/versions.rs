//! At which position of the log each resource was changed last: its version. It follows from the log alone, so that a
//! restart, or another server on the same log, gives the same ones.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use weir_catalog::{Change, ChangeKind, Resource, Target};
use weir_domain::{Position, SpaceName};

/// The versions of all that is there. Cheap to clone; what one change does not touch stays shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions {
    spaces: HashMap<SpaceName, Arc<OfSpace>>,
    /// Of tokens, which are of no space.
    tokens: Items,
}

/// Versions by name or identifier. A map is copied where a change touches it, as the maps of the catalog are.
type Items = Arc<BTreeMap<Arc<str>, Position>>;

#[derive(Clone, Debug, Default)]
struct OfSpace {
    /// The last change of anything in the space.
    last: Position,
    event_types: Items,
    functions: Items,
    subscriptions: Items,
    cors: Items,
}

impl Versions {
    /// Returns the version of what is there.
    pub(crate) fn of(&self, space: &SpaceName, target: Target<'_>) -> Option<Position> {
        match target {
            Target::Space => Some(self.spaces.get(space)?.last),
            Target::Item(Resource::Token, id) => self.tokens.get(id).copied(),
            Target::Item(resource, id) => self.spaces.get(space)?.items(resource)?.get(id).copied(),
        }
    }

    /// Takes in a change that stands at this position.
    pub(crate) fn note(&mut self, change: &Change, position: Position) {
        match change.kind.target() {
            Target::Space => drop(self.spaces.remove(&change.space)),
            Target::Item(Resource::Token, id) => note(&mut self.tokens, id, change, position),
            Target::Item(resource, id) => {
                let space = Arc::make_mut(self.spaces.entry(change.space.clone()).or_default());
                space.last = position;
                if let Some(items) = space.items_mut(resource) {
                    note(items, id, change, position);
                }
                if let ChangeKind::SubscriptionReplaced { id, .. } = &change.kind {
                    Arc::make_mut(&mut space.subscriptions).remove(id.as_str());
                }
                // A space that has nothing left is gone, as in the catalog.
                if space.is_empty() {
                    self.spaces.remove(&change.space);
                }
            }
        }
    }
}

fn note(items: &mut Items, id: &str, change: &Change, position: Position) {
    let items = Arc::make_mut(items);
    if change.kind.is_deletion() {
        items.remove(id);
    } else {
        items.insert(id.into(), position);
    }
}

impl OfSpace {
    /// Returns the versions of one kind, where it is one of which spaces have any.
    fn items(&self, resource: Resource) -> Option<&Items> {
        match resource {
            Resource::EventType => Some(&self.event_types),
            Resource::Function => Some(&self.functions),
            Resource::Subscription => Some(&self.subscriptions),
            Resource::Cors => Some(&self.cors),
            Resource::Token => None,
        }
    }

    fn items_mut(&mut self, resource: Resource) -> Option<&mut Items> {
        match resource {
            Resource::EventType => Some(&mut self.event_types),
            Resource::Function => Some(&mut self.functions),
            Resource::Subscription => Some(&mut self.subscriptions),
            Resource::Cors => Some(&mut self.cors),
            Resource::Token => None,
        }
    }

    fn is_empty(&self) -> bool {
        Resource::ALL.into_iter().filter_map(|resource| self.items(resource)).all(|items| items.is_empty())
    }
}
