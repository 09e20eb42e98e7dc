//! Version 1 of the file format, kept as a fixture and opened for ever.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::TempDir;
use weir_domain::{Data, Event, Key, Position, SpaceName};
use weir_log::{Append, LogEngine, LogError, NewEvent, Read, conformance::StoppedClock};
use weir_log_embedded::{EmbeddedLog, Options, tools};

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1")
}

fn copy_fixture(to: &Path) {
    for entry in fs::read_dir(fixture()).expect("the fixture is there") {
        let entry = entry.expect("readable");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

fn events() -> Vec<NewEvent> {
    let json = Event::builder("1", "/shop/käse", "order.placed");
    let json = json.subject("order/7").time("2026-01-31T12:00:00Z").datacontenttype("application/json");
    let json = json.extension("sequence", weir_domain::AttributeValue::Integer(-7));
    let json = json.extension("sampled", weir_domain::AttributeValue::Boolean(true));
    let all = [
        json.source("/shop").data(Data::Json("{\"a\": [1, 2.5, null]}".into())),
        Event::builder("2", "/shop", "note").datacontenttype("text/plain").data(Data::Text("grüße".into())),
        Event::builder("3", "/shop", "blob").data(Data::Binary(vec![0, 255, 7].into())),
        Event::builder("4", "/shop", "nothing").dataschema("https://example.com/schema"),
    ];
    all.into_iter()
        .map(|builder| builder.build().expect("valid"))
        .map(|event| NewEvent { key: event.default_key().or_else(|| Key::new("k")), event })
        .collect()
}

/// Writes the fixture when asked to, which is once for each format version: set WEIR_WRITE_FIXTURE=1.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the switch that writes the fixture is for the author of a new version")]
async fn version_1_opens() {
    let copy = TempDir::new().expect("a temporary directory");
    let log = copy.path().join("log");
    fs::create_dir(&log).expect("created");
    let write = std::env::var_os("WEIR_WRITE_FIXTURE").is_some();
    if !write {
        copy_fixture(&log);
    }
    let options = Options { segment_bytes: 4096, ..Options::default() };
    let (opened, workers, _) =
        EmbeddedLog::open(copy.path(), options, Arc::new(StoppedClock), &mut |_| {}).expect("version 1 opens");
    let threads = crate::support::spawn(workers);
    if write {
        let batch = events();
        opened.append(Append::new(SpaceName::default(), batch[..2].to_vec())).await.expect("appended");
        opened.append(Append::new(SpaceName::default(), batch[2..].to_vec())).await.expect("appended");
    }
    let page = opened.read(Read::forward(SpaceName::default(), Position::ORIGIN)).await.expect("readable");
    let found: Vec<_> = page.events.iter().map(|r| NewEvent { event: r.event.clone(), key: r.key.clone() }).collect();
    assert_eq!(found, events());
    opened.close().await.expect("closed");
    if write {
        fs::create_dir_all(fixture()).expect("created");
        for entry in fs::read_dir(&log).expect("readable") {
            let entry = entry.expect("readable");
            if entry.file_name() != "LOCK" {
                fs::copy(entry.path(), fixture().join(entry.file_name())).expect("copied");
            }
        }
    }
    drop(opened);
    threads.into_iter().for_each(|thread| thread.join().expect("the worker ends"));
    let found = tools::verify(copy.path(), &mut |_, _| {}).expect("readable");
    assert_eq!((found.events, found.damage.len()), (4, 0));
}

/// A program that meets a version which it does not know names both, and leaves everything as it is.
#[test]
fn a_later_version_is_refused_by_its_number() {
    let copy = TempDir::new().expect("a temporary directory");
    let log = copy.path().join("log");
    fs::create_dir(&log).expect("created");
    copy_fixture(&log);
    let segment = log.join("00000000000000000001.seg");
    let mut bytes = fs::read(&segment).expect("readable");
    // A sound header of version 2.
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..64]);
    bytes[64..68].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segment, &bytes).expect("written");
    let opened = EmbeddedLog::open(copy.path(), Options::default(), Arc::new(StoppedClock), &mut |_| {});
    let Err(error) = opened.map(|_| ()) else { panic!("a later version opened") };
    let LogError::Unusable { path, detail } = &error else { panic!("{error}") };
    assert!(path.ends_with("log/00000000000000000001.seg"), "{error}");
    assert!(detail.contains("its format is version 2, and this program knows version 1"), "{error}");
    assert_eq!(fs::read(&segment).expect("readable"), bytes);
}
