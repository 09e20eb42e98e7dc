//! Subscriptions and events, all from one seed: the same number gives the same rule in every run.

use serde_json::{Value, json};
use weir_domain::{AttributeValue, Data, Event};
use weir_routing::{Filter, Method, Rule, TypePattern};

/// How many subscriptions there are for each event type on average.
const SUBSCRIPTIONS_EACH: usize = 20;
const SHOPS: usize = 2000;
const TENANTS: u64 = 1000;
const SEED: u64 = 0x5eed;

/// What subscriptions of a certain number look like, and the events for them.
pub(crate) struct Mix {
    types: usize,
}

/// A rule that owns what it is about.
pub(crate) struct Owned {
    event_type: TypePattern,
    filter: Option<Filter>,
}

impl Owned {
    pub(crate) fn rule(&self) -> Rule<'_> {
        Rule { event_type: &self.event_type, method: Method::Post, path: "/", filter: self.filter.as_ref() }
    }

    pub(crate) fn wants(&self, event: &Event) -> bool {
        self.event_type.matches(event.event_type()) && self.filter.as_ref().is_none_or(|filter| filter.matches(event))
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Returns a number of at least 0 and less than 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Mix {
    pub(crate) fn new(subscriptions: usize) -> Self {
        Self { types: (subscriptions / SUBSCRIPTIONS_EACH).max(1) }
    }

    /// Draws a type: the first ones often, the last ones seldom.
    fn drawn(&self, numbers: &mut Numbers) -> usize {
        let share = numbers.share();
        (share * share * self.types as f64) as usize
    }

    fn name(number: usize) -> String {
        format!("shop{}.order{}.done{number}", number % SHOPS, number / SHOPS)
    }

    /// Makes the rule of a number.
    pub(crate) fn rule(&self, number: usize) -> Owned {
        let mut numbers = Numbers(SEED ^ (number as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
        let place = self.drawn(&mut numbers);
        let name = Self::name(place);
        let (event_type, filter) = match numbers.below(100) {
            0..60 => (name, None),
            60..80 => (name, Some(Self::equality(&mut numbers))),
            80..85 => (name, Some(Self::prefix(&mut numbers))),
            85..90 => Self::wildcard(place, &mut numbers),
            90..95 => (name, Some(Self::cesql(&mut numbers))),
            _ => (name, Some(Self::pattern(&mut numbers))),
        };
        Owned {
            event_type: TypePattern::parse(&event_type).unwrap(),
            filter: filter.map(|filter| Filter::parse(&filter).unwrap()),
        }
    }

    fn equality(numbers: &mut Numbers) -> Value {
        match numbers.below(2) {
            0 => json!({ "exact": { "tenant": format!("t{}", numbers.below(TENANTS)) } }),
            _ => json!({ "exact": { "subject": format!("order/{}", numbers.below(100_000)) } }),
        }
    }

    fn prefix(numbers: &mut Numbers) -> Value {
        json!({ "prefix": { "subject": format!("order/{}", numbers.below(1000)) } })
    }

    /// Returns a wildcard over few types, or over many and then for one tenant.
    fn wildcard(place: usize, numbers: &mut Numbers) -> (String, Option<Value>) {
        let (shop, order) = (place % SHOPS, place / SHOPS);
        let of_tenant = Some(Self::equality(numbers));
        match numbers.below(3) {
            0 => (format!("shop{shop}.order{order}.*"), None),
            1 => (format!("shop{shop}.>"), of_tenant),
            _ => (format!("*.order{order}.done{place}"), of_tenant),
        }
    }

    fn cesql(numbers: &mut Numbers) -> Value {
        let (tenant, amount) = (numbers.below(TENANTS), numbers.below(1000));
        match numbers.below(2) {
            0 => json!({ "sql": format!("tenant = 't{tenant}' AND amount > {amount}") }),
            _ => {
                let subject = format!("subject LIKE 'order/{tenant}%'");
                json!({ "sql": format!("{subject} AND region IN ('eu', 'us') AND NOT EXISTS flag") })
            }
        }
    }

    fn pattern(numbers: &mut Numbers) -> Value {
        let (customer, price) = (numbers.below(10_000), numbers.below(1000));
        let data = match numbers.below(2) {
            0 => json!({ "customer": { "id": [format!("c{customer}")] } }),
            _ => json!({ "price": [{ "numeric": [">=", price, "<", price + 20] }] }),
        };
        json!({ "pattern": { "data": data } })
    }

    /// Makes events of about 600 bytes.
    pub(crate) fn events(&self, count: usize) -> Vec<Event> {
        let mut numbers = Numbers(SEED);
        (0..count)
            .map(|number| {
                let event_type = Self::name(self.drawn(&mut numbers));
                let region = ["eu", "us", "asia"][numbers.below(3) as usize];
                let data = json!({
                    "customer": { "id": format!("c{}", numbers.below(10_000)), "name": "somebody" },
                    "price": numbers.below(100_000) as f64 / 100.0,
                    "items": [{ "sku": "a-1", "count": 2 }, { "sku": "b-2", "count": 1 }],
                    "text": "x".repeat(300),
                });
                Event::builder(&format!("event-{number:012}"), "/bench/producer", &event_type)
                    .subject(&format!("order/{}", numbers.below(100_000)))
                    .datacontenttype("application/json")
                    .extension("tenant", AttributeValue::String(&format!("t{}", numbers.below(TENANTS))))
                    .extension("region", AttributeValue::String(region))
                    .extension("amount", AttributeValue::String(&numbers.below(1000).to_string()))
                    .data(Data::Json(data.to_string().into()))
                    .build()
                    .unwrap()
            })
            .collect()
    }
}
