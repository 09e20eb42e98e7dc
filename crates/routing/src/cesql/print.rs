//! Expressions as text: keywords in capital letters, one space between words, and parentheses only where needed.

use std::fmt::{self, Write as _};

use super::node::Node;

/// How strong LIKE and IN bind; the operators between two values are below that.
const POSTFIX: u8 = 5;
/// How strong NOT and the minus sign bind.
const PREFIX: u8 = 6;
/// What is never in parentheses.
const WHOLE: u8 = 7;

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(value) => write!(f, "{value}"),
            Self::Attribute(attribute) => f.write_str(attribute.name()),
            Self::Exists(attribute) => write!(f, "EXISTS {}", attribute.name()),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                within(f, inner, PREFIX)
            }
            Self::Negate(inner) => {
                f.write_char('-')?;
                within(f, inner, PREFIX)
            }
            Self::Binary(operator, left, right) => {
                within(f, left, operator.strength())?;
                write!(f, " {} ", operator.spelling())?;
                within(f, right, operator.strength() + 1)
            }
            Self::Like { value, pattern, negated } => {
                within(f, value, POSTFIX)?;
                write!(f, "{} LIKE {}", not(*negated), quoted(pattern))
            }
            Self::In { value, set, negated } => {
                within(f, value, POSTFIX)?;
                write!(f, "{} IN ", not(*negated))?;
                list(f, set)
            }
            Self::Call(function, arguments) => {
                f.write_str(function.name())?;
                list(f, arguments)
            }
            Self::Unknown(name, arguments) => {
                f.write_str(name)?;
                list(f, arguments)
            }
        }
    }
}

fn not(negated: bool) -> &'static str {
    if negated { " NOT" } else { "" }
}

/// Writes a part of something that binds so strong, in parentheses where the part does not.
fn within(f: &mut fmt::Formatter<'_>, node: &Node, strength: u8) -> fmt::Result {
    let own = match node {
        Node::Binary(operator, ..) => operator.strength(),
        Node::Like { .. } | Node::In { .. } => POSTFIX,
        Node::Not(_) | Node::Negate(_) => PREFIX,
        Node::Literal(_) | Node::Attribute(_) | Node::Exists(_) | Node::Call(..) | Node::Unknown(..) => WHOLE,
    };
    if own < strength { write!(f, "({node})") } else { write!(f, "{node}") }
}

fn list(f: &mut fmt::Formatter<'_>, nodes: &[Node]) -> fmt::Result {
    f.write_char('(')?;
    for (index, node) in nodes.iter().enumerate() {
        let before = if index == 0 { "" } else { ", " };
        write!(f, "{before}{node}")?;
    }
    f.write_char(')')
}

/// Writes a text as the literal that it is read from. What none can be read from is written as Rust would.
pub(super) fn quoted(text: &str) -> String {
    let literal = quoted_with('\'', text).or_else(|| quoted_with('"', text));
    literal.unwrap_or_else(|| format!("{text:?}"))
}

/// Returns nothing where there is a backslash before a quote of this kind, which would take it away, or at the end.
fn quoted_with(quote: char, text: &str) -> Option<String> {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push(quote);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == quote {
            literal.push('\\');
        }
        literal.push(letter);
        if letter == '\\' {
            literal.push(letters.next().filter(|next| *next != quote)?);
        }
    }
    literal.push(quote);
    Some(literal)
}
