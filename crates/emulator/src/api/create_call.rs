//! `POST /communications/calls`: a bot joins a meeting.
//!
//! Checks in the order the documentation lets one expect: shape, callback, media, modalities, who is called, permission,
//! media permission, tenant. Placing calls to people (peer to peer, group) is answered 501.
//! Spec: "Create call", <https://learn.microsoft.com/graph/api/application-post-calls>.

use antiphon_graph::blob::{AntiphonMedia, BlobKind, MediaBlob, SdpType};
use antiphon_graph::permission::create_call_missing;
use antiphon_graph::{
    Call, CallDirection, ChatInfo, Identity, IdentitySet, MediaConfig, MeetingInfo, Modality, ParticipantInfo,
};
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::entra::App;
use crate::meeting::{MediaError, Meeting};
use crate::notify::Recipient;
use crate::service::Service;
use crate::world::{JoinError, JoinRequest, World};

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls", handler };

/// Most people a group call may be placed to.
const MAX_TARGETS: usize = 5;

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let call: Call = request.json()?;
    let callback_uri = check_callback(call.callback_uri.as_deref(), service.allow_http_callbacks)?;
    check_media_config(call.media_config.as_ref())?;
    check_modalities(call.requested_modalities.as_deref())?;
    check_whom(&call)?;
    check_call_chain(call.call_chain_id.as_deref())?;
    let app = service.directory().app(&request.caller.app_id).cloned();
    let app = app.filter(|app| app.calling_bot).ok_or_else(ApiError::bot_not_registered)?;
    if let Some(lacking) = create_call_missing(&call, &request.caller.roles) {
        return Err(ApiError::permission_missing(lacking));
    }
    if call.tenant_id.as_deref().is_none_or(|tenant| !same_guid(tenant, &request.caller.tenant_id)) {
        return Err(ApiError::tenant_mismatch());
    }
    let offer = offer_of(call.media_config.as_ref(), service.strict_blob)?;

    let mut world = service.world();
    let meeting = find_meeting(&world, &call, &request.caller.tenant_id)?;
    let delta_roster = call.call_options.as_ref().and_then(|options| options.is_delta_roster_enabled) == Some(true);
    let join = JoinRequest {
        meeting: meeting.id.clone(),
        app_id: app.app_id.clone(),
        tenant_id: request.caller.tenant_id.clone(),
        in_default_group: !call.media_config.as_ref().is_some_and(MediaConfig::removes_from_default_audio_group),
        resource: resource(call, &app, meeting),
        display_name: app.display_name.clone(),
        offer,
        delta_roster,
    };
    let joined = world.join(join, service.clock.now(), with_answer).map_err(|error| refused(&error))?;
    let call = request.own_created(&world, &joined.call)?;
    drop(world);
    service.changed();
    let recipient = Recipient {
        call: joined.call.clone(),
        app_id: app.app_id,
        tenant_id: request.caller.tenant_id.clone(),
        callback_uri,
        call_chain_id: joined.call_chain_id,
        scenario_id: request.scenario_id.clone(),
    };
    service.send_notifications(recipient, joined.outbox);
    Ok(Reply::json(StatusCode::CREATED, &call).location(&request.call_url(&joined.call)))
}

impl ApiRequest {
    /// The call just made, as the reply shows it: still establishing, whatever has happened since.
    fn own_created(&self, world: &World, id: &antiphon_graph::CallId) -> Result<Call, ApiError> {
        let call = world.own_call(id, &self.caller).ok_or_else(ApiError::call_not_found)?;
        let mut call = call.resource();
        call.state = Some(antiphon_graph::CallState::Establishing);
        call.media_state = None;
        let context = self.context("communications/calls/$entity");
        call.extra.insert("@odata.context".to_owned(), context.into());
        Ok(call)
    }
}

/// It becomes a header of every notification, so it must be what it is documented to be.
fn check_call_chain(id: Option<&str>) -> Result<(), ApiError> {
    match id {
        Some(id) if uuid::Uuid::parse_str(id).is_err() => Err(ApiError::invalid("callChainId must be a GUID.")),
        _ => Ok(()),
    }
}

