//! Audio routing groups of calls, kept in step with the engine's routes.
//!
//! Part of [`World`]. A request is checked whole and the engine asked before anything is stored, so an error changes
//! nothing. A member who leaves is dropped from groups; the groups stay, as long as their call.

use antiphon_graph::{AudioRoutingGroup, AudioRoutingGroupUpdate, CallId, ParticipantId};
use thiserror::Error;
use uuid::Uuid;

use super::World;
use crate::call::Call;
use crate::meeting::{GroupRuleError, MediaError, Meeting, MeetingId, check_group};

/// Most groups of one call.
const MAX_GROUPS: usize = 256;

/// Why a routing group was not changed.
#[derive(Debug, Error)]
pub(crate) enum GroupError {
    #[error("Call not found.")]
    NoCall,
    #[error("There is no audioRoutingGroup {0:?} in this call.")]
    NoGroup(String),
    #[error("An audioRoutingGroup {0:?} already exists in this call.")]
    Duplicate(String),
    #[error("{0} of an audioRoutingGroup cannot change: delete it and create another.")]
    Fixed(&'static str),
    #[error("A call may have at most {MAX_GROUPS} audioRoutingGroups.")]
    TooMany,
    #[error(transparent)]
    Rule(#[from] GroupRuleError),
    #[error("The routes cannot be set: {0}")]
    Media(#[from] MediaError),
}

impl World {
    /// Creates a group; one without an id gets one.
    ///
    /// # Errors
    ///
    /// [`GroupError`]; nothing has changed then.
    pub(crate) fn create_group(
        &mut self,
        id: &CallId,
        mut group: AudioRoutingGroup,
    ) -> Result<AudioRoutingGroup, GroupError> {
        let (call, meeting) = self.call_and_meeting(id)?;
        let name = group.id.take().filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| Uuid::new_v4().to_string());
        if call.group_index(&name).is_some() {
            return Err(GroupError::Duplicate(name));
        }
        if call.groups.len() >= MAX_GROUPS {
            return Err(GroupError::TooMany);
        }
        group.id = Some(name);
        let group = check(group, meeting)?;
        apply(call, meeting, &group)?;
        self.edit(id, |call| call.groups.push(group.clone()));
        Ok(group)
    }

    /// Changes the receivers of a group; its source and mode too, unless `strict`.
    ///
    /// # Errors
    ///
    /// [`GroupError`]; nothing has changed then.
    pub(crate) fn update_group(
        &mut self,
        id: &CallId,
        name: &str,
        update: AudioRoutingGroupUpdate,
        strict: bool,
    ) -> Result<AudioRoutingGroup, GroupError> {
        let (call, meeting) = self.call_and_meeting(id)?;
        let index = call.group_index(name).ok_or_else(|| GroupError::NoGroup(name.to_owned()))?;
        let mut group = call.groups[index].clone();
        if strict && update.sources.as_ref().is_some_and(|sources| *sources != group.sources) {
            return Err(GroupError::Fixed("sources"));
        }
        if strict && update.routing_mode.as_ref().is_some_and(|mode| *mode != group.routing_mode) {
            return Err(GroupError::Fixed("routingMode"));
        }
        if let Some(receivers) = update.receivers {
            group.receivers = receivers;
        }
        if let Some(sources) = update.sources {
            group.sources = sources;
        }
        if let Some(mode) = update.routing_mode {
            group.routing_mode = mode;
        }
        let group = check(group, meeting)?;
        apply(call, meeting, &group)?;
        self.edit(id, |call| call.groups[index] = group.clone());
        Ok(group)
    }

    /// Deletes a group and its routes.
    ///
    /// # Errors
    ///
    /// [`GroupError::NoGroup`] when there is none of that name.
    pub(crate) fn delete_group(&mut self, id: &CallId, name: &str) -> Result<(), GroupError> {
        let (call, meeting) = self.call_and_meeting(id)?;
        let index = call.group_index(name).ok_or_else(|| GroupError::NoGroup(name.to_owned()))?;
        meeting.media.remove_routing_group(&call.engine_group_name(&call.groups[index]));
        self.edit(id, |call| drop(call.groups.remove(index)));
        Ok(())
    }

    /// Removes the routes of all groups of a call that ends.
    pub(super) fn drop_groups(&mut self, id: &CallId) {
        if let Ok((call, meeting)) = self.call_and_meeting(id) {
            for group in &call.groups {
                meeting.media.remove_routing_group(&call.engine_group_name(group));
            }
        }
        self.edit(id, |call| call.groups.clear());
    }

    /// Drops somebody who left from every group of the meeting.
    pub(super) fn forget_in_groups(&mut self, meeting_id: &MeetingId, gone: &ParticipantId) {
        let Some(meeting) = self.meetings.get(meeting_id) else {
            return;
        };
        for call in self.calls.values_mut().filter(|call| call.meeting == *meeting_id) {
            let mut touched = Vec::new();
            for (index, group) in call.groups.iter_mut().enumerate() {
                let before = group.sources.len() + group.receivers.len();
                group.sources.retain(|id| id != gone);
                group.receivers.retain(|id| id != gone);
                if group.sources.len() + group.receivers.len() != before {
                    touched.push(index);
                }
            }
            for index in touched {
                renew(call, meeting, &call.groups[index]);
            }
        }
    }

    /// Somebody begins or ceases to take part: the routes of every group that names them follow.
    pub(super) fn renew_routes_of(&self, meeting_id: &MeetingId, who: &ParticipantId) {
        let Some(meeting) = self.meetings.get(meeting_id) else {
            return;
        };
        for call in self.calls.values().filter(|call| call.meeting == *meeting_id) {
            let names = |group: &&AudioRoutingGroup| group.sources.contains(who) || group.receivers.contains(who);
            for group in call.groups.iter().filter(names) {
                renew(call, meeting, group);
            }
        }
    }

    fn call_and_meeting(&self, id: &CallId) -> Result<(&Call, &Meeting), GroupError> {
        let call = self.calls.get(id).ok_or(GroupError::NoCall)?;
        let meeting = self.meetings.get(&call.meeting).ok_or(GroupError::NoCall)?;
        Ok((call, meeting))
    }

    fn edit(&mut self, id: &CallId, change: impl FnOnce(&mut Call)) {
        if let Some(call) = self.calls.get_mut(id) {
            change(call);
        }
    }
}

fn check(group: AudioRoutingGroup, meeting: &Meeting) -> Result<AudioRoutingGroup, GroupRuleError> {
    check_group(group, |id| meeting.member(id).map(|member| member.id.clone()))
}

/// As [`apply`], where nobody waits for the outcome.
fn renew(call: &Call, meeting: &Meeting, group: &AudioRoutingGroup) {
    if let Err(error) = apply(call, meeting, group) {
        tracing::warn!(call = %call.id, %error, "routes not renewed after a participant changed");
    }
}

/// Sets a group's routes in the engine, which knows only those with media. Whoever is in the lobby or on hold is not
/// routed.
fn apply(call: &Call, meeting: &Meeting, group: &AudioRoutingGroup) -> Result<(), MediaError> {
    let routed = |ids: &[ParticipantId]| -> Vec<ParticipantId> {
        let takes_part = |id: &&ParticipantId| {
            meeting.member(id).is_some_and(|member| member.source_id.is_some() && member.takes_part())
        };
        ids.iter().filter(takes_part).cloned().collect()
    };
    let name = call.engine_group_name(group);
    let (sources, receivers) = (routed(&group.sources), routed(&group.receivers));
    if sources.is_empty() || receivers.is_empty() {
        meeting.media.remove_routing_group(&name);
        return Ok(());
    }
    meeting.media.set_routing_group(&name, &sources, &receivers)
}
