//! Telling by what the answer of an expression was decided.

use weir_domain::Event;

use super::{
    program::{Leaf, Program, Settle},
    run::{Visitor, run},
    value::{ErrorKind, Value},
};

/// One comparison, or another thing that AND, OR, XOR and NOT join, that was evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqlTerm {
    /// As it stands in the canonical text.
    pub(crate) text: String,
    /// The attributes that it names, each with the text that the event has of it, where it has any.
    pub(crate) seen: Vec<(String, Option<String>)>,
    /// What it gave, as a literal, or `error: ` and the kind of the error.
    pub(crate) outcome: String,
    /// Whether the whole answer rests on it, as in [`crate::Term`].
    pub(crate) decided: bool,
}

/// Evaluates a program, and tells whether it holds and what that was decided by, in the order of the evaluation.
pub(super) fn explain(program: &Program, event: &Event) -> (bool, Vec<SqlTerm>) {
    let mut explainer = Explainer { program, event, terms: Vec::new() };
    let holds = run(program, event, &mut explainer).holds();
    (holds, explainer.terms.into_iter().map(|(_, term)| term).collect())
}

/// Writes down what was evaluated, with the number of the leaf.
struct Explainer<'p> {
    program: &'p Program,
    event: &'p Event,
    terms: Vec<(usize, SqlTerm)>,
}

impl Explainer<'_> {
    fn add(&mut self, is_it: impl Fn(&Leaf) -> bool, outcome: impl FnOnce() -> String) {
        let Some((number, leaf)) = self.program.leaves.iter().enumerate().find(|(_, leaf)| is_it(leaf)) else { return };
        let seen = leaf
            .attributes
            .iter()
            .map(|attribute| (attribute.name().to_owned(), attribute.of(self.event).map(str::to_owned)));
        let term = SqlTerm { text: leaf.text.to_string(), seen: seen.collect(), outcome: outcome(), decided: true };
        self.terms.push((number, term));
    }

    fn outweigh(&mut self, settle: &Settle) {
        for (leaf, term) in &mut self.terms {
            if settle.left.contains(&*leaf) {
                term.decided = false;
            }
        }
    }
}

impl Visitor for Explainer<'_> {
    fn evaluated(&mut self, at: usize, value: &Value<'_>) {
        self.add(|leaf| leaf.ops.end == at + 1, || value.to_string());
    }

    fn settled(&mut self, settle: &Settle, is_decided: bool) {
        if is_decided {
            self.outweigh(settle);
        }
    }

    fn failed(&mut self, at: usize, kind: ErrorKind) {
        self.add(|leaf| leaf.ops.contains(&at), || format!("error: {kind}"));
        let program = self.program;
        for settle in program.settles() {
            if settle.is_needed && settle.right.contains(&at) {
                self.outweigh(settle);
            }
        }
    }
}
