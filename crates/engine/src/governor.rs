//! The governor of one media thread: less effort when ticks near the budget, more again when there is room.
//!
//! In the flow: the media thread tells it what each tick took and hands its [`Effort`] to every conversation
//! before the next one. Pure: no clock in here. The order is fixed: complexity, then bitrate, then how many
//! talkers are mixed; back the other way round. Fast down, slow up, slower still where going up failed.
//! What the rungs save (one encode, 24 kb/s, VOIP): complexity 5 → 0 from 119 to 51 µs; 24 → 16 kb/s nothing at
//! complexity 5 and 51 → 40 µs at 0, which is why bitrate comes last of the two; talkers save whole encodes.

use antiphon_pipeline::{Effort, EncodeClass};
use antiphon_rt::{MonoClock, MonoTime, thread_time};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// What a media thread may take per tick.
pub(crate) const BUDGET: Duration = Duration::from_millis(20);

/// A tick that takes so much of the budget, in percent, counts towards less effort.
const NEAR: u64 = 85;
/// A tick that takes so much counts twice.
const CLOSE: u64 = 95;
/// So many near ticks, less those in between that were not, make one step down.
const HOT: u32 = 5;
/// Own work beyond the budget: a step at once for every started so many percent above [`NEAR`].
const JUMP: u64 = 15;
/// A tick that takes less than this counts towards more effort. A rung up from here may prove too much: then it is
/// taken back at once, long before a tick is missed, and tried less often.
const ROOMY: u64 = 60;
/// So many roomy ticks make one step up: two seconds.
const HOLD: u32 = 100;
/// The longest that failed steps up make the governor wait: a minute.
const LONGEST_HOLD: u32 = 3_000;
/// A step up that holds for so long, ten seconds, was right.
const TRIAL: u32 = 500;

/// What a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lever {
    Complexity,
    Bitrate,
    Talkers,
}

/// The rungs below full effort, in the order they are taken.
const RUNGS: [(Lever, u32); 15] = [
    (Lever::Complexity, 5),
    (Lever::Complexity, 3),
    (Lever::Complexity, 1),
    (Lever::Complexity, 0),
    (Lever::Bitrate, 16_000),
    (Lever::Talkers, 512),
    (Lever::Talkers, 256),
    (Lever::Talkers, 128),
    (Lever::Talkers, 64),
    (Lever::Talkers, 32),
    (Lever::Talkers, 16),
    (Lever::Talkers, 12),
    (Lever::Talkers, 8),
    (Lever::Talkers, 5),
    (Lever::Talkers, 3),
];

/// Steps by what they changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepCounts {
    /// Encoder complexity.
    pub complexity: u64,
    /// Bitrate class.
    pub bitrate: u64,
    /// Talkers mixed at once, and so private encoders.
    pub talkers: u64,
}

impl StepCounts {
    fn count(&mut self, lever: Lever) {
        *match lever {
            Lever::Complexity => &mut self.complexity,
            Lever::Bitrate => &mut self.bitrate,
            Lever::Talkers => &mut self.talkers,
        } += 1;
    }

    /// All steps.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.complexity + self.bitrate + self.talkers
    }
}

/// What the governor of a media thread does and has done. Ticks near their budget make it lower the effort of all
/// encoders on the thread: complexity first, then the bit rate, then how many talkers are mixed; with room again it
/// goes back the other way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GovernorStats {
    /// Rungs below full effort; 0 is full effort.
    pub level: u8,
    /// Steps down so far.
    pub lowered: StepCounts,
    /// Steps up so far.
    pub restored: StepCounts,
    /// Steps down that ended without a step up, because they limited nothing any more: whoever they were for fell silent
    /// or left. Giving them back costs nothing, so it is no trial either: should the load return, so do they.
    pub lapsed: StepCounts,
    /// Ticks done below full effort.
    pub limited_ticks: u64,
}

impl GovernorStats {
    /// What encoders may cost at this level.
    #[must_use]
    pub fn effort(&self) -> Effort {
        effort_at(usize::from(self.level))
    }
}

