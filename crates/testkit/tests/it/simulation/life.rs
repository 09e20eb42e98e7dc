//! One process after the other on one machine: its start, what happens to it, and its end.

use std::{sync::Arc, time::Duration};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::{
    sync::oneshot,
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use weir_catalog::{Command, EventType, EventTypeName, Function, FunctionKind};
use weir_domain::{Position, SpaceName, error_chain};
use weir_flow::{Flow, NoObserver};
use weir_log::{LogEngine, LogError, Read, Recorded};
use weir_log_embedded::tools;
use weir_testkit::{FaultyLog, KeptStore, SimDisk, SimLog, VirtualClock, pass};

use super::{
    functions::Maker,
    plan::{End, Life, Trouble},
    produce::produce,
    world::World,
};

/// How often a process is looked at, in milliseconds.
const TICK_MS: u64 = 1000;
/// How long a process goes on for which an end was ordered that has not struck.
const LAST_MS: u64 = 5000;
/// How long a process may take to start.
const START_MAX: Duration = Duration::from_secs(60);
/// How long it may take to stop: longer than any call.
const GRACE: Duration = Duration::from_secs(60);
/// After how long without faults everything must be done: what fails continuously is tried more and more seldom.
const REST_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// What went when a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    /// The power: what was not synced is torn or lost.
    Power,
    /// The process alone.
    Process,
}

/// What processes leave to one another.
#[derive(Default)]
pub(crate) struct Machine {
    disk: SimDisk,
    store: Arc<KeptStore>,
}

impl Machine {
    fn recover(&mut self, gone: Gone, plan: &Life) {
        let mut random = SmallRng::seed_from_u64(plan.seed ^ 2);
        match gone {
            Gone::Power => self.disk = self.disk.restart(random.random()),
            Gone::Process => self.disk.revive(),
        }
        self.store.restart(gone == Gone::Power, &mut random);
        if plan.loses_index {
            self.store = Arc::default();
        }
    }

    /// Goes through the files of a log that was closed.
    pub(crate) fn verify(&self, world: &World) {
        match tools::verify_on(&self.disk, Position::ORIGIN, &mut |_, _| {}) {
            Ok(found) if found.damage.is_empty() && found.unfinished_bytes == 0 => {}
            Ok(found) => world.violate(format!("{:?}, {} bytes unfinished", found.damage, found.unfinished_bytes)),
            Err(error) => world.violate(format!("the log cannot be verified: {}", error_chain(&error))),
        }
    }
}

/// Lives one life. Everything of it ends with its runtime, wherever it is.
pub(crate) fn live(world: &Arc<World>, machine: &mut Machine, number: usize) {
    let plan = &world.plan.lives[number];
    if plan.is_healed {
        machine.disk.heal();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without input and output");
    let gone = runtime.block_on(async {
        let clock = world.begin_life();
        world.note(&format!("life {number}, early {:?}, healed {}", plan.early, plan.is_healed));
        if let Some(trouble) = plan.early {
            trouble.strike(&machine.disk);
        }
        let gone = match Box::pin(start(world, machine, number, clock)).await {
            Some(mut running) => Box::pin(running.live(plan)).await,
            None if machine.disk.is_off() => Gone::Power,
            None => Gone::Process,
        };
        world.note(&format!("gone: {gone:?}"));
        world.end_life();
        gone
    });
    drop(runtime);
    match gone {
        Gone::Power => world.count(|tally| &mut tally.power_cuts),
        Gone::Process if plan.end == End::Kill => world.count(|tally| &mut tally.kills),
        Gone::Process => {}
    }
    machine.recover(gone, plan);
}

/// Starts a process as a server starts; `None` where it cannot, which it must be able to when nothing is wrong.
async fn start<'w>(
    world: &'w Arc<World>,
    machine: &Machine,
    number: usize,
    clock: Arc<VirtualClock>,
) -> Option<Running<'w>> {
    let plan = &world.plan.lives[number];
    let failed = |error: String, is_bad: bool| {
        world.note(&format!("the start failed: {error}"));
        world.count(|tally| &mut tally.failed_starts);
        if is_bad || plan.end == End::Rest {
            world.violate(format!("the start failed: {error}"));
        }
    };
    let (disk, store) = (machine.disk.clone(), machine.store.clone());
    let opened = SimLog::open(&disk, store.clone(), world.plan.log.clone(), clock.clone(), world.clone(), plan.seed);
    let opened = opened.and_then(|(log, sim)| Ok((read_all(&log)?, log, sim)));
    let (read, log, sim) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            // Nothing is ever damaged here.
            failed(error_chain(&error), matches!(error, LogError::Corrupt { .. }));
            return None;
        }
    };
    world.restarted(read);
    let mut tasks = JoinSet::new();
    tasks.spawn(sim.run());
    let faulty: Arc<dyn LogEngine> = Arc::new(FaultyLog::new(log.clone(), plan.faults, plan.seed));
    let (maker, ids, options) = (Arc::new(Maker::of(world)), world.ids.clone(), world.plan.flow.clone());
    let opening = Flow::open(faulty.clone(), maker, clock, ids, Arc::new(NoObserver), options);
    let (flow, runner) = match timeout(START_MAX, Box::pin(opening)).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => {
            failed(error_chain(&error), false);
            return None;
        }
        Err(_) => {
            failed("it takes too long".to_owned(), !disk.is_off());
            return None;
        }
    };
    let (begin, begun) = oneshot::channel::<()>();
    let (ends, stopped) = oneshot::channel::<()>();
    let stop = CancellationToken::new();
    let delivering =
        Box::pin(runner.run_apart(async move { begun.await.unwrap_or_default() }, stop.clone(), stop.clone()));
    tasks.spawn(async move {
        delivering.await;
        // Nobody waits for it but in a stop.
        let _ = ends.send(());
    });
    if number == 0 {
        declare(world, &flow).await;
    }
    begin.send(()).expect("delivery waits for it");
    let producer = tasks.spawn(produce(world.clone(), number, flow.clone(), faulty));
    Some(Running { world, disk, store, log, flow, tasks, producer, stop, stopped })
}

