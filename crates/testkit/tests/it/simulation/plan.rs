//! What a seed draws: which functions there are, which events come, and what happens to each process.

use std::time::Duration;

use rand::{
    Rng, SeedableRng,
    rngs::SmallRng,
    seq::{IndexedRandom, SliceRandom},
};
use weir_catalog::{EventTypeName, RetryPolicy, Subscription};
use weir_domain::{Data, Event, FunctionId};
use weir_functions::CallError;
use weir_testkit::{Faults, SimDisk};

/// No event of a simulation is smaller, in bytes.
const EVENT_BYTES_MIN: usize = 100;
/// How long a function may take, as it says itself.
const LIMIT: Duration = Duration::from_secs(15);

/// All that is drawn before anything happens.
pub(crate) struct Plan {
    /// The types of events from outside.
    pub(crate) types: Vec<String>,
    pub(crate) functions: Vec<Declared>,
    /// The events from outside, in the order in which they are sent first.
    pub(crate) events: Vec<Event>,
    /// The processes, one after the other. Nothing happens to the last one.
    pub(crate) lives: Vec<Life>,
    pub(crate) log: weir_log_embedded::Options,
    pub(crate) flow: weir_flow::Options,
}

/// A function with its one subscription.
pub(crate) struct Declared {
    pub(crate) function: FunctionId,
    pub(crate) behaviour: Behaviour,
    /// The type of the events that it returns.
    pub(crate) returns: String,
    pub(crate) subscription: Subscription,
}

/// How a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Returns an event at once.
    Sound,
    /// Returns two.
    Many,
    /// Returns the same event twice.
    Twice,
    /// Answers late.
    Late,
    /// Fails now and then, in various ways.
    Flaky,
    /// Always fails.
    Broken,
    /// Hangs now and then, until its time is over.
    Hanging,
    /// Crashes in the middle now and then.
    Crashing,
    /// Refuses some events for good.
    Choosy,
}

/// How one call goes.
#[derive(Clone, Debug)]
pub(crate) enum How {
    Returns,
    Fails(CallError),
    Crashes,
}

/// One process, from its start to its end.
pub(crate) struct Life {
    pub(crate) seed: u64,
    /// For how long it runs, in milliseconds.
    pub(crate) lasts_ms: u64,
    /// What happens to the disk, and when.
    pub(crate) troubles: Vec<(u64, Trouble)>,
    pub(crate) end: End,
    /// How often the log fails.
    pub(crate) faults: Faults,
    /// What happens to the disk while the log is opened, or soon after.
    pub(crate) early: Option<Trouble>,
    /// Whether the disk is as good as new before it starts.
    pub(crate) is_healed: bool,
    /// Whether the index is lost when it has ended, cursors and all.
    pub(crate) loses_index: bool,
    /// Events that are sent up to its end.
    pub(crate) quota: usize,
}

/// What happens to a disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// The power goes after so many operations.
    PowerCut(u64),
    /// One operation fails, after so many.
    Glitch(u64),
    /// There is only so much more space, or enough of it.
    Space(Option<u64>),
    /// Syncs fail, or work again.
    FailingSyncs(bool),
}

