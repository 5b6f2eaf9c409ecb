//! `POST /communications/calls`: a bot joins a meeting, or calls one or several people.
//!
//! Checks in the order the documentation lets one expect: shape, callback, media, modalities, who is called, permission,
//! media permission, tenant. Whoever is called rings once the reply is on its way.
//! Spec: "Create call", <https://learn.microsoft.com/graph/api/application-post-calls>.

use std::time::Duration;

use antiphon_graph::permission::{create_call_missing, joins_as_guest};
use antiphon_graph::wire::Version;
use antiphon_graph::{
    Call, CallDirection, CallId, Identity, IdentitySet, InvitationParticipantInfo, MediaConfig, MeetingInfo,
    ParticipantInfo,
};
use http::{Method, StatusCode};
use uuid::Uuid;

use super::check::same_guid;
use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::call::Expectations;
use crate::entra::{App, Callee};
use crate::meeting::{MediaError, Meeting, MeetingKind};
use crate::notify::Address;
use crate::service::Service;
use crate::world::{JoinError, NewLeg, NewRing, Purpose, World};

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls", handler };

/// Most people a group call may be placed to.
const MAX_TARGETS: usize = 5;
/// Longest a callee may be asked to ring, in seconds.
const MAX_RINGING: i32 = 115;

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let mut call: Call = request.json()?;
    let address = check::address(service, call.callback_uri.as_deref(), request.scenario_id.as_deref())?
        .ok_or_else(|| ApiError::invalid("callbackUri is required."))?;
    check::media_config(call.media_config.as_ref())?;
    check::modalities("requestedModalities", call.requested_modalities.as_deref())?;
    check_whom(&call)?;
    check_call_chain(call.call_chain_id.as_deref())?;
    let ringing = check_ringing(&call)?;
    let app = service.directory().app(&request.caller.app_id).cloned();
    let app = app.filter(|app| app.calling_bot).ok_or_else(ApiError::bot_not_registered)?;
    if let Some(lacking) = create_call_missing(&call, &request.caller.roles) {
        return Err(ApiError::permission_missing(lacking));
    }
    if call.meeting_info.is_some() && joins_as_guest(&request.caller.roles) {
        become_guest(&mut call, &app);
    }
    // A meeting is somewhere: joining it without saying where is refused as Graph does.
    let tenant_given = call.tenant_id.as_deref();
    let fits = |tenant: &str| same_guid(tenant, &request.caller.tenant_id);
    if !tenant_given.map_or(call.meeting_info.is_none(), fits) {
        return Err(ApiError::tenant_mismatch());
    }
    let offer = check::offer(call.media_config.as_ref(), service.strict_blob)?;
    let leg = Leg { app, address, offer, ringing, version: request.version };
    let call = if call.meeting_info.is_some() {
        join(service, request, call, leg)?
    } else {
        place(service, request, call, leg)?
    };
    let url = request.call_url(call.id.as_ref().expect("invariant: a call just made has its id"));
    Ok(Reply::json(StatusCode::CREATED, &call).location(&url))
}

/// What the request comes to, whom it may concern left aside.
struct Leg {
    app: App,
    address: Address,
    offer: Option<String>,
    ringing: Option<Duration>,
    version: Version,
}

impl Leg {
    fn into_world(self, call: Call, meeting: &Meeting, tenant_id: &str, expectations: Expectations) -> NewLeg {
        NewLeg {
            meeting: meeting.id.clone(),
            tenant_id: tenant_id.to_owned(),
            in_default_group: !call.media_config.as_ref().is_some_and(MediaConfig::removes_from_default_audio_group),
            resource: resource(call, &self.app, meeting),
            display_name: self.app.display_name,
            app_id: self.app.app_id,
            offer: self.offer,
            address: self.address,
            expectations,
            version: self.version,
        }
    }
}

