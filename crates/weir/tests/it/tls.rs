//! The binary with TLS: both APIs, the commands as its clients, and a new certificate without a restart.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tempfile::TempDir;

use crate::process::{BOUND, Server, free_port};

/// Files in PEM, and who issues what is in them.
struct Site {
    place: TempDir,
    issuer: Issuer<'static, KeyPair>,
    client: Arc<ClientConfig>,
}

impl Site {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("a certificate");
        fs::write(place.path().join("ca.pem"), authority.pem()).expect("written");
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).expect("a certificate");
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has ciphers")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { place, issuer: Issuer::new(params, key), client: Arc::new(client) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Puts a new certificate and its key into the files of a name.
    fn issue(&self, name: &str) -> CertificateDer<'static> {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("good names");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).expect("written");
        fs::write(self.path(&format!("{name}-key.pem")), key.serialize_pem()).expect("written");
        certificate.der().clone()
    }

    /// Starts a server whose Events API takes only clients with a certificate.
    fn serve(&self) -> Server {
        let text = "events_tls_cert = \"server.pem\"\nevents_tls_key = \"server-key.pem\"\n\
                    events_tls_client_ca = \"ca.pem\"\nconfig_tls_cert = \"server.pem\"\n";
        fs::write(self.path("settings.toml"), text).expect("written");
        let (events, config) = (free_port(), free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.arg("serve").arg("--config").arg(self.path("settings.toml"));
        command.arg("--config-tls-key").arg(self.path("server-key.pem"));
        command.arg("--data-dir").arg(self.path("data"));
        command.args(["--events-port", &events.to_string(), "--config-port", &config.to_string()]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Server::spawn(command, events, config);
        let begun = Instant::now();
        while self.ask(config, "GET /v1/status", "").is_err() {
            assert!(server.is_running(), "the server ended at its start");
            assert!(begun.elapsed() < BOUND, "the server was not ready in time");
            // A refused connection is the only signal there is before the port is bound.
            std::thread::yield_now();
        }
        server
    }

    /// Asks the Configuration API; returns the certificate that it shows, and the head of its answer.
    fn ask(&self, port: u16, request: &str, body: &str) -> io::Result<(CertificateDer<'static>, String)> {
        let stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_secs(5))?;
        stream.set_read_timeout(Some(BOUND))?;
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = ClientConnection::new(self.client.clone(), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        let length = body.len();
        write!(stream, "{request} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}")?;
        stream.flush()?;
        let mut head = Vec::new();
        let mut part = [0; 1024];
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut part)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => head.extend_from_slice(&part[..count]),
            }
        }
        let shown = stream.conn.peer_certificates().and_then(<[_]>::first).expect("a handshake").clone();
        Ok((shown, String::from_utf8_lossy(&head).into_owned()))
    }

    /// Runs a command of the program as a client.
    fn weir(&self, words: &[&str], port: u16, files: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(words).args(["--url", &format!("https://127.0.0.1:{port}")]);
        for (flag, name) in files {
            command.arg(flag).arg(self.path(name));
        }
        command.stdin(Stdio::null()).output().expect("the binary runs")
    }
}

#[test]
fn both_apis_and_the_commands_speak_tls_and_a_new_certificate_needs_no_restart() {
    let site = Site::new();
    let first = site.issue("server");
    site.issue("client");
    let server = site.serve();
    let (events, config) = (server.events.port(), server.config.port());

    let body = r#"{"name":"parcel.sent"}"#;
    let (shown, head) = site.ask(config, "POST /v1/spaces/default/eventtypes", body).expect("an answer");
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    assert_eq!(shown, first);
    let emit = ["emit", "--type", "parcel.sent", "--source", "/depot", "--id", "p-1", "--data", "{}"];
    let identity = [("--client-cert", "client.pem"), ("--client-key", "client-key.pem")];
    let emitted = site.weir(&emit, events, &[&[("--ca-cert", "ca.pem")][..], &identity].concat());
    let text = String::from_utf8_lossy(&emitted.stdout).into_owned();
    assert!(emitted.status.success() && text.contains("accepted at position"), "{emitted:?}");
    // The server is trusted by its issuer only, and nobody else's word counts.
    let stranger = site.weir(&emit, events, &identity);
    let text = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(stranger.status.code() == Some(7) && text.contains("--ca-cert"), "{stranger:?}");
    let shown = site.weir(&["tail", "--json"], config, &[("--ca-cert", "ca.pem")]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.status.success() && text.contains("p-1"), "{shown:?}");

    let second = site.issue("server");
    let hangup = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status().expect("kill runs");
    assert!(hangup.success());
    let begun = Instant::now();
    loop {
        let (shown, head) = site.ask(config, "GET /v1/status", "").expect("the doors stay open");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        if shown == second {
            break;
        }
        assert_eq!(shown, first);
        assert!(begun.elapsed() < BOUND, "the new certificate was not served in time");
        std::thread::yield_now();
    }
    assert_eq!(server.terminate(), Some(0));
}
