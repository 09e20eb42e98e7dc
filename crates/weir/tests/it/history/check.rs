//! What a history must be like, whatever happened in it. Pure: the same history always has the same verdict.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    record::Recorded,
    view::{Call, End, Receipt, View},
};

/// How long before a kill an event may have been done that is delivered again after it: the pauses between two looks at what
/// is done (250 ms) and between two writes of it (250 ms), and a second for a sync on a machine that has much else to do.
const UNWRITTEN_MAX_US: u64 = 1_500_000;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// Receipts of one producer grow, and say where the event is. What is refused is refused with 503.
    Receipts,
    /// The log holds what was acknowledged, what nobody knows of at most, and each event once.
    Log,
    /// What was acknowledged reaches every subscription or stands as a dead letter.
    Lost,
    /// Nothing is delivered that was not sent, or not so.
    Phantom,
    /// Events of a key are done in their order.
    Reordered,
    /// No event is delivered while an earlier one of its key is not done.
    Early,
    /// An event that is done is delivered again only where a crash explains it.
    Repeated,
    /// Given up is what the subscriber refused for good, and nothing else.
    GivenUp,
}

/// A rule that does not hold.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) rule: Rule,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// What a subscription was given.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    calls: usize,
    failures: usize,
    dead: usize,
    /// Calls with events that were done before.
    repeated: usize,
    /// The longest time before a kill of an event that was done and came again, in microseconds.
    unwritten_us: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) violations: Vec<Violation>,
    given: BTreeMap<String, Given>,
    sent: usize,
    acknowledged: usize,
    refusals: usize,
    kept: usize,
    changes: BTreeMap<String, usize>,
}

impl Verdict {
    fn found(&mut self, rule: Rule, what: String) {
        self.violations.push(Violation { rule, what });
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, acknowledged, refusals, kept, changes, .. } = self;
        let changes: Vec<_> = changes.iter().map(|(change, count)| format!("{change} {count} times")).collect();
        writeln!(f, "{}", changes.join(", "))?;
        writeln!(f, "{sent} events sent, {acknowledged} acknowledged, {refusals} times refused, {kept} in the log")?;
        for (subscription, given) in &self.given {
            let Given { calls, failures, dead, repeated, unwritten_us } = given;
            let ms = unwritten_us / 1000;
            writeln!(
                f,
                "{subscription}: {calls} calls, {failures} failed, {dead} dead letters, {repeated} again that were done, \
                 up to {ms} ms before a kill"
            )?;
        }
        Ok(())
    }
}

/// Checks a history that has come to its end.
pub(super) fn check(history: &[Recorded]) -> Verdict {
    let view = View::new(history);
    let mut verdict = Verdict {
        sent: view.sent.len(),
        acknowledged: view.receipts.len(),
        refusals: view.refusals.len(),
        kept: view.log.len(),
        changes: view.changes.clone(),
        ..Verdict::default()
    };
    receipts(&view, &mut verdict);
    log(&view, &mut verdict);
    let lanes = Lanes::new(&view);
    for (subscription, calls) in &view.calls {
        phantoms(&view, &lanes, subscription, calls, &mut verdict);
        order(&lanes, subscription, calls, &mut verdict);
        let mut given = repeated(&view, subscription, calls, &mut verdict);
        given.dead = outcomes(&view, subscription, calls, &mut verdict);
        verdict.given.insert((*subscription).to_owned(), given);
    }
    verdict
}

fn receipts(view: &View<'_>, verdict: &mut Verdict) {
    let mut last: BTreeMap<usize, u64> = BTreeMap::new();
    for receipt in &view.receipts {
        let before = last.insert(receipt.producer, receipt.position).unwrap_or(0);
        if before >= receipt.position {
            let Receipt { producer, id, position } = receipt;
            verdict.found(Rule::Receipts, format!("producer {producer}: {position} of {id} came after {before}"));
        }
    }
    for (id, status) in view.refusals.iter().filter(|(_, status)| *status != 503) {
        verdict.found(Rule::Receipts, format!("{id} was answered {status}"));
    }
}

fn log(view: &View<'_>, verdict: &mut Verdict) {
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let mut last = 0;
    for kept in &view.log {
        if seen.insert(kept.id, kept.position).is_some() {
            verdict.found(Rule::Log, format!("it is there twice: {kept:?}"));
        }
        if kept.position <= last {
            verdict.found(Rule::Log, format!("it came after {last}: {kept:?}"));
        }
        last = kept.position;
        match view.sent.get(kept.id) {
            Some(sent) if (sent.key, sent.number) == (kept.key, kept.number) => {
                if sent.refusals == sent.attempts {
                    verdict.found(Rule::Log, format!("it was refused each time: {kept:?}"));
                }
            }
            sent => verdict.found(Rule::Log, format!("{kept:?} was sent as {sent:?}")),
        }
    }
    for (id, sent) in &view.sent {
        match (sent.acknowledged, seen.get(id)) {
            (Some(_), None) => verdict.found(Rule::Lost, format!("{id} was acknowledged, and is not in the log")),
            (Some(receipt), Some(position)) if receipt != *position => {
                verdict.found(Rule::Receipts, format!("{id} is at {position}, and its receipt says {receipt}"));
            }
            _ => {}
        }
    }
}

