//! The Graph API: `/v1.0` and `/beta`, `/communications/calls` and `/app/calls`.
//!
//! One file per endpoint, each with its [`Endpoint`] and a synchronous handler; `ENDPOINTS` lists them. `dispatch` does
//! what all have in common: token, routing, body, roles, ids in headers, the error envelope. Handlers validate and speak
//! to `world`. Spec: Microsoft Graph cloud communications API, OData JSON Format 4.01.

mod body;
mod check;
mod dispatch;
mod error;
mod query;
mod reply;
mod request;
mod route;

mod answer_call;
mod create_call;
mod delete_call;
mod get_call;
mod keep_alive;
mod redirect_call;
mod reject_call;
mod transfer_call;

mod add_large_gallery_view;
mod change_screen_sharing_role;
mod mute_call;
mod start_recording;
mod start_transcription;
mod stop_recording;
mod stop_transcription;
mod unmute_call;
mod update_recording_status;

mod cancel_media_processing;
mod play_prompt;
mod record;
mod record_response;
mod send_dtmf_tones;
mod subscribe_to_tone;

mod get_operation;
mod list_operations;

mod log_teleconference_device_quality;

mod configure_mixer;
mod get_participant;
mod invite_participants;
mod list_participants;
mod mute_all_participants;
mod mute_participant;
mod remove_participant;
mod report_synthetic_media;
mod start_hold_music;
mod stop_hold_music;

mod get_content_sharing_session;
mod get_current_slide;
mod list_content_sharing_sessions;

mod create_audio_routing_group;
mod delete_audio_routing_group;
mod get_audio_routing_group;
mod list_audio_routing_groups;
mod update_audio_routing_group;

pub(crate) use dispatch::serve;
pub(crate) use error::ApiError;
pub(crate) use reply::Reply;
pub(crate) use request::ApiRequest;

use http::Method;

use crate::service::Service;

/// One method of one resource path.
pub(crate) struct Endpoint {
    /// HTTP method.
    pub(crate) method: Method,
    /// Path below the family, `{id}` for ids, as the permission matrix writes it. Literals may be called with the
    /// `microsoft.graph.` prefix and in any case.
    pub(crate) path: &'static str,
    /// Runs with the role check done, if the matrix asks for one on this request.
    pub(crate) handler: fn(&Service, &ApiRequest) -> Result<Reply, ApiError>,
}

/// Every endpoint, literal segments before `{id}` where both would fit.
const ENDPOINTS: &[&Endpoint] = &[
    &create_call::ENDPOINT,
    &get_call::ENDPOINT,
    &delete_call::ENDPOINT,
    &keep_alive::ENDPOINT,
    &answer_call::ENDPOINT,
    &reject_call::ENDPOINT,
    &redirect_call::ENDPOINT,
    &transfer_call::ENDPOINT,
    &mute_call::ENDPOINT,
    &unmute_call::ENDPOINT,
    &change_screen_sharing_role::ENDPOINT,
    &update_recording_status::ENDPOINT,
    &add_large_gallery_view::ENDPOINT,
    &start_recording::ENDPOINT,
    &stop_recording::ENDPOINT,
    &start_transcription::ENDPOINT,
    &stop_transcription::ENDPOINT,
    &play_prompt::ENDPOINT,
    &record_response::ENDPOINT,
    &record::ENDPOINT,
    &cancel_media_processing::ENDPOINT,
    &subscribe_to_tone::ENDPOINT,
    &send_dtmf_tones::ENDPOINT,
    &list_operations::ENDPOINT,
    &get_operation::ENDPOINT,
    &log_teleconference_device_quality::ENDPOINT,
    &list_participants::ENDPOINT,
    &get_participant::ENDPOINT,
    &remove_participant::ENDPOINT,
    &invite_participants::ENDPOINT,
    &mute_all_participants::ENDPOINT,
    &configure_mixer::ENDPOINT,
    &mute_participant::ENDPOINT,
    &start_hold_music::ENDPOINT,
    &stop_hold_music::ENDPOINT,
    &report_synthetic_media::ENDPOINT,
    &list_content_sharing_sessions::ENDPOINT,
    &get_content_sharing_session::ENDPOINT,
    &get_current_slide::ENDPOINT,
    &list_audio_routing_groups::ENDPOINT,
    &create_audio_routing_group::ENDPOINT,
    &get_audio_routing_group::ENDPOINT,
    &update_audio_routing_group::ENDPOINT,
    &delete_audio_routing_group::ENDPOINT,
];

/// Whether a path below the family has an endpoint of that method; a version offers it if the matrix has a row for it.
#[cfg(test)]
pub(crate) fn is_offered(method: &str, path: &str) -> bool {
    ENDPOINTS.iter().any(|endpoint| endpoint.method == method && endpoint.path == path)
}
