//! The rules themselves: each reads the tree and says what is to be mended.
//!
//! They know no exceptions; those are taken off afterwards.

use super::{
    Finding, Rule,
    tree::{RustFile, Tree, is_crate_root},
};
use crate::source::{self, Token};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// First folders of absolute paths that exist on one machine only.
const MACHINE_FOLDERS: [&str; 3] = ["home", "root", "work"];

/// Applies every rule.
pub(super) fn all(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for member in tree.members() {
        found.extend(inherited_lints(tree, member));
        found.extend(test_binary(tree, member));
        found.extend(undeclared_files(tree, member));
    }
    for file in tree.rust() {
        let tokens = source::tokens(file.code);
        found.extend(forbidden_unsafe(tree, file));
        found.extend(module_docs(file));
        found.extend(file_length(file));
        found.extend(function_lengths(file, &tokens));
        found.extend(words(file, &tokens));
        found.extend(sleeps(file, &tokens));
    }
    found.extend(machine_paths(tree));
    found.sort_by(|left, right| (&left.path, left.line).cmp(&(&right.path, right.line)));
    found
}

fn inherited_lints(tree: &Tree, member: &str) -> Option<Finding> {
    let path = format!("{member}Cargo.toml");
    let manifest = tree.text(&path)?.parse::<toml::Table>();
    let message = match manifest {
        Err(error) => format!("is no TOML: {}", error.message()),
        Ok(manifest) => {
            let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace"));
            if inherits.and_then(toml::Value::as_bool) == Some(true) {
                return None;
            }
            "does not inherit the lints: write `[lints]` with `workspace = true`".to_owned()
        }
    };
    Some(Finding::new(Rule::Lints, &path, 0, message))
}

/// One program holds all integration tests of a crate: `tests/it/main.rs`.
fn test_binary(tree: &Tree, member: &str) -> Vec<Finding> {
    let folder = format!("{member}tests/");
    let inside = |file: &RustFile<'_>| file.path.strip_prefix(&folder).map(|rest| rest.starts_with("it/"));
    let mut found: Vec<_> = tree
        .rust()
        .filter(|file| inside(file) == Some(false))
        .map(|file| {
            let message = "lies outside tests/it, the one program of integration tests: move it there";
            Finding::new(Rule::Layout, file.path, 0, message)
        })
        .collect();
    let main = format!("{folder}it/main.rs");
    if tree.code(&main).is_none() && tree.rust().any(|file| inside(&file) == Some(true)) {
        found.push(Finding::new(Rule::Layout, &main, 0, "is missing: it declares the files beside it"));
    }
    found
}

/// Every file below `src` and `tests/it` is declared by its parent module, else nobody compiles it.
fn undeclared_files(tree: &Tree, member: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.rust() {
        let Some(inside) = file.path.strip_prefix(member) else { continue };
        if is_crate_root(inside) || inside == "tests/it/main.rs" {
            continue;
        }
        let Some((folder, name)) = inside.rsplit_once('/') else { continue };
        if !format!("{folder}/").starts_with("src/") && !format!("{folder}/").starts_with("tests/it/") {
            continue;
        }
        let module = name.trim_end_matches(".rs");
        if module == "mod" {
            let message = "name it after its module: foo.rs with foo/ beside it";
            found.push(Finding::new(Rule::Layout, file.path, 0, message));
            continue;
        }
        let parents = match folder {
            "src" => vec!["src/lib.rs".to_owned(), "src/main.rs".to_owned()],
            "tests/it" => vec!["tests/it/main.rs".to_owned()],
            _ if folder.starts_with("src/bin/") => vec![format!("{folder}.rs"), format!("{folder}/main.rs")],
            _ => vec![format!("{folder}.rs")],
        };
        let declares = |parent: &String| {
            let code = tree.code(&format!("{member}{parent}"));
            code.is_some_and(|code| source::declares_module(&source::tokens(code), module))
        };
        if !parents.iter().any(declares) {
            let message = format!("is compiled by nobody: declare `mod {module};` in {}", parents.join(" or "));
            found.push(Finding::new(Rule::Layout, file.path, 0, message));
        }
    }
    found
}

