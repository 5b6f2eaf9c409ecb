//! The enumerations of the calling API, with every member of v1.0 and beta.
//!
//! Members are written in the case the metadata declares: camelCase, except
//! `operationStatus`, which is PascalCase. Reading ignores case. `Unspecified`
//! is a declared member called `unknown`; `Unknown` holds an undeclared one.
//! Spec: Graph service metadata, v1.0 and beta.

use crate::wire::wire_enum;

wire_enum! {
    /// `callState`; `ringing` is beta only.
    CallState {
        Incoming = "incoming",
        Establishing = "establishing",
        Ringing = "ringing",
        Established = "established",
        Hold = "hold",
        Transferring = "transferring",
        TransferAccepted = "transferAccepted",
        Redirecting = "redirecting",
        Terminating = "terminating",
        Terminated = "terminated",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `callDirection`
    CallDirection {
        Incoming = "incoming",
        Outgoing = "outgoing",
    }
}

wire_enum! {
    /// `modality`; `unknown` is beta only.
    Modality {
        Unspecified = "unknown",
        Audio = "audio",
        Video = "video",
        VideoBasedScreenSharing = "videoBasedScreenSharing",
        Data = "data",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `mediaDirection` of a `mediaStream`, seen from the participant.
    MediaDirection {
        Inactive = "inactive",
        SendOnly = "sendOnly",
        ReceiveOnly = "receiveOnly",
        SendReceive = "sendReceive",
    }
}

wire_enum! {
    /// `mediaState` inside `callMediaState`.
    MediaState {
        Active = "active",
        Inactive = "inactive",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `changeType` of a notification.
    ChangeType {
        Created = "created",
        Updated = "updated",
        Deleted = "deleted",
    }
}

wire_enum! {
    /// `operationStatus`: the one enumeration declared in PascalCase.
    OperationStatus {
        NotStarted = "NotStarted",
        Running = "Running",
        Completed = "Completed",
        Failed = "Failed",
    }
}

wire_enum! {
    /// `routingMode` of an `audioRoutingGroup`.
    RoutingMode {
        OneToOne = "oneToOne",
        Multicast = "multicast",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `routingType` of a `callRoute`.
    RoutingType {
        Forwarded = "forwarded",
        Lookup = "lookup",
        SelfFork = "selfFork",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `routingPolicy` (beta).
    RoutingPolicy {
        None = "none",
        NoMissedCall = "noMissedCall",
        DisableForwardingExceptPhone = "disableForwardingExceptPhone",
        DisableForwarding = "disableForwarding",
        PreferSkypeForBusiness = "preferSkypeForBusiness",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `endpointType` of a participant.
    EndpointType {
        Default = "default",
        Voicemail = "voicemail",
        SkypeForBusiness = "skypeForBusiness",
        SkypeForBusinessVoipPhone = "skypeForBusinessVoipPhone",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `callTranscriptionState`
    CallTranscriptionState {
        NotStarted = "notStarted",
        Active = "active",
        Inactive = "inactive",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `autoAdmittedUsersType` (beta).
    AutoAdmittedUsersType {
        EveryoneInCompany = "everyoneInCompany",
        Everyone = "everyone",
    }
}

wire_enum! {
    /// `recordingStatus`
    RecordingStatus {
        Unspecified = "unknown",
        NotRecording = "notRecording",
        Recording = "recording",
        Failed = "failed",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `rejectReason`
    RejectReason {
        None = "none",
        Busy = "busy",
        Forbidden = "forbidden",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `screenSharingRole`
    ScreenSharingRole {
        Viewer = "viewer",
        Sharer = "sharer",
    }
}

wire_enum! {
    /// `callDisposition` (beta).
    CallDisposition {
        Default = "default",
        SimultaneousRing = "simultaneousRing",
        Forward = "forward",
    }
}

wire_enum! {
    /// `playPromptCompletionReason` (beta).
    PlayPromptCompletionReason {
        Unspecified = "unknown",
        CompletedSuccessfully = "completedSuccessfully",
        MediaOperationCanceled = "mediaOperationCanceled",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `recordCompletionReason` (beta).
    RecordCompletionReason {
        OperationCanceled = "operationCanceled",
        StopToneDetected = "stopToneDetected",
        MaxRecordDurationReached = "maxRecordDurationReached",
        InitialSilenceTimeout = "initialSilenceTimeout",
        MaxSilenceTimeout = "maxSilenceTimeout",
        PlayPromptFailed = "playPromptFailed",
        PlayBeepFailed = "playBeepFailed",
        MediaReceiveTimeout = "mediaReceiveTimeout",
        UnspecifiedError = "unspecifiedError",
    }
}

wire_enum! {
    /// `sendDtmfCompletionReason`
    SendDtmfCompletionReason {
        Unspecified = "unknown",
        CompletedSuccessfully = "completedSuccessfully",
        MediaOperationCanceled = "mediaOperationCanceled",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `tone`: one key of a telephone.
    Tone {
        Tone0 = "tone0",
        Tone1 = "tone1",
        Tone2 = "tone2",
        Tone3 = "tone3",
        Tone4 = "tone4",
        Tone5 = "tone5",
        Tone6 = "tone6",
        Tone7 = "tone7",
        Tone8 = "tone8",
        Tone9 = "tone9",
        Star = "star",
        Pound = "pound",
        A = "a",
        B = "b",
        C = "c",
        D = "d",
        Flash = "flash",
    }
}

wire_enum! {
    /// `onlineMeetingContentSharingDisabledReason`: flags on v1.0.
    OnlineMeetingContentSharingDisabledReason {
        WatermarkProtection = "watermarkProtection",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `onlineMeetingVideoDisabledReason`: flags on v1.0.
    OnlineMeetingVideoDisabledReason {
        WatermarkProtection = "watermarkProtection",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `contentModality` of examined media (beta).
    ContentModality {
        Audio = "audio",
        Video = "video",
        Image = "image",
        Text = "text",
        Multimodal = "multimodal",
        UnknownFutureValue = "unknownFutureValue",
    }
}

wire_enum! {
    /// `detectionSeverity` of synthetic media (beta).
    DetectionSeverity {
        Low = "low",
        Medium = "medium",
        High = "high",
        UnknownFutureValue = "unknownFutureValue",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_read_in_any_case_and_are_written_as_declared() {
        for (text, member, written) in [
            ("Established", CallState::Established, "\"established\""),
            ("TRANSFERACCEPTED", CallState::TransferAccepted, "\"transferAccepted\""),
        ] {
            let parsed: CallState = serde_json::from_value(text.into()).unwrap();
            assert_eq!(parsed, member);
            assert_eq!(serde_json::to_string(&parsed).unwrap(), written);
        }
        let status: OperationStatus = serde_json::from_str("\"completed\"").unwrap();
        assert_eq!(serde_json::to_string(&status).unwrap(), "\"Completed\"");
    }

    #[test]
    fn unknown_members_are_kept_as_spelled() {
        let state: CallState = serde_json::from_str("\"onTheMoon\"").unwrap();
        assert!(!state.is_known());
        assert_eq!(serde_json::to_string(&state).unwrap(), "\"onTheMoon\"");
    }

    #[test]
    fn every_declared_member_reads_back_as_itself() {
        for state in CallState::ALL {
            assert_eq!(&CallState::parse(state.as_str()), state);
        }
        for tone in Tone::ALL {
            assert_eq!(&Tone::parse(&tone.as_str().to_uppercase()), tone);
        }
    }
}
