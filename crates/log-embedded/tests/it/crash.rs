//! Crashes at random instants on the simulated disk: nothing acknowledged is lost, nothing appears twice.
//!
//! A life is several rounds of one log. A round ends with a power cut, which loses and tears what was not synced, or with
//! the end of the process alone, which loses nothing that the kernel holds. The index goes on from round to round, as it
//! is or behind, or is lost. In between single operations fail, and the log must go on.

use std::{collections::BTreeMap, sync::Arc};

use rand::{Rng, SeedableRng, rngs::SmallRng, seq::IndexedRandom};
use weir_domain::{Key, Position, SpaceName};
use weir_log::{Append, Filter, LogError, Read, conformance::StoppedClock};
use weir_log_embedded::{EmbeddedLog, IndexStore, Options, Workers, tools};
use weir_testkit::{KeptStore, SimDisk};

use crate::support::{append, event, tiny_options};

/// How many seeds the test suite runs.
const SEEDS: u64 = 10_000;

/// What the producer knows: acknowledged ids with their position, and batches whose fate is open.
#[derive(Default)]
struct Ledger {
    acknowledged: BTreeMap<String, Position>,
    open: Vec<Vec<String>>,
    next_id: u32,
}

#[test]
fn ten_thousand_crashes_lose_nothing() {
    let (mut repeated, mut went_on) = (0, 0);
    for seed in 0..SEEDS {
        let life = live(seed);
        repeated += life.found_again;
        went_on += life.went_on;
    }
    // The simulation is worth something only where it gets to these.
    assert!(repeated > 100, "batches without an answer that were there when they were repeated: {repeated}");
    assert!(went_on > 1000, "groups that were written after one that failed: {went_on}");
}

#[test]
fn one_seed_gives_one_run() {
    for seed in [1, 77, 4242] {
        assert_eq!(live(seed), live(seed));
    }
}

/// The blocks that a start makes of the log are those that the writer made: they end where a group ends.
#[test]
fn a_start_divides_the_index_as_the_writer_did() {
    let options = Options { segment_bytes: 3000, index_block_events: 7, index_blocks_max: 1000, ..tiny_options() };
    let (disk, store) = (SimDisk::default(), Arc::new(KeptStore::default()));
    let (_log, mut workers) = open(&disk, &store, &options).expect("the log opens");
    let other = SpaceName::new("other").expect("valid");
    for group in 0..40 {
        let batches: Vec<Append> = (0..1 + group % 5)
            .map(|number| {
                let space = if number % 2 == 0 { SpaceName::default() } else { other.clone() };
                Append::new(space, vec![event(&format!("event-{group}-{number}"), "k")])
            })
            .collect();
        workers.writer.step(&batches).expect("small").into_iter().for_each(|outcome| drop(outcome.expect("appended")));
        workers.indexer.step().expect("indexed");
        // Killed here, with an index that is lost: the next start makes all blocks anew.
        let fresh = Arc::new(KeptStore::default());
        open(&disk.copy(), &fresh, &options).map(|_| ()).expect("the log opens");
        assert_eq!(fresh.watermarks(), store.watermarks(), "group {group}");
    }
    assert!(store.watermarks().len() > 5);
}

/// What happened in a life.
#[derive(Debug, Default, PartialEq, Eq)]
struct Life {
    /// The ids in the log at the end.
    ids: Vec<String>,
    /// Batches without an answer that turned out to be there when they were repeated.
    found_again: u32,
    /// Groups that were written after one that failed in the same process.
    went_on: u32,
}

/// Several rounds of appending, crashing and reopening.
fn live(seed: u64) -> Life {
    let mut random = SmallRng::seed_from_u64(seed);
    let options = Options {
        segment_bytes: random.random_range(400..6000),
        index_block_events: random.random_range(1..40),
        // The indexer takes its steps on this thread: the writer must never wait for it.
        index_blocks_max: 1000,
        ..tiny_options()
    };
    let (mut disk, mut store) = (SimDisk::default(), Arc::new(KeptStore::default()));
    let (mut ledger, mut life) = (Ledger::default(), Life::default());
    for round in 0..random.random_range(1..6) {
        // All may end while the log is being opened, too.
        match random.random_range(0..8) {
            0 | 1 => disk.cut_power_after(random.random_range(0..16)),
            2 => disk.glitch_after(random.random_range(0..16)),
            3 => store.stop_after(random.random_range(0..3)),
            _ => {}
        }
        match open(&disk, &store, &options) {
            Ok((log, workers)) => {
                check(&log, &ledger, seed, round);
                disk.cut_power_after(random.random_range(0..80));
                if random.random() {
                    disk.glitch_after(random.random_range(0..40));
                }
                if random.random_range(0..3) == 0 {
                    store.stop_after(random.random_range(0..4));
                }
                work(workers, &disk, &mut random, &mut ledger, &mut life);
            }
            Err(error @ LogError::Corrupt { .. }) => panic!("seed {seed} round {round}: nothing is damaged: {error}"),
            Err(_) => {}
        }
        let power_went = random.random_range(0..3) > 0;
        if power_went {
            disk = disk.restart(random.random());
        } else {
            disk.revive();
        }
        store.restart(power_went, &mut random);
        if random.random_range(0..4) == 0 {
            store = Arc::default();
        }
    }
    let (log, workers) = match open(&disk, &store, &options) {
        Ok(opened) => opened,
        Err(error) => panic!("seed {seed}: {}", weir_domain::error_chain(&error)),
    };
    life.ids = check(&log, &ledger, seed, u32::MAX);
    check_lists(&log, seed);
    workers.writer.close().expect("closed");
    let found = tools::verify_on(&disk, Position::ORIGIN, &mut |_, _| {}).expect("readable");
    assert_eq!((found.damage, found.unfinished_bytes), (Vec::new(), 0), "seed {seed}");
    life
}

