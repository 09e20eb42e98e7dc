//! Measures the engine against the limit of the disk: `cargo bench -p weir-log-embedded [-- NAME…]`.
//!
//! Each figure is the median of five runs, except where it says so. With `--test` every part runs once with tiny input.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measuring program: it owns its threads and stops at the first error"
)]

use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use weir_domain::{Clock, Data, Event, Key, Position, SpaceName, Timestamp};
use weir_log::{Append, LogEngine, NewEvent, Read};
use weir_log_embedded::{EmbeddedLog, Options};

const BATCH: usize = 1024;

struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_unix_micros(since.as_micros() as u64)
    }
}

struct Open {
    log: Arc<EmbeddedLog>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

fn open(directory: &Path) -> Open {
    let (log, workers, _) = EmbeddedLog::open(directory, Options::default(), Arc::new(Wall), &mut |_| {}).unwrap();
    let writer = std::thread::spawn(move || workers.writer.run());
    let indexer = std::thread::spawn(move || workers.indexer.run().unwrap());
    Open { log: Arc::new(log), threads: vec![writer, indexer] }
}

impl Open {
    async fn close(self) {
        self.log.close().await.unwrap();
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// Events of about 512 bytes with 1,000 keys and three types.
fn batch(first: u64, count: usize) -> Vec<NewEvent> {
    (first..first + count as u64)
        .map(|number| {
            let data = format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(380));
            let event_type = ["order.placed", "order.paid", "order.sent"][number as usize % 3];
            let event = Event::builder(&format!("event-{number:012}"), "/bench/producer", event_type)
                .subject(&format!("order/{}", number % 1000))
                .datacontenttype("application/json")
                .data(Data::Json(data.into()))
                .build()
                .unwrap();
            NewEvent { key: event.default_key(), event }
        })
        .collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The limit: the same bytes by plain write and fdatasync into a reserved file.
fn raw(directory: &Path, batches: usize, bytes: usize) -> f64 {
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(directory.join("raw")).unwrap();
    let length = (batches * bytes) as u64;
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, length).unwrap();
    let block = vec![7u8; bytes];
    let start = Instant::now();
    for number in 0..batches {
        file.write_all_at(&block, (number * bytes) as u64).unwrap();
        file.sync_data().unwrap();
    }
    (batches * BATCH) as f64 / start.elapsed().as_secs_f64()
}

/// Appends and waits for the answers; returns when it began.
async fn append_batches(log: &Arc<EmbeddedLog>, first: u64, batches: usize, in_flight: usize) -> Instant {
    // Events are made beforehand: the figure is about the engine.
    let mut work: Vec<Vec<Append>> = (0..in_flight).map(|_| Vec::new()).collect();
    for number in 0..batches {
        let events = batch(first + (number * BATCH) as u64, BATCH);
        work[number % in_flight].push(Append::new(SpaceName::default(), events));
    }
    let start = Instant::now();
    let tasks: Vec<_> = work
        .into_iter()
        .map(|appends| {
            let log = log.clone();
            tokio::spawn(async move {
                for append in appends {
                    log.append(append).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    start
}

/// A directory for one log, in that of the build: on a disk, where that for temporary files may be memory.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

async fn engine(runs: usize, batches: usize) {
    let (mut limit, mut answered, mut indexed) = (Vec::new(), Vec::new(), Vec::new());
    let rate = |took: Duration| (batches * BATCH) as f64 / took.as_secs_f64();
    for _ in 0..runs {
        let directory = directory();
        limit.push(raw(directory.path(), batches, BATCH * 600));
        let open = open(directory.path());
        let start = append_batches(&open.log, 0, batches, 4).await;
        answered.push(rate(start.elapsed()));
        // The index is written behind the answers. What is kept up for ever is the rate at which all of it is done.
        open.close().await;
        indexed.push(rate(start.elapsed()));
    }
    let (limit, answered, indexed) = (median(limit), median(answered), median(indexed));
    println!(
        "append  1024-event batches: {indexed:.0} events/s until all is indexed and closed, {answered:.0} until all is answered; raw write + fdatasync {limit:.0} events/s; ratio {:.2}",
        indexed / limit
    );
}

async fn group_commit(runs: usize, appends: usize) {
    let mut ratios = Vec::new();
    let mut rates = Vec::new();
    for _ in 0..runs {
        let mut rate = Vec::new();
        for writers in [1, 200] {
            let directory = directory();
            let open = open(directory.path());
            let total = if writers == 1 { appends / 20 } else { appends };
            let start = Instant::now();
            let tasks: Vec<_> = (0..writers)
                .map(|writer| {
                    let log = open.log.clone();
                    tokio::spawn(async move {
                        for number in 0..total / writers {
                            let events = batch((writer * 10_000_000 + number) as u64, 1);
                            log.append(Append::new(SpaceName::default(), events)).await.unwrap();
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            rate.push(total as f64 / start.elapsed().as_secs_f64());
            open.close().await;
        }
        ratios.push(rate[1] / rate[0]);
        rates.push(rate[1]);
    }
    println!("group commit: 200 writers {:.0} events/s; ratio to one writer {:.1}", median(rates), median(ratios));
}

async fn read_and_open(runs: usize, batches: usize) {
    let directory = directory();
    let opened = open(directory.path());
    let mut done = 0;
    while done < batches {
        let part = (batches - done).min(500);
        append_batches(&opened.log, (done * BATCH) as u64, part, 4).await;
        done += part;
    }
    let events = (batches * BATCH) as f64;
    let mut rates = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        let mut read = Read::forward(SpaceName::default(), Position::ORIGIN);
        (read.events_max, read.bytes_max) = (16 * 1024, 16 << 20);
        let mut count = 0;
        loop {
            let page = opened.log.read_blocking(&read).unwrap();
            count += page.events.iter().filter(|recorded| !recorded.event.id().is_empty()).count();
            if page.end {
                break;
            }
            read.from = page.next;
        }
        assert_eq!(count, batches * BATCH);
        rates.push(events / start.elapsed().as_secs_f64());
    }
    println!("read    sequential and decode: {:.0} events/s", median(rates));
    let key = weir_log::Filter::Key(Key::new("order/7").unwrap());
    let by_key = Read::forward(SpaceName::default(), Position::ORIGIN).filter(key);
    let (mut times, mut found) = (Vec::new(), 0);
    for _ in 0..runs {
        let start = Instant::now();
        found = opened.log.read_blocking(&by_key).unwrap().events.len();
        times.push(start.elapsed().as_secs_f64());
    }
    println!("read    by key: {found} events in {:.6} s", median(times));
    opened.close().await;

    let mut times = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        let opened = open(directory.path());
        times.push(start.elapsed().as_secs_f64());
        opened.close().await;
    }
    println!("open    {events:.0} events: {:.3} s", median(times));
    let mut rates = Vec::new();
    for _ in 0..runs {
        std::fs::remove_dir_all(directory.path().join("index")).unwrap();
        let start = Instant::now();
        let opened = open(directory.path());
        rates.push(events / start.elapsed().as_secs_f64());
        opened.close().await;
    }
    println!("rebuild the index of {events:.0} events: {:.0} events/s", median(rates));
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let tiny = arguments.iter().any(|argument| argument == "--test");
    let wanted = |name: &str| {
        let names: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
        names.is_empty() || names.iter().any(|each| name.contains(each.as_str()))
    };
    let (runs, batches, opened) = if tiny { (1, 4, 4) } else { (5, 1000, 9766) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        if wanted("append") {
            engine(runs, batches).await;
        }
        if wanted("group") {
            group_commit(runs, if tiny { 200 } else { 100_000 }).await;
        }
        if wanted("open") || wanted("read") {
            read_and_open(runs, opened).await;
        }
    });
}
