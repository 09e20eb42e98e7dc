//! Expressions as flat programs: what is evaluated one after the other, with jumps over what need not be.
//!
//! What is asked most is one operation each: an attribute against a text, a number, a pattern or a set that is known.
//! The others take their operands from a stack. See `run` for how it goes.

use std::{fmt, ops::Range};

use super::{
    fold::constant,
    function::Function,
    like::Like,
    node::Node,
    operator::Operator,
    set::Set,
    value::{Kind, Value},
};
use crate::attribute::Attribute;

/// An expression that can be evaluated.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) ops: Box<[Op]>,
    /// The most values that are on the stack at once.
    pub(super) stack_max: usize,
    /// What it gives where something inside of it failed.
    pub(super) zero: Value<'static>,
    /// The comparisons and other things that AND, OR, XOR and NOT join, in the order in which they are evaluated.
    pub(super) leaves: Box<[Leaf]>,
}

/// One operation. What is evaluated leaves one value on the stack.
#[derive(Debug)]
pub(super) enum Op {
    Constant(Value<'static>),
    Attribute(Attribute),
    Exists(Attribute),
    Not,
    Negate,
    /// Casts the last value to Boolean.
    Truth,
    /// An operator between the last two values; no AND or OR.
    Binary(Operator),
    Like(Box<Like>, bool),
    InSet(Box<Set>, bool),
    /// So many elements, and the value before them.
    In(usize, bool),
    Call(Function, usize),
    /// A call of what is no function.
    Unknown,
    /// The left side of AND or OR was evaluated, to a Boolean. Where it is the one that decides, goes on at the place.
    Branch {
        decisive: bool,
        to: usize,
    },
    /// The right side was evaluated too.
    Settle(Settle),
    AttributeIsText {
        attribute: Attribute,
        text: Box<str>,
        negated: bool,
    },
    AttributeIsNumber {
        attribute: Attribute,
        operator: Operator,
        number: i32,
    },
    AttributeLike {
        attribute: Attribute,
        like: Box<Like>,
        negated: bool,
    },
    AttributeInSet {
        attribute: Attribute,
        set: Box<Set>,
        negated: bool,
    },
}

/// What AND and OR know of their two sides.
#[derive(Clone, Debug)]
pub(super) struct Settle {
    /// What decides: false for AND.
    pub(super) decisive: bool,
    /// The leaves of the left side.
    pub(super) left: Range<usize>,
    /// The operations of the right side.
    pub(super) right: Range<usize>,
    /// It is an AND, and the whole expression does not hold where it does not: so it is of no account what its left
    /// side is where its right one fails.
    pub(super) is_needed: bool,
}

/// One thing that is true or false of an event, and its operations.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) text: Box<str>,
    pub(super) attributes: Box<[Attribute]>,
    pub(super) ops: Range<usize>,
}

impl Program {
    pub(super) fn new(root: &Node) -> Self {
        let mut compiler = Compiler { ops: Vec::new(), height: 0, stack_max: 0, leaves: Vec::new(), is_in_leaf: false };
        if root.is_connective() {
            compiler.node(root, true);
        } else {
            compiler.leaf(root, |compiler| compiler.node(root, false));
        }
        Self {
            ops: compiler.ops.into(),
            stack_max: compiler.stack_max,
            zero: root.zero(),
            leaves: compiler.leaves.into(),
        }
    }

    /// Returns what every AND and OR knows of its sides.
    pub(super) fn settles(&self) -> impl Iterator<Item = &Settle> {
        self.ops.iter().filter_map(|op| if let Op::Settle(settle) = op { Some(settle) } else { None })
    }
}

/// One operation a line, each with its number.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ops.iter().enumerate().try_for_each(|(at, op)| writeln!(f, "{at:3}  {op}"))
    }
}

struct Compiler {
    ops: Vec<Op>,
    height: usize,
    stack_max: usize,
    leaves: Vec<Leaf>,
    is_in_leaf: bool,
}

