//! The notifications of one call on their way to whoever drives it.
//!
//! Bounded and ordered. A full queue drops the newest, counts it, and tells
//! the receiver that something was lost. The lock is never held across an await.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use antiphon_graph::CommsNotification;
use tokio::sync::Notify;

/// What a receiver gets.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Delivery {
    /// A verified notification.
    Notification {
        /// The notification.
        notification: Box<CommsNotification>,
        /// Tenant of the call, from the token.
        tenant: Arc<str>,
    },
    /// This many notifications were dropped here: the queue was full.
    Lost(u64),
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Delivery>,
    lost: u64,
    closed: bool,
}

impl Queue {
    /// A queue with something in it already.
    pub(super) fn of(queue: VecDeque<Delivery>, lost: u64) -> Self {
        Self { waiting: Mutex::new(Waiting { queue, lost, closed: false }), arrived: Notify::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting().queue.len()
    }

    /// Whether there was room.
    pub(super) fn push(&self, delivery: Delivery, capacity: usize) -> bool {
        let mut waiting = self.waiting();
        let room = waiting.queue.len() < capacity;
        if room {
            waiting.queue.push_back(delivery);
        } else {
            waiting.lost += 1;
        }
        drop(waiting);
        self.arrived.notify_one();
        room
    }

    pub(super) fn close(&self) {
        self.waiting().closed = true;
        self.arrived.notify_one();
    }

    /// The next delivery; `None` once closed and empty. Cancel-safe.
    pub(super) async fn recv(&self) -> Option<Delivery> {
        loop {
            {
                let mut waiting = self.waiting();
                if let Some(delivery) = waiting.queue.pop_front() {
                    return Some(delivery);
                }
                if waiting.lost > 0 {
                    // The newest were dropped, so the loss is told last.
                    return Some(Delivery::Lost(std::mem::take(&mut waiting.lost)));
                }
                if waiting.closed {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }
}
