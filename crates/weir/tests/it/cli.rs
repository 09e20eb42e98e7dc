//! The command line as people and programs meet it: help, results, errors and exit codes, without a server.

use std::{
    fs,
    net::TcpListener,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::process::Server;

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program, with these variables and no others.
pub(crate) fn weir(args: &[&str], variables: &[(&str, &str)]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(args)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("bound"))
}

#[test]
fn a_server_says_that_it_may_open_too_few_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let limited = "ulimit -n 64; exec \"$0\" serve --data-dir \"$1\" --events-port 0 --config-port 0";
    let output = Command::new("sh")
        .args(["-c", limited, env!("CARGO_BIN_EXE_weir")])
        .arg(directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("the shell runs");
    let err = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(5), "{err}");
    assert!(err.contains("the hard limit of open files is 64, and a server needs 128 at least: raise it"), "{err}");
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let check = |args: &[&str], lines: &[&str]| {
        let ended = weir(args, &[]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{args:?}");
        for line in lines {
            assert!(ended.out.contains(line), "{args:?} lacks {line:?}:\n{}", ended.out);
        }
        assert!(ended.out.contains("Example"), "{args:?} has no example:\n{}", ended.out);
    };
    let commands =
        ["  dev ", "  serve ", "  emit ", "  tail ", "  token ", "  log ", "  config ", "--json", "--color <WHEN>"];
    check(&["--help"], &commands);
    check(&["--help"], &["  apply ", "  get ", "  delete ", "  completions ", "  man ", "  replay ", "  status "]);
    let of_replay = ["<SUBSCRIPTION|FUNCTION>", "--from <PLACE>", "--with-effects", "--dry-run", "--cancel <ID>"];
    check(&["replay", "--help"], &of_replay);
    check(&["status", "--help"], &["[SUBSCRIPTION|FUNCTION]", "--space <SPACE>", "--config-url <URL>"]);
    check(
        &["apply", "--help"],
        &["[FILE|DIR]", "--dry-run", "--prune", "--config-url <URL>", "http://127.0.0.1:4001]", "--token-file <FILE>"],
    );
    check(&["get", "--help"], &["<KIND> [NAME]", "--metadata <KEY=VALUE>", "--token-file <FILE>", "subscriptions"]);
    check(&["delete", "--help"], &["<KIND> <NAME>...", "--space <SPACE>", "--token-file <FILE>"]);
    check(&["completions", "--help"], &["<SHELL>", "bash", "zsh", "fish", "powershell", "elvish"]);
    check(&["man", "--help"], &["--dir <DIR>"]);
    check(&["dev", "--help"], &["Usage: weir dev [OPTIONS] [DIR]", "--events-port <PORT>", "--config-port <PORT>"]);
    check(&["init", "--help"], &["Usage: weir init [OPTIONS] [DIR]"]);
    check(
        &["serve", "--help"],
        &["--data-dir <DIR>", "--config <FILE>", "--durability <synced|os>", "--log-level <LEVEL>", "--insecure"],
    );
    check(&["emit", "--help"], &["--type <TYPE>", "--ext <NAME=VALUE>", "http://127.0.0.1:4000]", "--in-flight <N>"]);
    check(&["tail", "--help"], &["-f, --follow", "--since <TIME>", "http://127.0.0.1:4001]"]);
    check(&["--help"], &["  explain "]);
    check(
        &["explain", "--help"],
        &["<EVENT>", "--subscription <ID|FUNCTION>", "--source <URI>", "--token-file <FILE>"],
    );
    check(&["token", "create", "--help"], &["--scope <SCOPE>", "--days <N>", "--token-file <FILE>"]);
    check(&["token", "list", "--help"], &["http://127.0.0.1:4001]"]);
    check(&["--help"], &["  deadletter "]);
    check(
        &["deadletter", "list", "--help"],
        &["--subscription <ID|FUNCTION>", "--state <STATE>", "--token-file <FILE>"],
    );
    check(&["deadletter", "show", "--help"], &["<POSITION>"]);
    check(&["deadletter", "diff", "--help"], &["<POSITION>"]);
    check(
        &["deadletter", "patch", "--help"],
        &["--merge <JSON|@FILE|->", "--set <PATH=VALUE>", "--event <JSON|@FILE|->"],
    );
    check(&["deadletter", "redrive", "--help"], &["[POSITION]...", "--type <TYPE>", "--all", "--to <ID>"]);
    check(&["deadletter", "discard", "--help"], &["[POSITION]...", "--key <KEY>", "--reason <TEXT>"]);
    check(&["token", "revoke", "--help"], &["<ID>"]);
    check(&["log", "verify", "--help"], &["--data-dir <DIR>"]);
    check(&["log", "inspect", "--help"], &["--position <POSITION>", "--frames"]);
    check(&["log", "repair", "--help"], &["--accept-loss"]);
    check(&["config", "show", "--help"], &["--config <FILE>"]);
    let nothing = weir(&[], &[]);
    assert!(nothing.code == Some(2) && nothing.err.contains("Usage: weir [OPTIONS] <COMMAND>"), "{nothing:?}");
    let version = weir(&["-version"], &[]);
    let expected = concat!("Event Gateway version: ", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.code, version.out.trim()), (Some(0), expected));
    let version = weir(&["--version"], &[]);
    assert_eq!((version.code, version.out.trim()), (Some(0), concat!("weir ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn errors_have_a_sentence_and_an_exit_code() {
    let check = |args: &[&str], code: i32, message: &str| {
        let ended = weir(args, &[]);
        assert_eq!(ended.code, Some(code), "{args:?}: {ended:?}");
        assert!(ended.err.contains(message), "{args:?}: {ended:?}");
        assert!(!ended.err.contains('\u{1b}'), "no colour where no terminal shows it");
    };
    let directory = tempfile::tempdir().expect("a directory");
    let empty = directory.path().to_str().expect("UTF-8");
    let away = nobody();
    check(&["tail", "--colour", "never"], 2, "unexpected argument '--colour'");
    check(&["emit", "--type", "t"], 2, "--source <URI>");
    check(&["emit"], 2, "error: there is nothing to emit: give one event with --type and --source, or files");
    let secure = away.replace("http:", "https:");
    let args = ["emit", "x.jsonl", "--url", &secure, "--ca-cert", "/nowhere/ca.pem"];
    check(&args, 3, "error: /nowhere/ca.pem cannot be read: ");
    check(&["tail", "--url", &away, "--ca-cert", "/nowhere/ca.pem"], 2, "write https:// in --url");
    check(&["tail", "--url", &secure], 5, &format!("error: no server answers at {secure}: "));
    check(&["tail", "--since", "yesterday", "--url", &away], 2, "error: a time must be written as in RFC 3339");
    check(&["emit", "--type", "t", "--source", "/s", "--data", "{", "--url", &away], 2, "error: the data is not JSON");
    check(&["emit", "--type", "t", "--source", "a b", "--url", &away], 2, "error: attribute \"source\" is not a URI");
    check(&["emit", "/nowhere/events.jsonl", "--url", &away], 3, "error: /nowhere/events.jsonl cannot be read: ");
    let missing = format!("error: no server answers at {away}: start one with `weir dev`");
    check(&["emit", "--type", "t", "--source", "/s", "--url", &away], 5, &missing);
    check(&["tail", "--follow", "--url", &away], 5, &missing);
    check(
        &["config", "show", "--config", "/nowhere/weir.toml"],
        3,
        "/nowhere/weir.toml: the settings cannot be read: ",
    );
    check(&["log", "verify", "--data-dir", empty], 3, "error: there is no log in ");
    check(&["-dev", "-plugin", "./x"], 2, "error: plugins of the Event Gateway cannot be run: leave -plugin out");
    check(&["-dev", "-events-port", "x"], 2, "--events-port: events_port must be a number from 0 to 65535");
    check(&["get", "functions", "--config-url", &away], 5, &missing);
    check(&["apply", "/nowhere/shop.json", "--config-url", &away], 3, "error: /nowhere/shop.json cannot be read: ");
    check(&["get", "fnctions", "--url", &away], 2, "[possible values: eventtypes, functions, subscriptions, cors]");
    check(&["delete", "fn"], 2, "<NAME>...");
    check(&["man", "--json"], 2, "error: --json is for commands with results");
    check(&["serve", "--json"], 2, "error: --json is for commands with results");
    check(&["dev", empty, "--json"], 2, "error: --json is for commands with results");
    check(
        &["serve", "--data-dir", empty, "--host", "0.0.0.0"],
        2,
        "set auth.mode to required, or start with --insecure",
    );
    check(&["tail", "--token-file", "/nowhere/token", "--url", &away], 3, "error: /nowhere/token cannot be read: ");
    let open = ["serve", "--data-dir", empty, "--host", "192.0.2.1", "--insecure"];
    check(&open, 2, "choose an address of this machine with --host");
    check(&["dev", empty], 3, "there is no such file: `weir init DIR` makes one");
    let manifest = directory.path().join("weir.toml");
    fs::write(manifest, "[[event]]\ntyp = \"a\"\n[[subscription]]\nevent = \"b\"\nfunction = \"c\"\n")
        .expect("written");
    check(&["init", empty], 4, "weir.toml is there already, and stays as it is: name another directory");
    check(&["dev", empty], 2, "error: the manifest has 4 mistakes\n  weir.toml:1: [[event]]: \"type\" is missing");
}

#[test]
fn settings_are_shown_with_their_origin_and_all_their_mistakes() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("server.toml");
    let file = file.to_str().expect("UTF-8");
    fs::write(file, "events_port = 5000\n[log]\nlevel = \"debug\"\n").expect("written");
    let args = ["config", "show", "--config", file, "--host", "0.0.0.0"];
    let variables = [("WEIR_DURABILITY", "os")];
    let ended = weir(&args, &variables);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let check = |key: &str, value: &str, origin: &str| {
        let line = ended.out.lines().find(|line| line.starts_with(key)).expect(key);
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), [key, value, origin]);
    };
    check("events_port", "5000", &format!("{file}:1"));
    check("log.level", "debug", &format!("{file}:3"));
    check("durability", "os", "WEIR_DURABILITY");
    check("host", "0.0.0.0", "--host");
    check("config_port", "4001", "default");
    check("functions.cache_dir", "-", "default");
    let json = weir(&[&args[..], &["--json"]].concat(), &variables);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json.out).expect("JSON");
    let host = rows.iter().find(|row| row["key"] == "host").expect("a row");
    assert_eq!(host["value"], "0.0.0.0");
    assert_eq!(host["origin"], "--host");

    fs::write(file, "event_port = 5000\n[log]\nlevel = 7\n").expect("written");
    let ended = weir(&["serve", "--config", file, "--config-port", "x"], &[("WEIR_DATADIR", "/tmp")]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let expected = format!(
        "error: the settings have 4 mistakes\n  \
         {file}:1: there is no setting event_port: did you mean \"events_port\"?\n  \
         {file}:3: log.level must be a text in quotes, but is an integer\n  \
         WEIR_DATADIR: there is no variable WEIR_DATADIR: did you mean \"WEIR_DATA_DIR\"?\n  \
         --config-port: config_port must be a number from 0 to 65535, but is \"x\"\n"
    );
    assert_eq!(ended.err, expected);
}

