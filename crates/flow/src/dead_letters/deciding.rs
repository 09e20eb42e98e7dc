//! Deciding about dead letters: one by one, or all of a selection.

use serde_json::{Value, json, value::RawValue};
use weir_domain::{Data, Position, SpaceName};
use weir_log::{Append, Condition, LogError, NewEvent, Query, Receipt};

use super::{
    DEADLETTER_DISCARDED, DEADLETTER_PATCHED, DEADLETTER_REDRIVEN, DeadLetter, LetterDetails, LetterError,
    LetterSelection, LetterState, SOURCE, TRIES_MAX, reading,
    successors::{self, Successors},
};
use crate::{Refusal, delivery, flow::Shared};

/// How many decisions are appended together.
const TOGETHER_MAX: usize = 1000;
/// About how many bytes these have.
const TOGETHER_BYTES_MAX: usize = 1024 * 1024;
/// Of how many letters it is told why they were left.
const LEFT_TOLD_MAX: usize = 10;

/// What is to be decided.
#[derive(Clone, Copy)]
pub(super) enum Verdict<'a> {
    Redrive { to: Option<&'a str> },
    Discard { reason: Option<&'a str> },
}

/// What was decided about one letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LetterDecided {
    /// The letter.
    pub letter: Position,
    /// What.
    pub state: LetterState,
    /// Where that stands: the receipt.
    pub at: Position,
    /// It was decided so before.
    pub is_duplicate: bool,
}

/// What was decided about the letters of a selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LettersDecided {
    /// About how many.
    pub count: u64,
    /// Where the last decision stands; the origin where there is none.
    pub last: Position,
    /// How many letters were left as they are, because they cannot be delivered.
    pub left: u64,
    /// The first of these, with why.
    pub reasons: Vec<(Position, String)>,
}

impl Verdict<'_> {
    const fn state(&self) -> LetterState {
        match self {
            Self::Redrive { .. } => LetterState::Redriven,
            Self::Discard { .. } => LetterState::Discarded,
        }
    }

    const fn event_type(&self) -> &'static str {
        match self {
            Self::Redrive { .. } => DEADLETTER_REDRIVEN,
            Self::Discard { .. } => DEADLETTER_DISCARDED,
        }
    }

    /// Makes the event that says so.
    async fn event(
        &self,
        shared: &Shared,
        space: &SpaceName,
        details: &LetterDetails,
        successors: &mut Successors,
    ) -> Result<NewEvent, LetterError> {
        let letter = &details.letter;
        let own = successors.present(shared, space, letter).await?;
        let data = match self {
            Self::Redrive { to } => {
                let target = match (own, *to) {
                    (Some(own), None) => own,
                    (Some(own), Some(named)) if own.id.as_str() == named => own,
                    (Some(own), Some(_)) => {
                        return Err(LetterError::NotItsOwn { position: letter.position, own: own.id.to_string() });
                    }
                    (None, Some(named)) => {
                        let found = successors::find(&shared.state.borrow(), space, named);
                        let fits = found.filter(|it| it.event_type.as_str() == letter.event.event_type);
                        fits.ok_or_else(|| LetterError::Unfit {
                            named: named.chars().take(128).collect(),
                            event_type: letter.event.event_type.clone(),
                        })?
                    }
                    (None, None) => return Err(LetterError::Gone { position: letter.position }),
                };
                let patched = details.patched.as_ref().map(|patched| &*patched.event);
                told(letter, target.id.as_str(), target.function.as_str(), patched)
            }
            Self::Discard { reason } => {
                // Where nobody is left whose key it holds, it says whose it was.
                let subscription = own.as_ref().map_or(letter.subscription.as_str(), |own| own.id.as_str());
                let mut data = told_head(letter, subscription, &letter.function);
                data["reason"] = json!(reason);
                data.to_string()
            }
        };
        let id = reading::identifier(letter.position, self.state());
        event_about(shared, details, &id, self.event_type(), data)
    }
}

