//! Measures delivery by the whole server as a process:
//! `cargo bench -p weir --bench delivery [-- http neighbours idle filtered keys replay burst]`.
//!
//! Server, producers and functions at URLs share the machine. These functions are in this process and do nothing: one
//! thread answers all calls, and notes when each event came to it. Producers send bytes that were made before, on one
//! other thread. Where it matters, the program says how much of a processor each of them takes. *Delivered* is the
//! moment at which a call is there as a whole; it is counted from the moment at which the producer had read the answer
//! to its event.
//!
//! What is wanted is said beside each figure, and whether its median is so. Whatever does not come to an end in bounded
//! time, or is not as it should be, ends its part with an error; the others go on, and the program ends with 1.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a measuring program: it owns its threads and stops at the first error"
)]

use std::process::ExitCode;

#[path = "delivery/api.rs"]
mod api;
#[path = "delivery/book.rs"]
mod book;
#[path = "delivery/burst.rs"]
mod burst;
#[path = "shared/figure.rs"]
mod figure;
#[path = "shared/files.rs"]
mod files;
#[path = "delivery/http_function.rs"]
mod http_function;
#[path = "delivery/idle.rs"]
mod idle;
#[path = "delivery/keys.rs"]
mod keys;
#[path = "server/load.rs"]
mod load;
#[path = "delivery/neighbours.rs"]
mod neighbours;
#[path = "shared/observe.rs"]
mod observe;
#[path = "../tests/it/process.rs"]
mod process;
#[path = "delivery/producers.rs"]
mod producers;
#[path = "delivery/replay.rs"]
mod replay;
#[path = "delivery/target.rs"]
mod target;
#[path = "shared/template.rs"]
mod template;

use figure::RUNS;
use observe::file_system;
use process::directory;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    files::raise_max();
    println!("median of {RUNS} runs (least to most); data on {}", file_system(directory().path()));
    let parts = [
        ("http", http_function::http as fn()),
        ("neighbours", neighbours::neighbours),
        ("idle", idle::idle),
        ("filtered", idle::filtered),
        ("keys", keys::keys),
        ("replay", replay::replay),
        ("burst", burst::burst),
    ];
    let mut code = ExitCode::SUCCESS;
    for (name, part) in parts {
        let is_wanted = wanted.is_empty() || wanted.iter().any(|argument| argument == name);
        // One that fails does not hide what the others come to; what was wrong stands on standard error.
        if is_wanted && std::panic::catch_unwind(part).is_err() {
            println!("{name:<11} failed");
            code = ExitCode::FAILURE;
        }
    }
    code
}
