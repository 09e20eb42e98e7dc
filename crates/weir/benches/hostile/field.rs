//! What all attacks have in common: how they are started and ended, how they connect, and what they tell.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    observe::processor_time,
    process::{BOUND, Server},
};

/// No attack lasts longer, whatever becomes of the rest of this program.
const ATTACK_MAX: Duration = Duration::from_secs(120);

/// Attackers come from as many addresses of this machine, so that none of them runs short of ports.
const SOURCES: usize = 200;

/// One way to do harm.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// What it does, in a few words.
    pub(crate) about: String,
    /// What the settings file of its server says.
    pub(crate) settings: &'static str,
    /// Gives the server what the attack needs there.
    pub(crate) prepare: fn(&Server),
    /// Attacks until the field is left; says [`Field::arrived`] when it has come to its full strength.
    pub(crate) run: fn(Field) -> BoxFuture<'static, ()>,
    /// Why it cannot be made on this machine, where it cannot.
    pub(crate) hindrance: Option<String>,
}

/// Where an attack takes place.
#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) events: SocketAddr,
    pub(crate) config: SocketAddr,
    pub(crate) tally: Tally,
    stop: CancellationToken,
    arrived: Arc<AtomicUsize>,
    ready: SyncSender<()>,
    /// When the attack had come to its full strength, and the processor time that its thread had taken by then.
    begun: Arc<OnceLock<(Instant, Duration)>>,
    until: Instant,
}

impl Field {
    /// Tells whether the attack goes on.
    pub(crate) fn goes_on(&self) -> bool {
        !self.stop.is_cancelled() && Instant::now() < self.until
    }

    /// One of so many attackers has come to where it wants to be. The last of them begins the attack.
    pub(crate) fn arrived(&self, total: usize) {
        if self.arrived.fetch_add(1, Ordering::Relaxed) + 1 == total {
            self.begun.set((Instant::now(), processor_time("thread-self"))).unwrap();
            // There is room for one word, and nobody else says it.
            self.ready.send(()).unwrap();
        }
    }

    /// Waits for the end of the attack, and ends its tasks.
    pub(crate) async fn hold(&self, mut tasks: JoinSet<()>) {
        let _ = tokio::time::timeout_at(self.until.into(), self.stop.cancelled()).await;
        tasks.abort_all();
        while let Some(ended) = tasks.join_next().await {
            heed(ended);
        }
    }

    /// Connects to an address of the server, in bounded time; nothing where that fails, after a pause.
    pub(crate) async fn connect(
        &self,
        number: usize,
        address: SocketAddr,
        receive_bytes: Option<u32>,
    ) -> Option<TcpStream> {
        let connecting = tokio::time::timeout(Duration::from_secs(10), connect(number, address, receive_bytes));
        if let Ok(Ok(stream)) = connecting.await {
            return Some(stream);
        }
        self.tally.add("could not connect", 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
        None
    }
}

/// Takes note of the end of a task: one that panicked was no attack.
pub(crate) fn heed(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

async fn connect(number: usize, address: SocketAddr, receive_bytes: Option<u32>) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = receive_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(SocketAddr::from(([127, 0, 0, 2 + (number % SOURCES) as u8], 0)))?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads the status of an answer and no more; nothing where the connection ends before it, or the answer does not come.
pub(crate) async fn status(stream: &mut (impl AsyncReadExt + Unpin), time_max: Duration) -> Option<u16> {
    let mut line = [0; "HTTP/1.1 200".len()];
    tokio::time::timeout(time_max, stream.read_exact(&mut line)).await.ok()?.ok()?;
    std::str::from_utf8(&line).ok()?.rsplit_once(' ')?.1.parse().ok()
}

/// What attackers saw, by what it is called.
#[derive(Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

impl Tally {
    pub(crate) fn add(&self, what: &str, count: u64) {
        self.update(what, |before| before + count);
    }

    /// Keeps the most of what was seen.
    pub(crate) fn most(&self, what: &str, value: u64) {
        self.update(what, |before| before.max(value));
    }

    /// Counts an answer by its status, or that there was none.
    pub(crate) fn answer(&self, who: &str, status: Option<u16>) {
        match status {
            Some(status) => self.add(&format!("{who} answered {status}"), 1),
            None => self.add(&format!("{who} without an answer"), 1),
        }
    }

    fn update(&self, what: &str, change: impl FnOnce(u64) -> u64) {
        let mut seen = self.0.lock().unwrap();
        if let Some(value) = seen.get_mut(what) {
            *value = change(*value);
        } else {
            seen.insert(what.to_owned(), change(0));
        }
    }
}

/// What an attack came to.
pub(crate) struct Outcome {
    pub(crate) seen: BTreeMap<String, u64>,
    /// How much of a processor the attackers took.
    pub(crate) share: f64,
}

/// An attack that goes on.
pub(crate) struct Assault {
    stop: CancellationToken,
    thread: JoinHandle<Outcome>,
}

impl Assault {
    /// Begins an attack; returns when it has come to its full strength.
    pub(crate) fn begin(attack: &Attack, server: &Server) -> Self {
        let (ready, is_ready) = sync_channel(1);
        let stop = CancellationToken::new();
        let field = Field {
            events: server.events,
            config: server.config,
            tally: Tally::default(),
            stop: stop.clone(),
            arrived: Arc::default(),
            ready,
            begun: Arc::default(),
            until: Instant::now() + ATTACK_MAX,
        };
        let run = attack.run;
        let thread = std::thread::spawn(move || attack_in(field, run));
        // Without a sender, the thread has panicked and said why.
        is_ready.recv_timeout(BOUND).expect("the attack comes to its full strength");
        Self { stop, thread }
    }

    /// Ends the attack.
    pub(crate) fn end(self) -> Outcome {
        self.stop.cancel();
        self.thread.join().expect("the attack said what was wrong")
    }
}

/// The thread of the attackers.
fn attack_in(field: Field, run: fn(Field) -> BoxFuture<'static, ()>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (tally, begun, stop) = (field.tally.clone(), Arc::clone(&field.begun), field.stop.clone());
    let (until, attacking) = (field.until, run(field));
    let ended = runtime.block_on(async {
        // Taken when the attack ends and not when all is cleared away: closing ten thousand sockets takes time, too.
        let watching = async {
            let _ = tokio::time::timeout_at(until.into(), stop.cancelled()).await;
            (Instant::now(), processor_time("thread-self"))
        };
        tokio::join!(watching, attacking).0
    });
    let begun = *begun.get().expect("it has come to its full strength");
    let share = (ended.1 - begun.1).as_secs_f64() / (ended.0 - begun.0).as_secs_f64();
    let seen = tally.0.lock().unwrap().clone();
    Outcome { seen, share }
}
