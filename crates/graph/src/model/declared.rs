//! The declarations themselves, read from `data/model.txt`.
//!
//! Names are looked up exactly, but for actions, whose case paths leave open.
//! Invariant: every kind a member names is declared, every base exists and no
//! type is its own ancestor; a test says so.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::wire::Version;

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    Model::read(include_str!("../../data/model.txt")).expect("invariant: the compiled-in model is well formed")
});

/// Where something is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Declared {
    /// In both versions.
    Both,
    /// In v1.0 only.
    V1,
    /// In beta only.
    Beta,
    /// In reference pages of beta, not in its metadata.
    Pages,
    /// Nowhere, but real traffic has it.
    Seen,
}

impl Declared {
    /// Whether a version has it.
    pub const fn has(self, version: Version) -> bool {
        match self {
            Self::Both => true,
            Self::V1 => matches!(version, Version::V1),
            Self::Beta | Self::Pages => matches!(version, Version::Beta),
            Self::Seen => false,
        }
    }

    fn of_mark(mark: &str) -> Option<Self> {
        Some(match mark {
            "v1.0" => Self::V1,
            "beta" => Self::Beta,
            "pages" => Self::Pages,
            "seen" => Self::Seen,
            _ => return None,
        })
    }
}

/// What a member holds, each item of it if it is a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// A number of 32 bits.
    Int32,
    /// A number of 64 bits.
    Int64,
    /// A number.
    Double,
    /// Text: a GUID.
    Guid,
    /// Text: a point in time.
    DateTimeOffset,
    /// Text: a span of time.
    Duration,
    /// Bytes, got by a path of their own.
    Stream,
    /// Text; an object has been seen.
    Blob,
    /// Any JSON.
    Any,
    /// A member of an enumeration, by its name.
    Enumeration(&'static str),
    /// An object of a type or of one derived from it, by its name.
    Object(&'static str),
}

/// A member of a type, or a parameter of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its name on the wire.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it is a list.
    pub list: bool,
    /// Whether it may be null.
    pub nullable: bool,
    /// Where it is declared, of the versions that have its type or action.
    pub declared: Declared,
}

/// A complex type or an entity type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Type {
    /// Its name, without namespace.
    pub name: &'static str,
    /// The type it is derived from.
    pub base: Option<&'static str>,
    /// Whether it may carry undeclared members.
    pub open: bool,
    /// Whether only derived types occur.
    pub is_abstract: bool,
    /// Where it is declared.
    pub declared: Declared,
    /// Its own members, without those of the base.
    pub own_members: Vec<Member>,
}

impl Type {
    /// Its members, those of its bases last.
    pub fn members(&self) -> impl Iterator<Item = &'static Member> + use<> {
        type_named(self.name).into_iter().flat_map(Self::ancestry).flat_map(|ty| &ty.own_members)
    }

    /// A member a version knows by this name; else as any other version declares it.
    pub fn member(&self, version: Version, name: &str) -> Option<&'static Member> {
        find(self.members().filter(|member| member.name == name), version)
    }

    /// Whether it is a type of that name or derived from it.
    pub fn is_a(&self, name: &str) -> bool {
        type_named(self.name).into_iter().flat_map(Self::ancestry).any(|ty| ty.name == name)
    }

    /// The type, its base, the base of that.
    fn ancestry(&'static self) -> impl Iterator<Item = &'static Self> {
        std::iter::successors(Some(self), |ty| ty.base.and_then(type_named))
    }
}

/// An enumeration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enumeration {
    /// Its name, without namespace.
    pub name: &'static str,
    /// Whether a value may name several members, joined by commas.
    pub flags: bool,
    /// Where it is declared.
    pub declared: Declared,
    /// Its members as they are spelled, and where each is declared.
    pub members: Vec<(&'static str, Declared)>,
}

impl Enumeration {
    /// The member a text names, ignoring case.
    pub fn member(&self, text: &str) -> Option<(&'static str, Declared)> {
        self.members.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).copied()
    }

    /// The enumeration of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        MODEL.enumerations.get(name)
    }
}

