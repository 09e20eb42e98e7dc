//! What an event follows from, and what follows from it.
//!
//! Effects stand close behind their causes where functions are quick: those are found by looking through the log. Those
//! further behind are found by their ids, which are derived from the cause, unless a function gives ids of its own.

use std::collections::{BTreeSet, HashMap, HashSet};

use weir_catalog::is_reserved;
use weir_domain::{Position, SpaceName};
use weir_log::{Read, Recorded};

use super::{Cut, EventLink, ExplainError, ExplainedEffect, facts::ReplayFact, finding, history::History};
use crate::{
    flow::Shared,
    lineage,
    reentry::{self, CAUSATION_ID},
    schema::EVENT_QUARANTINED,
};

/// How many events may follow one another, upwards and downwards.
const DEPTH_MAX: usize = 16;
/// How many effects are told of.
const EVENTS_MAX: usize = 1000;
/// How many events behind the first one are looked through.
const SCANNED_MAX: usize = 20_000;
/// How many derived ids are looked up.
const PROBES_MAX: usize = 4096;
/// How many events of one call are compared to tell whose they are.
const RETURNED_MAX: usize = 64;

/// Tells whether events of a type may be shown.
pub(super) type Sees<'a> = &'a (dyn Fn(&str) -> bool + Sync);

/// Returns the event that caused one, the event that caused that one, and so on.
pub(super) async fn causes(
    shared: &Shared,
    space: &SpaceName,
    of: &Recorded,
    history: &History,
    sees: Sees<'_>,
) -> Result<(Vec<EventLink>, Option<Cut>), ExplainError> {
    let mut found: Vec<Recorded> = Vec::new();
    let mut cut = None;
    loop {
        let last = found.last().unwrap_or(of).clone();
        found.extend(lineage::ancestors(&*shared.log, space, &last, DEPTH_MAX + 1 - found.len()).await?);
        if found.len() > DEPTH_MAX {
            found.truncate(DEPTH_MAX);
            cut = Some(Cut::Depth);
            break;
        }
        let last = found.last().unwrap_or(of).clone();
        let Some(cause) = last.event.extension_text(CAUSATION_ID) else { break };
        // It stands further back: where a function returned it, it is found all the same.
        let Some(further) = returned(shared, space, cause, last.position, history).await? else {
            // Where nothing is further back than was looked through, the cause is none that was ever kept.
            let is_all = last.position.get() <= lineage::SCANNED_MAX as u64;
            cut = (!is_all).then_some(Cut::Scan);
            break;
        };
        found.push(further);
    }
    let seen = found.iter().take_while(|it| sees(it.event.event_type())).count();
    if seen < found.len() {
        found.truncate(seen);
        cut = Some(Cut::Hidden);
    }
    Ok((found.iter().map(|it| EventLink::of(space, it)).collect(), cut))
}

