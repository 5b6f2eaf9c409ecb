//! What the system says of threads and memory, from procfs.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// CPU time of a thread of this process.
#[derive(Clone, Debug)]
pub(crate) struct ThreadCpu(String);

impl ThreadCpu {
    /// The thread of this name; it must have been started.
    pub(crate) fn named(name: &str) -> Self {
        let begin = Instant::now();
        loop {
            let tasks = fs::read_dir("/proc/self/task").expect("procfs is mounted");
            let mut tasks = tasks.filter_map(Result::ok).map(|task| task.path());
            // A thread gives itself its name, some time after it was started.
            let of_name = |path: &PathBuf| fs::read_to_string(path.join("comm")).is_ok_and(|c| c.trim() == name);
            if let Some(path) = tasks.find(of_name) {
                return Self(path.join("schedstat").to_string_lossy().into_owned());
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "no thread {name}");
            std::thread::yield_now();
        }
    }

    /// Time on a CPU so far.
    pub(crate) fn so_far(&self) -> Duration {
        let text = fs::read_to_string(&self.0).expect("the kernel keeps schedstat");
        let nanoseconds = text.split_whitespace().next().and_then(|n| n.parse().ok());
        Duration::from_nanos(nanoseconds.expect("invariant: schedstat begins with nanoseconds"))
    }
}

/// Anonymous memory this process holds in RAM.
pub(crate) fn resident_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("procfs is mounted");
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("the kernel tells RssAnon");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("invariant: a number of kB");
    kilobytes * 1024
}
