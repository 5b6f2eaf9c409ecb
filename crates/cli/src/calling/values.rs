//! Values of Graph as they are typed: people, keys, members of enumerations.
//!
//! Owns their text forms. A word that Graph does not declare is refused here, with those it does; `--body` can carry
//! anything. Pure.

use std::fmt::Display;

use antiphon_graph::{
    CallDisposition, CallOptions, DetectionSeverity, Identity, IdentitySet, InvitationParticipantInfo, MediaPrompt,
    Modality, Prompt, RecordingStatus, RejectReason, RoutingMode, RoutingPolicy, ScreenSharingRole, Tone,
};
use clap::Args;

/// Somebody who can be called, written `user:ID`, `phone:+15550100`, `app:ID`; a bare id is a user, a bare number a phone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Person(pub(crate) Box<IdentitySet>);

impl Person {
    /// Reads the text form.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let usage =
            || format!("write user:ID (or user:ID@TENANT), phone:+15550100, app:ID or instance:ID, not {text:?}");
        let (kind, id) = match text.split_once(':') {
            Some(pair) => pair,
            None if text.starts_with('+') => ("phone", text),
            None => ("user", text),
        };
        if id.is_empty() {
            return Err(usage());
        }
        let set = match kind.to_ascii_lowercase().as_str() {
            "user" => {
                let (id, tenant) = id.split_once('@').map_or((id, None), |(id, tenant)| (id, Some(tenant.to_owned())));
                IdentitySet::of_user(Identity { tenant_id: tenant, ..Identity::of(id) })
            }
            "phone" => IdentitySet { phone: Some(Identity::of(id)), ..IdentitySet::default() },
            "app" => IdentitySet::of_application(Identity::of(id)),
            "instance" => IdentitySet { application_instance: Some(Identity::of(id)), ..IdentitySet::default() },
            _ => return Err(usage()),
        };
        Ok(Self(Box::new(set)))
    }

    /// To be called or invited.
    pub(crate) fn invited(&self) -> InvitationParticipantInfo {
        InvitationParticipantInfo::of((*self.0).clone())
    }
}

/// Keys, written as on the telephone (`12*#`) or by name (`tone1,star`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Keys(pub(crate) Vec<Tone>);

impl Keys {
    /// Reads either form.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let as_keys: Option<Vec<Tone>> = text.chars().map(key).collect();
        let by_name = || text.split([',', ' ']).filter(|name| !name.is_empty()).map(tone).collect();
        let keys = as_keys.map_or_else(by_name, Ok)?;
        if keys.is_empty() { Err("name at least one key".to_owned()) } else { Ok(Self(keys)) }
    }
}

fn key(key: char) -> Option<Tone> {
    Some(match key {
        '0'..='9' => Tone::parse(&format!("tone{key}")),
        '*' => Tone::Star,
        '#' => Tone::Pound,
        'A' => Tone::A,
        'B' => Tone::B,
        'C' => Tone::C,
        'D' => Tone::D,
        _ => return None,
    })
}

/// A member that Graph declares, or which there are.
fn declared<T: Clone + Display + PartialEq>(parsed: T, all: &[T]) -> Result<T, String> {
    let meant = |member: &&T| !matches!(member.to_string().as_str(), "unknown" | "unknownFutureValue");
    if all.iter().filter(meant).any(|member| *member == parsed) {
        return Ok(parsed);
    }
    let names: Vec<_> = all.iter().filter(meant).map(ToString::to_string).collect();
    Err(format!("choose {}", names.join(", ")))
}

macro_rules! parsers {
    ($($function:ident: $kind:ident),+ $(,)?) => {
        $(pub(crate) fn $function(text: &str) -> Result<$kind, String> {
            declared($kind::parse(text), $kind::ALL)
        })+
    };
}

parsers! {
    modality: Modality,
    reject_reason: RejectReason,
    recording_status: RecordingStatus,
    screen_sharing_role: ScreenSharingRole,
    call_disposition: CallDisposition,
    routing_policy: RoutingPolicy,
    routing_mode: RoutingMode,
    severity: DetectionSeverity,
    tone: Tone,
}

/// Files to play, by URL.
pub(crate) fn prompts(uris: &[String]) -> Vec<Prompt> {
    uris.iter().map(|uri| Prompt::from(MediaPrompt::of(uri))).collect()
}

/// What recognises an operation.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ContextOption {
    /// Text to recognise the operation by in its notification, at most 256 characters.
    #[arg(long, value_name = "TEXT")]
    pub(crate) client_context: Option<String>,
}

/// What the bot wants to be told about a call.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct NotificationOptions {
    /// Ask for roster changes instead of whole rosters.
    #[arg(long)]
    delta_roster: bool,

    /// With --delta-roster, leave view-only attendees out.
    #[arg(long)]
    interactive_roster: bool,

    /// Ask for notifications of content sharing.
    #[arg(long)]
    content_sharing: bool,

    /// Hide the bot once a peer-to-peer call has become a group call.
    #[arg(long)]
    hide_bot_after_escalation: bool,
}

impl NotificationOptions {
    /// The options, if any is set.
    pub(crate) fn call_options(&self) -> Option<CallOptions> {
        let options = CallOptions {
            is_delta_roster_enabled: self.delta_roster.then_some(true),
            is_interactive_roster_enabled: self.interactive_roster.then_some(true),
            is_content_sharing_notification_enabled: self.content_sharing.then_some(true),
            hide_bot_after_escalation: self.hide_bot_after_escalation.then_some(true),
            ..CallOptions::default()
        };
        (options != CallOptions::default()).then_some(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_read_by_kind() {
        let person = |text: &str| Person::parse(text).map(|person| *person.0);
        let id = |identity: Option<Identity>| identity.and_then(|identity| identity.id);
        assert_eq!(id(person("2784").unwrap().user).as_deref(), Some("2784"));
        assert_eq!(id(person("USER:2784").unwrap().user).as_deref(), Some("2784"));
        assert_eq!(person("user:2784@t").unwrap().user.unwrap().tenant_id.as_deref(), Some("t"));
        assert_eq!(id(person("+15550100").unwrap().phone).as_deref(), Some("+15550100"));
        assert_eq!(id(person("phone:+15550100").unwrap().phone).as_deref(), Some("+15550100"));
        assert_eq!(id(person("app:a").unwrap().application).as_deref(), Some("a"));
        assert_eq!(id(person("instance:a").unwrap().application_instance).as_deref(), Some("a"));
        for wrong in ["", "user:", "fax:1", ":x"] {
            assert!(Person::parse(wrong).unwrap_err().contains("user:ID"), "{wrong}");
        }
    }

    #[test]
    fn keys_are_read_as_pressed_and_by_name() {
        let keys = |text: &str| Keys::parse(text).map(|keys| keys.0);
        assert_eq!(keys("10*#D"), Ok(vec![Tone::Tone1, Tone::Tone0, Tone::Star, Tone::Pound, Tone::D]));
        assert_eq!(keys("tone1, star,flash"), Ok(vec![Tone::Tone1, Tone::Star, Tone::Flash]));
        for wrong in ["", "1x", "tone11", ","] {
            assert!(keys(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn undeclared_words_are_refused_with_those_that_are() {
        assert_eq!(modality("VIDEO"), Ok(Modality::Video));
        for wrong in ["smell", "unknown", "unknownFutureValue"] {
            let error = modality(wrong).unwrap_err();
            assert!(error.contains("videoBasedScreenSharing") && !error.contains("unknown"), "{error}");
        }
    }
}
