//! Notifications to their calls, incoming calls to whoever takes them.
//!
//! A notification may come before the reply that tells the app its call's id,
//! so those for calls nobody registered are held: a bounded number, for a
//! bounded time. One that says `incoming` is offered once to the subscriber of
//! incoming calls, with what was held for it. A call's tenant is that of its
//! resource or else of its first token; tokens of another tenant are refused.
//! Any thread; the lock is never held across an await.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use antiphon_graph::{CallId, CommsNotification};
use serde_json::Value;
use tokio::sync::{Notify, broadcast};
use uuid::Uuid;

use super::queue::{Delivery, Queue};
use super::sighting::{NotificationKind, Sighting};
use super::stats::{Counters, WebhookStats};
use super::verify::TokenFault;

/// Capacities, fixed at construction.
#[derive(Debug, Clone)]
pub struct DispatchLimits {
    /// Notifications waiting per call. Default 256.
    pub queue: usize,
    /// Unregistered calls notifications are held for, incoming ones among
    /// them. Default 256.
    pub held_calls: usize,
    /// Notifications held per unregistered call. Default 32.
    pub held_per_call: usize,
    /// How long they are held. Default 30 s.
    pub held_for: Duration,
    /// How long an incoming call waits to be taken: as long as the service
    /// waits for an answer. Default 15 s.
    pub incoming_for: Duration,
    /// Incoming calls remembered, so that a late repetition of one is no new
    /// call. Default 4096.
    pub remembered: usize,
    /// Sightings kept for an observer that is behind. Default 1024.
    pub sightings: usize,
}

impl Default for DispatchLimits {
    fn default() -> Self {
        Self {
            queue: 256,
            held_calls: 256,
            held_per_call: 32,
            held_for: Duration::from_secs(30),
            incoming_for: Duration::from_secs(15),
            remembered: 4096,
            sightings: 1024,
        }
    }
}

/// What became of a dispatched notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dispatched {
    /// In the queue of its call.
    Delivered,
    /// Held until somebody registers or takes the call.
    Held,
    /// Dropped: the queue, or the room for held ones, is full.
    Overflowed,
    /// Not about a call.
    Unknown,
    /// Dropped: an incoming call that was offered before and is over.
    Repeated,
    /// Refused: the token's tenant is not the call's.
    OtherTenant,
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
    sightings: broadcast::Sender<Sighting>,
}

#[derive(Debug, Default)]
struct State {
    registered: HashMap<CallId, Registration>,
    held: HashMap<CallId, Held>,
    /// Incoming calls nobody took yet, oldest first; each is held.
    offers: VecDeque<CallId>,
    /// Every incoming call offered lately.
    offered: Remembered,
    subscriber: Option<Arc<Subscriber>>,
}

#[derive(Debug)]
struct Registration {
    queue: Arc<Queue>,
    tenant: Option<Arc<str>>,
}

#[derive(Debug)]
struct Held {
    since: Instant,
    tenant: Arc<str>,
    incoming: bool,
    queue: VecDeque<Delivery>,
    lost: u64,
}

#[derive(Debug, Default)]
struct Subscriber {
    offered: Notify,
    closed: AtomicBool,
}

/// The queue of one call; unregisters when dropped.
#[derive(Debug)]
pub struct NotificationReceiver {
    call: CallId,
    queue: Arc<Queue>,
    shared: Arc<Shared>,
}

/// The subscription to incoming calls; ends when dropped.
#[derive(Debug)]
pub struct IncomingReceiver {
    subscriber: Arc<Subscriber>,
    shared: Arc<Shared>,
}

/// A call that wants to be answered.
#[derive(Debug)]
#[non_exhaustive]
pub struct Incoming {
    /// The notification that told it.
    pub notification: Box<CommsNotification>,
    /// Tenant of the call, from the token.
    pub tenant: Arc<str>,
    /// When it arrived: the service waits 15 seconds from about then.
    pub since: Instant,
    /// What else is told about it, from the first on.
    pub receiver: NotificationReceiver,
}

