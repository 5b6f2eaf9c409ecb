//! A media thread: which conversations it ticks, and the rings to and from it.
//!
//! `MediaTask` is what the real-time runner calls every 20 ms; `MediaThread` is the control half. A
//! conversation comes in as a box and leaves as a box: nothing is freed here. A panic in one tick retires
//! that conversation, with silence to its receivers, and leaves the others alone. After the ticks, outside
//! them, every network thread and every app that waits for frames is woken once.

use crate::governor::{Ceiling, Gauge, Governor, GovernorStats, Load, Meter, RealMeter};
use antiphon_pipeline::{self as pipeline, EncodeClass};
use antiphon_rt::MonoTime;
use antiphon_rt::quiet::{self, PanicReport};
use antiphon_rt::runner::{PriorityOutcome, Runner, RunnerConfig, RunnerHandle, TickTask};
use antiphon_rt::wake::Waker;
use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Conversations one media thread can hold.
pub(crate) const CONVERSATIONS_PER_THREAD: usize = 4_096;
/// Moves in and out that may wait for a tick.
const MOVES: usize = 1_024;
/// Tick times that may wait for the control thread: five seconds' worth.
const TICK_TIMES: usize = 256;

/// How long one tick of one conversation took, measured around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TickTime {
    pub(crate) took: Duration,
    /// Behind the deadline when the media thread woke.
    pub(crate) lateness: Duration,
    /// Ticks left out just before.
    pub(crate) skipped: u64,
}

/// A conversation on its media thread.
pub(crate) struct Hosted {
    key: u64,
    conversation: Box<pipeline::Conversation>,
    times: HeapProd<TickTime>,
    /// Rouses the app that reads this conversation's frames, if there is one.
    app: Option<Waker>,
    /// What its encoder classes can make use of.
    ceiling: Ceiling,
    panic: Option<PanicReport>,
}

impl Hosted {
    /// Wraps a conversation with these encoder classes for [`Desk::adopt`]; the ring end gives its tick times.
    pub(crate) fn new(
        key: u64,
        conversation: Box<pipeline::Conversation>,
        classes: &[EncodeClass],
        app: Option<Waker>,
    ) -> (Box<Self>, HeapCons<TickTime>) {
        let (times, read) = HeapRb::new(TICK_TIMES).split();
        let ceiling = Ceiling::of_classes(classes);
        (Box::new(Self { key, conversation, times, app, ceiling, panic: None }), read)
    }

    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// The panic in a tick that ended it, if one did.
    pub(crate) fn panic(&self) -> Option<&PanicReport> {
        self.panic.as_ref()
    }
}

enum Move {
    In(Box<Hosted>),
    Out(u64),
}

/// What a media thread does each tick.
#[expect(clippy::vec_box, reason = "a conversation comes and goes as a box: it is neither moved nor freed here")]
pub(crate) struct MediaTask<M = RealMeter> {
    moves: HeapCons<Move>,
    returned: HeapProd<Box<Hosted>>,
    hosted: Vec<Box<Hosted>>,
    /// Panicked or asked out, waiting for room in `returned`.
    leaving: Vec<Box<Hosted>>,
    networks: Vec<Waker>,
    governor: Governor,
    gauge: Arc<Gauge>,
    meter: M,
    /// The thread's own time at the end of the last tick.
    spent: Option<Duration>,
}

/// A task and its control half.
pub(crate) fn media_task<M: Meter>(networks: Vec<Waker>, meter: M) -> (Box<MediaTask<M>>, Desk) {
    let (moves, take_moves) = HeapRb::new(MOVES).split();
    let (give_back, returned) = HeapRb::new(MOVES).split();
    let gauge = Arc::new(Gauge::default());
    let task = MediaTask {
        moves: take_moves,
        returned: give_back,
        hosted: Vec::with_capacity(CONVERSATIONS_PER_THREAD),
        leaving: Vec::with_capacity(CONVERSATIONS_PER_THREAD),
        networks,
        governor: Governor::new(),
        gauge: Arc::clone(&gauge),
        meter,
        spent: None,
    };
    (Box::new(task), Desk { ends: Mutex::new(Ends { moves, returned, count: 0 }), gauge })
}

impl<M: Meter> MediaTask<M> {
    fn take_moves(&mut self) {
        // Bounded by the ring; `adopt` counts, so there is room for whatever comes in.
        for _ in 0..MOVES {
            match self.moves.try_pop() {
                Some(Move::In(mut hosted)) => {
                    hosted.conversation.set_effort(self.governor.effort());
                    self.hosted.push(hosted);
                }
                Some(Move::Out(key)) => {
                    if let Some(at) = self.hosted.iter().position(|h| h.key == key) {
                        let hosted = self.hosted.swap_remove(at);
                        self.leaving.push(hosted);
                    }
                }
                None => break,
            }
        }
        while !self.returned.is_full()
            && let Some(hosted) = self.leaving.pop()
        {
            let _ = self.returned.try_push(hosted); // room was checked above
        }
    }
}