impl Compiler {
    /// Adds an operation that takes so many values and leaves one.
    fn push(&mut self, op: Op, taken: usize) {
        self.ops.push(op);
        self.height = self.height - taken + 1;
        self.stack_max = self.stack_max.max(self.height);
    }

    /// Compiles an expression. `is_needed` tells that the whole does not hold where this one does not.
    fn node(&mut self, node: &Node, is_needed: bool) {
        if (self.is_in_leaf || !node.is_connective())
            && let Some(Ok(value)) = constant(node)
        {
            return self.push(Op::Constant(value), 0);
        }
        match node {
            Node::Literal(value) => self.push(Op::Constant(value.clone()), 0),
            Node::Attribute(attribute) => self.push(Op::Attribute(attribute.clone()), 0),
            Node::Exists(attribute) => self.push(Op::Exists(attribute.clone()), 0),
            Node::Not(inner) => {
                if node.is_connective() {
                    self.operand(inner, false);
                } else {
                    self.node(inner, false);
                }
                self.push(Op::Not, 1);
            }
            Node::Negate(inner) => {
                self.node(inner, false);
                self.push(Op::Negate, 1);
            }
            Node::Binary(Operator::And, left, right) => self.joined(false, left, right, is_needed),
            Node::Binary(Operator::Or, left, right) => self.joined(true, left, right, is_needed),
            Node::Binary(Operator::Xor, left, right) => {
                self.operand(left, false);
                self.operand(right, false);
                self.push(Op::Binary(Operator::Xor), 2);
            }
            Node::Binary(operator, left, right) => self.binary(*operator, left, right),
            Node::Like { value, pattern, negated } => self.like(value, pattern, *negated),
            Node::In { value, set, negated } => self.set(value, set, *negated),
            Node::Call(function, arguments) => {
                arguments.iter().for_each(|argument| self.node(argument, false));
                self.push(Op::Call(*function, arguments.len()), arguments.len());
            }
            Node::Unknown(..) => self.push(Op::Unknown, 0),
        }
    }

    /// Compiles one side of AND, OR or XOR, or what is behind NOT: it leaves a Boolean.
    fn operand(&mut self, node: &Node, is_needed: bool) {
        let boolean = |compiler: &mut Self| {
            compiler.node(node, is_needed);
            if node.kind() != Some(Kind::Boolean) {
                compiler.push(Op::Truth, 1);
            }
        };
        if self.is_in_leaf || node.is_connective() { boolean(self) } else { self.leaf(node, boolean) }
    }

    fn leaf(&mut self, node: &Node, compile: impl FnOnce(&mut Self)) {
        let start = self.ops.len();
        self.is_in_leaf = true;
        compile(self);
        self.is_in_leaf = false;
        let mut attributes = Vec::new();
        node.attributes(&mut attributes);
        let attributes = attributes.into_iter().cloned().collect();
        self.leaves.push(Leaf { text: node.to_string().into(), attributes, ops: start..self.ops.len() });
    }

    fn joined(&mut self, decisive: bool, left: &Node, right: &Node, is_needed: bool) {
        let first = self.leaves.len();
        // Where the left side of OR does not hold, the right one still can.
        self.operand(left, is_needed && !decisive);
        let left = first..self.leaves.len();
        let branch = self.ops.len();
        // The right side takes the place of the left one.
        self.push(Op::Branch { decisive, to: 0 }, 1);
        self.height -= 1;
        let right_at = self.ops.len();
        self.operand(right, is_needed);
        let right = right_at..self.ops.len();
        self.push(Op::Settle(Settle { decisive, left, right, is_needed: is_needed && !decisive }), 1);
        self.ops[branch] = Op::Branch { decisive, to: self.ops.len() };
    }

