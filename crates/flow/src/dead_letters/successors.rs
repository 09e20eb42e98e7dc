//! Which subscription a dead letter belongs to now: its own, or the one that took the place of that.

use std::sync::Arc;

use weir_catalog::{ChangeKind, Subscription, SubscriptionKind, stored};
use weir_domain::{Data, Position, SpaceName};
use weir_log::{Filter, Read};

use super::{DeadLetter, LetterError};
use crate::{flow::Shared, live::system_space, snapshot::Snapshot};

/// A subscription that took the place of another one.
struct Replaced {
    at: Position,
    before: String,
    after: String,
}

/// What is known of subscriptions that took the place of others, read once where it is needed.
#[derive(Default)]
pub(super) struct Successors(Option<Vec<Replaced>>);

impl Successors {
    /// Returns the subscription that is to do what is decided about a letter; `None` where it is gone.
    pub(super) async fn present(
        &mut self,
        shared: &Shared,
        space: &SpaceName,
        letter: &DeadLetter,
    ) -> Result<Option<Arc<Subscription>>, LetterError> {
        let snapshot = shared.state.borrow().clone();
        if let Some(own) = find(&snapshot, space, &letter.subscription)
            && is_the_same(&snapshot, space, &own, letter.position)
        {
            return Ok(Some(own));
        }
        let replaced = match &mut self.0 {
            Some(replaced) => replaced,
            none => none.insert(read(shared, space).await?),
        };
        // In the order of the log: what came before the letter is over.
        let mut name = letter.subscription.as_str();
        for step in replaced.iter().filter(|step| step.at > letter.position) {
            if step.before == name {
                name = &step.after;
            }
        }
        let successor = find(&snapshot, space, name);
        // One that was made again under the same name may decide about what that left behind.
        Ok(successor.or_else(|| find(&snapshot, space, &letter.subscription)))
    }
}

/// Finds an async subscription.
pub(super) fn find(snapshot: &Snapshot, space: &SpaceName, id: &str) -> Option<Arc<Subscription>> {
    let found = snapshot.catalog.space_or_empty(space).subscription(id);
    found.filter(|it| it.kind == SubscriptionKind::Async).cloned()
}

/// Tells whether a subscription has the cursor that it had when something was recorded.
fn is_the_same(snapshot: &Snapshot, space: &SpaceName, own: &Subscription, at: Position) -> bool {
    snapshot.cursors.get(&(space.clone(), own.id.clone())).is_some_and(|cursor| cursor.created < at)
}

async fn read(shared: &Shared, space: &SpaceName) -> Result<Vec<Replaced>, LetterError> {
    // A change that replaces one is kept as one that makes one.
    let types = stored::EVENT_TYPES.iter().filter(|it| it.starts_with("weir.subscription.")).map(|it| (*it).to_owned());
    let mut read = Read::forward(system_space(), Position::ORIGIN).filter(Filter::Types(types.collect()));
    let mut all = Vec::new();
    loop {
        let page = shared.log.read(read.clone()).await?;
        for recorded in &page.events {
            let Data::Json(data) = recorded.event.data() else { continue };
            let position = recorded.position;
            let change = stored::decode(recorded.event.event_type(), data);
            let change = change.map_err(|source| LetterError::Stored { position, source })?;
            if change.space == *space
                && let ChangeKind::SubscriptionReplaced { id, subscription } = change.kind
            {
                let (before, after) = (id.to_string(), subscription.id.to_string());
                all.push(Replaced { at: position, before, after });
            }
        }
        if page.end {
            return Ok(all);
        }
        read.from = page.next;
    }
}
