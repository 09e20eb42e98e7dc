//! Producers: one by one, or many at once, in their own time or at a rate.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
};

use crate::{
    book::Book,
    observe::processor_time,
    process::{BOUND, STRUCTURED},
    template::{ID, KEY, Template, is_complete},
};

/// Events of one batch.
pub(crate) const BATCH_EVENTS: u64 = 1024;

/// Producers that emit at once.
pub(crate) const PRODUCERS: usize = 32;

const ACCEPTED: &[u8] = b"HTTP/1.1 202";

/// Makes requests with one event of a size. Their keys are the last three digits of their numbers.
pub(crate) fn single(event_type: &str, bytes: usize) -> Template {
    Template::post(STRUCTURED.1, &event(event_type, KEY, bytes))
}

/// Makes requests with a batch of events of a size. Those of the request of a number n are numbered from n times
/// `BATCH_EVENTS` on, and have as many keys as is said, in turn.
pub(crate) fn batch(event_type: &str, keys: u64, bytes: usize) -> Template {
    let events: Vec<_> = (0..BATCH_EVENTS).map(|n| event(event_type, &(n % keys).to_string(), bytes)).collect();
    Template::post("application/cloudevents-batch+json", &format!("[{}]", events.join(",")))
}

/// An event of a size in bytes, all of it counted.
fn event(event_type: &str, key: &str, bytes: usize) -> String {
    let with = |text: &str| {
        format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{ID}\",\"source\":\"/bench\",\"type\":\"{event_type}\",\"subject\":\"key/{key}\",\
             \"datacontenttype\":\"application/json\",\"data\":{{\"text\":\"{text}\"}}}}"
        )
    };
    with(&"x".repeat(bytes - with("").len()))
}

/// One that waits for each answer.
pub(crate) struct Producer {
    stream: std::net::TcpStream,
    template: Template,
    answer: Vec<u8>,
}

impl Producer {
    pub(crate) fn connect(address: SocketAddr, template: Template) -> Self {
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        Self { stream, template, answer: vec![0; 16 * 1024] }
    }

    /// Sends the request of a number, which must be accepted.
    pub(crate) fn send(&mut self, number: u64) {
        self.template.number(number);
        self.stream.write_all(&self.template.bytes).unwrap();
        let mut length = 0;
        while !is_complete(&self.answer[..length]) {
            let more = self.stream.read(&mut self.answer[length..]).unwrap();
            assert!(more > 0, "the connection was closed");
            length += more;
        }
        check(&self.answer[..length]);
    }
}

fn check(answer: &[u8]) {
    assert!(answer.starts_with(ACCEPTED), "{}", String::from_utf8_lossy(answer));
}

/// What emitting came to.
pub(crate) struct Emission {
    pub(crate) per_second: f64,
    /// How much of a processor the producers took.
    pub(crate) share: f64,
}

/// Emits events of these numbers by all producers: each as soon as one of them has nothing in flight and, where there
/// is a rate, it is time for it. Notes when they are accepted.
pub(crate) fn emit(
    address: SocketAddr,
    template: &Template,
    events: &Range<u64>,
    rate: Option<f64>,
    book: &Arc<Book>,
) -> Emission {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let next = Arc::new(AtomicU64::new(events.start));
    let before = processor_time("thread-self");
    let begun = Instant::now();
    let due = move |place: u64| rate.map(|rate| begun + Duration::from_secs_f64(place as f64 / rate));
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..PRODUCERS {
            let (next, book, mut template, events) = (next.clone(), book.clone(), template.clone(), events.clone());
            tasks.spawn(async move {
                let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut answer = vec![0; 16 * 1024];
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= events.end {
                        return;
                    }
                    if let Some(due) = due(number - events.start).filter(|due| *due > Instant::now()) {
                        tokio::time::sleep_until(due.into()).await;
                    }
                    template.number(number);
                    stream.write_all(&template.bytes).await.unwrap();
                    let mut length = 0;
                    while !is_complete(&answer[..length]) {
                        let more = stream.read(&mut answer[length..]).await.unwrap();
                        assert!(more > 0, "the connection was closed");
                        length += more;
                    }
                    check(&answer[..length]);
                    book.accept(number);
                }
            });
        }
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                ended.unwrap();
            }
        };
        tokio::time::timeout(BOUND, all).await.expect("the producers are served");
    });
    let elapsed = begun.elapsed().as_secs_f64();
    let share = (processor_time("thread-self") - before).as_secs_f64() / elapsed;
    Emission { per_second: (events.end - events.start) as f64 / elapsed, share }
}
