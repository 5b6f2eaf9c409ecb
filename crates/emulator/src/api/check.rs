//! Checks that several endpoints make of a request's body.
//!
//! Pure: each gives what it checked, or the error that names the member. Spec: the reference pages of the endpoints; where
//! they are silent, the limits published for the service.

use antiphon_graph::blob::{AntiphonMedia, BlobKind, MediaBlob, SdpType};
use antiphon_graph::{Call, IdentitySet, InvitationParticipantInfo, MediaConfig, Modality, ParticipantId, Prompt};

use super::ApiError;
use crate::call::Call as CallOfBot;
use crate::entra::Callee;
use crate::meeting::Member;
use crate::notify::Address;
use crate::service::Service;
use crate::world::World;

/// Longest `clientContext`, in characters.
const CLIENT_CONTEXT: usize = 256;

/// A callback, if one is given.
pub(super) fn callback(uri: Option<&str>, allow_http: bool) -> Result<Option<String>, ApiError> {
    let Some(uri) = uri else { return Ok(None) };
    https("callbackUri", uri, allow_http)?;
    Ok(Some(uri.to_owned()))
}

/// An absolute https URI, or an http one where the development switch allows it.
fn https(member: &str, uri: &str, allow_http: bool) -> Result<(), ApiError> {
    let url = reqwest::Url::parse(uri).ok();
    let fits = url.is_some_and(|url| {
        let scheme_ok = url.scheme() == "https" || (allow_http && url.scheme() == "http");
        scheme_ok && url.host_str().is_some_and(|host| !host.is_empty())
    });
    let invalid = || ApiError::invalid(format!("{member} must be an absolute https URI.")).about(member);
    if fits { Ok(()) } else { Err(invalid()) }
}

/// Prompts: not more than so many, each a file that could be fetched. Says how often one is played in all.
pub(super) fn prompts(service: &Service, prompts: &[Prompt], most: usize) -> Result<u32, ApiError> {
    if prompts.len() > most {
        let message = format!("prompts may have at most {most}; {} were given.", prompts.len());
        return Err(ApiError::invalid(message).about("prompts"));
    }
    let mut times = 0_u32;
    for (index, prompt) in prompts.iter().enumerate() {
        self::prompt(service, &format!("prompts[{index}]"), prompt)?;
        let Prompt::Media(media) = prompt else { continue };
        times = times.saturating_add(media.loop_count.map_or(1, i32::unsigned_abs));
    }
    Ok(times)
}

/// A number of seconds in the range published for recordings; `default` if it is left out.
pub(super) fn recording_seconds(member: &str, seconds: Option<i32>, default: u32) -> Result<u32, ApiError> {
    match seconds {
        None => Ok(default),
        Some(seconds @ 1..=120) => Ok(seconds.unsigned_abs()),
        Some(_) => Err(ApiError::invalid(format!("{member} must be between 1 and 120.")).about(member)),
    }
}

/// A call whose media is the service's business.
pub(super) fn service_hosted(call: &CallOfBot) -> Result<(), ApiError> {
    match call.resource.media_config {
        Some(MediaConfig::ServiceHosted(_)) => Ok(()),
        _ => {
            Err(ApiError::invalid("This is for calls with service-hosted media; the media of the call is app-hosted."))
        }
    }
}

/// A call whose media is the application's business.
pub(super) fn app_hosted(call: &CallOfBot) -> Result<(), ApiError> {
    match call.resource.media_config {
        Some(MediaConfig::AppHosted(_)) => Ok(()),
        _ => {
            Err(ApiError::invalid("This is for calls with app-hosted media; the media of the call is service-hosted."))
        }
    }
}

/// Where a call's notifications go, if the request says so.
pub(super) fn address(
    service: &Service,
    uri: Option<&str>,
    scenario_id: Option<&str>,
) -> Result<Option<Address>, ApiError> {
    let uri = callback(uri, service.allow_http_callbacks)?;
    Ok(uri.map(|callback_uri| Address { callback_uri, scenario_id: scenario_id.map(str::to_owned) }))
}

/// A media configuration: there, and of a known type.
pub(super) fn media_config(media: Option<&MediaConfig>) -> Result<(), ApiError> {
    match media {
        Some(MediaConfig::AppHosted(_) | MediaConfig::ServiceHosted(_)) => Ok(()),
        Some(other) => Err(ApiError::invalid(match other.type_name() {
            Some(name) => format!("mediaConfig has the unknown @odata.type {name:?}."),
            None => "mediaConfig needs an @odata.type.".to_owned(),
        })),
        None => Err(ApiError::invalid("mediaConfig is required.")),
    }
}

