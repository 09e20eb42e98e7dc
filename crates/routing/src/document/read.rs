//! Reading a JSON text for what several ask of it, in one pass.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize as _, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    DEPTH_MAX, Document, Member, Node, Number, Span,
    members::{Branch, Members},
};

/// Reads a text, `is_careful` so that nothing is refused that is JSON by its grammar. Parts that are skipped are looked
/// at for their grammar only: otherwise, whether a text can be read would depend on who asks for what.
pub(super) fn read<'d>(text: &'d str, asked: &[&Members], is_careful: bool) -> Option<Document<'d>> {
    let mut reader =
        Reader { is_careful, asked: asked.iter().map(|members| members.root()).collect(), ..Reader::default() };
    let level = Span { start: 0, end: reader.asked.len() };
    let mut json = serde_json::Deserializer::from_str(text);
    let root = Seed { reader: &mut reader, level, depth: 0 }.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(Document { root, items: reader.items, members: reader.members })
}

#[derive(Default)]
struct Reader<'d, 't> {
    is_careful: bool,
    /// What is asked for at each level on the way to where the reading is, the innermost last.
    asked: Vec<&'t Branch>,
    /// What is in the arrays and objects that were read to their end.
    items: Vec<Node<'d>>,
    members: Vec<Member<'d>>,
    /// What is in those that were not, the innermost last.
    open_items: Vec<Node<'d>>,
    open_members: Vec<Member<'d>>,
}

impl<'d> Reader<'d, '_> {
    /// Enters a new level below a name, where anybody at a level asks for it.
    fn enter(&mut self, level: Span, name: &str) -> bool {
        for place in level.start..level.end {
            // Copied out, so that more can be pushed.
            let branch = self.asked[place];
            self.asked.extend(branch.get(name));
        }
        self.asked.len() > level.end
    }

    fn close_array(&mut self, from: usize) -> Node<'d> {
        let start = self.items.len();
        self.items.extend(self.open_items.drain(from..));
        Node::Array(Span { start, end: self.items.len() })
    }

    fn close_object(&mut self, from: usize) -> Node<'d> {
        // Stable: of equal names the last one stays the last.
        self.open_members[from..].sort_by(|one, other| one.name.cmp(&other.name));
        let start = self.members.len();
        for member in self.open_members.drain(from..) {
            match self.members[start..].last_mut() {
                Some(last) if last.name == member.name => *last = member,
                _ => self.members.push(member),
            }
        }
        Node::Object(Span { start, end: self.members.len() })
    }
}

/// Reads a value, for what is asked at a level, which is the last one.
struct Seed<'r, 'd, 't> {
    reader: &'r mut Reader<'d, 't>,
    level: Span,
    /// How many arrays and objects are around it.
    depth: usize,
}

impl<'d> DeserializeSeed<'d> for Seed<'_, 'd, '_> {
    type Value = Node<'d>;

    fn deserialize<D: Deserializer<'d>>(self, deserializer: D) -> Result<Node<'d>, D::Error> {
        if !self.reader.is_careful {
            return deserializer.deserialize_any(self);
        }
        let text = <&'d RawValue>::deserialize(deserializer)?.get();
        // A reader for each level also has no bound of its own on the depth.
        let mut json = serde_json::Deserializer::from_str(text);
        let read = match text.as_bytes().first() {
            Some(b'"') => json.deserialize_bytes(self),
            Some(b'-' | b'0'..=b'9') => Number::parse(text).map(Node::Number).ok_or_else(|| Error::custom("no number")),
            _ => json.deserialize_any(self),
        };
        read.map_err(D::Error::custom)
    }
}

impl<'d> Visitor<'d> for Seed<'_, 'd, '_> {
    type Value = Node<'d>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'d>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Node<'d>, E> {
        Ok(Node::Boolean(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node<'d>, E> {
        Ok(Node::Number(Number::whole_or_negative(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'d>, E> {
        Ok(Node::Number(Number::Whole(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node<'d>, E> {
        Ok(Node::Number(Number::real(number)))
    }

    fn visit_borrowed_str<E>(self, text: &'d str) -> Result<Node<'d>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'d>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bytes<E>(self, text: &[u8]) -> Result<Node<'d>, E> {
        Ok(Node::Text(Cow::Owned(String::from_utf8_lossy(text).into_owned())))
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut items: A) -> Result<Node<'d>, A::Error> {
        let Self { reader, level, depth } = self;
        let from = reader.open_items.len();
        if depth >= DEPTH_MAX {
            while items.next_element::<IgnoredAny>()?.is_some() {}
        }
        while let Some(item) = items.next_element_seed(Seed { reader: &mut *reader, level, depth: depth + 1 })? {
            reader.open_items.push(item);
        }
        Ok(reader.close_array(from))
    }

    fn visit_map<A: MapAccess<'d>>(self, mut members: A) -> Result<Node<'d>, A::Error> {
        let Self { reader, level, depth } = self;
        let from = reader.open_members.len();
        while let Some(name) = members.next_key_seed(NameSeed { reader: &mut *reader, level })? {
            let Some(name) = name.filter(|_| depth < DEPTH_MAX) else {
                reader.asked.truncate(level.end);
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            let below = Span { start: level.end, end: reader.asked.len() };
            let value = members.next_value_seed(Seed { reader: &mut *reader, level: below, depth: depth + 1 })?;
            reader.asked.truncate(level.end);
            reader.open_members.push(Member { name, value });
        }
        Ok(reader.close_object(from))
    }
}

/// Reads a name, and enters the level below it where anybody at this one asks for it; gives nothing where nobody does.
struct NameSeed<'r, 'd, 't> {
    reader: &'r mut Reader<'d, 't>,
    level: Span,
}

impl<'d> DeserializeSeed<'d> for NameSeed<'_, 'd, '_> {
    type Value = Option<Cow<'d, str>>;

    fn deserialize<D: Deserializer<'d>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.reader.is_careful { deserializer.deserialize_bytes(self) } else { deserializer.deserialize_str(self) }
    }
}

impl<'d> Visitor<'d> for NameSeed<'_, 'd, '_> {
    type Value = Option<Cow<'d, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'d str) -> Result<Self::Value, E> {
        Ok(self.reader.enter(self.level, name).then_some(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.reader.enter(self.level, name).then(|| Cow::Owned(name.to_owned())))
    }

    fn visit_bytes<E>(self, name: &[u8]) -> Result<Self::Value, E> {
        let name = String::from_utf8_lossy(name);
        Ok(self.reader.enter(self.level, &name).then(|| Cow::Owned(name.into_owned())))
    }
}
