//! Certificates that are replaced while the server runs: their files are read again on SIGHUP, and looked at now and
//! then, because not everybody who renews a certificate can send a signal.
//!
//! Files that cannot be used leave everything as it was.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, time::Duration};

use anyhow::Context;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use weir_domain::error_chain;
use weir_gateway::{Tls, TlsError};

/// How often the files are looked at without being asked.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// Keeps the certificates of the APIs what their files say.
pub(super) struct Certificates {
    watched: Vec<Watched>,
    hangups: Signal,
}

/// The files of one API.
struct Watched {
    api: &'static str,
    tls: Tls,
    /// What the files were like when they were last read; nothing at the beginning.
    seen: Vec<Option<Stamp>>,
}

/// What changes with a file: also with its permissions, and where another one takes its place.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

/// What a look at the files has come to.
#[derive(Debug)]
enum Looked {
    /// Nobody asked, and nothing has changed: the files were not read.
    Unchanged,
    /// They say what they said before.
    Same,
    /// They say something new, which is in force.
    Renewed,
    /// They cannot be used.
    Failed(TlsError),
}

impl Certificates {
    /// Begins to wait for SIGHUP, which would end the process otherwise; nothing where no API speaks TLS.
    pub(super) fn new<'a>(apis: impl IntoIterator<Item = (&'static str, &'a Option<Tls>)>) -> io::Result<Option<Self>> {
        let with_tls = apis.into_iter().filter_map(|(api, tls)| Some(Watched::new(api, tls.clone()?)));
        let watched: Vec<Watched> = with_tls.collect();
        if watched.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { watched, hangups: signal(SignalKind::hangup())? }))
    }

    /// Looks at the files until told to stop.
    ///
    /// # Errors
    /// Where a look ends in a panic.
    pub(super) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // One at a time: a disk that does not answer holds up one thread.
        let mut looking: JoinSet<Vec<Watched>> = JoinSet::new();
        loop {
            let is_asked = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(()) = self.hangups.recv() => true,
                _ = looks.tick() => false,
            };
            let mut watched = std::mem::take(&mut self.watched);
            looking.spawn_blocking(move || {
                for files in &mut watched {
                    let looked = files.look(is_asked);
                    files.tell(&looked, is_asked);
                }
                watched
            });
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(looked) = looking.join_next() => {
                    self.watched = looked.context("the files of TLS cannot be looked at any more")?;
                }
            }
        }
    }
}

impl Watched {
    fn new(api: &'static str, tls: Tls) -> Self {
        Self { api, tls, seen: Vec::new() }
    }

    /// Reads the files where somebody asks for it or they have changed. A failure is found once for each change.
    fn look(&mut self, is_asked: bool) -> Looked {
        // Before they are read: what changes meanwhile is a change for the next look.
        let stamps: Vec<Option<Stamp>> = self.tls.files().map(Stamp::of).collect();
        if !is_asked && stamps == self.seen {
            return Looked::Unchanged;
        }
        self.seen = stamps;
        match self.tls.reload() {
            Ok(true) => Looked::Renewed,
            Ok(false) => Looked::Same,
            Err(error) => Looked::Failed(error),
        }
    }

    fn tell(&self, looked: &Looked, is_asked: bool) {
        let api = self.api;
        match looked {
            Looked::Renewed => tracing::info!(api, "new connections are given the new certificate"),
            Looked::Same if is_asked => tracing::info!(api, "the files of TLS say what they said before"),
            Looked::Same | Looked::Unchanged => {}
            // Also between the replacement of a certificate and that of its key.
            Looked::Failed(error) => {
                tracing::warn!(
                    api,
                    error = error_chain(error),
                    "the files of TLS cannot be used: what was before stays"
                );
            }
        }
    }
}

impl Stamp {
    /// Returns the stamp of a file, where there is one. What a link leads to counts.
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { inode: metadata.ino(), bytes: metadata.size(), changed: (metadata.ctime(), metadata.ctime_nsec()) })
    }
}

#[cfg(test)]
mod tests {
    use weir_gateway::TlsOptions;

    use super::*;

    #[test]
    fn files_are_read_when_they_have_changed_or_when_somebody_asks() {
        let place = tempfile::tempdir().expect("a directory");
        let [certificate, key, next] = ["certificate.pem", "key.pem", "next.pem"].map(|name| place.path().join(name));
        // As those do who renew: another file takes the place of the old one.
        let put = |path: &Path, text: &str| {
            fs::write(&next, text).expect("written");
            fs::rename(&next, path).expect("in place");
        };
        let renew = || {
            let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
            put(&certificate, &issued.cert.pem());
            issued.signing_key.serialize_pem()
        };
        put(&key, &renew());
        let options = TlsOptions { certificate: certificate.clone(), key: key.clone(), client_ca: None };
        let mut watched = Watched::new("events", Tls::load(options).expect("good files"));
        let mut check = |is_asked, expected: fn(&Looked) -> bool| {
            let looked = watched.look(is_asked);
            assert!(expected(&looked), "{looked:?}");
        };
        // The first look reads: the files may have changed since they were loaded.
        check(false, |looked| matches!(looked, Looked::Same));
        check(false, |looked| matches!(looked, Looked::Unchanged));
        check(true, |looked| matches!(looked, Looked::Same));
        let new_key = renew();
        check(false, |looked| matches!(looked, Looked::Failed(_)));
        check(false, |looked| matches!(looked, Looked::Unchanged));
        check(true, |looked| matches!(looked, Looked::Failed(_)));
        put(&key, &new_key);
        check(false, |looked| matches!(looked, Looked::Renewed));
        fs::remove_file(&key).expect("removed");
        check(false, |looked| matches!(looked, Looked::Failed(_)));
        check(false, |looked| matches!(looked, Looked::Unchanged));
        put(&key, &new_key);
        check(false, |looked| matches!(looked, Looked::Same));
    }
}
