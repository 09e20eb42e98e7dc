//! Random operations on an engine and on the engine in memory: both must answer alike.

use std::sync::Arc;

use weir_domain::{Position, SpaceName};

use super::{Harness, StoppedClock, event, read_all};
use crate::{Append, Condition, Filter, LogEngine, LogError, MemoryLog, Query, Read};

/// A small generator (SplitMix64): the suite must not depend on the random crate of the day.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Runs a few hundred random appends, conditions, repeats, reads, look-ups and restarts, drawn from a seed.
pub async fn agrees_with_memory(harness: &dyn Harness, seed: u64) {
    let mut random = Seeded(seed);
    let model = MemoryLog::new(Arc::new(StoppedClock));
    let mut log = harness.open().await;
    for _ in 0..120 {
        match random.below(20) {
            0 => {
                log.close().await.expect("closed");
                drop(log);
                log = harness.open().await;
            }
            1..=12 => both_append(&*log, &model, draw_append(&mut random)).await,
            13 => both_look(&*log, &model, &mut random).await,
            _ => {
                let read = draw_read(&mut random);
                let (left, right) = (read_all(&*log, read.clone()).await, read_all(&model, read.clone()).await);
                let plain = |all: &[crate::Recorded]| {
                    all.iter().map(|r| (r.position, r.key.clone(), r.event.clone())).collect::<Vec<_>>()
                };
                assert_eq!(plain(&left), plain(&right), "seed {seed}, {read:?}");
            }
        }
    }
    log.close().await.expect("closed");
}

async fn both_append(log: &dyn LogEngine, model: &MemoryLog, append: Append) {
    let (left, right) = (log.append(append.clone()).await, model.append(append.clone()).await);
    match (left, right) {
        (Ok(left), Ok(right)) => assert_eq!(left, right, "{append:?}"),
        (
            Err(LogError::ConditionFailed { beaten_by: left, .. }),
            Err(LogError::ConditionFailed { beaten_by: right, .. }),
        ) => {
            assert_eq!(left, right, "{append:?}");
        }
        (left, right) => panic!("{append:?}: {left:?} against {right:?}"),
    }
}

async fn both_look(log: &dyn LogEngine, model: &MemoryLog, random: &mut Seeded) {
    let Read { space, from, filter, .. } = draw_read(random);
    let range = from..from.plus(random.below(150));
    let limit = random.below(60);
    let left = log.count(space.clone(), filter.clone(), range.clone(), limit).await.expect("counted");
    let right = model.count(space.clone(), filter.clone(), range.clone(), limit).await.expect("counted");
    assert_eq!(left, right, "{filter:?} in {range:?} of {space}, at most {limit}");
    let (source, id) = ("/conformance".to_owned(), format!("id{}", random.below(400)));
    let left = log.find(space.clone(), source.clone(), id.clone()).await.expect("readable");
    let right = model.find(space, source, id.clone()).await.expect("readable");
    assert_eq!(left, right, "{id}");
}

fn draw_space(random: &mut Seeded) -> SpaceName {
    SpaceName::new(["default", "other"][random.below(2) as usize]).expect("valid")
}

fn draw_append(random: &mut Seeded) -> Append {
    let count = 1 + random.below(6);
    let events = (0..count)
        .map(|_| {
            let key = format!("k{}", random.below(5));
            event(&format!("id{}", random.below(400)), &key, &format!("t{}", random.below(3)))
        })
        .collect();
    let append = Append::new(draw_space(random), events);
    if random.below(3) > 0 {
        return append;
    }
    let keys = (0..random.below(3)).filter_map(|n| weir_domain::Key::new(format!("k{n}"))).collect();
    let types = (0..random.below(3)).map(|n| format!("t{n}")).collect();
    append.only_if(Condition { query: Query { keys, types }, after: Position::new(random.below(150)) })
}

fn draw_read(random: &mut Seeded) -> Read {
    let from = Position::new(random.below(200));
    let space = draw_space(random);
    let read = if random.below(2) == 0 { Read::forward(space, from) } else { Read::backward(space, from) };
    let filter = match random.below(3) {
        0 => Filter::All,
        1 => Filter::Types(vec![format!("t{}", random.below(3)), format!("t{}", random.below(3))]),
        _ => weir_domain::Key::new(format!("k{}", random.below(5))).map_or(Filter::All, Filter::Key),
    };
    read.filter(filter).events_max(1 + random.below(40) as usize)
}
