//! Watching the files of an application, and reloading it when they change.
//!
//! Directories are watched, not files: an editor may replace a file, and a watch on it would be lost. A directory may be
//! replaced as well, by a change of the branch for instance; so the directories above are watched too, and all of them
//! anew at each reload.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use weir_flow::Flow;

use crate::{
    dev::{Applied, apply},
    manifest::{Loaded, Manifest},
    naming::counted,
    picture::Picture,
};

/// Editors write a file in several steps: changes this near to one another are taken together.
const SETTLE: Duration = Duration::from_millis(40);
/// So long at most, however often the files change.
const SETTLE_MAX: Duration = Duration::from_millis(300);

/// Keeps the space what the manifest says when files change.
pub(crate) struct Follower {
    directory: PathBuf,
    flow: Flow,
    picture: Picture,
    files: Watched,
    /// What was read last.
    last: Loaded,
    /// Whether the last that was told of the files is that something in them is wrong.
    is_wrong: bool,
}

impl Follower {
    /// Watches the files of the application.
    pub(crate) fn new(directory: PathBuf, flow: Flow, picture: Picture, first: &Loaded) -> anyhow::Result<Self> {
        let mut files = Watched::new(&directory).context("files cannot be watched")?;
        files.watch(&first.files);
        Ok(Self { directory, flow, picture, files, last: first.clone(), is_wrong: false })
    }

    /// Reloads until told to stop, from when the application has begun.
    pub(crate) async fn run(mut self, begun: CancellationToken, stop: CancellationToken) -> anyhow::Result<()> {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = begun.cancelled() => {}
        }
        // At once: what has changed between the first reading and the first watch was seen by neither.
        let mut was_told = false;
        loop {
            if was_told {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    () = self.files.changed() => {}
                }
            }
            let since = Instant::now();
            self.files.settle().await;
            // What is new among the directories was read before it was watched: it is read again.
            was_told = !self.reload(since, was_told).await;
        }
    }

    /// Reads the application again, and brings it into force unless it is what it was and nobody told of a change. True
    /// where it has directories that were not watched until now.
    async fn reload(&mut self, since: Instant, was_told: bool) -> bool {
        self.files.watch_again();
        match Manifest::load(&self.directory) {
            Ok(loaded) if loaded.is_empty() && !self.last.is_empty() => {
                // Programs that write a file empty it first. Subscriptions that went would begin anew when they come back,
                // without the events that waited for them.
                let has_new = self.files.watch(&loaded.files);
                if !has_new {
                    self.tell_mistake("the manifest declares nothing");
                }
                has_new
            }
            Ok(loaded) => {
                let has_new = self.files.watch(&loaded.files);
                if loaded.space != self.last.space {
                    let (old, new) = (&self.last.space, &loaded.space);
                    self.picture.bad(&format!(
                        "the application is in the space {new} now: what the space {old} has stays there, and events are \
                         shown of {old} until the next start"
                    ));
                }
                if was_told || loaded != self.last {
                    let applied = apply(&self.flow, &loaded, &self.picture).await;
                    self.tell(&applied, since);
                    self.last = loaded;
                }
                has_new
            }
            Err(error) => {
                let has_new = self.files.watch(error.files());
                // Where it is read again at once, the mistake is told then.
                if !has_new {
                    self.tell_mistake(&error.to_string());
                }
                has_new
            }
        }
    }

    fn tell_mistake(&mut self, mistake: &str) {
        self.is_wrong = true;
        self.picture.bad(&format!("{mistake}\nthe application stays as it was"));
    }

    /// Tells what became of a reload. Whoever was told of a mistake and takes it back is told that all is well again, though
    /// nothing had to change.
    fn tell(&mut self, applied: &Applied, since: Instant) {
        let was_wrong = std::mem::replace(&mut self.is_wrong, applied.failed > 0);
        if applied.done > 0 {
            let (done, millis) = (counted(applied.done as u64, "change"), since.elapsed().as_millis());
            self.picture.good(&format!("reloaded: {done} in force after {millis} ms"));
        } else if was_wrong && !self.is_wrong {
            self.picture.good("mended: the application is what its files say");
        }
    }
}

/// Names of files and directories whose changes are of interest.
type Names = Arc<Mutex<BTreeSet<OsString>>>;

/// Directories that are watched for the files in them.
struct Watched {
    /// The application's, which is watched from above.
    home: PathBuf,
    watcher: RecommendedWatcher,
    /// Sorted, so that those above come first: what appears in one that is watched already is seen.
    directories: BTreeSet<PathBuf>,
    names: Names,
    changes: mpsc::Receiver<()>,
}

