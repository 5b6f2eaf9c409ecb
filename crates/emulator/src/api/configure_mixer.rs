//! `POST /communications/calls/{id}/participants/configureMixer` (beta): who hears whom how loud.
//!
//! Levels are checked and acknowledged; they do not change what anybody hears yet. The page says 202, its example 200:
//! this service answers 200. Spec: "participant: configureMixer", and the limits of its resource types.

use antiphon_graph::action::ConfigureMixer;
use antiphon_graph::{AudioDuckingConfiguration, AudioSourceLevel, ParticipantId, ParticipantMixerLevel};
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/participants/configureMixer", handler };

/// Longest time to lower or raise a source, in milliseconds.
const MAX_RAMP: i64 = 5000;
/// The whole, in percent.
const WHOLE: i64 = 100;

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: ConfigureMixer = request.parameters("configureMixer")?;
    let client_context = check::client_context(body.client_context)?;
    let levels = body.participant_mixer_levels;
    if levels.is_empty() {
        let path = "participantMixerLevels";
        return Err(ApiError::invalid(format!("{path} must have at least one level.")).about(path));
    }
    for (index, level) in levels.iter().enumerate() {
        check_level(&format!("participantMixerLevels[{index}]"), level)?;
    }
    service.change(|world, now| {
        let call = request.own_group_call(world)?;
        for (path, id) in everybody_in(&levels) {
            check::participant(world, call, &path, id)?;
        }
        let call = call.id.clone();
        let begun = world.configure_mixer(&call, client_context, now);
        let operation = begun.ok_or_else(ApiError::too_many_operations)?;
        Ok(request.operation_reply(StatusCode::OK, &call, &operation))
    })
}

fn check_level(path: &str, level: &ParticipantMixerLevel) -> Result<(), ApiError> {
    required(&format!("{path}.participant"), level.participant.as_ref())?;
    if let Some(ducking) = &level.ducking {
        check_ducking(&format!("{path}.ducking"), ducking)?;
    }
    for (index, source) in level.source_levels.iter().enumerate() {
        check_source(&format!("{path}.sourceLevels[{index}]"), source, level.ducking.is_some())?;
    }
    Ok(())
}

fn check_ducking(path: &str, ducking: &AudioDuckingConfiguration) -> Result<(), ApiError> {
    for (member, value, most) in [
        ("rampActive", ducking.ramp_active, MAX_RAMP),
        ("rampInactive", ducking.ramp_inactive, MAX_RAMP),
        ("lowerLevel", ducking.lower_level, WHOLE),
        ("upperLevel", ducking.upper_level, WHOLE),
    ] {
        let path = format!("{path}.{member}");
        let value = required(&path, value)?;
        if !(0..=most).contains(&value) {
            return Err(ApiError::invalid(format!("{path} must be between 0 and {most}.")).about(path));
        }
    }
    if ducking.lower_level > ducking.upper_level {
        let path = format!("{path}.lowerLevel");
        return Err(ApiError::invalid(format!("{path} must not be above upperLevel.")).about(path));
    }
    Ok(())
}

fn check_source(path: &str, source: &AudioSourceLevel, has_ducking: bool) -> Result<(), ApiError> {
    required(&format!("{path}.participant"), source.participant.as_ref())?;
    let level_path = format!("{path}.level");
    if required(&level_path, source.level)? < 0 {
        return Err(ApiError::invalid(format!("{level_path} must not be negative.")).about(level_path));
    }
    if source.duck_others == Some(true) && !has_ducking {
        let path = format!("{path}.duckOthers");
        return Err(ApiError::invalid(format!("{path} needs a ducking configuration.")).about(path));
    }
    Ok(())
}

fn required<T>(path: &str, value: Option<T>) -> Result<T, ApiError> {
    value.ok_or_else(|| ApiError::invalid(format!("{path} is required.")).about(path))
}

/// Every participant named, with where.
fn everybody_in(levels: &[ParticipantMixerLevel]) -> impl Iterator<Item = (String, &ParticipantId)> {
    levels.iter().enumerate().flat_map(|(index, level)| {
        let path = format!("participantMixerLevels[{index}]");
        let sources = level.source_levels.iter().enumerate().map({
            let path = path.clone();
            move |(index, source)| (format!("{path}.sourceLevels[{index}].participant"), source.participant.as_ref())
        });
        let named = std::iter::once((format!("{path}.participant"), level.participant.as_ref())).chain(sources);
        named.filter_map(|(path, id)| Some((path, id?)))
    })
}
