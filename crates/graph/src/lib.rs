//! Microsoft Graph cloud-communications calling resources as Rust types.
//!
//! Owns the wire shapes: resources, enums, the error envelope, the permission
//! matrix and the media blob. Leaf crate: no I/O, no clock, no behaviour; the
//! client and the local service share these types and nothing else.
//! Invariants: wire text never panics; unknown members and unknown enum members
//! survive a round trip where the type is open; null and absent are alike.
//! One resource per file; see [`wire`] for the rules they have in common.
//! Spec: <https://learn.microsoft.com/graph/api/resources/communications-api-overview>.

pub mod wire;

mod ids;
pub use ids::{CallId, ParticipantId};
mod enums;
pub use enums::*;

mod call;
pub use call::Call;
mod call_parts;
pub use call_parts::{CallMediaState, CallRoute, CallTranscriptionInfo, IncomingContext, MeetingCapability, ToneInfo};
mod content_sharing_session;
pub use content_sharing_session::ContentSharingSession;
mod call_options;
pub use call_options::CallOptions;
mod chat_info;
pub use chat_info::ChatInfo;
mod meeting_info;
pub use meeting_info::{JoinMeetingIdMeetingInfo, MeetingInfo, OrganizerMeetingInfo, TokenMeetingInfo};
mod media_config;
pub use media_config::{AppHostedMediaConfig, MediaConfig, MediaInfo, ServiceHostedMediaConfig};
mod live_caption_options;
pub use live_caption_options::LiveCaptionOptions;
mod prompt;
pub use prompt::{MediaPrompt, Prompt};
mod identity;
pub use identity::{Identity, IdentitySet};
mod participant_info;
pub use participant_info::{InvitationParticipantInfo, ParticipantInfo};
mod participant;
pub use participant::{DeltaParticipants, Participant, RecordingInfo, RemovedState};
mod restricted_experience;
pub use restricted_experience::OnlineMeetingRestricted;
mod synthetic_media;
pub use synthetic_media::{
    AudioMetadata, MediaMetadata, MediaSegment, StreamingMetadata, SyntheticMediaDetectionDetail,
    SyntheticMediaDetectionInfo, VideoMetadata,
};
mod media_stream;
pub use media_stream::MediaStream;
mod audio_routing_group;
pub use audio_routing_group::{AudioRoutingGroup, AudioRoutingGroupUpdate};
mod mixer;
pub use mixer::{AudioDuckingConfiguration, AudioSourceLevel, ParticipantMixerLevel};
mod device_quality;
pub use device_quality::{
    TeleconferenceDeviceAudioQuality, TeleconferenceDeviceMediaQuality, TeleconferenceDeviceQuality,
    TeleconferenceDeviceScreenSharingQuality, TeleconferenceDeviceVideoQuality,
};
pub mod action;
pub mod operation;
pub use operation::{CommsOperation, OperationKind};
mod result_info;
pub use result_info::ResultInfo;
mod notification;
pub use notification::{CommsNotification, CommsNotifications, ResourceData};
mod joining;
pub use joining::{
    AcceptJoinResponse, InviteNewBotResponse, ParticipantJoiningNotification, ParticipantJoiningResponse,
    ParticipantLeftNotification, RejectJoinResponse,
};
mod resource_path;
pub use resource_path::{ResourcePath, ResourcePathError, decode_segment, encode_segment};
mod collection;
pub use collection::Collection;
pub mod error;
pub use error::{ErrorBody, ErrorDetail, ErrorEnvelope, InnerError};

pub mod blob;
pub mod fuzz;
pub mod model;
pub mod permission;
