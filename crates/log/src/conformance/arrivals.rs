//! Who waits for events of some types is woken by them, by no others, and misses none.

use futures_util::future::{join, join_all};
use tokio::sync::watch;
use weir_domain::{Position, SpaceName};

use super::{Harness, append, event, space, write};
use crate::{Append, Filter, LogEngine, Read};

/// Events of the type that the followers below wait for.
const FOLLOWED: usize = 120;
const WRITERS: usize = 4;

fn names(types: &[&str]) -> Vec<String> {
    types.iter().map(|name| (*name).to_owned()).collect()
}

/// Returns what each of them shows where that is new, and marks it as seen.
fn seen(watchers: &mut [watch::Receiver<Position>]) -> Vec<Option<Position>> {
    let seen = |watcher: &mut watch::Receiver<Position>| {
        let changed = watcher.has_changed().expect("the log is open");
        changed.then(|| *watcher.borrow_and_update())
    };
    watchers.iter_mut().map(seen).collect()
}

/// Promise 10.
pub async fn arrivals_are_told_by_type(harness: &dyn Harness) {
    let log = harness.open().await;
    let first = write(&*log, vec![event("first", "k", "a")]).await[0];
    let other = SpaceName::new("other").expect("valid");
    let watch = || {
        [
            log.arrivals(&space(), &names(&["a"])),
            log.arrivals(&space(), &names(&["b"])),
            log.arrivals(&space(), &names(&["b", "a", "b"])),
            log.arrivals(&space(), &names(&["a", "b"])),
            log.arrivals(&space(), &[]),
            log.arrivals(&other, &names(&["a"])),
            log.arrivals(&other, &[]),
        ]
    };
    let mut watchers = watch();
    assert!(*watchers[0].borrow() >= first, "it shows what was there before");
    assert_eq!(seen(&mut watchers), [None; 7], "what is there when somebody begins to wait wakes nobody");
    let wrote = async |types: &[&str]| {
        let batch = types.iter().enumerate().map(|(n, name)| event(&format!("{}-{n}", types.join("-")), "k", name));
        write(&*log, batch.collect()).await.into_iter().map(Some).collect::<Vec<_>>()
    };
    let c = wrote(&["c"]).await[0];
    assert_eq!(seen(&mut watchers), [None, None, None, None, c, None, None]);
    let a = wrote(&["a"]).await[0];
    assert_eq!(seen(&mut watchers), [a, None, a, a, a, None, None]);
    let b = wrote(&["b"]).await[0];
    assert_eq!(seen(&mut watchers), [None, b, b, b, b, None, None]);
    let all = wrote(&["a", "b", "a", "b", "c"]).await;
    assert_eq!(seen(&mut watchers), [all[2], all[3], all[3], all[3], all[4], None, None]);
    log.append(append(vec![event("first", "k", "b")])).await.expect("a repeat is no error");
    assert_eq!(seen(&mut watchers), [None; 7], "a duplicate is no arrival");
    let elsewhere = Append::new(other.clone(), vec![event("first", "k", "a")]);
    let elsewhere = Some(log.append(elsewhere).await.expect("appended").events[0].position);
    assert_eq!(seen(&mut watchers), [None, None, None, None, None, elsewhere, elsewhere]);
    // Nobody waits for a while, and then somebody does again.
    drop(watchers);
    let last = wrote(&["b", "a"]).await;
    let mut watchers = watch();
    assert!(Some(*watchers[0].borrow()) >= last[1] && Some(*watchers[1].borrow()) >= last[0]);
    let again = wrote(&["b", "b"]).await[1];
    assert_eq!(seen(&mut watchers)[..3], [None, again, again]);
    log.close().await.expect("closed");
    drop(log);
    let log = harness.open().await;
    assert!(Some(*log.arrivals(&space(), &names(&["a"])).borrow()) >= last[1], "it shows what came before a restart");
}

/// Promise 10, while much is written and others come and go.
pub async fn no_arrival_is_missed(harness: &dyn Harness) {
    let log = harness.open().await;
    let log = &*log;
    let writers = join_all((0..WRITERS).map(|writer| async move {
        for number in 0..FOLLOWED / WRITERS {
            let id = format!("{writer}-{number}");
            write(log, vec![event(&id, "k", "a")]).await;
            let passing = log.arrivals(&space(), &names(&["a", &id]));
            write(log, vec![event(&format!("{id}-b"), "k", "b"), event(&format!("{id}-c"), "k", "c")]).await;
            drop(passing);
        }
    }));
    let followers = join_all([
        follow(log, &["a"], FOLLOWED, false),
        follow(log, &["a"], FOLLOWED, true),
        follow(log, &["c", "a"], 2 * FOLLOWED, false),
        follow(log, &["c", "a"], 2 * FOLLOWED, true),
        follow(log, &[], 3 * FOLLOWED, false),
        follow(log, &[], 3 * FOLLOWED, true),
    ]);
    join(writers, followers).await;
}

/// Reads until so many events came; between two reads it waits for an arrival. `anew`: it begins to wait before each read.
async fn follow(log: &dyn LogEngine, types: &[&str], wanted: usize, anew: bool) {
    let types = names(types);
    let filter = if types.is_empty() { Filter::All } else { Filter::Types(types.clone()) };
    let mut read = Read::forward(space(), Position::ORIGIN).filter(filter);
    let mut arrivals = log.arrivals(&space(), &types);
    let mut found = 0;
    loop {
        if anew {
            arrivals = log.arrivals(&space(), &types);
        }
        let page = log.read(read.clone()).await.expect("readable");
        found += page.events.len();
        assert!(found <= wanted, "nothing comes twice");
        if found == wanted {
            return;
        }
        read.from = page.next;
        if page.end {
            arrivals.changed().await.expect("the log is open");
        }
    }
}
