//! What time-stretch should do to the audio that waits: nothing, more of it, or less.
//!
//! A packet is taken at the tick when less than a frame of audio is queued; how late it may be is its *tolerance*. Audio
//! queued beyond a whole frame adds delay and no tolerance, so a steady stream has next to none, and tolerance comes in
//! whole frames: to gain one, stretch until a tick needs no packet; to give one back, shrink until a tick needs two.
//! Pure; runs in the tick.

use antiphon_rt::MonoTime;

use super::{FRAME_NS, JitterBuffer, SLACK_NS, State};

/// Least span worth stretching by; no pitch period is shorter.
const LEAST_NS: i64 = 2_500_000;
/// Growing goes on until there is this much more tolerance than at its start was needed.
const GROWN_NS: i64 = 2_000_000;
/// Ticks in a row that ask for less before less is made: a tick may be late itself.
const PATIENCE: u32 = 4;
/// Ticks between two stretches: one in 80 ms is unheard, one in 40 ms is better than what happens otherwise.
const REST: u32 = 4;
const REST_URGENT: u32 = 2;
/// Excess beyond which giving back is urgent.
const URGENT_NS: i64 = 40_000_000;
/// Ticks after which less likeness is asked for, and none: half a second and two.
const WEARY: u32 = 25;
const WORN: u32 = 100;

/// What to do with the queued audio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wish {
    Keep,
    /// Make it shorter, by at most this many nanoseconds.
    Shorter(Stretch),
    /// Make it longer, by this many nanoseconds if that is unheard.
    Longer(Stretch),
}

/// How much and how badly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) nanos: i64,
    /// The last stretch is long enough ago for another one of sound. Silence may be stretched at any time.
    pub(crate) rested: bool,
    /// How alike the pieces joined have to be, as a correlation.
    pub(crate) alike: f32,
}

/// How stretching has gone so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Ticks since the last stretch.
    rested: u32,
    /// Ticks in a row with too much delay.
    excess: u32,
    /// Ticks that stretching has been wished for since the last stretch.
    waiting: u32,
    growing: bool,
}

impl Pace {
    fn stretch(&self, nanos: i64, urgent: bool) -> Stretch {
        let alike = match self.waiting {
            WORN.. => -1.0,
            WEARY.. => 0.5,
            _ if urgent => 0.5,
            _ => 0.85,
        };
        Stretch { nanos, rested: self.rested >= if urgent { REST_URGENT } else { REST }, alike }
    }
}

impl JitterBuffer {
    /// What should be done before the frame at `now` is taken from `queued_ns` of audio. Call it once per frame.
    pub(crate) fn wish(&mut self, now: MonoTime, queued_ns: i64) -> Wish {
        let State::Playing { cursor } = self.state else {
            self.pace = Pace::default();
            return Wish::Keep;
        };
        let delay = self.playout.slack(now, cursor) + queued_ns;
        let ahead = queued_ns.rem_euclid(FRAME_NS);
        let tolerance = delay - ahead;
        let (need, floor) = (self.need(self.last_samples), self.floor(self.last_samples));
        let pace = &mut self.pace;
        pace.rested = pace.rested.saturating_add(1);
        let short = need - tolerance;
        pace.growing = short > 0 || (pace.growing && ahead >= LEAST_NS && short > -GROWN_NS);
        pace.waiting = pace.waiting.saturating_add(1);
        if pace.growing {
            pace.excess = 0;
            return Wish::Longer(pace.stretch(FRAME_NS - ahead, short > FRAME_NS / 2));
        }
        let excess = tolerance - FRAME_NS - floor;
        let nanos = if excess >= SLACK_NS { ahead + FRAME_NS } else { ahead };
        if nanos < LEAST_NS {
            (pace.excess, pace.waiting) = (0, 0);
            return Wish::Keep;
        }
        pace.excess += 1;
        if pace.excess < PATIENCE {
            return Wish::Keep;
        }
        Wish::Shorter(pace.stretch(nanos, excess > URGENT_NS))
    }

    /// The queued audio was stretched.
    pub(crate) fn was_stretched(&mut self) {
        (self.pace.rested, self.pace.waiting) = (0, 0);
    }
}
