//! `commsOperation`: something the service does that may take a while.
//!
//! All operation types share these members; their names are the members of
//! [`OperationKind`]. Each has a struct of its own, which is read from the common
//! form with [`CommsOperation::read_as`] and turned into it with `From`.
//! Spec: <https://learn.microsoft.com/graph/api/resources/commsoperation>.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::wire::{Extra, TypeTag, Typed, wire_enum};
use crate::{OperationStatus, ResultInfo};

mod typed;
pub(crate) use typed::typed_operation;
mod participants;
pub use participants::{
    InviteParticipantsOperation, MuteParticipantOperation, MuteParticipantsOperation, StartHoldMusicOperation,
    StopHoldMusicOperation, UnmuteParticipantOperation,
};
mod media;
pub use media::{
    CancelMediaProcessingOperation, PlayPromptOperation, RecordOperation, SendDtmfTonesOperation,
    SubscribeToToneOperation,
};
mod call;
pub use call::{
    AddLargeGalleryViewOperation, StartRecordingOperation, StartTranscriptionOperation, StopRecordingOperation,
    StopTranscriptionOperation, UpdateRecordingStatusOperation,
};

wire_enum! {
    /// The concrete type of an operation.
    OperationKind {
        Comms = "commsOperation",
        AddLargeGalleryView = "addLargeGalleryViewOperation",
        CancelMediaProcessing = "cancelMediaProcessingOperation",
        InviteParticipants = "inviteParticipantsOperation",
        MuteParticipant = "muteParticipantOperation",
        MuteParticipants = "muteParticipantsOperation",
        PlayPrompt = "playPromptOperation",
        Record = "recordOperation",
        SendDtmfTones = "sendDtmfTonesOperation",
        StartHoldMusic = "startHoldMusicOperation",
        StartRecording = "startRecordingOperation",
        StartTranscription = "startTranscriptionOperation",
        StopHoldMusic = "stopHoldMusicOperation",
        StopRecording = "stopRecordingOperation",
        StopTranscription = "stopTranscriptionOperation",
        SubscribeToTone = "subscribeToToneOperation",
        UnmuteParticipant = "unmuteParticipantOperation",
        UpdateRecordingStatus = "updateRecordingStatusOperation",
    }
}

/// An operation of any kind; members of the concrete type are in `extra`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommsOperation {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The id; null in one published form of a completion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the app gave to recognise the operation by, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_info: Option<ResultInfo>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OperationStatus>,
    /// Members of the concrete type.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for CommsOperation {
    const TYPE: &'static str = "commsOperation";
}

impl CommsOperation {
    /// An operation of a kind, with a status.
    pub fn new(kind: &OperationKind, id: impl Into<String>, status: OperationStatus) -> Self {
        Self { odata_type: TypeTag::of(kind.as_str()), id: Some(id.into()), status: Some(status), ..Self::default() }
    }

    /// The concrete type.
    pub fn kind(&self) -> OperationKind {
        OperationKind::parse(self.odata_type.name())
    }

    /// Whether the status is final.
    pub fn is_finished(&self) -> bool {
        matches!(self.status, Some(OperationStatus::Completed | OperationStatus::Failed))
    }

    /// Reads the operation as one of the concrete types.
    ///
    /// # Errors
    ///
    /// If a member does not have the form that type declares.
    pub fn read_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::to_value(self).and_then(serde_json::from_value)
    }
}
