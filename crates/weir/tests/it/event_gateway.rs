//! In the place of the Event Gateway: started by its flags, as its own clients start it.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::process::{Http, STRUCTURED, Server, directory, free_port, structured};

/// The flags that the Node client of the Event Gateway gives.
fn of_the_node_client(data: &str, events: u16, config: u16) -> Vec<String> {
    let data = format!("--embed-data-dir={data}");
    vec!["--dev".to_owned(), data, format!("--config-port={config}"), format!("--events-port={events}")]
}

/// As people wrote them, with some that do nothing here.
fn of_people(data: &str, events: u16, config: u16) -> Vec<String> {
    let (events, config) = (events.to_string(), config.to_string());
    let ports = ["-events-port", &events, "-config-port", &config];
    let others = ["-db-hosts", "127.0.0.1:2379", "-workers", "5", "-log-level", "err", "-log-format", "json"];
    let words = ["-dev", "-embed-data-dir", data].into_iter().chain(ports).chain(others);
    words.map(str::to_owned).collect()
}

#[test]
fn its_flags_start_a_server() {
    for flags in [of_the_node_client, of_people] {
        let place = directory();
        let data = place.path().join("data");
        let (events, config) = (free_port(), free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(flags(data.to_str().expect("UTF-8"), events, config)).current_dir(place.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Server::spawn(command, events, config).ready();
        server.configure("eventtypes", &json!({ "name": "user.created" }));
        let mut http = Http::connect(server.events).expect("connected");
        let body = structured("1", "user.created", "ada", 1);
        assert_eq!(http.send("POST", "/", &[STRUCTURED], &body).expect("answered").status, 202);
        assert_eq!(server.events_of("user.created").len(), 1);
        assert_eq!(server.terminate(), Some(0));
        let entries =
            std::fs::read_dir(place.path()).expect("readable").map(|entry| entry.expect("an entry").file_name());
        assert_eq!(entries.collect::<Vec<_>>(), ["data"], "everything lies where the flag says");
    }
}

#[test]
fn without_dev_it_lets_everybody_in_and_says_so() {
    let place = directory();
    let (data, log) = (place.path().join("data"), place.path().join("log"));
    let (events, config) = (free_port(), free_port());
    let (events_port, config_port) = (events.to_string(), config.to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.arg("-embed-data-dir").arg(&data);
    // Said although the log is asked for errors only.
    command.args(["-events-port", &events_port, "-config-port", &config_port, "-log-level", "err"]);
    let written = std::fs::File::create(&log).expect("a file");
    command.stdout(Stdio::null()).stderr(written);
    let server = Server::spawn(command, events, config).ready();
    server.configure("eventtypes", &json!({ "name": "user.created" }));
    assert_eq!(server.terminate(), Some(0));
    let told = std::fs::read_to_string(&log).expect("readable");
    assert!(told.contains("whoever reaches the server may do everything"), "{told}");
}
