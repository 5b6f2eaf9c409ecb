//! The two threads that are looked at: the media thread's work with figures taken around it, and the canary.

use antiphon_engine::MediaHost;
use antiphon_rt::runner::TickTask;
use antiphon_rt::{MonoClock, MonoTime, thread_time};
use antiphon_testkit::alloc_guard;
use ringbuf::traits::{Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use std::time::Duration;

/// Samples that may wait: ten seconds' worth.
const SAMPLES: usize = 512;

/// One tick of the media thread.
pub(crate) struct Sample {
    /// From wake-up to done.
    pub(crate) took: Duration,
    /// Of that, on a core.
    pub(crate) own: Duration,
    /// Behind the deadline at wake-up.
    pub(crate) lateness: Duration,
    /// Ticks left out before.
    pub(crate) skipped: u64,
    /// Blocks asked of the heap or given back.
    pub(crate) heap: u64,
}

/// What the media thread of the engine does, watched.
pub(crate) struct Watched {
    host: Box<MediaHost>,
    samples: HeapProd<Sample>,
}

/// The task for the runner, and where its samples come out.
pub(crate) fn watch(host: Box<MediaHost>) -> (Box<Watched>, HeapCons<Sample>) {
    let (samples, out) = HeapRb::new(SAMPLES).split();
    (Box::new(Watched { host, samples }), out)
}

impl TickTask for Watched {
    fn tick(&mut self, now: MonoTime, lateness: Duration, skipped: u64) {
        let before = thread_time();
        let ((), heap) = alloc_guard::count(|| self.host.tick(now, lateness, skipped));
        let (took, own) = (MonoClock.now().saturating_since(now), thread_time() - before);
        // A full ring means that the main thread is ten seconds late: the summary shows fewer ticks then.
        let _ = self.samples.try_push(Sample { took, own, lateness, skipped, heap: heap.allocs + heap.frees });
    }
}

/// Sleeps to the same deadlines as the media thread and does nothing.
pub(crate) struct Canary(HeapProd<(Duration, u64)>);

impl Canary {
    /// The task for a runner of its own, and where lateness and skipped ticks come out.
    pub(crate) fn new() -> (Box<Self>, HeapCons<(Duration, u64)>) {
        let (samples, out) = HeapRb::new(SAMPLES).split();
        (Box::new(Self(samples)), out)
    }
}

impl TickTask for Canary {
    fn tick(&mut self, _now: MonoTime, lateness: Duration, skipped: u64) {
        let _ = self.0.try_push((lateness, skipped));
    }
}
