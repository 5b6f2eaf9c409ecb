//! What people without a connection have still to say, and the task that says it.
//!
//! Each has a queue here and a speaker in the engine. One task per conversation, alive only while somebody has something
//! to say, gives each speaker a frame every 20 ms of real time. The queue is bounded; what does not fit is refused.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use antiphon_engine::Speaker;
use antiphon_graph::ParticipantId;
use tokio::runtime::Handle;

use super::media::{MediaError, SPEECH_RATE, Spoken};

/// Longest that may wait to be said: two minutes, 12 MB.
pub(crate) const MAX_WAITING: Duration = Duration::from_secs(120);

/// The length of a frame.
const FRAME: Duration = Duration::from_millis(20);
/// Frames of silence after the last words, so that no listener conceals an end as a loss.
const TAIL: usize = 3;

/// The mouths of one conversation.
#[derive(Debug)]
pub(super) struct Mouths {
    state: Arc<Mutex<State>>,
    runtime: Handle,
}

#[derive(Debug, Default)]
struct State {
    mouths: HashMap<ParticipantId, Mouth>,
    /// Whether the task lives.
    talking: bool,
}

#[derive(Debug)]
struct Mouth {
    speaker: Speaker,
    waiting: VecDeque<i16>,
    /// Frames of silence to come after what waits.
    tail: usize,
}

impl Mouths {
    pub(super) fn new(runtime: Handle) -> Self {
        Self { state: Arc::default(), runtime }
    }

    /// Queues what somebody says; `join` lets them into the mix if they have not spoken before.
    ///
    /// # Errors
    ///
    /// [`MediaError`] of `join`, or when more would wait than may; nothing is queued then.
    pub(super) fn speak(
        &self,
        who: &ParticipantId,
        samples: Vec<i16>,
        join: impl FnOnce() -> Result<Speaker, MediaError>,
    ) -> Result<Spoken, MediaError> {
        let mut state = lock(&self.state);
        let waiting = state.mouths.get(who).map_or(0, |mouth| mouth.waiting.len());
        if duration(waiting + samples.len()) > MAX_WAITING {
            let limit = MAX_WAITING.as_secs();
            return Err(MediaError::Speech(format!("participant {who} would have more than {limit} s still to say")));
        }
        if !state.mouths.contains_key(who) {
            let mouth = Mouth { speaker: join()?, waiting: VecDeque::new(), tail: 0 };
            state.mouths.insert(who.clone(), mouth);
        }
        let mouth = state.mouths.get_mut(who).expect("invariant: inserted under the same lock");
        mouth.waiting.extend(samples);
        mouth.tail = TAIL;
        let queued = duration(mouth.waiting.len());
        let spoken = Spoken { source_id: mouth.speaker.source_id().as_u32(), queued };
        if !state.talking {
            state.talking = true;
            self.runtime.spawn(talk(Arc::downgrade(&self.state)));
        }
        Ok(spoken)
    }

    /// Forgets what somebody was still to say.
    pub(super) fn hush(&self, who: &ParticipantId) {
        if let Some(mouth) = lock(&self.state).mouths.get_mut(who) {
            mouth.waiting.clear();
        }
    }

    /// Somebody left.
    pub(super) fn forget(&self, who: &ParticipantId) {
        lock(&self.state).mouths.remove(who);
    }

    /// The conversation ends.
    pub(super) fn forget_all(&self) {
        lock(&self.state).mouths.clear();
    }
}

impl Mouth {
    /// Says the next frame, if there is one; the last one is filled up with silence.
    fn say(&mut self) {
        if self.waiting.is_empty() {
            if self.tail == 0 {
                return;
            }
            self.tail -= 1;
        }
        let mut frame = [0; Speaker::FRAME_SAMPLES];
        let length = frame.len().min(self.waiting.len());
        for (place, sample) in frame.iter_mut().zip(self.waiting.drain(..length)) {
            *place = sample;
        }
        if let Err(error) = self.speaker.say(&frame) {
            tracing::warn!(%error, "20 ms of speech lost");
        }
    }

    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.tail == 0
    }
}

/// Says a frame of everybody every 20 ms until nobody has anything left to say, or the conversation is gone. What is late
/// is caught up with.
async fn talk(state: Weak<Mutex<State>>) {
    let mut frames = tokio::time::interval(FRAME);
    loop {
        frames.tick().await;
        let Some(state) = state.upgrade() else {
            return;
        };
        let mut state = lock(&state);
        state.mouths.values_mut().for_each(Mouth::say);
        if state.mouths.values().all(Mouth::is_done) {
            state.talking = false;
            return;
        }
    }
}

fn duration(samples: usize) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(SPEECH_RATE))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
