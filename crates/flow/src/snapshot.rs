//! One state of the configuration with the functions that can be called in it.

use std::{collections::HashMap, sync::Arc};

use weir_catalog::{Catalog, SubscriptionId};
use weir_domain::{FunctionId, Position, SpaceName};
use weir_functions::Invoke;

/// Catalog, callable functions and the beginnings of subscriptions; replaced as a whole.
#[derive(Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) catalog: Arc<Catalog>,
    /// The last change that is in it.
    pub(crate) position: Position,
    pub(crate) functions: HashMap<SpaceName, HashMap<FunctionId, Arc<dyn Invoke>>>,
    /// Where each subscription was made: it is given the events after that.
    pub(crate) created: HashMap<(SpaceName, SubscriptionId), Position>,
}

impl Snapshot {
    pub(crate) fn function(&self, space: &SpaceName, id: &FunctionId) -> Option<&Arc<dyn Invoke>> {
        self.functions.get(space)?.get(id)
    }
}
