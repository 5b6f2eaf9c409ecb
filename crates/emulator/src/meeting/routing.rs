//! The rules of an `audioRoutingGroup`, as Graph states them.
//!
//! Pure: a group and the meeting's members in, a group in canonical ids or the broken rule out; nothing is changed here.
//! Spec: Graph `audioRoutingGroup` (oneToOne: one source, one receiver; multicast: one source, one or more receivers).

use antiphon_graph::{AudioRoutingGroup, ParticipantId, RoutingMode};
use thiserror::Error;

/// A broken rule (culprit: caller).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum GroupRuleError {
    #[error("routingMode {0:?} is not one of oneToOne, multicast.")]
    UnknownMode(String),
    #[error("An audioRoutingGroup has exactly one source; {0} were given.")]
    SourceCount(usize),
    #[error("A oneToOne audioRoutingGroup has exactly one receiver; {0} were given.")]
    OneToOneReceivers(usize),
    #[error("A multicast audioRoutingGroup has at least one receiver.")]
    NoReceivers,
    #[error("The source {0} cannot be among the receivers.")]
    SourceAmongReceivers(ParticipantId),
    #[error("The receiver {0} is listed twice.")]
    ReceiverTwice(ParticipantId),
    #[error("{member}: {id} is not a participant of this call.")]
    UnknownParticipant { member: String, id: ParticipantId },
}

impl GroupRuleError {
    /// The member of the group that breaks the rule, by path.
    pub(crate) fn member(&self) -> String {
        match self {
            Self::UnknownMode(_) => "routingMode".to_owned(),
            Self::SourceCount(_) => "sources".to_owned(),
            Self::OneToOneReceivers(_) | Self::NoReceivers | Self::SourceAmongReceivers(_) | Self::ReceiverTwice(_) => {
                "receivers".to_owned()
            }
            Self::UnknownParticipant { member, .. } => member.clone(),
        }
    }
}

/// Checks a group whole; `find` gives a member's id as the meeting spells it.
///
/// # Errors
///
/// The first broken rule.
pub(crate) fn check_group(
    mut group: AudioRoutingGroup,
    find: impl Fn(&ParticipantId) -> Option<ParticipantId>,
) -> Result<AudioRoutingGroup, GroupRuleError> {
    if group.sources.len() != 1 {
        return Err(GroupRuleError::SourceCount(group.sources.len()));
    }
    match &group.routing_mode {
        RoutingMode::OneToOne if group.receivers.len() != 1 => {
            return Err(GroupRuleError::OneToOneReceivers(group.receivers.len()));
        }
        RoutingMode::Multicast if group.receivers.is_empty() => return Err(GroupRuleError::NoReceivers),
        RoutingMode::OneToOne | RoutingMode::Multicast => {}
        other => return Err(GroupRuleError::UnknownMode(other.to_string())),
    }
    for (list, ids) in [("sources", &mut group.sources), ("receivers", &mut group.receivers)] {
        for (index, id) in ids.iter_mut().enumerate() {
            let unknown = || GroupRuleError::UnknownParticipant { member: format!("{list}[{index}]"), id: id.clone() };
            *id = find(id).ok_or_else(unknown)?;
        }
    }
    let source = &group.sources[0];
    for (index, receiver) in group.receivers.iter().enumerate() {
        if receiver == source {
            return Err(GroupRuleError::SourceAmongReceivers(source.clone()));
        }
        if group.receivers[..index].contains(receiver) {
            return Err(GroupRuleError::ReceiverTwice(receiver.clone()));
        }
    }
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(member: &str) -> GroupRuleError {
        GroupRuleError::UnknownParticipant { member: member.to_owned(), id: "zz-9".into() }
    }

    fn check(mode: RoutingMode, sources: &[&str], receivers: &[&str]) -> Result<AudioRoutingGroup, GroupRuleError> {
        let ids = |names: &[&str]| names.iter().map(|name| ParticipantId::new(*name)).collect::<Vec<_>>();
        let members = ids(&["aa-1", "bb-2", "cc-3"]);
        let group = AudioRoutingGroup::new("g", mode, ids(sources), ids(receivers));
        check_group(group, |id| members.iter().find(|member| *member == id).cloned())
    }

    #[test]
    fn each_rule_is_named_when_broken() {
        use GroupRuleError as E;
        use RoutingMode::{Multicast, OneToOne};
        for (mode, sources, receivers, expected) in [
            (OneToOne, &["aa-1"][..], &["bb-2", "cc-3"][..], E::OneToOneReceivers(2)),
            (OneToOne, &["aa-1"], &[], E::OneToOneReceivers(0)),
            (OneToOne, &["aa-1", "bb-2"], &["cc-3"], E::SourceCount(2)),
            (Multicast, &["aa-1", "bb-2"], &["cc-3"], E::SourceCount(2)),
            (Multicast, &[], &["cc-3"], E::SourceCount(0)),
            (Multicast, &["aa-1"], &[], E::NoReceivers),
            (Multicast, &["aa-1"], &["bb-2", "zz-9"], unknown("receivers[1]")),
            (Multicast, &["zz-9"], &["bb-2"], unknown("sources[0]")),
            (Multicast, &["aa-1"], &["bb-2", "AA1"], E::SourceAmongReceivers("aa-1".into())),
            (Multicast, &["aa-1"], &["bb-2", "BB-2"], E::ReceiverTwice("bb-2".into())),
            (RoutingMode::parse("anyToAny"), &["aa-1"], &["bb-2"], E::UnknownMode("anyToAny".to_owned())),
        ] {
            assert_eq!(check(mode, sources, receivers), Err(expected));
        }
    }

    #[test]
    fn accepted_group_has_ids_as_the_meeting_spells_them() {
        let group = check(RoutingMode::Multicast, &["AA1"], &["BB2", "cc-3"]).unwrap();
        assert_eq!(group.sources[0].as_str(), "aa-1");
        assert_eq!(group.receivers[0].as_str(), "bb-2");
    }
}