impl Dispatcher {
    /// A dispatcher of its own; a listener has one already.
    pub fn new(limits: DispatchLimits) -> Self {
        Self::counting(limits, Arc::default())
    }

    pub(super) fn counting(limits: DispatchLimits, counters: Arc<Counters>) -> Self {
        let (sightings, _) = broadcast::channel(limits.sightings.max(1));
        Self { shared: Arc::new(Shared { limits, counters, state: Mutex::default(), sightings }) }
    }

    /// Receives the notifications of a call from now on, held ones first. A
    /// former receiver of the same call gets nothing more.
    ///
    /// `tenant` is the call's, if its resource names one: from then on tokens
    /// of another are refused, and what was held of another is dropped. If it
    /// is `None` or no GUID, the first token decides.
    pub fn register(&self, call: CallId, tenant: Option<&str>) -> NotificationReceiver {
        let shared = &self.shared;
        let mut state = shared.state();
        shared.expire(&mut state, Instant::now());
        let tenant: Option<Arc<str>> = tenant.filter(|text| is_guid(text)).map(Into::into);
        let mut held = state.held.remove(&call);
        if let (Some(tenant), Some(other)) = (&tenant, &held)
            && !is_same(tenant, &other.tenant)
        {
            other.queue.iter().for_each(|_| shared.counters.refuse(TokenFault::OtherTenant));
            held = None;
        }
        shared.claim(&mut state, call, tenant, held)
    }

    /// Receives incoming calls from now on, those that wait first. A former
    /// subscriber gets nothing more.
    pub fn incoming(&self) -> IncomingReceiver {
        let subscriber = Arc::new(Subscriber::default());
        let former = self.shared.state().subscriber.replace(Arc::clone(&subscriber));
        if let Some(former) = former {
            former.close();
        }
        IncomingReceiver { subscriber, shared: Arc::clone(&self.shared) }
    }

    /// Sees every verified notification from now on, wherever it goes. An
    /// observer that falls behind is told how many it missed.
    pub fn observe(&self) -> broadcast::Receiver<Sighting> {
        self.shared.sightings.subscribe()
    }

    /// Puts a notification where it belongs. `now` ages the held ones.
    pub fn dispatch(&self, notification: CommsNotification, tenant: &Arc<str>, now: Instant) -> Dispatched {
        let shared = &self.shared;
        let mut state = shared.state();
        shared.expire(&mut state, now);
        if state.is_of_other_tenant(&notification, tenant) {
            shared.counters.refuse(TokenFault::OtherTenant);
            return Dispatched::OtherTenant;
        }
        shared.place(&mut state, notification, tenant, now)
    }

    /// Puts the notifications of one request where they belong: all, or none.
    ///
    /// # Errors
    ///
    /// [`TokenFault::OtherTenant`] if the token's tenant is not that of each
    /// call; counted here.
    pub(super) fn dispatch_all(
        &self,
        notifications: Vec<CommsNotification>,
        tenant: &Arc<str>,
        now: Instant,
    ) -> Result<(), TokenFault> {
        let shared = &self.shared;
        let mut state = shared.state();
        shared.expire(&mut state, now);
        if notifications.iter().any(|one| state.is_of_other_tenant(one, tenant)) {
            shared.counters.refuse(TokenFault::OtherTenant);
            return Err(TokenFault::OtherTenant);
        }
        for notification in notifications {
            shared.place(&mut state, notification, tenant, now);
        }
        Ok(())
    }

    /// Whether somebody receives the notifications of a call.
    pub(super) fn is_registered(&self, call: &CallId) -> bool {
        self.shared.state().registered.contains_key(call)
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
        let mut state = self.shared.state();
        for (_, registration) in state.registered.drain() {
            registration.queue.close();
        }
        if let Some(subscriber) = state.subscriber.take() {
            subscriber.close();
        }
    }
}

