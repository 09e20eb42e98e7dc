//! How a subscription delivers, on the wire. What has its default is not shown, so that clients of the Event Gateway see
//! what they know.

use serde::Serialize;
use serde_json::{Value, value::RawValue};
use weir_catalog::{
    DeliveryPolicy, Detail, Filter, Jitter, OnFailure, Order, Priority, RetryPolicy, Start, Subscription, limits,
};
use weir_cloudevents::time;
use weir_domain::Position;

use super::members::{BATCH, PLACE, RETRY, usual, usual_delivery};
use crate::configuration::fields::Fields;

/// What a client may say of how a subscription delivers.
pub(super) struct Given {
    pub(super) filter: Option<Value>,
    pub(super) start: Start,
    pub(super) delivery: DeliveryPolicy,
    pub(super) retry: RetryPolicy,
}

impl Given {
    /// Takes it from the members of a subscription.
    ///
    /// # Errors
    /// Where a member has another type than it should, or a word that there is not.
    pub(super) fn take(fields: &mut Fields<'_>) -> Result<Self, Detail> {
        Ok(Self {
            filter: fields.take("filter")?,
            start: fields.take::<&RawValue>("start")?.map_or(Ok(Start::default()), start)?,
            delivery: delivery(fields)?,
            retry: fields.take::<&RawValue>("retry")?.map_or(Ok(usual()), retry)?,
        })
    }
}

fn start(given: &RawValue) -> Result<Start, Detail> {
    if given.get().starts_with('"') {
        return match given.get() {
            "\"now\"" => Ok(Start::Now),
            "\"earliest\"" => Ok(Start::Earliest),
            other => {
                let other: String = other.chars().take(64).collect();
                Err(misplaced(&format!("must be \"now\", \"earliest\" or a place, not {other}")))
            }
        };
    }
    let mut fields = Fields::read(given.get(), "start: ", PLACE)?;
    match (fields.take("position")?, fields.optional("time")?) {
        (Some(position), None) => Ok(Start::At(Position::new(position))),
        (None, Some(text)) => {
            time::parse(&text).map(Start::Since).map_err(|error| misplaced(&format!("time: {error}")))
        }
        (None, None) => Err(misplaced("it has neither position nor time")),
        (Some(_), Some(_)) => Err(misplaced("position and time exclude each other")),
    }
}

fn misplaced(problem: &str) -> Detail {
    let cure = "give \"now\", \"earliest\", {\"position\": 7} or {\"time\": \"2026-01-31T12:00:00Z\"}, or leave it out";
    Detail::new(format!("start: {problem}"), cure)
}

fn delivery(fields: &mut Fields<'_>) -> Result<DeliveryPolicy, Detail> {
    let usual = usual_delivery();
    let (batch_size, batch_wait_ms) = match fields.take::<&RawValue>("batch")? {
        None => (None, None),
        Some(given) => {
            let mut fields = Fields::read(given.get(), "batch: ", BATCH)?;
            (fields.take("size")?, fields.take("waitMs")?)
        }
    };
    Ok(DeliveryPolicy {
        order: word(fields, "", "order", Order::NAMES, Order::parse)?,
        concurrency: fields.take("concurrency")?.unwrap_or(usual.concurrency),
        batch_size: batch_size.unwrap_or(usual.batch_size),
        batch_wait_ms: batch_wait_ms.unwrap_or(usual.batch_wait_ms),
        rate: fields.take("rate")?,
        priority: word(fields, "", "priority", Priority::NAMES, Priority::parse)?,
        timeout_ms: fields.take("timeoutMs")?,
        on_failure: word(fields, "", "onFailure", OnFailure::NAMES, OnFailure::parse)?,
    })
}

fn retry(given: &RawValue) -> Result<RetryPolicy, Detail> {
    const CONTEXT: &str = "retry: ";
    let mut fields = Fields::read(given.get(), CONTEXT, RETRY)?;
    let usual = usual();
    Ok(RetryPolicy {
        attempts_max: fields.take("attemptsMax")?.or(usual.attempts_max),
        backoff_first_ms: fields.take("backoffFirstMs")?.unwrap_or(usual.backoff_first_ms),
        backoff_max_ms: fields.take("backoffMaxMs")?.unwrap_or(usual.backoff_max_ms),
        age_max_ms: fields.take("ageMaxMs")?.or(usual.age_max_ms).filter(|most| *most > 0),
        multiplier_percent: match fields.take("multiplier")? {
            Some(factor) => percent(factor)?,
            None => usual.multiplier_percent,
        },
        jitter: word(&mut fields, CONTEXT, "jitter", Jitter::NAMES, Jitter::parse)?,
        retry_after_max_ms: fields.take("retryAfterMaxMs")?.unwrap_or(usual.retry_after_max_ms),
    })
}