#[test]
fn a_relaxed_durability_is_said_whatever_the_level() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let serve = ["serve", "--data-dir", path, "--log-level", "off", "--events-port", &port];
    // Neither comes far: a port is taken, and there is no manifest.
    for (args, code) in [(&serve[..], 5), (&["dev", path][..], 3)] {
        for (durability, is_said) in [("os", true), ("synced", false)] {
            let ended = weir(args, &[("WEIR_DURABILITY", durability), ("WEIR_LOG__LEVEL", "error")]);
            assert_eq!(ended.code, Some(code), "{ended:?}");
            let said = ended.err.contains("an acknowledged event can be lost with the machine");
            assert_eq!(said, is_said, "{durability}: {ended:?}");
        }
    }
}

#[test]
fn a_port_in_use_is_a_sentence_behind_a_log_without_colours() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound");
    let port = address.port().to_string();
    let serve = ["serve", "--data-dir", path, "--log-format", "text", "--events-port", &port];
    // The warning is a line of the log.
    let variables = [("WEIR_DURABILITY", "os")];
    let ended = weir(&serve, &variables);
    assert_eq!((ended.code, ended.out.as_str()), (Some(5), ""), "{ended:?}");
    let expected = format!(
        "error: the events API cannot listen on {address}: the port is in use; stop the other program or choose a port \
         with --events-port\n"
    );
    assert!(ended.err.contains(" WARN ") && ended.err.ends_with(&expected), "{ended:?}");
    assert!(!ended.err.contains('\u{1b}'), "no colour where no terminal shows it: {ended:?}");
    let coloured = weir(&[&serve[..], &["--color", "always"]].concat(), &variables);
    let warning = coloured.err.lines().find(|line| line.contains("WARN")).expect("the line of the log");
    assert!(warning.contains('\u{1b}'), "{warning:?}");
}

