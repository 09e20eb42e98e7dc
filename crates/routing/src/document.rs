//! What filters see of the data of an event: one reading of its JSON text, of which only the members are kept that
//! somebody asks for.
//!
//! What is asked for is told by [`Members`]. How much of them there is beside one's own is never seen: what stands at a
//! path is the same whatever else was asked for.

mod members;
mod number;
mod read;

use std::borrow::Cow;

pub(crate) use self::{members::Members, number::Number};

/// How many arrays and objects may stand within one another, which is what data may have; deeper ones are empty here.
pub(crate) const DEPTH_MAX: usize = 127;

/// The most items of an array that are shown to people.
const ITEMS_SHOWN_MAX: usize = 16;

/// What was kept of a JSON text.
///
/// Of a name that stands twice in an object, the last one counts. A number that is too large for floating-point numbers
/// of 64 bits is infinite, and what is no Unicode (half of a surrogate pair, as an escape) is U+FFFD.
#[derive(Debug)]
pub(crate) struct Document<'d> {
    root: Node<'d>,
    /// The items of all arrays: those of one array stand side by side.
    items: Vec<Node<'d>>,
    /// The members of all objects: those of one object stand side by side, sorted by name, each name once.
    members: Vec<Member<'d>>,
}

#[derive(Debug)]
struct Member<'d> {
    name: Cow<'d, str>,
    value: Node<'d>,
}

#[derive(Debug)]
enum Node<'d> {
    Null,
    Boolean(bool),
    Number(Number),
    Text(Cow<'d, str>),
    Array(Span),
    Object(Span),
}

/// Places from a start up to an end, without it.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    end: usize,
}

/// A value that has nothing in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<'v> {
    Null,
    Boolean(bool),
    Number(Number),
    Text(&'v str),
}

/// A value in a document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'v> {
    Scalar(Scalar<'v>),
    Array(Items<'v>),
    Object(Object<'v>),
}

/// The items of an array, all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items<'v> {
    document: &'v Document<'v>,
    nodes: &'v [Node<'v>],
}

/// An object, with the members that were asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object<'v> {
    document: &'v Document<'v>,
    members: &'v [Member<'v>],
}

impl<'d> Document<'d> {
    /// Reads a text in one pass and keeps what one of `asked` asks for. `None` where it is no JSON.
    pub(crate) fn read(text: &'d str, asked: &[&Members]) -> Option<Self> {
        // The second way takes all that is JSON by its grammar, and is slower.
        read::read(text, asked, false).or_else(|| read::read(text, asked, true))
    }

    pub(crate) fn root(&self) -> Value<'_> {
        self.value(&self.root)
    }

    /// Tells all scalars at a path that was asked for, through every item of each array on the way and at the end.
    pub(crate) fn at<'v>(&'v self, path: &[Box<str>], mut found: impl FnMut(Scalar<'v>)) {
        self.root().each_at(path, &mut found);
    }

    fn value<'v>(&'v self, node: &'v Node<'v>) -> Value<'v> {
        match node {
            Node::Null => Value::Scalar(Scalar::Null),
            Node::Boolean(truth) => Value::Scalar(Scalar::Boolean(*truth)),
            Node::Number(number) => Value::Scalar(Scalar::Number(*number)),
            Node::Text(text) => Value::Scalar(Scalar::Text(text)),
            Node::Array(span) => Value::Array(Items { document: self, nodes: &self.items[span.start..span.end] }),
            Node::Object(span) => {
                Value::Object(Object { document: self, members: &self.members[span.start..span.end] })
            }
        }
    }
}

impl<'v> Value<'v> {
    /// Tells whether one scalar passes: the value itself, or one of an array, or of an array within.
    pub(crate) fn any_scalar(self, test: &mut impl FnMut(Scalar<'v>) -> bool) -> bool {
        match self {
            Self::Scalar(scalar) => test(scalar),
            Self::Array(items) => items.iter().any(|item| item.any_scalar(test)),
            Self::Object(_) => false,
        }
    }

    /// Returns what people are shown of it: a text as it is, anything else as JSON, and of objects that they are there.
    pub(crate) fn shown(self) -> String {
        match self {
            Self::Scalar(Scalar::Text(text)) => text.to_owned(),
            Self::Scalar(Scalar::Null) => "null".to_owned(),
            Self::Scalar(Scalar::Boolean(truth)) => truth.to_string(),
            Self::Scalar(Scalar::Number(number)) => number.to_string(),
            Self::Array(items) => {
                let mut shown: Vec<String> = items.iter().take(ITEMS_SHOWN_MAX).map(Self::quoted).collect();
                if items.len() > ITEMS_SHOWN_MAX {
                    shown.push("…".to_owned());
                }
                format!("[{}]", shown.join(","))
            }
            Self::Object(_) => "{…}".to_owned(),
        }
    }

    /// As [`Self::shown`], with a text as JSON too.
    fn quoted(self) -> String {
        match self {
            Self::Scalar(Scalar::Text(text)) => serde_json::Value::from(text).to_string(),
            other => other.shown(),
        }
    }

    fn each_at(self, path: &[Box<str>], found: &mut impl FnMut(Scalar<'v>)) {
        match (self, path) {
            (Self::Array(items), path) => items.iter().for_each(|item| item.each_at(path, found)),
            (Self::Scalar(scalar), []) => found(scalar),
            (Self::Object(object), [name, rest @ ..]) => {
                if let Some(value) = object.get(name) {
                    value.each_at(rest, found);
                }
            }
            (Self::Scalar(_), _) | (Self::Object(_), []) => {}
        }
    }
}

impl<'v> Items<'v> {
    pub(crate) fn len(self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn is_empty(self) -> bool {
        self.nodes.is_empty()
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Value<'v>> {
        self.nodes.iter().map(move |node| self.document.value(node))
    }
}

impl<'v> Object<'v> {
    /// Returns a member that was asked for.
    pub(crate) fn get(self, name: &str) -> Option<Value<'v>> {
        let place = self.members.binary_search_by(|member| (*member.name).cmp(name)).ok()?;
        Some(self.document.value(&self.members[place].value))
    }
}

#[cfg(test)]
pub(crate) mod tests;
