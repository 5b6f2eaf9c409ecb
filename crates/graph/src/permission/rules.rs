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
    /// Meeting info is present, and the source is a guest.
    JoinAsGuest,
    /// No meeting info, one target.
    PeerToPeer,
    /// No meeting info, two or more targets.
    GroupCall,
}

impl CreateScenario {
    /// The scenario of a create request.
    pub fn of(call: &Call) -> Self {
        let targets = call.targets.as_ref().map_or(0, Vec::len);
        let source = call.source.as_ref().and_then(|source| source.identity.as_ref());
        match (&call.meeting_info, targets) {
            (Some(_), _) if source.is_some_and(|identity| identity.guest.is_some()) => Self::JoinAsGuest,
            (Some(_), _) => Self::Join,
            (None, 0 | 1) => Self::PeerToPeer,
            (None, _) => Self::GroupCall,
        }
    }

    /// The permissions any one of which suffices, least privileged first.
    pub const fn sufficient(self) -> &'static [Permission] {
        match self {
            Self::Join => &[Permission::JoinGroupCallsChat, Permission::JoinGroupCall],
            Self::JoinAsGuest => {
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
            (true, 0, P::JoinGroupCall, P::JoinGroupCallAsGuest),
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
    fn permission_of_guests_suffices_for_guests_only() {
        use crate::{Identity, IdentitySet, ParticipantInfo};
        let guest = IdentitySet::of_guest(Identity::of("3f0c4b7e-9f1c-4f5b-8c55-0d7a5c2b9f10"));
        let as_guest = Call { source: Some(ParticipantInfo::of(guest)), ..call(true, 0, false) };
        assert_eq!(create_call_missing(&as_guest, &[Permission::JoinGroupCallAsGuest]), None);
        assert!(create_call_missing(&call(true, 0, false), &[Permission::JoinGroupCallAsGuest]).is_some());
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
