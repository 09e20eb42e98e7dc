//! Programs of others against the binary: the official SDKs of CloudEvents for Python and JavaScript, and the Node client of
//! the Event Gateway. The scripts are in `tests/interop`; what they need is installed by `scripts/interop-setup.sh`, and
//! what is not there is skipped.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::process::{Server, directory, free_port};

/// Where the packages are: in the build folder, or where this variable says. Not `WEIR_…`: those are settings.
const FOLDER: &str = "INTEROP_DIR";

fn packages() -> PathBuf {
    std::env::var_os(FOLDER).map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("../interop"), PathBuf::from)
}

/// Returns a command that runs a script; nothing, and a line that says so, where the SDK is not there.
fn python(script: &str) -> Option<Command> {
    let program = packages().join("venv/bin/python3");
    let probe = || Command::new(&program);
    prepared(script, probe, &["-c", "import cloudevents.core.bindings.http"])
}

/// As [`python`], with a package of Node.
fn node(script: &str, package: &str) -> Option<Command> {
    let probe = || {
        let mut command = Command::new("node");
        command.env("NODE_PATH", packages().join("node_modules"));
        command
    };
    prepared(script, probe, &["-e", &format!("require('{package}')")])
}

fn prepared(script: &str, interpreter: impl Fn() -> Command, probe: &[&str]) -> Option<Command> {
    let mut tried = interpreter();
    tried.args(probe).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if !tried.status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: {script} needs what scripts/interop-setup.sh installs");
        return None;
    }
    let mut command = interpreter();
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script));
    Some(command)
}

/// Runs a script to its end, which it bounds itself.
fn run(mut command: Command, server: &Server) {
    command.env("WEIR_EVENTS", server.events.to_string()).env("WEIR_CONFIG", server.config.to_string());
    let output = command.stdin(Stdio::null()).output().expect("the script starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}{err}", output.status);
    eprint!("{out}");
}

#[test]
fn the_python_sdk_is_understood_and_understands() {
    let Some(script) = python("python_sdk.py") else { return };
    let data = directory();
    run(script, &Server::start(data.path()));
}

#[test]
fn the_javascript_sdk_is_understood_and_understands() {
    let Some(script) = node("javascript_sdk.js", "cloudevents") else { return };
    let data = directory();
    run(script, &Server::start(data.path()));
}

#[test]
fn the_node_client_of_the_event_gateway_runs_unchanged() {
    for (compatibility, form) in [("none", "1.0"), ("event-gateway", "0.1")] {
        let Some(mut script) = node("event_gateway_sdk.js", "@serverless/event-gateway-sdk") else { return };
        let place = directory();
        let (events, config) = (free_port(), free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.arg("--dev").arg(format!("--embed-data-dir={}", place.path().join("data").display()));
        command.args([format!("--config-port={config}"), format!("--events-port={events}")]);
        command.env("WEIR_COMPATIBILITY__PROFILE", compatibility).current_dir(place.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Server::spawn(command, events, config).ready();
        script.env("WEIR_FORM", form);
        run(script, &server);
        assert_eq!(server.terminate(), Some(0), "{compatibility}");
    }
}
