//! The commands that turn what a space has into what it should have.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use weir_domain::FunctionId;

use crate::{Command, Cors, EventType, Function, SpaceCatalog, Subscription, SubscriptionId};

/// What a space should have, and nothing else. Names should not repeat: where they do, planning refuses the second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// The event types.
    pub event_types: Vec<EventType>,
    /// The functions.
    pub functions: Vec<Function>,
    /// The subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// The CORS configurations.
    pub cors: Vec<Cors>,
}

/// Returns the commands, in an order in which each can be planned after those before it were applied.
///
/// What is referred to is created before and deleted after what refers to it. Subscriptions that go are deleted before
/// others are made, because they may hold their routes. Where something that cannot be updated is different, a
/// subscription is deleted and made again; a sync subscription that is given another function is the only one that
/// keeps its identifier then. An async one that is given another function or another filter is replaced, so that what
/// waits for it is not lost. Equal resources give no commands. Whether a subscription delivers is no difference, and where
/// one began is one only where the start that is desired is another: planning refuses that update, because what a
/// subscription has had would be delivered again.
#[must_use]
pub fn diff(current: &SpaceCatalog, desired: Desired) -> Vec<Command> {
    let Desired { event_types, functions, subscriptions, cors } = desired;
    let wanted_types: BTreeSet<_> = event_types.iter().map(|it| it.name.clone()).collect();
    let wanted_uses: BTreeSet<_> = subscriptions.iter().map(|it| it.event_type.clone()).collect();
    let wanted_functions: BTreeSet<_> = functions.iter().map(|it| it.id.clone()).collect();
    let wanted_subscriptions: BTreeMap<_, _> =
        subscriptions.iter().map(|it| (it.id.clone(), it.function.clone())).collect();
    // The identifier covers all that cannot be updated but the function of a sync subscription.
    let stays = |it: &Subscription| wanted_subscriptions.get(&it.id) == Some(&it.function);

    let renamed = renamed(current, &functions);
    let mut commands = Vec::new();
    for it in functions {
        match current.function(it.id.as_str()) {
            None => commands.push(Command::CreateFunction(it)),
            Some(present) if **present != it => commands.push(Command::UpdateFunction(it)),
            Some(_) => {}
        }
    }
    for it in event_types {
        match current.registered_event_type(it.name.as_str()) {
            None => commands.push(Command::CreateEventType(it)),
            Some(present) if !present.declares_the_same_as(&it) => commands.push(Command::UpdateEventType(it)),
            Some(_) => {}
        }
    }
    let gone: Vec<_> = current.subscriptions().filter(|it| !stays(it)).collect();
    let mut predecessors = predecessors(current, &gone, &subscriptions, &renamed);
    let replaced: BTreeSet<_> = predecessors.values().cloned().collect();
    let gone = gone.into_iter().filter(|it| !replaced.contains(&it.id));
    commands.extend(gone.map(|it| Command::DeleteSubscription(it.id.to_string())));
    for it in subscriptions {
        match current.subscription(it.id.as_str()).filter(|present| stays(present)) {
            None => commands.push(match predecessors.remove(&it.id) {
                Some(id) => Command::ReplaceSubscription { id: id.to_string(), subscription: it },
                None => Command::CreateSubscription(it),
            }),
            Some(present) if !present.is_as_declared(&it) => {
                commands.push(Command::UpdateSubscription { id: it.id.to_string(), subscription: it });
            }
            Some(_) => {}
        }
    }
    for it in current.event_types().filter(|it| !wanted_types.contains(&it.name)) {
        // A type that needs no registration may be used without one, but not taken away while it is used: then it
        // goes back to what it is unregistered.
        let built_in = EventType::built_in(it.name.as_str()).filter(|_| wanted_uses.contains(&it.name));
        match built_in {
            None => commands.push(Command::DeleteEventType(it.name.to_string())),
            Some(built_in) if !built_in.declares_the_same_as(it) => {
                commands.push(Command::UpdateEventType(EventType::clone(built_in)))
            }
            Some(_) => {}
        }
    }
    let gone = current.functions().filter(|it| !wanted_functions.contains(&it.id));
    commands.extend(gone.map(|it| Command::DeleteFunction(it.id.to_string())));
    commands.extend(cors_commands(current, cors));
    commands
}

