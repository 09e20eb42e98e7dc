//! What `weir dev` tells of mistakes in the files of an application.

use std::{fs, sync::mpsc::Receiver};

use crate::{
    process::{BOUND, Server},
    readme::application,
};

/// Waits for a line with this in it.
fn wait_for(lines: &Receiver<String>, part: &str) {
    while !lines.recv_timeout(BOUND).unwrap_or_else(|_| panic!("it never said {part:?}")).contains(part) {}
}

#[test]
fn mistakes_are_told_and_so_is_their_end() {
    let home = application("hello");
    let (server, lines) = Server::develop_shown(home.path());
    wait_for(&lines, "press Ctrl-C to stop");
    for (file, mistake, told) in [
        ("functions/greet.js", "export function handle( {", "function \"greet\" cannot be made ready"),
        ("weir.toml", "[[event]\n", "the application stays as it was"),
    ] {
        let file = home.path().join(file);
        let good = fs::read_to_string(&file).expect("readable");
        fs::write(&file, mistake).expect("written");
        wait_for(&lines, told);
        fs::write(&file, good).expect("written");
        wait_for(&lines, "mended: the application is what its files say");
    }
    assert_eq!(server.terminate(), Some(0));
}
