//! Clients that send slowly are cut off after the times that the settings say.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::process::{Server, directory};

/// Less than the times that hold where nothing is said.
const BOUND: Duration = Duration::from_secs(20);

#[test]
fn heads_and_bodies_have_the_time_that_is_set() {
    let directory = directory();
    let settings = directory.path().join("weir.toml");
    fs::write(&settings, "[connections]\nhead_timeout_ms = 200\nbody_timeout_ms = 300\n").expect("written");
    let server = Server::start_with(&directory.path().join("data"), &settings);
    let said_to = |beginning: &str| {
        let mut stream = TcpStream::connect(server.events).expect("connected");
        stream.set_read_timeout(Some(BOUND)).expect("set");
        stream.write_all(beginning.as_bytes()).expect("written");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("the connection is closed in time");
        said
    };
    assert_eq!(said_to("GET / HT"), "");
    let head =
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/cloudevents+json\r\ncontent-length: 9\r\n\r\n";
    let said = said_to(&format!("{head}{{"));
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("did not come within 0.3 s"), "{said}");
    assert_eq!(server.terminate(), Some(0));
}