/// Returns the functions that are new, each with those that go and are equal to it but for the name.
fn renamed(current: &SpaceCatalog, wanted: &[Function]) -> BTreeSet<(FunctionId, FunctionId)> {
    let names: BTreeSet<_> = wanted.iter().map(|it| &it.id).collect();
    let gone: Vec<_> = current.functions().filter(|it| !names.contains(&it.id)).collect();
    let new = wanted.iter().filter(|it| current.function(it.id.as_str()).is_none());
    let pairs = new.flat_map(|it| {
        let equal = gone.iter().filter(move |old| old.kind == it.kind);
        equal.map(move |old| (old.id.clone(), it.id.clone()))
    });
    pairs.collect()
}

/// Returns which subscription that goes each new one takes the place of: they are async ones and differ in their function
/// only, or in their filter only.
///
/// Of several for the same events, those belong together whose functions are equal but for the name, then those of one
/// function; then the last one that goes and the last one that comes, where there is one of each. Everything else would be
/// a guess, which may give a function the wrong events: those begin anew, and what is dropped is recorded.
fn predecessors(
    current: &SpaceCatalog,
    gone: &[&Arc<Subscription>],
    wanted: &[Subscription],
    renamed: &BTreeSet<(FunctionId, FunctionId)>,
) -> BTreeMap<SubscriptionId, SubscriptionId> {
    let mut old: Vec<&Subscription> = gone.iter().map(|it| &***it).collect();
    let mut new: Vec<&Subscription> =
        wanted.iter().filter(|it| current.subscription(it.id.as_str()).is_none()).collect();
    let has_same_filter = |from: &Subscription, to: &Subscription| from.is_like(to) && from.filter == to.filter;
    let is_renamed = |from: &Subscription, to: &Subscription| {
        has_same_filter(from, to) && renamed.contains(&(from.function.clone(), to.function.clone()))
    };
    let has_same_function = |from: &Subscription, to: &Subscription| from.is_like(to) && from.function == to.function;
    let mut pairs = pair(&mut old, &mut new, is_renamed);
    pairs.append(&mut pair(&mut old, &mut new, has_same_function));
    pairs.append(&mut pair(&mut old, &mut new, has_same_filter));
    pairs
}

/// Takes those out of both lists that belong together and to nothing else.
fn pair(
    old: &mut Vec<&Subscription>,
    new: &mut Vec<&Subscription>,
    belong: impl Fn(&Subscription, &Subscription) -> bool,
) -> BTreeMap<SubscriptionId, SubscriptionId> {
    let is_only = |from: &Subscription, to: &Subscription| {
        belong(from, to)
            && old.iter().filter(|it| belong(it, to)).count() == 1
            && new.iter().filter(|it| belong(from, it)).count() == 1
    };
    let of = |to: &Subscription| old.iter().find(|from| is_only(from, to)).map(|from| (to.id.clone(), from.id.clone()));
    let pairs: BTreeMap<_, _> = new.iter().filter_map(|to| of(to)).collect();
    new.retain(|it| !pairs.contains_key(&it.id));
    old.retain(|it| !pairs.values().any(|id| *id == it.id));
    pairs
}

/// What goes is deleted first, because it may hold the paths of what comes.
fn cors_commands(current: &SpaceCatalog, wanted: Vec<Cors>) -> impl Iterator<Item = Command> {
    let ids: BTreeSet<_> = wanted.iter().map(|it| it.id.clone()).collect();
    let gone = current.all_cors().filter(|it| !ids.contains(&it.id));
    let gone: Vec<_> = gone.map(|it| Command::DeleteCors(it.id.to_string())).collect();
    let come = wanted.into_iter().filter_map(|it| match current.cors(it.id.as_str()) {
        None => Some(Command::CreateCors(it)),
        Some(present) if **present != it => Some(Command::UpdateCors { id: it.id.to_string(), cors: it }),
        Some(_) => None,
    });
    gone.into_iter().chain(come)
}
