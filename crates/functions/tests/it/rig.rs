//! What the tests share: a runtime with its ticker, ports that are not the machine's, and short ways to calls.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use weir_domain::{AttributeValue, Clock, Data, Event, FunctionId, Ids, Timestamp};
use weir_functions::{
    Call, CallError, CallMode, Code, Draft, FunctionOptions, GuestLevel, GuestLog, HttpAnswer, Invoke, Outcome,
    PrepareError, RuntimeOptions, TickerStop, WasmFunction, WasmRuntime,
};

/// What guests read as the time, in milliseconds.
pub(crate) const NOW_MS: u64 = 1_700_000_000_123;

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(NOW_MS * 1000)
    }
}

#[derive(Default)]
struct CountedIds(AtomicU64);

impl Ids for CountedIds {
    fn unique(&self) -> String {
        format!("id-{}", self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }
}

/// Lines that guests wrote: `function event level text`.
#[derive(Default)]
pub(crate) struct Lines(Mutex<Vec<String>>);

impl Lines {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }
}

impl GuestLog for Lines {
    fn line(&self, function: &FunctionId, event_id: &str, level: GuestLevel, text: &str) {
        let line = format!("{function} {event_id} {} {text}", level.as_str());
        self.0.lock().expect("not poisoned").push(line);
    }
}

/// A runtime whose ticker runs.
pub(crate) struct Rig {
    pub(crate) runtime: WasmRuntime,
    pub(crate) lines: Arc<Lines>,
    stop: TickerStop,
    ticker: Option<JoinHandle<()>>,
}

impl Rig {
    /// A runtime that keeps artefacts between the runs of the tests.
    pub(crate) fn new() -> Self {
        Self::with(16, &artifacts())
    }

    pub(crate) fn with(instances_max: u32, cache_dir: &Path) -> Self {
        let cache_dir = Some(cache_dir.to_owned());
        Self::of(|defaults| RuntimeOptions { instances_max, cache_dir, ..defaults })
    }

    /// A runtime in which loading a file may take this time.
    pub(crate) fn impatient(load_timeout: Duration) -> Self {
        let cache_dir = Some(artifacts());
        Self::of(|defaults| RuntimeOptions { instances_max: 16, load_timeout, cache_dir, ..defaults })
    }

    fn of(options: impl FnOnce(RuntimeOptions) -> RuntimeOptions) -> Self {
        let lines = Arc::new(Lines::default());
        let log = Arc::clone(&lines) as Arc<dyn GuestLog>;
        let defaults = RuntimeOptions::new(Arc::new(StoppedClock), Arc::new(CountedIds::default()), log);
        let runtime = WasmRuntime::new(options(defaults)).expect("a runtime");
        let ticker = runtime.ticker();
        let stop = ticker.stop_handle();
        let ticker = Some(std::thread::spawn(move || ticker.run()));
        Self { runtime, lines, stop, ticker }
    }

    pub(crate) async fn try_prepare(&self, code: Code, options: FunctionOptions) -> Result<WasmFunction, PrepareError> {
        self.runtime.prepare(&id(), code, options).await
    }

    pub(crate) async fn script(&self, source: &str, options: FunctionOptions) -> WasmFunction {
        let prepared = self.try_prepare(Code::JavaScript(source.into()), options).await;
        prepared.unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(ticker) = self.ticker.take() {
            ticker.join().expect("the ticker ends when it is stopped");
        }
    }
}

/// Where artefacts are kept between the runs of the tests.
fn artifacts() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("artifacts")
}

pub(crate) fn id() -> FunctionId {
    FunctionId::new("shop").expect("valid")
}

pub(crate) fn json(text: &str) -> Data {
    Data::Json(text.to_owned().into())
}

/// An event of this type, with the id `1` and some extensions.
pub(crate) fn event(event_type: &str, data: Data) -> Event {
    Event::builder("1", "/source", event_type)
        .subject("order/7")
        .time("2026-01-31T12:00:00Z")
        .extension("sequence", AttributeValue::Integer(-3))
        .extension("sampled", AttributeValue::Boolean(true))
        .extension("partitionkey", AttributeValue::String("käse"))
        .data(data)
        .build()
        .expect("valid")
}

pub(crate) fn call(mode: CallMode, event: Event) -> Call {
    Call {
        key: event.default_key(),
        event,
        function: id(),
        subscription: "orders".into(),
        attempt: 2,
        mode,
        span: None,
        timeout: None,
    }
}

/// Calls from the log.
pub(crate) async fn invoke(function: &impl Invoke, event_type: &str, data: Data) -> Result<Outcome, CallError> {
    function.invoke(&call(CallMode::Async, event(event_type, data))).await
}

/// Calls for somebody who waits.
pub(crate) async fn ask(function: &impl Invoke, event_type: &str, data: Data) -> Result<Outcome, CallError> {
    function.invoke(&call(CallMode::Sync, event(event_type, data))).await
}

/// Calls for the value that it returns.
pub(crate) async fn value(function: &impl Invoke, event_type: &str) -> Result<Outcome, CallError> {
    function.invoke(&call(CallMode::Value, event(event_type, Data::None))).await
}

/// The one event that came of a call.
pub(crate) fn only(outcome: Result<Outcome, CallError>) -> Draft {
    match outcome {
        Ok(Outcome::Events(mut drafts)) if drafts.len() == 1 => drafts.remove(0),
        other => panic!("one event was expected: {other:?}"),
    }
}

/// The JSON data of the one event that came of a call.
pub(crate) fn data(outcome: Result<Outcome, CallError>) -> serde_json::Value {
    match only(outcome).data {
        Data::Json(text) => serde_json::from_str(&text).expect("JSON"),
        other => panic!("JSON was expected: {other:?}"),
    }
}

/// An answer with these parts.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Outcome {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Outcome::Answer(HttpAnswer { status, headers, body: body.to_vec().into() })
}
