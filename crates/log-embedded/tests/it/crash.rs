//! Crashes at random instants on the simulated disk: nothing acknowledged is lost, nothing appears twice.

use std::{collections::BTreeMap, sync::Arc};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use weir_domain::{Position, SpaceName};
use weir_log::{Append, Read, conformance::StoppedClock};
use weir_log_embedded::{EmbeddedLog, IndexStore, MemoryStore, Options, Workers};

use crate::{
    sim_disk::SimDisk,
    support::{append, event, tiny_options},
};

/// How many seeds the test suite runs.
const SEEDS: u64 = 10_000;

/// What the producer knows: acknowledged ids with their position, and ids whose fate is open.
#[derive(Default)]
struct Ledger {
    acknowledged: BTreeMap<String, Position>,
    open: Vec<Vec<String>>,
}

#[test]
fn ten_thousand_crashes_lose_nothing() {
    for seed in 0..SEEDS {
        life(seed);
    }
}

#[test]
fn one_seed_gives_one_run() {
    for seed in [1, 77, 4242] {
        assert_eq!(life(seed), life(seed));
    }
}

/// Several rounds of appending, crashing and reopening; returns the ids in the log at the end.
fn life(seed: u64) -> Vec<String> {
    let mut random = SmallRng::seed_from_u64(seed);
    let options = Options {
        segment_bytes: random.random_range(400..6000),
        index_block_events: random.random_range(1..40),
        ..tiny_options()
    };
    let mut disk = SimDisk::default();
    let mut ledger = Ledger::default();
    let mut next_id = 0;
    for round in 0..random.random_range(1..5) {
        let store: Arc<dyn IndexStore> = Arc::new(MemoryStore::default());
        // The power may go while the log is being opened, too.
        if random.random_range(0..4) == 0 {
            disk.cut_power_after(random.random_range(0..12));
        }
        if let Ok((log, workers, _)) = open(&disk, store.clone(), &options) {
            check(&log, &ledger, seed, round);
            disk.cut_power_after(random.random_range(0..60));
            work(workers, &mut random, &mut ledger, &mut next_id);
        }
        disk = disk.restart(random.random());
    }
    let store: Arc<dyn IndexStore> = Arc::new(MemoryStore::default());
    let (log, workers, _) = match open(&disk, store, &options) {
        Ok(opened) => opened,
        Err(error) => panic!("seed {seed}: {}", weir_domain::error_chain(&error)),
    };
    let ids = check(&log, &ledger, seed, u32::MAX);
    workers.writer.close().expect("closed");
    ids
}

fn open(
    disk: &SimDisk,
    store: Arc<dyn IndexStore>,
    options: &Options,
) -> Result<(EmbeddedLog, Workers, weir_log_embedded::Recovered), weir_log::LogError> {
    EmbeddedLog::open_on(Arc::new(disk.clone()), store, options.clone(), Arc::new(StoppedClock))
}

/// Appends groups until the power goes; a third of the batches repeat an earlier one.
fn work(mut workers: Workers, random: &mut SmallRng, ledger: &mut Ledger, next_id: &mut u32) {
    for _ in 0..40 {
        let mut group: Vec<(Vec<String>, Append)> = Vec::new();
        for _ in 0..random.random_range(1..4) {
            let repeat = random.random_range(0..3) == 0;
            let ids: Vec<String> = match ledger.acknowledged.keys().next_back() {
                Some(id) if repeat => vec![id.clone()],
                _ => (0..random.random_range(1..6))
                    .map(|_| {
                        *next_id += 1;
                        format!("event-{next_id}")
                    })
                    .collect(),
            };
            let events = ids.iter().map(|id| event(id, &format!("key-{}", id.len() % 3))).collect();
            group.push((ids, append(events)));
        }
        let (ids, appends): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let outcomes = workers.writer.step(&appends).expect("small batches");
        let mut failed = false;
        for (ids, outcome) in ids.into_iter().zip(outcomes) {
            match outcome {
                Ok(receipt) => {
                    for (id, entry) in ids.into_iter().zip(receipt.events) {
                        let known = ledger.acknowledged.insert(id, entry.position);
                        assert!(known.is_none_or(|before| before == entry.position && entry.duplicate));
                    }
                }
                Err(_) => {
                    ledger.open.push(ids);
                    failed = true;
                }
            }
        }
        if failed {
            return;
        }
        workers.indexer.step().expect("the index in memory takes everything");
    }
    if random.random() {
        // A clean stop may lose its race with the power as well.
        let _ = workers.writer.close();
    }
}

/// Everything acknowledged is there once, at its position; everything else is a whole batch that was never answered.
fn check(log: &EmbeddedLog, ledger: &Ledger, seed: u64, round: u32) -> Vec<String> {
    let mut read = Read::forward(SpaceName::default(), Position::ORIGIN).events_max(100);
    let mut found = BTreeMap::new();
    let mut order = Vec::new();
    loop {
        let page = log.read_blocking(&read).expect("readable");
        for recorded in page.events {
            let id = recorded.event.id().to_owned();
            order.push(id.clone());
            let twice = found.insert(id, recorded.position);
            assert_eq!(twice, None, "seed {seed} round {round}: an event stands twice in the log");
        }
        if page.end {
            break;
        }
        read.from = page.next;
    }
    for (id, position) in &ledger.acknowledged {
        assert_eq!(found.get(id), Some(position), "seed {seed} round {round}: {id} was acknowledged");
    }
    for ids in &ledger.open {
        let there = ids.iter().filter(|id| found.contains_key(*id)).count();
        assert!(there == 0 || there == ids.len(), "seed {seed} round {round}: a part of a batch is there: {ids:?}");
    }
    order
}