fn join(service: &Service, request: &ApiRequest, call: Call, leg: Leg) -> Result<Call, ApiError> {
    let tenant_id = &request.caller.tenant_id;
    service.change(|world, now| {
        let meeting = find_meeting(world, &call, tenant_id)?;
        let guest =
            call.source.as_ref().and_then(|source| source.identity.as_ref()).is_some_and(|id| id.guest.is_some());
        let lobby = meeting.schedule().is_some_and(|schedule| schedule.lobby);
        let expectations = Expectations { admission: guest && lobby, ..Expectations::default() };
        let leg = leg.into_world(call, meeting, tenant_id, expectations);
        let id = world.place_leg(leg, now, check::with_answer).map_err(|error| refused(&error))?;
        request.own_created(world, &id)
    })
}

/// Opens a conversation for the people called, puts the bot into it and lets them ring.
fn place(service: &Service, request: &ApiRequest, call: Call, leg: Leg) -> Result<Call, ApiError> {
    let tenant_id = &request.caller.tenant_id;
    let targets = call.targets.clone().unwrap_or_default();
    let callees: Vec<(InvitationParticipantInfo, Callee)> = {
        let directory = service.directory();
        let resolve = |target: InvitationParticipantInfo| {
            let callee = target.identity.as_ref().map_or(Callee::Nobody, |identity| directory.callee(identity));
            (target, callee)
        };
        targets.into_iter().map(resolve).collect()
    };
    let alone = callees.len() == 1;
    let (id, media) = service.open_media()?;
    service.change(|world, now| {
        let kind = if alone { MeetingKind::PeerToPeer } else { MeetingKind::GroupCall };
        let meeting = world.open_meeting(id.clone(), kind, tenant_id.clone(), call.subject.clone(), media);
        let expectations = Expectations { callee: alone, ..Expectations::default() };
        let timeout = leg.ringing;
        let leg = leg.into_world(call, meeting, tenant_id, expectations);
        let placed = world.place_leg(leg, now, check::with_answer);
        let call = placed.map_err(|error| {
            world.discard_meeting(&id);
            refused(&error)
        })?;
        for (target, callee) in callees {
            let call = call.clone();
            let purpose = if alone { Purpose::Callee { call } } else { Purpose::GroupTarget { call } };
            world.ring(NewRing { meeting: id.clone(), target, callee, purpose, timeout }, now);
        }
        request.own_created(world, &call)
    })
}

impl ApiRequest {
    /// The call just made, as the reply shows it: still establishing, whatever has happened since.
    fn own_created(&self, world: &World, id: &CallId) -> Result<Call, ApiError> {
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
        Some(id) if Uuid::parse_str(id).is_err() => Err(ApiError::invalid("callChainId must be a GUID.")),
        _ => Ok(()),
    }
}

/// How long a callee rings, if the request says so.
fn check_ringing(call: &Call) -> Result<Option<Duration>, ApiError> {
    let Some(seconds) = call.ringing_timeout_in_seconds else { return Ok(None) };
    if !(1..=MAX_RINGING).contains(&seconds) {
        return Err(ApiError::invalid(format!("ringingTimeoutInSeconds must be between 1 and {MAX_RINGING}.")));
    }
    if call.targets.as_ref().map_or(0, Vec::len) != 1 {
        return Err(ApiError::invalid("ringingTimeoutInSeconds is for peer-to-peer calls only."));
    }
    Ok(u64::try_from(seconds).ok().map(Duration::from_secs))
}

