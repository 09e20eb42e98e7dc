//! One state of the configuration with the functions that can be called in it.

use std::{collections::HashMap, sync::Arc};

use weir_catalog::{Catalog, SubscriptionId, Target};
use weir_domain::{FunctionId, Position, SpaceName};
use weir_functions::Invoke;

use crate::{cursors::CursorName, versions::Versions};

/// Catalog, callable functions and the cursors of subscriptions; replaced as a whole.
#[derive(Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) catalog: Arc<Catalog>,
    /// The last change that is in it.
    pub(crate) position: Position,
    pub(crate) functions: HashMap<SpaceName, HashMap<FunctionId, Arc<dyn Invoke>>>,
    /// The cursor of each async subscription.
    pub(crate) cursors: HashMap<(SpaceName, SubscriptionId), CursorName>,
    /// The subscriptions in whose place each one stands, the last one last.
    pub(crate) former: HashMap<(SpaceName, SubscriptionId), Vec<SubscriptionId>>,
    /// Up to where subscriptions are delivered that are draining.
    pub(crate) drains: HashMap<(SpaceName, SubscriptionId), Position>,
    pub(crate) versions: Versions,
    /// Where each function got its present code.
    pub(crate) changed: HashMap<(SpaceName, FunctionId), Position>,
}

impl Snapshot {
    pub(crate) fn function(&self, space: &SpaceName, id: &FunctionId) -> Option<&Arc<dyn Invoke>> {
        self.functions.get(space)?.get(id)
    }

    /// Returns where a function got its present code: it tells one version of it from another.
    pub(crate) fn changed(&self, space: &SpaceName, id: &FunctionId) -> Position {
        self.changed.get(&(space.clone(), id.clone())).copied().unwrap_or_default()
    }
}

/// One state of the configuration: what there is, and at which versions. It stays as it is; cheap to clone.
#[derive(Clone)]
pub struct Configuration(pub(crate) Arc<Snapshot>);

impl Configuration {
    /// Returns what there is.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// Returns the position of the last change that is in it: its version as a whole.
    #[must_use]
    pub fn position(&self) -> Position {
        self.0.position
    }

    /// Returns the position of the last change of a resource, or of anything in a space; `None` where it is not there.
    #[must_use]
    pub fn version(&self, space: &SpaceName, target: Target<'_>) -> Option<Position> {
        self.0.versions.of(space, target)
    }
}
