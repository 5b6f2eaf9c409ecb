//! The notifications of one call that wait to be posted.
//!
//! Bounded and ordered; filled under the service's lock, emptied by the call's courier. Policy when full: the oldest
//! waiting roster notification is dropped and counted (the client sees a gap or a later full roster); call states are
//! kept, as a call has only a handful of them. Closed with the call; what is in it is still delivered.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Notification, Subject};

/// A call's queue of notifications.
#[derive(Debug)]
pub(crate) struct Outbox {
    limit: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Notification>,
    closed: bool,
}

impl Outbox {
    /// An open, empty queue for at most `limit` notifications.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), state: Mutex::default(), changed: Notify::new() }
    }

    /// Appends a notification; says how many others had to be dropped for it (0 or 1).
    pub(crate) fn push(&self, notification: Notification) -> u64 {
        let mut state = self.lock();
        if state.closed {
            return 0;
        }
        let mut dropped = 0;
        if state.waiting.len() >= self.limit {
            let oldest_roster = state.waiting.iter().position(|waiting| waiting.subject == Subject::Roster);
            if let Some(index) = oldest_roster {
                state.waiting.remove(index);
                dropped = 1;
            } else if notification.subject == Subject::Roster {
                return 1;
            }
        }
        state.waiting.push_back(notification);
        drop(state);
        self.changed.notify_one();
        dropped
    }

    /// Takes no more; the courier ends once it is empty.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// The next notification, or `None` when closed and empty. For one consumer. Cancel-safe.
    pub(crate) async fn next(&self) -> Option<Notification> {
        loop {
            {
                let mut state = self.lock();
                if let Some(next) = state.waiting.pop_front() {
                    return Some(next);
                }
                if state.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_graph::{Call, CallId, ChangeType, Participant};

    fn state() -> Notification {
        Notification::call(&CallId::new("c"), ChangeType::Updated, &Call::default())
    }

    fn roster(names: usize) -> Notification {
        let participants: Vec<_> = (0..names).map(|n| Participant::new(n.to_string().into())).collect();
        Notification::roster(&CallId::new("c"), &participants)
    }

    #[tokio::test]
    async fn full_queue_drops_the_oldest_roster_and_never_a_state() {
        let outbox = Outbox::new(3);
        assert_eq!(outbox.push(state()), 0);
        assert_eq!(outbox.push(roster(1)), 0);
        assert_eq!(outbox.push(roster(2)), 0);
        assert_eq!(outbox.push(roster(3)), 1);
        assert_eq!(outbox.push(state()), 1);
        assert_eq!(outbox.push(state()), 1);
        assert_eq!(outbox.push(state()), 0, "states alone may exceed the limit");
        assert_eq!(outbox.push(roster(4)), 1, "a roster that finds no room is dropped itself");
        outbox.close();
        let mut subjects = Vec::new();
        while let Some(next) = outbox.next().await {
            subjects.push(next.subject);
        }
        assert_eq!(subjects, [Subject::State; 4]);
    }

    #[tokio::test]
    async fn closed_queue_still_delivers_what_it_holds_and_takes_no_more() {
        let outbox = Outbox::new(3);
        outbox.push(state());
        outbox.close();
        outbox.push(state());
        assert!(outbox.next().await.is_some());
        assert!(outbox.next().await.is_none());
    }
}
