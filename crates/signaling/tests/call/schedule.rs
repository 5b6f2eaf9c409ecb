//! A call against a model of its service over a network that loses, repeats,
//! delays and reorders notifications, and delays replies.
//!
//! Whatever the schedule: `terminated` is final, events add up, nothing is told
//! twice; and once the network is quiet and the call was looked at, the client
//! knows what the service knows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use antiphon_graph::{CallState, CommsNotification, ParticipantId};
use antiphon_signaling::call::{CallEvent, Reply, RequestId};
use proptest::prelude::*;

use crate::bench::Bench;
use crate::service::{Happening, Service};

/// What the network does to one notification: how many steps each copy takes.
/// No copy: lost.
type Fate = Vec<u8>;

#[derive(Debug, Clone)]
enum Step {
    /// Something happens; these are the fates of what is said about it.
    Happen(Happening, [Fate; 3]),
    /// The service takes the oldest request; its reply takes so many steps.
    Take(u8),
    /// Time passes.
    Pass(u8),
    /// The webhook lost something and knows it.
    Loss,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => Just(Happening::Established),
        5 => (0_u8..6).prop_map(Happening::Join),
        4 => (0_u8..6).prop_map(Happening::Leave),
        4 => (0_u8..6).prop_map(Happening::Mute),
        2 => Just(Happening::Hold),
        2 => Just(Happening::Resume),
        2 => Just(Happening::Transfer),
        2 => Just(Happening::Share),
        2 => (0_u8..3).prop_map(Happening::Unshare),
        2 => Just(Happening::Operation),
        2 => Just(Happening::Tone),
        1 => Just(Happening::Terminate),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    // Lost now and then, mostly once, sometimes repeated; each copy with a delay of its own.
    prop_oneof![
        1 => Just(vec![]),
        6 => prop::collection::vec(0_u8..6, 1),
        2 => prop::collection::vec(0_u8..12, 2..4),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (happening(), [fate(), fate(), fate()]).prop_map(|(what, fates)| Step::Happen(what, fates)),
        5 => (0_u8..6).prop_map(Step::Take),
        3 => (0_u8..30).prop_map(Step::Pass),
        1 => Just(Step::Loss),
    ]
}

/// What is under way to the client.
enum Parcel {
    Notification(CommsNotification),
    Reply(RequestId, Reply),
}

struct World {
    service: Service,
    bench: Bench,
    /// By the step it arrives at, then by the order it was sent in.
    under_way: BTreeMap<(usize, usize), Parcel>,
    step: usize,
    sent: usize,
}

impl World {
    fn new(delta: bool) -> Self {
        Self { service: Service::new(delta), bench: Bench::new(), under_way: BTreeMap::new(), step: 0, sent: 0 }
    }

    fn send(&mut self, delay: u8, parcel: Parcel) {
        self.sent += 1;
        self.under_way.insert((self.step + usize::from(delay), self.sent), parcel);
    }

    fn tell(&mut self, told: Vec<CommsNotification>, fates: &[Fate]) {
        let once = vec![0];
        for (index, notification) in told.into_iter().enumerate() {
            for delay in fates.get(index).unwrap_or(&once) {
                self.send(*delay, Parcel::Notification(notification.clone()));
            }
        }
    }

    fn take(&mut self, delay: u8) {
        if self.bench.requests.is_empty() {
            return;
        }
        let (id, request) = self.bench.requests.remove(0);
        let (reply, told) = self.service.answer(&request);
        self.tell(told, &[]);
        self.send(delay, Parcel::Reply(id, reply));
    }

    /// Hands over what has arrived by now.
    fn arrive(&mut self) {
        while let Some(entry) = self.under_way.first_entry().filter(|entry| entry.key().0 <= self.step) {
            let was_ended = self.bench.machine.is_ended();
            match entry.remove() {
                Parcel::Notification(notification) => {
                    self.bench.machine.handle_notification(notification, self.bench.now);
                }
                Parcel::Reply(id, reply) => self.bench.machine.handle_reply(id, reply, self.bench.now),
            }
            self.bench.drain();
            let ended = self.bench.machine.is_ended();
            assert!(ended || !was_ended, "terminated is final");
            assert_eq!(ended, self.bench.machine.state() == &CallState::Terminated);
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Happen(happening, fates) => {
                let told = self.service.happen(*happening);
                self.tell(told, fates);
            }
            Step::Take(delay) => self.take(*delay),
            Step::Pass(seconds) => self.bench.pass(Duration::from_secs(u64::from(*seconds))),
            Step::Loss => {
                self.bench.machine.handle_loss();
                self.bench.drain();
            }
        }
        self.arrive();
        self.step += 1;
    }

    /// The network is quiet, every request is answered, and time passes until the call has kept itself alive.
    fn settle(&mut self) {
        self.step += 1_000;
        self.arrive();
        for _ in 0..60 {
            while !self.bench.requests.is_empty() {
                self.take(0);
                self.arrive();
            }
            self.bench.pass(Duration::from_secs(20));
        }
    }
}

