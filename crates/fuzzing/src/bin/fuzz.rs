//! Runs one target on a stable compiler: changed seeds on all cores for a time, or the files that are named.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to its caller")]

use std::{
    fs, io,
    num::NonZeroUsize,
    process::{ExitCode, exit},
    thread,
    time::Duration,
};

use weir_fuzzing::{
    TARGETS, Target,
    corpus::{self, keep, seeds},
    driver::{self, Options, Report, What},
    find,
};

const USAGE: &str = "\
usage: fuzz TARGET [--seconds N] [--seed N] [--threads N]
       fuzz TARGET FILE...     give the target these files, one after the other
       fuzz --list             print the targets";

/// How long it runs where nothing is said.
const SECONDS: u64 = 60;

#[expect(clippy::disallowed_methods, reason = "a command line of its own: here its arguments are read")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--list"] => {
            TARGETS.iter().for_each(|target| println!("{}", target.name));
            ExitCode::SUCCESS
        }
        [name, rest @ ..] => match find(name) {
            Some(target) => begin(target, rest),
            None => refuse(&format!("no such target: {name}")),
        },
        [] => refuse("no target"),
    }
}

fn begin(target: &Target, words: &[&str]) -> ExitCode {
    let done = if words.first().is_some_and(|word| !word.starts_with("--")) {
        replay(target, words)
    } else {
        match options(words) {
            Ok(options) => fuzz(target, options),
            Err(what) => return refuse(&what),
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

fn refuse(what: &str) -> ExitCode {
    eprintln!("error: {what}\n\n{USAGE}");
    ExitCode::from(2)
}

/// Reads the flags, each with a whole number behind it.
fn options(words: &[&str]) -> Result<Options, String> {
    let all = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut options = Options { time: Duration::from_secs(SECONDS), seed: 1, threads: all };
    for pair in words.chunks(2) {
        let [flag, value] = pair else { return Err(format!("{} needs a number", pair[0])) };
        let number: u64 = value.parse().map_err(|_| format!("{flag} needs a whole number, not {value}"))?;
        match *flag {
            "--seconds" => options.time = Duration::from_secs(number),
            "--seed" => options.seed = number,
            "--threads" => {
                let threads = usize::try_from(number).ok().and_then(NonZeroUsize::new);
                options.threads = threads.ok_or_else(|| format!("{flag} must not be {value}"))?;
            }
            _ => return Err(format!("no such flag: {flag}")),
        }
    }
    Ok(options)
}

/// Gives files to a target; a panic ends it with the name of the file as the last line.
fn replay(target: &Target, files: &[&str]) -> io::Result<ExitCode> {
    for file in files {
        println!("{file}");
        (target.run)(&fs::read(file)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn fuzz(target: &Target, options: Options) -> io::Result<ExitCode> {
    let seeds = seeds(target)?;
    println!(
        "{}: {} seeds, {} threads, {} s, sequence {}",
        target.name,
        seeds.len(),
        options.threads,
        options.time.as_secs(),
        options.seed,
    );
    let report = driver::run(target, &seeds, options, slow);
    tell(target, &report)?;
    Ok(if report.finding.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn slow(target: &Target, report: &Report) -> ! {
    if let Err(error) = tell(target, report) {
        eprintln!("error: {error}");
    }
    exit(1)
}

fn tell(target: &Target, report: &Report) -> io::Result<()> {
    let Report { executions, took, finding } = report;
    let (name, seconds, per_second) = (target.name, took.as_secs_f64(), report.per_second());
    println!("{name}: {executions} executions in {seconds:.1} s, {per_second} a second");
    let Some(finding) = finding else {
        println!("{name}: no finding");
        return Ok(());
    };
    let file = keep(&corpus::folder().join("artifacts").join(name), &finding.data)?;
    let what = match finding.what {
        What::Panic => "breaks a promise",
        What::Slow => "takes too long",
    };
    println!("{name}: FINDING: an input of {} bytes {what}: {}", finding.data.len(), file.display());
    println!("again: cargo run -p weir-fuzzing --bin fuzz -- {name} {}", file.display());
    Ok(())
}
