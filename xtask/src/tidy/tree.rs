//! The files of the repository, with the few questions that the rules ask about a path.

use std::collections::BTreeMap;

use crate::source;

/// All text files by their path.
pub(super) struct Tree {
    texts: BTreeMap<String, String>,
    /// Rust files with comments and literals blanked.
    codes: BTreeMap<String, String>,
}

impl Tree {
    /// Takes the files.
    pub(super) fn new(texts: BTreeMap<String, String>) -> Self {
        let rust = texts.iter().filter(|(path, _)| path.ends_with(".rs"));
        let codes = rust.map(|(path, text)| (path.clone(), source::code_only(text))).collect();
        Self { texts, codes }
    }

    /// Returns every text file.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Returns every Rust file as written and as code only.
    pub(super) fn rust(&self) -> impl Iterator<Item = RustFile<'_>> {
        self.codes.iter().map(|(path, code)| RustFile { path, text: &self.texts[path], code })
    }

    /// Returns the code of one Rust file.
    pub(super) fn code(&self, path: &str) -> Option<&str> {
        self.codes.get(path).map(String::as_str)
    }

    /// Returns the text of one file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Returns the folders of the workspace's members, each with a `/` at its end.
    pub(super) fn members(&self) -> impl Iterator<Item = &str> {
        let manifests = self.texts.keys().filter_map(|path| path.strip_suffix("Cargo.toml"));
        manifests.filter(|folder| match folder.strip_prefix("crates/") {
            Some(name) => name.matches('/').count() == 1,
            None => *folder == "xtask/",
        })
    }
}

/// One Rust file.
#[derive(Clone, Copy)]
pub(super) struct RustFile<'a> {
    /// Its path from the root.
    pub(super) path: &'a str,
    /// As written.
    pub(super) text: &'a str,
    /// With comments and literals blanked.
    pub(super) code: &'a str,
}

impl RustFile<'_> {
    /// Tells whether the whole file is for tests.
    pub(super) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

/// Tells whether a path below a crate is where a library or program begins.
pub(super) fn is_crate_root(inside: &str) -> bool {
    match inside.strip_prefix("src/") {
        Some("lib.rs" | "main.rs") => true,
        Some(path) => path.strip_prefix("bin/").is_some_and(|program| {
            let name = program.strip_suffix("/main.rs").or_else(|| program.strip_suffix(".rs"));
            name.is_some_and(|name| !name.contains('/'))
        }),
        None => false,
    }
}
