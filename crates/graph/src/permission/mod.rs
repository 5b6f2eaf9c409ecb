//! Which application permission each calling endpoint needs.
//!
//! The whole published matrix as data (`data/permissions.csv`, which says its
//! date and page), the permissions themselves, and the rules the matrix cannot
//! express: what creating a call needs by scenario, and app-hosted media.
//! Delegated access is not supported anywhere in this API.
//! Spec: <https://learn.microsoft.com/graph/permissions-reference>.

mod matrix;
pub use matrix::{Enforcement, Row, required, rows};
mod rules;
pub use rules::{CreateScenario, access_media_missing, create_call_missing, joins_as_guest};

use std::fmt;

/// Date of the exported matrix the table was made from.
pub const DATA_DATE: &str = "2026-08-07";

/// The page the data is published on.
pub const DATA_PAGE: &str = "https://learn.microsoft.com/graph/permissions-reference";

/// An application permission (app role) of the calling API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Permission {
    /// `Calls.JoinGroupCalls.Chat`, resource-specific.
    JoinGroupCallsChat,
    /// `Calls.JoinGroupCallAsGuest.All`
    JoinGroupCallAsGuest,
    /// `Calls.JoinGroupCall.All`
    JoinGroupCall,
    /// `Calls.Initiate.All`
    Initiate,
    /// `Calls.InitiateGroupCall.All`
    InitiateGroupCall,
    /// `Calls.AccessMedia.All`
    AccessMedia,
    /// `Calls.AccessMedia.Chat`, resource-specific.
    AccessMediaChat,
    /// `Calls.ReportSyntheticMedia.All`
    ReportSyntheticMedia,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 8] = [
        Self::JoinGroupCallsChat,
        Self::JoinGroupCallAsGuest,
        Self::JoinGroupCall,
        Self::Initiate,
        Self::InitiateGroupCall,
        Self::AccessMedia,
        Self::AccessMediaChat,
        Self::ReportSyntheticMedia,
    ];

    /// The value in the `roles` claim of a token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JoinGroupCallsChat => "Calls.JoinGroupCalls.Chat",
            Self::JoinGroupCallAsGuest => "Calls.JoinGroupCallAsGuest.All",
            Self::JoinGroupCall => "Calls.JoinGroupCall.All",
            Self::Initiate => "Calls.Initiate.All",
            Self::InitiateGroupCall => "Calls.InitiateGroupCall.All",
            Self::AccessMedia => "Calls.AccessMedia.All",
            Self::AccessMediaChat => "Calls.AccessMedia.Chat",
            Self::ReportSyntheticMedia => "Calls.ReportSyntheticMedia.All",
        }
    }

    /// The app role id of the permission in the Graph service principal.
    pub const fn app_role_id(self) -> uuid::Uuid {
        uuid::Uuid::from_u128(match self {
            Self::JoinGroupCallsChat => 0xa01e73f1_94da_4f6d_9b73_02e4ea65560b,
            Self::JoinGroupCallAsGuest => 0xfd7ccf6b_3d28_418b_9701_cd10f5cd2fd4,
            Self::JoinGroupCall => 0xf6b49018_60ab_4f81_83bd_22caeabfed2d,
            Self::Initiate => 0x284383ee_7f6e_4e40_a2a8_e85dcb029101,
            Self::InitiateGroupCall => 0x4c277553_8a09_487b_8023_29ee378d8324,
            Self::AccessMedia => 0xa7a681dc_756e_4909_b988_f160edc6655f,
            Self::AccessMediaChat => 0xe716890c_c30a_4ac3_a0e3_551e7d9e8deb,
            Self::ReportSyntheticMedia => 0x050b0d28_840a_4ff6_bdf9_cc6221acbc1f,
        })
    }

    /// The name shown to the admin who consents; resource-specific ones have none.
    pub const fn display_name(self) -> Option<&'static str> {
        match self {
            Self::JoinGroupCallsChat | Self::AccessMediaChat => None,
            Self::JoinGroupCallAsGuest => Some("Join group calls and meetings as a guest"),
            Self::JoinGroupCall => Some("Join group calls and meetings as an app"),
            Self::Initiate => Some("Initiate outgoing 1 to 1 calls from the app"),
            Self::InitiateGroupCall => Some("Initiate outgoing group calls from the app"),
            Self::AccessMedia => Some("Access media streams in a call as an app"),
            Self::ReportSyntheticMedia => Some("Report synthetic media detections in calls"),
        }
    }

    /// Whether it is granted by a chat or meeting instead of a tenant.
    pub const fn is_resource_specific(self) -> bool {
        matches!(self, Self::JoinGroupCallsChat | Self::AccessMediaChat)
    }

    /// Reads a role name, ignoring case; older spellings are understood.
    pub fn parse(name: &str) -> Option<Self> {
        let name = match name.to_ascii_lowercase().as_str() {
            "calls.joingroupcalls.all" => Self::JoinGroupCall.name(),
            "calls.initiategroupcalls.all" => Self::InitiateGroupCall.name(),
            "calls.joingroupcallsasguest.all" => Self::JoinGroupCallAsGuest.name(),
            _ => name,
        };
        Self::ALL.into_iter().find(|permission| permission.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_names_read_in_any_case_and_in_older_spellings() {
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.name()), Some(permission));
            assert_eq!(Permission::parse(&permission.name().to_uppercase()), Some(permission));
        }
        assert_eq!(Permission::parse("Calls.JoinGroupCallasGuest.All"), Some(Permission::JoinGroupCallAsGuest));
        assert_eq!(Permission::parse("Calls.JoinGroupCalls.All"), Some(Permission::JoinGroupCall));
        assert_eq!(Permission::parse("User.Read"), None);
    }
}
