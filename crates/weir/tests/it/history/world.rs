//! The server of a history with its subscribers, and all that is done to them.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};

use super::{
    producer::{EVENT_TYPE, KEYS, send_last},
    record::{Change, Entry, Recorder, Tally},
    subscriber::{Manner, Subscriber},
    volume::Volume,
};
use crate::process::{BOUND, Server, free_port, pass, verify};

/// What stands as a dead letter.
const DEAD_TYPE: &str = "weir.delivery.failed";
/// Small segments: many are begun, and a full disk is soon noticed.
const SETTINGS: &str = "log_segment_bytes = 1_048_576\n";

/// What may happen to the server or to a subscriber.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    /// `kill -9` and a start, which may be hit as well.
    Kill,
    /// SIGTERM, with which all must be put in order, and a start.
    Stop,
    /// SIGSTOP for a while.
    Freeze,
    /// A subscriber that takes no connections for a while.
    Refuse,
    /// No space on the disk for a while.
    Fill,
}

/// A server and its subscribers. The order counts: the server ends before its data go.
pub(super) struct World {
    server: Option<Server>,
    volume: Volume,
    ports: [u16; 2],
    subscribers: [Subscriber; 2],
    recorder: Arc<Recorder>,
    /// Where the server writes what it has to say.
    log: PathBuf,
    /// Whether producers are to send much.
    pub(super) is_heavy: Arc<AtomicBool>,
}

impl World {
    /// Starts a server with two subscriptions to one event type.
    pub(super) fn new(volume: Volume, log: &Path, recorder: &Arc<Recorder>, random: &mut SmallRng) -> Self {
        let mut subscriber =
            |name, manner| Subscriber::start(name, manner, recorder.clone(), SmallRng::from_rng(random));
        let subscribers = [subscriber("flaky", Manner::Flaky), subscriber("slow", Manner::Slow)];
        fs::write(volume.path().join("weir-settings.toml"), SETTINGS).expect("written");
        File::create(log).expect("a file for what the server says");
        let mut world = Self {
            server: None,
            volume,
            ports: [free_port(), free_port()],
            subscribers,
            recorder: recorder.clone(),
            log: log.to_owned(),
            is_heavy: Arc::default(),
        };
        world.start();
        world.declare();
        world
    }

    /// Where events go.
    pub(super) fn address(&self) -> SocketAddr {
        self.server().events
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("a server runs")
    }

    fn data(&self) -> PathBuf {
        self.volume.path().join("data")
    }

    fn declare(&self) {
        self.server().configure("eventtypes", &json!({ "name": EVENT_TYPE }));
        for Subscriber { name, address, .. } in &self.subscribers {
            // No call is given up because the machine has much else to do.
            let provider = json!({ "url": format!("http://{address}/"), "timeoutMs": 30_000 });
            self.server().configure("functions", &json!({ "functionId": name, "type": "http", "provider": provider }));
            let subscription = json!({
                "type": "async", "eventType": EVENT_TYPE, "functionId": name,
                "retry": { "backoffFirstMs": 20, "backoffMaxMs": 300 },
            });
            self.server().configure("subscriptions", &subscription);
            self.recorder.add(Entry::Subscribed { subscription: (*name).to_owned() });
        }
    }

    fn launch(&self) -> Server {
        let [events_port, config_port] = self.ports;
        let log = File::options().append(true).open(&self.log).expect("a file for what the server says");
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.arg("serve").arg("--data-dir").arg(self.data());
        command.arg("--config").arg(self.volume.path().join("weir-settings.toml"));
        command.args(["--events-port", &events_port.to_string(), "--config-port", &config_port.to_string()]);
        command.stdout(Stdio::null()).stderr(log);
        Server::spawn(command, events_port, config_port)
    }

    fn start(&mut self) {
        self.server = Some(self.launch().ready());
        self.recorder.change(Change::Started);
    }

