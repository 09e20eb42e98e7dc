//! The house rules that no other tool checks, with a list of reasoned exceptions in `tidy.toml`.
//!
//! What is wrong in a file is found in `rules`; this module joins the rules, the files and the exceptions. It checks
//! neither format nor bugs: those are rustfmt's and clippy's part.

mod exceptions;
mod rules;
mod tree;

use std::{fmt, path::Path};

use anyhow::Context;

use self::{exceptions::Exceptions, tree::Tree};
use crate::workspace;

#[cfg(test)]
mod tests;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Every crate inherits the lints of the workspace.
    Lints,
    /// Every crate root forbids unsafe code.
    Unsafe,
    /// Every file begins with its module's documentation.
    ModuleDocs,
    /// A file holds one idea.
    FileLength,
    /// A function fits a screen.
    FunctionLength,
    /// Left-overs and muted tests.
    Words,
    /// A test waits for a state, not for time.
    SleepInTest,
    /// Every file has its place and is compiled.
    Layout,
    /// Nothing names a folder of one machine.
    MachinePath,
}

impl Rule {
    /// The rules that know exceptions.
    const EXCUSABLE: [Self; 4] = [Self::Unsafe, Self::FileLength, Self::FunctionLength, Self::SleepInTest];

    fn name(self) -> &'static str {
        match self {
            Self::Lints => "lints",
            Self::Unsafe => "unsafe",
            Self::ModuleDocs => "module-docs",
            Self::FileLength => "file-length",
            Self::FunctionLength => "function-length",
            Self::Words => "words",
            Self::SleepInTest => "sleep-in-test",
            Self::Layout => "layout",
            Self::MachinePath => "machine-path",
        }
    }
}

/// One thing to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    rule: Rule,
    path: String,
    /// 0 where it is about the whole file.
    line: usize,
    /// The function that is too long, so that an exception can name it.
    function: Option<String>,
    message: String,
}

impl Finding {
    fn new(rule: Rule, path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { rule, path: path.to_owned(), line, function: None, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {} ({})", self.message, self.rule.name())
    }
}

/// Checks the repository; one sentence for each thing to mend.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let exceptions = Exceptions::parse(&workspace::text(root, "tidy.toml")?).context("tidy.toml")?;
    Ok(findings(&Tree::new(workspace::texts(root)?), &exceptions))
}

fn findings(tree: &Tree, exceptions: &Exceptions) -> Vec<String> {
    let found = rules::all(tree);
    let stale = exceptions.stale(&found);
    found.iter().filter(|finding| !exceptions.cover(finding)).map(Finding::to_string).chain(stale).collect()
}
