//! The targets in every test run: on all their seeds, and on changes of those that are the same in every run.

use std::{collections::BTreeSet, fs, panic};

use weir_fuzzing::{
    TARGETS,
    corpus::{folder, seeds},
    mutate::Mutator,
};

/// Changed inputs for each target: enough to reach behind the first checks, and little time.
const INPUTS: usize = 3000;

#[test]
fn every_seed_keeps_its_promise() {
    for target in &TARGETS {
        let seeds = seeds(target).unwrap_or_else(|error| panic!("{}: {error}", target.name));
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for seed in seeds {
            let kept = panic::catch_unwind(|| (target.run)(&seed.data));
            assert!(kept.is_ok(), "fuzz/corpus/{}/{} breaks a promise, see above", target.name, seed.name);
        }
    }
}

#[test]
fn changed_seeds_keep_their_promise() {
    for target in &TARGETS {
        let seeds = seeds(target).unwrap_or_else(|error| panic!("{}: {error}", target.name));
        let mut mutator = Mutator::new(&seeds, target.dictionary, 1);
        for number in 0..INPUTS {
            let input = mutator.input();
            let kept = panic::catch_unwind(|| (target.run)(&input));
            let shown = input.escape_ascii();
            assert!(kept.is_ok(), "{}: input {number} breaks a promise, see above: {shown}", target.name);
        }
    }
}

#[test]
fn every_target_has_its_seeds_and_its_program() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let entries = |path: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(folder().join(path)).expect("readable").map(|entry| entry.expect("an entry"));
        entries.map(|entry| entry.file_name().to_string_lossy().trim_end_matches(".rs").to_owned()).collect()
    };
    assert_eq!(entries("corpus"), names);
    assert_eq!(entries("fuzz_targets"), names);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("readable");
    for name in names {
        let program = format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&program), "fuzz/Cargo.toml has no program {name}");
    }
}
