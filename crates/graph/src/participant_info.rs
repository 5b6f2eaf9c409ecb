//! `participantInfo` and `invitationParticipantInfo`: who takes part, or shall.
//!
//! The first describes somebody in a call, the second somebody to be called.
//! Spec: <https://learn.microsoft.com/graph/api/resources/participantinfo>, <https://learn.microsoft.com/graph/api/resources/invitationparticipantinfo>.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, TypeTag, Typed};
use crate::{CallId, EndpointType, IdentitySet, ParticipantId};

/// Who a participant is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantInfo {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentitySet>,
    /// The id in the roster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_id: Option<ParticipantId>,
    /// ISO 3166-1 alpha-2 location at the start of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    /// Home region: amer, emea, apac.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_id: Option<String>,
    /// Kind of endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_type: Option<EndpointType>,
    /// Client platform number; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_id: Option<String>,
    /// The identity behind an anonymized one; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_anonymized_identity: Option<IdentitySet>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for ParticipantInfo {
    const TYPE: &'static str = "participantInfo";
}

/// Somebody to be called or invited.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvitationParticipantInfo {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The identity; required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentitySet>,
    /// The id to use in the roster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_id: Option<ParticipantId>,
    /// Hide from the roster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
    /// Join outside the main mixer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove_from_default_audio_routing_group: Option<bool>,
    /// The call the target is in and leaves for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces_call_id: Option<CallId>,
    /// Kind of endpoint; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_type: Option<EndpointType>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for InvitationParticipantInfo {
    const TYPE: &'static str = "invitationParticipantInfo";
}

impl ParticipantInfo {
    /// The info of an identity.
    pub fn of(identity: IdentitySet) -> Self {
        Self { identity: Some(identity), ..Self::default() }
    }

    /// The name to show, if the identity has one.
    pub fn display_name(&self) -> Option<&str> {
        self.identity.as_ref()?.first()?.display_name.as_deref()
    }
}

impl InvitationParticipantInfo {
    /// The invitation of an identity.
    pub fn of(identity: IdentitySet) -> Self {
        Self { identity: Some(identity), ..Self::default() }
    }
}
