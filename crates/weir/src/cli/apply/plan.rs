//! What has to be done to a space, step by step. Nothing is done here.

use std::collections::BTreeSet;

use weir_catalog::{Command, Cors, Desired, EventType, Function, FunctionKind, SpaceCatalog, Subscription, diff};

use crate::naming::{Action, Name, named};

/// All steps, in an order in which each can be done after those before it; then what stays as it is.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// How many resources stay that the source does not name.
    pub(super) others: usize,
}

/// One step, and what became of it.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: Name,
    pub(super) action: Action,
    /// What is asked for; nothing where it stays as it is.
    pub(super) command: Option<Command>,
    pub(super) outcome: Outcome,
}

/// What became of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing yet.
    Planned,
    /// Done, with its receipt.
    Done(Option<u64>),
    /// The server refused it, and said why.
    Failed(String),
    /// Not tried, because something before it failed.
    Held,
    /// Tried, and there was no answer.
    Unknown,
}

impl Plan {
    /// Compares what a space has with what it should have. Without `prune`, what is not desired stays.
    pub(super) fn new(current: &SpaceCatalog, mut desired: Desired, prune: bool) -> Self {
        let declared = names(&desired);
        let others = if prune { 0 } else { keep_others(current, &mut desired) };
        let commands = diff(current, desired);
        let mut steps: Vec<Step> = commands.into_iter().filter_map(|command| Step::of(command, current)).collect();
        let touched: BTreeSet<(usize, &str)> = steps.iter().map(|step| step.name.order()).collect();
        let kept = declared.into_iter().filter(|name| !touched.contains(&name.order()));
        let kept = kept.map(|name| Step { name, action: Action::Keep, command: None, outcome: Outcome::Planned });
        let kept: Vec<Step> = kept.collect();
        steps.extend(kept);
        Self { steps, others }
    }

    /// Tells whether the server refused any step.
    pub(super) fn has_failed(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.outcome, Outcome::Failed(_)))
    }
}

fn names(desired: &Desired) -> Vec<Name> {
    let Desired { event_types, functions, subscriptions, cors } = desired;
    let types = event_types.iter().map(Name::of_event_type);
    let rest = subscriptions.iter().map(Name::of_subscription).chain(cors.iter().map(Name::of_cors));
    types.chain(functions.iter().map(Name::of_function)).chain(rest).collect()
}

/// Adds what the space has beside what is desired, so that it is kept; returns how many these are.
fn keep_others(current: &SpaceCatalog, desired: &mut Desired) -> usize {
    fn add<T, K: Ord>(desired: &mut Vec<T>, current: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> usize {
        let known: BTreeSet<K> = desired.iter().map(&key).collect();
        let before = desired.len();
        desired.extend(current.filter(|it| !known.contains(&key(it))));
        desired.len() - before
    }
    let types = current.event_types().map(|it| EventType::clone(it));
    let functions = current.functions().map(|it| Function::clone(it));
    let subscriptions = current.subscriptions().map(|it| Subscription::clone(it));
    let cors = current.all_cors().map(|it| Cors::clone(it));
    add(&mut desired.event_types, types, |it| it.name.clone())
        + add(&mut desired.functions, functions, |it| it.id.clone())
        + add(&mut desired.subscriptions, subscriptions, |it| it.id.clone())
        + add(&mut desired.cors, cors, |it| it.id.clone())
}

impl Step {
    /// Makes the step of a command about one resource; a difference has no others.
    fn of(command: Command, current: &SpaceCatalog) -> Option<Self> {
        let (action, name) = named(&command, current)?;
        Some(Self { name, action, command: Some(command), outcome: Outcome::Planned })
    }

    /// Says what a reader may wonder about.
    pub(super) fn remark(&self) -> Option<&'static str> {
        match (&self.outcome, &self.command) {
            (Outcome::Held, _) => Some("because something before it failed"),
            (Outcome::Unknown, _) => Some("there was no answer: apply again"),
            (Outcome::Planned | Outcome::Done(_), Some(Command::UpdateFunction(it))) => hidden(&it.kind),
            (Outcome::Planned | Outcome::Done(_), Some(Command::ReplaceSubscription { .. })) => {
                Some("takes the place of another one, and is given what waits for that")
            }
            _ => None,
        }
    }
}

