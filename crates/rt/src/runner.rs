//! Real-time runner: one thread that calls a task at absolute deadlines, a period apart.
//!
//! In the flow: the engine starts one per media thread; its task takes commands, ticks its conversations
//! and wakes the network threads.
//! Invariants: deadlines never drift; an overrun skips whole ticks, counted; the task is never dropped on
//! the media thread but returned by [`RunnerHandle::stop`]; a panic ends the loop and is reported.
//! Not here: what a tick does; histograms (lateness is handed to the task).

mod privilege;
mod schedule;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use privilege::{CoreOutcome, PriorityOutcome};
pub use schedule::{Schedule, Wake};

use crate::quiet::{self, PanicReport};
use crate::{FlushDenormals, MonoClock, MonoTime};

/// The least stack a runner's thread gets, whatever its config says: libopus keeps 51–66 KB there, and a
/// media thread must not find out the hard way what else does.
pub const MIN_STACK: usize = 1 << 20;

/// What a runner calls once per period.
pub trait TickTask: Send {
    /// One tick.
    ///
    /// `now` is the one clock read of this tick. `lateness` is how far `now` lies behind the deadline, always
    /// less than a period. `skipped` is how many whole ticks were left out just before this one because the
    /// thread woke too late for them (an earlier tick took too long, or the machine was busy).
    fn tick(&mut self, now: MonoTime, lateness: Duration, skipped: u64);
}

/// How a runner's thread is set up.
#[derive(Clone, Debug)]
pub struct RunnerConfig {
    /// Thread name (Linux shows the first 15 bytes).
    pub name: String,
    /// Time between two deadlines; at least a millisecond.
    pub period: Duration,
    /// Stack in bytes; raised to [`MIN_STACK`].
    pub stack: usize,
    /// SCHED_FIFO priority 1–99 to ask for, or none. Being refused is reported, not an error.
    pub priority: Option<u8>,
    /// CPU to stay on, or none. Being refused is reported, not an error.
    pub core: Option<usize>,
}

impl Default for RunnerConfig {
    /// 20 ms, 1 MiB of stack, no special priority, any core.
    fn default() -> Self {
        Self { name: "media".into(), period: Duration::from_millis(20), stack: MIN_STACK, priority: None, core: None }
    }
}

/// Starts runners. Not a value: what runs is held by its [`RunnerHandle`].
#[derive(Debug)]
pub enum Runner {}

impl Runner {
    /// Starts a thread that ticks `task` until stopped; the first tick is one period from now.
    ///
    /// # Errors
    /// `InvalidInput` if the period is under a millisecond; the operating system's if it has no thread to give.
    pub fn spawn<T: TickTask + ?Sized + 'static>(config: RunnerConfig, task: Box<T>) -> io::Result<RunnerHandle<T>> {
        if config.period < Duration::from_millis(1) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a runner's period must be at least 1 ms"));
        }
        quiet::install();
        let stop = Arc::new(AtomicBool::new(false));
        let (ready_tx, ready_rx) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name(config.name).stack_size(config.stack.max(MIN_STACK)).spawn({
            let stop = Arc::clone(&stop);
            move || {
                let outcomes = (privilege::ask_priority(config.priority), privilege::ask_core(config.core));
                ready_tx.send(outcomes).expect("invariant: spawn waits for this");
                drop(ready_tx);
                run(config.period, &stop, task)
            }
        })?;
        let (priority, core) = ready_rx.recv().expect("invariant: the thread reports before it does anything else");
        Ok(RunnerHandle { stop, thread: Some(thread), priority, core })
    }
}

fn run<T: TickTask + ?Sized>(period: Duration, stop: &AtomicBool, mut task: Box<T>) -> Stopped<T> {
    let _flush = FlushDenormals::new();
    let clock = MonoClock;
    let mut schedule = Schedule::new(clock.now(), period);
    let mut panic = None;
    loop {
        clock.sleep_until(schedule.deadline());
        // Relaxed: the flag carries no data; whoever set it gets the task by joining this thread.
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let now = clock.now();
        let wake = schedule.wake(now);
        if let Err(report) = quiet::catch(|| task.tick(now, wake.lateness, wake.skipped)) {
            panic = Some(report);
            break;
        }
    }
    Stopped { task, panic }
}

/// A running (or panicked) runner. Dropping it stops the thread, waits for it and drops the task.
pub struct RunnerHandle<T: ?Sized = dyn TickTask> {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Stopped<T>>>,
    priority: PriorityOutcome,
    core: CoreOutcome,
}

/// What a runner leaves behind.
#[non_exhaustive]
pub struct Stopped<T: ?Sized = dyn TickTask> {
    /// The task, to be dropped or used again. After a panic only fit to be dropped.
    pub task: Box<T>,
    /// The panic that ended the loop, if one did.
    pub panic: Option<PanicReport>,
}

impl<T: ?Sized> RunnerHandle<T> {
    /// What became of the wish for a real-time priority.
    #[must_use]
    pub fn priority(&self) -> PriorityOutcome {
        self.priority
    }

    /// What became of the wish for a core.
    #[must_use]
    pub fn core(&self) -> CoreOutcome {
        self.core
    }

    /// Whether the loop has ended by itself, which only a panic does; [`stop`](Self::stop) tells which.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the loop after the tick under way, waits for the thread (a period at most, unless a tick hangs)
    /// and returns the task.
    ///
    /// # Panics
    /// If the thread died outside the task, which would be a bug here.
    #[must_use = "the task comes back to be dropped here, not on the media thread"]
    pub fn stop(mut self) -> Stopped<T> {
        self.join().expect("invariant: only `stop` and `drop` take the thread, and both end the handle")
    }

