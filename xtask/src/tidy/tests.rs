//! Each rule refuses what it is for, and nothing else of a small repository in good order.

use super::*;

const MANIFEST: &str = "[package]\nname = \"weir-a\"\n[lints]\nworkspace = true\n";
const ROOT: &str = "//! The crate.\n#![forbid(unsafe_code)]\nmod part;\n#[cfg(test)]\nmod tests;\n";

/// A repository in good order, with some files added or replaced.
fn tree(files: &[(&str, &str)]) -> Tree {
    let good = [
        ("crates/a/Cargo.toml", MANIFEST),
        ("crates/a/src/lib.rs", ROOT),
        ("crates/a/src/part.rs", "//! A part.\nmod inner;\n"),
        ("crates/a/src/part/inner.rs", "//! A part of it.\n"),
        ("crates/a/src/tests.rs", "//! Tests.\n"),
        ("crates/a/src/bin/tool.rs", "//! A tool.\n#![forbid(unsafe_code)]\n"),
        ("crates/a/tests/it/main.rs", "//! Integration tests.\nmod one;\n"),
        ("crates/a/tests/it/one.rs", "//! One.\n"),
        ("crates/a/tests/fixtures/v1.txt", "data"),
        ("xtask/Cargo.toml", MANIFEST),
        ("README.md", "Data lies in `~/.weir`, see /etc and https://example.com/work/."),
    ];
    let all = good.iter().chain(files).map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    Tree::new(all.collect())
}

fn exceptions(rule: &str, path: &str, more: &str) -> Exceptions {
    let text = format!("[[exception]]\nrule = \"{rule}\"\npath = \"{path}\"\nreason = \"known\"\n{more}");
    Exceptions::parse(&text).expect("good")
}

/// Expects one finding, about this file and rule, in a repository to which the file was added.
fn check(path: &str, text: &str, rule: Rule) {
    let found = rules::all(&tree(&[(path, text)]));
    let got: Vec<_> = found.iter().map(|finding| (finding.path.as_str(), finding.rule)).collect();
    assert_eq!(got, [(path, rule)], "{text}");
}

/// Expects nothing to mend in a repository to which the file was added.
fn accept(path: &str, text: &str) {
    let found = findings(&tree(&[(path, text)]), &Exceptions::default());
    assert_eq!(found, Vec::<String>::new(), "{text}");
}

