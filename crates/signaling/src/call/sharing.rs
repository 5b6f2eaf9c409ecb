//! Content sharing in a call: the sessions there are, whatever the order.
//!
//! A session has an id of its own and is never resumed, so one that has ended
//! stays ended, and what comes late about it changes nothing. A notification
//! without an id, and a loss, ask for the list.
//! Spec: <https://learn.microsoft.com/graph/api/resources/contentsharingsession>.

use std::collections::BTreeMap;

use antiphon_graph::{ChangeType, ContentSharingSession};

use super::seen::{Seen, canonical};

/// Ended sessions remembered.
const ENDED: usize = 64;

/// Sessions kept at most; a call has one at a time, mostly.
const SESSIONS: usize = 64;

/// What changed about content sharing.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SharingChange {
    /// Sessions that began.
    pub started: Vec<ContentSharingSession>,
    /// Sessions that changed: the next slide, mostly.
    pub updated: Vec<ContentSharingSession>,
    /// Sessions that ended, as last known.
    pub ended: Vec<ContentSharingSession>,
}

impl SharingChange {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.started.is_empty() && self.updated.is_empty() && self.ended.is_empty()
    }
}

/// The sessions of a call.
#[derive(Debug)]
pub(super) struct Sharing {
    /// By id, however that is written.
    sessions: BTreeMap<String, ContentSharingSession>,
    ended: Seen<String>,
    /// Updates applied so far.
    updates: u64,
}

impl Sharing {
    pub(super) fn new() -> Self {
        Self { sessions: BTreeMap::new(), ended: Seen::up_to(ENDED), updates: 0 }
    }

    pub(super) fn sessions(&self) -> impl ExactSizeIterator<Item = &ContentSharingSession> {
        self.sessions.values()
    }

    pub(super) fn updates(&self) -> u64 {
        self.updates
    }

    /// One notification about sessions, each with its id. Those without are
    /// left out; whether there were any is the second result.
    pub(super) fn apply(
        &mut self,
        change: Option<&ChangeType>,
        sessions: Vec<ContentSharingSession>,
    ) -> (SharingChange, bool) {
        self.updates += 1;
        let mut told = SharingChange::default();
        let mut nameless = sessions.is_empty();
        for session in sessions {
            match session.id.as_deref().map(canonical) {
                None => nameless = true,
                Some(id) if change == Some(&ChangeType::Deleted) => self.end(id, &mut told),
                Some(id) => self.upsert(id, session, &mut told),
            }
        }
        (told, nameless)
    }

    /// The whole list as the service gave it on request.
    pub(super) fn reconcile(&mut self, listed: Vec<ContentSharingSession>) -> SharingChange {
        let mut told = SharingChange::default();
        let is_listed =
            |id: &String| listed.iter().any(|session| session.id.as_deref().map(canonical).as_ref() == Some(id));
        let gone: Vec<_> = self.sessions.keys().filter(|id| !is_listed(id)).cloned().collect();
        for id in gone {
            self.end(id, &mut told);
        }
        for mut session in listed {
            let Some(id) = session.id.as_deref().map(canonical) else { continue };
            let known = self.sessions.get(&id);
            session.id = known.map_or(session.id, |known| known.id.clone());
            if known != Some(&session) {
                self.upsert(id, session, &mut told);
            }
        }
        told
    }

    fn upsert(&mut self, id: String, mut session: ContentSharingSession, told: &mut SharingChange) {
        if self.ended.contains(&id) || (self.sessions.len() >= SESSIONS && !self.sessions.contains_key(&id)) {
            return;
        }
        // It keeps the id it was first told by.
        session.id = self.sessions.get(&id).map_or(session.id, |known| known.id.clone());
        match self.sessions.insert(id, session.clone()) {
            None => told.started.push(session),
            Some(_) => told.updated.push(session),
        }
    }

    fn end(&mut self, id: String, told: &mut SharingChange) {
        if let Some(session) = self.sessions.remove(&id) {
            told.ended.push(session);
        }
        self.ended.insert(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str) -> ContentSharingSession {
        ContentSharingSession::of(id)
    }

    #[test]
    fn a_session_begins_changes_and_ends_once() {
        let mut sharing = Sharing::new();
        let begun = sharing.apply(Some(&ChangeType::Created), vec![session("a")]).0;
        assert_eq!(begun.started, [session("a")]);
        let next = sharing.apply(Some(&ChangeType::Updated), vec![session("a")]).0;
        assert_eq!(next.updated, [session("a")]);
        let over = sharing.apply(Some(&ChangeType::Deleted), vec![session("a")]).0;
        assert_eq!(over.ended, [session("a")]);
        for change in [ChangeType::Created, ChangeType::Updated, ChangeType::Deleted] {
            assert!(sharing.apply(Some(&change), vec![session("a")]).0.is_empty(), "{change}: it has ended");
        }
    }

    #[test]
    fn an_end_that_comes_first_is_believed() {
        let mut sharing = Sharing::new();
        assert!(sharing.apply(Some(&ChangeType::Deleted), vec![session("a")]).0.is_empty());
        assert!(sharing.apply(Some(&ChangeType::Created), vec![session("a")]).0.is_empty());
        assert_eq!(sharing.sessions().len(), 0);
    }

    #[test]
    fn the_list_ends_what_is_not_in_it_and_begins_what_is_new() {
        let mut sharing = Sharing::new();
        let (_, nameless) = sharing.apply(None, vec![session("a"), ContentSharingSession::default()]);
        assert!(nameless, "somebody has to ask for the list");
        let change = sharing.reconcile(vec![session("b")]);
        assert_eq!((change.started, change.ended), (vec![session("b")], vec![session("a")]));
        assert!(sharing.reconcile(vec![session("b")]).is_empty());
    }

    #[test]
    fn an_id_in_another_spelling_is_the_same_session() {
        let mut sharing = Sharing::new();
        sharing.apply(Some(&ChangeType::Created), vec![session("0A-1b")]);
        assert!(sharing.reconcile(vec![session("0a1B")]).is_empty());
        assert_eq!(sharing.apply(Some(&ChangeType::Updated), vec![session("0a1b")]).0.updated, [session("0A-1b")]);
        assert_eq!(sharing.apply(Some(&ChangeType::Deleted), vec![session("0a-1B")]).0.ended, [session("0A-1b")]);
        assert!(sharing.reconcile(vec![session("0A-1b")]).is_empty(), "it has ended");
    }
}