/// An action: something posted to a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Action {
    /// Its name, without namespace.
    pub name: &'static str,
    /// The type of the reply, if there is a body.
    pub result: Option<&'static str>,
    /// Where it is declared.
    pub declared: Declared,
    /// Its parameters.
    pub parameters: Vec<Member>,
}

impl Action {
    /// A parameter a version knows by this name; else as any other version declares it.
    pub fn parameter(&'static self, version: Version, name: &str) -> Option<&'static Member> {
        find(self.parameters.iter().filter(|parameter| parameter.name == name), version)
    }
}

/// Every type, by name.
pub fn types() -> impl Iterator<Item = &'static Type> {
    MODEL.types.values()
}

/// The type of a name, without namespace.
pub fn type_named(name: &str) -> Option<&'static Type> {
    MODEL.types.get(name)
}

/// Every enumeration, by name.
pub fn enumerations() -> impl Iterator<Item = &'static Enumeration> {
    MODEL.enumerations.values()
}

/// Every action, by name.
pub fn actions() -> impl Iterator<Item = &'static Action> {
    MODEL.actions.values()
}

/// The action of a name, in any case, without namespace.
pub fn action(name: &str) -> Option<&'static Action> {
    MODEL.actions.values().find(|action| action.name.eq_ignore_ascii_case(name))
}

/// Of the declarations of one name, that of the version, or else the last.
fn find(named: impl Iterator<Item = &'static Member>, version: Version) -> Option<&'static Member> {
    named.fold(None, |found: Option<&Member>, member| match found {
        Some(found) if found.declared.has(version) => Some(found),
        _ => Some(member),
    })
}

struct Model {
    types: BTreeMap<&'static str, Type>,
    enumerations: BTreeMap<&'static str, Enumeration>,
    actions: BTreeMap<&'static str, Action>,
}

/// Whose members the following lines are.
enum Head {
    Type(Type),
    Action(Action),
}

impl Model {
    fn read(text: &'static str) -> Option<Self> {
        let mut model = Self { types: BTreeMap::new(), enumerations: BTreeMap::new(), actions: BTreeMap::new() };
        let mut head = None;
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(member) = line.strip_prefix("    ") {
                let member = model.read_member(member)?;
                match head.as_mut()? {
                    Head::Type(ty) => ty.own_members.push(member),
                    Head::Action(action) => action.parameters.push(member),
                }
                continue;
            }
            model.close(head.take());
            let (word, rest) = line.split_once(' ')?;
            match word {
                "enum" => {
                    let enumeration = read_enumeration(rest)?;
                    model.enumerations.insert(enumeration.name, enumeration);
                }
                "type" => head = Some(Head::Type(read_type(rest)?)),
                "action" => head = Some(Head::Action(read_action(rest)?)),
                _ => return None,
            }
        }
        model.close(head);
        Some(model)
    }

    fn close(&mut self, head: Option<Head>) {
        match head {
            Some(Head::Type(ty)) => drop(self.types.insert(ty.name, ty)),
            Some(Head::Action(action)) => drop(self.actions.insert(action.name, action)),
            None => {}
        }
    }

    fn read_member(&self, line: &'static str) -> Option<Member> {
        let (name, rest) = line.split_once(": ")?;
        let (kind, mark) = rest.split_once(' ').unwrap_or((rest, ""));
        let (kind, nullable) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
        let listed = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']'));
        let kind = match listed.unwrap_or(kind) {
            "String" => Kind::String,
            "Boolean" => Kind::Boolean,
            "Int32" => Kind::Int32,
            "Int64" => Kind::Int64,
            "Double" => Kind::Double,
            "Guid" => Kind::Guid,
            "DateTimeOffset" => Kind::DateTimeOffset,
            "Duration" => Kind::Duration,
            "Stream" => Kind::Stream,
            "Blob" => Kind::Blob,
            "Any" => Kind::Any,
            // Enumerations stand first in the file.
            name if self.enumerations.contains_key(name) => Kind::Enumeration(name),
            name => Kind::Object(name),
        };
        let declared = if mark.is_empty() { Declared::Both } else { Declared::of_mark(mark)? };
        Some(Member { name, kind, list: listed.is_some(), nullable, declared })
    }
}

