//! Applications, users and meetings to begin with, as a file or a flag says them.
//!
//! Owns their members, the same in both forms, and what each may hold: a wrong one is refused where it stands. A flag is
//! written `name=value,name=value`; lists are joined by `+`. Pure.

use std::fmt;

use antiphon_emulator::{Answering, AnsweringAction, Consent, NewApp, NewMeeting, NewUser};
use antiphon_graph::permission::Permission;
use serde::de::{DeserializeOwned, Error as _, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer};
use toml::{Table, Value};

use crate::connection::shown;

/// An application to register.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct AppEntry {
    /// Client id.
    #[serde(default, deserialize_with = "guid")]
    id: Option<String>,
    /// Client secret.
    #[serde(default)]
    secret: Option<Hidden>,
    /// Name shown in rosters.
    #[serde(default)]
    name: Option<String>,
    /// What it asks for.
    #[serde(default)]
    permissions: Vec<PermissionName>,
    /// What its tenant's administrator consents to.
    #[serde(default)]
    consent: ConsentEntry,
    /// Where calls to it are announced.
    #[serde(default, deserialize_with = "url")]
    webhook: Option<String>,
    /// Whether it is registered as a calling bot.
    #[serde(default = "yes")]
    calling: bool,
}

/// A person who can be called, and who calls.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct UserEntry {
    name: String,
    /// Object id.
    #[serde(default, deserialize_with = "guid")]
    id: Option<String>,
    /// Telephone number.
    #[serde(default)]
    phone: Option<String>,
    /// What happens on a call: answer, reject, busy, ring, unreachable or forward.
    #[serde(default)]
    answering: Option<Action>,
    /// After ringing for so long.
    #[serde(default)]
    after_ms: Option<u64>,
    /// Hangs up so long after answering.
    #[serde(default)]
    hang_up_after_ms: Option<u64>,
    /// Where `forward` goes.
    #[serde(default, deserialize_with = "guid")]
    forward_to: Option<String>,
}

/// A meeting to open.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct MeetingEntry {
    #[serde(default)]
    subject: Option<String>,
    /// A user's object id.
    #[serde(default, deserialize_with = "guid")]
    organizer: Option<String>,
    /// Whether guests wait until somebody lets them in.
    #[serde(default)]
    lobby: bool,
    /// Whether joining by meeting id needs a passcode.
    #[serde(default = "yes")]
    passcode: bool,
}

/// A text that no error and no log may show.
#[derive(Clone, PartialEq)]
pub(crate) struct Hidden(String);

/// A calling permission, by any of its spellings.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PermissionName(Permission);

/// `true`: to all that is asked for; `false`: to nothing; or to a list.
#[derive(Clone, Debug, Default, PartialEq)]
enum ConsentEntry {
    #[default]
    All,
    None,
    To(Vec<PermissionName>),
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Answer,
    Reject,
    Busy,
    Ring,
    Unreachable,
    Forward,
}

impl AppEntry {
    /// From `id=GUID,secret=TEXT,permissions=A+B,...`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        from_pairs(text, &["permissions", "consent"], &["consent", "calling"])
    }

    /// With everything consented to.
    pub(crate) fn of(id: &str, secret: &str, permissions: &[Permission]) -> Self {
        Self {
            id: Some(id.to_owned()),
            secret: Some(Hidden(secret.to_owned())),
            name: None,
            permissions: permissions.iter().copied().map(PermissionName).collect(),
            consent: ConsentEntry::All,
            webhook: None,
            calling: true,
        }
    }

    /// What to register.
    pub(crate) fn registration(&self) -> NewApp {
        NewApp {
            display_name: self.name.clone().unwrap_or_else(|| "seeded application".to_owned()),
            app_id: self.id.clone(),
            client_secret: self.secret.clone().map(Hidden::into_inner),
            permissions: names(&self.permissions),
            without_calling: !self.calling,
            webhook_url: self.webhook.clone(),
            ..NewApp::default()
        }
    }

    /// What is consented to, if anything.
    pub(crate) fn consent(&self) -> Option<Consent> {
        match &self.consent {
            ConsentEntry::All => Some(Consent::default()),
            ConsentEntry::None => None,
            ConsentEntry::To(list) => Some(Consent { permissions: Some(names(list)), ..Consent::default() }),
        }
    }
}