fn function_of(lines: usize) -> String {
    format!("//! Doc.\nfn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
}

#[test]
fn a_repository_in_good_order_passes() {
    assert_eq!(findings(&tree(&[]), &Exceptions::default()), Vec::<String>::new());
}

#[test]
fn crates_must_inherit_lints_and_forbid_unsafe() {
    check("crates/a/Cargo.toml", "[package]\nname = \"weir-a\"\n", Rule::Lints);
    check("crates/a/Cargo.toml", "[lints]\nworkspace = false\n", Rule::Lints);
    check("crates/a/Cargo.toml", "lints", Rule::Lints);
    check("crates/a/src/lib.rs", "//! Doc.\n// #![forbid(unsafe_code)]\nmod part;\nmod tests;\n", Rule::Unsafe);
    check("crates/a/src/main.rs", "//! Doc.\n#![deny(unsafe_code)]\n", Rule::Unsafe);
    check("crates/a/src/bin/other/main.rs", "//! Doc.\n", Rule::Unsafe);
    accept("crates/a/src/main.rs", "//! Doc.\n#![forbid( unsafe_code )]\n");
}

#[test]
fn modules_must_begin_with_their_documentation() {
    check("crates/a/src/tests.rs", "use super::*;\n//! Late.\n", Rule::ModuleDocs);
    check("crates/a/src/tests.rs", "/// Of the next item.\n", Rule::ModuleDocs);
    check("crates/a/src/tests.rs", "", Rule::ModuleDocs);
}

#[test]
fn long_files_and_functions_are_refused() {
    let lines = |count: usize| format!("//! Doc.\n{}", "// a\n".repeat(count - 1));
    check("crates/a/src/part/inner.rs", &lines(501), Rule::FileLength);
    accept("crates/a/src/part/inner.rs", &lines(500));
    accept("crates/a/src/tests.rs", &lines(501));
    accept("crates/a/tests/it/one.rs", &lines(501));
    check("crates/a/src/part/inner.rs", &function_of(71), Rule::FunctionLength);
    check("crates/a/tests/it/one.rs", &function_of(71), Rule::FunctionLength);
    accept("crates/a/src/part/inner.rs", &function_of(70));
}

#[test]
fn left_overs_and_muted_tests_are_refused() {
    let path = "crates/a/src/part/inner.rs";
    for word in ["todo!()", "unimplemented!()", "dbg!(1)"] {
        check(path, &format!("//! Doc.\nfn f() {{ {word}; }}\n"), Rule::Words);
    }
    check(path, "//! Doc.\n#[test]\n#[ignore]\nfn f() {}\n", Rule::Words);
    check(path, "//! Doc.\n#[test]\n#[ignore = \"slow\"]\nfn f() {}\n", Rule::Words);
    check(path, "//! Doc.\n#[test]\n#[should_panic]\nfn f() {}\n", Rule::Words);
    accept(
        path,
        "//! No todo!() here.\n// dbg!()\nconst A: &str = \"#[ignore] should_panic\";\nfn f(ignore: u8, todo: u8) {}\n",
    );
}

#[test]
fn tests_must_not_sleep() {
    let sleeping = "//! Doc.\nasync fn f() { tokio::time::sleep(LONG).await }\n";
    accept("crates/a/src/part/inner.rs", sleeping);
    check("crates/a/src/tests.rs", sleeping, Rule::SleepInTest);
    check("crates/a/tests/it/one.rs", sleeping, Rule::SleepInTest);
    let inline = "//! Doc.\nfn f() { sleep(1) }\n#[cfg(test)]\nmod tests {\n    fn g() { sleep_until(2) }\n}\n";
    let found = rules::all(&tree(&[("crates/a/src/part/inner.rs", inline)]));
    assert_eq!(found.iter().map(|finding| (finding.rule, finding.line)).collect::<Vec<_>>(), [(Rule::SleepInTest, 5)]);
}

#[test]
fn files_must_have_their_place_and_be_compiled() {
    check("crates/a/tests/other.rs", "//! Doc.\n", Rule::Layout);
    check("crates/a/tests/other/main.rs", "//! Doc.\n", Rule::Layout);
    check("crates/a/tests/it/forgotten.rs", "//! Doc.\n", Rule::Layout);
    check("crates/a/tests/it/one/forgotten.rs", "//! Doc.\n", Rule::Layout);
    check("crates/a/src/forgotten.rs", "//! Doc.\n", Rule::Layout);
    check("crates/a/src/part/forgotten.rs", "//! Doc.\n", Rule::Layout);
    check("crates/a/src/part/mod.rs", "//! Doc.\n", Rule::Layout);
    accept("crates/a/benches/speed.rs", "//! Doc.\n");
}

#[test]
fn integration_tests_need_their_program() {
    let found = rules::all(&tree(&[("xtask/tests/it/one.rs", "//! Doc.\n")]));
    let places: Vec<_> = found.iter().map(|finding| (finding.path.as_str(), finding.rule)).collect();
    assert_eq!(places, [("xtask/tests/it/main.rs", Rule::Layout), ("xtask/tests/it/one.rs", Rule::Layout)]);
}

#[test]
fn folders_of_one_machine_are_refused() {
    for folder in ["home/ann/weir", "root/.cargo", "work", "work/main"] {
        check("README.md", &format!("See `/{folder}`."), Rule::MachinePath);
        check("run.sh", &format!("DIR=/{folder}"), Rule::MachinePath);
    }
    accept("README.md", "See ./root/a, a/work/b, /workers, /working, ../work and https://root/work.");
}

#[test]
fn exceptions_excuse_what_they_name_and_nothing_else() {
    let path = "crates/a/src/part/inner.rs";
    let long = function_of(71);
    let long = tree(&[(path, &long)]);
    assert_eq!(findings(&long, &exceptions("function-length", path, "function = \"long\"")), Vec::<String>::new());

    let other = findings(&long, &exceptions("function-length", path, "function = \"other\""));
    assert_eq!(other.len(), 2, "{other:?}");
    assert!(other[0].starts_with("crates/a/src/part/inner.rs:2: fn long is longer"), "{other:?}");
    assert!(other[1].contains("no longer needed, remove it: function-length"), "{other:?}");

    let stale = findings(&tree(&[]), &exceptions("file-length", path, ""));
    assert_eq!(stale.len(), 1, "{stale:?}");
}

#[test]
fn broken_exceptions_are_refused() {
    let good = "[[exception]]\nrule = \"unsafe\"\npath = \"a\"\nreason = \"known\"\n";
    let check = |text: &str, part: &str| {
        let error = format!("{:#}", Exceptions::parse(text).expect_err(part));
        assert!(error.contains(part), "{error}");
    };
    Exceptions::parse(good).expect("good");
    check(&good.replace("reason = \"known\"\n", ""), "without `reason`: a");
    check(&good.replace("known", " "), "`reason` is no text, or empty");
    check(&good.replace("path = \"a\"\n", ""), "without `path`");
    check(&good.replace("unsafe", "layout"), "no rule that knows exceptions: layout");
    check(&format!("{good}until = \"may\"\n"), "unknown key of the exception for a: until");
    check(&format!("{good}function = \"f\"\n"), "`function` goes with the rule function-length");
    check(&good.replace("\"unsafe\"", "\"function-length\""), "`function` goes with the rule function-length");
    check("exception = 1", "no list");
    check("exceptions = []", "unknown key: exceptions");
    check("exception = [1]", "no table: 1");
}
