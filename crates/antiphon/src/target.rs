//! Whom to call: the target of a call, an invitation, a transfer or a redirection.

use antiphon_graph::{CallId, EndpointType, Identity, IdentitySet, InvitationParticipantInfo, ParticipantId};

/// Somebody who can be called.
///
/// ```
/// use antiphon::Target;
///
/// let ada = Target::user("112f7296-5fa4-42ca-bae8-6a692b15d4b8").named("Ada").outside_default_group();
/// let office = Target::phone("+15550100");
/// # let _ = (ada, office);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Target(InvitationParticipantInfo);

impl Target {
    /// A user, by object id.
    #[must_use]
    pub fn user(id: impl Into<String>) -> Self {
        Self::identity(IdentitySet::of_user(Identity::of(id)))
    }

    /// An app that takes part in calls, by client id.
    #[must_use]
    pub fn app(id: impl Into<String>) -> Self {
        Self::identity(IdentitySet::of_application(Identity::of(id)))
    }

    /// A telephone, by its number in E.164 form.
    #[must_use]
    pub fn phone(number: impl Into<String>) -> Self {
        Self::identity(IdentitySet { phone: Some(Identity::of(number)), ..IdentitySet::default() })
    }

    /// Anybody else, as Graph describes them.
    #[must_use]
    pub fn identity(identity: IdentitySet) -> Self {
        Self(InvitationParticipantInfo::of(identity))
    }

    /// With a name to show.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        if let Some(IdentitySet { user, application, phone, guest, .. }) = &mut self.0.identity
            && let Some(identity) = [user, application, phone, guest].into_iter().flatten().next()
        {
            identity.display_name = Some(name.into());
        }
        self
    }

    /// Not shown in the roster.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.0.hidden = Some(true);
        self
    }

    /// Out of the default audio group: hears and is heard only through routing groups.
    #[must_use]
    pub fn outside_default_group(mut self) -> Self {
        self.0.remove_from_default_audio_routing_group = Some(true);
        self
    }

    /// Leaves another call of the bot for this one.
    #[must_use]
    pub fn replacing(mut self, call: &CallId) -> Self {
        self.0.replaces_call_id = Some(call.clone());
        self
    }

    /// With this id in the roster.
    #[must_use]
    pub fn with_participant_id(mut self, id: ParticipantId) -> Self {
        self.0.participant_id = Some(id);
        self
    }

    /// Their voicemail instead of themselves (beta).
    #[must_use]
    pub fn voicemail(mut self) -> Self {
        self.0.endpoint_type = Some(EndpointType::Voicemail);
        self
    }

    pub(crate) fn into_info(self) -> InvitationParticipantInfo {
        self.0
    }
}

impl From<InvitationParticipantInfo> for Target {
    fn from(info: InvitationParticipantInfo) -> Self {
        Self(info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_carries_who_and_how() {
        let info = Target::user("ada").named("Ada").hidden().outside_default_group().into_info();
        let user = info.identity.unwrap().user.unwrap();
        assert_eq!((user.id.as_deref(), user.display_name.as_deref()), (Some("ada"), Some("Ada")));
        assert_eq!((info.hidden, info.remove_from_default_audio_routing_group), (Some(true), Some(true)));
        let phone = Target::phone("+1555").named("Office").into_info().identity.unwrap().phone.unwrap();
        assert_eq!((phone.id.as_deref(), phone.display_name.as_deref()), (Some("+1555"), Some("Office")));
    }
}
