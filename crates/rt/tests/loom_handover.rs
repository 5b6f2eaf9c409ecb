//! Loom models of the plan hand-over: every interleaving and every value a weak memory model allows.
//!
//! Run by `make loom` (`--cfg loom`, a target directory of its own); empty otherwise.
//! Each model's value holds a loom cell, so that a missing happens-before is a failure, and a loom `Arc`,
//! so that a leak is one. The last two models weaken one ordering of a reduced copy and must fail: they
//! show that the others can.
#![cfg(loom)]
#![expect(unsafe_code, reason = "loom's cell hands out raw pointers; the reduced model crosses boxes as such")]

use std::sync::atomic::AtomicUsize;

use antiphon_rt::handover::{Publisher, Subscriber, handover};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicPtr, Ordering};
use loom::thread;

/// A value whose every access loom checks for races, and whose leak it reports.
struct Plan {
    generation: UnsafeCell<usize>,
    _alive: Arc<()>,
}

impl Plan {
    fn new(generation: usize) -> Box<Self> {
        Box::new(Self { generation: UnsafeCell::new(generation), _alive: Arc::new(()) })
    }

    /// Reads as the subscriber does during a tick.
    fn generation(&self) -> usize {
        self.generation.with(|p| {
            // SAFETY: loom fails the model if this read races with a write; that is what is being checked.
            unsafe { *p }
        })
    }

    /// Writes, as an owner may: races with a reader that still thinks it owns the plan.
    fn renumber(&mut self, generation: usize) {
        self.generation.with_mut(|p| {
            // SAFETY: as above.
            unsafe { *p = generation }
        });
    }
}

fn swap_some(subscriber: &mut Subscriber<Plan>, current: &mut Box<Plan>, tries: usize) -> usize {
    let mut swaps = 0;
    for _ in 0..tries {
        let before = current.generation();
        if subscriber.swap(current) {
            swaps += 1;
            assert!(current.generation() > before, "an older plan came after a newer one");
        }
        // The tick uses the plan, and may keep state in it.
        let generation = current.generation();
        current.renumber(generation);
    }
    swaps
}

/// Publishes `count` plans, each as soon as there is credit or room to replace one; returns those left over.
fn publish_all(publisher: &mut Publisher<Plan>, count: usize) {
    for generation in 1..=count {
        let mut plan = Plan::new(generation);
        loop {
            if let Some(mut old) = publisher.reclaim() {
                old.renumber(usize::MAX); // ours again, to write and to free
            }
            match publisher.publish(plan) {
                Ok(()) => break,
                Err(refused) => plan = refused,
            }
            thread::yield_now();
        }
    }
}

#[test]
fn loom_plans_arrive_whole_and_the_old_ones_come_back() {
    loom::model(|| {
        let (mut publisher, mut subscriber) = handover();
        let media = thread::spawn(move || {
            let mut current = Plan::new(0);
            let mut swaps = 0;
            while swaps < 2 {
                swaps += swap_some(&mut subscriber, &mut current, 1);
                thread::yield_now();
            }
            assert_eq!(current.generation(), 2);
            current // returned to control, as a runner returns its task
        });
        publish_all(&mut publisher, 2);
        let current = media.join().unwrap();
        assert_eq!(current.generation(), 2);
        assert_eq!(publisher.reclaim().map(|p| p.generation()), Some(1));
    });
}

#[test]
fn loom_a_retracted_plan_is_seen_by_exactly_one_side() {
    // Which generations the subscriber ended with, over all interleavings: none, the first, the second.
    static ENDED_WITH: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
    loom::model(|| {
        let (mut publisher, mut subscriber) = handover();
        publisher.publish(Plan::new(1)).ok().unwrap();
        let media = thread::spawn(move || {
            let mut current = Plan::new(0);
            let swapped = swap_some(&mut subscriber, &mut current, 1) == 1;
            (swapped, current.generation())
        });
        let retracted = publisher.retract();
        if let Some(mut plan) = retracted {
            plan.renumber(9);
            assert!(publisher.has_credit());
            publisher.publish(Plan::new(2)).ok().unwrap();
        }
        let (swapped, generation) = media.join().unwrap();
        assert_eq!(swapped, generation != 0);
        ENDED_WITH[generation].fetch_add(1, Ordering::Relaxed); // a 9 would be out of bounds
    });
    let ended_with = ENDED_WITH.each_ref().map(|n| n.load(Ordering::Relaxed));
    assert!(ended_with.iter().all(|n| *n > 0), "the model explored every outcome: {ended_with:?}");
}

#[test]
fn loom_whoever_drops_last_frees_what_is_under_way() {
    loom::model(|| {
        let (mut publisher, mut subscriber) = handover();
        let media = thread::spawn(move || {
            let mut current = Plan::new(0);
            swap_some(&mut subscriber, &mut current, 1);
        });
        publisher.publish(Plan::new(1)).ok().unwrap();
        drop(publisher);
        media.join().unwrap();
        // Loom counts the `Arc`s: a plan left in a lane would fail the model as a leak.
    });
}

/// The hand-over's two lanes with the orderings as arguments.
fn reduced(publish: Ordering, give_back: Ordering) {
    let out = Arc::new(AtomicPtr::<Plan>::new(std::ptr::null_mut()));
    let back = Arc::new(AtomicPtr::<Plan>::new(std::ptr::null_mut()));
    let media = thread::spawn({
        let (out, back) = (Arc::clone(&out), Arc::clone(&back));
        move || {
            let new = out.swap(std::ptr::null_mut(), Ordering::Acquire);
            if !new.is_null() {
                // SAFETY: non-null pointers in the lane come from `Box::into_raw` below, taken once.
                let mut plan = unsafe { Box::from_raw(new) };
                let seen = plan.generation();
                plan.renumber(seen + 1);
                back.swap(Box::into_raw(plan), give_back);
            }
        }
    });
    out.swap(Box::into_raw(Plan::new(1)), publish);
    let returned = back.swap(std::ptr::null_mut(), Ordering::Acquire);
    if !returned.is_null() {
        // SAFETY: as above.
        let plan = unsafe { Box::from_raw(returned) };
        assert_eq!(plan.generation(), 2);
    }
    media.join().unwrap();
    for lane in [out, back] {
        let left = lane.swap(std::ptr::null_mut(), Ordering::Acquire);
        if !left.is_null() {
            // SAFETY: as above.
            drop(unsafe { Box::from_raw(left) });
        }
    }
}

#[test]
fn loom_the_reduced_model_holds_with_the_right_orderings() {
    loom::model(|| reduced(Ordering::Release, Ordering::Release));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn loom_a_relaxed_publish_is_caught() {
    loom::model(|| reduced(Ordering::Relaxed, Ordering::Release));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn loom_a_relaxed_return_is_caught() {
    loom::model(|| reduced(Ordering::Release, Ordering::Relaxed));
}
