//! A flow to test with.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt, ready};
use tokio_util::sync::CancellationToken;
use weir_catalog::{
    Command, EventType, EventTypeName, Function, FunctionKind, Method, RetryPolicy, Subscription, SubscriptionId,
    SubscriptionKind,
};
use weir_domain::{Clock, ErrorKind, Event, FunctionId, Position, SpaceName};
use weir_flow::{Flow, MakeError, MakeFunction, NoObserver, Observer, Options, Sender};
use weir_functions::{Draft, Invoke, Outcome};
use weir_log::{Append, Filter, LogEngine, MemoryLog, Read, Recorded};
use weir_testkit::{CountingIds, FakeFunction, SteppingClock};

/// No wait in these tests is longer.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// Functions by the URL of their declaration, else by id.
#[derive(Clone, Default)]
pub(crate) struct Functions(pub(crate) HashMap<String, FakeFunction>);

impl MakeFunction for Functions {
    fn make<'a>(&'a self, function: &'a Function) -> BoxFuture<'a, Result<Arc<dyn Invoke>, MakeError>> {
        let by_url = match &function.kind {
            FunctionKind::Http { url, .. } => self.0.get(url),
            _ => None,
        };
        let found = by_url.or_else(|| self.0.get(function.id.as_str())).cloned();
        let made = found.map(|it| Arc::new(it) as Arc<dyn Invoke>);
        ready(made.ok_or_else(|| MakeError::new(ErrorKind::Invalid, "no such fake", "name another"))).boxed()
    }
}

/// A running flow.
pub(crate) struct Running {
    pub(crate) flow: Flow,
    pub(crate) log: Arc<dyn LogEngine>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

pub(crate) fn memory() -> Arc<MemoryLog> {
    Arc::new(MemoryLog::new(Arc::new(SteppingClock::default())))
}

pub(crate) async fn start(log: Arc<dyn LogEngine>, functions: &Functions, options: Options) -> Running {
    start_with(log, functions, options, Arc::new(SteppingClock::default()), Arc::new(NoObserver)).await
}

#[expect(clippy::disallowed_methods, reason = "the test is the owner of the task and joins it")]
pub(crate) async fn start_with(
    log: Arc<dyn LogEngine>,
    functions: &Functions,
    options: Options,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
) -> Running {
    let (flow, runner) = Flow::open(
        log.clone(),
        Arc::new(functions.clone()),
        clock,
        Arc::new(CountingIds::default()),
        observer,
        options,
    )
    .await
    .expect("the flow opens");
    let stop = CancellationToken::new();
    let task = tokio::spawn(runner.run(stop.clone()));
    Running { flow, log, stop, task }
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(BOUND, self.task).await.expect("the flow stops in time").expect("without a panic");
    }

    pub(crate) async fn declare(&self, types: &[&str], function: &str, listens_to: &str, retry: RetryPolicy) {
        self.declare_with(types, function, listens_to, |it| it.with_retry(retry)).await;
    }

    /// The same with a subscription as it is made of the bare one.
    pub(crate) async fn declare_with(
        &self,
        types: &[&str],
        function: &str,
        listens_to: &str,
        made: impl FnOnce(Subscription) -> Subscription,
    ) -> SubscriptionId {
        for name in types {
            let name = EventTypeName::new(name).expect("valid");
            let known = self.flow.catalog().space_or_empty(&space()).registered_event_type(name.as_str()).is_some();
            if !known {
                self.change(Command::CreateEventType(EventType::new(name))).await;
            }
        }
        let id = FunctionId::new(function).expect("valid");
        self.change(Command::CreateFunction(Function::new(id.clone(), FunctionKind::http("http://localhost/")))).await;
        let listens_to = EventTypeName::new(listens_to).expect("valid");
        let it = made(Subscription::new(SubscriptionKind::Async, listens_to, id, Method::Post, "/"));
        let id = it.id.clone();
        self.change(Command::CreateSubscription(it)).await;
        id
    }

    pub(crate) async fn change(&self, command: Command) {
        self.flow.change(&space(), command).await.expect("the change is made");
    }

    pub(crate) async fn emit(&self, events: impl IntoIterator<Item = Event>) -> Position {
        let events = events.into_iter().collect();
        let admitted = self.flow.admit_batch(&space(), events, &Nobody).await.expect("admitted");
        self.log.append(Append::new(space(), admitted)).await.expect("appended").range().last
    }

    /// Waits until a checkpoint is there no more.
    pub(crate) async fn gone(&self, checkpoint: &str) {
        let wait = async {
            while self.log.load_checkpoint(checkpoint).await.expect("readable").is_some() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(BOUND, wait).await.unwrap_or_else(|_| panic!("{checkpoint} is still there"));
    }

    /// Waits until as many events of a type stand in the log, and returns them.
    pub(crate) async fn wait_for(&self, event_type: &str, count: usize) -> Vec<Recorded> {
        self.wait_longer_for(event_type, count, BOUND).await
    }

    /// The same with another bound.
    pub(crate) async fn wait_longer_for(&self, event_type: &str, count: usize, bound: Duration) -> Vec<Recorded> {
        let mut end = self.log.durable_end();
        let wait = async {
            loop {
                end.mark_unchanged();
                let found = all_of(&*self.log, event_type).await;
                if found.len() >= count {
                    return found;
                }
                end.changed().await.expect("the log is open");
            }
        };
        tokio::time::timeout(bound, wait).await.unwrap_or_else(|_| panic!("{count} events {event_type} did not come"))
    }
}

/// Sends what no authorizer is asked about.
pub(crate) struct Nobody;

impl Sender for Nobody {
    fn path(&self) -> &str {
        "/"
    }

    fn headers(&self) -> String {
        "{}".to_owned()
    }

    fn request(&self) -> String {
        "null".to_owned()
    }

    fn identity(&self, _part: &mut dyn FnMut(&[u8])) {}
}

pub(crate) fn space() -> SpaceName {
    SpaceName::default()
}

pub(crate) async fn all_of(log: &dyn LogEngine, event_type: &str) -> Vec<Recorded> {
    let mut read = Read::forward(space(), Position::ORIGIN).filter(Filter::Types(vec![event_type.to_owned()]));
    let mut all = Vec::new();
    loop {
        // A log that fails on purpose is asked again.
        let Ok(page) = log.read(read.clone()).await else { continue };
        all.extend(page.events);
        if page.end {
            return all;
        }
        read.from = page.next;
    }
}

pub(crate) fn event(id: &str, event_type: &str, key: &str) -> Event {
    Event::builder(id, "/test", event_type).subject(key).build().expect("valid")
}

pub(crate) fn draft(event_type: &str, subject: &str) -> Draft {
    Draft { subject: Some(subject.to_owned()), ..Draft::new(event_type) }
}

/// A function that returns one event about each it is given, with the id of its cause as subject.
pub(crate) fn echo(event_type: &'static str) -> FakeFunction {
    FakeFunction::new(move |call| async move { Ok(Outcome::Events(vec![draft(event_type, call.event.id())])) })
}

pub(crate) fn quick_retry(attempts_max: u32) -> RetryPolicy {
    let bare = RetryPolicy { attempts_max: Some(attempts_max), age_max_ms: None, ..RetryPolicy::default() };
    RetryPolicy { backoff_first_ms: 1, backoff_max_ms: 4, ..bare }
}
