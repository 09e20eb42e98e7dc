//! What an event must have for an expression to hold.
//!
//! Only what is certain whatever the types are: an attribute against a text is compared as text, but in
//! `count IN ('05')` the text is cast where `count` is a number.

use super::{
    fold::constant,
    like::{Beginning, Like},
    node::Node,
    operator::Operator,
    value::Value,
};
use crate::{
    attribute::Attribute,
    cover::{Cover, Key, Literal, Operand},
};

/// Returns keys of which every event has at least one for which it holds.
pub(super) fn cover(node: &Node) -> Cover {
    match node {
        Node::Binary(Operator::And, left, right) => cover(left).and(cover(right)),
        Node::Binary(Operator::Or, left, right) => cover(left).or(cover(right)),
        Node::Binary(Operator::Equal, left, right) => match (&**left, &**right) {
            (Node::Attribute(attribute), right) => match known(right) {
                Some(Value::Text(text)) => Cover::of([equal(attribute, &text)]),
                _ => Cover::NONE,
            },
            // The left side is cast to what the attribute is, which is known of those that are defined: text.
            (left, Node::Attribute(attribute)) if is_text(attribute) => match known(left) {
                Some(value) => Cover::of([equal(attribute, &value.text())]),
                None => Cover::NONE,
            },
            _ => Cover::NONE,
        },
        Node::In { value, set, negated: false } => match &**value {
            Node::Attribute(attribute) => one_of(attribute, set),
            _ => Cover::NONE,
        },
        Node::Like { value, pattern, negated: false } => match &**value {
            Node::Attribute(attribute) => like(attribute, &Like::new(pattern)),
            _ => Cover::NONE,
        },
        _ => Cover::NONE,
    }
}

fn one_of(attribute: &Attribute, set: &[Node]) -> Cover {
    let texts: Option<Vec<String>> = set
        .iter()
        .map(|element| known(element).filter(|value| is_text(attribute) || is_itself(value)))
        .map(|value| value.map(|value| value.into_text().into_owned()))
        .collect();
    texts.map_or(Cover::NONE, |texts| Cover::of(texts.iter().map(|text| equal(attribute, text))))
}

/// Tells whether an attribute of any type that equals a value has its text.
fn is_itself(value: &Value<'_>) -> bool {
    let Value::Text(text) = value else { return false };
    let is_as_number = value.integer().is_ok_and(|number| number.to_string() != **text);
    let is_as_truth = value.boolean().is_ok_and(|truth| truth.to_string() != **text);
    !is_as_number && !is_as_truth
}

fn like(attribute: &Attribute, like: &Like) -> Cover {
    match like.beginning() {
        Beginning::Whole(text) => Cover::of([equal(attribute, &text)]),
        Beginning::Prefix(prefix) if prefix.is_empty() => Cover::NONE,
        Beginning::Prefix(prefix) => Cover::of([Key::Prefix(operand(attribute), prefix.into())]),
    }
}

fn equal(attribute: &Attribute, text: &str) -> Key {
    Key::Equal(operand(attribute), Literal::Text(text.into()))
}

fn operand(attribute: &Attribute) -> Operand {
    Operand::Attribute(attribute.clone())
}

fn is_text(attribute: &Attribute) -> bool {
    !matches!(attribute, Attribute::Extension(_))
}

fn known(node: &Node) -> Option<Value<'static>> {
    constant(node)?.ok()
}
