//! All that CI checks, step by step: the same commands for people and machines.
//!
//! It goes on after a failed step, so that one run shows everything, and fails at the end.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{layers, report, tidy, workspace};

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    /// What the step needs is not installed.
    Skipped,
}

impl From<bool> for Outcome {
    fn from(passed: bool) -> Self {
        if passed { Self::Passed } else { Self::Failed }
    }
}

/// One thing to check.
struct Step {
    name: &'static str,
    run: fn(&Path) -> anyhow::Result<Outcome>,
}

/// The steps, the quick ones first.
static STEPS: [Step; 8] = [
    Step { name: "fmt", run: check_format },
    Step { name: "layers", run: check_layers },
    Step { name: "tidy", run: check_tidy },
    Step { name: "clippy", run: check_lints },
    Step { name: "rustdoc", run: check_docs },
    Step { name: "interop", run: install_others },
    Step { name: "test", run: run_tests },
    Step { name: "deny", run: check_graph },
];

/// Runs all steps, or those named; false where one failed.
pub(crate) fn run(root: &Path, names: &[&str]) -> anyhow::Result<bool> {
    let steps = chosen(names)?;
    let mut lines = Vec::with_capacity(steps.len());
    let mut passed = true;
    for step in steps {
        println!("\n== {}", step.name);
        let start = Instant::now();
        let outcome = (step.run)(root).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            Outcome::Failed
        });
        passed &= outcome != Outcome::Failed;
        lines.push(summary(step.name, outcome, start.elapsed()));
    }
    println!("\n{}", lines.join("\n"));
    Ok(passed)
}

fn chosen(names: &[&str]) -> anyhow::Result<Vec<&'static Step>> {
    if names.is_empty() {
        return Ok(STEPS.iter().collect());
    }
    let known = || STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(", ");
    let find = |name: &str| STEPS.iter().find(|step| step.name == name);
    names.iter().map(|name| find(name).with_context(|| format!("no such step, one of {}: {name}", known()))).collect()
}

fn summary(name: &str, outcome: Outcome, took: Duration) -> String {
    let word = match outcome {
        Outcome::Passed => "ok",
        Outcome::Failed => "FAILED",
        Outcome::Skipped => "skipped",
    };
    format!("{name:<8} {word:<8} {:>7.1} s", took.as_secs_f64())
}

fn check_format(root: &Path) -> anyhow::Result<Outcome> {
    cargo(root, &["fmt", "--all", "--check"], &[])
}

fn check_layers(root: &Path) -> anyhow::Result<Outcome> {
    Ok(report("layers", &layers::check(root)?).into())
}

fn check_tidy(root: &Path) -> anyhow::Result<Outcome> {
    Ok(report("tidy", &tidy::check(root)?).into())
}

fn check_lints(root: &Path) -> anyhow::Result<Outcome> {
    cargo(root, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[])
}

fn check_docs(root: &Path) -> anyhow::Result<Outcome> {
    cargo(root, &["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])
}

/// Installs the SDKs that the tests of `interop.rs` run against Weir. Where that cannot be, those tests skip.
fn install_others(root: &Path) -> anyhow::Result<Outcome> {
    println!("$ scripts/interop-setup.sh");
    let status = Command::new("bash").arg("scripts/interop-setup.sh").current_dir(root).status();
    if status.is_ok_and(|status| status.success()) {
        return Ok(Outcome::Passed);
    }
    println!("skipped: the SDKs of others cannot be installed, for which Python, Node and their registries are needed");
    Ok(Outcome::Skipped)
}

fn run_tests(root: &Path) -> anyhow::Result<Outcome> {
    cargo(root, &["test", "--workspace"], &[])
}

/// Runs cargo-deny where it is installed. Advisories are left out: their database is fetched from the network.
fn check_graph(root: &Path) -> anyhow::Result<Outcome> {
    let version = Command::new(workspace::cargo())
        .args(["deny", "--version"])
        .current_dir(root)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cargo could not be started")?;
    if !version.success() {
        println!("cargo-deny is not installed: `.ci/run` installs it");
        return Ok(Outcome::Skipped);
    }
    let graph =
        ["deny", "--locked", "--config", "deny.toml", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    let graph = cargo(root, &graph, &[])?;
    let layers = ["deny", "--locked", "--config", "deny-layers.toml", "check", "-A", "unused-wrapper", "bans"];
    let layers = cargo(root, &layers, &[])?;
    Ok((graph == Outcome::Passed && layers == Outcome::Passed).into())
}

fn cargo(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Outcome> {
    println!("$ cargo {}", arguments.join(" "));
    let status = Command::new(workspace::cargo())
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root)
        .status()
        .context("cargo could not be started")?;
    Ok(status.success().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_chosen_by_name_and_unknown_ones_refused() {
        let names = |words: &[&str]| chosen(words).expect("known").iter().map(|step| step.name).collect::<Vec<_>>();
        assert_eq!(names(&[]).len(), STEPS.len());
        assert_eq!(names(&["tidy", "fmt"]), ["tidy", "fmt"]);
        let refused = chosen(&["fmt", "lint"]).err().expect("refused").to_string();
        assert!(refused.ends_with("rustdoc, interop, test, deny: lint"), "{refused}");
    }

    #[test]
    fn a_failure_stands_out_in_the_summary() {
        assert_eq!(summary("fmt", Outcome::from(false), Duration::from_millis(1500)), "fmt      FAILED       1.5 s");
        assert_eq!(summary("tidy", Outcome::from(true), Duration::ZERO), "tidy     ok           0.0 s");
    }
}
