//! Who speaks in one conversation, as its owner is told: levels several times a second, and who carried it lately.
//!
//! Behind the conversation's lock, on control threads. A page for levels travels to the media thread and back; there is
//! one, so a slow media thread is asked less often, not more. Time is the media thread's tick numbers.
//! Not here: what decides that somebody talks or dominates (see `pipeline`).

use crate::{ConversationEvent, ParticipantId};
use antiphon_pipeline::{LevelPage, SourceLevel};
use antiphon_rtp::{AudioLevel, SourceId};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Dominant speakers that are remembered.
const RECENT: usize = 8;
const TICK: Duration = Duration::from_millis(20);

/// How loud somebody is who talks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoiceLevel {
    /// Who; `None` on a bot's side, where the service's roster has the names.
    pub participant: Option<ParticipantId>,
    /// Names the voice.
    pub source_id: SourceId,
    /// Level of its latest frame.
    pub level: AudioLevel,
}

#[derive(Debug)]
pub(crate) struct Speakers {
    /// Ticks between two pages; `None`: nobody wants levels.
    every: Option<u64>,
    due: u64,
    now: u64,
    /// Here while it is not with the media thread.
    page: Option<Box<LevelPage>>,
    /// Whether the last levels told were of nobody.
    silent: bool,
    /// Dominant speakers, the latest first, each once.
    recent: VecDeque<SourceId>,
}

impl Speakers {
    pub(crate) fn new() -> Self {
        Self { every: None, due: 0, now: 0, page: None, silent: true, recent: VecDeque::with_capacity(RECENT + 1) }
    }

    /// Levels every so often from now on, rounded down to whole ticks, for at most so many sources.
    pub(crate) fn tell_levels(&mut self, every: Option<Duration>, sources: usize) {
        self.every = every.map(|every| (every.as_nanos() / TICK.as_nanos()).max(1) as u64);
        self.due = self.now;
        self.silent = true;
        // One that is out is dropped when it comes back.
        self.page = self.every.map(|_| Box::new(LevelPage::with_capacity(sources)));
    }

    /// The media thread has done this tick.
    pub(crate) fn passed(&mut self, tick: u64) {
        self.now = tick;
    }

    /// The page, if it is time to have it filled.
    pub(crate) fn take_due_page(&mut self) -> Option<Box<LevelPage>> {
        let every = self.every?;
        if self.now < self.due {
            return None;
        }
        let page = self.page.take()?;
        self.due = self.now + every;
        Some(page)
    }

    /// Takes the filled page and gives what there is to tell: who talks, or once that nobody does any more.
    pub(crate) fn put_back(
        &mut self,
        page: Box<LevelPage>,
        named: impl Fn(&SourceLevel) -> VoiceLevel,
    ) -> Option<ConversationEvent> {
        if self.every.is_none() || self.page.is_some() {
            return None; // asked for before the last change of mind
        }
        let levels: Arc<[VoiceLevel]> = page.levels().iter().map(named).collect();
        self.page = Some(page);
        let was_silent = std::mem::replace(&mut self.silent, levels.is_empty());
        (!(was_silent && self.silent)).then_some(ConversationEvent::Levels(levels))
    }

    pub(crate) fn dominant(&mut self, speaker: Option<SourceId>) {
        let Some(speaker) = speaker else { return };
        self.forget(speaker);
        self.recent.push_front(speaker);
        self.recent.truncate(RECENT);
    }

    pub(crate) fn forget(&mut self, speaker: SourceId) {
        self.recent.retain(|known| *known != speaker);
    }

    /// Who was dominant lately, the latest first.
    pub(crate) fn recent(&self) -> impl Iterator<Item = SourceId> + '_ {
        self.recent.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(speakers: &Speakers) -> Vec<u32> {
        speakers.recent().map(SourceId::as_u32).collect()
    }

    #[test]
    fn the_latest_speakers_come_first_each_once_and_only_eight() {
        let mut speakers = Speakers::new();
        for id in [1, 2, 1, 3] {
            speakers.dominant(Some(SourceId::new(id)));
        }
        speakers.dominant(None);
        assert_eq!(ids(&speakers), [3, 1, 2], "silence changes nothing");
        speakers.forget(SourceId::new(1));
        assert_eq!(ids(&speakers), [3, 2]);
        (10..30).for_each(|id| speakers.dominant(Some(SourceId::new(id))));
        assert_eq!(ids(&speakers), [29, 28, 27, 26, 25, 24, 23, 22]);
    }

    #[test]
    fn the_page_goes_out_every_hundred_milliseconds_and_one_at_a_time() {
        let named = |_: &SourceLevel| unreachable!("the page is empty");
        let mut speakers = Speakers::new();
        speakers.tell_levels(Some(Duration::from_millis(100)), 4);
        let mut out = Vec::new();
        for tick in 0..20 {
            speakers.passed(tick);
            if let Some(page) = speakers.take_due_page() {
                out.push(tick);
                assert!(speakers.take_due_page().is_none());
                assert_eq!(speakers.put_back(page, named), None, "nobody talks, as before");
            }
        }
        assert_eq!(out, [0, 5, 10, 15]);
        // A page that does not come back is waited for.
        speakers.passed(20);
        let page = speakers.take_due_page().expect("due");
        speakers.passed(40);
        assert!(speakers.take_due_page().is_none());
        speakers.silent = false;
        assert_eq!(speakers.put_back(page, named), Some(ConversationEvent::Levels([].into())), "told once");
        let page = speakers.take_due_page().expect("due");
        speakers.tell_levels(None, 4);
        assert_eq!(speakers.put_back(page, named), None, "nobody wants them any more");
        assert!(speakers.take_due_page().is_none());
    }
}
