//! The endpoints, one file each.
//!
//! A file holds one [`Endpoint`] and one method of `GraphClient`. To add one:
//! write the file, add its `mod` line here. Paths are below the family
//! (`/communications` or `/app`); `{id}` is filled in order, percent-encoded.
//! What only beta has is always sent to beta. Order of the `mod` lines: calls,
//! incoming calls, the own leg, service-hosted media, the meeting's recording,
//! participants, routing groups, content sharing, the rest.

mod create_call;
mod delete_call;
mod get_call;
mod keep_alive;

mod answer;
mod redirect;
mod reject;
mod transfer;

mod add_large_gallery_view;
mod change_screen_sharing_role;
mod mute;
mod unmute;
mod update_recording_status;

mod cancel_media_processing;
mod play_prompt;
mod record;
mod record_response;
mod send_dtmf_tones;
mod subscribe_to_tone;

mod start_recording;
mod start_transcription;
mod stop_recording;
mod stop_transcription;

mod configure_mixer;
mod delete_participant;
mod get_participant;
mod invite;
mod list_participants;
mod mute_all;
mod mute_participant;
mod report_synthetic_media;
mod start_hold_music;
mod stop_hold_music;

mod create_audio_routing_group;
mod delete_audio_routing_group;
mod get_audio_routing_group;
mod list_audio_routing_groups;
mod update_audio_routing_group;

mod get_content_sharing_session;
mod get_png_of_current_slide;
mod list_content_sharing_sessions;

mod get_operation;
mod list_operations;
mod log_teleconference_device_quality;

use http::Method;

/// An endpoint of the API.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) method: Method,
    /// Below the family, for example `/calls/{id}`.
    pub(super) path: &'static str,
    pub(super) repeat: Repeat,
    /// v1.0 has it not: always sent to beta, whatever the client's version.
    pub(super) beta_only: bool,
}

/// Whether a request may be sent again when it may already have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Twice does what once does.
    Safe,
    /// As `Safe`; and not being there any more on the second try is success.
    SafeUntilGone,
    /// Twice is one too many.
    Never,
}

impl Endpoint {
    const fn get(path: &'static str) -> Self {
        Self { method: Method::GET, path, repeat: Repeat::Safe, beta_only: false }
    }

    const fn patch(path: &'static str) -> Self {
        Self { method: Method::PATCH, path, repeat: Repeat::Safe, beta_only: false }
    }

    const fn delete(path: &'static str) -> Self {
        Self { method: Method::DELETE, path, repeat: Repeat::SafeUntilGone, beta_only: false }
    }

    const fn post(path: &'static str) -> Self {
        Self { method: Method::POST, path, repeat: Repeat::Never, beta_only: false }
    }

    const fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Safe;
        self
    }

    const fn beta(mut self) -> Self {
        self.beta_only = true;
        self
    }
}
