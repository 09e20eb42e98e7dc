//! The commands that turn what a space has into what it should have.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Command, Cors, EventType, Function, SpaceCatalog, Subscription};

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
/// keeps its identifier then. Equal resources give no commands.
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
    let gone = current.subscriptions().filter(|it| !stays(it));
    commands.extend(gone.map(|it| Command::DeleteSubscription(it.id.to_string())));
    for it in subscriptions {
        match current.subscription(it.id.as_str()).filter(|present| stays(present)) {
            None => commands.push(Command::CreateSubscription(it)),
            Some(present) if **present != it => {
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