impl Trouble {
    pub(crate) fn strike(self, disk: &SimDisk) {
        match self {
            Self::PowerCut(operations) => disk.cut_power_after(operations),
            Self::Glitch(operations) => disk.glitch_after(operations),
            Self::Space(more) => disk.limit_space(more.map(|more| disk.used() + more)),
            Self::FailingSyncs(fail) => disk.fail_sync(fail),
        }
    }
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is killed.
    Kill,
    /// The power goes after so many operations of the disk.
    PowerCut(u64),
    /// It ends in a sync, which fails.
    DieInSync,
    /// It ends in the middle of a block of the index, after so many.
    DieInIndex(u64),
    /// It is told to stop.
    Stop,
    /// It runs until all is done, and is told to stop.
    Rest,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let random = &mut SmallRng::seed_from_u64(seed);
        let types: Vec<String> = (0..random.random_range(1..=3)).map(|number| format!("t{number}")).collect();
        let functions = functions(random, &types);
        let events = events(random, &types);
        let lives = lives(random, events.len());
        let log = weir_log_embedded::Options {
            segment_bytes: random.random_range(2000..16_000),
            tail_bytes_max: 4096,
            index_block_events: random.random_range(1..40),
            // The machine takes the steps of the indexer: its writer must never wait for that.
            index_blocks_max: 100_000,
            ..weir_log_embedded::Options::default()
        };
        let flow = weir_flow::Options {
            window_events_max: random.random_range(4..40),
            window_bytes_max: random.random_range(4096..16 * 1024),
            ..weir_flow::Options::default()
        };
        Self { types, functions, events, lives, log, flow }
    }

    /// Returns how many events all subscriptions together may have read ahead: the windows, and a page for each that
    /// was begun while its window had room.
    pub(crate) fn backlog_max(&self) -> usize {
        let page = (self.flow.window_bytes_max / 2 / EVENT_BYTES_MIN).max(1);
        self.functions.len() * (self.flow.window_events_max + page)
    }
}

fn functions(random: &mut SmallRng, types: &[String]) -> Vec<Declared> {
    let mut behaviours = Behaviour::ALL;
    behaviours.shuffle(random);
    let count = random.random_range(2..=5);
    let mut all: Vec<Declared> = Vec::new();
    for (number, behaviour) in behaviours.into_iter().take(count).enumerate() {
        let before = all.iter().filter(|it| it.behaviour != Behaviour::Broken);
        let before: Vec<&str> = before.map(|it| it.returns.as_str()).collect();
        // One third are further down a chain, where there can be one.
        let listens_to: &str = match before.choose(random) {
            Some(returned) if random.random_range(0..3) == 0 => returned,
            _ => types.choose(random).expect("there are types").as_str(),
        };
        let event_type = EventTypeName::new(listens_to).expect("a name");
        let function = FunctionId::new(&format!("f{number}")).expect("an identifier");
        let subscription = Subscription::to_events(event_type, function.clone()).with_retry(retry(random, behaviour));
        all.push(Declared { function, behaviour, returns: format!("r{number}"), subscription });
    }
    all
}

fn retry(random: &mut SmallRng, behaviour: Behaviour) -> RetryPolicy {
    let attempts_max = match behaviour {
        Behaviour::Broken => Some(random.random_range(1..=4)),
        Behaviour::Flaky | Behaviour::Crashing if random.random() => Some(random.random_range(2..=4)),
        _ => None,
    };
    RetryPolicy {
        attempts_max,
        backoff_first_ms: random.random_range(1..500),
        backoff_max_ms: random.random_range(500..10_000),
        ..RetryPolicy::default()
    }
}

fn events(random: &mut SmallRng, types: &[String]) -> Vec<Event> {
    let keys = random.random_range(1..=6);
    let one = |number: usize| {
        let event_type = types.choose(random).expect("there are types");
        let data = Data::Text("x".repeat(random.random_range(EVENT_BYTES_MIN..400)).into());
        let mut event = Event::builder(&format!("e{number}"), "/sim", event_type).data(data);
        // One without a key stands alone.
        if random.random_range(0..8) > 0 {
            event = event.subject(&format!("k{}", random.random_range(0..keys)));
        }
        event.build().expect("a valid event")
    };
    let count = 30 + types.len() * 15;
    (0..count).map(one).collect()
}

fn lives(random: &mut SmallRng, events: usize) -> Vec<Life> {
    let count: usize = random.random_range(2..=6);
    let mut all: Vec<Life> = (1..=count).map(|number| Life::draw(random, events * number / (count + 1))).collect();
    // The first one is set up before anything happens to it.
    (all[0].early, all[0].faults, all[0].is_healed) = (None, Faults::default(), true);
    all.push(Life {
        seed: random.random(),
        lasts_ms: 0,
        troubles: Vec::new(),
        end: End::Rest,
        faults: Faults::default(),
        early: None,
        is_healed: true,
        loses_index: false,
        quota: events,
    });
    all
}