fn open(disk: &SimDisk, store: &Arc<KeptStore>, options: &Options) -> Result<(EmbeddedLog, Workers), LogError> {
    let store: Arc<dyn IndexStore> = store.clone();
    let opened = EmbeddedLog::open_on(Arc::new(disk.clone()), store, options.clone(), Arc::new(StoppedClock));
    opened.map(|(log, workers, _)| (log, workers))
}

/// A batch that was acknowledged, one that had no answer, or a new one.
fn draw(random: &mut SmallRng, ledger: &mut Ledger) -> Vec<String> {
    match (random.random_range(0..6), ledger.acknowledged.keys().next_back(), ledger.open.choose(random)) {
        (0 | 1, Some(id), _) => vec![id.clone()],
        (2, _, Some(batch)) => batch.clone(),
        _ => {
            let first = ledger.next_id + 1;
            ledger.next_id += random.random_range(1..6);
            (first..=ledger.next_id).map(|number| format!("event-{number}")).collect()
        }
    }
}

fn key(id: &str) -> String {
    format!("key-{}", id.len() % 3)
}

/// Appends groups until everything ends.
fn work(mut workers: Workers, disk: &SimDisk, random: &mut SmallRng, ledger: &mut Ledger, life: &mut Life) {
    let mut failed_before = false;
    for _ in 0..40 {
        let batches: Vec<_> = (0..random.random_range(1..4)).map(|_| draw(random, ledger)).collect();
        let appends: Vec<Append> =
            batches.iter().map(|ids| append(ids.iter().map(|id| event(id, &key(id))).collect())).collect();
        let outcomes = workers.writer.step(&appends).expect("small batches");
        let failed = outcomes.iter().any(Result::is_err);
        for (ids, outcome) in batches.into_iter().zip(outcomes) {
            let Ok(receipt) = outcome else {
                if !ledger.open.contains(&ids) {
                    ledger.open.push(ids);
                }
                continue;
            };
            let was_open = ledger.open.contains(&ids);
            life.found_again += u32::from(was_open && receipt.events[0].duplicate);
            ledger.open.retain(|open| *open != ids);
            for (id, entry) in ids.into_iter().zip(receipt.events) {
                let known = ledger.acknowledged.insert(id, entry.position);
                assert!(known.is_none_or(|before| before == entry.position && entry.duplicate));
            }
        }
        if disk.is_off() {
            return;
        }
        life.went_on += u32::from(failed_before && !failed);
        failed_before |= failed;
        if random.random() && workers.indexer.step().is_err() {
            // The process was killed there.
            return;
        }
    }
    if random.random() {
        // A clean stop may lose its race with the power as well.
        let _ = workers.writer.close();
        let _ = workers.indexer.step();
    }
}

/// Everything acknowledged is there once, at its position; everything else is a whole batch that was never answered.
fn check(log: &EmbeddedLog, ledger: &Ledger, seed: u64, round: u32) -> Vec<String> {
    let mut found = BTreeMap::new();
    let mut order = Vec::new();
    for (id, position) in read(log, Filter::All) {
        order.push(id.clone());
        let twice = found.insert(id, position);
        assert_eq!(twice, None, "seed {seed} round {round}: an event stands twice in the log");
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

/// The lists of the index say what a scan says.
fn check_lists(log: &EmbeddedLog, seed: u64) {
    let all = read(log, Filter::All);
    assert_eq!(read(log, Filter::Types(vec!["thing.happened".to_owned()])), all, "seed {seed}");
    for number in 0..3 {
        let name = format!("key-{number}");
        let expected: Vec<_> = all.iter().filter(|(id, _)| key(id) == name).cloned().collect();
        assert_eq!(read(log, Filter::Key(Key::new(name).expect("valid"))), expected, "seed {seed}");
    }
}

fn read(log: &EmbeddedLog, filter: Filter) -> Vec<(String, Position)> {
    let mut read = Read::forward(SpaceName::default(), Position::ORIGIN).filter(filter).events_max(100);
    let mut all = Vec::new();
    loop {
        let page = log.read_blocking(&read).expect("readable");
        all.extend(page.events.into_iter().map(|recorded| (recorded.event.id().to_owned(), recorded.position)));
        if page.end {
            return all;
        }
        read.from = page.next;
    }
}
