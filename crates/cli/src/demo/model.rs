//! The demo's own idea of who must hear whom.
//!
//! Owns a plain set model of a conversation: members, the default group, private routes. It is fed with the
//! very steps the demo asks for and never with an answer of the engine, so the two can disagree.
//! In the flow: [`super::script`] builds one per run and reads the expected matrix of each phase from it.
//! Pure: no I/O, no clock. Spec: the words of audioRoutingGroup, "default group" and "heard set".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};

/// Somebody in the meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Person {
    /// A synthetic talker, counted from 1.
    Talker(usize),
    /// The bot under test.
    Bot,
}

impl Person {
    /// The column heading: short, and unique in a run.
    pub(crate) fn short(self) -> String {
        match self {
            Self::Talker(n) => format!("T{n}"),
            Self::Bot => "bot".to_owned(),
        }
    }

    /// The stem of this person's recordings.
    pub(crate) fn file_stem(self) -> String {
        match self {
            Self::Talker(n) => format!("talker-{n:02}"),
            Self::Bot => "bot".to_owned(),
        }
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Talker(n) => write!(f, "talker {n}"),
            Self::Bot => f.write_str("the bot"),
        }
    }
}

impl Serialize for Person {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.short())
    }
}

/// The routing mode of a group, as Graph names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One source, one receiver.
    OneToOne,
    /// One source, several receivers.
    Multicast,
}

/// One thing the demo asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Enter the meeting, in the default group.
    Join(Person),
    /// Leave the meeting.
    Leave(Person),
    /// Stay in the meeting, but leave the default group.
    LeaveDefaultGroup(Person),
    /// Create an audioRoutingGroup.
    CreateGroup { name: &'static str, mode: Mode, source: Person, receivers: Vec<Person> },
    /// Replace the receivers of a group.
    PatchReceivers { name: &'static str, receivers: Vec<Person> },
    /// Delete a group.
    DeleteGroup(&'static str),
    /// The bot deletes its call.
    HangUp,
}

#[derive(Clone, Debug)]
struct Route {
    source: Person,
    receivers: BTreeSet<Person>,
}

/// Members, default group and private routes as plain sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// Member → is it in the default group.
    members: BTreeMap<Person, bool>,
    routes: BTreeMap<&'static str, Route>,
}

impl Model {
    /// Takes one step into the model.
    pub(crate) fn apply(&mut self, step: &Step) {
        match step {
            Step::Join(who) => {
                self.members.insert(*who, true);
            }
            Step::Leave(who) => self.remove(*who),
            Step::LeaveDefaultGroup(who) => {
                self.members.insert(*who, false);
            }
            Step::CreateGroup { name, source, receivers, .. } => {
                let receivers = receivers.iter().copied().collect();
                self.routes.insert(name, Route { source: *source, receivers });
            }
            Step::PatchReceivers { name, receivers } => {
                if let Some(route) = self.routes.get_mut(name) {
                    route.receivers = receivers.iter().copied().collect();
                }
            }
            Step::DeleteGroup(name) => {
                self.routes.remove(name);
            }
            Step::HangUp => self.remove(Person::Bot),
        }
    }

    /// Who is in the meeting.
    pub(crate) fn members(&self) -> impl Iterator<Item = Person> {
        self.members.keys().copied()
    }

    /// Everyone whose voice must reach `receiver`: the default group or any route, never itself.
    pub(crate) fn heard_by(&self, receiver: Person) -> BTreeSet<Person> {
        let mut heard = BTreeSet::new();
        if self.members.get(&receiver) == Some(&true) {
            heard.extend(self.members.iter().filter(|(_, inside)| **inside).map(|(who, _)| *who));
        }
        for route in self.routes.values() {
            if self.members.contains_key(&receiver) && route.receivers.contains(&receiver) {
                heard.insert(route.source);
            }
        }
        heard.remove(&receiver);
        heard.retain(|source| self.members.contains_key(source));
        heard
    }

    fn remove(&mut self, who: Person) {
        self.members.remove(&who);
        for route in self.routes.values_mut() {
            route.receivers.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Person::{Bot, Talker};

    fn room(talkers: usize) -> Model {
        let mut model = Model::default();
        for n in 1..=talkers {
            model.apply(&Step::Join(Talker(n)));
        }
        model.apply(&Step::Join(Bot));
        model
    }

    #[test]
    fn default_group_is_everybody_but_oneself() {
        let model = room(3);
        assert_eq!(model.heard_by(Talker(2)), BTreeSet::from([Talker(1), Talker(3), Bot]));
    }

    #[test]
    fn leaving_the_default_group_cuts_both_directions() {
        let mut model = room(3);
        model.apply(&Step::LeaveDefaultGroup(Bot));
        assert!(model.heard_by(Bot).is_empty());
        assert_eq!(model.heard_by(Talker(1)), BTreeSet::from([Talker(2), Talker(3)]));
    }

    #[test]
    fn a_route_adds_to_the_default_group_and_patching_replaces_its_receivers() {
        let mut model = room(3);
        model.apply(&Step::LeaveDefaultGroup(Bot));
        model.apply(&Step::CreateGroup {
            name: "g",
            mode: Mode::Multicast,
            source: Bot,
            receivers: vec![Talker(1), Talker(2)],
        });
        assert!(model.heard_by(Talker(1)).contains(&Bot));
        assert!(!model.heard_by(Talker(3)).contains(&Bot));
        model.apply(&Step::PatchReceivers { name: "g", receivers: vec![Talker(3)] });
        assert!(!model.heard_by(Talker(1)).contains(&Bot));
        assert!(model.heard_by(Talker(3)).contains(&Bot));
        model.apply(&Step::DeleteGroup("g"));
        assert!(!model.heard_by(Talker(3)).contains(&Bot));
    }

    #[test]
    fn who_has_left_neither_hears_nor_is_heard() {
        let mut model = room(3);
        model.apply(&Step::Leave(Talker(1)));
        model.apply(&Step::HangUp);
        assert!(model.heard_by(Talker(1)).is_empty());
        assert_eq!(model.heard_by(Talker(2)), BTreeSet::from([Talker(3)]));
        assert_eq!(model.members().count(), 2);
    }
}