/// Reads the space of the simulation, past everything that takes its time or fails.
fn read_all(log: &SimLog) -> Result<Vec<Recorded>, LogError> {
    let mut read = Read::forward(SpaceName::default(), Position::ORIGIN);
    let mut all = Vec::new();
    loop {
        let page = log.read_now(&read)?;
        all.extend(page.events);
        if page.end {
            return Ok(all);
        }
        read.from = page.next;
    }
}

/// Declares event types, functions and subscriptions. Nothing is delivered yet.
async fn declare(world: &World, flow: &Flow) {
    let plan = &world.plan;
    let types = plan.types.iter().chain(plan.functions.iter().map(|it| &it.returns));
    let types = types.map(|name| Command::CreateEventType(EventType::new(EventTypeName::new(name).expect("a name"))));
    let functions = plan.functions.iter().flat_map(|it| {
        let function = Function::new(it.function.clone(), FunctionKind::http("http://localhost/"));
        [Command::CreateFunction(function), Command::CreateSubscription(it.subscription.clone())]
    });
    for command in types.chain(functions) {
        flow.change(&SpaceName::default(), command).await.expect("the change is made");
    }
}

/// A process that runs.
struct Running<'w> {
    world: &'w Arc<World>,
    disk: SimDisk,
    store: Arc<KeptStore>,
    log: Arc<SimLog>,
    flow: Flow,
    tasks: JoinSet<()>,
    producer: AbortHandle,
    stop: CancellationToken,
    stopped: oneshot::Receiver<()>,
}

impl Running<'_> {
    /// Runs to the end that is planned, or to an earlier one.
    async fn live(&mut self, plan: &Life) -> Gone {
        let has_cut = matches!(plan.early, Some(Trouble::PowerCut(_))) || matches!(plan.end, End::PowerCut(_));
        let gone = if has_cut { Gone::Power } else { Gone::Process };
        let mut now = 0;
        for (at, trouble) in &plan.troubles {
            if !self.go_on(at - now).await {
                return gone;
            }
            now = *at;
            self.world.note(&format!("trouble: {trouble:?}"));
            trouble.strike(&self.disk);
        }
        if !self.go_on(plan.lasts_ms - now).await {
            return gone;
        }
        self.world.note(&format!("the end: {:?}", plan.end));
        match plan.end {
            End::Kill => {}
            End::PowerCut(operations) => {
                self.disk.cut_power_after(operations);
                self.go_on(LAST_MS).await;
            }
            End::DieInSync => {
                self.disk.die_in_sync();
                self.go_on(LAST_MS).await;
            }
            End::DieInIndex(blocks) => {
                self.store.stop_after(blocks);
                self.go_on(LAST_MS).await;
            }
            End::Stop => {
                self.stop().await;
            }
            End::Rest => {
                if self.rest().await && !self.stop().await {
                    self.world.violate("a process that nothing happens to does not stop in order".to_owned());
                }
            }
        }
        gone
    }

    /// Lets time pass, and says whether all is well.
    async fn go_on(&mut self, millis: u64) -> bool {
        let mut left = millis;
        while left > 0 {
            let step = left.min(TICK_MS);
            if !self.tick(step).await {
                return false;
            }
            left -= step;
        }
        true
    }

    /// Lets time pass at once, and looks at what must always hold.
    async fn tick(&mut self, millis: u64) -> bool {
        tokio::select! {
            biased;
            () = self.log.died() => {
                self.world.note("the process has ended");
                return false;
            }
            () = pass(Duration::from_millis(millis)) => {}
        }
        while let Some(ended) = self.tasks.try_join_next() {
            if let Err(error) = ended
                && error.is_panic()
            {
                self.world.violate(format!("a task of the process ended: {error}"));
            }
        }
        let (backlog, most) = (self.flow.backlog(), self.world.plan.backlog_max());
        if backlog > most {
            self.world.violate(format!("{backlog} events were read ahead, and at most {most} may be"));
        }
        !self.world.has_violation()
    }

    /// Waits until everything is done, and a while longer, in which nothing may be done twice.
    async fn rest(&mut self) -> bool {
        let mut waited = 0;
        loop {
            let left = self.world.left();
            if left.is_empty() {
                return self.go_on(60 * TICK_MS).await;
            }
            if waited > REST_MS_MAX {
                self.world.violate(format!("after {waited} ms without faults: {}", left.join("; ")));
                return false;
            }
            let step = (waited / 20).clamp(TICK_MS, 60 * TICK_MS);
            if !self.tick(step).await {
                return false;
            }
            waited += step;
        }
    }

    /// Stops as a server does: calls in flight are finished, cursors are written, and the log is closed. Says whether
    /// that was done.
    async fn stop(&mut self) -> bool {
        self.producer.abort();
        self.stop.cancel();
        let stopping = async {
            (&mut self.stopped).await.unwrap_or_default();
            self.log.close().await
        };
        let closed = tokio::select! {
            biased;
            () = self.log.died() => None,
            closed = timeout(GRACE, stopping) => closed.ok(),
        };
        let is_clean = matches!(closed, Some(Ok(())));
        self.world.note(&format!("stopped: {closed:?}"));
        if is_clean {
            self.world.count(|tally| &mut tally.stops);
        }
        is_clean && !self.world.has_violation()
    }
}