impl UserEntry {
    /// From `name=TEXT,id=GUID,answering=reject,...`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let user: Self = from_pairs(text, &[], &[])?;
        user.check().map(|()| user)
    }

    /// What no member says by itself.
    pub(crate) fn check(&self) -> Result<(), String> {
        match (self.answering, &self.forward_to) {
            (Some(Action::Forward), None) => Err("answering forward needs forward-to".to_owned()),
            (Some(Action::Forward), Some(_)) | (_, None) => Ok(()),
            (_, Some(_)) => Err("forward-to goes with answering forward only".to_owned()),
        }
    }

    /// Whom to add.
    pub(crate) fn user(&self) -> NewUser {
        let usual = Answering::default();
        let answering = Answering {
            action: match self.answering {
                None | Some(Action::Answer) => AnsweringAction::Answer,
                Some(Action::Reject) => AnsweringAction::Reject,
                Some(Action::Busy) => AnsweringAction::Busy,
                Some(Action::Ring) => AnsweringAction::Ring,
                Some(Action::Unreachable) => AnsweringAction::Unreachable,
                Some(Action::Forward) => AnsweringAction::Forward,
            },
            after_ms: self.after_ms.unwrap_or(usual.after_ms),
            hang_up_after_ms: self.hang_up_after_ms,
            forward_to: self.forward_to.clone(),
        };
        NewUser {
            display_name: self.name.clone(),
            id: self.id.clone(),
            phone_number: self.phone.clone(),
            answering,
            ..NewUser::default()
        }
    }
}

impl MeetingEntry {
    /// From `subject=TEXT,lobby=true,...`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        from_pairs(text, &[], &["lobby", "passcode"])
    }

    /// One of a subject.
    pub(crate) fn of(subject: &str) -> Self {
        Self { subject: Some(subject.to_owned()), organizer: None, lobby: false, passcode: true }
    }

    /// What to open.
    pub(crate) fn meeting(&self) -> NewMeeting {
        NewMeeting {
            subject: self.subject.clone(),
            organizer_id: self.organizer.clone(),
            without_passcode: !self.passcode,
            lobby: self.lobby,
        }
    }
}

fn names(permissions: &[PermissionName]) -> Vec<String> {
    permissions.iter().map(|permission| permission.0.name().to_owned()).collect()
}

fn yes() -> bool {
    true
}

/// Reads `name=value,name=value`; `lists` are split at `+`, only `switches` can be true or false.
///
/// Any value may be a secret with a comma in it, so no error tells a value, nor a name that no member could have.
fn from_pairs<T: DeserializeOwned>(text: &str, lists: &[&str], switches: &[&str]) -> Result<T, String> {
    let mut table = Table::new();
    for (pair, index) in text.split(',').zip(1..).filter(|(pair, _)| !pair.is_empty()) {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| format!("write name=value,name=value: pair {index} has no `=`"))?;
        let name = name.trim();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
            return Err(format!("write name=value,name=value: what stands before the `=` of pair {index} is no name"));
        }
        let value = match value {
            "true" | "yes" if switches.contains(&name) => Value::Boolean(true),
            "false" | "no" if switches.contains(&name) => Value::Boolean(false),
            _ if lists.contains(&name) => {
                Value::Array(value.split('+').filter(|one| !one.is_empty()).map(Value::from).collect())
            }
            _ if name.ends_with("-ms") => value.parse::<i64>().map_or_else(|_| Value::from(value), Value::Integer),
            _ => Value::from(value),
        };
        if table.insert(name.to_owned(), value).is_some() {
            return Err(format!("{name} is given twice"));
        }
    }
    table.try_into().map_err(|error: toml::de::Error| error.to_string().replace('\n', " ").trim().to_owned())
}

impl Hidden {
    /// The text itself.
    pub(crate) fn into_inner(self) -> String {
        self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("must be a text in quotes")),
        }
    }
}

fn guid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match uuid::Uuid::try_parse(&text) {
        Ok(id) => Ok(Some(id.to_string())),
        Err(_) => Err(D::Error::custom(format_args!("{text:?} is not a GUID"))),
    }
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match reqwest::Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "https" | "http") && url.has_host() => Ok(Some(text)),
        _ => Err(D::Error::custom(format_args!("{:?} is no absolute URL", shown(&text)))),
    }
}

impl<'de> Deserialize<'de> for PermissionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = Permission::parse(&text).map(Self);
        known.ok_or_else(|| {
            D::Error::custom(format_args!("{text:?} is no calling permission; `antiphon permissions` lists them"))
        })
    }
}