    fn binary(&mut self, operator: Operator, left: &Node, right: &Node) {
        let (known_left, known_right) = (known(left), known(right));
        if let (Node::Attribute(attribute), Some(value)) = (left, &known_right)
            && let Some(op) = against(attribute, operator, value)
        {
            return self.push(op, 0);
        }
        if let (Some(value), Node::Attribute(attribute)) = (&known_left, right)
            && operator.is_order()
            && let Some(op) = against(attribute, operator.turned(), value)
        {
            return self.push(op, 0);
        }
        self.node(left, false);
        self.node(right, false);
        self.push(Op::Binary(operator), 2);
    }

    fn like(&mut self, value: &Node, pattern: &str, negated: bool) {
        let like = Box::new(Like::new(pattern));
        if let Node::Attribute(attribute) = value {
            return self.push(Op::AttributeLike { attribute: attribute.clone(), like, negated }, 0);
        }
        self.node(value, false);
        self.push(Op::Like(like, negated), 1);
    }

    fn set(&mut self, value: &Node, elements: &[Node], negated: bool) {
        let Some(set) = elements.iter().map(known).collect::<Option<Vec<_>>>().map(|known| Box::new(Set::new(known)))
        else {
            self.node(value, false);
            elements.iter().for_each(|element| self.node(element, false));
            return self.push(Op::In(elements.len(), negated), elements.len() + 1);
        };
        if let Node::Attribute(attribute) = value {
            return self.push(Op::AttributeInSet { attribute: attribute.clone(), set, negated }, 0);
        }
        self.node(value, false);
        self.push(Op::InSet(set, negated), 1);
    }
}

/// Returns what gives the same for every event and does not fail.
fn known(node: &Node) -> Option<Value<'static>> {
    constant(node)?.ok()
}

/// Returns the one operation that compares an attribute with what is known, where there is one.
fn against(attribute: &Attribute, operator: Operator, value: &Value<'static>) -> Option<Op> {
    let attribute = attribute.clone();
    match (operator, value) {
        (Operator::Equal | Operator::NotEqual, Value::Text(text)) => {
            let negated = operator == Operator::NotEqual;
            Some(Op::AttributeIsText { attribute, text: (**text).into(), negated })
        }
        (Operator::Equal | Operator::NotEqual, Value::Integer(number)) => {
            Some(Op::AttributeIsNumber { attribute, operator, number: *number })
        }
        _ if operator.is_order() => Some(Op::AttributeIsNumber { attribute, operator, number: value.integer().ok()? }),
        _ => None,
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        match self {
            Self::Constant(value) => write!(f, "push {value}"),
            Self::Attribute(attribute) => write!(f, "push {}", attribute.name()),
            Self::Exists(attribute) => write!(f, "EXISTS {}", attribute.name()),
            Self::Not => f.write_str("NOT"),
            Self::Negate => f.write_str("negate"),
            Self::Truth => f.write_str("cast to Boolean"),
            Self::Binary(operator) => f.write_str(operator.spelling()),
            Self::Like(like, negated) => write!(f, "{}LIKE {like}", not(negated)),
            Self::InSet(set, negated) => write!(f, "{}IN {set}", not(negated)),
            Self::In(count, negated) => write!(f, "{}IN, of {count}", not(negated)),
            Self::Call(function, count) => write!(f, "{}, with {count}", function.name()),
            Self::Unknown => f.write_str("fail: no such function"),
            Self::Branch { decisive, to } => write!(f, "if {decisive} go to {to}, else drop"),
            Self::Settle(settle) => write!(f, "end of {}", if settle.decisive { "OR" } else { "AND" }),
            Self::AttributeIsText { attribute, text, negated } => {
                let operator = if *negated { "!=" } else { "=" };
                write!(f, "{} {operator} {}", attribute.name(), super::print::quoted(text))
            }
            Self::AttributeIsNumber { attribute, operator, number } => {
                write!(f, "{} {} {number}", attribute.name(), operator.spelling())
            }
            Self::AttributeLike { attribute, like, negated } => {
                write!(f, "{} {}LIKE {like}", attribute.name(), not(negated))
            }
            Self::AttributeInSet { attribute, set, negated } => {
                write!(f, "{} {}IN {set}", attribute.name(), not(negated))
            }
        }
    }
}
