//! What authorizers allowed, for as long as it holds, and calls that several events wait for.
//!
//! Only what was allowed is kept. A no is asked for again each time: whoever is given a right must not wait for it, and what
//! strangers make up must not push out those who may. Of many events of one sender that come at once one call is made, and
//! all of them get its answer, yes or no.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt, Shared};
use parking_lot::Mutex;
use quick_cache::{Weighter, sync::Cache};
use weir_domain::Timestamp;

use super::verdict::Verdict;

/// A hash of all that events have in common which share an answer: credentials are part of it and not kept.
pub(super) type Key = [u8; 32];

/// What an entry takes beside its text, roughly, in bytes.
const ENTRY_BYTES: usize = 128;

/// A call for which any number of events wait.
type UnderWay = Shared<BoxFuture<'static, Verdict>>;

/// What was allowed.
#[derive(Clone)]
struct Kept {
    mark: Arc<str>,
    /// When it was asked for.
    since: Timestamp,
}

/// The room that an entry takes, in bytes.
#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Kept> for Bytes {
    fn weight(&self, _key: &Key, kept: &Kept) -> u64 {
        (ENTRY_BYTES + kept.mark.len()) as u64
    }
}

/// Answers that are kept, and calls under way.
pub(crate) struct Decisions {
    kept: Cache<Key, Kept, Bytes>,
    /// As many as there are events that wait, which are bounded elsewhere.
    under_way: Mutex<HashMap<Key, UnderWay>>,
}

impl Decisions {
    /// Keeps answers up to about this many bytes together; those that are used least make room.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let kept = Cache::with_weighter(bytes_max / (2 * ENTRY_BYTES), bytes_max as u64, Bytes);
        Self { kept, under_way: Mutex::default() }
    }

    /// Finds what was allowed less than this long ago.
    pub(super) fn kept(&self, key: &Key, now: Timestamp, holds_for: Duration) -> Option<Arc<str>> {
        let Kept { mark, since } = self.kept.get(key)?;
        // A clock that was put back makes nothing hold longer.
        let age = now.unix_micros().checked_sub(since.unix_micros())?;
        (Duration::from_micros(age) < holds_for).then_some(mark)
    }

    /// Makes a call, unless one for the same key is under way: then this one is dropped, and the other's answer counts.
    ///
    /// The call goes on for as long as somebody waits for it, whoever began it.
    pub(super) async fn once(
        &self,
        key: Key,
        now: Timestamp,
        holds_for: Duration,
        call: BoxFuture<'static, Verdict>,
    ) -> Verdict {
        let (call, begun) = match self.join(key, now, holds_for, call) {
            Joined::Kept(mark) => return Verdict::Allowed(mark),
            Joined::Another(call) => (call, None),
            Joined::Own(call, begun) => (call, Some(begun)),
        };
        let verdict = call.await;
        if let (Verdict::Allowed(mark), Some(_)) = (&verdict, &begun) {
            // Before it is under way no more: in between nobody would find either.
            self.kept.insert(key, Kept { mark: Arc::clone(mark), since: now });
        }
        verdict
    }

    fn join(&self, key: Key, now: Timestamp, holds_for: Duration, call: BoxFuture<'static, Verdict>) -> Joined<'_> {
        let mut under_way = self.under_way.lock();
        if let Some(other) = under_way.get(&key) {
            return Joined::Another(other.clone());
        }
        // It may have ended since this was looked for.
        if let Some(mark) = self.kept(&key, now, holds_for) {
            return Joined::Kept(mark);
        }
        let call = call.shared();
        under_way.insert(key, call.clone());
        Joined::Own(call, Begun { decisions: self, key })
    }
}

/// How to come to an answer.
enum Joined<'a> {
    /// It is there.
    Kept(Arc<str>),
    /// By a call that somebody else began.
    Another(UnderWay),
    /// By a call that was begun now.
    Own(UnderWay, Begun<'a>),
}

/// A call that was begun here; it is under way no more when this is dropped.
struct Begun<'a> {
    decisions: &'a Decisions,
    key: Key,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let call = self.decisions.under_way.lock().remove(&self.key);
        // Where nobody waits any more this ends the call, which is not to be done under the lock.
        drop(call);
    }
}
