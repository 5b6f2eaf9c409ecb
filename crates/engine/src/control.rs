//! The engine's control thread: carries what media and network threads report to whoever owns a conversation.
//!
//! In the flow: leg events (channel from the network threads) and media-thread rings → conversation state →
//! the owner's callback, called here with no lock held. Also frees what the media threads gave back.
//! Not here: anything a media thread waits for.

use crate::ConversationEvent;
use crate::conversation::Inner;
use crate::engine::Shared;
use crate::loss;
use antiphon_transport::{LegEvent, LegId};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How often rings are drained: half a tick, so that talk state reaches the owner within a tick.
const SERVICE_PERIOD: Duration = Duration::from_millis(10);

/// Which network thread a leg lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    /// The one UDP port that answers offers.
    Service,
    /// One socket per offering leg.
    Bot,
}

/// What reaches the control thread from others.
#[derive(Debug)]
pub(crate) enum Message {
    Leg(Side, LegId, LegEvent),
    Stop,
}

/// Runs until told to stop or the engine is gone.
pub(crate) fn run(shared: &Weak<Shared>, messages: &Receiver<Message>) {
    let mut events = Vec::new();
    let mut levels = Vec::new();
    let mut weigh = Instant::now() + loss::PERIOD;
    let mut next = Instant::now() + SERVICE_PERIOD;
    loop {
        // Also when messages never cease: rings must be drained in time.
        if Instant::now() >= next {
            let Some(shared) = shared.upgrade() else { return };
            service(&shared, &mut events);
            tell_efforts(&shared, &mut levels);
            let now = Instant::now();
            if now >= weigh {
                shared.conversations().iter().for_each(|conversation| conversation.room().weigh_losses(now));
                weigh = now + loss::PERIOD;
            }
            next = now + SERVICE_PERIOD;
        }
        match messages.recv_deadline(next) {
            Ok(Message::Leg(side, leg, event)) => {
                let Some(shared) = shared.upgrade() else { return };
                if let Some((conversation, participant)) = shared.leg_owner(side, leg) {
                    conversation.on_leg_event(participant, event);
                }
            }
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn service(shared: &Shared, events: &mut Vec<ConversationEvent>) {
    for conversation in shared.conversations() {
        if conversation.release_due() {
            conversation.ask_back();
        }
        conversation.room().service(events);
        deliver(&conversation, events);
    }
    for thread in shared.media_threads() {
        while let Some(hosted) = thread.desk().next_returned() {
            let failed = hosted.panic().map(ToString::to_string);
            let owner = shared.forget(hosted.key());
            drop(hosted); // the pipeline's memory is freed here, on a control thread
            if let (Some(conversation), Some(report)) = (owner, failed) {
                tracing::error!(%report, "a conversation's media ended");
                conversation.fail();
                conversation.emit(ConversationEvent::Failed { report });
            }
        }
    }
}

/// Says in the log when a governor has changed the effort of a media thread since the last time.
fn tell_efforts(shared: &Shared, levels: &mut Vec<u8>) {
    levels.resize(shared.media_threads().len(), 0);
    for (thread, (media, level)) in shared.media_threads().iter().zip(levels).enumerate() {
        let governor = media.desk().governor();
        let before = std::mem::replace(level, governor.level);
        let effort = governor.effort();
        if governor.level > before {
            tracing::warn!(thread, level = governor.level, ?effort, "ticks are near their budget: effort lowered");
        } else if governor.level < before {
            tracing::info!(thread, level = governor.level, ?effort, "ticks have room again: effort raised");
        }
    }
}

fn deliver(conversation: &Arc<Inner>, events: &mut Vec<ConversationEvent>) {
    for event in events.drain(..) {
        conversation.emit(event);
    }
}