fn check_whom(call: &Call) -> Result<(), ApiError> {
    let targets = call.targets.as_ref().map_or(0, Vec::len);
    match (&call.meeting_info, targets) {
        (None, 0) => Err(ApiError::invalid("Either targets or meetingInfo is required.")),
        (Some(_), 1..) => Err(ApiError::invalid("targets and meetingInfo exclude each other.")),
        (None, count) if count > MAX_TARGETS => {
            Err(ApiError::invalid(format!("At most {MAX_TARGETS} targets can be called; {count} were given.")))
        }
        (None, _) => check_targets(call),
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

fn check_targets(call: &Call) -> Result<(), ApiError> {
    let from_instance = call
        .source
        .as_ref()
        .and_then(|source| source.identity.as_ref())
        .is_some_and(|id| id.application_instance.is_some());
    for (index, target) in call.targets.iter().flatten().enumerate() {
        let identity = check::target(&format!("targets[{index}]"), target)?;
        if identity.phone.is_some() && !from_instance {
            let message = "source.identity.applicationInstance is required to call a telephone number.";
            return Err(ApiError::invalid(message));
        }
    }
    Ok(())
}

fn find_meeting<'a>(world: &'a World, call: &Call, tenant_id: &str) -> Result<&'a Meeting, ApiError> {
    let meeting = match &call.meeting_info {
        Some(MeetingInfo::Organizer(info)) => {
            let thread = call.chat_info.as_ref().and_then(|chat| chat.thread_id.as_deref()).unwrap_or_default();
            let meeting = world
                .meeting_by_thread(thread)
                .ok_or_else(|| ApiError::not_found("Meeting not found: no meeting has this chatInfo.threadId."))?;
            let organizer = info.organizer.user.as_ref().and_then(|user| user.id.as_deref()).unwrap_or_default();
            if !meeting.schedule().is_some_and(|schedule| same_guid(organizer, &schedule.organizer.id)) {
                return Err(ApiError::not_found("Meeting not found: it has another organizer."));
            }
            meeting
        }
        Some(MeetingInfo::JoinMeetingId(info)) => {
            let meeting = world
                .meeting_by_join_id(&info.join_meeting_id)
                .ok_or_else(|| ApiError::not_found("Meeting not found: no meeting has this joinMeetingId."))?;
            let passcode = meeting.schedule().and_then(|schedule| schedule.names.passcode.as_ref());
            if passcode.is_some() && passcode != info.passcode.as_ref() {
                return Err(ApiError::forbidden("The passcode of the meeting is wrong or missing."));
            }
            meeting
        }
        Some(MeetingInfo::Token(info)) => world
            .meeting_by_token(&info.token)
            .ok_or_else(|| ApiError::not_found("Meeting not found: the token leads nowhere."))?,
        Some(_) | None => return Err(ApiError::invalid("meetingInfo is required.")),
    };
    if meeting.tenant_id != tenant_id {
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
        chat_info: call.chat_info.or_else(|| meeting.chat_info()),
        meeting_info: call.meeting_info,
        media_config: call.media_config,
        requested_modalities: call.requested_modalities,
        source: Some(source(call.source, app)),
        ringing_timeout_in_seconds: call.ringing_timeout_in_seconds,
        routing_policies: call.routing_policies,
        subject: call.subject.or_else(|| meeting.subject.clone()),
        targets: Some(call.targets.unwrap_or_default()),
        tenant_id: Some(meeting.tenant_id.clone()),
        ..Call::default()
    }
}

/// An application that may join as a guest only is one, named or not.
fn become_guest(call: &mut Call, app: &App) {
    let identity = call.source.get_or_insert_default().identity.get_or_insert_default();
    identity.guest.get_or_insert_with(|| Identity::of(Uuid::new_v4().to_string()).named(&app.display_name));
}

/// Who the bot appears as: a guest if it says so, else always the application of the token.
fn source(asked: Option<ParticipantInfo>, app: &App) -> ParticipantInfo {
    let mut info = asked.unwrap_or_default();
    let asked = info.identity.take().unwrap_or_default();
    info.identity = Some(if let Some(guest) = asked.guest {
        IdentitySet::of_guest(guest)
    } else {
        let name = asked.application.and_then(|application| application.display_name);
        let name = name.unwrap_or_else(|| app.display_name.clone());
        IdentitySet {
            application_instance: asked.application_instance,
            ..IdentitySet::of_application(Identity::of(&app.app_id).named(name))
        }
    });
    info
}

pub(super) fn refused(error: &JoinError) -> ApiError {
    match error {
        JoinError::NoMeeting => ApiError::not_found(error.to_string()),
        JoinError::Full => ApiError::forbidden(error.to_string()),
        JoinError::TooManyCalls => ApiError::too_many(error.to_string()),
        JoinError::Media(MediaError::Offer(_)) => ApiError::invalid(error.to_string()),
        JoinError::Media(MediaError::Full(_)) => ApiError::forbidden(error.to_string()),
        JoinError::Media(_) => ApiError::internal(error.to_string()),
    }
}