/// What one tick of a whole media thread took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    /// From wake-up to done, whoever held the core.
    pub(crate) wall: Duration,
    /// The thread's own time on a core: a stall from outside is not in it.
    pub(crate) own: Duration,
}

/// The most that the conversations of a thread can make use of; what lies above saves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ceiling {
    pub(crate) complexity: u8,
    pub(crate) bitrate: u32,
    /// Sources talking in one conversation.
    pub(crate) talkers: u16,
}

impl Ceiling {
    /// Nothing at all: what a thread without conversations can make use of.
    pub(crate) const NOTHING: Self = Self { complexity: 0, bitrate: 0, talkers: 0 };

    /// What encoders of these classes can make use of, talkers aside.
    pub(crate) fn of_classes(classes: &[EncodeClass]) -> Self {
        classes.iter().fold(Self::NOTHING, |most, class| match class {
            EncodeClass::Opus(settings) => Self {
                complexity: most.complexity.max(settings.complexity),
                bitrate: most.bitrate.max(settings.bitrate),
                talkers: 0,
            },
            _ => most, // G.711 has nothing to lower
        })
    }

    /// The greater of each.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            complexity: self.complexity.max(other.complexity),
            bitrate: self.bitrate.max(other.bitrate),
            talkers: self.talkers.max(other.talkers),
        }
    }
}

/// The state of one governor.
#[derive(Debug)]
pub(crate) struct Governor {
    stats: GovernorStats,
    /// The rungs counted on the way down, a bit each: those passed because they saved nothing are not.
    taken: u16,
    hot: u32,
    roomy: u32,
    hold: u32,
    /// Ticks since the last step up, until it is known to have been right.
    trial: Option<u32>,
}

impl Governor {
    pub(crate) fn new() -> Self {
        Self { stats: GovernorStats::default(), taken: 0, hot: 0, roomy: 0, hold: HOLD, trial: None }
    }

    pub(crate) fn stats(&self) -> &GovernorStats {
        &self.stats
    }

    pub(crate) fn effort(&self) -> Effort {
        self.stats.effort()
    }

    /// Takes note of a tick; `true` if the effort is another one from the next tick on.
    pub(crate) fn note(&mut self, load: Load, ceiling: Ceiling) -> bool {
        let before = self.stats.level;
        self.stats.limited_ticks += u64::from(before > 0);
        let (wall, own) = (percent(load.wall), percent(load.own));
        self.hot = match wall {
            CLOSE.. => self.hot + 2,
            NEAR.. => self.hot + 1,
            _ => self.hot.saturating_sub(1),
        };
        self.roomy = match wall {
            NEAR.. => 0,
            ROOMY.. => self.roomy.saturating_sub(5),
            _ => self.roomy + 1,
        };
        self.trial = self.trial.map(|ticks| ticks + 1);
        if self.trial == Some(TRIAL) {
            self.trial = None;
            self.hold = (self.hold / 2).max(HOLD);
        }
        if own >= 100 {
            for _ in 0..(own - NEAR).div_ceil(JUMP).min(RUNGS.len() as u64) {
                self.lower(ceiling);
            }
        } else if self.hot >= HOT {
            self.lower(ceiling);
        } else if self.roomy >= self.hold {
            self.restore(ceiling);
        }
        self.stats.level != before
    }

    /// One step down that saves something, if any is left.
    fn lower(&mut self, ceiling: Ceiling) {
        self.hot = 0;
        self.roomy = 0;
        let level = usize::from(self.stats.level);
        let now = limited(effort_at(level), ceiling);
        let Some(next) = (level..RUNGS.len()).find(|rung| limited(effort_at(rung + 1), ceiling) != now) else {
            return;
        };
        self.stats.level = next as u8 + 1;
        self.stats.lowered.count(RUNGS[next].0);
        self.taken |= 1 << next;
        if self.trial.take().is_some() {
            self.hold = (self.hold * 2).min(LONGEST_HOLD);
        }
    }

