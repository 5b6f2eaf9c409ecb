//! Operations on a call as a whole: recording, transcription, large gallery.
//!
//! Spec: <https://learn.microsoft.com/graph/api/resources/updaterecordingstatusoperation> and its siblings.

use super::typed_operation;

typed_operation! {
    /// The large gallery being added.
    AddLargeGalleryViewOperation = "addLargeGalleryViewOperation" {}
}

typed_operation! {
    /// The recording status being told.
    UpdateRecordingStatusOperation = "updateRecordingStatusOperation" {}
}

typed_operation! {
    /// The meeting's recording being started (beta).
    StartRecordingOperation = "startRecordingOperation" {}
}

typed_operation! {
    /// The meeting's recording being stopped (beta).
    StopRecordingOperation = "stopRecordingOperation" {}
}

typed_operation! {
    /// The meeting's transcription being started (beta).
    StartTranscriptionOperation = "startTranscriptionOperation" {}
}

typed_operation! {
    /// The meeting's transcription being stopped (beta).
    StopTranscriptionOperation = "stopTranscriptionOperation" {}
}
