//! The producer: sends events, and now and then some of them again.

use std::{sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use weir_domain::SpaceName;
use weir_flow::{Flow, Sender};
use weir_log::{Append, LogEngine};
use weir_testkit::pass;

use super::world::World;

/// The longest time between two appends, in milliseconds.
const PAUSE_MS_MAX: u64 = 400;
/// The most events that are sent together.
const BATCH_MAX: usize = 3;

/// Sends what one life sends, which for the last one is all that nobody had a receipt for.
pub(crate) async fn produce(world: Arc<World>, life: usize, flow: Flow, log: Arc<dyn LogEngine>) {
    let plan = &world.plan.lives[life];
    let is_last = life + 1 == world.plan.lives.len();
    let mut random = SmallRng::seed_from_u64(plan.seed ^ 1);
    loop {
        pass(Duration::from_millis(random.random_range(1..PAUSE_MS_MAX))).await;
        let numbers = choose(&world, &mut random, plan.quota, is_last);
        if numbers.is_empty() && is_last {
            return;
        }
        if !numbers.is_empty() {
            send(&world, &flow, &*log, &numbers).await;
        }
    }
}

/// Draws what is sent next, by its place in the plan.
fn choose(world: &World, random: &mut SmallRng, quota: usize, is_last: bool) -> Vec<usize> {
    let sent = world.sent();
    if sent > 0 && random.random_range(0..5) == 0 {
        return vec![random.random_range(0..sent)];
    }
    let count = random.random_range(1..=BATCH_MAX).min(quota.saturating_sub(sent));
    if count > 0 {
        return world.send_more(count).collect();
    }
    if is_last { world.unaccepted().into_iter().collect() } else { Vec::new() }
}

async fn send(world: &World, flow: &Flow, log: &dyn LogEngine, numbers: &[usize]) {
    let events = numbers.iter().map(|number| world.plan.events[*number].clone()).collect();
    let admitted = match flow.admit_batch(&SpaceName::default(), events, &Producer).await {
        Ok(admitted) => admitted,
        Err((_, refusal)) => return world.violate(format!("events {numbers:?} are refused: {refusal}")),
    };
    match log.append(Append::new(SpaceName::default(), admitted)).await {
        Ok(receipt) => world.accepted(numbers, &receipt),
        Err(error) => world.note(&format!("events {numbers:?} have no receipt: {error}")),
    }
}

/// Sends what no authorizer is asked about.
struct Producer;

impl Sender for Producer {
    fn path(&self) -> &str {
        "/"
    }

    fn headers(&self) -> String {
        "{}".to_owned()
    }

    fn request(&self) -> String {
        "null".to_owned()
    }

    fn identity(&self, _part: &mut dyn FnMut(&[u8])) {}
}
