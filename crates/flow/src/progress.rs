//! How far a subscription is: up to where everything is done, what is done behind the first event that is not, which lanes
//! are aside, how often what is open was tried, and the replay that is under way.
//!
//! One event that fails for hours holds the first of these up, and must not make a restart repeat all that was done behind
//! it meanwhile.

mod encoding;

use bytes::Bytes;
use weir_domain::{Key, Position};

use encoding::{Reader, Writer};

/// How many events that are not done are named. What is done behind the next one is done again after a restart.
const OPEN_MAX: usize = 32 * 1024;
/// Of how many events it is kept how often they were tried.
const TRIED_MAX: usize = 4096;

/// How far a subscription is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// How far it is with the events of the log.
    pub(crate) log: Course,
    /// How far it is with what is to be delivered again.
    pub(crate) redrives: Mark,
    /// The replay that is under way.
    pub(crate) replay: Option<Box<Replay>>,
    /// Since when and why it is parked.
    pub(crate) parked: Option<Parked>,
}

/// That a subscription is parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parked {
    /// Since when, in microseconds since the Unix epoch.
    pub(crate) since_micros: u64,
    /// The last failure.
    pub(crate) cause: String,
}

/// Up to where everything is done, and what is done behind that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The last position up to which everything is done, itself included.
    pub(crate) done: Position,
    pub(crate) ahead: Ahead,
}

/// How far one pass over the log is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Course {
    pub(crate) mark: Mark,
    /// Lanes whose events count as done for the mark, although those from a position on are not; ascending by key.
    pub(crate) aside: Vec<PutAside>,
    /// What was tried and is not done.
    pub(crate) tried: Vec<Tried>,
}

/// A lane that is put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PutAside {
    pub(crate) key: Key,
    /// Everything of the key before it is done.
    pub(crate) from: Position,
    /// The event that was given up and holds the key.
    pub(crate) held: Option<Position>,
    /// About how many events wait.
    pub(crate) events: u64,
}

/// How often an event was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tried {
    /// The event.
    pub(crate) position: Position,
    /// Where it was asked to deliver it again, if that is why.
    pub(crate) redrive: Option<Position>,
    /// Which attempt comes next.
    pub(crate) attempt: u32,
    /// How often it failed, but through the platform.
    pub(crate) failures: u32,
    /// How many of these failures count as attempts.
    pub(crate) made: u32,
    /// When the first attempt began, in microseconds since the Unix epoch.
    pub(crate) since_micros: u64,
    /// Not before this time is it tried again.
    pub(crate) due_micros: u64,
}

/// A replay that is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replay {
    /// What was asked for.
    pub(crate) order: ReplayOrder,
    /// How far it is.
    pub(crate) course: Course,
    /// How many events were delivered.
    pub(crate) delivered: u64,
    /// How many were given up.
    pub(crate) given_up: u64,
}

/// What a replay is asked to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayOrder {
    /// By which it is known: the value of the extension `weirreplay` of all its events.
    pub id: String,
    /// The first position that may be delivered.
    pub from: Position,
    /// The last one.
    pub to: Position,
    /// Which events of these, as JSON; none means all that are of the subscription.
    pub filter: Option<String>,
    /// The most events a second.
    pub rate: Option<u32>,
    /// The name of the derivation that its returned events belong to. Without one they are those of the first time, which
    /// the log refuses as duplicates.
    pub derivation: Option<String>,
    /// When it was asked for, in microseconds since the Unix epoch.
    pub since_micros: u64,
}

/// What is done of the events of a subscription, wherever everything before it is.
///
/// It stays true for ever: what is done is not undone. It only says less and less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// Up to here, itself included, every event of the subscription is done, but for those named.
    up_to: Position,
    /// Those that are not, ascending.
    open: Vec<Position>,
}

impl Ahead {
    /// Takes the events that are not done, ascending, of all up to a position.
    pub(crate) fn of(mut undone: impl Iterator<Item = Position>, up_to: Position) -> Self {
        let open = undone.by_ref().take(OPEN_MAX).collect();
        // What is behind one that is not named is not told.
        let up_to = undone.next().map_or(up_to, Position::previous);
        Self { up_to, open }
    }

    /// Returns up to where it tells anything.
    pub(crate) fn up_to(&self) -> Position {
        self.up_to
    }