    /// One step up, past the rungs that limit nothing now.
    fn restore(&mut self, ceiling: Ceiling) {
        self.hot = 0;
        self.roomy = 0;
        let mut now = limited(self.effort(), ceiling);
        let mut risen = false;
        for rung in (0..usize::from(self.stats.level)).rev() {
            let above = limited(effort_at(rung), ceiling);
            if above != now {
                if risen {
                    return;
                }
                risen = true;
                now = above;
                self.stats.restored.count(RUNGS[rung].0);
                self.trial = Some(0);
            } else if self.taken & (1 << rung) != 0 {
                self.stats.lapsed.count(RUNGS[rung].0);
            }
            self.taken &= !(1 << rung);
            self.stats.level = rung as u8;
        }
    }
}

/// The effort that is left after so many rungs.
fn effort_at(level: usize) -> Effort {
    let mut effort = Effort::FULL;
    for (lever, cap) in &RUNGS[..level.min(RUNGS.len())] {
        match lever {
            Lever::Complexity => effort.max_complexity = *cap as u8,
            Lever::Bitrate => effort.max_bitrate = *cap,
            Lever::Talkers => effort.max_talkers = *cap as u16,
        }
    }
    effort
}

/// What `effort` comes to below `ceiling`.
fn limited(effort: Effort, ceiling: Ceiling) -> (u8, u32, u16) {
    (
        effort.max_complexity.min(ceiling.complexity),
        effort.max_bitrate.min(ceiling.bitrate),
        effort.max_talkers.min(ceiling.talkers),
    )
}

/// Of the budget, rounded down.
fn percent(span: Duration) -> u64 {
    u64::try_from(span.as_nanos() * 100 / BUDGET.as_nanos()).unwrap_or(u64::MAX)
}

/// What a media thread measures its ticks with; another one in tests.
pub(crate) trait Meter: Send + 'static {
    /// The time now.
    fn now(&self) -> MonoTime;
    /// What this thread has had of any core so far.
    fn own(&self) -> Duration;
    /// Called at the head of each conversation's tick: where a test puts its panic.
    fn provoke(&mut self, _key: u64) {}
    /// Called within the measured part of each tick: where a test puts its artificial load.
    fn strain(&mut self, _effort: &Effort) {}
}

/// The clocks of the machine.
#[derive(Debug)]
pub(crate) struct RealMeter;

impl Meter for RealMeter {
    fn now(&self) -> MonoTime {
        MonoClock.now()
    }

    fn own(&self) -> Duration {
        thread_time()
    }
}

/// A governor's figures where other threads can read them; each is right by itself, together they may be a tick apart.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    level: AtomicU8,
    lowered: [AtomicU64; 3],
    restored: [AtomicU64; 3],
    lapsed: [AtomicU64; 3],
    limited_ticks: AtomicU64,
}

// Relaxed throughout: figures to look at, nothing else hangs on them.
impl Gauge {
    /// Written by the media thread alone.
    pub(crate) fn show(&self, stats: &GovernorStats) {
        self.level.store(stats.level, Ordering::Relaxed);
        self.limited_ticks.store(stats.limited_ticks, Ordering::Relaxed);
        let all = [(&self.lowered, &stats.lowered), (&self.restored, &stats.restored), (&self.lapsed, &stats.lapsed)];
        for (to, steps) in all {
            for (to, count) in to.iter().zip([steps.complexity, steps.bitrate, steps.talkers]) {
                to.store(count, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn read(&self) -> GovernorStats {
        let steps = |from: &[AtomicU64; 3]| {
            let [complexity, bitrate, talkers] = from.each_ref().map(|count| count.load(Ordering::Relaxed));
            StepCounts { complexity, bitrate, talkers }
        };
        GovernorStats {
            level: self.level.load(Ordering::Relaxed),
            lowered: steps(&self.lowered),
            restored: steps(&self.restored),
            lapsed: steps(&self.lapsed),
            limited_ticks: self.limited_ticks.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests;