/// Modalities: at least one, all known.
pub(super) fn modalities(member: &str, modalities: Option<&[Modality]>) -> Result<(), ApiError> {
    let modalities = modalities.unwrap_or_default();
    if modalities.is_empty() {
        return Err(ApiError::invalid(format!("{member} must name at least one modality.")));
    }
    match modalities.iter().find(|modality| !modality.is_known() || **modality == Modality::Unspecified) {
        Some(unknown) => Err(ApiError::invalid(format!("{member} has the unknown modality {unknown:?}."))),
        None => Ok(()),
    }
}

/// The SDP offer of a blob this service can read; `None` runs the call without media.
pub(super) fn offer(media: Option<&MediaConfig>, strict: bool) -> Result<Option<String>, ApiError> {
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

/// Puts the SDP answer where the offer was.
pub(super) fn with_answer(mut call: Call, answer: Option<&str>) -> Call {
    if let (Some(MediaConfig::AppHosted(media)), Some(answer)) = (&mut call.media_config, answer) {
        media.blob = Some(MediaBlob::new(AntiphonMedia::answer(answer)).to_blob());
    }
    call
}

/// A client context, if there is one: not longer than documented.
pub(super) fn client_context(context: Option<String>) -> Result<Option<String>, ApiError> {
    match context {
        Some(context) if context.chars().count() > CLIENT_CONTEXT => {
            let message = format!("clientContext may have at most {CLIENT_CONTEXT} characters.");
            Err(ApiError::invalid(message).about("clientContext"))
        }
        context => Ok(context),
    }
}

/// The identity of somebody to call or invite: somebody who can be.
pub(super) fn target<'a>(member: &str, target: &'a InvitationParticipantInfo) -> Result<&'a IdentitySet, ApiError> {
    let identity =
        target.identity.as_ref().ok_or_else(|| ApiError::invalid(format!("{member}.identity is required.")))?;
    let known =
        [&identity.user, &identity.phone, &identity.application, &identity.application_instance, &identity.guest];
    let named = known.into_iter().flatten().any(|identity| identity.id.as_deref().is_some_and(|id| !id.is_empty()));
    if !named {
        let message = format!("{member}.identity needs the id of a user, phone or application.");
        return Err(ApiError::invalid(message));
    }
    Ok(identity)
}

/// A participant a body names.
pub(super) fn participant<'a>(
    world: &'a World,
    call: &CallOfBot,
    member: &str,
    id: &ParticipantId,
) -> Result<&'a Member, ApiError> {
    let unknown = || ApiError::not_found(format!("{member}: Participant not found")).about(member);
    world.participant_of(call, id).ok_or_else(unknown)
}

/// A prompt: a file at an address the service may fetch it from.
pub(super) fn prompt(service: &Service, member: &str, prompt: &Prompt) -> Result<(), ApiError> {
    let Prompt::Media(media) = prompt else {
        let path = format!("{member}.@odata.type");
        return Err(ApiError::invalid(format!("{path} must be #microsoft.graph.mediaPrompt.")).about(path));
    };
    https(&format!("{member}.mediaInfo.uri"), &media.media_info.uri, service.allow_http_callbacks)?;
    if media.loop_count.is_some_and(|count| count < 1) {
        let path = format!("{member}.loop");
        return Err(ApiError::invalid(format!("{path} must be at least 1.")).about(path));
    }
    Ok(())
}

/// A language tag, if one is given: `en`, `en-us`.
pub(super) fn language(tag: Option<&str>) -> Result<(), ApiError> {
    let Some(tag) = tag else { return Ok(()) };
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let fits = (2..=8).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && plain(part));
    if fits {
        return Ok(());
    }
    Err(ApiError::invalid(format!("language must be a language tag such as en-us, not {tag:?}.")).about("language"))
}

/// A call into a meeting: a group call that an application placed has no recording of its own.
pub(super) fn is_meeting(world: &World, call: &CallOfBot) -> Result<(), ApiError> {
    match world.meeting_of(call) {
        Some(meeting) if meeting.schedule().is_none() => {
            Err(ApiError::invalid("This is for meetings; the call is a group call, which has no recording of its own."))
        }
        _ => Ok(()),
    }
}

/// A telephone number can be called by a resource account of the application only: it does not ring for others.
pub(super) fn bar_telephone(call: &crate::call::Call, target: &InvitationParticipantInfo, callee: &mut Callee) {
    let source = call.resource.source.as_ref().and_then(|source| source.identity.as_ref());
    let called = call.resource.targets.iter().flatten().filter_map(|target| target.identity.as_ref());
    let instance = source.into_iter().chain(called).any(|identity| identity.application_instance.is_some());
    if !instance && target.identity.as_ref().is_some_and(|identity| identity.phone.is_some()) {
        *callee = Callee::Barred;
    }
}

/// Ids compare without case and dashes.
pub(super) fn same_guid(left: &str, right: &str) -> bool {
    let plain = |id: &str| id.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect::<String>();
    plain(left) == plain(right)
}