impl<M: Meter> TickTask for MediaTask<M> {
    fn tick(&mut self, now: MonoTime, lateness: Duration, skipped: u64) {
        self.take_moves();
        // The sample clock is the grid of deadlines: a late wake-up must not move it.
        let due = now.saturating_sub(lateness);
        let mut began = now;
        let mut ceiling = Ceiling::NOTHING;
        let mut at = 0;
        while at < self.hosted.len() {
            let hosted = &mut self.hosted[at];
            let (key, conversation, meter) = (hosted.key, &mut hosted.conversation, &mut self.meter);
            let work = || {
                meter.provoke(key);
                conversation.tick(due);
            };
            hosted.panic = quiet::catch(work).err();
            let ended = self.meter.now();
            let took = ended.checked_since(began).unwrap_or_default();
            began = ended;
            let _ = hosted.times.try_push(TickTime { took, lateness, skipped }); // newest dropped: a histogram can miss one
            if hosted.panic.is_some() {
                let hosted = self.hosted.swap_remove(at);
                self.leaving.push(hosted);
            } else {
                let talkers = u16::try_from(hosted.conversation.last_record().talking).unwrap_or(u16::MAX);
                ceiling = ceiling.max(Ceiling { talkers, ..hosted.ceiling });
                at += 1;
            }
        }
        if !self.hosted.is_empty() {
            for network in &self.networks {
                network.wake();
            }
            for app in self.hosted.iter().filter_map(|h| h.app.as_ref()) {
                app.wake();
            }
        }
        self.govern(now, ceiling);
    }
}

impl<M: Meter> MediaTask<M> {
    /// Weighs what this tick took and sets the effort of the next one.
    fn govern(&mut self, began: MonoTime, ceiling: Ceiling) {
        self.meter.strain(&self.governor.effort());
        let wall = self.meter.now().saturating_since(began);
        let spent = self.meter.own();
        let own = spent.saturating_sub(self.spent.unwrap_or(spent));
        self.spent = Some(spent);
        if self.governor.note(Load { wall, own }, ceiling) {
            for hosted in &mut self.hosted {
                hosted.conversation.set_effort(self.governor.effort());
            }
        }
        self.gauge.show(self.governor.stats());
    }
}

/// A media thread, and its control half.
pub(crate) struct MediaThread {
    runner: RunnerHandle<MediaTask>,
    desk: Desk,
}

impl MediaThread {
    /// Starts the thread; it ticks from now on.
    pub(crate) fn start(
        name: String,
        priority: Option<u8>,
        core: Option<usize>,
        networks: Vec<Waker>,
    ) -> std::io::Result<Self> {
        let (task, desk) = media_task(networks, RealMeter);
        let config = RunnerConfig { name, priority, core, ..RunnerConfig::default() };
        Ok(Self { runner: Runner::spawn(config, task)?, desk })
    }

    pub(crate) fn priority(&self) -> PriorityOutcome {
        self.runner.priority()
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }
}

/// What control threads hold of a media task.
pub(crate) struct Desk {
    ends: Mutex<Ends>,
    gauge: Arc<Gauge>,
}

struct Ends {
    moves: HeapProd<Move>,
    returned: HeapCons<Box<Hosted>>,
    count: usize,
}

impl Desk {
    /// Conversations on the thread.
    pub(crate) fn count(&self) -> usize {
        self.ends().count
    }

    /// What its governor does.
    pub(crate) fn governor(&self) -> GovernorStats {
        self.gauge.read()
    }

    /// Moves a conversation onto the thread.
    ///
    /// # Errors
    /// Gives it back if the thread has no room.
    pub(crate) fn adopt(&self, hosted: Box<Hosted>) -> Result<(), Box<Hosted>> {
        let mut ends = self.ends();
        if ends.count >= CONVERSATIONS_PER_THREAD {
            return Err(hosted);
        }
        match ends.moves.try_push(Move::In(hosted)) {
            Ok(()) => {
                ends.count += 1;
                Ok(())
            }
            Err(Move::In(hosted)) => Err(hosted),
            Err(Move::Out(_)) => unreachable!("invariant: the ring gives back what it was given"),
        }
    }

    /// Asks for a conversation back; it comes with a later [`Desk::next_returned`]. `false`: ask again.
    pub(crate) fn release(&self, key: u64) -> bool {
        self.ends().moves.try_push(Move::Out(key)).is_ok()
    }

    /// The next conversation that left the thread.
    pub(crate) fn next_returned(&self) -> Option<Box<Hosted>> {
        let mut ends = self.ends();
        let hosted = ends.returned.try_pop()?;
        ends.count -= 1;
        Some(hosted)
    }

    fn ends(&self) -> std::sync::MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
