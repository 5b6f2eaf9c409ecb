//! The roster as Graph shows it, and each call's feed of it.
//!
//! A member becomes a `participant`; a feed turns changes into full rosters or, if the call asked for it, into deltas
//! numbered from 1 without gaps. Pure. Spec: Graph `participant`, `deltaParticipants`, `mediaStream`.

use antiphon_graph::{
    CallId, DeltaParticipants, MediaDirection, MediaStream, Modality, Participant, ParticipantInfo, RemovedState,
};
use uuid::Uuid;

use super::{Meeting, Member};
use crate::notify::Notification;

impl Member {
    /// The member as a roster entry.
    pub(crate) fn participant(&self) -> Participant {
        let mut streams = Vec::new();
        if let Some(source_id) = self.source_id {
            let direction = if self.on_hold { MediaDirection::Inactive } else { MediaDirection::SendReceive };
            let mut audio = MediaStream::main_audio(source_id, direction);
            audio.server_muted = Some(self.muted);
            streams.push(audio);
        }
        if self.shares_screen {
            streams.push(self.screen());
        }
        Participant {
            info: Some(ParticipantInfo::of(self.identity.clone())),
            is_in_lobby: Some(self.in_lobby),
            is_muted: Some(self.muted),
            media_streams: streams,
            recording_info: self.recording.clone(),
            synthetic_media_detection: self.synthetic.clone(),
            ..Participant::new(self.id.clone())
        }
    }

    /// Video does not flow here; what is announced is that somebody shares.
    fn screen(&self) -> MediaStream {
        MediaStream {
            media_type: Some(Modality::VideoBasedScreenSharing),
            label: Some("applicationsharing-video".to_owned()),
            source_id: Some(format!("{}", self.source_id.unwrap_or(0).saturating_add(SCREEN_SOURCES))),
            direction: Some(MediaDirection::SendOnly),
            server_muted: Some(false),
            ..MediaStream::default()
        }
    }
}

impl Meeting {
    /// Everybody, as roster entries.
    pub(crate) fn participants(&self) -> Vec<Participant> {
        self.roster().map(Member::participant).collect()
    }
}

/// Source ids of screens are those of their participants' audio plus this.
const SCREEN_SOURCES: u32 = 1 << 24;

/// What one call is told about the roster.
#[derive(Debug)]
pub(crate) enum RosterFeed {
    /// The complete roster at each change.
    Full,
    /// Only what changed; holds the number of the last update.
    Delta(i64),
}

impl RosterFeed {
    /// The first roster of a call: everybody, in either mode.
    pub(crate) fn first(&mut self, call: &CallId, meeting: &Meeting) -> Notification {
        self.changed(call, meeting, meeting.participants())
    }

    /// The roster after these entries appeared or changed.
    pub(crate) fn changed(&mut self, call: &CallId, meeting: &Meeting, changed: Vec<Participant>) -> Notification {
        match self {
            Self::Full => Notification::roster(call, &meeting.participants()),
            Self::Delta(sequence) => delta(call, sequence, changed),
        }
    }

    /// The roster after a member left.
    pub(crate) fn left(&mut self, call: &CallId, meeting: &Meeting, gone: &Member) -> Notification {
        let removed = Participant {
            removed_state: Some(RemovedState { reason: Some("Left".to_owned()), ..RemovedState::default() }),
            ..gone.participant()
        };
        self.changed(call, meeting, vec![removed])
    }
}

fn delta(call: &CallId, sequence: &mut i64, mut participants: Vec<Participant>) -> Notification {
    *sequence += 1;
    for participant in &mut participants {
        participant.roster_sequence_number = Some(*sequence);
    }
    Notification::delta(
        call,
        &DeltaParticipants {
            id: Some(Uuid::new_v4().to_string()),
            sequence_number: Some(*sequence),
            participants,
            ..DeltaParticipants::default()
        },
    )
}
