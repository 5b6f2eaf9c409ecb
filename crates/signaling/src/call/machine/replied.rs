//! What the outcomes of the machine's own requests do to it.

use std::time::Instant;

use antiphon_graph::wire::Object;
use antiphon_graph::{Call, CallState, ContentSharingSession, Participant};
use serde_json::Value;

use super::{CallMachine, MediaAnswer, Pending, Stage};
use crate::call::event::{CallEvent, Decision, EndCause, Reply, RequestId};
use crate::call::merge::{member, rank};
use crate::call::timers::Timer;
use crate::client::{GraphError, GraphErrorKind, Happened};

impl CallMachine {
    /// The outcome of a request this machine gave out.
    pub fn handle_reply(&mut self, request: RequestId, reply: Reply, now: Instant) {
        let Some(pending) = self.pending.remove(&request).filter(|_| !self.ended) else {
            self.counters.stray_replies += 1;
            return;
        };
        match (pending, reply) {
            (Pending::Create, Reply::Call(call)) => self.created(&call, now),
            (Pending::Create, Reply::Failed(error)) => self.end(EndCause::NotCreated(error)),
            (Pending::Decide(decision), Reply::Failed(error)) => self.undecided(decision, error, now),
            (Pending::Decide(decision), _) => self.decided(decision, now),
            (pending, Reply::Failed(error)) => self.failed(pending, error, now),
            (Pending::KeepAlive, _) => {
                self.timers.set(Timer::KeepAlive, now + self.config.keep_alive_every);
                // A good moment to make up for what was lost without a trace.
                self.refresh();
            }
            (Pending::Get(sent_at), Reply::Call(call)) => self.looked(sent_at, &call, now),
            (Pending::Participants(sent_at), Reply::Participants(listed)) => self.listed(sent_at, listed, now),
            (Pending::Sharing(sent_at), Reply::ContentSharingSessions(listed)) => self.listed_sharing(sent_at, listed),
            (Pending::Delete, _) => self.timers.set_by(Timer::End, now + self.config.end_grace),
            (Pending::Create | Pending::Get(_) | Pending::Participants(_) | Pending::Sharing(_), _) => {
                self.counters.stray_replies += 1;
            }
        }
    }

    fn created(&mut self, call: &Call, now: Instant) {
        let Some(id) = call.id.clone() else {
            // Nothing can be done with a call that cannot be named.
            self.counters.malformed += 1;
            return self.end(EndCause::Gone);
        };
        self.id = Some(id.clone());
        self.tell(CallEvent::Created(id));
        self.timers.set(Timer::KeepAlive, now + self.config.keep_alive_every);
        self.timers.set(Timer::Check, now + self.config.check_every);
        self.merge_call(&entity(call), false, now);
        for notification in std::mem::take(&mut self.early) {
            self.handle_notification(notification, now);
        }
        if let Some(cause) = self.hang_up.take() {
            self.begin_hang_up(cause);
        }
    }

    fn decided(&mut self, decision: Decision, now: Instant) {
        self.tell(CallEvent::Decided(decision));
        if decision == Decision::Answer {
            self.take_over(now);
            if let Some(cause) = self.hang_up.take() {
                self.begin_hang_up(cause);
            }
            return;
        }
        self.stage = Stage::Declined;
        if decision == Decision::Reject {
            self.hang_up.get_or_insert(EndCause::HungUp);
            self.timers.set_by(Timer::End, now + self.config.end_grace);
        }
        // A redirected call ends when somebody took it, or nobody; until then it is looked at.
        if let Some(cause) = self.hang_up.take_if(|_| decision == Decision::Redirect) {
            self.begin_hang_up(cause);
        }
    }

    /// The decision did not get through, or nobody knows.
    fn undecided(&mut self, decision: Decision, error: GraphError, now: Instant) {
        if self.stage == Stage::Ours {
            // Answered all the same: what was notified meanwhile says so.
            return self.decided(decision, now);
        }
        if error.happened() == Happened::Unknown {
            // What state the call is in tells.
            self.doubt = Some((decision, error));
            return self.look_anew();
        }
        self.stage = Stage::Offered;
        let gone = error.is_call_gone();
        if matches!(error.kind(), GraphErrorKind::NotFound(_)) {
            self.look(); // it may be the call that was not found
        }
        self.tell(CallEvent::DecisionFailed(decision, error));
        if gone {
            return self.handle_gone(now);
        }
        self.hang_up_undecided(decision, now);
    }

