//! Notifications to their calls: one bounded, ordered queue each.
//!
//! A notification may come before the reply that tells the app its call's id,
//! so those for calls nobody registered are held: a bounded number, for a
//! bounded time. A full queue drops the newest, counts it, and tells the
//! receiver that something was lost. Any thread; the lock is never held across
//! an await.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use antiphon_graph::{CallId, CommsNotification};
use tokio::sync::Notify;

use super::stats::{Counters, WebhookStats};

/// Capacities, fixed at construction.
#[derive(Debug, Clone)]
pub struct DispatchLimits {
    /// Notifications waiting per call. Default 256.
    pub queue: usize,
    /// Unregistered calls notifications are held for. Default 256.
    pub held_calls: usize,
    /// Notifications held per unregistered call. Default 32.
    pub held_per_call: usize,
    /// How long they are held. Default 30 s.
    pub held_for: Duration,
}

impl Default for DispatchLimits {
    fn default() -> Self {
        Self { queue: 256, held_calls: 256, held_per_call: 32, held_for: Duration::from_secs(30) }
    }
}

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

/// What became of a dispatched notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dispatched {
    /// In the queue of its call.
    Delivered,
    /// Held until somebody registers the call.
    Held,
    /// Dropped: the queue, or the room for held ones, is full.
    Overflowed,
    /// Not about a call.
    Unknown,
}

/// Where receivers register. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: DispatchLimits,
    counters: Arc<Counters>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    registered: HashMap<CallId, Arc<Queue>>,
    held: HashMap<CallId, Held>,
}

#[derive(Debug)]
struct Held {
    since: Instant,
    queue: VecDeque<Delivery>,
    lost: u64,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Delivery>,
    lost: u64,
    closed: bool,
}

/// The queue of one call; unregisters when dropped.
#[derive(Debug)]
pub struct NotificationReceiver {
    call: CallId,
    queue: Arc<Queue>,
    shared: Arc<Shared>,
}

impl Dispatcher {
    /// A dispatcher of its own; a listener has one already.
    pub fn new(limits: DispatchLimits) -> Self {
        Self::counting(limits, Arc::default())
    }

    pub(super) fn counting(limits: DispatchLimits, counters: Arc<Counters>) -> Self {
        Self { shared: Arc::new(Shared { limits, counters, state: Mutex::default() }) }
    }

    /// Receives the notifications of a call from now on, held ones first. A
    /// former receiver of the same call gets nothing more.
    pub fn register(&self, call: CallId) -> NotificationReceiver {
        let mut state = self.shared.state();
        self.shared.expire(&mut state, Instant::now());
        let held = state.held.remove(&call);
        let (queue, lost) = held.map_or_else(Default::default, |held| (held.queue, held.lost));
        self.shared.counters.delivered.add(queue.len() as u64);
        let waiting = Waiting { queue, lost, closed: false };
        let queue = Arc::new(Queue { waiting: Mutex::new(waiting), arrived: Notify::new() });
        if let Some(former) = state.registered.insert(call.clone(), Arc::clone(&queue)) {
            former.close();
        }
        NotificationReceiver { call, queue, shared: Arc::clone(&self.shared) }
    }

    /// Puts a notification where it belongs. `now` ages the held ones.
    pub fn dispatch(&self, notification: CommsNotification, tenant: &Arc<str>, now: Instant) -> Dispatched {
        let shared = &self.shared;
        let Some(call) = notification.path().ok().and_then(|path| path.call_id().cloned()) else {
            shared.counters.unknown.add(1);
            return Dispatched::Unknown;
        };
        let delivery = Delivery::Notification { notification: Box::new(notification), tenant: Arc::clone(tenant) };
        let mut state = shared.state();
        shared.expire(&mut state, now);
        if let Some(queue) = state.registered.get(&call) {
            let delivered = queue.push(delivery, shared.limits.queue);
            let (counter, outcome) = match delivered {
                true => (&shared.counters.delivered, Dispatched::Delivered),
                false => (&shared.counters.overflowed, Dispatched::Overflowed),
            };
            counter.add(1);
            return outcome;
        }
        if !state.held.contains_key(&call) && state.held.len() >= shared.limits.held_calls {
            shared.counters.overflowed.add(1);
            return Dispatched::Overflowed;
        }
        let held = state.held.entry(call).or_insert_with(|| Held { since: now, queue: VecDeque::new(), lost: 0 });
        if held.queue.len() >= shared.limits.held_per_call {
            held.lost += 1;
            shared.counters.overflowed.add(1);
            return Dispatched::Overflowed;
        }
        held.queue.push_back(delivery);
        shared.counters.held.add(1);
        Dispatched::Held
    }

    /// What became of requests and notifications so far.
    pub fn stats(&self) -> WebhookStats {
        self.shared.counters.snapshot()
    }

