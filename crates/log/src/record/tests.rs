//! The stored form gives back every event, and no bytes make it panic.

use bytes::Bytes;
use proptest::prelude::*;
use weir_domain::{AttributeValue, Data, Event, Key};

use super::{decode, encode, split};
use crate::NewEvent;

fn any_event() -> impl Strategy<Value = NewEvent> {
    let data = prop_oneof![
        Just(Data::None),
        "[0-9]{1,20}".prop_map(|text| Data::Json(text.into())),
        "\\PC{0,40}".prop_map(|text| Data::Text(text.into())),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Data::Binary(bytes.into())),
    ];
    let extension = ("[a-z0-9]{1,12}", prop_oneof![any::<i32>().prop_map(Ok), "[ -~]{0,200}".prop_map(Err)]);
    let key = prop::option::of("\\PC{1,30}");
    ("[!-~]{1,40}", prop::option::of("[ -~]{1,20}"), prop::collection::vec(extension, 0..5), data, key).prop_map(
        |(id, subject, extensions, data, key)| {
            let mut builder = Event::builder(&id, "/source", "a.type").data(data);
            if let Some(subject) = subject {
                builder = builder.subject(&subject);
            }
            for (name, value) in &extensions {
                // The prefix keeps clear of the names that CloudEvents reserves.
                let value = value.as_ref().map_or_else(|s| AttributeValue::String(s), |i| AttributeValue::Integer(*i));
                builder = builder.extension(&format!("x{name}"), value);
            }
            NewEvent { event: builder.build().expect("valid"), key: key.and_then(Key::new) }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(events in prop::collection::vec(any_event(), 1..4)) {
        let mut out = Vec::new();
        events.iter().for_each(|event| encode(event, &mut out));
        let mut bytes = Bytes::from(out);
        for event in &events {
            let record = split(&mut bytes).expect("whole");
            prop_assert_eq!(&decode(record).expect("well formed"), event);
        }
        prop_assert!(bytes.is_empty());
    }

    #[test]
    fn no_bytes_make_it_panic(event in any_event(), at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let mut out = Vec::new();
        encode(&event, &mut out);
        let at = at.index(out.len());
        out[at] = byte;
        out.truncate(cut.index(out.len() + 1));
        let mut bytes = Bytes::from(out);
        if let Ok(record) = split(&mut bytes) {
            let _ = decode(record);
        }
    }
}