    /// SIGTERM; all that was begun must be brought to an end.
    fn stop(&mut self) {
        self.recorder.change(Change::Stopping);
        let code = self.server.take().expect("a server runs").terminate();
        self.subscribers.iter().for_each(Subscriber::drain);
        self.recorder.change(Change::Stopped);
        assert_eq!(code, Some(0), "a stop ends well");
    }

    fn kill(&mut self, random: &mut SmallRng) {
        let mut server = self.server.take().expect("a server runs");
        loop {
            self.recorder.change(Change::Killing);
            server.kill();
            self.subscribers.iter().for_each(Subscriber::drain);
            self.recorder.change(Change::Killed);
            if random.random_bool(0.7) {
                break;
            }
            // The start is no exception.
            server = self.launch();
            pass(Duration::from_millis(random.random_range(0..100)));
        }
        self.start();
    }

    fn freeze(&self, random: &mut SmallRng) {
        self.server().send("STOP");
        self.recorder.change(Change::Frozen);
        pass(Duration::from_millis(random.random_range(100..1500)));
        self.recorder.change(Change::Thawed);
        self.server().send("CONT");
    }

    fn refuse(&mut self, random: &mut SmallRng) {
        let subscriber = &mut self.subscribers[random.random_range(0..2)];
        subscriber.refuse();
        pass(Duration::from_millis(random.random_range(200..1000)));
        subscriber.take();
    }

    fn fill(&self, random: &mut SmallRng) {
        let refused = self.recorder.tally(|tally| tally.refused);
        self.is_heavy.store(true, Ordering::SeqCst);
        self.recorder.change(Change::Filled);
        self.volume.fill();
        let is_refused = self.recorder.wait_until(|tally| tally.refused > refused);
        assert!(is_refused, "a full disk refuses");
        pass(Duration::from_millis(random.random_range(100..600)));
        self.volume.free();
        self.recorder.change(Change::Freed);
        self.is_heavy.store(false, Ordering::SeqCst);
        let acknowledged = self.recorder.tally(|tally| tally.acknowledged);
        let has_healed = self.recorder.wait_until(|tally| tally.acknowledged > acknowledged);
        assert!(has_healed, "with space, events are taken again");
    }

    /// Makes trouble, and ends it.
    pub(super) fn suffer(&mut self, trouble: Trouble, random: &mut SmallRng) {
        match trouble {
            Trouble::Kill => self.kill(random),
            Trouble::Stop => {
                self.stop();
                self.start();
            }
            Trouble::Freeze => self.freeze(random),
            Trouble::Refuse => self.refuse(random),
            Trouble::Fill => self.fill(random),
        }
    }

    /// Brings the history to its end, when nobody sends any more: all that is to be delivered is, whatever would come a second
    /// time has come, and what the log holds is part of the history.
    pub(super) fn settle(&mut self) {
        let kept = self.server().events_of(EVENT_TYPE).len();
        self.wait_for(kept);
        self.stop();
        self.start();
        // Keys keep their order: where the last event of each is done, nothing of them is under way.
        send_last(self.address(), &self.recorder);
        self.wait_for(kept + KEYS);
        let given_up = self.recorder.tally(|tally| tally.given_up.len());
        self.server().wait_for(DEAD_TYPE, given_up, BOUND);
        for event in self.server().events_of(EVENT_TYPE) {
            let text = |name: &str| text_of(&event[name]);
            let position = text("weirposition").parse().expect("a position");
            let number = event["data"]["number"].as_u64().expect("a number");
            self.recorder.add(Entry::Kept { position, id: text("id"), key: text("weirkey"), number });
        }
        for event in self.server().events_of(DEAD_TYPE) {
            let data = &event["data"];
            let (subscription, id) = (text_of(&data["functionId"]), text_of(&data["event"]["id"]));
            self.recorder.add(Entry::Dead { subscription, id });
        }
        self.stop();
        verify(&self.data());
    }

    /// Waits until every subscription is done with so many events. What is missing in the end is told as lost.
    fn wait_for(&self, events: usize) {
        let is_done = |tally: &Tally| self.subscribers.iter().all(|subscriber| tally.done(subscriber.name) >= events);
        self.recorder.wait_until(is_done);
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
