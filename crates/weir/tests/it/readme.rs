//! The five minutes of the README, played as they stand there: its commands on a copy of the example, and what it says
//! of their answers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::mpsc::Receiver,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::process::{Answer, BOUND, Http, Server};

/// A change of a function is in force so soon after it was written. Without optimisation, and with other tests beside
/// it, it takes what it takes.
const RELOAD_MAX: Duration = if cfg!(debug_assertions) { BOUND } else { Duration::from_secs(1) };

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Copies an example.
pub(crate) fn application(example: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    copy(&repository().join("examples").join(example), directory.path());
    directory
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("created");
    for entry in fs::read_dir(from).expect("readable") {
        let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("readable");
        // Whoever plays the example in the repository has data there.
        if name == ".weir" {
            continue;
        }
        if entry.is_dir() {
            copy(&entry, &to.join(name));
        } else {
            fs::copy(&entry, to.join(name)).expect("copied");
        }
    }
}

/// Returns the commands in the code blocks of a section, each as its words.
fn commands(document: &str, section: &str) -> Vec<Vec<String>> {
    let (_, text) = document.split_once(&format!("\n## {section}\n")).expect("the section");
    let text = text.split("\n## ").next().unwrap_or(text);
    let blocks = text.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or(rest));
    blocks.flat_map(words).collect()
}

/// Divides a block as a shell does, as far as the README needs one: words, single quotes, and lines that go on.
fn words(block: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let (mut command, mut word, mut is_quoted) = (Vec::new(), None::<String>, false);
    let mut rest = block.chars().chain(['\n']).peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            _ if is_quoted => word.get_or_insert_default().push(c),
            '\\' if rest.peek() == Some(&'\n') => {
                rest.next();
            }
            _ if c.is_whitespace() => {
                command.extend(word.take());
                if c == '\n' && !command.is_empty() {
                    commands.push(std::mem::take(&mut command));
                }
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    commands
}

/// Sends what `curl` would send.
fn curl(server: &Server, words: &[String]) -> Answer {
    let (mut url, mut headers, mut data) = ("", Vec::new(), None);
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "-i" => {}
            "-H" => headers.push(words.next().and_then(|it| it.split_once(": ")).expect("a header")),
            "-d" => data = Some(words.next().expect("data")),
            _ => url = word,
        }
    }
    let path = url.strip_prefix("http://127.0.0.1:4000").expect("the address that `dev` prints");
    let method = if data.is_some() { "POST" } else { "GET" };
    let mut http = Http::connect(server.events).expect("connected");
    http.send(method, path, &headers, data.unwrap_or_default().as_bytes()).expect("answered")
}