impl Watched {
    fn new(home: &Path) -> anyhow::Result<Self> {
        let home = std::path::absolute(home)?;
        let (changed, changes) = mpsc::channel(1);
        let names = Names::default();
        let known = names.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| concerns(&event, &known.lock())) {
                // One signal that something changed is as good as many.
                let _ = changed.try_send(());
            }
        })?;
        let mut watched = Self { home, watcher, directories: BTreeSet::new(), names, changes };
        if let Some(above) = watched.home.parent() {
            watched.directories.insert(above.to_owned());
        }
        watched.names.lock().extend(watched.home.file_name().map(OsString::from));
        watched.watch_again();
        Ok(watched)
    }

    /// Watches for changes of these files; true where they are in directories that were not watched until now.
    fn watch(&mut self, files: &[PathBuf]) -> bool {
        let mut new = BTreeSet::new();
        for file in files.iter().filter_map(|file| std::path::absolute(file).ok()) {
            // From the file up to the application; where it lies elsewhere, its own directory.
            let above = file.ancestors().skip(1).enumerate();
            let above = above.take_while(|(level, directory)| *level == 0 || directory.starts_with(&self.home));
            let above: Vec<&Path> = above.map(|(_, directory)| directory).collect();
            let names = above.iter().copied().chain([file.as_path()]).filter_map(Path::file_name);
            self.names.lock().extend(names.map(OsString::from));
            new.extend(above.into_iter().filter(|directory| !self.directories.contains(*directory)).map(PathBuf::from));
        }
        for directory in &new {
            add(&mut self.watcher, directory);
        }
        self.directories.extend(new.iter().cloned());
        !new.is_empty()
    }

    /// Watches all directories anew: a watch on one that was replaced is a watch on what is gone.
    fn watch_again(&mut self) {
        for directory in &self.directories {
            // Where there was no watch, or its directory is gone, there is nothing to end.
            let _ = self.watcher.unwatch(directory);
            add(&mut self.watcher, directory);
        }
    }

    /// Waits for a change.
    async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // The watcher lives as long as this, and holds the other end.
            std::future::pending().await
        }
    }

    /// Waits until nothing has changed for a moment, within bounds.
    async fn settle(&mut self) {
        let quiet = async { while tokio::time::timeout(SETTLE, self.changed()).await.is_ok() {} };
        let _ = tokio::time::timeout(SETTLE_MAX, quiet).await;
    }
}

fn add(watcher: &mut RecommendedWatcher, directory: &Path) {
    if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive)
        // Of a directory that is missing, the manifest says so, and the one above tells when it is there.
        && !matches!(error.kind, ErrorKind::PathNotFound)
    {
        tracing::warn!(%error, directory = %directory.display(), "changes in a directory cannot be watched");
    }
}

/// Tells whether an event may be about one of these names.
///
/// Everything else in the directories changes as it likes, such as what a build writes there. Names are compared and not
/// paths: systems tell a path in other words than it was given in.
fn concerns(event: &notify::Event, names: &BTreeSet<OsString>) -> bool {
    let is_named = |path: &PathBuf| path.file_name().is_some_and(|name| names.contains(name));
    // Where events were lost, nothing is known, so everything may have changed.
    event.need_rescan() || (!event.kind.is_access() && event.paths.iter().any(is_named))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use notify::event::{AccessKind, Event, EventKind, Flag, ModifyKind};

    use super::*;

    /// No wait here is longer.
    const BOUND: Duration = Duration::from_secs(20);

    async fn sees_a_change(watched: &mut Watched, what: &str, change: impl FnOnce()) {
        while watched.changes.try_recv().is_ok() {}
        change();
        tokio::time::timeout(BOUND, watched.changed()).await.unwrap_or_else(|_| panic!("{what} was not seen"));
        watched.settle().await;
    }

    #[tokio::test]
    async fn directories_that_are_replaced_are_watched_on() {
        let place = tempfile::tempdir().expect("a directory");
        let home = place.path().join("shop");
        let (manifest, function) = (home.join("weir.toml"), home.join("src/functions/a.js"));
        let make = || {
            fs::create_dir_all(home.join("src/functions")).expect("created");
            fs::write(&manifest, "").expect("written");
            fs::write(&function, "1").expect("written");
        };
        make();
        let mut watched = Watched::new(&home).expect("watched");
        assert!(watched.watch(&[manifest.clone(), function.clone()]));
        assert!(!watched.watch(&[manifest.clone(), function.clone()]), "they are watched already");
        sees_a_change(&mut watched, "a change", || fs::write(&function, "2").expect("written")).await;
        for gone in ["src/functions", "src", ""] {
            sees_a_change(&mut watched, "a removal", || fs::remove_dir_all(home.join(gone)).expect("removed")).await;
            watched.watch_again();
            sees_a_change(&mut watched, "a return", make).await;
            watched.watch_again();
            sees_a_change(&mut watched, "a change after a return", || fs::write(&function, "3").expect("written"))
                .await;
        }
        let aside = home.join("aside");
        sees_a_change(&mut watched, "a move", || fs::rename(home.join("src"), &aside).expect("moved")).await;
        make();
        watched.watch_again();
        sees_a_change(&mut watched, "a change after a move", || fs::write(&function, "4").expect("written")).await;
    }

    #[test]
    fn what_else_lies_there_is_passed_over() {
        let names = BTreeSet::from(["weir.toml".into(), "functions".into()]);
        let check = |event: Event, expected: bool| assert_eq!(concerns(&event, &names), expected, "{event:?}");
        let modified = EventKind::Modify(ModifyKind::Any);
        check(Event::new(modified).add_path("/shop/weir.toml".into()), true);
        check(Event::new(modified).add_path("/shop/build.log".into()), false);
        check(Event::new(modified).add_path("/shop/build.log".into()).add_path("/shop/functions".into()), true);
        check(Event::new(EventKind::Access(AccessKind::Any)).add_path("/shop/weir.toml".into()), false);
        check(Event::new(EventKind::Other).set_flag(Flag::Rescan), true);
    }

    #[tokio::test]
    async fn files_that_never_rest_are_read_all_the_same() {
        let place = tempfile::tempdir().expect("a directory");
        let mut watched = Watched::new(place.path()).expect("watched");
        let (changed, changes) = mpsc::channel(1);
        watched.changes = changes;
        let restless = async move { while changed.send(()).await.is_ok() {} };
        tokio::select! {
            settled = tokio::time::timeout(BOUND, watched.settle()) => settled.expect("settled in time"),
            () = restless => panic!("the other end lives"),
        }
    }
}