    /// Tells whether an event is known to be done.
    pub(crate) fn is_done(&self, position: Position) -> bool {
        position <= self.up_to && self.open.binary_search(&position).is_err()
    }

    /// Returns the events after a position that are known not to be done.
    pub(crate) fn open_after(&self, position: Position) -> impl Iterator<Item = Position> + '_ {
        let first = self.open.partition_point(|open| *open <= position);
        self.open[first..].iter().copied()
    }

    fn until(self, end: Position) -> Self {
        let Self { up_to, mut open } = self;
        open.retain(|position| *position <= end);
        Self { up_to: up_to.min(end), open }
    }
}

impl Mark {
    /// Returns a mark with nothing done behind it.
    pub(crate) fn at(done: Position) -> Self {
        Self { done, ahead: Ahead::default() }
    }

    /// Tells whether an event is known to be done.
    pub(crate) fn is_done(&self, position: Position) -> bool {
        position <= self.done || self.ahead.is_done(position)
    }

    fn until(self, end: Position) -> Self {
        Self { done: self.done.min(end), ahead: self.ahead.until(end) }
    }

    fn write(&self, out: &mut Writer) {
        let Self { done, ahead } = self;
        out.number(done.get());
        let up_to = ahead.up_to.max(*done);
        out.number(up_to.get() - done.get());
        let open: Vec<Position> = ahead.open_after(*done).collect();
        out.number(open.len() as u64);
        let mut last = *done;
        for position in open {
            out.number(position.get() - last.get());
            last = position;
        }
    }

    fn read(input: &mut Reader<'_>) -> Option<Self> {
        let done = input.number()?;
        let up_to = done.checked_add(input.number()?)?;
        let (mut open, mut last) = (Vec::new(), done);
        for _ in 0..input.count()? {
            last = last.checked_add(input.number()?)?;
            open.push(Position::new(last));
        }
        (last <= up_to)
            .then_some(Self { done: Position::new(done), ahead: Ahead { up_to: Position::new(up_to), open } })
    }
}

impl Course {
    /// Tells whether an event of a key is known to be done.
    pub(crate) fn is_done(&self, position: Position, key: Option<&Key>) -> bool {
        self.mark.is_done(position) && self.lane(key).is_none_or(|aside| position < aside.from)
    }

    fn lane(&self, key: Option<&Key>) -> Option<&PutAside> {
        let key = key?;
        let index = self.aside.binary_search_by(|aside| aside.key.cmp(key)).ok()?;
        self.aside.get(index)
    }

    fn until(self, end: Position) -> Self {
        let Self { mark, mut aside, mut tried } = self;
        for lane in &mut aside {
            lane.from = lane.from.min(end.next());
        }
        tried.retain(|it| it.position <= end);
        Self { mark: mark.until(end), aside, tried }
    }

    fn write(&self, out: &mut Writer) {
        self.mark.write(out);
        out.number(self.aside.len() as u64);
        for PutAside { key, from, held, events } in &self.aside {
            out.text(key.as_str());
            out.number(from.get());
            out.number(held.map_or(0, Position::get));
            out.number(*events);
        }
        let tried = &self.tried[..self.tried.len().min(TRIED_MAX)];
        out.number(tried.len() as u64);
        for Tried { position, redrive, attempt, failures, made, since_micros, due_micros } in tried {
            out.number(position.get());
            out.number(redrive.map_or(0, Position::get));
            for number in [attempt, failures, made] {
                out.number(u64::from(*number));
            }
            out.number(*since_micros);
            out.number(*due_micros);
        }
    }

    fn read(input: &mut Reader<'_>) -> Option<Self> {
        let mark = Mark::read(input)?;
        let mut aside = Vec::new();
        for _ in 0..input.count()? {
            let key = Key::new(input.text()?.to_owned())?;
            let (from, held, events) = (Position::new(input.number()?), input.position()?, input.number()?);
            aside.push(PutAside { key, from, held, events });
        }
        let mut tried = Vec::new();
        for _ in 0..input.count()? {
            tried.push(Tried {
                position: Position::new(input.number()?),
                redrive: input.position()?,
                attempt: input.short()?,
                failures: input.short()?,
                made: input.short()?,
                since_micros: input.number()?,
                due_micros: input.number()?,
            });
        }
        aside.is_sorted_by(|a, b| a.key < b.key).then_some(Self { mark, aside, tried })
    }
}

