//! `weir dev`: the server with the application of a directory, a live picture, and reloading when files change.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use weir_catalog::{SubscriptionKind, diff};
use weir_domain::SpaceName;
use weir_flow::Flow;
use weir_log::{LogEngine, Read};

use crate::{
    app::App,
    manifest::{Loaded, Manifest},
    picture::Picture,
};

/// Editors write a file in several steps: changes this near to one another are taken together.
const SETTLE: Duration = Duration::from_millis(80);

/// Makes the space what the manifest says, for the first time.
pub(crate) async fn begin(loaded: &Loaded, flow: &Flow, events_address: SocketAddr, picture: &Picture) {
    apply(flow, loaded, picture, None).await;
    introduce(flow, &loaded.space, events_address, picture);
}

/// Keeps the space what the manifest says when files change.
pub(crate) struct Follower {
    directory: PathBuf,
    flow: Flow,
    picture: Picture,
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    changes: mpsc::Receiver<()>,
}

impl Follower {
    /// Watches the files of the application.
    pub(crate) fn new(directory: PathBuf, flow: Flow, picture: Picture, first: &Loaded) -> anyhow::Result<Self> {
        let (changed, changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let touches = event.is_ok_and(|event| !event.kind.is_access());
            if touches {
                // One signal that something changed is as good as many.
                let _ = changed.try_send(());
            }
        });
        let watcher = watcher.context("files cannot be watched")?;
        let mut follower = Self { directory, flow, picture, watcher, watched: BTreeSet::new(), changes };
        watch(&mut follower.watcher, &mut follower.watched, &first.files);
        Ok(follower)
    }

    /// Reloads until told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(()) = self.changes.recv() => {}
            }
            let began = Instant::now();
            // Waits until nothing has changed for a moment.
            while let Ok(Some(())) = tokio::time::timeout(SETTLE, self.changes.recv()).await {}
            match Manifest::load(&self.directory) {
                Ok(loaded) => {
                    watch(&mut self.watcher, &mut self.watched, &loaded.files);
                    apply(&self.flow, &loaded, &self.picture, Some(began)).await;
                }
                Err(error) => {
                    watch(&mut self.watcher, &mut self.watched, error.files());
                    self.picture.bad(&format!("{error}\nthe application stays as it was"));
                }
            }
        }
    }
}

/// Watches the directories that hold the files: an editor may replace a file, and a watch on it would be lost.
fn watch(watcher: &mut RecommendedWatcher, watched: &mut BTreeSet<PathBuf>, files: &[PathBuf]) {
    for directory in files.iter().filter_map(|file| file.parent()) {
        if watched.insert(directory.to_owned())
            && let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive)
        {
            watched.remove(directory);
            tracing::warn!(%error, directory = %directory.display(), "changes in a directory cannot be watched");
        }
    }
}

/// Carries out what is different. A command that fails is shown, and the others are still carried out.
async fn apply(flow: &Flow, loaded: &Loaded, picture: &Picture, since: Option<Instant>) {
    let commands = diff(flow.catalog().space_or_empty(&loaded.space), loaded.desired.clone());
    let mut done = 0;
    for command in commands {
        let what = describe(&command);
        match flow.change(&loaded.space, command).await {
            Ok(_) => done += 1,
            Err(error) => picture.bad(&format!("{what}: {}", weir_domain::error_chain(&error))),
        }
    }
    if let Some(since) = since.filter(|_| done > 0) {
        picture.good(&format!("reloaded: {done} change(s) in force after {} ms", since.elapsed().as_millis()));
    }
}

fn describe(command: &weir_catalog::Command) -> String {
    use weir_catalog::Command;
    match command {
        Command::CreateEventType(it) | Command::UpdateEventType(it) => format!("event type {}", it.name.as_str()),
        Command::CreateFunction(it) | Command::UpdateFunction(it) => format!("function {}", it.id),
        Command::CreateSubscription(it) | Command::UpdateSubscription { subscription: it, .. } => {
            format!("subscription of {} to {}", it.function, it.event_type.as_str())
        }
        Command::CreateCors(it) | Command::UpdateCors { cors: it, .. } => format!("cors of {} {}", it.method, it.path),
        Command::DeleteEventType(id)
        | Command::DeleteFunction(id)
        | Command::DeleteSubscription(id)
        | Command::DeleteCors(id) => format!("deleting {id}"),
    }
}

/// Says where the server is and what it knows.
pub(crate) fn greet(app: &App, directory: &Path, picture: &Picture) {
    picture.say(format!("weir {}  {}", env!("CARGO_PKG_VERSION"), directory.display()));
    picture.say(format!("  events         http://{}", app.events_address));
    picture.say(format!("  configuration  http://{}", app.config_address));
    picture.say(format!("  log            {} events in {}", app.end(), directory.join(".weir").display()));
    if let Some(cut) = &app.recovered.cut {
        picture.bad(&format!(
            "  {} bytes of an unfinished write were cut off {}; a copy is in {}",
            cut.bytes, cut.file, cut.kept_in
        ));
    }
}

/// Shows what the application consists of.
fn introduce(flow: &Flow, space: &SpaceName, events_address: SocketAddr, picture: &Picture) {
    let catalog = flow.catalog();
    for it in catalog.space_or_empty(space).subscriptions() {
        match it.kind {
            SubscriptionKind::Sync => {
                picture.say(format!("  {} http://{events_address}{} → {}", it.method.as_str(), it.path, it.function));
            }
            SubscriptionKind::Async => picture.say(format!("  ● {} → {}", it.event_type.as_str(), it.function)),
        }
    }
    picture.say("  press Ctrl-C to stop\n");
}

/// Shows every event that enters the space, until told to stop.
pub(crate) async fn show_entries(
    log: std::sync::Arc<dyn LogEngine>,
    space: SpaceName,
    picture: Picture,
    stop: CancellationToken,
) {
    let mut end = log.durable_end();
    let mut next = end.borrow().next();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = end.changed() => if changed.is_err() { return },
        }
        loop {
            match log.read(Read::forward(space.clone(), next)).await {
                Ok(page) => {
                    page.events.iter().for_each(|recorded| picture.entered(recorded));
                    next = page.next;
                    if page.end {
                        break;
                    }
                }
                Err(error) => {
                    picture.bad(&format!("the log cannot be read: {}", weir_domain::error_chain(&error)));
                    break;
                }
            }
        }
    }
}
