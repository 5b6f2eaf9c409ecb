//! A media thread's work without the thread: for a runner of one's own, as a soak run brings.
//!
//! In the flow: [`MediaHost`] is what a media thread of the engine does every 20 ms, governor included; [`HostDesk`] is its
//! control half. Conversations are the pipeline's own, with their rings; names, legs and sockets are not known here.

use crate::governor::{GovernorStats, RealMeter};
use crate::media_thread::{CONVERSATIONS_PER_THREAD, Desk, Hosted, MediaTask, media_task};
use antiphon_pipeline::{Conversation, EncodeClass};
use antiphon_rt::MonoTime;
use antiphon_rt::runner::TickTask;
use std::fmt;
use std::time::Duration;

/// The work of a media thread. Dropped on a control thread, with the conversations that are still in it.
pub struct MediaHost(Box<MediaTask<RealMeter>>);

/// What a control thread holds of a [`MediaHost`].
pub struct HostDesk(Desk);

/// What came back from a [`MediaHost`].
#[derive(Debug)]
pub struct Returned {
    /// The key it was adopted under.
    pub key: u64,
    /// What its tick panicked with, if that is why.
    pub panic: Option<String>,
}

impl MediaHost {
    /// An empty host and its desk.
    #[must_use]
    pub fn new() -> (Box<Self>, HostDesk) {
        let (task, desk) = media_task(Vec::new(), RealMeter);
        (Box::new(Self(task)), HostDesk(desk))
    }
}

impl TickTask for MediaHost {
    fn tick(&mut self, now: MonoTime, lateness: Duration, skipped: u64) {
        self.0.tick(now, lateness, skipped);
    }
}

impl HostDesk {
    /// Has a conversation ticked from the next tick on; `classes` are those it was made with.
    ///
    /// # Panics
    /// If there are too many already, or too many came since the last tick.
    pub fn adopt(&self, key: u64, conversation: Box<Conversation>, classes: &[EncodeClass]) {
        let (hosted, _times) = Hosted::new(key, conversation, classes, None);
        let adopted = self.0.adopt(hosted);
        assert!(adopted.is_ok(), "a host holds {CONVERSATIONS_PER_THREAD} conversations and takes 1,024 per tick");
    }

    /// Takes a conversation out after the tick under way; it comes back with [`Self::next_returned`].
    ///
    /// # Panics
    /// If too many came and went since the last tick.
    pub fn release(&self, key: u64) {
        assert!(self.0.release(key), "a host takes 1,024 changes per tick");
    }

    /// The next conversation that was released or ended by a panic; its memory is freed here.
    #[must_use]
    pub fn next_returned(&self) -> Option<Returned> {
        let hosted = self.0.next_returned()?;
        Some(Returned { key: hosted.key(), panic: hosted.panic().map(ToString::to_string) })
    }

    /// What the governor does and has done.
    #[must_use]
    pub fn governor(&self) -> GovernorStats {
        self.0.governor()
    }
}

impl fmt::Debug for MediaHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaHost").finish_non_exhaustive()
    }
}

impl fmt::Debug for HostDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostDesk").field("governor", &self.governor()).finish_non_exhaustive()
    }
}
