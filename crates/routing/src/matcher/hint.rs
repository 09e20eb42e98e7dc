//! Telling that a filter will not let an event through, without looking at the filter.
//!
//! Where few filters stand together each is asked, and each lies somewhere else in memory: with a million subscriptions
//! that is what takes the time. So beside each stands in a few bytes what it asks of one attribute, where it does: nearly
//! all whose answer is no are passed over by that.

use smallvec::SmallVec;
use weir_domain::Event;

use crate::{
    Filter,
    attribute::Attribute,
    cover::{Key, Literal, Operand},
};

/// How many letters at the beginning of a text are known.
const FIRST_BYTES: usize = 8;

/// What a filter asks of one attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hint {
    /// Nothing that is known here.
    #[default]
    None,
    /// That it is a certain text: the numbers of its name and of the text.
    Text { name: u32, text: u32 },
    /// That it begins with certain letters: the number of its name, and the first of them.
    Prefix { name: u32, first: u64, len: u8 },
}

/// The attributes of an event, by numbers.
#[derive(Default)]
pub(super) struct Traits {
    all: SmallVec<[Trait; 16]>,
}

struct Trait {
    name: u32,
    text: u32,
    first: u64,
}

impl Hint {
    pub(super) fn of(filter: &Filter) -> Self {
        let cover = filter.cover();
        match cover.keys() {
            Some([Key::Equal(Operand::Attribute(attribute), Literal::Text(text))]) => {
                Self::Text { name: number(attribute.name()), text: number(text) }
            }
            Some([Key::Prefix(Operand::Attribute(attribute), text)]) => {
                let len = text.len().min(FIRST_BYTES) as u8;
                Self::Prefix { name: number(attribute.name()), first: first(text), len }
            }
            _ => Self::None,
        }
    }
}

impl Traits {
    pub(super) fn of(event: &Event) -> Self {
        let known = [
            Attribute::Id,
            Attribute::Source,
            Attribute::SpecVersion,
            Attribute::Type,
            Attribute::Subject,
            Attribute::Time,
            Attribute::DataContentType,
            Attribute::DataSchema,
        ];
        let known = known.iter().filter_map(|attribute| Some((attribute.name(), attribute.of(event)?)));
        let extensions = event.extensions().filter_map(|(name, _)| Some((name, event.extension_text(name)?)));
        let one = |(name, text)| Trait { name: number(name), text: number(text), first: first(text) };
        Self { all: known.chain(extensions).map(one).collect() }
    }

    /// Tells whether a filter may let the event through.
    pub(super) fn may_have(&self, hint: Hint) -> bool {
        match hint {
            Hint::None => true,
            Hint::Text { name, text } => self.all.iter().any(|it| it.text == text && it.name == name),
            Hint::Prefix { name, first, len } => {
                // A shorter text has zeros where the letters of the prefix are, which are none.
                let mask = u64::MAX << (8 * (FIRST_BYTES - usize::from(len)));
                self.all.iter().any(|it| it.name == name && it.first & mask == first)
            }
        }
    }
}

/// The first letters of a text, those that are not there as zeros.
fn first(text: &str) -> u64 {
    let mut bytes = [0; FIRST_BYTES];
    let len = text.len().min(FIRST_BYTES);
    bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
    u64::from_be_bytes(bytes)
}

/// A number of a text. Others may have the same: who makes them so has them asked one after the other.
fn number(text: &str) -> u32 {
    let mix = |sum: u64, part: u64| (sum.rotate_left(5) ^ part).wrapping_mul(0x517c_c1b7_2722_0a95);
    let mut parts = text.as_bytes().chunks_exact(8);
    let mut sum = mix(0, text.len() as u64);
    for part in &mut parts {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(part);
        sum = mix(sum, u64::from_le_bytes(bytes));
    }
    let mut bytes = [0; 8];
    bytes[..parts.remainder().len()].copy_from_slice(parts.remainder());
    (mix(sum, u64::from_le_bytes(bytes)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use weir_domain::{AttributeValue, Event};

    use super::{Hint, Traits};
    use crate::Filter;

    #[test]
    fn what_holds_is_never_passed_over_and_what_does_not_nearly_always_is() {
        let event = Event::builder("1", "/shop", "order.placed")
            .subject("order/12345")
            .extension("count", AttributeValue::Integer(7))
            .extension("short", AttributeValue::String("ab"))
            .build()
            .expect("valid");
        let traits = Traits::of(&event);
        let check = |filter: serde_json::Value, expected: bool| {
            let filter = Filter::parse(&filter).expect("a filter");
            let hint = Hint::of(&filter);
            assert_ne!(hint, Hint::None, "{filter:?}");
            assert_eq!(traits.may_have(hint), expected, "{filter:?}");
            assert!(expected || !filter.matches(&event));
        };
        check(json!({ "exact": { "subject": "order/12345" } }), true);
        check(json!({ "exact": { "subject": "order/12346" } }), false);
        check(json!({ "exact": { "count": "7" } }), true);
        check(json!({ "exact": { "gone": "7" } }), false);
        check(json!({ "prefix": { "subject": "order/12" } }), true);
        check(json!({ "prefix": { "subject": "order/123456789" } }), true);
        check(json!({ "prefix": { "subject": "order/2" } }), false);
        check(json!({ "prefix": { "short": "ab" } }), true);
        check(json!({ "prefix": { "short": "abc" } }), false);
        check(json!({ "all": [{ "exact": { "source": "/shop" } }, { "suffix": { "type": "placed" } }] }), true);
        let open = Filter::parse(&json!({ "suffix": { "type": "placed" } })).expect("a filter");
        assert_eq!(Hint::of(&open), Hint::None);
        assert!(traits.may_have(Hint::None));
    }
}
