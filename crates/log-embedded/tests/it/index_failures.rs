//! The index on a failing disk: it heals without a restart, and nothing but proven damage costs the cursors.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use tempfile::TempDir;
use weir_domain::{ErrorKind, Key, Position, SpaceName};
use weir_log::{Append, Filter, LogEngine, LogError, Read, conformance::StoppedClock};
use weir_log_embedded::{EmbeddedLog, FjallStore, IndexStore, Options, Workers};
use weir_testkit::SimDisk;

use crate::support::{append, event, tiny_options};

const CURSOR: &str = "cursor/default/mail/1";

const NOT_MOUNTED: &str = "skipped: mounting a small file system needs a privilege that this process does not have";

/// A file system of a few megabytes in memory, for as long as the value lives.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this process may not mount one.
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = TempDir::new().expect("a temporary directory");
        let size = format!("size={megabytes}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path()).output();
        if mount.is_ok_and(|done| done.status.success()) { Some(Self(directory)) } else { None }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all space that is left; the returned file gives it back when it is removed.
    fn fill(&self) -> PathBuf {
        let filler = self.path().join("filler");
        let mut bytes = Vec::new();
        for part in [1 << 20, 1 << 16, 1 << 12] {
            loop {
                bytes.resize(bytes.len() + part, 7);
                if fs::write(&filler, &bytes).is_err() {
                    bytes.truncate(bytes.len() - part);
                    break;
                }
            }
        }
        // What did not fit was written in part: now nothing is left.
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a store that a failed test left open does not keep it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn cursor(store: &dyn IndexStore, value: u64) -> Result<(), LogError> {
    store.store_checkpoints(&[(CURSOR.to_owned(), value.to_be_bytes().to_vec().into())])
}

fn stored(store: &dyn IndexStore) -> u64 {
    let value = store.load_checkpoint(CURSOR).expect("readable").expect("stored");
    u64::from_be_bytes(value.as_ref().try_into().expect("eight bytes"))
}

#[test]
fn checkpoints_heal_when_there_is_space_again() {
    let Some(disk) = SmallDisk::mount(12) else {
        println!("{NOT_MOUNTED}");
        return;
    };
    let directory = disk.path().join("index");
    let store = FjallStore::open(&directory).expect("the store opens");
    cursor(&store, 1).expect("stored");
    let filler = disk.fill();
    // The journal has a page that is begun, and opening the database again may give back some more.
    let (mut last, mut refusals) = (1, 0);
    for value in 2..100_000 {
        match cursor(&store, value) {
            Ok(()) => last = value,
            Err(error) => {
                assert!(matches!(error, LogError::DiskFull(_)), "the class stays: {error:?}");
                assert!(matches!(error.kind(), ErrorKind::Unavailable { retry_after: Some(_) }));
                assert!(stored(&store) >= last, "reads go on meanwhile");
                refusals += 1;
            }
        }
        if refusals == 5 {
            break;
        }
    }
    assert_eq!(refusals, 5, "the disk was full");
    fs::remove_file(filler).expect("removed");
    cursor(&store, 200_000).expect("there is space again");
    assert_eq!(stored(&store), 200_000);
    store.sync().expect("synced");
    drop(store);
    let store = FjallStore::open(&directory).expect("the store opens");
    assert_eq!(stored(&store), 200_000);
}

/// A log on a disk of its own, with its index on the small one.
fn open(index: &Path) -> (EmbeddedLog, Workers) {
    let store = FjallStore::open(index).expect("the store opens");
    // Nothing is kept in memory for readers: they go by the index.
    let options =
        Options { index_block_events: 4_000, segment_bytes: 4 << 20, tail_bytes_max: 0, ..Options::default() };
    let disk = Arc::new(SimDisk::default());
    let (log, workers, _) =
        EmbeddedLog::open_on(disk, Arc::new(store), options, Arc::new(StoppedClock)).expect("the log opens");
    (log, workers)
}

fn batch(first: usize, count: usize) -> Append {
    append((first..first + count).map(|n| event(&format!("event-{n}"), &format!("key-{}", n % 500))).collect())
}

#[test]
fn blocks_are_written_when_there_is_space_again() {
    let Some(disk) = SmallDisk::mount(12) else {
        println!("{NOT_MOUNTED}");
        return;
    };
    let (log, mut workers) = open(&disk.path().join("index"));
    workers.writer.step(&[batch(0, 4_000)]).expect("small").remove(0).expect("appended");
    workers.indexer.step().expect("indexed");
    let filler = disk.fill();
    workers.writer.step(&[batch(4_000, 4_000)]).expect("small").remove(0).expect("appended");
    for _ in 0..3 {
        let error = workers.indexer.step().expect_err("the disk is full");
        assert!(matches!(error, LogError::DiskFull(_)), "{error:?}");
    }
    let again = workers.writer.step(&[batch(3_990, 20)]).expect("small").remove(0).expect("look-ups go on");
    assert!(again.events.iter().all(|entry| entry.duplicate), "memory answers for what is not written");
    fs::remove_file(filler).expect("removed");
    workers.indexer.step().expect("there is space again");
    let read =
        Read::forward(SpaceName::default(), Position::ORIGIN).filter(Filter::Key(Key::new("key-7").expect("valid")));
    let page = log.read_blocking(&read).expect("readable");
    assert_eq!(page.events.len(), 16, "each event of the key once");
    let again = workers.writer.step(&[batch(0, 8_000)]).expect("small").remove(0).expect("answered");
    assert!(again.events.iter().all(|entry| entry.duplicate));
}

/// Waits for what a log does on the threads of a runtime.
fn done<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
}

/// A log with a cursor and an index of several tables, closed.
fn with_cursor(directory: &Path) {
    let (log, mut workers, _) =
        EmbeddedLog::open(directory, tiny_options(), Arc::new(StoppedClock), &mut |_| {}).expect("the log opens");
    for number in 0..40 {
        let batch = append(vec![event(&format!("event-{number}"), "k")]);
        workers.writer.step(&[batch]).expect("small").remove(0).expect("appended");
        workers.indexer.step().expect("indexed");
    }
    let cursor = vec![(CURSOR.to_owned(), 17u64.to_be_bytes().to_vec().into())];
    done(log.store_checkpoints(cursor)).expect("stored");
    workers.writer.close().expect("closed");
    workers.indexer.step().expect("indexed");
}

/// All tables of the index.
fn tables(index: &Path) -> Vec<PathBuf> {
    let keyspaces = fs::read_dir(index.join("keyspaces")).expect("a directory").map(|entry| entry.expect("readable"));
    let tables: Vec<PathBuf> = keyspaces
        // Keyspace 0 is the database's own.
        .filter(|keyspace| keyspace.file_name() != "0")
        .filter_map(|keyspace| fs::read_dir(keyspace.path().join("tables")).ok())
        .flat_map(|tables| tables.map(|entry| entry.expect("readable").path()))
        .collect();
    assert!(!tables.is_empty(), "blocks were written");
    tables
}

fn reopened(directory: &Path) -> Result<Option<u64>, LogError> {
    let (log, _workers, _) = EmbeddedLog::open(directory, tiny_options(), Arc::new(StoppedClock), &mut |_| {})?;
    let value = done(log.load_checkpoint(CURSOR))?;
    let page = log.read_blocking(&Read::forward(SpaceName::default(), Position::ORIGIN))?;
    assert_eq!(page.events.len(), 40);
    Ok(value.map(|value| u64::from_be_bytes(value.as_ref().try_into().expect("eight bytes"))))
}

#[test]
fn an_error_that_may_pass_leaves_the_cursors_where_they_are() {
    let directory = TempDir::new().expect("a temporary directory");
    with_cursor(directory.path());
    let tables = tables(&directory.path().join("index"));
    let away = |number: usize| directory.path().join(format!("away-{number}"));
    for (number, table) in tables.iter().enumerate() {
        fs::rename(table, away(number)).expect("moved");
        // Opening a link to itself is an error of the operating system, as a failing disk or too many open files are.
        symlink(table, table).expect("linked");
    }
    let error = reopened(directory.path()).expect_err("the index cannot be opened");
    assert!(matches!(error, LogError::Io { .. }), "{error:?}");
    assert!(weir_domain::error_chain(&error).contains("index"), "{error}");
    assert!(!directory.path().join("index.damaged-1").exists(), "nothing was moved aside");
    for (number, table) in tables.iter().enumerate() {
        // In the place of the link.
        fs::rename(away(number), table).expect("moved back");
    }
    assert_eq!(reopened(directory.path()).expect("the log opens"), Some(17));
}

#[test]
fn a_damaged_index_is_moved_aside_and_built_anew() {
    let directory = TempDir::new().expect("a temporary directory");
    with_cursor(directory.path());
    // The database knows that there were tables.
    for table in tables(&directory.path().join("index")) {
        fs::remove_file(table).expect("removed");
    }
    assert_eq!(reopened(directory.path()).expect("the log opens"), Some(17), "the cursor is that of the copy");
    assert!(directory.path().join("index.damaged-1").exists());
    assert_eq!(reopened(directory.path()).expect("the log opens"), Some(17));
}

/// The copy may be older than the removal. A cursor that came back would make a server tell of events that were dropped,
/// which all were delivered.
#[test]
fn cursors_that_were_removed_do_not_come_back_from_the_copy() {
    let directory = TempDir::new().expect("a temporary directory");
    with_cursor(directory.path());
    {
        let opened = EmbeddedLog::open(directory.path(), tiny_options(), Arc::new(StoppedClock), &mut |_| {});
        let (log, _workers, _) = opened.expect("the log opens");
        // The first change is copied at once, the second one not so soon.
        let cursor = vec![(CURSOR.to_owned(), 18u64.to_be_bytes().to_vec().into())];
        done(log.store_checkpoints(cursor)).expect("stored");
        done(log.remove_checkpoints(vec![CURSOR.to_owned()])).expect("removed");
    }
    assert_eq!(reopened(directory.path()).expect("the log opens"), None);
    fs::remove_dir_all(directory.path().join("index")).expect("removed");
    assert_eq!(
        reopened(directory.path()).expect("the log opens"),
        Some(18),
        "where the index is lost, that is the best"
    );
}

#[test]
fn a_copy_of_the_cursors_that_is_damaged_gives_none() {
    let directory = TempDir::new().expect("a temporary directory");
    with_cursor(directory.path());
    fs::remove_dir_all(directory.path().join("index")).expect("removed");
    let copy = directory.path().join("checkpoints");
    let mut bytes = fs::read(&copy).expect("there is a copy");
    bytes[20] ^= 1;
    fs::write(copy, bytes).expect("written");
    assert_eq!(reopened(directory.path()).expect("the log opens"), None);
}

#[test]
fn an_index_whose_creation_was_interrupted_is_made_anew() {
    let directory = TempDir::new().expect("a temporary directory");
    with_cursor(directory.path());
    let index = directory.path().join("index");
    fs::remove_dir_all(&index).expect("removed");
    fs::create_dir_all(index.join("keyspaces")).expect("created");
    fs::write(index.join("lock"), "").expect("written");
    fs::write(index.join("0.jnl"), "").expect("written");
    assert_eq!(reopened(directory.path()).expect("the log opens"), Some(17));
}

/// A log of the version before, whose index may hold lists that overlap.
#[test]
fn an_older_index_is_built_anew_and_keeps_the_cursors() {
    let directory = TempDir::new().expect("a temporary directory");
    with_cursor(directory.path());
    {
        let database = fjall::Database::builder(directory.path().join("index")).open().expect("the database opens");
        let meta = database.keyspace("meta", fjall::KeyspaceCreateOptions::default).expect("opened");
        let mark = meta.get("watermark-2").expect("readable").expect("there");
        meta.insert("watermark", mark).expect("written");
        meta.remove("watermark-2").expect("removed");
        database.persist(fjall::PersistMode::SyncAll).expect("synced");
    }
    assert_eq!(reopened(directory.path()).expect("the log opens"), Some(17));
    let store = FjallStore::open(&directory.path().join("index")).expect("the store opens");
    assert!(store.watermark().expect("readable").is_some(), "the index was built anew");
}