impl Life {
    fn draw(random: &mut SmallRng, quota: usize) -> Self {
        let lasts_ms = random.random_range(100..20_000);
        let early = match random.random_range(0..8) {
            0 => Some(Trouble::PowerCut(random.random_range(0..40))),
            1 => Some(Trouble::Glitch(random.random_range(0..16))),
            _ => None,
        };
        let end = match random.random_range(0..8) {
            0 | 1 => End::Stop,
            2 | 3 => End::Kill,
            4 => End::DieInSync,
            5 => End::DieInIndex(random.random_range(0..3)),
            _ => End::PowerCut(random.random_range(0..30)),
        };
        let mut faults = Faults::default();
        if random.random() {
            faults.append_refused = random.random_range(0..80);
            faults.append_unanswered = random.random_range(0..80);
            faults.read = random.random_range(0..30);
            faults.checkpoint = random.random_range(0..200);
        }
        Self {
            seed: random.random(),
            lasts_ms,
            troubles: troubles(random, lasts_ms),
            end,
            faults,
            early,
            is_healed: random.random_range(0..4) > 0,
            loses_index: random.random_range(0..10) == 0,
            quota,
        }
    }
}

/// Draws what happens within a life, in its order. What would end after it does not end.
fn troubles(random: &mut SmallRng, lasts_ms: u64) -> Vec<(u64, Trouble)> {
    let mut all = Vec::new();
    for _ in 0..random.random_range(0..4) {
        let at = random.random_range(0..lasts_ms);
        let over = at + random.random_range(10..5000);
        match random.random_range(0..3) {
            0 => all.push((at, Trouble::Glitch(random.random_range(0..20)))),
            1 => {
                all.push((at, Trouble::Space(Some(random.random_range(0..4000)))));
                all.push((over, Trouble::Space(None)));
            }
            _ => {
                all.push((at, Trouble::FailingSyncs(true)));
                all.push((over, Trouble::FailingSyncs(false)));
            }
        }
    }
    all.retain(|(at, _)| *at < lasts_ms);
    all.sort_by_key(|(at, _)| *at);
    all
}

impl Behaviour {
    const ALL: [Self; 9] = [
        Self::Sound,
        Self::Many,
        Self::Twice,
        Self::Late,
        Self::Flaky,
        Self::Broken,
        Self::Hanging,
        Self::Crashing,
        Self::Choosy,
    ];

    /// Returns how many events stand in the log for each event that was delivered.
    pub(crate) fn effects(self) -> u32 {
        if self == Self::Many { 2 } else { 1 }
    }

    /// Draws how one call goes, and how long that takes.
    pub(crate) fn draw(self, random: &mut SmallRng) -> (Duration, How) {
        let quickly = Duration::from_millis(random.random_range(0..20));
        let rejected = || How::Fails(CallError::Rejected { message: "as the plan wants it".to_owned() });
        let is_bad_day = random.random_range(0..4) == 0;
        match self {
            Self::Late => (Duration::from_millis(random.random_range(500..10_000)), How::Returns),
            Self::Broken => (quickly, rejected()),
            Self::Hanging if is_bad_day => (LIMIT, How::Fails(CallError::Timeout { limit: LIMIT })),
            Self::Crashing if is_bad_day => (quickly, How::Crashes),
            Self::Choosy if is_bad_day => (quickly, How::Fails(status(422, None))),
            Self::Flaky if random.random_range(0..3) == 0 => (quickly, How::Fails(failure(random))),
            _ => (quickly, How::Returns),
        }
    }
}

fn failure(random: &mut SmallRng) -> CallError {
    let message = "as the plan wants it".to_owned();
    match random.random_range(0..6) {
        0 => CallError::Unreachable { message },
        1 => CallError::Interrupted { message },
        2 => CallError::NotReady { message },
        3 => CallError::Busy,
        4 => status(503, Some(Duration::from_secs(2))),
        _ => CallError::Rejected { message },
    }
}

fn status(code: u16, retry_after: Option<Duration>) -> CallError {
    CallError::Status { code, retry_after, body: String::new() }
}
