//! Hand-over: the newest value of something big, from a control thread to a media thread, swapped whole.
//!
//! In the flow: the engine publishes a compiled plan, the media thread swaps it in between two ticks.
//! Invariants: one value is under way at most (a credit); the value it replaces comes back the same way
//! and is freed by the publisher's thread; hence returning cannot fail. The subscriber never waits, never
//! allocates, never frees. Whoever drops the last end frees what is still under way: drop the subscriber
//! on a control thread. Modelled by `tests/loom_handover.rs`, which also shows a weaker ordering failing.
#![expect(unsafe_code, reason = "boxes cross as raw pointers; see the SAFETY comments")]

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ptr;

use crate::sync::{Arc, AtomicPtr, Ordering};

/// Makes a hand-over with nothing under way and one credit.
#[must_use]
pub fn handover<T: Send>() -> (Publisher<T>, Subscriber<T>) {
    let lanes = Arc::new(Lanes { out: AtomicPtr::new(ptr::null_mut()), back: AtomicPtr::new(ptr::null_mut()) });
    let publisher = Publisher { lanes: Arc::clone(&lanes), credit: true, owns: PhantomData };
    (publisher, Subscriber { lanes, owns: PhantomData })
}

/// Two one-slot lanes. A non-null pointer in a lane comes from `Box::into_raw` and is owned by the lane;
/// whoever swaps it for null owns it from then on.
struct Lanes<T> {
    out: AtomicPtr<T>,
    back: AtomicPtr<T>,
}

/// The control thread's end.
pub struct Publisher<T: Send> {
    lanes: Arc<Lanes<T>>,
    /// True when no value of ours is in `out`, being swapped, or waiting in `back`.
    credit: bool,
    owns: PhantomData<Box<T>>,
}

/// The media thread's end.
pub struct Subscriber<T: Send> {
    lanes: Arc<Lanes<T>>,
    owns: PhantomData<Box<T>>,
}

impl<T: Send> Publisher<T> {
    /// Sends `value` to the subscriber's next [`swap`](Subscriber::swap).
    ///
    /// # Errors
    /// Gives `value` back if the one before has not been [reclaimed](Self::reclaim) or
    /// [retracted](Self::retract): there is no credit for its way back.
    ///
    /// # Real-time
    /// Wait-free; does not allocate or free.
    pub fn publish(&mut self, value: Box<T>) -> Result<(), Box<T>> {
        if !self.credit {
            return Err(value);
        }
        self.credit = false;
        // With the credit held, `out` is empty.
        put(&self.lanes.out, value);
        Ok(())
    }

    /// Takes what the subscriber sent back, if it has; the credit is free again then.
    ///
    /// # Real-time
    /// Wait-free. The caller frees the value: not for a media thread.
    pub fn reclaim(&mut self) -> Option<Box<T>> {
        let value = take(&self.lanes.back)?;
        self.credit = true;
        Some(value)
    }

    /// Takes back a value that the subscriber has not picked up yet, so that a newer one can go in its place.
    ///
    /// `None` if nothing was under way or the subscriber was quicker; then [`reclaim`](Self::reclaim) will
    /// bring what it replaced.
    pub fn retract(&mut self) -> Option<Box<T>> {
        let value = take(&self.lanes.out)?;
        self.credit = true;
        Some(value)
    }

    /// Whether [`publish`](Self::publish) would succeed now.
    #[must_use]
    pub fn has_credit(&self) -> bool {
        self.credit
    }
}

impl<T: Send> Subscriber<T> {
    /// Puts a newly published value in place of `*current` and sends the old one back; `false` if none waits.
    ///
    /// # Real-time
    /// Wait-free; does not allocate or free; O(1).
    pub fn swap(&mut self, current: &mut Box<T>) -> bool {
        let Some(new) = take(&self.lanes.out) else {
            return false;
        };
        let old = mem::replace(current, new);
        // `back` is empty: the value just taken used the only credit, and the publisher gets that again only
        // by emptying `back`.
        put(&self.lanes.back, old);
        true
    }
}

/// Fills a lane that the credit says is empty. Wait-free.
fn put<T>(lane: &AtomicPtr<T>, value: Box<T>) {
    // Release pairs with the Acquire in `take`: who takes the pointer sees the value as it was left here.
    // A swap and not a store, so that the lane's history is one chain of read-modify-writes, which loom can
    // follow exactly (it lets a plain store slip before a swap that cannot have seen it).
    let before = lane.swap(Box::into_raw(value), Ordering::Release);
    debug_assert!(before.is_null(), "a lane was filled twice");
}

