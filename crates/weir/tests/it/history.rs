//! Histories of real processes: producers, a server and two subscribers over HTTP write down what they do and see, while
//! the server is killed, stopped and frozen, a subscriber is gone and the disk is full. Then a checker goes through what
//! was written: nothing is lost, nothing is out of order, nothing comes again but what at-least-once allows, and that is
//! counted.
//!
//! `HISTORY_ROUNDS=200 cargo test --release -p weir --test it history -- --nocapture` (or `just history`) plays long ones.
//! Each run draws other troubles and prints its seed; `HISTORY_SEED=7` draws those of the seed 7 again. What clients and
//! server make of them is a matter of instants and differs. The history of a run that fails is kept as JSON lines, and
//! what the server said beside it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng, seq::SliceRandom};

use crate::process::{given, pass};

use self::{
    check::check,
    producer::Producers,
    record::Recorder,
    volume::Volume,
    world::{Trouble, World},
};

mod check;
mod producer;
mod record;
mod subscriber;
mod view;
mod volume;
mod world;

/// How many violations are shown.
const SHOWN_MAX: usize = 20;

fn rounds() -> u64 {
    given("HISTORY_ROUNDS").unwrap_or(6)
}

#[test]
fn a_history_of_processes_that_end_holds() {
    play("history", Volume::plain(), &[Trouble::Kill, Trouble::Freeze, Trouble::Kill, Trouble::Refuse, Trouble::Stop]);
}

#[test]
fn a_history_with_a_full_disk_holds() {
    // What is written while the disk fills stays there.
    let Some(volume) = Volume::small(64 + 4 * rounds()) else {
        eprintln!("SKIPPED: this program may not mount a tmpfs, so no disk can be filled");
        return;
    };
    play("history-full-disk", volume, &[Trouble::Fill, Trouble::Kill, Trouble::Fill, Trouble::Stop]);
}

/// Plays a history of these troubles, in any order, and checks it.
fn play(name: &str, volume: Volume, troubles: &[Trouble]) {
    let rounds = rounds();
    let seed = given("HISTORY_SEED").unwrap_or_else(rand::random);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{seed}.jsonl"));
    let log = path.with_extension("log");
    let run = format!("HISTORY_ROUNDS={rounds} HISTORY_SEED={seed}, history in {}", path.display());
    eprintln!("{name}: {run}");
    let recorder = Arc::new(Recorder::new(&path));
    let mut random = SmallRng::seed_from_u64(seed);
    let mut world = World::new(volume, &log, &recorder, &mut random);
    let producers = Producers::start(world.address(), &recorder, &world.is_heavy, &mut random);
    let mut ahead = Vec::new();
    for _ in 0..rounds {
        pass(Duration::from_millis(random.random_range(200..900)));
        if ahead.is_empty() {
            ahead.extend_from_slice(troubles);
            ahead.shuffle(&mut random);
        }
        world.suffer(ahead.pop().expect("there are some"), &mut random);
    }
    producers.stop();
    world.settle();
    let verdict = check(&recorder.all());
    eprint!("{name}: {verdict}");
    let shown: Vec<_> = verdict.violations.iter().take(SHOWN_MAX).map(|it| format!("\n  {it}")).collect();
    assert!(shown.is_empty(), "{run}: {} violations{}", verdict.violations.len(), shown.concat());
    for file in [path, log] {
        fs::remove_file(file).expect("removed");
    }
}