/// The events of each key, in the order of the log.
struct Lanes<'a> {
    keys: BTreeMap<&'a str, Vec<&'a str>>,
    /// The key of each event, and its place there.
    places: BTreeMap<&'a str, (&'a str, usize)>,
}

impl<'a> Lanes<'a> {
    fn new(view: &View<'a>) -> Self {
        let (mut keys, mut places) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
        for kept in &view.log {
            // One that is there twice is told of elsewhere.
            if places.contains_key(kept.id) {
                continue;
            }
            let lane = keys.entry(kept.key).or_default();
            places.insert(kept.id, (kept.key, lane.len()));
            lane.push(kept.id);
        }
        Self { keys, places }
    }
}

fn phantoms(view: &View<'_>, lanes: &Lanes<'_>, subscription: &str, calls: &[Call<'_>], verdict: &mut Verdict) {
    for call in calls {
        let sent = view.sent.get(call.id);
        let as_sent = sent.is_some_and(|sent| (sent.key, sent.number) == (call.key, call.number));
        if !as_sent {
            verdict.found(Rule::Phantom, format!("{subscription} was given {call:?}, which was sent as {sent:?}"));
        } else if !lanes.places.contains_key(call.id) {
            verdict.found(Rule::Phantom, format!("{subscription} was given {call:?}, which is not in the log"));
        }
    }
}

/// How far a lane is for one subscription.
#[derive(Default)]
struct Progress {
    done: BTreeSet<usize>,
    /// The first place that is not done.
    open: usize,
}

/// Goes through beginnings and ends of calls as they came.
fn order(lanes: &Lanes<'_>, subscription: &str, calls: &[Call<'_>], verdict: &mut Verdict) {
    let begins = calls.iter().map(|call| (call.began.at, call, false));
    let ends = calls.iter().filter_map(|call| Some((call.done()?.at, call, true)));
    let mut steps: Vec<_> = begins.chain(ends).collect();
    steps.sort_by_key(|(at, ..)| *at);
    let mut progress: BTreeMap<&str, Progress> = BTreeMap::new();
    for (_, call, is_end) in steps {
        // What is not in the log is told as a phantom.
        let Some(&(key, place)) = lanes.places.get(call.id) else { continue };
        let progress = progress.entry(key).or_default();
        if !is_end {
            if place > progress.open {
                let open = lanes.keys[key][progress.open];
                verdict.found(Rule::Early, format!("{subscription}: {open} was not done yet: {call:?}"));
            }
        } else if progress.done.insert(place) {
            if progress.done.last().is_some_and(|last| *last > place) {
                verdict.found(Rule::Reordered, format!("{subscription}: a later one was done before: {call:?}"));
            }
            while progress.done.contains(&progress.open) {
                progress.open += 1;
            }
        }
    }
}

/// Looks for calls with events that were done, and counts them.
fn repeated(view: &View<'_>, subscription: &str, calls: &[Call<'_>], verdict: &mut Verdict) -> Given {
    let failures = calls.iter().filter(|call| call.done().is_none()).count();
    let mut given = Given { calls: calls.len(), failures, ..Given::default() };
    let mut by_event: BTreeMap<&str, Vec<&Call<'_>>> = BTreeMap::new();
    for call in calls {
        let before = by_event.entry(call.id).or_default();
        let done = before.iter().filter(|it| it.done().is_some_and(|done| done.at < call.began.at));
        if let Some(last) = done.max_by_key(|it| it.done()) {
            given.repeated += 1;
            match view.ends.iter().filter_map(|end| explained(view, end, last, call)).min() {
                Some(us) => given.unwritten_us = given.unwritten_us.max(us),
                None => verdict.found(Rule::Repeated, format!("{subscription}: {call:?} after {last:?}")),
            }
        }
        before.push(call);
    }
    given
}

/// Returns for how long it was not written down that an event was done, where the end of a server explains that it was
/// delivered again.
fn explained(view: &View<'_>, end: &End, last: &Call<'_>, again: &Call<'_>) -> Option<u64> {
    let done = last.done()?;
    let lies_between = last.began.at < end.to.at && end.to.at < again.began.at;
    let us = if end.is_killed { view.at_work(done.us, end.from.us) } else { 0 };
    // A stop waits for the calls in flight, and writes down all that is done.
    let is_unwritten = if end.is_killed { us <= UNWRITTEN_MAX_US } else { done.at > end.to.at };
    (lies_between && is_unwritten).then_some(us)
}

/// Checks what became of each event, and returns how many are dead letters.
fn outcomes(view: &View<'_>, subscription: &str, calls: &[Call<'_>], verdict: &mut Verdict) -> usize {
    let ids = |is_so: fn(&Call<'_>) -> bool| -> BTreeSet<&str> {
        calls.iter().filter(|call| is_so(call)).map(|call| call.id).collect()
    };
    let delivered = ids(|call| call.is_success());
    let refused = ids(|call| call.is_final());
    let dead = view.dead.get(subscription).cloned().unwrap_or_default();
    for kept in &view.log {
        if !delivered.contains(kept.id) && !dead.contains(kept.id) {
            verdict.found(Rule::Lost, format!("{subscription} was never given {kept:?}, and it is no dead letter"));
        }
    }
    for id in &dead {
        if !refused.contains(id) || delivered.contains(id) {
            verdict.found(Rule::GivenUp, format!("{subscription}: {id} was given up, and not refused for good"));
        }
    }
    dead.len()
}

mod tests;
