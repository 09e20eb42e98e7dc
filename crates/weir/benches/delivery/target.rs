//! Functions at URLs, in this process and as cheap as can be: one thread answers all calls, and reads of each no more
//! than is measured.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    observe::{park_until, this_thread},
    process::free_port,
    template::message_bytes,
};

const DONE: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
const FAILED: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";

/// More than a server calls one function at once: connections that wait to be accepted, and calls that wait for their
/// time.
const CALLS_MAX: u32 = 1024;

/// What is read of a call.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    /// The number that is the path of the URL, 0 where there is none.
    pub(crate) path: usize,
    /// That of the event.
    pub(crate) number: u64,
}

/// What becomes of a call.
pub(crate) enum Reply {
    Done,
    /// As closely as the timers of the runtime have it, which come up to a millisecond late.
    DoneAfter(Duration),
    DoneInAMillisecond,
    Failed,
}

/// What is called.
pub(crate) trait Function: Send + Sync + 'static {
    fn called(&self, call: Call) -> Reply;

    /// The answer to a call is about to be sent.
    fn answers(&self, _call: Call) {}
}

/// The thread that answers, until this is dropped.
pub(crate) struct Target {
    port: u16,
    /// What it is called among processes.
    pub(crate) thread_name: String,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Target {
    /// Begins to answer on as many addresses of this machine, all with the same port.
    pub(crate) fn start(hosts: u8, function: Arc<dyn Function>) -> Self {
        let port = free_port();
        let addresses: Vec<_> = (0..hosts).map(|host| address(host, port)).collect();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (told, name) = sync_channel(1);
        let thread = std::thread::spawn(move || {
            let (waits, waiting) = sync_channel(CALLS_MAX as usize);
            std::thread::scope(|scope| {
                scope.spawn(move || wait_in_turn(waiting));
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(answer(addresses, function, waits, told, stopped));
            });
        });
        // Without a sender, the thread has panicked and said why.
        let thread_name = name.recv().expect("the functions can be called");
        Self { port, thread_name, stop, thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        address(0, self.port)
    }

    /// Returns the URL of a path on one of its hosts.
    pub(crate) fn url(&self, host: u8, path: usize) -> String {
        format!("http://{}/{path}", address(host, self.port))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.stop.cancel();
        // What was wrong there stands on standard error already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1 + host], port))
}

/// Somebody who waits for an instant.
type Wait = (Instant, oneshot::Sender<()>);

/// All wait equally long: who came first is first. Ends with the last connection.
fn wait_in_turn(waiting: Receiver<Wait>) {
    for (until, waiter) in waiting {
        park_until(until);
        // Its connection may have ended meanwhile.
        let _ = waiter.send(());
    }
}

/// Answers on all addresses until it is told to stop; tells what its thread is called once it can be reached.
async fn answer(
    addresses: Vec<SocketAddr>,
    function: Arc<dyn Function>,
    waits: SyncSender<Wait>,
    told: SyncSender<String>,
    stop: CancellationToken,
) {
    let mut tasks = JoinSet::new();
    for address in addresses {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        tasks.spawn(accept(socket.listen(CALLS_MAX).unwrap(), function.clone(), waits.clone()));
    }
    told.send(this_thread()).unwrap();
    stop.cancelled().await;
}

async fn accept(listener: TcpListener, function: Arc<dyn Function>, waits: SyncSender<Wait>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        connections.spawn(connection(stream, function.clone(), waits.clone()));
        while let Some(ended) = connections.try_join_next() {
            ended.unwrap();
        }
    }
}

/// Answers what comes over a connection, until its other side closes it.
async fn connection(mut stream: TcpStream, function: Arc<dyn Function>, waits: SyncSender<Wait>) {
    let mut inbox = Inbox { bytes: vec![0; 16 * 1024], filled: 0 };
    loop {
        while let Some(call) = inbox.take() {
            let bytes = match function.called(call) {
                Reply::Done => DONE,
                Reply::Failed => FAILED,
                Reply::DoneAfter(time) => {
                    tokio::time::sleep(time).await;
                    DONE
                }
                Reply::DoneInAMillisecond => {
                    let (waiter, waited) = oneshot::channel();
                    waits.send((Instant::now() + Duration::from_millis(1), waiter)).unwrap();
                    waited.await.unwrap();
                    DONE
                }
            };
            function.answers(call);
            if stream.write_all(bytes).await.is_err() {
                return;
            }
        }
        match stream.read(inbox.room()).await {
            Ok(0) | Err(_) => return,
            Ok(count) => inbox.filled += count,
        }
    }
}

/// What came over a connection and was not read yet.
struct Inbox {
    bytes: Vec<u8>,
    filled: usize,
}

impl Inbox {
    /// Takes the next call, if all of it is there.
    fn take(&mut self) -> Option<Call> {
        let came = &self.bytes[..self.filled];
        let length = message_bytes(came).filter(|length| *length <= came.len())?;
        let request = &came[..length];
        let path = number_behind(request, b" /").unwrap_or(0) as usize;
        let call = Call { path, number: number_behind(request, b"\"id\":\"").unwrap_or(u64::MAX) };
        self.bytes.copy_within(length..self.filled, 0);
        self.filled -= length;
        Some(call)
    }

    /// Returns where more is to be put.
    fn room(&mut self) -> &mut [u8] {
        if self.filled == self.bytes.len() {
            self.bytes.resize(2 * self.bytes.len(), 0);
        }
        &mut self.bytes[self.filled..]
    }
}

/// Returns the number that stands behind the first of such marks.
fn number_behind(bytes: &[u8], mark: &[u8]) -> Option<u64> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let count = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = &bytes[at..at + count];
    (count > 0).then(|| digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}