    pub(super) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Ends all receivers: what is queued can still be taken.
    pub(super) fn close(&self) {
        for (_, queue) in self.shared.state().registered.drain() {
            queue.close();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops what was held too long.
    fn expire(&self, state: &mut State, now: Instant) {
        state.held.retain(|_, held| {
            let keep = now < held.since + self.limits.held_for;
            if !keep {
                self.counters.unclaimed.add(held.queue.len() as u64);
            }
            keep
        });
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there was room.
    fn push(&self, delivery: Delivery, capacity: usize) -> bool {
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

    fn close(&self) {
        self.waiting().closed = true;
        self.arrived.notify_one();
    }
}

impl NotificationReceiver {
    /// The call this is for.
    pub fn call(&self) -> &CallId {
        &self.call
    }

    /// The next delivery; `None` once the webhook or a later registration of
    /// the same call has ended this one and the queue is empty. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Delivery> {
        loop {
            {
                let mut waiting = self.queue.waiting();
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
            self.queue.arrived.notified().await;
        }
    }
}

impl Drop for NotificationReceiver {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if state.registered.get(&self.call).is_some_and(|queue| Arc::ptr_eq(queue, &self.queue)) {
            state.registered.remove(&self.call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(call: &str, number: usize) -> CommsNotification {
        CommsNotification {
            resource_url: Some(format!("/communications/calls/{call}")),
            callback_uri: Some(number.to_string()),
            ..CommsNotification::default()
        }
    }

    fn limits() -> DispatchLimits {
        DispatchLimits { queue: 2, held_calls: 2, held_per_call: 2, held_for: Duration::from_secs(30) }
    }

    async fn next(receiver: &mut NotificationReceiver) -> Option<String> {
        match receiver.recv().await {
            Some(Delivery::Notification { notification, .. }) => notification.callback_uri,
            Some(Delivery::Lost(count)) => Some(format!("lost {count}")),
            None => None,
        }
    }

    #[tokio::test]
    async fn each_call_has_its_own_queue_in_order() {
        let (dispatcher, tenant, now) = (Dispatcher::new(limits()), "t".into(), Instant::now());
        let mut one = dispatcher.register("1".into());
        let mut two = dispatcher.register("2".into());
        for (call, number) in [("1", 10), ("2", 20), ("1", 11)] {
            assert_eq!(dispatcher.dispatch(notification(call, number), &tenant, now), Dispatched::Delivered);
        }
        assert_eq!(next(&mut one).await.as_deref(), Some("10"));
        assert_eq!(next(&mut one).await.as_deref(), Some("11"));
        assert_eq!(next(&mut two).await.as_deref(), Some("20"));
    }

    #[tokio::test]
    async fn notifications_ahead_of_the_registration_are_held_and_come_first() {
        let (dispatcher, tenant, now) = (Dispatcher::new(limits()), "t".into(), Instant::now());
        assert_eq!(dispatcher.dispatch(notification("A-B", 1), &tenant, now), Dispatched::Held);
        let mut receiver = dispatcher.register("ab".into());
        assert_eq!(dispatcher.dispatch(notification("ab", 2), &tenant, now), Dispatched::Delivered);
        assert_eq!(next(&mut receiver).await.as_deref(), Some("1"));
        assert_eq!(next(&mut receiver).await.as_deref(), Some("2"));
    }

    #[tokio::test]
    async fn a_full_queue_drops_the_newest_and_says_so() {
        let (dispatcher, tenant, now) = (Dispatcher::new(limits()), "t".into(), Instant::now());
        let mut receiver = dispatcher.register("1".into());
        let outcomes: Vec<_> =
            (0..4).map(|number| dispatcher.dispatch(notification("1", number), &tenant, now)).collect();
        assert_eq!(outcomes[1..3], [Dispatched::Delivered, Dispatched::Overflowed]);
        assert_eq!(next(&mut receiver).await.as_deref(), Some("0"));
        assert_eq!(next(&mut receiver).await.as_deref(), Some("1"));
        assert_eq!(next(&mut receiver).await.as_deref(), Some("lost 2"));
        let stats = dispatcher.shared.counters.snapshot();
        assert_eq!((stats.delivered, stats.overflowed), (2, 2));
    }

    #[tokio::test]
    async fn held_notifications_are_bounded_in_number_and_time() {
        let (dispatcher, tenant, now) = (Dispatcher::new(limits()), "t".into(), Instant::now());
        let dispatch = |call, at| dispatcher.dispatch(notification(call, 0), &tenant, at);
        assert_eq!(dispatch("1", now), Dispatched::Held);
        assert_eq!(dispatch("2", now), Dispatched::Held);
        assert_eq!(dispatch("3", now), Dispatched::Overflowed);
        assert_eq!(dispatch("1", now), Dispatched::Held);
        assert_eq!(dispatch("1", now), Dispatched::Overflowed);
        let later = now + Duration::from_secs(30);
        assert_eq!(dispatch("3", later), Dispatched::Held);
        assert_eq!(dispatcher.shared.counters.snapshot().unclaimed, 3);
    }

    #[tokio::test]
    async fn a_dropped_receiver_unregisters_and_a_later_one_takes_over() {
        let (dispatcher, tenant, now) = (Dispatcher::new(limits()), "t".into(), Instant::now());
        let mut first = dispatcher.register("1".into());
        let mut second = dispatcher.register("1".into());
        assert_eq!(next(&mut first).await, None);
        drop(first);
        assert_eq!(dispatcher.dispatch(notification("1", 7), &tenant, now), Dispatched::Delivered);
        assert_eq!(next(&mut second).await.as_deref(), Some("7"));
        drop(second);
        assert_eq!(dispatcher.dispatch(notification("1", 8), &tenant, now), Dispatched::Held);
    }

    #[test]
    fn what_is_not_about_a_call_is_counted_and_ignored() {
        let dispatcher = Dispatcher::new(limits());
        let odd = CommsNotification { resource_url: Some("/users/1".into()), ..CommsNotification::default() };
        assert_eq!(dispatcher.dispatch(odd, &"t".into(), Instant::now()), Dispatched::Unknown);
        assert_eq!(dispatcher.shared.counters.snapshot().unknown, 1);
    }
}
