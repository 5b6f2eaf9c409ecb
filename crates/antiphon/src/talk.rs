//! Who talks, how loud, and who carries the conversation, as the bot's own media hear it on the lanes.
//!
//! In the flow: media thread → engine's control thread (within 10 ms) → here, in its callback → channels to the bot's
//! tasks. Nothing waits for a slow reader: events go to a bounded broadcast, levels replace each other.
//! Not here: names (`Call::participant_of`).

use antiphon_engine::{AudioLevel, ConversationEvent, SourceId};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{broadcast, watch};

/// Events that may wait for a reader; one that falls further behind is told so and goes on with the newest.
const EVENTS: usize = 256;

/// Somebody else in the call began or stopped talking, or carries the conversation now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TalkEvent {
    /// A voice was first heard, within 100 ms of its first sound here.
    Started(SourceId),
    /// It has been silent for half a second.
    Stopped(SourceId),
    /// Who carries the conversation now: by how much of the last second, the last tenth and the last frame each has filled,
    /// so that a cough or a word of assent changes nothing. `None` when all are silent.
    Dominant(Option<SourceId>),
}

/// How loud a voice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoiceLevel {
    /// Whose.
    pub source_id: SourceId,
    /// Level of its latest frame.
    pub level: AudioLevel,
}

/// Where the media's events about talk arrive.
#[derive(Debug)]
pub(crate) struct Talk {
    events: broadcast::Sender<TalkEvent>,
    levels: watch::Sender<Arc<[VoiceLevel]>>,
    now: watch::Sender<Now>,
    /// Whether levels have been asked for.
    measured: AtomicBool,
}

#[derive(Debug, Default)]
struct Now {
    talking: BTreeSet<u32>,
    dominant: Option<SourceId>,
}

impl Talk {
    pub(crate) fn new() -> Self {
        let (events, levels, now) =
            (broadcast::Sender::new(EVENTS), watch::Sender::new([].into()), watch::Sender::default());
        Self { events, levels, now, measured: AtomicBool::new(false) }
    }

    /// Notes that somebody wants levels; whether somebody did before.
    pub(crate) fn measure(&self) -> bool {
        self.measured.swap(true, Ordering::Relaxed) // only who was first matters
    }

    /// Takes an event of the media session; `false` if it is about something else.
    pub(crate) fn handle(&self, event: &ConversationEvent) -> bool {
        match event {
            ConversationEvent::LaneTalking { source_id, talking } => {
                self.now.send_modify(|now| {
                    let id = source_id.as_u32();
                    if *talking {
                        now.talking.insert(id)
                    } else {
                        now.talking.remove(&id)
                    };
                });
                let event = if *talking { TalkEvent::Started } else { TalkEvent::Stopped };
                let _ = self.events.send(event(*source_id)); // nobody listens: fine
            }
            ConversationEvent::DominantLane(dominant) => {
                self.now.send_modify(|now| now.dominant = *dominant);
                let _ = self.events.send(TalkEvent::Dominant(*dominant));
            }
            ConversationEvent::Levels(levels) => {
                let level =
                    |voice: &antiphon_engine::VoiceLevel| VoiceLevel { source_id: voice.source_id, level: voice.level };
                self.levels.send_replace(levels.iter().map(level).collect());
            }
            // Of the two who are always there, the service's mix and the bot's app, nothing is told.
            ConversationEvent::Talking { .. } | ConversationEvent::DominantSpeaker(_) => {}
            _ => return false,
        }
        true
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<TalkEvent> {
        self.events.subscribe()
    }

    pub(crate) fn levels(&self) -> watch::Receiver<Arc<[VoiceLevel]>> {
        self.levels.subscribe()
    }

    pub(crate) fn talking(&self) -> Vec<SourceId> {
        self.now.borrow().talking.iter().map(|&id| SourceId::new(id)).collect()
    }

    pub(crate) fn dominant(&self) -> Option<SourceId> {
        self.now.borrow().dominant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talk_is_told_as_it_comes_and_as_it_stands() {
        let (talk, [ada, bea]) = (Talk::new(), [1, 2].map(SourceId::new));
        let (mut events, levels) = (talk.events(), talk.levels());
        for (source_id, talking) in [(ada, true), (bea, true), (ada, false)] {
            assert!(talk.handle(&ConversationEvent::LaneTalking { source_id, talking }));
        }
        assert!(talk.handle(&ConversationEvent::DominantLane(Some(bea))));
        let loud = antiphon_engine::VoiceLevel { participant: None, source_id: bea, level: AudioLevel::new(20) };
        assert!(talk.handle(&ConversationEvent::Levels([loud].into())));
        assert!(!talk.handle(&ConversationEvent::Connected("service".into())), "not about talk");
        let told: Vec<_> = std::iter::from_fn(|| events.try_recv().ok()).collect();
        use TalkEvent::{Dominant, Started, Stopped};
        assert_eq!(told, [Started(ada), Started(bea), Stopped(ada), Dominant(Some(bea))]);
        assert_eq!((talk.talking(), talk.dominant()), (vec![bea], Some(bea)));
        assert_eq!(**levels.borrow(), [VoiceLevel { source_id: bea, level: AudioLevel::new(20) }]);
    }
}