impl State {
    /// Whether the token's tenant is known not to be the call's.
    fn is_of_other_tenant(&self, notification: &CommsNotification, tenant: &str) -> bool {
        let Some(call) = notification.path().ok().and_then(|path| path.call_id().cloned()) else { return false };
        let known = match (self.registered.get(&call), self.held.get(&call)) {
            (Some(registration), _) => registration.tenant.as_ref(),
            (None, held) => held.map(|held| &held.tenant),
        };
        let told = match NotificationKind::of(notification) {
            NotificationKind::IncomingCall => notification.resource_data.entities().first(),
            _ => None,
        };
        let told = told.and_then(|call| call.get("tenantId")).and_then(Value::as_str).filter(|text| is_guid(text));
        known.is_some_and(|known| !is_same(known, tenant)) || told.is_some_and(|told| !is_same(told, tenant))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a notification where it belongs and tells the observers.
    fn place(&self, state: &mut State, notification: CommsNotification, tenant: &Arc<str>, now: Instant) -> Dispatched {
        let observed = self.sightings.receiver_count() > 0;
        let sighting = observed.then(|| Sighting::of(&notification, tenant, Dispatched::Unknown));
        let outcome = self.queue(state, notification, tenant, now);
        let counters = &self.counters;
        let counter = match outcome {
            Dispatched::Delivered => &counters.delivered,
            Dispatched::Held => &counters.held,
            Dispatched::Overflowed => &counters.overflowed,
            Dispatched::Repeated => &counters.repeated_calls,
            Dispatched::Unknown | Dispatched::OtherTenant => &counters.unknown,
        };
        counter.add(1);
        if let Some(sighting) = sighting {
            let _ = self.sightings.send(Sighting { outcome, ..sighting }); // the last observer has just left
        }
        outcome
    }

    fn queue(&self, state: &mut State, notification: CommsNotification, tenant: &Arc<str>, now: Instant) -> Dispatched {
        let Some(call) = notification.path().ok().and_then(|path| path.call_id().cloned()) else {
            return Dispatched::Unknown;
        };
        let incoming = NotificationKind::of(&notification) == NotificationKind::IncomingCall;
        let delivery = Delivery::Notification { notification: Box::new(notification), tenant: Arc::clone(tenant) };
        if let Some(registration) = state.registered.get_mut(&call) {
            registration.tenant.get_or_insert_with(|| Arc::clone(tenant));
            return match registration.queue.push(delivery, self.limits.queue) {
                true => Dispatched::Delivered,
                false => Dispatched::Overflowed,
            };
        }
        let is_held = state.held.contains_key(&call);
        if incoming && !is_held && state.offered.contains(&call) {
            return Dispatched::Repeated;
        }
        if !is_held && state.held.len() >= self.limits.held_calls && !(incoming && self.make_room(state)) {
            return Dispatched::Overflowed;
        }
        let held = state.held.entry(call.clone()).or_insert_with(|| Held {
            since: now,
            tenant: Arc::clone(tenant),
            incoming: false,
            queue: VecDeque::new(),
            lost: 0,
        });
        if held.queue.len() >= self.limits.held_per_call && (held.incoming || !incoming) {
            held.lost += 1;
            return Dispatched::Overflowed;
        }
        held.queue.push_back(delivery);
        if incoming && !held.incoming {
            (held.incoming, held.since) = (true, now);
            state.offered.insert(call.clone(), self.limits.remembered);
            state.offers.push_back(call);
            if let Some(subscriber) = &state.subscriber {
                subscriber.offered.notify_one();
            }
        }
        Dispatched::Held
    }

    /// Drops what was held longest for a call that is not known to be incoming, so that one that is finds room.
    fn make_room(&self, state: &mut State) -> bool {
        let others = state.held.iter().filter(|(_, held)| !held.incoming);
        let Some(oldest) = others.min_by_key(|(_, held)| held.since).map(|(call, _)| call.clone()) else {
            return false;
        };
        if let Some(held) = state.held.remove(&oldest) {
            self.counters.unclaimed.add(held.queue.len() as u64);
        }
        true
    }

    /// Makes a receiver of what was held for a call.
    fn claim(
        self: &Arc<Self>,
        state: &mut State,
        call: CallId,
        tenant: Option<Arc<str>>,
        held: Option<Held>,
    ) -> NotificationReceiver {
        let tenant = tenant.or_else(|| held.as_ref().map(|held| Arc::clone(&held.tenant)));
        let (queue, lost) = held.map_or_else(Default::default, |held| (held.queue, held.lost));
        self.counters.delivered.add(queue.len() as u64);
        let queue = Arc::new(Queue::of(queue, lost));
        state.offers.retain(|offer| *offer != call);
        let registration = Registration { queue: Arc::clone(&queue), tenant };
        if let Some(former) = state.registered.insert(call.clone(), registration) {
            former.queue.close();
        }
        NotificationReceiver { call, queue, shared: Arc::clone(self) }
    }

    /// Takes the oldest incoming call that still waits.
    fn take_offer(self: &Arc<Self>, now: Instant) -> Option<Incoming> {
        let mut state = self.state();
        self.expire(&mut state, now);
        let call = state.offers.pop_front()?;
        let mut held = state.held.remove(&call)?;
        let is_it = |delivery: &Delivery| {
            matches!(delivery, Delivery::Notification { notification, .. }
                if NotificationKind::of(notification) == NotificationKind::IncomingCall)
        };
        // Others may have overtaken it; they stay in the queue.
        let at = held.queue.iter().position(is_it)?;
        let Some(Delivery::Notification { notification, tenant }) = held.queue.remove(at) else { return None };
        self.counters.delivered.add(1);
        let since = held.since;
        let receiver = self.claim(&mut state, call, None, Some(held));
        Some(Incoming { notification, tenant, since, receiver })
    }

    /// Drops what was held too long.
    fn expire(&self, state: &mut State, now: Instant) {
        let (limits, counters, offers) = (&self.limits, &self.counters, &mut state.offers);
        state.held.retain(|call, held| {
            let span = if held.incoming { limits.incoming_for } else { limits.held_for };
            let keep = now < held.since + span;
            if !keep {
                counters.unclaimed.add(held.queue.len() as u64);
                if held.incoming {
                    counters.missed_calls.add(1);
                    offers.retain(|offer| offer != call);
                }
            }
            keep
        });
    }
}

impl Subscriber {
    fn close(&self) {
        self.closed.store(true, Ordering::Release); // pairs with the load in `recv`
        self.offered.notify_one();
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
        self.queue.recv().await
    }
}

impl Drop for NotificationReceiver {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if state.registered.get(&self.call).is_some_and(|one| Arc::ptr_eq(&one.queue, &self.queue)) {
            state.registered.remove(&self.call);
        }
    }
}