    fn join(&mut self) -> Option<Stopped<T>> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take()?;
        Some(thread.join().expect("invariant: panics of the task are caught inside the loop"))
    }
}

impl<T: ?Sized> Drop for RunnerHandle<T> {
    fn drop(&mut self) {
        drop(self.join());
    }
}

impl<T: ?Sized> fmt::Debug for RunnerHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnerHandle")
            .field("priority", &self.priority)
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}

impl<T: ?Sized> fmt::Debug for Stopped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopped").field("panic", &self.panic).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use super::*;

    /// Ticks a given number of times, then reports; remembers what it saw.
    struct Probe {
        seen: Vec<(MonoTime, Duration, u64)>,
        done_after: usize,
        done: mpsc::Sender<ThreadId>,
        panic_at: Option<usize>,
        dropped_on: mpsc::Sender<ThreadId>,
    }

    impl TickTask for Probe {
        fn tick(&mut self, now: MonoTime, lateness: Duration, skipped: u64) {
            self.seen.push((now, lateness, skipped));
            if self.panic_at == Some(self.seen.len()) {
                panic!("tick {}", self.seen.len());
            }
            if self.seen.len() == self.done_after {
                self.done.send(thread::current().id()).unwrap();
            }
        }
    }

    impl Drop for Probe {
        fn drop(&mut self) {
            let _ = self.dropped_on.send(thread::current().id());
        }
    }

    fn probe(
        done_after: usize,
        panic_at: Option<usize>,
    ) -> (Box<Probe>, mpsc::Receiver<ThreadId>, mpsc::Receiver<ThreadId>) {
        let (done, done_rx) = mpsc::channel();
        let (dropped_on, dropped_rx) = mpsc::channel();
        let seen = Vec::with_capacity(4096);
        (Box::new(Probe { seen, done_after, done, panic_at, dropped_on }), done_rx, dropped_rx)
    }

    fn config() -> RunnerConfig {
        RunnerConfig { period: Duration::from_millis(1), ..RunnerConfig::default() }
    }

    #[test]
    fn every_period_is_ticked_or_counted_as_skipped() {
        let (task, done, _) = probe(20, None);
        let handle = Runner::spawn(config(), task).unwrap();
        let media_thread = done.recv().unwrap();
        assert_ne!(media_thread, thread::current().id());
        let stopped = handle.stop();
        assert_eq!(stopped.panic, None);
        let seen = &stopped.task.seen;
        assert!(seen.len() >= 20);
        let period = Duration::from_millis(1);
        for pair in seen.windows(2) {
            let [(a, late_a, _), (b, late_b, skipped)] = pair else { unreachable!("windows of two") };
            assert!(*late_b < period, "lateness is what is left after skipping");
            // Deadline to deadline is exactly a whole number of periods: no drift.
            let deadlines = b.saturating_sub(*late_b).saturating_since(a.saturating_sub(*late_a));
            assert_eq!(deadlines, period * u32::try_from(skipped + 1).unwrap());
        }
    }

    #[test]
    fn stop_returns_the_task_undropped() {
        let (task, done, dropped) = probe(1, None);
        let handle = Runner::spawn(config(), task).unwrap();
        done.recv().unwrap();
        let stopped = handle.stop();
        assert!(dropped.try_recv().is_err());
        drop(stopped);
        assert_eq!(dropped.recv().unwrap(), thread::current().id());
    }

    #[test]
    fn dropping_the_handle_stops_the_thread_and_drops_the_task_here() {
        let (task, done, dropped) = probe(1, None);
        let handle = Runner::spawn(config(), task).unwrap();
        done.recv().unwrap();
        drop(handle);
        assert_eq!(dropped.recv().unwrap(), thread::current().id());
    }

    #[test]
    fn a_panic_ends_the_loop_and_comes_back_with_the_task() {
        let (task, done, dropped) = probe(usize::MAX, Some(3));
        let handle = Runner::spawn(config(), task).unwrap();
        while !handle.is_finished() {
            thread::yield_now();
        }
        assert!(dropped.try_recv().is_err(), "not dropped on the media thread");
        let stopped = handle.stop();
        assert_eq!(stopped.panic.unwrap().message, "tick 3");
        assert_eq!(stopped.task.seen.len(), 3);
        assert!(done.try_recv().is_err());
    }

    #[test]
    fn a_task_behind_a_trait_object_can_be_run() {
        let (task, done, _) = probe(1, None);
        let task: Box<dyn TickTask> = task;
        let handle: RunnerHandle = Runner::spawn(config(), task).unwrap();
        done.recv().unwrap();
        assert!(handle.stop().panic.is_none());
    }

    #[test]
    fn wishes_are_answered_not_failed() {
        let wishes = RunnerConfig { priority: Some(10), core: Some(100_000), ..config() };
        let (task, done, _) = probe(1, None);
        let handle = Runner::spawn(wishes, task).unwrap();
        done.recv().unwrap();
        assert_ne!(handle.priority(), PriorityOutcome::NotAsked); // granted or refused: the machine's choice
        assert!(matches!(handle.core(), CoreOutcome::Refused { core: 100_000, .. }));
        let (task, _done, _) = probe(1, None);
        let handle = Runner::spawn(config(), task).unwrap();
        assert_eq!((handle.priority(), handle.core()), (PriorityOutcome::NotAsked, CoreOutcome::NotAsked));
    }

    #[test]
    fn a_period_too_short_to_keep_is_refused() {
        let (task, _done, _) = probe(1, None);
        let config = RunnerConfig { period: Duration::from_micros(999), ..RunnerConfig::default() };
        assert_eq!(Runner::spawn(config, task).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
