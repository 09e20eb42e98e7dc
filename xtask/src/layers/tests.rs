//! The layer check refuses what it must, and the tables of the repository agree.

use super::*;

const RULES: &str = r#"
[imports]
door = ["flow", "words"]
flow = ["words"]
kit = ["words"]
words = []

[dev-only]
kit = ["flow"]

[owners]
engine = ["flow"]
secret = []
wit-parser = ["flow"]

[free-of]
words = ["runtime"]
"#;

fn rules() -> Rules {
    Rules::parse(RULES).expect("good")
}

fn package(name: &str, dependencies: &[(&str, Kind)]) -> Package {
    let dependencies = dependencies.iter().map(|(name, kind)| Dependency { name: (*name).into(), kind: *kind });
    Package { name: name.into(), dependencies: dependencies.collect() }
}

/// The four crates of the rules, one of them with an import more.
fn with(importer: &str, name: &str, kind: Kind) -> Vec<Package> {
    ["door", "flow", "kit", "words"]
        .map(|each| match each == importer {
            true => package(each, &[(name, kind)]),
            false => package(each, &[]),
        })
        .into()
}

#[test]
fn imports_that_are_listed_pass() {
    let check = |importer: &str, name: &str, kind: Kind| {
        assert_eq!(rules().violations(&with(importer, name, kind)), Vec::<String>::new());
    };
    check("door", "flow", Kind::Normal);
    check("flow", "words", Kind::Build);
    check("flow", "engine", Kind::Normal);
    check("flow", "kit", Kind::Dev);
    check("door", "runtime", Kind::Normal);
    // Tests may use any engine and any runtime.
    check("words", "runtime", Kind::Dev);
    check("door", "engine", Kind::Dev);
    check("words", "flow", Kind::Dev);
}

#[test]
fn imports_that_are_not_listed_are_refused_with_crate_import_and_rule() {
    let check = |importer: &str, name: &str, kind: Kind, rule: &str| {
        let found = rules().violations(&with(importer, name, kind));
        let [sentence] = found.as_slice() else { panic!("{importer} to {name}: {found:?}") };
        assert!(sentence.starts_with(&format!("{importer}: must not import {name} ([{rule}]")), "{sentence}");
    };
    check("words", "flow", Kind::Normal, "imports");
    check("flow", "door", Kind::Build, "imports");
    check("door", "engine", Kind::Normal, "owners");
    check("flow", "secret", Kind::Normal, "owners");
    check("words", "runtime", Kind::Normal, "free-of");
    check("words", "runtime", Kind::Build, "free-of");
    check("flow", "kit", Kind::Normal, "dev-only");
    check("flow", "kit", Kind::Build, "dev-only");
    check("door", "kit", Kind::Dev, "dev-only");
}

#[test]
fn crates_and_table_must_be_the_same_set() {
    let mut packages = with("door", "flow", Kind::Normal);
    packages.push(package("new", &[]));
    packages.retain(|each| each.name != "kit");
    let found = rules().violations(&packages);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("new: has no line"), "{found:?}");
    assert!(found[1].starts_with("kit: is in [imports]"), "{found:?}");
}

#[test]
fn broken_tables_are_refused() {
    let check = |text: &str, part: &str| {
        let error = format!("{:#}", Rules::parse(text).expect_err(part));
        assert!(error.contains(part), "{error}");
    };
    check("", "no section [imports]");
    check(&format!("{RULES}\n[more]"), "unknown section: more");
    check(&RULES.replace("words = []", "words = 1"), "words is no list");
    check(&RULES.replace("words = []", "words = [1]"), "no name");
    check(&RULES.replace("words = []", "words = [\"kit\", \"kit\"]"), "twice: kit");
    check(&RULES.replace("secret = []", "secret = [\"nobody\"]"), "no line in [imports]: nobody");
    check("not toml", "TOML parse error");
}

#[test]
fn a_difference_to_the_file_of_cargo_deny_is_refused() {
    let deny = r#"
        [bans]
        deny = [
            { crate = "words", wrappers = ["door", "flow", "kit"] },
            { crate = "flow", wrappers = ["door"] },
            { crate = "kit", wrappers = ["kit"] },
            { crate = "engine", wrappers = ["flow", "engine-tools"] },
            { crate = "secret", wrappers = ["secret-tools"] },
        ]
    "#;
    let differences = |text: &str| rules().differences(&parse_wrappers(text).expect("good"));
    assert_eq!(differences(deny), Vec::<String>::new());

    let check = |from: &str, to: &str, part: &str| {
        let found = differences(&deny.replace(from, to));
        assert!(found.len() == 1 && found[0].contains(part), "{found:?}");
    };
    check(r#"["door", "flow", "kit"]"#, r#"["door", "kit"]"#, "words: deny-layers.toml lets in door, kit");
    check(r#"crate = "flow", wrappers = ["door"]"#, r#"crate = "flow", wrappers = []"#, "flow: ");
    check(r#"["kit"]"#, r#"["door"]"#, "kit: ");
    check(r#"["flow", "engine-tools"]"#, r#"["door", "engine-tools"]"#, "engine: ");
    let kit = r#"{ crate = "kit","#;
    let more = |entry: &str| format!("{entry}, {kit}");
    let motor = more(r#"{ crate = "motor", wrappers = [] }"#);
    check(kit, &motor, "motor: is in deny-layers.toml but not in [owners]");
    let secret = r#"{ crate = "secret", wrappers = ["secret-tools"] },"#;
    check(secret, "", "secret: is in [owners] of layers.toml but not in deny-layers.toml");
    let free = more(r#"{ crate = "wit-parser", wrappers = ["flow"] }"#);
    check(kit, &free, "wit-parser: is in deny-layers.toml and yet free");
}

#[test]
fn the_file_of_cargo_deny_must_have_its_form() {
    for text in ["", "[bans]", "[bans]\ndeny = [{ crate = \"a\" }]", "[bans]\ndeny = [\"a\"]"] {
        assert!(parse_wrappers(text).is_err(), "{text}");
    }
}

#[test]
fn the_tables_of_the_repository_agree() {
    let root = workspace::root().expect("a root");
    assert_eq!(check(&root).expect("readable"), Vec::<String>::new());
}
