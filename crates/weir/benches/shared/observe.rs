//! What the kernel says of a process: its time, its memory, and when it has come to rest.

use std::{
    path::Path,
    sync::mpsc::{RecvTimeoutError, sync_channel},
    time::{Duration, Instant},
};

use crate::process::BOUND;

/// How often the resident memory of a process is looked at.
const MEMORY_INTERVAL: Duration = Duration::from_millis(50);

/// How often something is looked at that is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Returns what the thread that asks is called among processes, for others to ask for its processor time.
pub(crate) fn this_thread() -> String {
    std::fs::read_link("/proc/thread-self").unwrap().display().to_string()
}

/// Returns the processor time of a process so far; `thread-self` is the thread that asks.
pub(crate) fn processor_time(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name may hold blanks. Behind it, the twelfth and the thirteenth are the times in the program and in the
    // system, in hundredths of a second.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// Returns a line of what a process has of memory, in MiB: `VmRSS` is what is resident now, `VmHWM` the most that was.
pub(crate) fn memory(process: u32, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Does work, and tells the most memory that was seen of a process meanwhile, in MiB.
pub(crate) fn watched<T>(process: u32, work: impl FnOnce() -> T) -> (T, f64) {
    let (stop, stopped) = sync_channel::<()>(0);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(move || {
            let mut most: f64 = 0.0;
            loop {
                most = most.max(memory(process, "VmRSS"));
                if stopped.recv_timeout(MEMORY_INTERVAL) != Err(RecvTimeoutError::Timeout) {
                    return most;
                }
            }
        });
        let done = work();
        drop(stop);
        (done, watcher.join().unwrap())
    })
}

/// Waits until something is so; tells whether it came to be in time.
pub(crate) fn until(time_max: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > time_max {
            return false;
        }
        std::thread::park_timeout(LOOK_INTERVAL);
    }
    true
}

/// Waits for an instant.
pub(crate) fn park_until(at: Instant) {
    while let Some(left) = at.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// Waits until a process has nothing left to do, such as to index what it took in.
pub(crate) fn rest(process: u32) {
    let process = process.to_string();
    let begun = Instant::now();
    loop {
        let before = processor_time(&process);
        std::thread::park_timeout(Duration::from_millis(300));
        if processor_time(&process) - before <= Duration::from_millis(10) {
            return;
        }
        assert!(begun.elapsed() < BOUND, "the server does not come to rest");
    }
}

/// Returns the type of the file system that a directory is on.
pub(crate) fn file_system(directory: &Path) -> String {
    let directory = directory.canonicalize().unwrap();
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let above = fields.filter(|fields| directory.starts_with(fields[1]));
    // The last one of the longest: what is mounted over another hides it.
    let nearest = above.max_by_key(|fields| fields[1].len());
    nearest.map_or("unknown".into(), |fields| fields[2].to_owned())
}