/// Says what the server does not show of a function: it cannot be compared, and is sent in any case.
fn hidden(kind: &FunctionKind) -> Option<&'static str> {
    match kind {
        FunctionKind::Wasm { config, .. } if !config.is_empty() => {
            Some("servers do not show values of config: sent in any case")
        }
        FunctionKind::Http { headers, .. } if !headers.is_empty() => {
            Some("servers do not show values of headers: sent in any case")
        }
        FunctionKind::Aws(aws) if aws.credentials.is_some() => {
            Some("servers do not show credentials: sent in any case")
        }
        FunctionKind::Wasm { .. } | FunctionKind::Http { .. } | FunctionKind::Aws(_) | FunctionKind::Builtin { .. } => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_catalog::{Catalog, EventTypeName, Method};
    use weir_domain::{FunctionId, SpaceName};

    use super::*;

    fn event_type(name: &str) -> EventType {
        EventType::new(EventTypeName::new(name).expect("valid"))
    }

    fn function(id: &str, url: &str) -> Function {
        Function::new(FunctionId::new(id).expect("valid"), FunctionKind::http(url))
    }

    fn route(function: &str) -> Subscription {
        Subscription::to_route(Method::Get, "/x", FunctionId::new(function).expect("valid"))
    }

    fn listener(event_type: &str, function: &str) -> Subscription {
        Subscription::to_events(
            EventTypeName::new(event_type).expect("valid"),
            FunctionId::new(function).expect("valid"),
        )
    }

    /// What has to be done to a space that has all this, in a few words.
    fn check(present: Desired, desired: Desired, prune: bool, expected: &[&str], others: usize) {
        let (mut catalog, space) = (Catalog::new(), SpaceName::default());
        for command in diff(catalog.space_or_empty(&space), present) {
            let change = catalog.plan(&space, command).expect("good");
            catalog.fold(&change).expect("planned");
        }
        let plan = Plan::new(catalog.space_or_empty(&space), desired, prune);
        let steps: Vec<_> = plan.steps.iter().map(|step| format!("{:?} {}", step.action, step.name.shown)).collect();
        assert_eq!(steps, expected);
        assert_eq!(plan.others, others);
    }

    #[test]
    fn what_is_not_named_stays_unless_it_is_to_go() {
        let present = || Desired {
            event_types: vec![event_type("a"), event_type("b")],
            functions: vec![function("f", "http://a"), function("g", "http://a")],
            subscriptions: vec![listener("a", "f"), listener("b", "g")],
            cors: vec![Cors::new(Method::Get, "/x")],
        };
        let desired = || Desired {
            event_types: vec![event_type("a")],
            functions: vec![function("f", "http://b")],
            subscriptions: vec![listener("a", "f")],
            ..Desired::default()
        };
        check(present(), desired(), false, &["Update f", "Keep a", "Keep a → f"], 4);
        let all = ["Update f", "Delete b → g", "Delete b", "Delete g", "Delete GET /x", "Keep a", "Keep a → f"];
        check(present(), desired(), true, &all, 0);
        check(
            present(),
            present(),
            true,
            &["Keep a", "Keep b", "Keep f", "Keep g", "Keep a → f", "Keep b → g", "Keep GET /x"],
            0,
        );
        let new = ["Create f", "Create a", "Create a → f"];
        check(Desired::default(), desired(), false, &new, 0);
    }

    #[test]
    fn a_listener_that_is_given_another_function_is_replaced() {
        let with = |id: &str| Desired {
            event_types: vec![event_type("a")],
            functions: vec![function(id, "http://a")],
            subscriptions: vec![listener("a", id)],
            ..Desired::default()
        };
        check(with("f"), with("g"), true, &["Create g", "Create a → g", "Delete f", "Keep a"], 0);
        check(with("f"), with("g"), false, &["Create g", "Create a → g", "Keep a"], 2);
    }

    #[test]
    fn a_route_that_is_given_another_function_is_made_again() {
        let with = |function: Function, id: &str| Desired {
            functions: vec![function],
            subscriptions: vec![route(id)],
            ..Desired::default()
        };
        let steps = ["Create g", "Delete GET /x → f", "Create GET /x → g"];
        check(with(function("f", "http://a"), "f"), with(function("g", "http://a"), "g"), false, &steps, 1);
    }
}