/// Runs the program with the words behind `--`, beside the copy of the examples.
fn weir(place: &Path, words: &[String], url: Option<String>) -> Output {
    let words = words.iter().skip_while(|word| *word != "--").skip(1);
    let url = url.map(|url| ["--url".to_owned(), url]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(words).args(url.into_iter().flatten()).current_dir(place).output().expect("weir runs")
}

/// Changes a file as `sed -i s/from/to/ file` does, and waits until the picture says that it is in force.
fn edit(place: &Path, words: &[String], lines: &Receiver<String>) -> String {
    let [_, _, script, file] = words else { panic!("another sed: {words:?}") };
    let ["s", from, to, ""] = *script.split('/').collect::<Vec<_>>() else { panic!("another script: {script}") };
    let file = place.join(file);
    let text = fs::read_to_string(&file).expect("readable");
    assert!(text.contains(from), "the README replaces {from}, which is not in {}", file.display());
    while lines.try_recv().is_ok() {}
    let written = Instant::now();
    fs::write(&file, text.replacen(from, to, 1)).expect("written");
    loop {
        let line = lines.recv_timeout(BOUND.saturating_sub(written.elapsed())).expect("the change is in force in time");
        if let Some((_, rest)) = line.split_once("in force after ") {
            let millis: u64 = rest.split(' ').next().and_then(|number| number.parse().ok()).expect("a time");
            assert!(Duration::from_millis(millis) <= RELOAD_MAX, "{line}");
            return to.trim_matches('"').to_owned();
        }
    }
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

#[test]
fn the_five_minutes_are_as_the_readme_says() {
    let readme = fs::read_to_string(repository().join("README.md")).expect("readable");
    let place = tempfile::tempdir().expect("a directory");
    let home = place.path().join("examples/hello");
    copy(&repository().join("examples/hello"), &home);
    let (server, lines) = Server::develop_shown(&home);
    let url = |address| Some(format!("http://{address}"));
    let (mut answers, mut greeting, mut shown) = (Vec::new(), String::new(), Vec::new());
    let mut rest = commands(&readme, "Five minutes").into_iter();
    let verify = loop {
        let words = rest.next().expect("the README ends with a check of the log");
        match words[0].as_str() {
            "curl" => {
                answers.push(curl(&server, &words));
                if answers.len() == 1 {
                    // The README says: send the same again.
                    assert_eq!(curl(&server, &words).header("weir-duplicate"), Some("true"));
                }
            }
            "sed" => greeting = edit(place.path(), &words, &lines),
            // Played, a wait is for the line that says so.
            "sleep" => {}
            "cargo" if words.contains(&"log".to_owned()) => break words,
            "cargo" if words.contains(&"tail".to_owned()) => {
                // What is to be seen is delivered by now.
                assert_eq!(server.wait_for("invoice.created", 4, BOUND), 4);
                shown.push(text(&weir(place.path(), &words, url(server.config))));
            }
            "cargo" => drop(text(&weir(place.path(), &words, url(server.events)))),
            other => panic!("the README has a command that is not played: {other}"),
        }
    };
    assert_eq!(rest.next(), None, "what comes behind the check of the log is not played");
    check_answers(&answers, &greeting);
    check_log(&server, &shown);
    pour(&server);
    assert_eq!(server.terminate(), Some(0));
    assert!(text(&weir(place.path(), &verify, None)).contains("the log is whole"));
}

fn check_answers(answers: &[Answer], greeting: &str) {
    let body = |answer: &Answer| String::from_utf8(answer.body.clone()).expect("UTF-8");
    let [single, binary, batch, refused, route, changed] = answers else { panic!("{} answers", answers.len()) };
    for answer in [single, binary, batch] {
        assert_eq!(answer.status, 202, "{}", body(answer));
        assert!(answer.header("weir-position").is_some(), "{}", body(answer));
    }
    assert!((400..500).contains(&refused.status) && body(refused).contains("order.lost"), "{}", body(refused));
    assert_eq!((route.status, body(route).as_str()), (200, "Hallo, Ada!\n"));
    assert_eq!((changed.status, body(changed)), (200, format!("{greeting}, Ada!\n")));
}

fn check_log(server: &Server, shown: &[String]) {
    let [all, invoices] = shown else { panic!("{shown:?}") };
    assert!(all.contains("order.placed") && all.contains("invoice.created"), "{all}");
    let orders = server.events_of("order.placed");
    assert_eq!(orders.len(), 5, "{orders:?}");
    let invoices: Vec<Value> = invoices.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(invoices.len(), 4, "{invoices:?}");
    for invoice in &invoices {
        assert!(orders.iter().any(|order| order["id"] == invoice["causationid"]), "{invoice}");
    }
    let refused = server.events_of("order.refused");
    assert!(refused.len() == 1 && refused[0]["causationid"] == "7002", "{refused:?}");
}

/// Pours real events of a cloud provider into the shop, which knows none of their types.
fn pour(server: &Server) {
    let file = repository().join("../shared/data/cloud-provider-events.jsonl");
    let Ok(events) = fs::read_to_string(&file) else {
        eprintln!("skipped: {} is not there", file.display());
        return;
    };
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["emit", "--json", "--url", &format!("http://{}", server.events)])
        .arg(&file)
        .output()
        .expect("emit runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("a summary");
    assert_eq!(summary["accepted"], 0, "{summary}");
    assert_eq!(summary["refused"], events.lines().count(), "{summary}");
}
