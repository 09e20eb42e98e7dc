//! Honest clients: each sends an event, waits until it is acknowledged, and repeats it where it was refused for want of room.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    observe::processor_time,
    process::{BOUND, STRUCTURED},
    template::{KEY, Template, event, is_complete, percentile},
};

const CONNECTIONS: usize = 32;

/// How long the clients send in each phase.
const TIME: Duration = Duration::from_secs(5);

/// How long a client waits before it repeats what was refused. The server asks for longer; the shorter this is, the less
/// of the latency is the client's own doing.
const REPEAT_PAUSE: Duration = Duration::from_millis(10);

/// What the clients of one phase came to.
pub(crate) struct Phase {
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    /// From the first byte of an event until it is acknowledged, repetitions included.
    pub(crate) p99: Duration,
    /// How much of a processor they took.
    pub(crate) share: f64,
    pub(crate) counts: Counts,
}

/// What became of events.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Begun, each once.
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    /// Answers that there is no room at the moment.
    pub(crate) refused: u64,
    /// Connections that ended without an answer.
    pub(crate) broken: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.broken += other.broken;
    }
}

/// Sends events for a while. The numbers of a phase are those of no other.
pub(crate) fn phase(address: SocketAddr, phase: usize) -> Phase {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let template = Template::post(STRUCTURED.1, &event(KEY));
    let (mut latencies, mut counts) = (Vec::new(), Counts::default());
    let before = processor_time("thread-self");
    let begun = Instant::now();
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for connection in 0..CONNECTIONS {
            let number = (phase * 1000 + connection) as u64 * 1_000_000_000;
            let template = template.clone();
            tasks.spawn(async move {
                let mut client = Client::connect(address, template, number).await;
                client.send_until(begun + TIME).await;
                (client.taken, client.counts)
            });
        }
        while let Some(ended) = tokio::time::timeout(TIME + BOUND, tasks.join_next()).await.expect("they are served") {
            let (taken, done) = ended.unwrap();
            latencies.extend(taken);
            counts.add(done);
        }
    });
    let elapsed = begun.elapsed().as_secs_f64();
    let share = (processor_time("thread-self") - before).as_secs_f64() / elapsed;
    latencies.sort_unstable();
    let (p50, p99) = (percentile(&latencies, 0.5), percentile(&latencies, 0.99));
    Phase { per_second: counts.acknowledged as f64 / elapsed, p50, p99, share, counts }
}

struct Client {
    address: SocketAddr,
    stream: TcpStream,
    template: Template,
    number: u64,
    answer: Vec<u8>,
    /// Microseconds for each event.
    taken: Vec<u32>,
    counts: Counts,
}

impl Client {
    async fn connect(address: SocketAddr, template: Template, number: u64) -> Self {
        let stream = connect(address).await;
        let (answer, taken, counts) = (vec![0; 16 * 1024], Vec::new(), Counts::default());
        Self { address, stream, template, number, answer, taken, counts }
    }

    /// Sends events; the last one is acknowledged, too.
    async fn send_until(&mut self, end: Instant) {
        loop {
            let sent = Instant::now();
            if sent >= end {
                return;
            }
            self.template.number(self.number);
            self.number += 1;
            self.counts.sent += 1;
            while !self.is_acknowledged().await {
                assert!(sent.elapsed() < BOUND, "an honest client is refused for too long");
                tokio::time::sleep(REPEAT_PAUSE).await;
            }
            self.counts.acknowledged += 1;
            self.taken.push(sent.elapsed().as_micros() as u32);
        }
    }

    /// Sends an event once. To send it again is safe: the server knows it by its source and identifier.
    async fn is_acknowledged(&mut self) -> bool {
        let Ok(length) = self.exchange().await else {
            self.counts.broken += 1;
            self.stream = connect(self.address).await;
            return false;
        };
        let answer = &self.answer[..length];
        if answer.starts_with(b"HTTP/1.1 202") {
            return true;
        }
        let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
        assert!(text.starts_with("http/1.1 503"), "{text}");
        self.counts.refused += 1;
        if text.contains("connection: close") {
            self.stream = connect(self.address).await;
        }
        false
    }

    async fn exchange(&mut self) -> io::Result<usize> {
        self.stream.write_all(&self.template.bytes).await?;
        let mut length = 0;
        while !is_complete(&self.answer[..length]) {
            let more = self.stream.read(&mut self.answer[length..]).await?;
            if more == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            length += more;
        }
        Ok(length)
    }
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("an honest client can connect");
    stream.set_nodelay(true).unwrap();
    stream
}
