//! `identity` and `identitySet`: who somebody is.
//!
//! Both are open. The keys of communications identity sets (phone, guest, ...)
//! arrive as undeclared members of a plain set; here they are declared.
//! Spec: <https://learn.microsoft.com/graph/api/resources/identityset>, <https://learn.microsoft.com/graph/api/resources/communicationsidentityset>.

use serde::{Deserialize, Serialize};

use crate::EndpointType;
use crate::wire::{Extra, TypeTag, Typed};

/// One identity of one kind; the tag says which where the sender says so.
///
/// Holds the members of all the declared kinds: user, application, application
/// instance, guest, phone, encrypted and Azure Communication Services user.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Object id, app id or E.164 number, by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Tenant of a user; undeclared in the metadata, needed on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// For example `AAD`; undeclared in the metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_provider: Option<String>,
    /// Kind of an application; the large gallery spells it `ApplicationType`, see [`Self::application_kind`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_type: Option<String>,
    /// Whether an application is hidden from the roster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
    /// Mail address of a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Resource of a user of Azure Communication Services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_communication_services_resource_id: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for Identity {
    const TYPE: &'static str = "identity";
}

/// An actor, as identities of several kinds; mostly one is present.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentitySet {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// A user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Identity>,
    /// A bot, by app id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Identity>,
    /// A device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Identity>,
    /// The resource account of a bot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_instance: Option<Identity>,
    /// A telephone; `id` is the E.164 number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Identity>,
    /// An anonymous guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Identity>,
    /// A caller whose identity is withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<Identity>,
    /// An on-premises user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises: Option<Identity>,
    /// A user of Azure Communication Services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_communication_services_user: Option<Identity>,
    /// The identity the participant wants to present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asserted_identity: Option<Identity>,
    /// Kind of endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_type: Option<EndpointType>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for IdentitySet {
    const TYPE: &'static str = "identitySet";
}

impl Identity {
    /// An identity of an id only.
    pub fn of(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::default() }
    }

    /// The same with a name to show.
    #[must_use]
    pub fn named(self, display_name: impl Into<String>) -> Self {
        Self { display_name: Some(display_name.into()), ..self }
    }

    /// The kind of an application, in either spelling of the member.
    pub fn application_kind(&self) -> Option<&str> {
        self.application_type.as_deref().or_else(|| self.extra.get("ApplicationType")?.as_str())
    }
}

impl IdentitySet {
    /// The set of one user.
    pub fn of_user(user: Identity) -> Self {
        Self { user: Some(user), ..Self::default() }
    }

    /// The set of one application.
    pub fn of_application(application: Identity) -> Self {
        Self { application: Some(application), ..Self::default() }
    }

    /// The set of one guest.
    pub fn of_guest(guest: Identity) -> Self {
        Self { guest: Some(guest), ..Self::default() }
    }

    /// The first identity present, the most telling kind first.
    pub fn first(&self) -> Option<&Identity> {
        [
            &self.user,
            &self.application,
            &self.application_instance,
            &self.guest,
            &self.phone,
            &self.azure_communication_services_user,
            &self.on_premises,
            &self.device,
            &self.asserted_identity,
            &self.encrypted,
        ]
        .into_iter()
        .find_map(Option::as_ref)
    }
}
