//! What the platform adds to a call: a JavaScript function on a reused and on a fresh instance, against a function that
//! is none. `cargo bench -p weir-functions --bench invoke`
//!
//! Where nothing is chosen, what it ends with are the figures of `docs/performance.md`: percentiles of single calls, and
//! calls from two threads at once, each as the median of five runs with the least and the most.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use divan::{Bencher, counter::ItemsCount};
use futures_util::future::BoxFuture;
use tokio::runtime::Runtime;

use weir_domain::{AttributeValue, Clock, Data, Event, FunctionId, Ids, Timestamp};
use weir_functions::{
    Call, CallError, CallMode, Code, FunctionOptions, GuestLevel, GuestLog, Instances, Invoke, Outcome, RuntimeOptions,
    TickerStop, WasmFunction, WasmRuntime,
};

/// Reads the event and returns one that is made of it.
const BILL: &str = r#"
export function handle(event) {
  const order = event.data;
  const total = order.items.reduce((sum, item) => sum + item.count * item.price, 0);
  return { type: "order.billed", subject: event.subject, data: { order: order.order, total } };
}
"#;

/// Does nothing: what remains is the way in and out.
const NOTHING: &str = "export function handle() {}";

const RUNS: usize = 5;
const THREADS: usize = 2;
/// Calls of one batch.
const BATCH: usize = 64;

#[expect(clippy::disallowed_methods, reason = "a program of its own: here its arguments are read")]
fn main() {
    divan::main();
    if std::env::args().skip(1).all(|argument| argument == "--bench") {
        figures();
    }
}

/// One figure, measured several times.
#[derive(Default)]
struct Figure(Vec<f64>);

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, median, most) = (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
        let digits = f.precision().unwrap_or(0);
        write!(f, "{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}

/// Prints what divan has no word for.
#[expect(clippy::print_stdout, reason = "a measuring program speaks to its caller")]
fn figures() {
    println!("\nmedian of {RUNS} runs (least to most)");
    let reused = Instances::Reuse { calls_max: u32::MAX };
    for (name, instances, calls) in [("reused", reused, 50_000), ("fresh", Instances::Fresh, 5_000)] {
        let rig = Rig::new();
        let function = rig.script(BILL, instances);
        let [mut p50, mut p99, mut rate]: [Figure; 3] = Default::default();
        for _ in 0..RUNS {
            let micros = rig.latencies(&function, calls);
            p50.0.push(micros[micros.len() / 2]);
            p99.0.push(micros[micros.len() * 99 / 100]);
            rate.0.push(calls_per_second(&function, calls));
        }
        println!("{name:<7} p50 {p50:.1} µs, p99 {p99:.1} µs; {rate:.0} calls/s from {THREADS} threads");
    }
}

/// Calls from several threads at once, so many times each.
fn calls_per_second(function: &WasmFunction, calls: usize) -> f64 {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let call = call();
                async_runtime().block_on(async {
                    for _ in 0..calls {
                        function.invoke(&call).await.expect("no failure");
                    }
                });
            });
        }
    });
    (THREADS * calls) as f64 / begun.elapsed().as_secs_f64()
}

fn async_runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("an async runtime")
}

struct Ports(AtomicU64);

impl Clock for Ports {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl Ids for Ports {
    fn unique(&self) -> String {
        self.0.fetch_add(1, Ordering::Relaxed).to_string()
    }

    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }
}

impl GuestLog for Ports {
    fn line(&self, _: &FunctionId, _: &str, _: GuestLevel, _: &str) {}
}

/// The baseline: everything around a call but the guest.
struct Host;

impl Invoke for Host {
    fn invoke<'a>(&'a self, _: &'a Call) -> BoxFuture<'a, Result<Outcome, CallError>> {
        Box::pin(async { Ok(Outcome::Events(Vec::new())) })
    }
}

/// A runtime with its ticker, and an async runtime of one thread.
struct Rig {
    tokio: Runtime,
    wasm: WasmRuntime,
    stop: TickerStop,
}

