//! The allocation guard sees what it must see, in a binary that installs it.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use antiphon_testkit::alloc_guard::{AllocCounts, GuardedAlloc, count, forbid};

#[global_allocator]
static ALLOC: GuardedAlloc = GuardedAlloc;

#[test]
fn allocations_frees_and_bytes_are_counted_apart() {
    let (kept, counts) = count(|| vec![0_u8; 100]);
    assert_eq!(counts, AllocCounts { allocs: 1, frees: 0, bytes: 100 });
    let ((), counts) = count(move || drop(kept));
    assert_eq!(counts, AllocCounts { allocs: 0, frees: 1, bytes: 0 });
    let mut grown = Vec::<u8>::with_capacity(10);
    let ((), counts) = count(|| grown.reserve_exact(50));
    assert_eq!((counts.allocs, counts.frees), (1, 1));
}

#[test]
fn work_on_warm_memory_counts_nothing() {
    let mut samples = vec![0.5_f32; 960];
    let ((), counts) = count(|| samples.iter_mut().for_each(|s| *s *= 0.5));
    assert!(counts.is_zero());
    forbid(|| samples.reverse());
}

#[test]
fn a_forbidden_allocation_is_named_by_its_backtrace() {
    let panic = catch_unwind(|| forbid(|| String::from("not in a tick"))).unwrap_err();
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(said.starts_with("1 allocations and 0 frees"), "{said}");
    assert!(said.contains("a_forbidden_allocation_is_named_by_its_backtrace"), "{said}");
}

#[test]
fn a_forbidden_free_is_caught_even_without_an_allocation() {
    let old_plan = Box::new([0_u8; 64]);
    let panic = catch_unwind(AssertUnwindSafe(|| forbid(move || drop(old_plan)))).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().starts_with("0 allocations and 1 frees"));
}

#[test]
fn other_threads_are_not_counted() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let other = thread::spawn(|| {
        while MADE.load(Ordering::Relaxed) < 100 {
            drop(black_box(vec![0_u8; 100]));
            MADE.fetch_add(1, Ordering::Relaxed);
        }
    });
    let ((), counts) = count(|| {
        while MADE.load(Ordering::Relaxed) < 100 {
            std::hint::spin_loop();
        }
    });
    assert!(counts.is_zero());
    other.join().unwrap();
}

#[test]
fn a_panic_inside_disarms_the_guard() {
    assert!(catch_unwind(|| count(|| panic!("boom"))).is_err());
    let (_, counts) = count(|| ());
    assert!(counts.is_zero());
}

#[test]
fn guards_refuse_to_nest() {
    assert!(catch_unwind(|| count(|| count(|| ()))).is_err());
}