/// Finds the event of an id that a function returned before a position.
async fn returned(
    shared: &Shared,
    space: &SpaceName,
    id: &str,
    before: Position,
    history: &History,
) -> Result<Option<Recorded>, ExplainError> {
    for function in history.functions().into_iter().take(PROBES_MAX) {
        let found = finding::by_name(shared, space, &history.source_of(function), id).await?;
        if let Some(found) = found.filter(|it| it.position < before) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Returns what follows from an event.
pub(super) async fn effects(
    shared: &Shared,
    space: &SpaceName,
    of: &Recorded,
    history: &History,
    replays: &[ReplayFact],
    sees: Sees<'_>,
) -> Result<(Vec<ExplainedEffect>, Option<Cut>), ExplainError> {
    let route = history.route(&of.event).map(|it| (it.id.to_string(), it.function.to_string()));
    let mut tree = Tree {
        shared,
        space,
        history,
        route,
        replays,
        sees,
        nodes: vec![Node { parent: 0, depth: 0, link: EventLink::of(space, of), subscription: None }],
        by_id: HashMap::from([(of.event.id().to_owned(), 0)]),
        seen: HashSet::from([of.position]),
        cut: None,
    };
    if !tree.scan(of.position.next()).await? {
        tree.probe().await?;
        tree.cut.get_or_insert(Cut::Scan);
    }
    Ok((nested(tree.nodes), tree.cut))
}

/// An event of the tree; the first one is the root.
struct Node {
    /// Where its cause stands among them.
    parent: usize,
    depth: usize,
    link: EventLink,
    /// Whose function returned it.
    subscription: Option<String>,
}

struct Tree<'a> {
    shared: &'a Shared,
    space: &'a SpaceName,
    history: &'a History,
    /// The sync subscription and the function that were called with the root.
    route: Option<(String, String)>,
    /// The replays that the root was part of.
    replays: &'a [ReplayFact],
    sees: Sees<'a>,
    nodes: Vec<Node>,
    by_id: HashMap<String, usize>,
    seen: HashSet<Position>,
    cut: Option<Cut>,
}

impl Tree<'_> {
    /// Looks through what stands behind the root; tells whether that was all.
    async fn scan(&mut self, from: Position) -> Result<bool, ExplainError> {
        let mut read = Read::forward(self.space.clone(), from);
        let mut scanned = 0;
        loop {
            let page = self.shared.log.read(read.clone()).await?;
            scanned += page.events.len().max(1);
            for recorded in &page.events {
                let cause = recorded.event.extension_text(CAUSATION_ID).and_then(|id| self.by_id.get(id)).copied();
                if let Some(parent) = cause {
                    self.add(parent, recorded);
                }
            }
            if page.end {
                return Ok(true);
            }
            if scanned >= SCANNED_MAX {
                return Ok(false);
            }
            read.from = page.next;
        }
    }

    /// Looks up what functions may have returned for each event of the tree, and for what is found in turn.
    async fn probe(&mut self) -> Result<(), ExplainError> {
        let mut left = PROBES_MAX;
        let mut index = 0;
        while index < self.nodes.len() {
            for (subscription, function, derivation) in self.callers(index) {
                let source = self.history.source_of(&function);
                for number in 0.. {
                    if left == 0 {
                        return Ok(());
                    }
                    left -= 1;
                    let link = &self.nodes[index].link;
                    let cause = (link.source.as_str(), link.id.as_str());
                    let id = reentry::returned_id(self.space, &subscription, cause, number, derivation.as_deref());
                    let Some(found) = finding::by_name(self.shared, self.space, &source, &id).await? else { break };
                    self.add(index, &found);
                }
            }
            index += 1;
        }
        Ok(())
    }

    /// Returns the subscriptions that may have been given an event, with their functions and the derivations.
    fn callers(&self, index: usize) -> Vec<(String, String, Option<String>)> {
        let node = &self.nodes[index];
        let links = self.history.callers(&node.link.event_type).map(|link| &link.subscription);
        let mut all: BTreeSet<_> = links.map(|it| (it.id.to_string(), it.function.to_string(), None)).collect();
        if index == 0 {
            all.extend(self.route.iter().map(|(id, function)| (id.clone(), function.clone(), None)));
            let derived = self.replays.iter().filter_map(|replay| {
                let name = replay.derivation.clone()?;
                let link = self.history.links.iter().find(|it| it.subscription.id.as_str() == replay.subscription)?;
                Some((replay.subscription.clone(), link.subscription.function.to_string(), Some(name)))
            });
            all.extend(derived);
        }
        all.into_iter().collect()
    }

    /// Adds an event that another one caused. What the platform tells about events follows from these too, but is told
    /// elsewhere.
    fn add(&mut self, parent: usize, recorded: &Recorded) {
        let event_type = recorded.event.event_type();
        if is_reserved(event_type) && event_type != EVENT_QUARANTINED {
            return;
        }
        let depth = self.nodes[parent].depth + 1;
        let cut = if !(self.sees)(event_type) {
            Some(Cut::Hidden)
        } else if depth > DEPTH_MAX {
            Some(Cut::Depth)
        } else if self.nodes.len() > EVENTS_MAX {
            Some(Cut::Events)
        } else {
            None
        };
        if let Some(cut) = cut {
            self.cut.get_or_insert(cut);
            return;
        }
        if !self.seen.insert(recorded.position) {
            return;
        }
        let link = EventLink::of(self.space, recorded);
        self.by_id.entry(link.id.clone()).or_insert(self.nodes.len());
        let subscription = self.subscription_of(parent, &link);
        self.nodes.push(Node { parent, depth, link, subscription });
    }

    /// Tells whose function returned an event: where a function has several subscriptions to the type of its cause, the
    /// derived id tells, if it is one.
    fn subscription_of(&self, parent: usize, link: &EventLink) -> Option<String> {
        let function = link.function.as_deref()?;
        let mut callers = self.callers(parent);
        callers.retain(|(_, it, _)| it == function);
        let cause = &self.nodes[parent].link;
        let is_its = |(subscription, _, derivation): &(String, String, Option<String>)| {
            (0..RETURNED_MAX).any(|number| {
                let cause = (cause.source.as_str(), cause.id.as_str());
                reentry::returned_id(self.space, subscription, cause, number, derivation.as_deref()) == link.id
            })
        };
        let ids: BTreeSet<&String> = callers.iter().map(|(id, ..)| id).collect();
        match ids.len() {
            0 | 1 => ids.first().map(|id| (*id).clone()),
            _ => callers.iter().find(|it| is_its(it)).map(|(id, ..)| id.clone()),
        }
    }
}

/// Makes a tree of events that name their parents, which stand before them.
fn nested(nodes: Vec<Node>) -> Vec<ExplainedEffect> {
    let mut effects: Vec<Vec<ExplainedEffect>> = nodes.iter().map(|_| Vec::new()).collect();
    for (index, node) in nodes.into_iter().enumerate().rev() {
        let mut own = std::mem::take(&mut effects[index]);
        own.sort_by_key(|it| it.link.position);
        if index == 0 {
            return own;
        }
        let Node { parent, link, subscription, .. } = node;
        effects[parent].push(ExplainedEffect { link, subscription, effects: own });
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use weir_domain::Timestamp;

    use super::*;

    #[test]
    fn a_tree_has_its_events_in_the_order_of_the_log() {
        let node = |position: u64, parent: usize| {
            let link = EventLink {
                id: position.to_string(),
                source: "/s".to_owned(),
                event_type: "t".to_owned(),
                position: Position::new(position),
                recorded: Timestamp::default(),
                function: None,
            };
            Node { parent, depth: 0, link, subscription: None }
        };
        let effects = nested(vec![node(1, 0), node(5, 0), node(2, 0), node(7, 2), node(6, 1)]);
        fn told(effects: &[ExplainedEffect]) -> String {
            effects.iter().map(|it| format!("{}({})", it.link.id, told(&it.effects))).collect()
        }
        assert_eq!(told(&effects), "2(7())5(6())");
    }
}
