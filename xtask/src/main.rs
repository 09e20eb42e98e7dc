//! The checks of this repository as one command: `cargo xtask layers`, `cargo xtask tidy`, `cargo xtask verify`, and
//! `cargo xtask fuzz`, which goes on as long as it is told to.
//!
//! It reads the repository and starts cargo. It is no part of what Weir ships, and no crate imports it.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to its caller")]

mod fuzz;
mod layers;
mod source;
mod tidy;
mod verify;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  layers            check who imports whom against layers.toml
  tidy              check the house rules on sources (exceptions: tidy.toml)
  verify [STEP...]  run all that CI checks, or only the steps named
  fuzz TARGET|all [--seconds N]
                    feed changed seeds to a target of crates/fuzzing, by cargo-fuzz where it is installed";

#[expect(clippy::disallowed_methods, reason = "a command line of its own: here its arguments are read")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs one command; false where something is to be mended.
fn run(words: &[&str]) -> anyhow::Result<bool> {
    let root = workspace::root()?;
    match words {
        ["layers"] => Ok(report("layers", &layers::check(&root)?)),
        ["tidy"] => Ok(report("tidy", &tidy::check(&root)?)),
        ["verify", steps @ ..] => verify::run(&root, steps),
        ["fuzz", words @ ..] => fuzz::run(&root, words),
        _ => anyhow::bail!("no such command\n\n{USAGE}"),
    }
}

/// Prints what a check found, one finding a line, and tells whether it found nothing.
fn report(check: &str, findings: &[String]) -> bool {
    findings.iter().for_each(|finding| println!("{finding}"));
    match findings.len() {
        0 => println!("{check}: ok"),
        count => println!("{check}: {count} to mend"),
    }
    findings.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_commands_are_refused_with_the_usage() {
        let refused: [&[&str]; 3] = [&[], &["lint"], &["tidy", "now"]];
        for words in refused {
            let error = run(words).expect_err("refused").to_string();
            assert!(error.contains("usage: cargo xtask"), "{error}");
        }
    }
}
