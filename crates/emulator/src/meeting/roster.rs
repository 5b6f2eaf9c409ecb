//! The roster as Graph shows it, and each call's feed of it.
//!
//! A member becomes a `participant` with what the API version of its reader declares; a feed turns changes into full
//! rosters or, if the call asked for it, into deltas numbered from 1 without gaps. Pure.
//! Spec: Graph `participant`, `deltaParticipants`, `mediaStream`.

use antiphon_graph::wire::Version;
use antiphon_graph::{
    CallId, DeltaParticipants, MediaDirection, MediaStream, Modality, Participant, ParticipantId, ParticipantInfo,
    RemovedState,
};
use uuid::Uuid;

use super::{Meeting, Member, MemberKind};
use crate::notify::Notification;

impl Member {
    /// The member as a roster entry of an API version: `participant` is a closed type.
    pub(crate) fn participant(&self, version: Version) -> Participant {
        let mut recording = self.recording.clone();
        if let Some(recording) = recording.as_mut().filter(|_| version == Version::V1) {
            recording.initiated_by = None;
        }
        let gallery = self.kind == MemberKind::Gallery;
        let mut streams = vec![if gallery { gallery_video() } else { self.audio() }];
        if self.shares_screen {
            streams.push(self.screen());
        }
        Participant {
            info: Some(ParticipantInfo::of(self.identity.clone())),
            is_in_lobby: Some(self.in_lobby),
            is_muted: Some(self.muted),
            media_streams: streams,
            metadata: gallery.then(gallery_metadata),
            recording_info: recording,
            synthetic_media_detection: self.synthetic.clone().filter(|_| version == Version::Beta),
            ..Participant::new(self.id.clone())
        }
    }

    /// Graph shows everybody with a main audio stream, flowing or not.
    fn audio(&self) -> MediaStream {
        let flows = self.source_id.is_some() && !self.on_hold;
        let direction = if flows { MediaDirection::SendReceive } else { MediaDirection::Inactive };
        MediaStream { server_muted: Some(self.muted), ..MediaStream::main_audio(self.audio_source(), direction) }
    }

    /// The source id of the audio, even if none flows.
    fn audio_source(&self) -> u32 {
        self.source_id.unwrap_or(SILENT_SOURCES | self.number)
    }

    /// Video does not flow here; what is announced is that somebody shares.
    fn screen(&self) -> MediaStream {
        MediaStream {
            media_type: Some(Modality::VideoBasedScreenSharing),
            label: Some("applicationsharing-video".to_owned()),
            source_id: Some(format!("{}", self.audio_source().saturating_add(SCREEN_SOURCES))),
            direction: Some(MediaDirection::SendOnly),
            server_muted: Some(false),
            ..MediaStream::default()
        }
    }
}

impl Meeting {
    /// Everybody, as roster entries.
    pub(crate) fn participants(&self, version: Version) -> Vec<Participant> {
        self.roster().map(|member| member.participant(version)).collect()
    }
}

/// Source ids of participants without media: beyond those the engine gives.
const SILENT_SOURCES: u32 = 1 << 23;
/// Source ids of screens are those of their participants' audio plus this.
const SCREEN_SOURCES: u32 = 1 << 24;

/// Source id of a large gallery's picture; beyond those of voices and screens.
const GALLERY_SOURCE: u32 = 1 << 25;

fn gallery_video() -> MediaStream {
    MediaStream {
        media_type: Some(Modality::Video),
        label: Some("main-video".to_owned()),
        source_id: Some(GALLERY_SOURCE.to_string()),
        direction: Some(MediaDirection::SendReceive),
        server_muted: Some(false),
        ..MediaStream::default()
    }
}

/// What a large gallery says of its pictures, as JSON in a text.
fn gallery_metadata() -> String {
    let view = serde_json::json!({
        "id": GALLERY_SOURCE.to_string(), "page": 0, "status": "active", "type": "lg", "aspectRatio": "16:9",
    });
    serde_json::json!({ "audienceView": [view] }).to_string()
}

/// What one call is told about the roster.
#[derive(Debug)]
pub(crate) struct RosterFeed {
    /// The version its bot speaks.
    pub(crate) version: Version,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    /// The complete roster at each change.
    Full,
    /// Only what changed; holds the number of the last update.
    Delta(i64),
}

impl RosterFeed {
    /// Full rosters for a bot that speaks this version.
    pub(crate) fn full(version: Version) -> Self {
        Self { version, mode: Mode::Full }
    }

    /// Tells only what changes, from now on.
    pub(crate) fn send_deltas(&mut self) {
        self.mode = Mode::Delta(0);
    }

    /// The first roster of a call: everybody, in either mode.
    pub(crate) fn first(&mut self, call: &CallId, meeting: &Meeting) -> Notification {
        self.notification(call, meeting, |version| meeting.participants(version))
    }

    /// The roster after these members appeared or changed.
    pub(crate) fn changed(&mut self, call: &CallId, meeting: &Meeting, changed: &[ParticipantId]) -> Notification {
        let of = |version| changed.iter().filter_map(|id| Some(meeting.member(id)?.participant(version))).collect();
        self.notification(call, meeting, of)
    }

    /// The roster after a member left.
    pub(crate) fn left(&mut self, call: &CallId, meeting: &Meeting, gone: &Member) -> Notification {
        let removed = |version| Participant {
            removed_state: Some(RemovedState { reason: Some("Left".to_owned()), ..RemovedState::default() }),
            ..gone.participant(version)
        };
        self.notification(call, meeting, |version| vec![removed(version)])
    }

    fn notification(
        &mut self,
        call: &CallId,
        meeting: &Meeting,
        changed: impl FnOnce(Version) -> Vec<Participant>,
    ) -> Notification {
        match &mut self.mode {
            Mode::Full => Notification::roster(call, &meeting.participants(self.version)),
            Mode::Delta(sequence) => delta(call, sequence, changed(self.version)),
        }
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
