//! Whose memory the events of a page keep.

use bytes::Bytes;
use weir_domain::{Data, Event, Position, SpaceName, Timestamp};
use weir_log::{Filter, NewEvent, Read, record};

use super::Collector;
use crate::frame::{self, CHAIN_START, Frame};

/// Bytes of data in each event: what else a record holds is small against it.
const DATA_BYTES: usize = 1_000;

/// A buffer that holds frames of so many events each; every fourth event is of another type.
fn buffer(counts: &[u64]) -> (Vec<Frame>, usize) {
    let mut bytes = Vec::new();
    let mut starts = Vec::new();
    let mut next = Position::ORIGIN.next();
    for count in counts {
        let start = frame::begin("default", &mut bytes);
        let base = next;
        for _ in 0..*count {
            let event_type = if next.get().is_multiple_of(4) { "rare" } else { "common" };
            let data = Data::Binary(vec![7; DATA_BYTES].into());
            let event = Event::builder(&next.to_string(), "/test", event_type).data(data).build().expect("valid");
            record::encode(&NewEvent { event, key: None }, &mut bytes);
            next = next.next();
        }
        let draft = frame::Draft {
            flags: 0,
            space: "default",
            base,
            count: *count as u32,
            recorded: Timestamp::from_unix_micros(1),
            durable: Position::ORIGIN,
        };
        frame::finish(&draft, &CHAIN_START, start, &mut bytes);
        starts.push(start);
    }
    let bytes = Bytes::from(bytes);
    let frames = starts.iter().map(|start| Frame::read(&bytes.slice(*start..)).expect("whole"));
    (frames.collect(), bytes.len())
}

/// Reads a page from the frames of one buffer, of which this is the size, and tells for each event whether it lies there.
fn shares(frames: &[Frame], buffer_bytes: usize, read: &Read) -> Vec<bool> {
    let last = frames.last().expect("there are frames");
    let memory = frames[0].bytes.as_ptr().addr()..last.bytes.as_ptr().addr() + last.bytes.len();
    let mut collector = Collector::new(read, last.header.end().previous());
    for frame in frames {
        if collector.forward(frame.clone(), buffer_bytes).expect("well formed").is_some() {
            break;
        }
    }
    let page = collector.page(Position::ORIGIN, true);
    let mut expected = read.from.max(Position::ORIGIN.next());
    page.events
        .iter()
        .map(|recorded| {
            assert!(recorded.position >= expected, "events come in order, each once");
            expected = recorded.position.next();
            assert_eq!(recorded.event.id(), recorded.position.to_string());
            let Data::Binary(data) = recorded.event.data() else { panic!("the data was binary") };
            assert_eq!(data.len(), DATA_BYTES);
            memory.contains(&data.as_ptr().addr())
        })
        .collect()
}

fn all() -> Read {
    Read::forward(SpaceName::default(), Position::ORIGIN)
}

#[test]
fn a_page_that_takes_most_of_a_buffer_copies_nothing() {
    let (frames, bytes) = buffer(&[10, 1, 29]);
    assert_eq!(shares(&frames, bytes, &all()), [true; 40]);
    // Each frame is a small part, all together are the whole.
    let (frames, bytes) = buffer(&[1; 40]);
    assert_eq!(shares(&frames, bytes, &all()), [true; 40]);
    assert_eq!(shares(&frames, bytes, &all().events_max(20)), [true; 20]);
}

#[test]
fn few_events_of_a_buffer_get_memory_of_their_own() {
    let (frames, bytes) = buffer(&[10, 1, 29]);
    assert_eq!(shares(&frames, bytes, &all().events_max(3)), [false; 3]);
    assert_eq!(shares(&frames, bytes, &all().filter(Filter::Types(vec!["absent".to_owned()]))), Vec::<bool>::new());
    let last = Read::forward(SpaceName::default(), Position::new(39));
    assert_eq!(shares(&frames, bytes, &last), [false; 2]);
    // A buffer of which only a small part is ours, as behind a read of a whole chunk.
    let (frames, bytes) = buffer(&[2]);
    assert_eq!(shares(&frames, bytes * 100, &all()), [false; 2]);
}

#[test]
fn a_filter_counts_what_it_takes() {
    let (frames, bytes) = buffer(&[40]);
    let rare = all().filter(Filter::Types(vec!["rare".to_owned()]));
    assert_eq!(shares(&frames, bytes, &rare), [false; 10], "a quarter of the data, less what else the records hold");
    let common = all().filter(Filter::Types(vec!["common".to_owned()]));
    assert_eq!(shares(&frames, bytes, &common), [true; 30]);
}