impl IncomingReceiver {
    /// The next incoming call; `None` once the webhook or a later subscription
    /// has ended this one. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Incoming> {
        loop {
            if self.subscriber.closed.load(Ordering::Acquire) {
                return None;
            }
            if let Some(incoming) = self.shared.take_offer(Instant::now()) {
                return Some(incoming);
            }
            self.subscriber.offered.notified().await;
        }
    }
}

impl Drop for IncomingReceiver {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if state.subscriber.as_ref().is_some_and(|one| Arc::ptr_eq(one, &self.subscriber)) {
            state.subscriber = None;
        }
    }
}

/// A bounded set: the oldest are forgotten.
#[derive(Debug, Default)]
struct Remembered {
    order: VecDeque<CallId>,
    set: HashSet<CallId>,
}

impl Remembered {
    fn contains(&self, call: &CallId) -> bool {
        self.set.contains(call)
    }

    fn insert(&mut self, call: CallId, capacity: usize) {
        if self.set.insert(call.clone()) {
            self.order.push_back(call);
        }
        if self.order.len() > capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
    }
}

/// Whether a text can be compared with the tenant of a token: a name cannot.
fn is_guid(text: &str) -> bool {
    Uuid::try_parse(text).is_ok()
}

fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
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
        DispatchLimits { queue: 2, held_calls: 2, held_per_call: 2, ..DispatchLimits::default() }
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
        let mut one = dispatcher.register("1".into(), None);
        let mut two = dispatcher.register("2".into(), None);
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
        let mut receiver = dispatcher.register("ab".into(), None);
        assert_eq!(dispatcher.dispatch(notification("ab", 2), &tenant, now), Dispatched::Delivered);
        assert_eq!(next(&mut receiver).await.as_deref(), Some("1"));
        assert_eq!(next(&mut receiver).await.as_deref(), Some("2"));
    }

    #[tokio::test]
    async fn a_full_queue_drops_the_newest_and_says_so() {
        let (dispatcher, tenant, now) = (Dispatcher::new(limits()), "t".into(), Instant::now());
        let mut receiver = dispatcher.register("1".into(), None);
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
        let mut first = dispatcher.register("1".into(), None);
        let mut second = dispatcher.register("1".into(), None);
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

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

    fn incoming(call: &str, tenant: &str) -> CommsNotification {
        let data = serde_json::json!({"state": "incoming", "tenantId": tenant});
        CommsNotification {
            change_type: Some(antiphon_graph::ChangeType::Created),
            resource_data: serde_json::from_value(data).unwrap(),
            ..notification(call, 0)
        }
    }

    #[tokio::test]
    async fn an_incoming_call_is_offered_once_with_what_was_told_of_it() {
        let (dispatcher, now) = (Dispatcher::new(DispatchLimits::default()), Instant::now());
        let tenant: Arc<str> = TENANT.into();
        let dispatch = |notification| dispatcher.dispatch(notification, &tenant, now);
        // Its end overtook it; it came twice; and another call is none of this.
        assert_eq!(dispatch(notification("c", 1)), Dispatched::Held);
        assert_eq!(dispatch(incoming("c", TENANT)), Dispatched::Held);
        assert_eq!(dispatch(incoming("C", TENANT)), Dispatched::Held);
        assert_eq!(dispatch(notification("other", 2)), Dispatched::Held);
        let mut subscription = dispatcher.incoming();
        let mut taken = subscription.recv().await.unwrap();
        assert_eq!((taken.receiver.call(), &*taken.tenant), (&"c".into(), TENANT));
        assert_eq!(dispatch(notification("c", 3)), Dispatched::Delivered);
        let rest = [next(&mut taken.receiver).await, next(&mut taken.receiver).await, next(&mut taken.receiver).await];
        assert_eq!(rest.map(Option::unwrap), ["1", "0", "3"]);
        drop(taken);
        assert_eq!(dispatch(incoming("c", TENANT)), Dispatched::Repeated, "a late repetition is no new call");
        assert_eq!(dispatch(incoming("d", TENANT)), Dispatched::Held);
        assert_eq!(subscription.recv().await.unwrap().receiver.call(), &"d".into());
    }

    #[tokio::test]
    async fn an_incoming_call_finds_room_among_what_nobody_claims() {
        let (dispatcher, now) = (Dispatcher::new(limits()), Instant::now());
        let tenant: Arc<str> = TENANT.into();
        let dispatch =
            |notification, seconds| dispatcher.dispatch(notification, &tenant, now + Duration::from_secs(seconds));
        assert_eq!(dispatch(notification("old", 0), 0), Dispatched::Held);
        assert_eq!(dispatch(notification("a", 0), 1), Dispatched::Held);
        assert_eq!(dispatch(notification("a", 1), 1), Dispatched::Held);
        assert_eq!(dispatch(incoming("b", TENANT), 1), Dispatched::Held, "the oldest made room");
        assert_eq!(dispatch(incoming("a", TENANT), 1), Dispatched::Held, "though much is held of it");
        assert_eq!(dispatch(incoming("c", TENANT), 1), Dispatched::Overflowed, "all that is held is incoming");
        assert_eq!(dispatcher.stats().unclaimed, 1);
        let mut subscription = dispatcher.incoming();
        assert_eq!(subscription.recv().await.unwrap().receiver.call(), &"b".into());
        assert_eq!(subscription.recv().await.unwrap().receiver.call(), &"a".into());
    }

    #[tokio::test]
    async fn an_incoming_call_nobody_takes_is_missed() {
        let (dispatcher, now) = (Dispatcher::new(DispatchLimits::default()), Instant::now());
        let tenant: Arc<str> = TENANT.into();
        let long_ago = now.checked_sub(Duration::from_secs(15)).unwrap();
        assert_eq!(dispatcher.dispatch(incoming("late", TENANT), &tenant, long_ago), Dispatched::Held);
        assert_eq!(dispatcher.dispatch(incoming("now", TENANT), &tenant, now), Dispatched::Held);
        let mut subscription = dispatcher.incoming();
        assert_eq!(subscription.recv().await.unwrap().receiver.call(), &"now".into());
        let stats = dispatcher.stats();
        assert_eq!((stats.missed_calls, stats.unclaimed), (1, 1));
    }

    #[tokio::test]
    async fn a_later_subscription_takes_over_and_a_closed_webhook_ends_it() {
        let dispatcher = Dispatcher::new(DispatchLimits::default());
        let mut first = dispatcher.incoming();
        let mut second = dispatcher.incoming();
        assert!(first.recv().await.is_none());
        drop(first);
        dispatcher.dispatch(incoming("c", TENANT), &TENANT.into(), Instant::now());
        assert!(second.recv().await.is_some());
        dispatcher.close();
        assert!(second.recv().await.is_none());
    }

    #[test]
    fn a_call_belongs_to_one_tenant() {
        let (dispatcher, now) = (Dispatcher::new(DispatchLimits::default()), Instant::now());
        let (ours, theirs): (Arc<str>, Arc<str>) = (TENANT.into(), "0e3ed4a5-0000-0000-0000-000000000000".into());
        // Known from the resource.
        let _known = dispatcher.register("known".into(), Some(&TENANT.to_uppercase()));
        assert_eq!(dispatcher.dispatch(notification("known", 1), &ours, now), Dispatched::Delivered);
        assert_eq!(dispatcher.dispatch(notification("known", 2), &theirs, now), Dispatched::OtherTenant);
        // By the first token, as a name cannot be compared.
        let _first = dispatcher.register("first".into(), Some("contoso.com"));
        assert_eq!(dispatcher.dispatch(notification("first", 1), &theirs, now), Dispatched::Delivered);
        assert_eq!(dispatcher.dispatch(notification("first", 2), &ours, now), Dispatched::OtherTenant);
        // By what the incoming call says of itself.
        assert_eq!(dispatcher.dispatch(incoming("new", TENANT), &theirs, now), Dispatched::OtherTenant);
        // What was held of another tenant is not delivered once the tenant is known.
        assert_eq!(dispatcher.dispatch(notification("early", 1), &theirs, now), Dispatched::Held);
        let early = dispatcher.register("early".into(), Some(TENANT));
        assert_eq!(early.queue.len(), 0);
        assert_eq!(dispatcher.stats().refused, [(TokenFault::OtherTenant, 4)]);
        // One foreign notification spoils the request it came with.
        let both = vec![notification("known", 3), notification("first", 3)];
        assert_eq!(dispatcher.dispatch_all(both, &ours, now), Err(TokenFault::OtherTenant));
        assert_eq!(dispatcher.stats().delivered, 2);
    }

    #[tokio::test]
    async fn an_observer_sees_every_notification_wherever_it_goes() {
        let (dispatcher, tenant) = (Dispatcher::new(DispatchLimits::default()), Arc::from(TENANT));
        let mut observer = dispatcher.observe();
        let _receiver = dispatcher.register("1".into(), None);
        for call in ["1", "2"] {
            dispatcher.dispatch(notification(call, 0), &tenant, Instant::now());
        }
        dispatcher.dispatch(incoming("3", TENANT), &tenant, Instant::now());
        let mut seen = Vec::new();
        while let Ok(sighting) = observer.try_recv() {
            seen.push((sighting.call.unwrap().to_string(), sighting.kind, sighting.outcome));
        }
        use NotificationKind::{Call, IncomingCall};
        let (delivered, held) = (Dispatched::Delivered, Dispatched::Held);
        let expected = [("1", Call, delivered), ("2", Call, held), ("3", IncomingCall, held)];
        assert_eq!(seen, expected.map(|(call, kind, outcome)| (call.to_owned(), kind, outcome)));
    }
}