fn check_callback(uri: Option<&str>, allow_http: bool) -> Result<String, ApiError> {
    let uri = uri.ok_or_else(|| ApiError::invalid("callbackUri is required."))?;
    let url = reqwest::Url::parse(uri).map_err(|_| ApiError::invalid("callbackUri must be an absolute https URI."))?;
    let scheme_ok = url.scheme() == "https" || (allow_http && url.scheme() == "http");
    if !scheme_ok || url.host_str().is_none_or(str::is_empty) {
        return Err(ApiError::invalid("callbackUri must be an absolute https URI."));
    }
    Ok(uri.to_owned())
}

fn check_media_config(media: Option<&MediaConfig>) -> Result<(), ApiError> {
    match media {
        Some(MediaConfig::AppHosted(_) | MediaConfig::ServiceHosted(_)) => Ok(()),
        Some(other) => Err(ApiError::invalid(match other.type_name() {
            Some(name) => format!("mediaConfig has the unknown @odata.type {name:?}."),
            None => "mediaConfig needs an @odata.type.".to_owned(),
        })),
        None => Err(ApiError::invalid("mediaConfig is required.")),
    }
}

fn check_modalities(modalities: Option<&[Modality]>) -> Result<(), ApiError> {
    let modalities = modalities.unwrap_or_default();
    if modalities.is_empty() {
        return Err(ApiError::invalid("requestedModalities must name at least one modality."));
    }
    match modalities.iter().find(|modality| !modality.is_known() || **modality == Modality::Unspecified) {
        Some(unknown) => Err(ApiError::invalid(format!("requestedModalities has the unknown modality {unknown:?}."))),
        None => Ok(()),
    }
}

fn check_whom(call: &Call) -> Result<(), ApiError> {
    let targets = call.targets.as_ref().map_or(0, Vec::len);
    match (&call.meeting_info, targets) {
        (None, 0) => Err(ApiError::invalid("Either targets or meetingInfo is required.")),
        (Some(_), 1..) => Err(ApiError::invalid("targets and meetingInfo exclude each other.")),
        (None, count) if count > MAX_TARGETS => {
            Err(ApiError::invalid(format!("At most {MAX_TARGETS} targets can be called; {count} were given.")))
        }
        (None, _) => Ok(()),
        (Some(MeetingInfo::Organizer(info)), 0) => {
            let thread = call.chat_info.as_ref().and_then(|chat| chat.thread_id.as_deref());
            if thread.is_none_or(str::is_empty) {
                return Err(ApiError::invalid("chatInfo.threadId is required beside organizerMeetingInfo."));
            }
            if info.organizer.user.as_ref().and_then(|user| user.id.as_deref()).is_none() {
                return Err(ApiError::invalid("meetingInfo.organizer.user.id is required."));
            }
            Ok(())
        }
        (Some(MeetingInfo::Token(_) | MeetingInfo::JoinMeetingId(_)), 0) => Ok(()),
        (Some(other), 0) => Err(ApiError::invalid(match other.type_name() {
            Some(name) => format!("meetingInfo has the unknown @odata.type {name:?}."),
            None => "meetingInfo needs an @odata.type.".to_owned(),
        })),
    }
}

/// The SDP offer of a blob this service can read; `None` runs the call without media.
fn offer_of(media: Option<&MediaConfig>, strict: bool) -> Result<Option<String>, ApiError> {
    let Some(MediaConfig::AppHosted(media)) = media else {
        return Ok(None);
    };
    let reason = match media.blob.as_ref().map(antiphon_graph::blob::Blob::kind) {
        Some(BlobKind::Antiphon(blob)) if blob.antiphon.sdp_type == SdpType::Offer => {
            return Ok(Some(blob.antiphon.sdp));
        }
        Some(BlobKind::Antiphon(_)) => {
            return Err(ApiError::invalid("mediaConfig.blob holds an SDP answer where an offer is needed."));
        }
        Some(BlobKind::Opaque(reason)) => reason.to_string(),
        Some(_) => "the blob is of an unknown kind".to_owned(),
        None => "there is no blob".to_owned(),
    };
    if strict {
        return Err(ApiError::invalid(format!("mediaConfig.blob cannot be used: {reason}.")));
    }
    tracing::warn!(reason, "the media blob is of another make: the call runs without media");
    Ok(None)
}