impl<'de> Deserialize<'de> for ConsentEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllOrSome;
        impl<'de> Visitor<'de> for AllOrSome {
            type Value = ConsentEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a list of permissions")
            }

            fn visit_bool<E>(self, all: bool) -> Result<ConsentEntry, E> {
                Ok(if all { ConsentEntry::All } else { ConsentEntry::None })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<ConsentEntry, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(ConsentEntry::To)
            }
        }
        deserializer.deserialize_any(AllOrSome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "2d2f1a4e-0000-4000-8000-000000000001";

    #[test]
    fn an_app_is_read_from_a_flag_with_all_its_members() {
        let text = format!(
            "id={ID},secret=s=cret~,name=My bot,permissions=calls.joingroupcall.all+Calls.AccessMedia.All,\
             consent=Calls.AccessMedia.All,webhook=https://127.0.0.1:9443/api/calls?x=1,calling=no"
        );
        let app = AppEntry::parse(&text).expect("valid");
        let new = app.registration();
        assert_eq!((new.app_id.as_deref(), new.client_secret.as_deref()), (Some(ID), Some("s=cret~")));
        assert_eq!(new.permissions, ["Calls.JoinGroupCall.All", "Calls.AccessMedia.All"]);
        assert_eq!(new.webhook_url.as_deref(), Some("https://127.0.0.1:9443/api/calls?x=1"));
        assert!(new.without_calling);
        let consent = app.consent().expect("some").permissions.expect("a list");
        assert_eq!(consent, ["Calls.AccessMedia.All"]);
    }

    #[test]
    fn consent_is_to_all_unless_said_otherwise() {
        let consent = |text: &str| AppEntry::parse(text).expect(text).consent().map(|consent| consent.permissions);
        assert_eq!(consent("permissions=Calls.Initiate.All"), Some(None));
        assert_eq!(consent("consent=true"), Some(None));
        assert_eq!(consent("consent=no"), None);
    }

    #[test]
    fn users_and_meetings_are_read_from_flags() {
        let user =
            UserEntry::parse("name=Ada,phone=+15550100,answering=busy,after-ms=20,hang-up-after-ms=5").expect("valid");
        let new = user.user();
        assert_eq!((new.display_name.as_str(), new.phone_number.as_deref()), ("Ada", Some("+15550100")));
        assert_eq!((new.answering.action, new.answering.after_ms), (AnsweringAction::Busy, 20));
        assert_eq!(new.answering.hang_up_after_ms, Some(5));
        assert_eq!(UserEntry::parse("name=1984").expect("valid").user().answering, Answering::default());
        let meeting = MeetingEntry::parse("subject=Standup,lobby=yes,passcode=no").expect("valid").meeting();
        assert_eq!(
            (meeting.subject.as_deref(), meeting.lobby, meeting.without_passcode),
            (Some("Standup"), true, true)
        );
    }

    #[test]
    fn each_wrong_member_is_named() {
        let app = |text: &str| AppEntry::parse(text).unwrap_err();
        let user = |text: &str| UserEntry::parse(text).unwrap_err();
        for (error, hints) in [
            (app("id=1"), ["id", "not a GUID"]),
            (app("permissions=Calls.Fly.All"), ["permissions", "antiphon permissions"]),
            (app("consent=Mail.Read"), ["consent", "no calling permission"]),
            (app("consent=3"), ["consent", "no calling permission"]),
            (app("webhook=here"), ["webhook", "no absolute URL"]),
            (app("sceret=x"), ["sceret", "expected one of"]),
            (app("secret"), ["name=value", "pair 1"]),
            (app("name=A,Sceret=x"), ["name=value", "pair 2"]),
            (app("id=1,id=2"), ["id", "twice"]),
            (user("id=1"), ["id", "not a GUID"]),
            (user("phone=1"), ["name", "missing"]),
            (user("name=A,answering=shout"), ["answering", "unreachable"]),
            (user("name=A,after-ms=soon"), ["after-ms", "u64"]),
            (user("name=A,answering=forward"), ["answering forward", "forward-to"]),
            (user("name=A,forward-to=2d2f1a4e-0000-4000-8000-000000000001"), ["forward-to", "only"]),
        ] {
            for hint in hints {
                assert!(error.contains(hint), "{hint}: {error}");
            }
        }
    }

    #[test]
    fn no_error_tells_a_secret() {
        let typo = AppEntry::parse("secret=hush,typo=x").unwrap_err();
        assert!(typo.contains("typo") && typo.contains("expected one of"), "{typo}");
        for text in [
            "secret=hush,typo=x",
            "secret=a,hush",
            "secret=a,hush~1=b",
            "secret=hush,id=1",
            "secret=hush,secret=hush",
            "secret=hush,calling=maybe",
            "webhook=https//user:hush@x",
        ] {
            let error = AppEntry::parse(text).unwrap_err();
            assert!(!error.contains("hush"), "{text}: {error}");
        }
        let app = AppEntry::parse("secret=hush").expect("valid");
        assert!(!format!("{app:?}").contains("hush"));
    }

    #[test]
    fn only_switches_are_true_or_false() {
        let app = AppEntry::parse("secret=yes,name=true,consent=no,calling=false").expect("valid");
        let new = app.registration();
        assert_eq!((new.client_secret.as_deref(), new.display_name.as_str()), (Some("yes"), "true"));
        assert!(new.without_calling && app.consent().is_none());
        assert_eq!(UserEntry::parse("name=no").expect("valid").user().display_name, "no");
        let meeting = MeetingEntry::parse("subject=false,lobby=true").expect("valid").meeting();
        assert_eq!((meeting.subject.as_deref(), meeting.lobby), (Some("false"), true));
    }
}
