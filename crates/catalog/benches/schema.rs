//! What the schema of ten properties costs for an event of half a kilobyte.

use std::sync::LazyLock;

use divan::black_box;
use serde_json::json;

use weir_catalog::{EventType, EventTypeName, Schema};
use weir_domain::{Data, Event};

fn main() {
    divan::main();
}

static ORDER: LazyLock<EventType> = LazyLock::new(|| {
    let document = json!({
        "type": "object",
        "properties": {
            "order": { "type": "string", "minLength": 1, "maxLength": 64 },
            "customer": { "type": "string", "pattern": "^c-[0-9]{6}$" },
            "placed": { "type": "string", "maxLength": 40 },
            "currency": { "enum": ["EUR", "USD", "GBP"] },
            "total": { "type": "number", "minimum": 0 },
            "paid": { "type": "boolean" },
            "note": { "type": ["string", "null"], "maxLength": 200 },
            "items": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": { "sku": { "type": "string" }, "count": { "type": "integer", "minimum": 1 } },
                    "required": ["sku", "count"]
                }
            },
            "address": {
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
                "required": ["city"]
            },
            "tags": { "type": "array", "items": { "type": "string" }, "uniqueItems": true }
        },
        "required": ["order", "customer", "total", "items"],
        "additionalProperties": false
    });
    let name = EventTypeName::new("order.placed").expect("a name");
    EventType { schema: Some(Schema::new(document)), ..EventType::new(name) }
});

fn event(total: i32) -> Event {
    let data = json!({
        "order": "o-2026-000471",
        "customer": "c-004711",
        "placed": "2026-01-31T12:00:00.000000Z",
        "currency": "EUR",
        "total": total,
        "paid": true,
        "note": "leave it with the neighbour on the ground floor, she is at home until noon",
        "items": [{ "sku": "weir-blue-xl", "count": 2 }, { "sku": "weir-red-s", "count": 1 }],
        "address": { "street": "Am Wehr 17", "city": "Basel" },
        "tags": ["spring", "campaign-17", "returning"]
    });
    let builder = Event::builder("1", "/shop", "order.placed").datacontenttype("application/json");
    builder.data(Data::Json(data.to_string().into())).build().expect("a valid event")
}

#[divan::bench]
fn valid(bencher: divan::Bencher<'_, '_>) {
    let event = event(100);
    assert!(ORDER.check(&event).is_ok());
    bencher.bench_local(|| ORDER.check(black_box(&event)).is_ok());
}

#[divan::bench]
fn broken(bencher: divan::Bencher<'_, '_>) {
    let event = event(-1);
    bencher.bench_local(|| ORDER.check(black_box(&event)).is_err());
}

/// What of it is reading the data.
#[divan::bench]
fn parse_alone(bencher: divan::Bencher<'_, '_>) {
    let event = event(100);
    bencher.bench_local(|| serde_json::from_slice::<serde_json::Value>(black_box(event.data().as_bytes())).is_ok());
}
