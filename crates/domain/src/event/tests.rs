//! Events give back what they were built of, and nothing broken is built.

use super::*;

fn full() -> Event {
    Event::builder("1", "/shop", "order.placed")
        .subject("order/7")
        .time("2026-01-31T12:00:00Z")
        .datacontenttype("application/json")
        .extension("partitionkey", AttributeValue::String("käse"))
        .extension("sequence", AttributeValue::Integer(-3))
        .extension("sampled", AttributeValue::Boolean(true))
        .data(Data::Json("{}".into()))
        .build()
        .expect("valid")
}

#[test]
fn an_event_gives_back_what_was_built() {
    let event = full();
    assert_eq!((event.id(), event.source(), event.event_type()), ("1", "/shop", "order.placed"));
    assert_eq!(event.subject(), Some("order/7"));
    assert_eq!(event.dataschema(), None);
    assert_eq!(event.extension("sequence"), Some(AttributeValue::Integer(-3)));
    assert_eq!(event.extension("sampled"), Some(AttributeValue::Boolean(true)));
    assert_eq!(event.default_key().expect("key").as_str(), "käse");
    assert_eq!(event.to_builder().build().expect("valid"), event);
}

#[test]
fn an_assembled_event_is_the_one_that_was_built() {
    let built = full();
    let fixed = [
        Some("1"),
        Some("/shop"),
        Some("order.placed"),
        Some("order/7"),
        Some("2026-01-31T12:00:00Z"),
        Some("application/json"),
        None,
    ];
    let extensions = [
        ("partitionkey", AttributeValue::String("käse")),
        ("sequence", AttributeValue::Integer(-3)),
        ("sampled", AttributeValue::Boolean(true)),
    ];
    let event = Event::assemble(fixed, extensions.into_iter(), Data::Json("{}".into())).expect("valid");
    assert_eq!(event, built);

    fn refused<'a>(fixed: [Option<&str>; FIXED], extensions: &[(&'a str, AttributeValue<'a>)]) -> String {
        Event::assemble(fixed, extensions.iter().copied(), Data::None).expect_err("broken").to_string()
    }
    let mut no_id = fixed;
    no_id[0] = None;
    assert_eq!(refused(no_id, &[]), "attribute \"id\" is required and must not be empty");
    let twice =
        [("a", AttributeValue::Integer(1)), ("b", AttributeValue::Integer(1)), ("a", AttributeValue::Integer(2))];
    assert_eq!(refused(fixed, &twice), "attribute \"a\" is given twice: give it once");
    let long = "n".repeat(300);
    let message = refused(fixed, &[(long.as_str(), AttributeValue::Integer(i32::MIN))]);
    assert!(message.ends_with("has a name longer than 64 characters: shorten it"), "{message}");
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let event = full();
    let (text, layout, data) = event.parts();
    assert_eq!(Event::from_parts(text.clone(), layout.clone(), data.clone()).as_ref(), Some(&event));
    let mut longer = layout.clone();
    longer.fixed[3] += 1;
    assert_eq!(Event::from_parts(text.clone(), longer, data.clone()), None);
    let mut huge = layout.clone();
    huge.fixed[6] = u32::MAX;
    assert_eq!(Event::from_parts(text.clone(), huge, data.clone()), None);
}

#[test]
fn broken_attributes_are_named() {
    let check = |builder: EventBuilder, attribute: &str| {
        let error = builder.build().expect_err(attribute);
        assert_eq!(error.attribute(), attribute, "{error}");
    };
    let good = || Event::builder("1", "/s", "t");
    check(Event::builder("", "/s", "t"), "id");
    check(Event::builder("1", "a b", "t"), "source");
    check(Event::builder("1", "/s", "t\n"), "type");
    check(good().subject(""), "subject");
    check(good().time("yesterday"), "time");
    check(good().datacontenttype("json"), "datacontenttype");
    check(good().dataschema("/relative"), "dataschema");
    check(good().extension("Upper", AttributeValue::Integer(1)), "Upper");
    check(good().extension("data", AttributeValue::Integer(1)), "data");
    check(good().extension("ok", AttributeValue::String("\u{fffe}")), "ok");
}
