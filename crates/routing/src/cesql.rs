//! CloudEvents SQL 1.0.0: expressions over the attributes of events.
//!
//! A text is divided into words (`lex`) and read (`parse`) into a tree (`node`). The tree is written in one form only
//! (`print`), tells what it needs (`cover`) and what is known beforehand (`fold`), and becomes a flat program
//! (`program`) that is asked for each event (`run`). Decision 0018 says what was taken where the specification is open.

mod cover;
mod explain;
mod fault;
mod fold;
mod function;
mod lex;
mod like;
mod node;
mod operator;
mod parse;
mod print;
mod program;
mod run;
mod set;
mod value;

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use weir_domain::Event;

pub(crate) use self::{explain::SqlTerm, fault::Fault, run::Outcome};
use self::{node::Node, program::Program};
use crate::cover::Cover;

/// An expression. Immutable, and cheap to clone.
///
/// Two are equal where their [canonical](Expression::canonical) texts are.
#[derive(Clone, Debug)]
pub(crate) struct Expression(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    canonical: Box<str>,
    root: Node,
    program: Program,
    checks: Box<[Fault]>,
}

impl Expression {
    /// The most bytes of a text, and of its canonical form.
    pub(crate) const TEXT_BYTES_MAX: usize = 8 * 1024;

    /// How deep parentheses, NOT and signs may be nested in one another.
    pub(crate) const DEPTH_MAX: usize = 64;

    /// The most literals, attributes and calls, counted wherever they stand.
    pub(crate) const TERMS_MAX: usize = 256;

    /// Reads an expression.
    ///
    /// # Errors
    /// The first fault. What can be evaluated and is an error each time is none; [`checks`](Self::checks) has it.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let read = parse::parse(text)?;
        let canonical = read.root.to_string();
        if canonical.len() > Self::TEXT_BYTES_MAX {
            let message = format!("is longer than {} bytes in its canonical form: shorten it", Self::TEXT_BYTES_MAX);
            return Err(Fault::new(0, 0, message));
        }
        let program = Program::new(&read.root);
        Ok(Self(Arc::new(Inner { canonical: canonical.into(), root: read.root, program, checks: read.checks.into() })))
    }

    /// Returns the canonical form, which is read as the same expression.
    pub(crate) fn canonical(&self) -> &str {
        &self.0.canonical
    }

    /// Returns what the specification lets an event find out, and a filter is refused for: functions that there are
    /// not, or not with so many arguments, and names that no attribute has. The places are those in the text as read.
    pub(crate) fn checks(&self) -> Vec<Fault> {
        self.0.checks.to_vec()
    }

    /// Returns why it holds for no event, where that is plain.
    pub(crate) fn never(&self) -> Option<String> {
        fold::never(&self.0.root)
    }

    /// Tells whether it holds for every event; of what does so for less obvious reasons, it does not.
    pub(crate) fn is_always_true(&self) -> bool {
        fold::is_always_true(&self.0.root)
    }

    /// Evaluates it about an event, up to the first error.
    pub(crate) fn evaluate<'e>(&'e self, event: &'e Event) -> Outcome<'e> {
        run::run(&self.0.program, event, &mut run::Silent)
    }

    /// Tells whether it is true, cast to Boolean, without an error. Allocates nothing, unless a function makes a text
    /// or an operator has many operands.
    pub(crate) fn holds(&self, event: &Event) -> bool {
        self.evaluate(event).holds()
    }

    /// Tells whether it holds, and what that was decided by, in the order of the evaluation. What was not evaluated is
    /// not there.
    pub(crate) fn explain(&self, event: &Event) -> (bool, Vec<SqlTerm>) {
        explain::explain(&self.0.program, event)
    }

    /// Returns keys of which every event has at least one for which it holds.
    pub(crate) fn cover(&self) -> Cover {
        cover::cover(&self.0.root)
    }

    /// Returns the program for people, one operation a line.
    pub(crate) fn listing(&self) -> String {
        self.0.program.to_string()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

#[cfg(test)]
mod tests;
