//! Runs the targets of `crates/fuzzing`: by libFuzzer where cargo-fuzz and a nightly compiler are there, which sees what
//! code an input reaches, and else by the loop of the crate itself.
//!
//! Which targets there are is told by the folders of their seeds.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use crate::workspace;

/// How long a target runs where nothing is said.
const SECONDS: u64 = 60;

/// Runs one target, or `all` of them one after the other; false where something was found.
pub(crate) fn run(root: &Path, words: &[&str]) -> anyhow::Result<bool> {
    let (name, seconds) = match words {
        [name] => (*name, SECONDS),
        [name, "--seconds", seconds] => {
            (*name, seconds.parse().with_context(|| format!("--seconds needs a whole number, not {seconds}"))?)
        }
        _ => bail!("name a target, or all of them by `all`, and the time by `--seconds N`"),
    };
    let known = targets(root)?;
    let chosen = match name {
        "all" => known,
        _ if known.iter().any(|each| each == name) => vec![name.to_owned()],
        _ => bail!("no such target, one of all, {}: {name}", known.join(", ")),
    };
    let by_libfuzzer = has_cargo_fuzz();
    println!(
        "{}",
        match by_libfuzzer {
            true => "by libFuzzer: cargo-fuzz and a nightly compiler are installed",
            false => "by the loop of crates/fuzzing: cargo-fuzz or a nightly compiler is not installed",
        }
    );
    let mut kept = true;
    for target in &chosen {
        println!("\n== {target}, {seconds} s");
        kept &= if by_libfuzzer { libfuzzer(root, target, seconds)? } else { own_loop(root, target, seconds)? };
    }
    Ok(kept)
}

fn targets(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join("fuzz/corpus");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<Result<_, _>>().context("cannot list the targets")?;
    names.sort_unstable();
    Ok(names)
}

/// Asks through rustup, which alone finds the compiler: the cargo that started this program is of the pinned one.
fn has_cargo_fuzz() -> bool {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn libfuzzer(root: &Path, target: &str, seconds: u64) -> anyhow::Result<bool> {
    // Inputs that reach new code are kept apart from the seeds, which are chosen by hand.
    let reached = root.join("target/fuzz-corpus").join(target);
    fs::create_dir_all(&reached).with_context(|| format!("cannot make {}", reached.display()))?;
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "fuzz", "run", target]);
    command.arg(&reached).arg(root.join("fuzz/corpus").join(target));
    command.args(["--", &format!("-max_total_time={seconds}"), "-timeout=10"]);
    succeeds(command, root)
}

fn own_loop(root: &Path, target: &str, seconds: u64) -> anyhow::Result<bool> {
    let mut command = Command::new(workspace::cargo());
    command.args(["run", "--quiet", "--profile", "fuzz", "--package", "weir-fuzzing", "--bin", "fuzz", "--", target]);
    command.args(["--seconds", &seconds.to_string()]);
    succeeds(command, root)
}

fn succeeds(mut command: Command, root: &Path) -> anyhow::Result<bool> {
    let status = command.current_dir(root).status().context("the target could not be started")?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_target_is_refused_with_those_that_are() {
        let root = workspace::root().expect("the repository");
        let refused = |words: &[&str]| run(&root, words).expect_err("refused").to_string();
        let told = refused(&["unknown"]);
        assert!(told.starts_with("no such target, one of all, batch, binary") && told.ends_with(": unknown"), "{told}");
        assert_eq!(refused(&["batch", "--seconds", "x"]), "--seconds needs a whole number, not x");
        let incomplete: [&[&str]; 3] = [&[], &["batch", "60"], &["batch", "--seconds"]];
        for words in incomplete {
            assert!(refused(words).starts_with("name a target"));
        }
    }
}
