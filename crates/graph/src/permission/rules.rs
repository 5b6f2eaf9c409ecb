//! Permission rules the matrix cannot express: they depend on the request's body.
//!
//! Creating a call needs one permission by scenario, and app-hosted media one
//! more. Pure functions of body and roles.
//! Spec: <https://learn.microsoft.com/graph/api/application-post-calls>.

use super::Permission;
use crate::{Call, MediaConfig};

/// What a create request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CreateScenario {
    /// Meeting info is present.
    Join,
    /// No meeting info, one target.
    PeerToPeer,
    /// No meeting info, two or more targets.
    GroupCall,
}

impl CreateScenario {
    /// The scenario of a create request.
    pub fn of(call: &Call) -> Self {
        let targets = call.targets.as_ref().map_or(0, Vec::len);
        match (&call.meeting_info, targets) {
            (Some(_), _) => Self::Join,
            (None, 0 | 1) => Self::PeerToPeer,
            (None, _) => Self::GroupCall,
        }
    }

    /// The permissions any one of which suffices, least privileged first.
    pub const fn sufficient(self) -> &'static [Permission] {
        match self {
            Self::Join => {
                &[Permission::JoinGroupCallsChat, Permission::JoinGroupCallAsGuest, Permission::JoinGroupCall]
            }
            Self::PeerToPeer => &[Permission::Initiate],
            Self::GroupCall => &[Permission::InitiateGroupCall],
        }
    }
}

/// What a create request lacks with these roles: the permissions any one of
/// which would do, or `None` if it may go on.
///
/// Checks the scenario first and app-hosted media after it.
pub fn create_call_missing(call: &Call, roles: &[Permission]) -> Option<&'static [Permission]> {
    let sufficient = CreateScenario::of(call).sufficient();
    if !sufficient.iter().any(|permission| roles.contains(permission)) {
        return Some(sufficient);
    }
    access_media_missing(call.media_config.as_ref(), roles)
}

/// Whether an app with these roles can join meetings only as an anonymous guest, whatever it says of itself.
pub fn joins_as_guest(roles: &[Permission]) -> bool {
    roles.contains(&Permission::JoinGroupCallAsGuest)
        && !roles.iter().any(|role| matches!(role, Permission::JoinGroupCall | Permission::JoinGroupCallsChat))
}

/// What a create or answer request lacks for its media, as above.
pub fn access_media_missing(media: Option<&MediaConfig>, roles: &[Permission]) -> Option<&'static [Permission]> {
    const SUFFICIENT: &[Permission] = &[Permission::AccessMedia, Permission::AccessMediaChat];
    let app_hosted = matches!(media, Some(MediaConfig::AppHosted(_)));
    let has = SUFFICIENT.iter().any(|permission| roles.contains(permission));
    (app_hosted && !has).then_some(SUFFICIENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AppHostedMediaConfig, InvitationParticipantInfo, ServiceHostedMediaConfig, TokenMeetingInfo};

    fn call(meeting: bool, targets: usize, app_hosted: bool) -> Call {
        Call {
            meeting_info: meeting.then(|| TokenMeetingInfo { token: "t".into(), ..Default::default() }.into()),
            targets: Some(vec![InvitationParticipantInfo::default(); targets]),
            media_config: Some(if app_hosted {
                AppHostedMediaConfig::default().into()
            } else {
                ServiceHostedMediaConfig::default().into()
            }),
            ..Call::default()
        }
    }

    #[test]
    fn each_scenario_needs_its_own_permission() {
        use Permission as P;
        for (meeting, targets, enough, lacking) in [
            (true, 0, P::JoinGroupCall, P::Initiate),
            (true, 0, P::JoinGroupCallAsGuest, P::InitiateGroupCall),
            (true, 0, P::JoinGroupCallsChat, P::AccessMedia),
            (false, 1, P::Initiate, P::InitiateGroupCall),
            (false, 2, P::InitiateGroupCall, P::Initiate),
        ] {
            let call = call(meeting, targets, false);
            assert_eq!(create_call_missing(&call, &[enough]), None);
            assert!(create_call_missing(&call, &[lacking]).unwrap().contains(&enough));
        }
    }

    #[test]
    fn whoever_may_join_as_a_guest_only_joins_as_one() {
        use Permission as P;
        assert!(joins_as_guest(&[P::JoinGroupCallAsGuest, P::AccessMedia]));
        for roles in [&[P::JoinGroupCallAsGuest, P::JoinGroupCall][..], &[P::JoinGroupCallsChat], &[]] {
            assert!(!joins_as_guest(roles), "{roles:?}");
        }
    }

    #[test]
    fn app_hosted_media_needs_access_media_as_well() {
        use Permission as P;
        let call = call(true, 0, true);
        let missing = create_call_missing(&call, &[P::JoinGroupCall]).unwrap();
        assert_eq!(missing, [P::AccessMedia, P::AccessMediaChat]);
        assert_eq!(create_call_missing(&call, &[P::JoinGroupCall, P::AccessMedia]), None);
        assert_eq!(create_call_missing(&call, &[P::JoinGroupCallsChat, P::AccessMediaChat]), None);
    }
}