fn find_meeting<'a>(world: &'a World, call: &Call, tenant_id: &str) -> Result<&'a Meeting, ApiError> {
    let meeting = match &call.meeting_info {
        Some(MeetingInfo::Organizer(info)) => {
            let thread = call.chat_info.as_ref().and_then(|chat| chat.thread_id.as_deref()).unwrap_or_default();
            let meeting = world
                .meeting_by_thread(thread)
                .ok_or_else(|| ApiError::not_found("Meeting not found: no meeting has this chatInfo.threadId."))?;
            let organizer = info.organizer.user.as_ref().and_then(|user| user.id.as_deref()).unwrap_or_default();
            if !same_guid(organizer, &meeting.organizer.id) {
                return Err(ApiError::not_found("Meeting not found: it has another organizer."));
            }
            meeting
        }
        Some(MeetingInfo::JoinMeetingId(info)) => {
            let meeting = world
                .meeting_by_join_id(&info.join_meeting_id)
                .ok_or_else(|| ApiError::not_found("Meeting not found: no meeting has this joinMeetingId."))?;
            if meeting.names.passcode.is_some() && meeting.names.passcode != info.passcode {
                return Err(ApiError::forbidden("The passcode of the meeting is wrong or missing."));
            }
            meeting
        }
        Some(_) => return Err(ApiError::not_implemented("joining by token")),
        None => return Err(ApiError::not_implemented("placing calls to people")),
    };
    if meeting.tenant_id() != tenant_id {
        return Err(ApiError::tenant_mismatch());
    }
    Ok(meeting)
}

/// The request's resource with what the service fills in, less ids, state and the media answer.
fn resource(call: Call, app: &App, meeting: &Meeting) -> Call {
    Call {
        odata_type: Default::default(),
        direction: Some(CallDirection::Outgoing),
        callback_uri: call.callback_uri,
        call_chain_id: call.call_chain_id,
        call_options: call.call_options,
        call_routes: Some(Vec::new()),
        chat_info: Some(call.chat_info.unwrap_or_else(|| ChatInfo {
            thread_id: Some(meeting.names.thread_id.clone()),
            message_id: Some(meeting.names.message_id.clone()),
            ..ChatInfo::default()
        })),
        meeting_info: call.meeting_info,
        media_config: call.media_config,
        requested_modalities: call.requested_modalities,
        source: Some(source(call.source, app)),
        subject: call.subject.or_else(|| Some(meeting.subject.clone())),
        targets: Some(Vec::new()),
        tenant_id: Some(meeting.tenant_id().to_owned()),
        ..Call::default()
    }
}

/// Who the bot appears as: a guest if it says so, else always the application of the token.
fn source(asked: Option<ParticipantInfo>, app: &App) -> ParticipantInfo {
    let mut info = asked.unwrap_or_default();
    let asked = info.identity.take().unwrap_or_default();
    info.identity = Some(if let Some(guest) = asked.guest {
        IdentitySet::of_guest(guest)
    } else {
        let name = asked.application.and_then(|application| application.display_name);
        IdentitySet::of_application(Identity::of(&app.app_id).named(name.unwrap_or_else(|| app.display_name.clone())))
    });
    info
}

/// Puts the SDP answer where the offer was.
fn with_answer(mut call: Call, answer: Option<&str>) -> Call {
    if let (Some(MediaConfig::AppHosted(media)), Some(answer)) = (&mut call.media_config, answer) {
        media.blob = Some(MediaBlob::new(AntiphonMedia::answer(answer)).to_blob());
    }
    call
}

fn refused(error: &JoinError) -> ApiError {
    match error {
        JoinError::NoMeeting => ApiError::not_found(error.to_string()),
        JoinError::Full => ApiError::forbidden(error.to_string()),
        JoinError::TooManyCalls => ApiError::too_many(error.to_string()),
        JoinError::Media(MediaError::Offer(_)) => ApiError::invalid(error.to_string()),
        JoinError::Media(MediaError::Full(_)) => ApiError::forbidden(error.to_string()),
        JoinError::Media(_) => ApiError::internal(error.to_string()),
    }
}

fn same_guid(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
}
