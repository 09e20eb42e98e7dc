//! A history by what is asked of it: what became of each event, which calls there were, when the server was not at work.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Change, Entry, FINAL, Recorded, is_done};

/// How long after the disk has space again the next cursor may still wait, beside as long as it was full: the pause between
/// two writes doubles while they fail.
const CURSOR_PAUSE_US: u64 = 250_000;

/// When something was: the place in the history, and microseconds from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) at: usize,
    pub(super) us: u64,
}

/// An event as it was sent.
#[derive(Debug)]
pub(super) struct Sending<'a> {
    pub(super) key: &'a str,
    pub(super) number: u64,
    /// How often it was sent.
    pub(super) attempts: usize,
    /// How often it was refused.
    pub(super) refusals: usize,
    /// The position of its receipt.
    pub(super) acknowledged: Option<u64>,
}

/// An event as it stands in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept<'a> {
    pub(super) position: u64,
    pub(super) id: &'a str,
    pub(super) key: &'a str,
    pub(super) number: u64,
}

/// A receipt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt<'a> {
    pub(super) producer: usize,
    pub(super) id: &'a str,
    pub(super) position: u64,
}

/// One call of a subscriber.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) id: &'a str,
    pub(super) key: &'a str,
    pub(super) number: u64,
    pub(super) began: Moment,
    pub(super) ended: Option<(Moment, u16)>,
}

impl Call<'_> {
    /// Returns when it was answered so that its event was done.
    pub(super) fn done(&self) -> Option<Moment> {
        self.ended.filter(|(_, status)| is_done(*status)).map(|(moment, _)| moment)
    }

    /// Tells whether it was answered with success.
    pub(super) fn is_success(&self) -> bool {
        self.done().is_some() && !self.is_final()
    }

    /// Tells whether it was refused for good.
    pub(super) fn is_final(&self) -> bool {
        self.ended.is_some_and(|(_, status)| status == FINAL)
    }
}

/// The end of a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) is_killed: bool,
    /// When the signal was sent.
    pub(super) from: Moment,
    /// When the process was gone, and all that it had sent was read.
    pub(super) to: Moment,
}

/// A history, looked up.
#[derive(Debug, Default)]
pub(super) struct View<'a> {
    pub(super) sent: BTreeMap<&'a str, Sending<'a>>,
    /// In the order in which they came.
    pub(super) receipts: Vec<Receipt<'a>>,
    /// Which events were answered with which status, but for 202.
    pub(super) refusals: Vec<(&'a str, u16)>,
    /// In the order of the log.
    pub(super) log: Vec<Kept<'a>>,
    /// The calls of each subscription, in the order in which they began.
    pub(super) calls: BTreeMap<&'a str, Vec<Call<'a>>>,
    /// Dead letters, by subscription.
    pub(super) dead: BTreeMap<&'a str, BTreeSet<&'a str>>,
    pub(super) ends: Vec<End>,
    /// How often each thing was done to the world.
    pub(super) changes: BTreeMap<String, usize>,
    /// When no server could write cursors, in microseconds.
    idle: Vec<(u64, u64)>,
}

impl<'a> View<'a> {
    pub(super) fn new(history: &'a [Recorded]) -> Self {
        let mut view = Self::default();
        let mut begun = Begun::default();
        let mut places = BTreeMap::new();
        for (at, recorded) in history.iter().enumerate() {
            let moment = Moment { at, us: recorded.us };
            match &recorded.entry {
                Entry::World { change } => view.changed(change, moment, &mut begun),
                entry => view.happened(entry, moment, &mut places),
            }
        }
        let open = [begun.frozen, begun.filled].into_iter().flatten();
        view.idle.extend(open.map(|from| (from.us, u64::MAX)));
        view
    }

    fn happened(&mut self, entry: &'a Entry, moment: Moment, places: &mut BTreeMap<(&'a str, u64), usize>) {
        match entry {
            Entry::Subscribed { subscription } => {
                self.calls.entry(subscription).or_default();
            }
            Entry::Sent { id, key, number, .. } => {
                let sending = Sending { key, number: *number, attempts: 0, refusals: 0, acknowledged: None };
                self.sent.entry(id).or_insert(sending).attempts += 1;
            }
            Entry::Acknowledged { producer, id, position, .. } => {
                self.receipts.push(Receipt { producer: *producer, id, position: *position });
                if let Some(sending) = self.sent.get_mut(id.as_str()) {
                    sending.acknowledged = Some(*position);
                }
            }
            Entry::Refused { id, status, .. } => {
                self.refusals.push((id.as_str(), *status));
                if let Some(sending) = self.sent.get_mut(id.as_str()) {
                    sending.refusals += 1;
                }
            }
            Entry::Called { subscription, call, id, key, number, .. } => {
                let calls = self.calls.entry(subscription).or_default();
                places.insert((subscription.as_str(), *call), calls.len());
                calls.push(Call { id, key, number: *number, began: moment, ended: None });
            }
            Entry::Answered { subscription, call, status, .. } => {
                let calls = self.calls.entry(subscription).or_default();
                let call = places.get(&(subscription.as_str(), *call)).and_then(|place| calls.get_mut(*place));
                call.expect("who answers was called").ended = Some((moment, *status));
            }
            Entry::Kept { position, id, key, number } => {
                self.log.push(Kept { position: *position, id, key, number: *number });
            }
            Entry::Dead { subscription, id } => {
                self.dead.entry(subscription).or_default().insert(id);
            }
            // What is not known says nothing, and who could not answer is told by the calls that follow.
            Entry::Unknown { .. } | Entry::Unanswered { .. } | Entry::World { .. } => {}
        }
    }

    fn changed(&mut self, change: &Change, moment: Moment, begun: &mut Begun) {
        let name = match change {
            Change::Killing | Change::Stopping => {
                begun.end = Some(moment);
                return;
            }
            Change::Killed | Change::Stopped => {
                let is_killed = *change == Change::Killed;
                let from = begun.end.take().expect("an end has a beginning");
                self.ends.push(End { is_killed, from, to: moment });
                if is_killed { "killed" } else { "stopped" }
            }
            Change::Frozen => {
                begun.frozen = Some(moment);
                "frozen"
            }
            Change::Filled => {
                begun.filled = Some(moment);
                "disk full"
            }
            Change::Thawed => {
                self.idle.extend(begun.frozen.take().map(|from| (from.us, moment.us)));
                return;
            }
            Change::Freed => {
                let until = |from: Moment| moment.us + (moment.us - from.us) + CURSOR_PAUSE_US;
                self.idle.extend(begun.filled.take().map(|from| (from.us, until(from))));
                return;
            }
            Change::Refusing { .. } => "subscriber gone",
            Change::Started | Change::Taking { .. } => return,
        };
        *self.changes.entry(name.to_owned()).or_default() += 1;
    }

    /// Returns for how long a server could write cursors between two instants, in microseconds.
    pub(super) fn at_work(&self, from: u64, to: u64) -> u64 {
        let overlap = |(begin, end): &(u64, u64)| to.min(*end).saturating_sub(from.max(*begin));
        to.saturating_sub(from).saturating_sub(self.idle.iter().map(overlap).sum())
    }
}

/// What has begun and not ended.
#[derive(Default)]
struct Begun {
    end: Option<Moment>,
    frozen: Option<Moment>,
    filled: Option<Moment>,
}
