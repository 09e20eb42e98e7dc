//! The threads of a server: named, watched while it runs, and joined at its end. What they do is not known here.

use std::thread::JoinHandle;

use anyhow::anyhow;
use tokio::sync::mpsc;

/// A server has fewer threads of its own, so that each finds room to say that it has ended.
const THREADS_MAX: usize = 8;

/// Threads that are to run until their owner ends them.
pub(crate) struct Threads {
    running: Vec<JoinHandle<()>>,
    notices: mpsc::Sender<Ended>,
    ended: mpsc::Receiver<Ended>,
}

/// What is known about a thread that has ended.
struct Ended {
    name: &'static str,
    in_panic: bool,
}

/// Says that its thread has ended, however it did.
struct Notice {
    name: &'static str,
    notices: mpsc::Sender<Ended>,
}

impl Drop for Notice {
    fn drop(&mut self) {
        // Where nobody listens any more, the end was asked for.
        let _ = self.notices.try_send(Ended { name: self.name, in_panic: std::thread::panicking() });
    }
}

impl Threads {
    /// Makes an empty set.
    pub(crate) fn new() -> Self {
        let (notices, ended) = mpsc::channel(THREADS_MAX);
        Self { running: Vec::new(), notices, ended }
    }

    /// Starts a thread.
    pub(crate) fn start(&mut self, name: &'static str, body: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
        let notice = Notice { name, notices: self.notices.clone() };
        let thread = start(name, move || {
            let _notice = notice;
            body();
        })?;
        self.running.push(thread);
        Ok(())
    }

    /// Waits until one of them ends although nobody asked for it, and says which.
    pub(crate) async fn ended(&mut self) -> anyhow::Error {
        match self.ended.recv().await {
            Some(Ended { name, in_panic: true }) => anyhow!("the thread {name} ended in a panic"),
            Some(Ended { name, .. }) => anyhow!("the thread {name} ended although nobody asked for it"),
            // Never: the set holds a sender itself.
            None => std::future::pending().await,
        }
    }

    /// Waits until all have ended. Blocks its thread.
    pub(crate) fn join(self) -> anyhow::Result<()> {
        for thread in self.running {
            let name = thread.thread().name().unwrap_or("without a name").to_owned();
            thread.join().map_err(|_| anyhow!("the thread {name} ended in a panic"))?;
        }
        Ok(())
    }
}

/// Starts a thread that its caller watches over.
#[expect(clippy::disallowed_methods, reason = "this is the supervisor: it owns the threads and joins them")]
pub(crate) fn start(name: &str, body: impl FnOnce() + Send + 'static) -> anyhow::Result<JoinHandle<()>> {
    Ok(std::thread::Builder::new().name(name.into()).spawn(body)?)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[tokio::test]
    async fn an_end_that_nobody_asked_for_is_told_with_its_name() {
        let mut threads = Threads::new();
        let (stop, stopped) = sync_channel::<()>(1);
        threads
            .start("patient", move || {
                let _ = stopped.recv();
            })
            .expect("started");
        threads.start("short", || {}).expect("started");
        assert_eq!(threads.ended().await.to_string(), "the thread short ended although nobody asked for it");
        // Ends its thread as a panic does, without a word to standard error.
        threads.start("broken", || std::panic::resume_unwind(Box::new(()))).expect("started");
        assert_eq!(threads.ended().await.to_string(), "the thread broken ended in a panic");
        drop(stop);
        assert_eq!(threads.join().expect_err("a panic").to_string(), "the thread broken ended in a panic");
    }
}
