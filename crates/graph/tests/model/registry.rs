//! Every wire type of the crate, by the names the model has for it.
//!
//! Each entry reads JSON as its Rust type and gives back what the type writes and how it shows itself, so that
//! the checks need to know no type. `source.rs` checks that no type is missing here.

use std::fmt::Debug;

use antiphon_graph::action::*;
use antiphon_graph::operation::*;
use antiphon_graph::wire::Typed;
use antiphon_graph::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One Rust type.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Names of the types or actions it stands for.
    pub(crate) names: Vec<&'static str>,
    /// Name of the Rust type, without path.
    pub(crate) rust: &'static str,
    read: fn(&Value) -> Result<Read, String>,
}

/// What became of JSON that was read as a type.
#[derive(Debug)]
pub(crate) struct Read {
    /// What the type writes.
    pub(crate) written: Value,
    /// What its `Debug` shows.
    pub(crate) shown: String,
}

/// One enumeration: its name and every member's text.
pub(crate) type Members = (&'static str, Vec<String>);

impl Entry {
    pub(crate) fn of<T: Serialize + DeserializeOwned + Debug>(names: &[&'static str]) -> Self {
        let path = std::any::type_name::<T>();
        Self { names: names.to_vec(), rust: path.rsplit("::").next().unwrap_or(path), read: read::<T> }
    }

    pub(crate) fn read(&self, value: &Value) -> Result<Read, String> {
        (self.read)(value)
    }
}

fn read<T: Serialize + DeserializeOwned + Debug>(value: &Value) -> Result<Read, String> {
    let text = value.to_string();
    let read: T = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(Read { written: serde_json::to_value(&read).unwrap(), shown: format!("{read:#?}") })
}

macro_rules! entries {
    ($( $ty:ty ),* $(,)?) => { vec![$( Entry::of::<$ty>(&[<$ty>::TYPE]) ),*] };
}

/// The types that are read as themselves.
pub(crate) fn types() -> Vec<Entry> {
    let mut entries = entries![
        AcceptJoinResponse,
        AddLargeGalleryViewOperation,
        AppHostedMediaConfig,
        AudioDuckingConfiguration,
        AudioMetadata,
        AudioRoutingGroup,
        AudioSourceLevel,
        Call,
        CallMediaState,
        CallRoute,
        CallTranscriptionInfo,
        CancelMediaProcessingOperation,
        ChatInfo,
        CommsNotification,
        CommsNotifications,
        CommsOperation,
        ContentSharingSession,
        DeltaParticipants,
        IncomingContext,
        InvitationParticipantInfo,
        InviteNewBotResponse,
        InviteParticipantsOperation,
        JoinMeetingIdMeetingInfo,
        LiveCaptionOptions,
        MediaInfo,
        MediaMetadata,
        MediaPrompt,
        MediaSegment,
        MediaStream,
        MeetingCapability,
        MuteParticipantOperation,
        MuteParticipantsOperation,
        OnlineMeetingRestricted,
        OrganizerMeetingInfo,
        Participant,
        ParticipantInfo,
        ParticipantJoiningNotification,
        ParticipantLeftNotification,
        ParticipantMixerLevel,
        PlayPromptOperation,
        RecordOperation,
        RecordingInfo,
        RejectJoinResponse,
        RemovedState,
        ResultInfo,
        SendDtmfTonesOperation,
        ServiceHostedMediaConfig,
        StartHoldMusicOperation,
        StartRecordingOperation,
        StartTranscriptionOperation,
        StopHoldMusicOperation,
        StopRecordingOperation,
        StopTranscriptionOperation,
        StreamingMetadata,
        SubscribeToToneOperation,
        SyntheticMediaDetectionDetail,
        SyntheticMediaDetectionInfo,
        TeleconferenceDeviceAudioQuality,
        TeleconferenceDeviceQuality,
        TeleconferenceDeviceScreenSharingQuality,
        TeleconferenceDeviceVideoQuality,
        TokenMeetingInfo,
        ToneInfo,
        UnmuteParticipantOperation,
        UpdateRecordingStatusOperation,
        VideoMetadata,
    ];
    // One struct for several declared types.
    entries.push(Entry::of::<CallOptions>(&["outgoingCallOptions", "incomingCallOptions"]));
    entries.push(Entry::of::<IdentitySet>(&["identitySet", "communicationsIdentitySet"]));
    entries.push(Entry::of::<Identity>(&[
        "identity",
        "azureCommunicationServicesUserIdentity",
        "communicationsApplicationIdentity",
        "communicationsApplicationInstanceIdentity",
        "communicationsEncryptedIdentity",
        "communicationsGuestIdentity",
        "communicationsPhoneIdentity",
        "communicationsUserIdentity",
    ]));
    entries
}

/// The abstract types, read as whichever concrete one the JSON names.
pub(crate) fn abstract_types() -> Vec<Entry> {
    vec![
        Entry::of::<CallOptions>(&["callOptions"]),
        Entry::of::<MediaConfig>(&["mediaConfig"]),
        Entry::of::<MeetingInfo>(&["meetingInfo"]),
        Entry::of::<ParticipantJoiningResponse>(&["participantJoiningResponse"]),
        Entry::of::<Prompt>(&["prompt"]),
        Entry::of::<TeleconferenceDeviceMediaQuality>(&["teleconferenceDeviceMediaQuality"]),
    ]
}

/// Types of the model without a Rust type, with the reason.
pub(crate) const WITHOUT_ENTRY: [(&str, &str); 1] = [("entity", "nothing but the id that every entity has")];

/// The parameters of the actions.
pub(crate) fn actions() -> Vec<Entry> {
    vec![
        Entry::of::<Answer>(&["answer"]),
        Entry::of::<ChangeScreenSharingRole>(&["changeScreenSharingRole"]),
        Entry::of::<ConfigureMixer>(&["configureMixer"]),
        Entry::of::<InviteParticipants>(&["invite"]),
        Entry::of::<LogTeleconferenceDeviceQuality>(&["logTeleconferenceDeviceQuality"]),
        Entry::of::<MuteAll>(&["muteAll"]),
        Entry::of::<PlayPrompt>(&["playPrompt"]),
        Entry::of::<RecordResponse>(&["recordResponse", "record"]),
        Entry::of::<Redirect>(&["redirect"]),
        Entry::of::<Reject>(&["reject"]),
        Entry::of::<ReportSyntheticMedia>(&["reportSyntheticMedia"]),
        Entry::of::<SendDtmfTones>(&["sendDtmfTones"]),
        Entry::of::<StartHoldMusic>(&["startHoldMusic"]),
        Entry::of::<Transcription>(&["startTranscription", "stopTranscription"]),
        Entry::of::<Transfer>(&["transfer"]),
        Entry::of::<UpdateRecordingStatus>(&["updateRecordingStatus"]),
        Entry::of::<WithClientContext>(&[
            "addLargeGalleryView",
            "cancelMediaProcessing",
            "mute",
            "startRecording",
            "stopHoldMusic",
            "stopRecording",
            "subscribeToTone",
            "unmute",
        ]),
    ]
}

macro_rules! enumerations {
    ($( $ty:ident ),* $(,)?) => {
        vec![$( (stringify!($ty), $ty::ALL.iter().map(ToString::to_string).collect()) ),*]
    };
}

/// The enumerations, by their Rust names.
pub(crate) fn enumerations() -> Vec<Members> {
    enumerations![
        AutoAdmittedUsersType,
        CallDirection,
        CallDisposition,
        CallState,
        CallTranscriptionState,
        ChangeType,
        ContentModality,
        DetectionSeverity,
        EndpointType,
        MediaDirection,
        MediaState,
        Modality,
        OnlineMeetingContentSharingDisabledReason,
        OnlineMeetingVideoDisabledReason,
        OperationStatus,
        PlayPromptCompletionReason,
        RecordCompletionReason,
        RecordingStatus,
        RejectReason,
        RoutingMode,
        RoutingPolicy,
        RoutingType,
        ScreenSharingRole,
        SendDtmfCompletionReason,
        Tone,
    ]
}

/// The concrete operations, as [`OperationKind`] names them.
pub(crate) fn operation_kinds() -> Vec<String> {
    OperationKind::ALL.iter().map(ToString::to_string).collect()
}
