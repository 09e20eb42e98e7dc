//! How fast events are read and written on one core: the door does both for every event.

use std::fmt::Write;

use bytes::Bytes;
use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};

use weir_cloudevents::{binary, json};
use weir_domain::{Event, Limits};

const BATCH: usize = 100;

fn main() {
    divan::main();
}

/// One structured event of half a kilobyte, such as a shop sends.
fn structured(index: usize) -> String {
    let mut body = String::new();
    write!(
        body,
        r#"{{"specversion":"1.0","id":"6f1c2f0e-8a8b-4e8e-9a55-{index:012}","source":"/shop/orders","type":"order.placed","time":"2026-01-31T12:00:00.123456Z","subject":"order/{index}","datacontenttype":"application/json","partitionkey":"customer-42","data":{{"order":{index},"customer":{{"id":42,"name":"Ada Lovelace","country":"GB"}},"items":[{{"sku":"A-1001","count":2,"price":12.5}},{{"sku":"B-2002","count":1,"price":99.95}}],"note":"leave it at the door, please","paid":true}}}}"#
    )
    .expect("writing to a String");
    body
}

fn batch() -> Bytes {
    Bytes::from(format!("[{}]", (0..BATCH).map(structured).collect::<Vec<_>>().join(",")))
}

fn event() -> Event {
    json::decode(&Bytes::from(structured(7)), &Limits::default()).expect("valid")
}

#[divan::bench]
fn decode_structured(bencher: Bencher<'_, '_>) {
    let (body, limits) = (Bytes::from(structured(7)), Limits::default());
    bencher
        .counter(BytesCount::new(body.len()))
        .counter(ItemsCount::new(1usize))
        .bench(|| json::decode(black_box(&body), black_box(&limits)));
}

#[divan::bench]
fn decode_batch_of_100(bencher: Bencher<'_, '_>) {
    let (body, limits) = (batch(), Limits::default());
    bencher
        .counter(BytesCount::new(body.len()))
        .counter(ItemsCount::new(BATCH))
        .bench(|| json::decode_batch(black_box(&body), black_box(&limits)));
}

#[divan::bench]
fn decode_binary(bencher: Bencher<'_, '_>) {
    let ((headers, body), limits) = (binary::encode(&event()), Limits::default());
    bencher
        .counter(ItemsCount::new(1usize))
        .bench(|| binary::decode(black_box(&headers), black_box(&body).clone(), black_box(&limits)));
}

#[divan::bench]
fn encode_structured(bencher: Bencher<'_, '_>) {
    let event = event();
    let mut out = Vec::with_capacity(1024);
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        out.clear();
        json::encode(black_box(&event), &mut out);
        out.len()
    });
}

#[divan::bench]
fn encode_batch_of_100(bencher: Bencher<'_, '_>) {
    let events = json::decode_batch(&batch(), &Limits::default()).expect("valid");
    let mut out = Vec::with_capacity(BATCH * 1024);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        out.clear();
        json::encode_batch(black_box(&events), &mut out);
        out.len()
    });
}

#[divan::bench]
fn encode_binary(bencher: Bencher<'_, '_>) {
    let event = event();
    bencher.counter(ItemsCount::new(1usize)).bench(|| binary::encode(black_box(&event)));
}
