//! A model of the other side: what a service knows of a call, what it says when
//! something happens to it, and what it answers when it is asked.
//!
//! Written from the documentation alone; it shares no code with the client.

use std::collections::BTreeMap;

use antiphon_graph::{Call, CallState, CommsNotification, ContentSharingSession, Participant};
use antiphon_signaling::call::{CallRequest, Reply};
use antiphon_signaling::client::{GraphError, GraphErrorKind, Happened};
use serde_json::{Value, json};

use crate::bench::{ID, notification};

/// Something that happens at the service.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Happening {
    Established,
    Join(u8),
    Leave(u8),
    Mute(u8),
    Hold,
    Resume,
    /// A transfer that fails: the call goes through three states.
    Transfer,
    Share,
    Unshare(u8),
    Operation,
    Tone,
    Terminate,
}

/// What the service knows.
#[derive(Debug)]
pub(crate) struct Service {
    delta: bool,
    state: CallState,
    /// Muted or not, and the number of the last change.
    participants: BTreeMap<u8, (bool, i64)>,
    sharing: BTreeMap<u16, ()>,
    /// Sessions are never resumed: the next one is another.
    sessions: u16,
    sequence: i64,
    tones: i64,
    pub(crate) operations: u16,
    pub(crate) transfers: u16,
}

impl Service {
    pub(crate) fn new(delta: bool) -> Self {
        Self {
            delta,
            state: CallState::Establishing,
            participants: BTreeMap::new(),
            sharing: BTreeMap::new(),
            sessions: 0,
            sequence: 0,
            tones: 0,
            operations: 0,
            transfers: 0,
        }
    }

    pub(crate) fn state(&self) -> &CallState {
        &self.state
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state == CallState::Terminated
    }

    pub(crate) fn tones(&self) -> i64 {
        self.tones
    }

    /// Who takes part, and whether they are muted.
    pub(crate) fn roster(&self) -> Vec<(String, bool)> {
        self.participants.iter().map(|(who, (muted, _))| (format!("p{who}"), *muted)).collect()
    }

    pub(crate) fn sharing(&self) -> Vec<String> {
        self.sharing.keys().map(|session| format!("s{session:05}")).collect()
    }

    /// What is notified when something happens; nothing if it cannot.
    pub(crate) fn happen(&mut self, happening: Happening) -> Vec<CommsNotification> {
        if self.is_over() {
            return Vec::new();
        }
        let up = matches!(self.state, CallState::Established | CallState::Hold);
        match happening {
            Happening::Established if self.state == CallState::Establishing => vec![self.enter(CallState::Established)],
            Happening::Hold if self.state == CallState::Established => vec![self.enter(CallState::Hold)],
            Happening::Resume if self.state == CallState::Hold => vec![self.enter(CallState::Established)],
            Happening::Transfer if self.state == CallState::Established => {
                self.transfers += 1;
                let mut all = vec![self.enter(CallState::Transferring), self.enter(CallState::TransferAccepted)];
                self.state = CallState::Established;
                let result = json!({"code": 500, "subcode": 7000, "message": "failed"});
                all.push(notification("updated", "", json!({"state": "established", "resultInfo": result})));
                all
            }
            Happening::Join(who) if up && !self.participants.contains_key(&who) => self.change(who, Some(false)),
            Happening::Mute(who) if up && self.participants.contains_key(&who) => {
                let muted = self.participants[&who].0;
                self.change(who, Some(!muted))
            }
            Happening::Leave(who) if up && self.participants.contains_key(&who) => self.change(who, None),
            Happening::Share if up && self.sharing.len() < 3 => {
                self.sessions += 1;
                self.sharing.insert(self.sessions, ());
                vec![notification(
                    "created",
                    "/contentsharingsessions",
                    json!([{"id": format!("s{:05}", self.sessions)}]),
                )]
            }
            Happening::Unshare(which) if !self.sharing.is_empty() => {
                let session = *self.sharing.keys().nth(usize::from(which) % self.sharing.len()).unwrap();
                self.sharing.remove(&session);
                vec![notification("deleted", "/contentsharingsessions", json!([{"id": format!("s{session:05}")}]))]
            }
            Happening::Operation if up => {
                self.operations += 1;
                let id = format!("o{}", self.operations);
                vec![notification("deleted", &format!("/operations/{id}"), json!({"id": id, "status": "completed"}))]
            }
            Happening::Tone if up => {
                self.tones += 1;
                let tone = json!({"sequenceId": self.tones, "tone": "tone5"});
                vec![notification("updated", "", json!({"state": self.state.as_str(), "toneInfo": tone}))]
            }
            Happening::Terminate => {
                let going = self.enter(CallState::Terminating);
                self.state = CallState::Terminated;
                let result = json!({"code": 200, "subcode": 5010});
                vec![going, notification("deleted", "", json!({"state": "terminated", "resultInfo": result}))]
            }
            _ => Vec::new(),
        }
    }

    /// What it answers to a request now.
    pub(crate) fn answer(&mut self, request: &CallRequest) -> (Reply, Vec<CommsNotification>) {
        let none = Vec::new();
        let id = || Some(ID.into());
        match request {
            CallRequest::Create(_) => (
                Reply::Call(Box::new(Call { id: id(), state: Some(CallState::Establishing), ..Call::default() })),
                none,
            ),
            _ if self.is_over() => {
                (Reply::Failed(GraphError::new(GraphErrorKind::CallGone, Happened::No, "gone")), none)
            }
            CallRequest::Get(_) => {
                (Reply::Call(Box::new(Call { id: id(), state: Some(self.state.clone()), ..Call::default() })), none)
            }
            CallRequest::Participants(_) => (Reply::Participants(self.listed()), none),
            CallRequest::ContentSharingSessions(_) => {
                let sessions = self.sharing().into_iter().map(ContentSharingSession::of).collect();
                (Reply::ContentSharingSessions(sessions), none)
            }
            CallRequest::Delete(_) => {
                let told = self.happen(Happening::Terminate);
                (Reply::Done, told)
            }
            _ => (Reply::Done, none),
        }
    }

    fn enter(&mut self, state: CallState) -> CommsNotification {
        let told = notification("updated", "", json!({"state": state.as_str()}));
        self.state = state;
        told
    }

    fn change(&mut self, who: u8, muted: Option<bool>) -> Vec<CommsNotification> {
        self.sequence += 1;
        let entity = match muted {
            Some(muted) => {
                self.participants.insert(who, (muted, self.sequence));
                self.entity(who)
            }
            None => {
                self.participants.remove(&who);
                json!({"id": format!("p{who}"), "rosterSequenceNumber": self.sequence, "removedState": {"reason": "Left"}})
            }
        };
        let data = if self.delta {
            json!({"@odata.type": "#microsoft.graph.deltaParticipants", "sequenceNumber": self.sequence, "participants": [entity]})
        } else {
            self.participants.keys().map(|who| self.entity(*who)).collect()
        };
        vec![notification("updated", "/participants", data)]
    }

    fn entity(&self, who: u8) -> Value {
        let (muted, sequence) = self.participants[&who];
        let mut entity = json!({"id": format!("p{who}"), "isMuted": muted});
        if self.delta {
            entity["rosterSequenceNumber"] = json!(sequence);
        }
        entity
    }

    fn listed(&self) -> Vec<Participant> {
        self.participants.keys().map(|who| serde_json::from_value(self.entity(*who)).unwrap()).collect()
    }
}