/// Empties a lane. Wait-free.
fn take<T>(lane: &AtomicPtr<T>) -> Option<Box<T>> {
    // Acquire pairs with the Release in `put`.
    let value = lane.swap(ptr::null_mut(), Ordering::Acquire);
    if value.is_null() {
        return None;
    }
    // SAFETY: a non-null pointer in a lane came from `Box::into_raw` in `put`, the only place that fills one,
    // and the swap gave it to us alone, since it put null in its place.
    Some(unsafe { Box::from_raw(value) })
}

impl<T> Drop for Lanes<T> {
    fn drop(&mut self) {
        drop(take(&self.out));
        drop(take(&self.back));
    }
}

impl<T: Send> fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("credit", &self.credit).finish_non_exhaustive()
    }
}

impl<T: Send> fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn a_new_value_is_swapped_in_and_the_old_one_comes_back() {
        let (mut publisher, mut subscriber) = handover();
        let mut current = Box::new(1);
        assert!(!subscriber.swap(&mut current));
        publisher.publish(Box::new(2)).unwrap();
        assert!(publisher.reclaim().is_none());
        assert!(subscriber.swap(&mut current));
        assert_eq!(*current, 2);
        assert!(!subscriber.swap(&mut current));
        assert_eq!(publisher.reclaim().as_deref(), Some(&1));
    }

    #[test]
    fn without_the_credit_a_second_value_is_refused_unharmed() {
        let (mut publisher, mut subscriber) = handover();
        let mut current = Box::new(1);
        publisher.publish(Box::new(2)).unwrap();
        assert!(!publisher.has_credit());
        assert_eq!(publisher.publish(Box::new(3)), Err(Box::new(3)));
        assert!(subscriber.swap(&mut current));
        assert_eq!(publisher.publish(Box::new(3)), Err(Box::new(3)), "swapped but not reclaimed");
        assert!(publisher.reclaim().is_some());
        publisher.publish(Box::new(3)).unwrap();
        assert!(subscriber.swap(&mut current));
        assert_eq!(*current, 3);
    }

    #[test]
    fn a_value_not_yet_taken_can_be_replaced_by_a_newer_one() {
        let (mut publisher, mut subscriber) = handover();
        let mut current = Box::new(1);
        assert!(publisher.retract().is_none());
        publisher.publish(Box::new(2)).unwrap();
        assert_eq!(publisher.retract().as_deref(), Some(&2));
        publisher.publish(Box::new(3)).unwrap();
        assert!(subscriber.swap(&mut current));
        assert_eq!(*current, 3);
        assert!(publisher.retract().is_none(), "the subscriber was quicker");
        assert!(!publisher.has_credit());
    }

    #[test]
    fn values_under_way_are_freed_once_whoever_goes_last() {
        for subscriber_last in [false, true] {
            let probe = Arc::new(());
            let (mut publisher, mut subscriber) = handover();
            let mut current = Box::new(Arc::clone(&probe));
            publisher.publish(Box::new(Arc::clone(&probe))).unwrap();
            assert!(subscriber.swap(&mut current)); // one value waits in the lane back
            if subscriber_last {
                drop(publisher);
                drop(subscriber);
            } else {
                drop(subscriber);
                drop(publisher);
            }
            drop(current);
            assert_eq!(Arc::strong_count(&probe), 1);
        }
    }

    #[test]
    fn across_threads_values_arrive_in_order_and_all_come_back() {
        const VALUES: u64 = 20_000;
        let (mut publisher, mut subscriber) = handover::<u64>();
        let media = thread::spawn(move || {
            let mut current = Box::new(0);
            let mut swaps = 0;
            while *current != VALUES {
                let before = *current;
                if subscriber.swap(&mut current) {
                    assert!(*current > before);
                    swaps += 1;
                }
                thread::yield_now();
            }
            (swaps, subscriber)
        });
        let mut back = Vec::new();
        let mut next = Box::new(1);
        while *next <= VALUES {
            back.extend(publisher.reclaim());
            let n = *next;
            match publisher.publish(next) {
                Ok(()) => next = Box::new(n + 1),
                Err(refused) => {
                    next = refused;
                    thread::yield_now();
                }
            }
        }
        let (swaps, _subscriber) = media.join().unwrap();
        back.extend(publisher.reclaim());
        assert_eq!(swaps, VALUES);
        assert!(back.iter().map(|b| **b).eq(0..VALUES), "every replaced value, once, in order");
    }
}
