//! All spaces as one value, and how the next value comes from it.

use std::{collections::BTreeMap, sync::Arc};

use weir_domain::SpaceName;

use crate::{
    ApplyError, Change, ChangeKind, SpaceCatalog, Token,
    space::{Map, create, delete},
};

/// Event types, functions and subscriptions of all spaces, and the tokens, which are of none.
///
/// A catalog is replaced as a whole, usually behind an `Arc`. Spaces that do not change are shared with the one before;
/// a space that has nothing left is gone. Readers keep the catalog they began with for as long as they need it.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    spaces: BTreeMap<SpaceName, Arc<SpaceCatalog>>,
    empty: Arc<SpaceCatalog>,
    tokens: Map<Token>,
}

impl PartialEq for Catalog {
    fn eq(&self, other: &Self) -> bool {
        self.spaces == other.spaces && self.tokens == other.tokens
    }
}

impl Eq for Catalog {}

impl Catalog {
    /// Makes a catalog without anything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds a space that has anything.
    #[must_use]
    pub fn space(&self, name: &SpaceName) -> Option<&Arc<SpaceCatalog>> {
        self.spaces.get(name)
    }

    /// Returns what a space has; every space that was never named has nothing.
    #[must_use]
    pub fn space_or_empty(&self, name: &SpaceName) -> &Arc<SpaceCatalog> {
        self.spaces.get(name).unwrap_or(&self.empty)
    }

    /// Returns the spaces that have anything, in the order of their names.
    pub fn spaces(&self) -> impl Iterator<Item = (&SpaceName, &Arc<SpaceCatalog>)> {
        self.spaces.iter()
    }

    /// Finds a token.
    #[must_use]
    pub fn token(&self, id: &str) -> Option<&Arc<Token>> {
        self.tokens.get(id)
    }

    /// Returns the tokens in the order of their identifiers.
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = &Arc<Token>> {
        self.tokens.values()
    }

    /// Returns the catalog after a change; this one stays as it is.
    ///
    /// The same change on an equal catalog gives an equal catalog, always and everywhere.
    ///
    /// # Errors
    /// Where the change was planned for another catalog.
    pub fn apply(&self, change: &Change) -> Result<Self, ApplyError> {
        let mut next = self.clone();
        next.fold(change)?;
        Ok(next)
    }

    /// Makes a change in place: how a catalog is read from the log, without a copy for every change.
    ///
    /// # Errors
    /// Where the change was planned for another catalog; then nothing has changed.
    pub fn fold(&mut self, change: &Change) -> Result<(), ApplyError> {
        match &change.kind {
            ChangeKind::TokenCreated(it) => return create(&mut self.tokens, it.id.as_str(), it),
            ChangeKind::TokenDeleted(id) => return delete(&mut self.tokens, id.as_str()).map(drop),
            // Tokens are of no space, and stay.
            ChangeKind::SpaceDeleted => {
                let gone = self.spaces.remove(&change.space);
                return gone.map(drop).ok_or_else(|| ApplyError::Missing { id: change.space.to_string() });
            }
            _ => {}
        }
        if let Some(space) = self.spaces.get_mut(&change.space) {
            let space = Arc::make_mut(space);
            space.fold(&change.kind)?;
            if space.is_empty() {
                self.spaces.remove(&change.space);
            }
            return Ok(());
        }
        let mut space = SpaceCatalog::default();
        space.fold(&change.kind)?;
        self.spaces.insert(change.space.clone(), Arc::new(space));
        Ok(())
    }
}