    /// Goes on with a hang-up that waited for a decision.
    fn hang_up_undecided(&mut self, decision: Decision, now: Instant) {
        let Some(cause) = self.hang_up.take() else { return };
        if decision == Decision::Reject {
            // The service will end by itself what it cannot be told to.
            self.hang_up = Some(cause);
            self.timers.set_by(Timer::End, now + self.config.end_grace);
        } else {
            self.begin_hang_up(cause);
        }
    }

    /// The call was looked at; whether a decision got through is known now.
    fn settle_doubt(&mut self, gone: bool, now: Instant) {
        let Some((decision, error)) = self.doubt.take() else { return };
        let declined = gone && decision != Decision::Answer;
        if self.stage == Stage::Ours || declined || self.state == CallState::Redirecting {
            self.decided(decision, now);
        } else {
            self.stage = Stage::Offered;
            self.tell(CallEvent::DecisionFailed(decision, error));
            self.hang_up_undecided(decision, now);
        }
    }

    fn failed(&mut self, pending: Pending, error: GraphError, now: Instant) {
        if let Pending::Get(_) = pending {
            self.settle_doubt(error.is_call_gone(), now);
        }
        if error.is_call_gone() {
            return self.handle_gone(now);
        }
        match pending {
            Pending::KeepAlive => {
                self.timers.set(Timer::KeepAlive, now + self.config.keep_alive_retry);
                if matches!(error.kind(), GraphErrorKind::NotFound(_)) {
                    self.look(); // it may be the call that was not found
                }
                return self.tell(CallEvent::KeepAliveFailed(error));
            }
            // Asked again while there is a hole to be filled.
            Pending::Participants(_) if error.is_transient() => {
                self.timers.set_by(Timer::Reconcile, now + 10 * self.config.reconcile_after);
            }
            // The service will notice that nobody keeps the call alive.
            Pending::Delete => self.timers.set_by(Timer::End, now + self.config.end_grace),
            Pending::Get(_) => self.miss_answer(),
            Pending::Participants(_) | Pending::Sharing(_) | Pending::Create | Pending::Decide(_) => {}
        }
        self.tell(CallEvent::RequestFailed(error));
    }

    /// The call as the service had it when it was asked.
    fn looked(&mut self, sent_at: u64, call: &Call, now: Instant) {
        let mut entity = entity(call);
        let told: Option<CallState> = member(&entity, "state");
        let doubtful = told.is_some_and(|told| told != self.state && rank(&told) == rank(&self.state));
        let overtaken = self.notified != sent_at;
        if doubtful && overtaken {
            // Nothing tells which is newer, this or what was notified meanwhile.
            entity.remove("state");
            self.timers.set_by(Timer::Check, now + self.config.check_every);
        }
        self.merge_call(&entity, false, now);
        if self.ended {
            return;
        }
        if overtaken && self.answer == MediaAnswer::Looking {
            self.answer = MediaAnswer::Waiting;
        }
        self.miss_answer();
        self.settle_doubt(false, now);
    }

    fn listed(&mut self, sent_at: u64, listed: Vec<Participant>, now: Instant) {
        if self.roster.updates() != sent_at {
            // Updates came in while the list was on its way, and it may be
            // older than they are: only a list that nothing overtook is sure.
            return self.timers.set_by(Timer::Reconcile, now + self.config.reconcile_after);
        }
        self.timers.stop(Timer::Reconcile);
        let change = self.roster.reconcile(listed);
        self.tell_roster(change);
    }

    fn listed_sharing(&mut self, sent_at: u64, listed: Vec<ContentSharingSession>) {
        if self.sharing.updates() != sent_at {
            return self.refresh_sharing();
        }
        let change = self.sharing.reconcile(listed);
        self.tell_sharing(change);
    }
}

fn entity(call: &Call) -> Object {
    match serde_json::to_value(call) {
        Ok(Value::Object(entity)) => entity,
        _ => Object::new(),
    }
}
