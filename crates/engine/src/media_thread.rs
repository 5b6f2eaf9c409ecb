//! A media thread: which conversations it ticks, and the rings to and from it.
//!
//! `MediaTask` is what the real-time runner calls every 20 ms; `MediaThread` is the control half. A
//! conversation comes in as a box and leaves as a box: nothing is freed here. A panic in one tick retires
//! that conversation, with silence to its receivers, and leaves the others alone. After the ticks, outside
//! them, every network thread and every app that waits for frames is woken once.

use antiphon_pipeline as pipeline;
use antiphon_rt::quiet::{self, PanicReport};
use antiphon_rt::runner::{PriorityOutcome, Runner, RunnerConfig, RunnerHandle, TickTask};
use antiphon_rt::wake::Waker;
use antiphon_rt::{MonoClock, MonoTime};
use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use std::sync::{Mutex, PoisonError};
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
    panic: Option<PanicReport>,
}

impl Hosted {
    /// Wraps a conversation for [`MediaThread::adopt`]; the ring end gives its tick times.
    pub(crate) fn new(
        key: u64,
        conversation: Box<pipeline::Conversation>,
        app: Option<Waker>,
    ) -> (Box<Self>, HeapCons<TickTime>) {
        let (times, read) = HeapRb::new(TICK_TIMES).split();
        (Box::new(Self { key, conversation, times, app, panic: None }), read)
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

#[expect(clippy::vec_box, reason = "a conversation comes and goes as a box: it is neither moved nor freed here")]
struct MediaTask {
    moves: HeapCons<Move>,
    returned: HeapProd<Box<Hosted>>,
    hosted: Vec<Box<Hosted>>,
    /// Panicked or asked out, waiting for room in `returned`.
    leaving: Vec<Box<Hosted>>,
    networks: Vec<Waker>,
}

impl MediaTask {
    fn take_moves(&mut self) {
        // Bounded by the ring; `adopt` counts, so there is room for whatever comes in.
        for _ in 0..MOVES {
            match self.moves.try_pop() {
                Some(Move::In(hosted)) => self.hosted.push(hosted),
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

impl TickTask for MediaTask {
    fn tick(&mut self, now: MonoTime, lateness: Duration, skipped: u64) {
        self.take_moves();
        // The sample clock is the grid of deadlines: a late wake-up must not move it.
        let due = now.saturating_sub(lateness);
        let mut began = now;
        let mut at = 0;
        while at < self.hosted.len() {
            let hosted = &mut self.hosted[at];
            hosted.panic = quiet::catch(|| hosted.conversation.tick(due)).err();
            let ended = MonoClock.now();
            let took = ended.checked_since(began).unwrap_or_default();
            began = ended;
            let _ = hosted.times.try_push(TickTime { took, lateness, skipped }); // newest dropped: a histogram can miss one
            if hosted.panic.is_some() {
                let hosted = self.hosted.swap_remove(at);
                self.leaving.push(hosted);
            } else {
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
    }
}

/// The control half of a media thread.
pub(crate) struct MediaThread {
    runner: RunnerHandle<MediaTask>,
    ends: Mutex<Ends>,
}

struct Ends {
    moves: HeapProd<Move>,
    returned: HeapCons<Box<Hosted>>,
    count: usize,
}

impl MediaThread {
    /// Starts the thread; it ticks from now on.
    pub(crate) fn start(
        name: String,
        priority: Option<u8>,
        core: Option<usize>,
        networks: Vec<Waker>,
    ) -> std::io::Result<Self> {
        let (moves, take_moves) = HeapRb::new(MOVES).split();
        let (give_back, returned) = HeapRb::new(MOVES).split();
        let task = MediaTask {
            moves: take_moves,
            returned: give_back,
            hosted: Vec::with_capacity(CONVERSATIONS_PER_THREAD),
            leaving: Vec::with_capacity(CONVERSATIONS_PER_THREAD),
            networks,
        };
        let config = RunnerConfig { name, priority, core, ..RunnerConfig::default() };
        let runner = Runner::spawn(config, Box::new(task))?;
        Ok(Self { runner, ends: Mutex::new(Ends { moves, returned, count: 0 }) })
    }

    pub(crate) fn priority(&self) -> PriorityOutcome {
        self.runner.priority()
    }

    /// Conversations on it.
    pub(crate) fn count(&self) -> usize {
        self.ends().count
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

    /// Asks for a conversation back; it comes with a later [`MediaThread::next_returned`]. `false`: ask again.
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
mod tests {
    use super::*;
    use antiphon_pipeline::{
        AppEar, AppEarConfig, Command, Control, ConversationConfig, Limits, Participant, PlanBuilder,
    };
    use antiphon_pipeline::{Receiver, ReceiverSlot, Slots};
    use antiphon_rt::packet_ring::packet_ring;

    struct Bench {
        task: MediaTask,
        moves: HeapProd<Move>,
        returned: HeapCons<Box<Hosted>>,
    }

    fn bench() -> Bench {
        let (moves, take_moves) = HeapRb::new(MOVES).split();
        let (give_back, returned) = HeapRb::new(MOVES).split();
        let (hosted, leaving) = (Vec::with_capacity(8), Vec::with_capacity(8));
        let task = MediaTask { moves: take_moves, returned: give_back, hosted, leaving, networks: Vec::new() };
        Bench { task, moves, returned }
    }

    /// A conversation with one app in it, whose mixed frames carry the tick number.
    fn conversation(key: u64) -> (Box<Hosted>, Control, AppEar) {
        let limits = Limits::for_participants(2);
        let config = ConversationConfig { limits, ..ConversationConfig::default() };
        let (egress, _) = packet_ring(4_096);
        let (conversation, mut control) = pipeline::Conversation::new(&config, egress).unwrap();
        let (receiver, ear) = Receiver::app(AppEarConfig::default(), &config).unwrap();
        let slot = Slots::<ReceiverSlot>::new(1).take().unwrap();
        control.send(Command::AddReceiver(slot, receiver)).unwrap();
        let mut plan = PlanBuilder::new(&limits);
        plan.participant(Participant { receiver: Some(slot), in_default_group: true, ..Participant::default() });
        control.publish(plan.build()).unwrap();
        (Hosted::new(key, conversation, None).0, control, ear)
    }

    #[test]
    fn the_sample_clock_follows_the_deadlines_however_late_the_thread_wakes() {
        let mut b = bench();
        let (hosted, _control, mut ear) = conversation(1);
        assert!(b.moves.try_push(Move::In(hosted)).is_ok());
        let (period, mut first) = (20_000_000, None);
        for n in 0..2_000_u64 {
            let late = n * 7_919 % 19_999 * 1_000; // anything under a period
            let now = MonoTime::from_nanos(1_000_000_000 + n * period + late);
            b.task.tick(now, Duration::from_nanos(late), 0);
            while let Some(frame) = ear.next_mixed() {
                let start = *first.get_or_insert(frame.tick - n);
                assert_eq!(frame.tick - start, n, "the clock moved at deadline {n}");
            }
        }
        assert!(first.is_some());
    }

    #[test]
    fn a_conversation_comes_back_when_asked_for_and_the_others_go_on() {
        let mut b = bench();
        let (one, _c1, _e1) = conversation(1);
        let (two, _c2, mut e2) = conversation(2);
        for hosted in [one, two] {
            assert!(b.moves.try_push(Move::In(hosted)).is_ok());
        }
        b.task.tick(MonoTime::from_millis(20), Duration::ZERO, 0);
        assert!(b.moves.try_push(Move::Out(1)).is_ok());
        b.task.tick(MonoTime::from_millis(40), Duration::ZERO, 0);
        assert_eq!(b.returned.try_pop().map(|h| h.key()), Some(1));
        assert!(b.returned.try_pop().is_none());
        while e2.next_mixed().is_some() {}
        b.task.tick(MonoTime::from_millis(60), Duration::ZERO, 0);
        assert!(e2.next_mixed().is_some());
    }
}
