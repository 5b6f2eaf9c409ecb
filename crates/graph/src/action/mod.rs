//! The parameters of the actions: one struct per body a client posts.
//!
//! Absent members are `None` or empty, required ones too: whether a body may go
//! on is the service's decision. Only members that are present are written.
//! Actions without parameters of their own take [`WithClientContext`].
//! Spec: <https://learn.microsoft.com/graph/api/resources/call#methods>, <https://learn.microsoft.com/graph/api/resources/participant#methods>.

mod incoming;
pub use incoming::{Answer, Redirect, Reject};
mod transfer;
pub use transfer::Transfer;
mod own_leg;
pub use own_leg::{ChangeScreenSharingRole, Transcription, UpdateRecordingStatus, WithClientContext};
mod media;
pub use media::{PlayPrompt, RecordResponse, SendDtmfTones, StartHoldMusic};
mod participants;
pub use participants::{ConfigureMixer, InviteParticipants, MuteAll};
mod reports;
pub use reports::{LogTeleconferenceDeviceQuality, ReportSyntheticMedia};
