//! What a filter promises of the events that it lets through: the keys by which an index finds it.

use super::{Comparison, Node, Pair};
use crate::{
    attribute::Attribute,
    cover::{Cover, Key, Literal, Operand},
    type_pattern::TypePattern,
};

impl Node {
    /// Returns keys of which every event has at least one of which it says what is `wanted`.
    pub(super) fn cover(&self, wanted: bool) -> Cover {
        match (self, wanted) {
            (Self::All(nodes), true) | (Self::Any(nodes), false) => {
                nodes.iter().map(|node| node.cover(wanted)).fold(Cover::NONE, Cover::and)
            }
            (Self::All(nodes), false) | (Self::Any(nodes), true) => {
                nodes.iter().map(|node| node.cover(wanted)).reduce(Cover::or).unwrap_or(Cover::NONE)
            }
            (Self::Not(node), _) => node.cover(!wanted),
            (Self::Compare(comparison, pairs), true) => {
                pairs.iter().map(|pair| pair.cover(*comparison)).fold(Cover::NONE, Cover::and)
            }
            (Self::Sql(expression), true) => expression.cover(),
            (Self::Types(types), true) => types.iter().map(of_type).reduce(Cover::or).unwrap_or(Cover::NONE),
            (Self::Pattern(pattern), true) => pattern.cover(),
            // Nothing can be looked up that an event has not.
            (Self::Compare(..) | Self::Sql(_) | Self::Types(_) | Self::Pattern(_), false) => Cover::NONE,
        }
    }
}

impl Pair {
    fn cover(&self, comparison: Comparison) -> Cover {
        let operand = Operand::Attribute(self.attribute.clone());
        match comparison {
            // All events have the same.
            _ if self.attribute == Attribute::SpecVersion => Cover::NONE,
            Comparison::Exact => Cover::of([Key::Equal(operand, Literal::Text(self.wanted.clone()))]),
            Comparison::Prefix => Cover::of([Key::Prefix(operand, self.wanted.clone())]),
            Comparison::Suffix => Cover::NONE,
        }
    }
}

fn of_type(pattern: &TypePattern) -> Cover {
    let operand = Operand::Attribute(Attribute::Type);
    if let Some(name) = pattern.name() {
        return Cover::of([Key::Equal(operand, Literal::Text(name.into()))]);
    }
    let known = pattern.parts().take_while(|part| !TypePattern::has_wildcard(part));
    let prefix = known.fold(String::new(), |prefix, part| prefix + part + ".");
    if prefix.is_empty() { Cover::NONE } else { Cover::of([Key::Prefix(operand, prefix.into())]) }
}
