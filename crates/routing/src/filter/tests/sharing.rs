//! Equal filters and equal parts of filters become one, and that changes no answer.

use std::{collections::HashMap, sync::Arc};

use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::{
    super::{Asked, Filter, Interner, Node, Scratch, Tree},
    event, parsed,
    random::{events, filters},
};
use crate::document::Members;

fn nodes<'f>(node: &'f Arc<Node>, found: &mut Vec<&'f Arc<Node>>) {
    found.push(node);
    match &**node {
        Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| nodes(part, found)),
        Node::Not(part) => nodes(part, found),
        Node::Compare(..) | Node::Sql(_) | Node::Types(_) | Node::Pattern(_) => {}
    }
}

#[test]
fn what_many_have_is_asked_once() {
    let part = json!({ "not": { "prefix": { "subject": "a", "env": "b" } } });
    let mut interner = Interner::default();
    let either = interner.intern(&parsed(&json!({ "any": [part, { "exact": { "env": "c" } }] })));
    let both = interner.intern(&parsed(&json!([{ "exact": { "env": "c" } }, part])));
    let again = interner.intern(&parsed(&json!([{ "all": [{ "exact": { "env": "c" } }] }, part])));
    assert!(Arc::ptr_eq(&both.tree, &again.tree));

    let mut scratch = Scratch::default();
    for (env, expected) in [("c", true), ("b", false)] {
        let event = event(&[("env", env), ("subject", "a")]);
        let mut asked = Asked::new(&event, &[], &mut scratch);
        assert_eq!(either.holds(&mut asked), expected, "{env}");
        assert_eq!(both.holds(&mut asked), expected, "{env}");
        assert_eq!(again.holds(&mut asked), expected, "{env}");
    }
    // Only the negation is in two filters and worth it.
    assert_eq!(scratch.len(), 1);
}

#[test]
fn what_is_gone_is_forgotten() {
    let filter = |index: usize| parsed(&json!({ "not": { "exact": { "subject": index.to_string() } } }));
    let mut interner = Interner::default();
    let kept: Vec<Filter> = (0..40).map(|index| interner.intern(&filter(index))).collect();
    for index in 0..2000 {
        interner.intern(&filter(index));
    }
    assert!(interner.len() <= 3 * 2 * (kept.len() + 64), "{}", interner.len());
    for (index, kept) in kept.iter().enumerate() {
        assert!(Arc::ptr_eq(&kept.tree, &interner.intern(&filter(index)).tree), "{index}");
    }
}

#[test]
fn nodes_are_small() {
    assert!(size_of::<Node>() <= 24, "{}", size_of::<Node>());
    assert!(size_of::<Tree>() <= 16, "{}", size_of::<Tree>());
}

proptest! {
    #[test]
    fn answers_are_the_same_and_equal_nodes_are_one(given in vec(filters(), 1..6), events in vec(events(), 1..4)) {
        let own: Vec<Filter> =
            given.iter().map(|filter| Filter::parse_stored(filter).expect("a filter")).collect();
        let mut interner = Interner::default();
        let shared: Vec<Filter> = own.iter().map(|filter| interner.intern(filter)).collect();
        prop_assert_eq!(&shared, &own);

        let mut all = Vec::new();
        shared.iter().for_each(|filter| nodes(&filter.tree.root, &mut all));
        let mut first: HashMap<&Node, &Arc<Node>> = HashMap::new();
        for node in all {
            let one: &Arc<Node> = first.entry(&**node).or_insert(node);
            prop_assert!(Arc::ptr_eq(one, node), "{:?}", node);
        }

        let members: Vec<&Members> = shared.iter().filter_map(Filter::members).collect();
        let mut scratch = Scratch::default();
        for event in &events {
            let mut asked = Asked::new(event, &members, &mut scratch);
            // Twice, so that the second time all that is remembered is asked for.
            for (filter, alone) in shared.iter().zip(&own).chain(shared.iter().zip(&own)) {
                prop_assert_eq!(filter.holds(&mut asked), alone.matches(event), "{}", alone.canonical());
            }
        }
    }
}