pub(super) async fn one(
    shared: &Shared,
    space: &SpaceName,
    position: Position,
    verdict: Verdict<'_>,
) -> Result<LetterDecided, LetterError> {
    let mut successors = Successors::default();
    let state = verdict.state();
    let decided = |at, is_duplicate| LetterDecided { letter: position, state, at, is_duplicate };
    for _ in 0..TRIES_MAX {
        let after = *shared.log.durable_end().borrow();
        let details = reading::details(shared, space, position).await?;
        let DeadLetter { state: present, decided_at: at, .. } = details.letter;
        if present == state {
            return Ok(decided(at, true));
        }
        if present != LetterState::Open {
            return Err(LetterError::Decided { position, state: present, at });
        }
        let new = verdict.event(shared, space, &details, &mut successors).await?;
        match append(shared, space, vec![new], after).await {
            Ok(receipt) => {
                let entry = receipt.events.first().copied();
                return entry.map(|entry| decided(entry.position, entry.duplicate)).ok_or(LetterError::Busy);
            }
            Err(LogError::ConditionFailed { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(LetterError::Busy)
}

pub(super) async fn all(
    shared: &Shared,
    space: &SpaceName,
    selection: &LetterSelection,
    verdict: Verdict<'_>,
) -> Result<LettersDecided, LetterError> {
    let letters = reading::open(shared, space, selection).await?;
    let mut successors = Successors::default();
    let mut decided = LettersDecided::default();
    let mut rest = letters.as_slice();
    while !rest.is_empty() {
        let taken = some(shared, space, rest, verdict, &mut successors, &mut decided).await?;
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(decided)
}

/// Decides about as many of these letters as fit into one append; returns how many that were.
async fn some(
    shared: &Shared,
    space: &SpaceName,
    letters: &[Position],
    verdict: Verdict<'_>,
    successors: &mut Successors,
    decided: &mut LettersDecided,
) -> Result<usize, LetterError> {
    for _ in 0..TRIES_MAX {
        let after = *shared.log.durable_end().borrow();
        let batch = Batch::gather(shared, space, letters, verdict, successors).await?;
        let Batch { events, taken, left, .. } = batch;
        let appended = if events.is_empty() {
            Ok(Receipt { events: Vec::new() })
        } else {
            append(shared, space, events, after).await
        };
        match appended {
            Ok(receipt) => {
                decided.count += receipt.events.iter().filter(|entry| !entry.duplicate).count() as u64;
                decided.last = decided.last.max(receipt.range().last);
                decided.left += left.len() as u64;
                let room = LEFT_TOLD_MAX.saturating_sub(decided.reasons.len());
                decided.reasons.extend(left.into_iter().take(room));
                return Ok(taken);
            }
            Err(LogError::ConditionFailed { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(LetterError::Busy)
}

/// Decisions that are appended together.
#[derive(Default)]
struct Batch {
    events: Vec<NewEvent>,
    bytes: usize,
    /// How many letters were looked at.
    taken: usize,
    left: Vec<(Position, String)>,
}

impl Batch {
    async fn gather(
        shared: &Shared,
        space: &SpaceName,
        letters: &[Position],
        verdict: Verdict<'_>,
        successors: &mut Successors,
    ) -> Result<Self, LetterError> {
        let mut batch = Self::default();
        for position in letters {
            if batch.taken == TOGETHER_MAX || batch.bytes >= TOGETHER_BYTES_MAX {
                break;
            }
            batch.taken += 1;
            match decision(shared, space, *position, verdict, successors).await {
                Ok(None) => {}
                Ok(Some(new)) => {
                    batch.bytes += new.event.size();
                    batch.events.push(new);
                }
                Err(error) if error.is_of_letter() => batch.left.push((*position, error.to_string())),
                Err(error) => return Err(error),
            }
        }
        Ok(batch)
    }
}

/// Makes the decision about one letter; `None` where somebody else was faster.
async fn decision(
    shared: &Shared,
    space: &SpaceName,
    position: Position,
    verdict: Verdict<'_>,
    successors: &mut Successors,
) -> Result<Option<NewEvent>, LetterError> {
    let details = reading::details(shared, space, position).await?;
    if details.letter.state != LetterState::Open {
        return Ok(None);
    }
    Ok(Some(verdict.event(shared, space, &details, successors).await?))
}

/// Appends decisions, unless another one came after a position.
pub(super) async fn append(
    shared: &Shared,
    space: &SpaceName,
    events: Vec<NewEvent>,
    after: Position,
) -> Result<Receipt, LogError> {
    let types = [DEADLETTER_PATCHED, DEADLETTER_REDRIVEN, DEADLETTER_DISCARDED].map(str::to_owned).to_vec();
    let condition = Condition { query: Query { keys: Vec::new(), types }, after };
    shared.log.append(Append::new(space.clone(), events).only_if(condition)).await
}

/// Makes the event that says what was decided about a letter. It follows from that, and has its key.
pub(super) fn event_about(
    shared: &Shared,
    details: &LetterDetails,
    id: &str,
    event_type: &str,
    data: String,
) -> Result<NewEvent, LetterError> {
    let letter = &details.letter;
    let event = delivery::about(id, SOURCE, event_type, &details.itself, shared.clock.now());
    let event = event.subject(&letter.event.id).data(Data::Json(data.into())).build().map_err(Refusal::from)?;
    Ok(NewEvent { event, key: letter.key.clone() })
}

/// Writes what is told of a decision, with the event in another form where there is one.
pub(super) fn told(letter: &DeadLetter, subscription: &str, function: &str, patched: Option<&RawValue>) -> String {
    let head = told_head(letter, subscription, function).to_string();
    // Joined as texts, so that numbers stay as they were written.
    let patched = patched.map_or("null", RawValue::get);
    format!("{},\"patched\":{patched}}}", head.strip_suffix('}').unwrap_or(&head))
}

fn told_head(letter: &DeadLetter, subscription: &str, function: &str) -> Value {
    let event = &letter.event;
    json!({
        "deadLetter": letter.position.get(),
        "subscriptionId": subscription,
        "functionId": function,
        "event": {
            "id": event.id,
            "source": event.source,
            "type": event.event_type,
            "position": event.position.get(),
        },
        "key": letter.key.as_ref().map(|key| key.as_str()),
    })
}
