//! What the database holds after it was broken off at the worst places.

use std::{collections::BTreeSet, io};

use tempfile::TempDir;
use weir_domain::{Position, SpaceName};
use weir_log::{Direction, LogError};

use super::{FjallStore, WATERMARK, trouble::Trouble};
use crate::{
    index::{Block, FramePlace, Watermark},
    prepare::{IdHash, ListName},
    store::IndexStore,
};

/// Events in the log of these tests: enough for lists of several chunks.
const EVENTS: u64 = 9_000;

fn id(position: u64) -> IdHash {
    u128::from(position).to_be_bytes()
}

fn list(kind: u8, number: u64) -> ListName {
    let mut name = [kind; 17];
    name[9..].copy_from_slice(&number.to_be_bytes());
    name
}

/// The key of an event: few events have the later ones.
fn key_of(position: u64) -> ListName {
    list(1, u64::from((position * 7919 % 4096).leading_zeros()))
}

/// The type of an event: two that alternate, and one that only comes in one stretch.
fn type_of(position: u64) -> ListName {
    if (4_000..4_400).contains(&position) { list(2, 9) } else { list(2, position % 2) }
}

/// The block that the engine would make of the events from one position to another.
fn block(first: u64, last: u64) -> Block {
    let mut block = Block::new(Position::new(first));
    for position in first..=last {
        let at = Position::new(position);
        assert_eq!(block.add(id(position), Some(key_of(position)), type_of(position), at), None);
        block.note_frame(FramePlace { base: at, segment: Position::new(1), offset: 128 + position * 700 });
    }
    block.spaces.insert(SpaceName::default(), Position::new(last));
    block.watermark =
        Some(Watermark { position: Position::new(last), segment: Position::new(1), offset: 128, chain: [7; 32] });
    block
}

fn open(directory: &TempDir) -> FjallStore {
    FjallStore::open(&directory.path().join("index")).expect("the store opens")
}

/// Writes the parts of a block and stops before the watermark, as a kill does.
fn add_in_part(store: &FjallStore, block: &Block) {
    let done = store.with(|open| {
        let before = open.begin(block.watermark.as_ref().expect("frozen").position)?;
        open.ingest(block, before >= block.start)
    });
    done.expect("open").expect("ingested");
}

/// Compares every list, read from many places in both directions, with a look at all events up to one.
fn check_lists(store: &FjallStore, last: u64) {
    let names: BTreeSet<ListName> = (1..=last).flat_map(|p| [key_of(p), type_of(p)]).collect();
    for name in names {
        let all: Vec<u64> = (1..=last).filter(|p| key_of(*p) == name || type_of(*p) == name).collect();
        for from in (0..=last + 300).step_by(431).chain([u64::MAX]) {
            for most in [1, 3, 5_000] {
                let forward: Vec<u64> = all.iter().copied().filter(|p| *p >= from).take(most).collect();
                let backward: Vec<u64> = all.iter().rev().copied().filter(|p| *p <= from).take(most).collect();
                for (direction, expected) in [(Direction::Forward, forward), (Direction::Backward, backward)] {
                    let found = store.list(&name, Position::new(from), direction, most).expect("readable");
                    let found: Vec<u64> = found.into_iter().map(Position::get).collect();
                    assert_eq!(found, expected, "{name:?} {direction:?} from {from}, at most {most}");
                }
            }
        }
    }
}

#[test]
fn a_block_that_was_added_in_part_may_be_added_again_with_other_bounds() {
    // Where the first block ends, where the one that is broken off would end, and where those end that come instead.
    let cases: [(u64, &[u64], &[u64]); 4] = [
        (1_000, &[7_000], &[3_001, 5_000, EVENTS]),
        (1_000, &[3_000], &[6_500, EVENTS]),
        // The one that comes instead is broken off, too, and ends earlier, and later.
        (2_000, &[8_000, 4_200, 6_000], &[4_100, 4_150, 6_100, EVENTS]),
        (4_100, &[4_300], &[4_150, 4_250, 4_350, EVENTS]),
    ];
    for (first, broken_off, instead) in cases {
        let directory = TempDir::new().expect("a temporary directory");
        open(&directory).add(&block(1, first)).expect("added");
        for end in broken_off {
            add_in_part(&open(&directory), &block(first + 1, *end));
        }
        let store = open(&directory);
        let mark = store.watermark().expect("readable").expect("there");
        assert_eq!(mark.position, Position::new(first), "the watermark is last");
        let mut begin = first + 1;
        for end in instead {
            store.add(&block(begin, *end)).expect("added");
            begin = end + 1;
        }
        check_lists(&store, EVENTS);
        drop(store);
        let store = open(&directory);
        check_lists(&store, EVENTS);
        let noted = store.with(|open| open.begin(Position::ORIGIN)).expect("open").expect("readable");
        assert_eq!(noted, Position::ORIGIN, "nothing is unfinished any more");
    }
}