/// What the events amount to, each checked against those before it.
#[derive(Debug, Default)]
struct Heard {
    present: BTreeMap<ParticipantId, bool>,
    sharing: BTreeSet<String>,
    operations: BTreeSet<String>,
    tones: BTreeSet<i64>,
    failed_transfers: usize,
    last_state: Option<CallState>,
}

impl Heard {
    fn of(events: &[CallEvent]) -> Self {
        let mut heard = Self::default();
        for (index, event) in events.iter().enumerate() {
            heard.take(event);
            assert!(
                !matches!(event, CallEvent::Terminated(_)) || index + 1 == events.len(),
                "the end is the last event"
            );
        }
        heard
    }

    fn take(&mut self, event: &CallEvent) {
        match event {
            CallEvent::State(state) => {
                assert_ne!(self.last_state.as_ref(), Some(&CallState::Terminated), "{state} after the end");
                assert_ne!(self.last_state.as_ref(), Some(state), "a state is told once");
                self.last_state = Some(state.clone());
            }
            CallEvent::Roster(change) => {
                for one in &change.left {
                    assert!(self.present.remove(&one.id).is_some(), "{} left without having joined", one.id);
                }
                for one in &change.joined {
                    let before = self.present.insert(one.id.clone(), one.is_muted == Some(true));
                    assert!(before.is_none(), "{} joined twice", one.id);
                }
                for one in &change.updated {
                    let before = self.present.insert(one.id.clone(), one.is_muted == Some(true));
                    assert!(before.is_some(), "{} changed without having joined", one.id);
                }
            }
            CallEvent::ContentSharing(change) => {
                for one in &change.started {
                    assert!(self.sharing.insert(one.id.clone().unwrap()), "a session began twice");
                }
                for one in &change.ended {
                    assert!(self.sharing.remove(one.id.as_ref().unwrap()), "a session ended that had not begun");
                }
            }
            CallEvent::Operation(operation) => {
                assert!(self.operations.insert(operation.id.clone().unwrap()), "an operation ended twice");
            }
            CallEvent::TransferFailed(_) => self.failed_transfers += 1,
            CallEvent::Tone(tone) => assert!(self.tones.insert(tone.sequence_id.unwrap()), "a key press told twice"),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_client_ends_up_knowing_what_its_service_knows(
        delta in any::<bool>(),
        created_after in 0_usize..6,
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut world = World::new(delta);
        for (index, step) in steps.iter().enumerate() {
            if index == created_after {
                world.take(0); // the create request, whatever was notified ahead of it
            }
            world.run(step);
        }
        world.settle();

        let World { service, bench, .. } = world;
        let heard = Heard::of(&bench.events);
        prop_assert_eq!(bench.machine.is_ended(), service.is_over());
        prop_assert!(heard.operations.len() <= usize::from(service.operations));
        prop_assert!(heard.failed_transfers == 0 || service.transfers > 0, "only a transfer can fail");
        prop_assert!(heard.tones.iter().all(|tone| (1..=service.tones()).contains(tone)));
        if service.is_over() {
            return Ok(());
        }
        prop_assert_eq!(bench.machine.state(), service.state());
        let roster: Vec<_> = bench.machine.roster().participants()
            .map(|one| (one.id.to_string(), one.is_muted == Some(true))).collect();
        prop_assert_eq!(&roster, &service.roster());
        let told: Vec<_> = heard.present.iter().map(|(id, muted)| (id.to_string(), *muted)).collect();
        prop_assert_eq!(&told, &roster, "the events add up to the roster");
        let sharing: Vec<_> = bench.machine.sharing().filter_map(|one| one.id.clone()).collect();
        if !heard.sharing.is_empty() || !sharing.is_empty() {
            prop_assert_eq!(&sharing, &service.sharing());
        }
    }

    #[test]
    fn without_losses_a_delta_roster_needs_no_look(
        steps in prop::collection::vec((happening(), prop::collection::vec(0_u8..12, 1..4)), 0..40),
    ) {
        let mut world = World::new(true);
        world.take(0);
        world.run(&Step::Happen(Happening::Established, [vec![0], vec![0], vec![0]]));
        for (happening, fate) in &steps {
            if !matches!(happening, Happening::Terminate) {
                world.run(&Step::Happen(*happening, [fate.clone(), fate.clone(), fate.clone()]));
            }
        }
        world.step += 1_000;
        world.arrive();
        let roster: Vec<_> = world.bench.machine.roster().participants()
            .map(|one| (one.id.to_string(), one.is_muted == Some(true))).collect();
        prop_assert_eq!(roster, world.service.roster());
        let heard = Heard::of(&world.bench.events);
        prop_assert_eq!(heard.operations.len(), usize::from(world.service.operations), "no operation's end is missed");
        prop_assert_eq!(heard.tones.len() as i64, world.service.tones(), "no key press is missed");
        prop_assert_eq!(heard.sharing.into_iter().collect::<Vec<_>>(), world.service.sharing());
    }

    #[test]
    fn whatever_happens_to_a_call_it_ends_and_says_nothing_after(data in prop::collection::vec(any::<u8>(), 0..120)) {
        antiphon_signaling::fuzz::call(&data);
    }
}
