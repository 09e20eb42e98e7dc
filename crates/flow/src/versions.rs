//! At which position of the log each resource was changed last: its version. It follows from the log alone, so that a
//! restart, or another server on the same log, gives the same ones.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use weir_catalog::{Change, Resource, Target};
use weir_domain::{Position, SpaceName};

/// The versions of all that is there. Cheap to clone; what one change does not touch stays shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions {
    spaces: HashMap<SpaceName, Arc<OfSpace>>,
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
        let space = self.spaces.get(space)?;
        match target {
            Target::Space => Some(space.last),
            Target::Item(resource, id) => space.items(resource).get(id).copied(),
        }
    }

    /// Takes in a change that stands at this position.
    pub(crate) fn note(&mut self, change: &Change, position: Position) {
        let Target::Item(resource, id) = change.kind.target() else {
            self.spaces.remove(&change.space);
            return;
        };
        let space = Arc::make_mut(self.spaces.entry(change.space.clone()).or_default());
        space.last = position;
        let items = Arc::make_mut(space.items_mut(resource));
        if !change.kind.is_deletion() {
            items.insert(id.into(), position);
            return;
        }
        items.remove(id);
        // A space that has nothing left is gone, as in the catalog.
        if space.is_empty() {
            self.spaces.remove(&change.space);
        }
    }
}

impl OfSpace {
    fn items(&self, resource: Resource) -> &Items {
        match resource {
            Resource::EventType => &self.event_types,
            Resource::Function => &self.functions,
            Resource::Subscription => &self.subscriptions,
            Resource::Cors => &self.cors,
        }
    }

    fn items_mut(&mut self, resource: Resource) -> &mut Items {
        match resource {
            Resource::EventType => &mut self.event_types,
            Resource::Function => &mut self.functions,
            Resource::Subscription => &mut self.subscriptions,
            Resource::Cors => &mut self.cors,
        }
    }

    fn is_empty(&self) -> bool {
        Resource::ALL.into_iter().all(|resource| self.items(resource).is_empty())
    }
}
