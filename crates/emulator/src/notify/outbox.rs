//! The notifications of one call that wait to be posted.
//!
//! Bounded and ordered; filled under the service's lock, emptied by the call's courier. Policy when full: the oldest
//! waiting roster notification is dropped and counted (the client sees a gap or a later full roster); at four times
//! the limit the oldest event, at sixteen times the oldest state; the last state is always kept. Closed with the call; what is
//! in it is still delivered. Each notification goes where the call's notifications went when it was written.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Notification, Subject};

/// Where the notifications of a call go; answering a call can change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The webhook.
    pub(crate) callback_uri: String,
    /// The GUID the bot sent when it created or answered the call, if any.
    pub(crate) scenario_id: Option<String>,
}

/// A notification on its way.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) notification: Notification,
    pub(crate) to: Arc<Address>,
}

/// How many times its limit a queue may hold before it loses what nothing repairs.
const EVENT_FACTOR: usize = 4;

/// How many times its limit a queue may hold before it loses the oldest state: nobody has taken anything for very long.
const STATE_FACTOR: usize = 16;

/// A call's queue of notifications.
#[derive(Debug)]
pub(crate) struct Outbox {
    limit: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Letter>,
    to: Arc<Address>,
    closed: bool,
}

impl Outbox {
    /// An open, empty queue for at most `limit` notifications.
    pub(crate) fn new(limit: usize, to: Address) -> Self {
        let state = State { waiting: VecDeque::new(), to: Arc::new(to), closed: false };
        Self { limit: limit.max(1), state: Mutex::new(state), changed: Notify::new() }
    }

    /// Notifications pushed from now on go there.
    pub(crate) fn readdress(&self, to: Address) {
        self.lock().to = Arc::new(to);
    }

    /// Appends a notification; says how many others had to be dropped for it (0 or 1).
    pub(crate) fn push(&self, notification: Notification) -> u64 {
        let mut state = self.lock();
        if state.closed {
            return 0;
        }
        let full = state.waiting.len() >= self.limit;
        let overfull = state.waiting.len() >= self.limit.saturating_mul(EVENT_FACTOR);
        let hopeless = state.waiting.len() >= self.limit.saturating_mul(STATE_FACTOR);
        let droppable = |subject| match subject {
            Subject::Roster => full,
            Subject::Event => overfull,
            Subject::State => hopeless,
            Subject::Incoming => false,
        };
        let oldest = |wanted| state.waiting.iter().position(|letter| letter.notification.subject == wanted);
        let victim =
            [Subject::Roster, Subject::Event, Subject::State].into_iter().filter(|s| droppable(*s)).find_map(oldest);
        let mut dropped = 0;
        if let Some(index) = victim {
            state.waiting.remove(index);
            dropped = 1;
        } else if droppable(notification.subject) && notification.subject != Subject::State {
            return 1;
        }
        let to = Arc::clone(&state.to);
        state.waiting.push_back(Letter { notification, to });
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
    pub(crate) async fn next(&self) -> Option<Letter> {
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

    fn address(uri: &str) -> Address {
        Address { callback_uri: uri.to_owned(), scenario_id: None }
    }

    fn event() -> Notification {
        Notification::event(&CallId::new("c"), &Call::default())
    }

    fn state() -> Notification {
        Notification::call(&CallId::new("c"), ChangeType::Updated, &Call::default())
    }

    fn roster(names: usize) -> Notification {
        let participants: Vec<_> = (0..names).map(|n| Participant::new(n.to_string().into())).collect();
        Notification::roster(&CallId::new("c"), &participants)
    }

    #[tokio::test]
    async fn full_queue_drops_the_oldest_roster_and_never_a_state() {
        let outbox = Outbox::new(3, address("https://a"));
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
            subjects.push(next.notification.subject);
        }
        assert_eq!(subjects, [Subject::State; 4]);
    }

    #[tokio::test]
    async fn closed_queue_still_delivers_what_it_holds_and_takes_no_more() {
        let outbox = Outbox::new(3, address("https://a"));
        outbox.push(state());
        outbox.close();
        outbox.push(state());
        assert!(outbox.next().await.is_some());
        assert!(outbox.next().await.is_none());
    }

    #[test]
    fn events_are_kept_until_very_many_wait() {
        let outbox = Outbox::new(2, address("https://a"));
        assert_eq!((0..8).map(|_| outbox.push(event())).sum::<u64>(), 0);
        assert_eq!(outbox.push(event()), 1);
        assert_eq!(outbox.len(), 8);
        assert_eq!(outbox.push(state()), 1, "the oldest event makes room for a state");
    }

    #[tokio::test]
    async fn notification_goes_where_the_call_sent_them_when_it_was_written() {
        let outbox = Outbox::new(3, address("https://registered"));
        outbox.push(state());
        outbox.readdress(address("https://answered"));
        outbox.push(state());
        outbox.close();
        assert_eq!(outbox.next().await.unwrap().to.callback_uri, "https://registered");
        assert_eq!(outbox.next().await.unwrap().to.callback_uri, "https://answered");
    }
}
