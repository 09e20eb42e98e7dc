//! A page ends after so many bytes of the log, full or not: a reader of few events holds nobody up.

use std::sync::Arc;

use tempfile::TempDir;
use weir_domain::{Data, Event, Position, SpaceName};
use weir_log::{Append, Direction, LogEngine, NewEvent, Page, Read, conformance::StoppedClock};
use weir_log_embedded::{EmbeddedLog, MemoryStore, Options, RealDisk};

use crate::support::{append, event};

const LARGE_BYTES: usize = 9 << 20;
/// More than one page goes over.
const LARGE_EVENTS: u64 = 9;

fn large(number: u64) -> Append {
    let data = Data::Binary(vec![7; LARGE_BYTES].into());
    let event = Event::builder(&format!("large-{number}"), "/test", "large").data(data).build().expect("valid");
    Append::new(SpaceName::new("other").expect("valid"), vec![NewEvent { event, key: None }])
}

fn pages(log: &EmbeddedLog, mut read: Read) -> Vec<Page> {
    let mut pages = Vec::new();
    loop {
        let page = log.read_blocking(&read).expect("readable");
        let onward = match read.direction {
            Direction::Forward => page.next > read.from,
            Direction::Backward => page.next < read.from,
        };
        assert!(page.end || onward, "each page comes further: {read:?}");
        let (next, end) = (page.next, page.end);
        pages.push(page);
        assert!(pages.len() < 10, "a page goes over more than one frame");
        if end {
            return pages;
        }
        read.from = next;
    }
}

#[test]
fn a_page_ends_before_it_has_gone_over_the_whole_log() {
    let directory = TempDir::new().expect("a temporary directory");
    let disk = Arc::new(RealDisk::new(directory.path()).expect("created"));
    let store = Arc::new(MemoryStore::default());
    let (log, mut workers, _) =
        EmbeddedLog::open_on(disk, store, Options::default(), Arc::new(StoppedClock)).expect("the log opens");
    let mine = |id: &str| append(vec![event(id, "k")]);
    let mut step = |batch: Append| workers.writer.step(&[batch]).expect("small").remove(0).expect("appended");
    step(mine("first"));
    (0..LARGE_EVENTS).for_each(|number| drop(step(large(number))));
    step(mine("last"));
    assert_eq!(*log.durable_end().borrow(), Position::new(LARGE_EVENTS + 2));
    for (read, expected) in [
        (Read::forward(SpaceName::default(), Position::ORIGIN), ["first", "last"]),
        (Read::backward(SpaceName::default(), Position::new(LARGE_EVENTS + 2)), ["last", "first"]),
    ] {
        let pages = pages(&log, read);
        let found: Vec<_> = pages.iter().flat_map(|page| &page.events).map(|recorded| recorded.event.id()).collect();
        assert_eq!(found, expected);
        assert!(pages.len() > 1, "the first page ends in the middle of what is not ours");
    }
}
