//! The real binary as a process, and a small HTTP client to speak to it.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

/// No wait in these tests is longer.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    child: Child,
    begun: Instant,
    pub(crate) events: SocketAddr,
    pub(crate) config: SocketAddr,
    /// From the start of the process to the first answer.
    pub(crate) ready_after: Duration,
}

/// Makes a directory on the disk of the build: what is to survive a crash is written to a disk, not to memory.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory")
}

/// Finds a port that nobody uses now, and that nobody is given before the server has it: each caller is given another one,
/// and all are below those that the system takes for connections.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut ports = (0..COUNT).map(|_| {
        // Programs that run at the same time begin apart.
        let number = std::process::id().wrapping_mul(61).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        FIRST + (number % COUNT) as u16
    });
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

/// Reads a number from the environment.
pub(crate) fn given(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, but is {text:?}")))
}

/// Lets time pass that is part of what is played: there is nothing to wait for.
pub(crate) fn pass(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// Reads a whole log, which must be sound.
pub(crate) fn verify(data: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["log", "verify", "--json", "--data-dir"])
        .arg(data)
        .output()
        .expect("verify runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl Server {
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_on(data, free_port(), free_port())
    }

    pub(crate) fn start_on(data: &Path, events_port: u16, config_port: u16) -> Self {
        Self::launch_on(data, events_port, config_port).ready()
    }

    /// Starts the program, and does not wait until it is ready.
    pub(crate) fn launch_on(data: &Path, events_port: u16, config_port: u16) -> Self {
        let arguments = ["serve".as_ref(), "--data-dir".as_ref(), data.as_os_str()];
        Self::launch(&arguments, events_port, config_port, Stdio::null())
    }

    /// Starts the server with a file of settings.
    pub(crate) fn start_with(data: &Path, settings: &Path) -> Self {
        let (data, settings) = (data.as_os_str(), settings.as_os_str());
        let arguments = ["serve".as_ref(), "--data-dir".as_ref(), data, "--config".as_ref(), settings];
        Self::launch(&arguments, free_port(), free_port(), Stdio::null()).ready()
    }

    /// Runs the application of a directory.
    pub(crate) fn develop(directory: &Path) -> Self {
        Self::develop_to(directory, Stdio::null())
    }

    /// Runs the application of a directory, which prints to a pipe that nobody reads.
    pub(crate) fn develop_unread(directory: &Path) -> Self {
        Self::develop_to(directory, Stdio::piped())
    }

    /// Runs the application of a directory; the lines that it prints come here.
    pub(crate) fn develop_shown(directory: &Path) -> (Self, Receiver<String>) {
        let mut server = Self::develop_to(directory, Stdio::piped());
        let out = BufReader::new(server.child.stdout.take().expect("a pipe"));
        let (told, lines) = channel();
        // Ends with the process, or where nobody listens any more.
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        (server, lines)
    }

    fn develop_to(directory: &Path, out: Stdio) -> Self {
        Self::launch(&["dev".as_ref(), directory.as_os_str()], free_port(), free_port(), out).ready()
    }

    fn launch(arguments: &[&OsStr], events_port: u16, config_port: u16, out: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(arguments);
        command.args(["--events-port", &events_port.to_string(), "--config-port", &config_port.to_string()]);
        command.stdout(out).stderr(Stdio::null());
        Self::spawn(command, events_port, config_port)
    }

    /// Starts a command that runs the program on these ports, and does not wait until it is ready.
    pub(crate) fn spawn(mut command: Command, events_port: u16, config_port: u16) -> Self {
        let begun = Instant::now();
        let child = command.spawn().expect("the server starts");
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (events, config) = (address(events_port), address(config_port));
        Self { child, begun, events, config, ready_after: Duration::ZERO }
    }

    /// Waits until it answers.
    pub(crate) fn ready(mut self) -> Self {
        while self.begun.elapsed() < BOUND {
            if let Ok(mut http) = Http::connect(self.config)
                && http.send("GET", "/v1/status", &[], b"").is_ok_and(|answer| answer.status == 200)
            {
                self.ready_after = self.begun.elapsed();
                return self;
            }
            assert!(self.is_running(), "the server ended at its start");
            // A refused connection is the only signal there is before the port is bound.
            std::thread::yield_now();
        }
        panic!("the server was not ready in time");
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// SIGTERM; returns the exit code.
    pub(crate) fn terminate(self) -> Option<i32> {
        self.signal();
        self.ended()
    }

    /// SIGTERM, without waiting for the end.
    pub(crate) fn signal(&self) {
        self.send("TERM");
    }

    /// Sends a signal, which is called so without `SIG`.
    pub(crate) fn send(&self, signal: &str) {
        let status = Command::new("kill").args(["-s", signal, &self.pid().to_string()]).status().expect("kill runs");
        assert!(status.success());
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Waits for the end; returns the exit code.
    pub(crate) fn ended(mut self) -> Option<i32> {
        let begun = Instant::now();
        while begun.elapsed() < BOUND {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            std::thread::yield_now();
        }
        panic!("the server did not end in time");
    }

    /// Sends a configuration request that must succeed.
    pub(crate) fn configure(&self, resource: &str, body: &serde_json::Value) {
        let mut http = Http::connect(self.config).expect("connected");
        let path = format!("/v1/spaces/default/{resource}");
        let answer = http.send("POST", &path, &[("content-type", "application/json")], body.to_string().as_bytes());
        let answer = answer.expect("answered");
        assert_eq!(answer.status, 201, "{resource}: {}", String::from_utf8_lossy(&answer.body));
    }

    /// Declares types, a JavaScript function and a subscription to the first type.
    pub(crate) fn declare(&self, types: &[&str], function: &str, provider: &serde_json::Value, kind: &str) {
        for name in types {
            self.configure("eventtypes", &serde_json::json!({ "name": name }));
        }
        self.configure("functions", &serde_json::json!({ "functionId": function, "type": kind, "provider": provider }));
        let subscription = serde_json::json!({ "type": "async", "eventType": types[0], "functionId": function });
        self.configure("subscriptions", &subscription);
    }

    /// Reads all events of a type as JSON.
    pub(crate) fn events_of(&self, event_type: &str) -> Vec<serde_json::Value> {
        let mut http = Http::connect(self.config).expect("connected");
        let mut all = Vec::new();
        let mut from = "1".to_owned();
        loop {
            let path = format!("/v1/spaces/default/events?from={from}&type={event_type}&limit=1000");
            let answer = http.send("GET", &path, &[], b"").expect("answered");
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            let page: Vec<serde_json::Value> = serde_json::from_slice(&answer.body).expect("a batch");
            all.extend(page);
            if answer.header("weir-end").is_some_and(|end| end == "true") {
                return all;
            }
            from = answer.header("weir-next").expect("where to go on").to_owned();
        }
    }

    /// Waits until a type has as many events. Long polls: each answer is a signal.
    pub(crate) fn wait_for(&self, event_type: &str, count: usize, bound: Duration) -> usize {
        let begun = Instant::now();
        let mut http = Http::connect(self.config).expect("connected");
        let (mut seen, mut from) = (0, "1".to_owned());
        while seen < count && begun.elapsed() < bound {
            let path = format!("/v1/spaces/default/events?from={from}&type={event_type}&limit=1000&wait=5");
            let answer = http.send("GET", &path, &[], b"").expect("answered");
            let page: Vec<serde_json::value::Value> = serde_json::from_slice(&answer.body).expect("a batch");
            seen += page.len();
            from = answer.header("weir-next").expect("where to go on").to_owned();
        }
        seen
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Tests that end early leave no process behind; one that has ended already is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection of HTTP/1.1.
pub(crate) struct Http {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
    }
}

impl Http {
    pub(crate) fn connect(host: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&host, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(BOUND))?;
        Ok(Self { stream: BufReader::new(stream), host })
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n", self.host, body.len());
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        self.stream.get_mut().write_all(&bytes)?;
        self.receive()
    }

    fn receive(&mut self) -> std::io::Result<Answer> {
        let broken = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(broken("the connection was closed"));
        }
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| broken("no status"))?;
        let mut headers = Vec::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        match length {
            Some(length) => {
                answer.body.resize(length, 0);
                self.stream.read_exact(&mut answer.body)?;
            }
            None if answer.header("transfer-encoding").is_some() => answer.body = self.chunks()?,
            None => {}
        }
        Ok(answer)
    }

    fn chunks(&mut self) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
            let start = body.len();
            body.resize(start + size + 2, 0);
            self.stream.read_exact(&mut body[start..])?;
            body.truncate(start + size);
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

/// The structured form of an event with a number in its data.
pub(crate) fn structured(id: &str, event_type: &str, subject: &str, number: u64) -> Vec<u8> {
    serde_json::json!({
        "specversion": "1.0", "id": id, "source": "/test", "type": event_type, "subject": subject,
        "data": { "number": number },
    })
    .to_string()
    .into_bytes()
}

pub(crate) const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json");
