//! Looking into a damaged log on a real disk.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use weir_log::LogEngine;

use super::*;
use crate::support::spawn;

/// A closed log of 60 events in several segments, and the paths of these.
async fn on_disk() -> (TempDir, Vec<PathBuf>) {
    let place = TempDir::new().expect("a temporary directory");
    let (log, workers, _) =
        EmbeddedLog::open(place.path(), tiny_options(), Arc::new(StoppedClock), &mut |_| {}).expect("the log opens");
    let threads = spawn(workers);
    for number in 0..60 {
        log.append(append(vec![event(&format!("event-{number}"), "k")])).await.expect("appended");
    }
    log.close().await.expect("closed");
    drop(log);
    threads.into_iter().for_each(|thread| thread.join().expect("the worker ends"));
    let files = fs::read_dir(place.path().join("log")).expect("readable");
    let mut segments: Vec<_> = files.map(|entry| entry.expect("readable").path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    segments.sort();
    assert!(segments.len() > 2, "{segments:?}");
    (place, segments)
}

#[tokio::test]
async fn an_index_that_cannot_be_read_does_not_keep_verify_from_the_segments() {
    let (place, _) = on_disk().await;
    fs::write(place.path().join("index/version"), "nonsense").expect("written");
    let found = tools::verify(place.path(), &mut |_, _| {}).expect("the segments are verified");
    assert!(found.index_error.is_some());
    assert_eq!((found.events, found.damage), (60, Vec::new()));
}

#[tokio::test]
async fn an_index_that_is_missing_is_told_and_not_made() {
    let (place, _) = on_disk().await;
    let index = place.path().join("index");
    let whole = tools::verify(place.path(), &mut |_, _| {}).expect("verified");
    assert_eq!(whole.index_error, None);
    fs::remove_dir_all(&index).expect("removed");
    let found = tools::verify(place.path(), &mut |_, _| {}).expect("the segments are verified");
    assert_eq!(found.index_error, Some(format!("there is none at {}", index.display())));
    assert_eq!((found.events, found.damage), (60, Vec::new()));
    assert!(!index.exists());
}

#[tokio::test]
async fn damage_ends_what_inspect_shows() {
    let (place, segments) = on_disk().await;
    let directory = place.path();
    let mut bytes = fs::read(&segments[1]).expect("readable");
    let frames = frames::of(&bytes);
    let damaged = &frames[frames.len() / 2];
    bytes[damaged.offset + 100] ^= 1;
    fs::write(&segments[1], bytes).expect("written");
    let shown = tools::events_at(directory, Position::ORIGIN, 1000).expect("shown");
    assert_eq!(shown.len() as u64, damaged.base - 1, "nothing is shown behind a hole");
    assert_eq!(tools::frames(directory, Position::ORIGIN, 1000).expect("shown").len() as u64, damaged.base - 1);
    let error = tools::events_at(directory, damaged.positions().first, 10).expect_err("it cannot be read");
    let named = matches!(&error, LogError::Corrupt { file, offset, .. }
        if *file == segments[1] && *offset == damaged.offset as u64);
    assert!(named, "{error}");
    // What lies in an undamaged segment is shown, up to the end.
    let behind = tools::segments(directory).expect("listed")[2].base;
    let shown = tools::events_at(directory, behind, 1000).expect("shown");
    assert_eq!(shown.last().map(|(_, recorded)| recorded.position), Some(Position::new(60)));
}
