//! Measures what hostile clients do to honest ones:
//! `cargo bench -p weir --bench hostile [-- idle slow bodies flood malformed unread]`.
//!
//! Honest clients send structured events over 32 connections, each event when the one before it was acknowledged: alone,
//! and while an attack runs beside them, in turns. Each attack has a server of its own. Both sides and the attackers share
//! the machine. Honest clients run on one thread and attackers on another, and the program says how much of a processor
//! each of them takes: what the attackers take is missing to the server, whatever it does.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a measuring program: it owns its threads and stops at the first error"
)]

#[path = "hostile/bodies.rs"]
mod bodies;
#[path = "hostile/field.rs"]
mod field;
#[path = "shared/figure.rs"]
mod figure;
#[path = "shared/files.rs"]
mod files;
#[path = "hostile/honest.rs"]
mod honest;
#[path = "hostile/idle.rs"]
mod idle;
#[path = "hostile/malformed.rs"]
mod malformed;
#[path = "shared/observe.rs"]
mod observe;
#[path = "../tests/it/process.rs"]
mod process;
#[path = "hostile/slow.rs"]
mod slow;
#[path = "shared/template.rs"]
mod template;
#[path = "hostile/trial.rs"]
mod trial;
#[path = "hostile/unread.rs"]
mod unread;

use figure::RUNS;
use observe::file_system;
use process::directory;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let files_max = files::raise_max();
    let attacks = [
        idle::attack(files_max),
        slow::attack(),
        bodies::attack(),
        bodies::flood(),
        malformed::attack(),
        unread::attack(),
    ];
    println!("median of {RUNS} rounds (least to most); data on {}", file_system(directory().path()));
    for attack in attacks {
        if wanted.is_empty() || wanted.iter().any(|name| name == attack.name) {
            trial::run(&attack);
        }
    }
}