/// Takes one of a few words; the default where there is none.
fn word<T: Default>(
    fields: &mut Fields<'_>,
    context: &str,
    name: &str,
    names: &[&str],
    parse: fn(&str) -> Option<T>,
) -> Result<T, Detail> {
    let Some(given) = fields.optional(name)? else { return Ok(T::default()) };
    parse(&given).ok_or_else(|| {
        let given: String = given.chars().take(64).collect();
        let names = names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" or ");
        Detail::new(format!("{context}{name} must be {names}, not {given:?}"), "give one of these, or leave it out")
    })
}

/// Makes hundredths of a factor.
fn percent(factor: f64) -> Result<u32, Detail> {
    RetryPolicy::percent(factor).ok_or_else(|| {
        let (least, most) = (limits::MULTIPLIER_PERCENT_MIN / 100, limits::MULTIPLIER_PERCENT_MAX / 100);
        let message =
            format!("retry: multiplier must be from {least} to {most} with two decimals at most, not {factor}");
        Detail::new(message, "give a number such as 1.5, or leave it out")
    })
}

/// How a subscription delivers as clients see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<StartShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<BatchShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_failure: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<RetryShown>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum StartShown {
    Earliest,
    Position(u64),
    Time(String),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchShown {
    size: u32,
    wait_ms: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RetryShown {
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts_max: Option<u32>,
    backoff_first_ms: u32,
    backoff_max_ms: u32,
    /// 0 where there is no bound: a member that is left out means the default.
    age_max_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    multiplier: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_max_ms: Option<u64>,
}

impl Shown {
    /// Shows how a subscription delivers.
    pub(super) fn of(item: &Subscription) -> Self {
        let usual = usual_delivery();
        let DeliveryPolicy { order, concurrency, batch_size, batch_wait_ms, rate, priority, timeout_ms, on_failure } =
            item.delivery;
        let batch = unusual((batch_size, batch_wait_ms), (usual.batch_size, usual.batch_wait_ms));
        Self {
            filter: item.filter.as_ref().map(Filter::to_json),
            start: StartShown::of(item.start),
            order: unusual(order, usual.order).map(Order::as_str),
            concurrency: unusual(concurrency, usual.concurrency),
            batch: batch.map(|(size, wait_ms)| BatchShown { size, wait_ms }),
            rate,
            priority: unusual(priority, usual.priority).map(Priority::as_str),
            timeout_ms,
            on_failure: unusual(on_failure, usual.on_failure).map(OnFailure::as_str),
            retry: unusual(item.retry, RetryPolicy::default()).map(RetryShown::of),
        }
    }
}

impl StartShown {
    fn of(start: Start) -> Option<Self> {
        match start {
            Start::Now => None,
            Start::Earliest => Some(Self::Earliest),
            Start::At(position) => Some(Self::Position(position.get())),
            Start::Since(time) => Some(Self::Time(time::format(time))),
        }
    }
}

impl RetryShown {
    /// What came later is shown where it differs alone.
    fn of(retry: RetryPolicy) -> Self {
        let usual = usual();
        Self {
            attempts_max: retry.attempts_max,
            backoff_first_ms: retry.backoff_first_ms,
            backoff_max_ms: retry.backoff_max_ms,
            age_max_ms: retry.age_max_ms.unwrap_or_default(),
            multiplier: unusual(retry.multiplier_percent, usual.multiplier_percent).map(|_| retry.multiplier()),
            jitter: unusual(retry.jitter, usual.jitter).map(Jitter::as_str),
            retry_after_max_ms: unusual(retry.retry_after_max_ms, usual.retry_after_max_ms),
        }
    }
}

/// What differs from the default.
fn unusual<T: PartialEq>(value: T, usual: T) -> Option<T> {
    (value != usual).then_some(value)
}
