//! One world: all that outlives its processes but for the machine, and what is written down of it.

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use rand::{SeedableRng, rngs::SmallRng};
use weir_domain::{Clock, Key, Timestamp};
use weir_functions::Call;
use weir_log::{Append, LogError, Receipt, Recorded};
use weir_testkit::{CountingIds, VirtualClock, Witness};

use super::{
    ledger::Ledger,
    life::{self, Machine},
    panics::Panics,
    plan::{Behaviour, How, Plan},
    tally::Tally,
};

/// When every world begins.
const BEGIN: Timestamp = Timestamp::from_unix_micros(1_700_000_000_000_000);

/// What became of a world.
pub(crate) struct Run {
    /// What happened, each line with its time in milliseconds.
    pub(crate) trace: Vec<String>,
    /// The first thing that must not be.
    pub(crate) violation: Option<String>,
    pub(crate) tally: Tally,
}

/// Runs the world of a seed to its end.
pub(crate) fn run(seed: u64) -> Run {
    let world = Arc::new(World::new(seed));
    let listening = tracing::subscriber::set_default(Panics(world.clone()));
    let mut machine = Machine::default();
    for life in 0..world.plan.lives.len() {
        life::live(&world, &mut machine, life);
        if world.has_violation() {
            break;
        }
    }
    if !world.has_violation() {
        machine.verify(&world);
    }
    drop(listening);
    let ledger = world.ledger.lock();
    let violation = ledger.violation().map(str::to_owned);
    Run { trace: std::mem::take(&mut *world.trace.lock()), violation, tally: ledger.tally.clone() }
}

/// The world.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) ids: Arc<CountingIds>,
    ledger: Mutex<Ledger>,
    trace: Mutex<Vec<String>>,
    random: Mutex<SmallRng>,
    /// How many events were sent, at least once.
    sent: AtomicUsize,
    /// The function and key of each call that is under way.
    flying: Mutex<BTreeSet<(usize, Key)>>,
    time: Mutex<Time>,
}

struct Time {
    /// That of the present life.
    clock: Option<Arc<VirtualClock>>,
    /// When the one before ended.
    reached: Timestamp,
}

impl World {
    fn new(seed: u64) -> Self {
        let plan = Plan::draw(seed);
        Self {
            ids: Arc::default(),
            ledger: Ledger::new(&plan.functions).into(),
            trace: Mutex::default(),
            random: SmallRng::seed_from_u64(seed ^ u64::MAX).into(),
            sent: AtomicUsize::new(0),
            flying: Mutex::default(),
            time: Time { clock: None, reached: BEGIN }.into(),
            plan,
        }
    }

    /// Begins another life, on the runtime of which time is told from now on.
    pub(crate) fn begin_life(&self) -> Arc<VirtualClock> {
        let mut time = self.time.lock();
        let clock = Arc::new(VirtualClock::set_to(time.reached));
        time.clock = Some(clock.clone());
        clock
    }

    pub(crate) fn end_life(&self) {
        let mut time = self.time.lock();
        if let Some(clock) = time.clock.take() {
            time.reached = clock.now();
        }
    }

    fn now(&self) -> Timestamp {
        let time = self.time.lock();
        time.clock.as_ref().map_or(time.reached, |clock| clock.now())
    }

    /// Writes down what happens.
    pub(crate) fn note(&self, what: &str) {
        let millis = (self.now().unix_micros() - BEGIN.unix_micros()) / 1000;
        self.trace.lock().push(format!("{millis:>9} {what}"));
    }

    /// Takes note of something that must not be.
    pub(crate) fn violate(&self, what: String) {
        self.note(&format!("VIOLATION: {what}"));
        self.ledger.lock().violate(what);
    }

    pub(crate) fn has_violation(&self) -> bool {
        self.ledger.lock().violation().is_some()
    }

    pub(crate) fn count(&self, which: impl FnOnce(&mut Tally) -> &mut u64) {
        *which(&mut self.ledger.lock().tally) += 1;
    }

    /// Draws how a call goes.
    pub(crate) fn draw(&self, behaviour: Behaviour) -> (Duration, How) {
        behaviour.draw(&mut self.random.lock())
    }

    /// A call begins. No other one of its function and key may be under way.
    pub(crate) fn take_off(self: &Arc<Self>, function: usize, call: &Call) -> Flying {
        self.count(|tally| &mut tally.calls);
        let lane = call.key.clone().map(|key| (function, key));
        let is_alone = lane.clone().is_none_or(|lane| self.flying.lock().insert(lane));
        if !is_alone {
            self.violate(format!(
                "f{function} is called with {} while another call of {lane:?} is made",
                call.event.id()
            ));
        }
        Flying { world: self.clone(), lane: lane.filter(|_| is_alone), has_landed: false }
    }

    /// Returns how many events were sent at least once.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Takes the next events that are to be sent.
    pub(crate) fn send_more(&self, count: usize) -> Range<usize> {
        let first = self.sent.fetch_add(count, Ordering::Relaxed);
        first..first + count
    }

    /// Returns the first event of which nobody has a receipt.
    pub(crate) fn unaccepted(&self) -> Option<usize> {
        let ledger = self.ledger.lock();
        self.plan.events.iter().position(|event| !ledger.is_accepted(event))
    }

    /// A producer has a receipt for its events.
    pub(crate) fn accepted(&self, numbers: &[usize], receipt: &Receipt) {
        self.note(&format!("accepted {numbers:?}"));
        let mut ledger = self.ledger.lock();
        for (number, entry) in numbers.iter().zip(&receipt.events) {
            ledger.accepted(&self.plan.events[*number], entry.position);
        }
    }

    /// A process has started on a log that holds these events.
    pub(crate) fn restarted(&self, read: Vec<Recorded>) {
        self.note(&format!("the log holds {} events", read.len()));
        self.ledger.lock().restarted(read);
    }

    /// Returns what is still to be done, as sentences.
    pub(crate) fn left(&self) -> Vec<String> {
        let unaccepted = self.unaccepted().map(|number| format!("event {number} was not accepted"));
        let unsettled = self.ledger.lock().unsettled();
        unaccepted.into_iter().chain(unsettled).collect()
    }
}

impl Witness for World {
    fn appended(&self, append: &Append, receipt: &Receipt) {
        let pairs = append.events.iter().zip(&receipt.events);
        let written = pairs.map(|(new, entry)| {
            let how = if entry.duplicate { "again" } else { "at" };
            format!(" {} {how} {}", new.event.id(), entry.position)
        });
        self.note(&format!("writes{}", written.collect::<String>()));
        self.ledger.lock().appended(append, receipt);
    }

    fn refused(&self, append: &Append, error: &LogError) {
        self.note(&format!("cannot write {} events: {error}", append.events.len()));
        self.count(|tally| &mut tally.refused);
    }

    fn stored(&self, name: &str, value: &[u8]) {
        let done = self.ledger.lock().stored(name, value);
        if let Some(done) = done {
            self.note(&format!("stores {name} at {done}"));
        }
    }
}

/// A call that is under way until this is dropped.
pub(crate) struct Flying {
    world: Arc<World>,
    lane: Option<(usize, Key)>,
    has_landed: bool,
}

impl Flying {
    /// It has come to its end, and was not dropped in the middle.
    pub(crate) fn land(&mut self) {
        self.has_landed = true;
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        if let Some(lane) = &self.lane {
            self.world.flying.lock().remove(lane);
        }
        if !self.has_landed {
            self.world.count(|tally| &mut tally.broken_off);
        }
    }
}