impl Rig {
    fn new() -> Self {
        let ports = Arc::new(Ports(AtomicU64::new(0)));
        let (clock, ids, log) = (Arc::clone(&ports), Arc::clone(&ports), ports);
        let wasm = WasmRuntime::new(RuntimeOptions::new(clock, ids, log)).expect("a runtime");
        let ticker = wasm.ticker();
        let stop = ticker.stop_handle();
        #[expect(clippy::disallowed_methods, reason = "the bench is its own supervisor")]
        std::thread::spawn(move || ticker.run());
        Self { tokio: async_runtime(), wasm, stop }
    }

    fn script(&self, source: &str, instances: Instances) -> WasmFunction {
        let id = FunctionId::new("bench").expect("valid");
        let options = FunctionOptions { instances, ..FunctionOptions::default() };
        let prepared = self.tokio.block_on(self.wasm.prepare(&id, Code::JavaScript(source.into()), options));
        prepared.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns how long each of so many calls took, in microseconds, the shortest first.
    fn latencies(&self, function: &WasmFunction, calls: usize) -> Vec<f64> {
        let call = call();
        let mut micros: Vec<f64> = self.tokio.block_on(async {
            let mut micros = Vec::with_capacity(calls);
            for _ in 0..calls {
                let begun = Instant::now();
                function.invoke(&call).await.expect("no failure");
                micros.push(begun.elapsed().as_secs_f64() * 1e6);
            }
            micros
        });
        micros.sort_by(f64::total_cmp);
        micros
    }

    fn bench(&self, bencher: Bencher<'_, '_>, function: &impl Invoke) {
        let call = call();
        bencher
            .counter(ItemsCount::new(1usize))
            .bench_local(|| self.tokio.block_on(function.invoke(&call)).expect("no failure"));
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

/// An event of half a kilobyte, such as a shop sends.
fn call() -> Call {
    let data = r#"{"order":7,"customer":{"id":42,"name":"Ada Lovelace","country":"GB"},"items":[{"sku":"A-1001","count":2,"price":12.5},{"sku":"B-2002","count":1,"price":99.95}],"note":"leave it at the door, please","paid":true}"#;
    let event = Event::builder("6f1c2f0e-8a8b-4e8e-9a55-000000000007", "/shop/orders", "order.placed")
        .subject("order/7")
        .time("2026-01-31T12:00:00.123456Z")
        .datacontenttype("application/json")
        .extension("partitionkey", AttributeValue::String("customer-42"))
        .data(Data::Json(data.into()))
        .build()
        .expect("valid");
    Call {
        key: event.default_key(),
        event,
        function: FunctionId::new("bench").expect("valid"),
        subscription: "orders".into(),
        attempt: 1,
        mode: CallMode::Async,
        span: None,
        timeout: None,
    }
}

#[divan::bench]
fn baseline_without_a_guest(bencher: Bencher<'_, '_>) {
    Rig::new().bench(bencher, &Host);
}

#[divan::bench]
fn reused_instance_doing_nothing(bencher: Bencher<'_, '_>) {
    let rig = Rig::new();
    let function = rig.script(NOTHING, Instances::Reuse { calls_max: u32::MAX });
    rig.bench(bencher, &function);
}

#[divan::bench]
fn reused_instance(bencher: Bencher<'_, '_>) {
    let rig = Rig::new();
    let function = rig.script(BILL, Instances::Reuse { calls_max: u32::MAX });
    rig.bench(bencher, &function);
}

/// As a worker calls that has many events of one function before it.
#[divan::bench]
fn reused_instance_in_batches(bencher: Bencher<'_, '_>) {
    let rig = Rig::new();
    let function = rig.script(BILL, Instances::Reuse { calls_max: u32::MAX });
    let calls: Vec<Call> = std::iter::repeat_with(call).take(BATCH).collect();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        let outcomes = rig.tokio.block_on(function.invoke_batch(&calls));
        assert!(outcomes.iter().all(Result::is_ok), "no failure");
    });
}

#[divan::bench]
fn fresh_instance(bencher: Bencher<'_, '_>) {
    let rig = Rig::new();
    let function = rig.script(BILL, Instances::Fresh);
    rig.bench(bencher, &function);
}