fn read_enumeration(line: &'static str) -> Option<Enumeration> {
    let (head, members) = line.split_once(": ")?;
    let mut words = head.split(' ');
    let mut enumeration =
        Enumeration { name: words.next()?, flags: false, declared: Declared::Both, members: Vec::new() };
    for word in words {
        match word {
            "flags" => enumeration.flags = true,
            mark => enumeration.declared = Declared::of_mark(mark)?,
        }
    }
    for member in members.split(' ') {
        let (name, declared) = match member.split_once('/') {
            Some((name, mark)) => (name, Declared::of_mark(mark)?),
            None => (member, Declared::Both),
        };
        enumeration.members.push((name, declared));
    }
    Some(enumeration)
}

fn read_type(line: &'static str) -> Option<Type> {
    let mut words = line.split(' ');
    let mut ty = Type {
        name: words.next()?,
        base: None,
        open: false,
        is_abstract: false,
        declared: Declared::Both,
        own_members: Vec::new(),
    };
    while let Some(word) = words.next() {
        match word {
            "<" => ty.base = Some(words.next()?),
            "open" => ty.open = true,
            "abstract" => ty.is_abstract = true,
            mark => ty.declared = Declared::of_mark(mark)?,
        }
    }
    Some(ty)
}

fn read_action(line: &'static str) -> Option<Action> {
    let mut words = line.split(' ');
    let mut action = Action { name: words.next()?, result: None, declared: Declared::Both, parameters: Vec::new() };
    while let Some(word) = words.next() {
        match word {
            "=" => action.result = Some(words.next()?),
            mark => action.declared = Declared::of_mark(mark)?,
        }
    }
    Some(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds() -> impl Iterator<Item = Kind> {
        let members = types().flat_map(|ty| &ty.own_members);
        members.chain(actions().flat_map(|action| &action.parameters)).map(|member| member.kind)
    }

    #[test]
    fn every_name_that_is_used_is_declared() {
        for kind in kinds() {
            match kind {
                Kind::Object(name) => assert!(type_named(name).is_some(), "{name}"),
                Kind::Enumeration(name) => assert!(Enumeration::named(name).is_some(), "{name}"),
                _ => {}
            }
        }
        for result in actions().filter_map(|action| action.result) {
            assert!(type_named(result).is_some_and(|ty| ty.is_a("commsOperation")), "{result}");
        }
        for ty in types() {
            assert!(ty.base.is_none_or(|base| type_named(base).is_some()), "{}", ty.name);
            assert!(ty.is_a(ty.name));
            assert!(ty.ancestry().take(10).count() < 10, "{}", ty.name);
        }
    }

    #[test]
    fn no_member_is_declared_twice_for_a_version() {
        for ty in types() {
            for version in [Version::V1, Version::Beta] {
                let mut names: Vec<_> =
                    ty.members().filter(|member| member.declared.has(version)).map(|member| member.name).collect();
                let all = names.len();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), all, "{}", ty.name);
            }
        }
    }

    #[test]
    fn undeclared_members_are_known_on_open_types_only() {
        for ty in types() {
            let seen = ty.own_members.iter().any(|member| member.declared == Declared::Seen);
            assert!(ty.open || !seen, "{}", ty.name);
        }
    }

    #[test]
    fn a_member_that_versions_declare_differently_is_found_as_each_declares_it() {
        let ty = type_named("onlineMeetingRestricted").unwrap();
        assert!(!ty.member(Version::V1, "videoDisabled").unwrap().list);
        assert!(ty.member(Version::Beta, "videoDisabled").unwrap().list);
        let call = type_named("call").unwrap();
        assert_eq!(call.member(Version::V1, "answeredBy").unwrap().declared, Declared::Beta);
        assert_eq!(call.member(Version::V1, "id").unwrap().kind, Kind::String);
        assert_eq!(call.member(Version::V1, "nothing"), None);
    }

    #[test]
    fn actions_are_found_in_any_case() {
        let record = action("RECORDRESPONSE").unwrap();
        assert_eq!(record.result, Some("recordOperation"));
        assert!(record.parameter(Version::V1, "stopTones").is_some_and(|parameter| parameter.list));
        assert_eq!(action("raiseHand"), None);
    }
}