fn forbidden_unsafe(tree: &Tree, file: RustFile<'_>) -> Option<Finding> {
    let member = tree.members().find(|member| file.path.starts_with(*member))?;
    let root = is_crate_root(&file.path[member.len()..]);
    let dense: String = file.code.split_whitespace().collect();
    (root && !dense.contains("#![forbid(unsafe_code)]"))
        .then(|| Finding::new(Rule::Unsafe, file.path, 0, "does not say `#![forbid(unsafe_code)]`"))
}

fn module_docs(file: RustFile<'_>) -> Option<Finding> {
    let first = file.text.lines().find(|line| !line.trim().is_empty());
    (!first.is_some_and(|line| line.starts_with("//!"))).then(|| {
        let message = "begin with `//!`: what the module is for and what it is not";
        Finding::new(Rule::ModuleDocs, file.path, 1, message)
    })
}

fn file_length(file: RustFile<'_>) -> Option<Finding> {
    let lines = file.text.lines().count();
    (lines > FILE_LINES_MAX && !file.is_test()).then(|| {
        let message = format!("is longer than {FILE_LINES_MAX} lines, divide it: {lines}");
        Finding::new(Rule::FileLength, file.path, 0, message)
    })
}

fn function_lengths(file: RustFile<'_>, tokens: &[Token<'_>]) -> Vec<Finding> {
    let long = source::functions(tokens).into_iter().filter(|each| each.length > FUNCTION_LINES_MAX);
    long.map(|each| {
        let message = format!("fn {} is longer than {FUNCTION_LINES_MAX} lines, divide it: {}", each.name, each.length);
        let finding = Finding::new(Rule::FunctionLength, file.path, each.line, message);
        Finding { function: Some(each.name), ..finding }
    })
    .collect()
}

fn words(file: RustFile<'_>, tokens: &[Token<'_>]) -> Vec<Finding> {
    let message = |at: usize| match tokens[at].text {
        "todo" | "unimplemented" if source::begins(&tokens[at + 1..], &["!"]) => Some("write what is missing"),
        "dbg" if source::begins(&tokens[at + 1..], &["!"]) => Some("remove the print"),
        "ignore" if at >= 2 && source::begins(&tokens[at - 2..], &["#", "["]) => {
            Some("a test runs or it does not exist: where it lacks something it says that it skipped")
        }
        "should_panic" => Some("compare the error: a panic passes for the wrong reason"),
        _ => None,
    };
    let found = (0..tokens.len()).filter_map(|at| Some((tokens[at].line, message(at)?)));
    found.map(|(line, message)| Finding::new(Rule::Words, file.path, line, message)).collect()
}

fn sleeps(file: RustFile<'_>, tokens: &[Token<'_>]) -> Vec<Finding> {
    let test_lines = source::test_lines(tokens);
    let in_test = |line: &usize| file.is_test() || test_lines.iter().any(|lines| lines.contains(line));
    let sleeps = |at: &usize| {
        let token = tokens[*at];
        matches!(token.text, "sleep" | "sleep_until")
            && source::begins(&tokens[at + 1..], &["("])
            && in_test(&token.line)
    };
    let message = "a test waits for a state with a bound, not for time to pass";
    let found = (0..tokens.len()).filter(sleeps);
    found.map(|at| Finding::new(Rule::SleepInTest, file.path, tokens[at].line, message)).collect()
}

fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.texts() {
        for (index, line) in text.lines().enumerate().filter(|(_, line)| names_machine_folder(line)) {
            let message =
                format!("names a folder of one machine: {}", line.trim().chars().take(80).collect::<String>());
            found.push(Finding::new(Rule::MachinePath, path, index + 1, message));
        }
    }
    found
}

/// Tells whether an absolute path begins in the line with one of the folders above.
fn names_machine_folder(line: &str) -> bool {
    line.match_indices('/').any(|(at, _)| {
        let begins = line[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || "\"'`(<[{=:,".contains(c));
        let rest = &line[at + 1..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && !"_-.".contains(c)).unwrap_or(rest.len());
        begins && MACHINE_FOLDERS.contains(&&rest[..end])
    })
}