#[test]
fn adding_a_block_again_changes_nothing() {
    let directory = TempDir::new().expect("a temporary directory");
    let store = open(&directory);
    store.add(&block(1, 2_500)).expect("added");
    store.add(&block(2_501, 5_000)).expect("added");
    store.add(&block(2_501, 5_000)).expect("added again");
    check_lists(&store, 5_000);
}

#[test]
fn an_index_that_lost_its_watermark_is_cleared_all_the_same() {
    let directory = TempDir::new().expect("a temporary directory");
    let store = open(&directory);
    store.store_checkpoints(&[("cursor".into(), "7".into())]).expect("stored");
    store.add(&block(1, 600)).expect("added");
    // A clear that is broken off after its first step.
    let cut = store.with(|open| open.database.delete_keyspace(open.index.meta.clone()));
    cut.expect("open").expect("deleted");
    drop(store);
    let store = open(&directory);
    assert_eq!(store.watermark().expect("readable"), None);
    assert!(store.id(&id(550)).expect("readable").is_some(), "what the clear did not reach is still there");
    store.clear_index().expect("cleared");
    assert_eq!(store.id(&id(550)).expect("readable"), None, "a lost event is no duplicate");
    let listed = store.list(&type_of(1), Position::ORIGIN, Direction::Forward, 9).expect("readable");
    assert_eq!(listed, Vec::new());
    assert_eq!(store.newest_of_space(&SpaceName::default()).expect("readable"), None);
    assert_eq!(store.load_checkpoint("cursor").expect("readable").as_deref(), Some(&b"7"[..]));
    store.add(&block(1, 500)).expect("added");
    check_lists(&store, 500);
}

#[test]
fn a_watermark_of_another_version_or_form_is_none() {
    let directory = TempDir::new().expect("a temporary directory");
    let store = open(&directory);
    store.add(&block(1, 10)).expect("added");
    assert!(store.watermark().expect("readable").is_some());
    let written = store.with(|open| open.index.meta.insert(WATERMARK, "short"));
    written.expect("open").expect("written");
    assert_eq!(store.watermark().expect("no error"), None);
    store.clear_index().expect("it can be cleared");
    let written = store.with(|open| open.index.meta.insert("watermark", vec![0u8; 56]));
    written.expect("open").expect("written");
    assert_eq!(store.watermark().expect("readable"), None, "the index of version 1 is built anew");
    store.clear_index().expect("cleared");
}

#[test]
fn only_proven_damage_costs_the_cursors() {
    let nowhere = TempDir::new().expect("a temporary directory");
    let opening = |error: fjall::Error| Trouble::from(error).while_opening(nowhere.path());
    for number in [5, 24, 13, 12] {
        let system = || io::Error::from_raw_os_error(number);
        for error in [fjall::Error::Io(system()), fjall::Error::Storage(fjall::LsmError::Io(system()))] {
            assert!(matches!(opening(error), LogError::Io { .. }), "error {number} of the operating system may pass");
        }
    }
    let full = fjall::Error::Storage(fjall::LsmError::Io(io::Error::from_raw_os_error(28)));
    assert!(matches!(opening(full), LogError::DiskFull(_)));
    assert!(matches!(opening(fjall::Error::Locked), LogError::Unusable { .. }));
    let cut_off = || io::Error::new(io::ErrorKind::UnexpectedEof, "cut off");
    let damage = [
        fjall::Error::Unrecoverable,
        fjall::Error::Storage(fjall::LsmError::Unrecoverable),
        fjall::Error::Storage(fjall::LsmError::Io(cut_off())),
        fjall::Error::JournalRecovery(fjall::JournalRecoveryError::ChecksumMismatch),
        // Its creation was interrupted: nothing was stored in it.
        fjall::Error::Io(io::ErrorKind::AlreadyExists.into()),
    ];
    for error in damage {
        let told = error.to_string();
        assert!(matches!(opening(error), LogError::Index { .. }), "{told}");
    }
}