impl Replay {
    fn write(&self, out: &mut Writer) {
        let Self { order, course, delivered, given_up } = self;
        let ReplayOrder { id, from, to, filter, rate, derivation, since_micros } = order;
        out.text(id);
        out.number(from.get());
        out.number(to.get());
        out.text(filter.as_deref().unwrap_or_default());
        out.number(rate.map_or(0, u64::from));
        out.text(derivation.as_deref().unwrap_or_default());
        out.number(*since_micros);
        course.write(out);
        out.number(*delivered);
        out.number(*given_up);
    }

    fn read(input: &mut Reader<'_>) -> Option<Self> {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let order = ReplayOrder {
            id: input.text()?.to_owned(),
            from: Position::new(input.number()?),
            to: Position::new(input.number()?),
            filter: some(input.text()?),
            rate: Some(input.short()?).filter(|rate| *rate > 0),
            derivation: some(input.text()?),
            since_micros: input.number()?,
        };
        let course = Course::read(input)?;
        Some(Self { order, course, delivered: input.number()?, given_up: input.number()? })
    }
}

impl Progress {
    /// Returns the progress of a subscription that begins after a position.
    pub(crate) fn at(done: Position) -> Self {
        let log = Course { mark: Mark::at(done), ..Course::default() };
        Self { log, redrives: Mark::at(done), ..Self::default() }
    }

    /// Returns what of it counts in a log that ends at a position: what stands behind that is other events.
    pub(crate) fn until(self, end: Position) -> Self {
        let Self { log, redrives, replay, parked } = self;
        let replay = replay.map(|replay| Box::new(Replay { course: replay.course.until(end), ..*replay }));
        Self { log: log.until(end), redrives: redrives.until(end), replay, parked }
    }

    /// Writes it down, see `docs/log-format.md`.
    pub(crate) fn encode(&self) -> Bytes {
        let Self { log, redrives, replay, parked } = self;
        let mut out = Writer::begin(log.mark.done);
        log.write(&mut out);
        redrives.write(&mut out);
        out.number(u64::from(replay.is_some()));
        if let Some(replay) = replay {
            replay.write(&mut out);
        }
        out.number(parked.as_ref().map_or(0, |parked| parked.since_micros.max(1)));
        if let Some(parked) = parked {
            out.text(&parked.cause);
        }
        out.finish()
    }