#[test]
fn a_directory_in_use_is_told_with_its_process() {
    let data = tempfile::tempdir().expect("a directory");
    let path = data.path().to_str().expect("UTF-8");
    let server = Server::start(data.path());
    let told = format!("process {} uses it: stop that process, or use another data directory\n", server.pid());
    for args in [
        &["log", "verify", "--data-dir", path][..],
        &["log", "repair", "--data-dir", path][..],
        &["serve", "--data-dir", path, "--events-port", "0", "--config-port", "0"][..],
    ] {
        let ended = weir(args, &[]);
        assert_eq!(ended.code, Some(5), "{args:?}: {ended:?}");
        assert!(ended.err.ends_with(&told), "{args:?}: {ended:?}");
    }
    let looked = weir(&["log", "inspect", "--data-dir", path], &[]);
    assert_eq!(looked.code, Some(0), "whoever only looks needs no lock: {looked:?}");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn damage_is_in_the_exit_code_even_where_nobody_reads_on() {
    let data = tempfile::tempdir().expect("a directory");
    let server = Server::start(data.path());
    for name in ["one", "two", "three"] {
        server.configure("eventtypes", &json!({ "name": name }));
    }
    assert_eq!(server.terminate(), Some(0));
    let verify = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(["log", "verify", "--data-dir"]).arg(data.path()).stdout(writer).stderr(Stdio::null());
        command.status().expect("verify runs").code()
    };
    assert_eq!(verify(), Some(0));
    let segment = data.path().join("log/00000000000000000001.seg");
    let mut bytes = fs::read(&segment).expect("readable");
    // In the first frame, behind the header of the segment.
    bytes[200] ^= 1;
    fs::write(&segment, bytes).expect("written");
    assert_eq!(verify(), Some(1));
}
