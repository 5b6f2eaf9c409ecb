//! Progress on standard error while the demo runs.
//!
//! Owns one line per event, and on a terminal a bar that moves within a phase. Standard output stays free for the
//! result.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::{Duration, Instant};

const BAR: usize = 24;

/// Prints where the run is.
#[derive(Debug)]
pub(crate) struct Progress {
    start: Instant,
    terminal: bool,
}

impl Progress {
    /// The clock starts now.
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), terminal: stderr().is_terminal() }
    }

    /// One line that stays.
    pub(crate) fn say(&self, text: &str) {
        let clear = if self.terminal { "\r\x1b[2K" } else { "" };
        eprintln!("{clear}[{:5.1} s] {text}", self.start.elapsed().as_secs_f64());
    }

    /// A bar that the next line overwrites; nothing where standard error is a file.
    pub(crate) fn bar(&self, text: &str, done: Duration, of: Duration) {
        if !self.terminal {
            return;
        }
        let share = (done.as_secs_f64() / of.as_secs_f64().max(f64::EPSILON)).clamp(0.0, 1.0);
        let full = (share * BAR as f64).round() as usize;
        eprint!(
            "\r\x1b[2K[{:5.1} s] {text} {}{}",
            self.start.elapsed().as_secs_f64(),
            "█".repeat(full),
            "░".repeat(BAR - full)
        );
        // A terminal that went away is no reason to stop the run.
        let _ = stderr().flush();
    }
}