    /// Reads it; `None` where it is damaged, or of another version.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (done, version, mut input) = Reader::begin(bytes)?;
        match version {
            0 => Some(Self::at(done).without_redrives()),
            1 => {
                let ahead = encoding::ahead_of_version_1(done, &mut input)?;
                let log = Course { mark: Mark { done, ahead }, ..Course::default() };
                Some(Self { log, ..Self::default() })
            }
            encoding::VERSION => {
                let log = Course::read(&mut input)?;
                let redrives = Mark::read(&mut input)?;
                let replay = match input.number()? {
                    0 => None,
                    _ => Some(Box::new(Replay::read(&mut input)?)),
                };
                let parked = match input.number()? {
                    0 => None,
                    since_micros => Some(Parked { since_micros, cause: input.text()?.to_owned() }),
                };
                (input.is_empty() && log.mark.done == done).then_some(Self { log, redrives, replay, parked })
            }
            _ => None,
        }
    }

    /// Before there was version 2 nothing could be delivered again.
    fn without_redrives(self) -> Self {
        Self { redrives: Mark::default(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_written_before_there_was_more_is_read() {
        let with = |ahead| Progress {
            log: Course { mark: Mark { done: Position::new(7), ahead }, ..Course::default() },
            ..Progress::default()
        };
        assert_eq!(Progress::decode(&[0, 0, 0, 0, 0, 0, 0, 7]), Some(with(Ahead::default())));
        for broken in
            [&b"1234567"[..], b"12345678\x03\x01", b"12345678\x01", b"12345678\x01\x80", b"12345678\x01\x01\x02"]
        {
            assert_eq!(Progress::decode(broken), None, "{broken:?}");
        }
        let fixture = Progress::decode(&[0, 0, 0, 0, 0, 0, 0, 7, 1, 0xac, 2, 1, 2]).expect("readable");
        let open = [8, 10].map(Position::new).to_vec();
        assert_eq!(fixture, with(Ahead { up_to: Position::new(307), open }));
    }

    #[test]
    fn what_is_named_is_bounded() {
        let all = 1..=OPEN_MAX as u64 + 2;
        let ahead = Ahead::of(all.map(|number| Position::new(number * 2)), Position::new(u64::MAX));
        assert_eq!((ahead.open.len(), ahead.up_to().get()), (OPEN_MAX, OPEN_MAX as u64 * 2 + 1));
    }

    /// All that there can be, cut anywhere: it comes back whole or not at all.
    #[test]
    fn everything_comes_back() {
        let position = Position::new;
        let key = |text: &str| Key::new(text.to_owned()).expect("a key");
        let course = Course {
            mark: Mark {
                done: position(7),
                ahead: Ahead { up_to: position(307), open: vec![position(8), position(10)] },
            },
            aside: vec![
                PutAside { key: key("a"), from: position(3), held: Some(position(2)), events: 9 },
                PutAside { key: key("b"), from: position(5), held: None, events: 0 },
            ],
            tried: vec![Tried {
                position: position(8),
                redrive: Some(position(300)),
                attempt: 3,
                failures: 5,
                made: 2,
                since_micros: 1_700_000_000_000_000,
                due_micros: u64::MAX,
            }],
        };
        let order = ReplayOrder {
            id: "r".into(),
            from: position(1),
            to: position(9),
            filter: Some("{}".into()),
            rate: Some(5),
            derivation: Some("again".into()),
            since_micros: 1,
        };
        let replay = Replay { order, course: course.clone(), delivered: 4, given_up: 1 };
        let redrives = Mark { done: position(100), ahead: Ahead { up_to: position(200), open: vec![position(150)] } };
        let parked = Some(Parked { since_micros: 5, cause: "it is down".into() });
        let whole = Progress { log: course, redrives, replay: Some(Box::new(replay)), parked };
        let bytes = whole.encode();
        assert_eq!(Progress::decode(&bytes).as_ref(), Some(&whole));
        for end in 9..bytes.len() {
            assert_eq!(Progress::decode(&bytes[..end]), None, "cut at {end}");
        }
        let is_done = |number, text| whole.log.is_done(position(number), Some(&key(text)));
        assert_eq!([is_done(2, "a"), is_done(3, "a"), is_done(4, "b"), is_done(5, "b")], [true, false, true, false]);
        assert_eq!([is_done(6, "c"), is_done(8, "c"), is_done(9, "c"), is_done(308, "c")], [true, false, true, false]);
    }

    proptest! {
        /// Against the set of what is done: what counts as done is, before and after it was written down, and in a log
        /// that lost its end.
        #[test]
        fn it_tells_what_is_done(done in 0u64..300, undone in prop::collection::btree_set(1u64..700, 0..40), up_to in 0u64..700, end in 0u64..900) {
            let undone: BTreeSet<u64> = undone.into_iter().filter(|it| *it > done && *it <= up_to).collect();
            let ahead = Ahead::of(undone.iter().map(|it| Position::new(*it)), Position::new(up_to));
            let mark = Mark { done: Position::new(done), ahead };
            let progress = Progress { log: Course { mark, ..Course::default() }, ..Progress::default() };
            let read = Progress::decode(&progress.encode()).expect("readable");
            let cut = read.clone().until(Position::new(end));
            for position in done + 1..900 {
                let expected = position <= up_to && !undone.contains(&position);
                let asked = Position::new(position);
                prop_assert_eq!(progress.log.mark.ahead.is_done(asked), expected);
                prop_assert_eq!(read.log.mark.ahead.is_done(asked), expected);
                prop_assert_eq!(cut.log.mark.ahead.is_done(asked), expected && position <= end);
            }
            prop_assert_eq!(cut.log.mark.done.get(), done.min(end));
            let after: Vec<u64> = read.log.mark.ahead.open_after(Position::new(350)).map(Position::get).collect();
            prop_assert_eq!(after, undone.range(351..).copied().collect::<Vec<_>>());
        }
    }
}
