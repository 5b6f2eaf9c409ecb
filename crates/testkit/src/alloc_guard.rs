//! Allocation guard: a global allocator that counts what one thread does while that thread is armed.
//!
//! In the flow: a test binary installs [`GuardedAlloc`], then runs ticks inside [`count`] or [`forbid`].
//! Invariants: other threads are never counted; a binary without the allocator is told so instead of
//! passing by accident; memory still comes from the system allocator, so nothing else changes.
//! Not here: stack use, system calls.
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait; every method forwards to the system allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::hint::black_box;

/// The counting allocator. A test binary that uses this module says:
///
/// ```
/// use antiphon_testkit::alloc_guard::{self, GuardedAlloc};
///
/// #[global_allocator]
/// static ALLOC: GuardedAlloc = GuardedAlloc;
///
/// let (sum, counts) = alloc_guard::count(|| (1..=10).sum::<u32>());
/// assert_eq!((sum, counts.allocs, counts.frees), (55, 0, 0));
/// ```
#[derive(Debug)]
pub struct GuardedAlloc;

/// What an armed thread asked of the allocator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllocCounts {
    /// Blocks asked for; growing or shrinking one counts as a new block and a free.
    pub allocs: u64,
    /// Blocks given back.
    pub frees: u64,
    /// Bytes asked for, in all.
    pub bytes: u64,
}

impl AllocCounts {
    /// Whether nothing was asked for or given back.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    Count,
    /// Count, and keep the backtrace of the first offence.
    Trace,
}

thread_local! {
    // Const-initialised and without destructors, so that touching them allocates nothing.
    static MODE: Cell<Mode> = const { Cell::new(Mode::Off) };
    static COUNTS: Cell<AllocCounts> = const { Cell::new(AllocCounts { allocs: 0, frees: 0, bytes: 0 }) };
    // Touched only while the mode is `Off`.
    static OFFENCE: RefCell<Option<Backtrace>> = const { RefCell::new(None) };
}

/// Runs `work` with this thread armed; returns its result and the counts.
///
/// # Panics
/// If [`GuardedAlloc`] is not this binary's global allocator (the counts would always be zero), if called
/// inside another guard, or if `work` panics.
pub fn count<R>(work: impl FnOnce() -> R) -> (R, AllocCounts) {
    run(Mode::Count, work)
}

/// Runs `work`, which must not allocate or free on this thread.
///
/// # Panics
/// After `work`, with the counts and the backtrace of the first offence, if it did; and as [`count`].
pub fn forbid<R>(work: impl FnOnce() -> R) -> R {
    let (result, counts) = run(Mode::Trace, work);
    if !counts.is_zero() {
        let offence = OFFENCE.take().map_or_else(String::new, |trace| trace.to_string());
        panic!("{} allocations and {} frees where none may be; the first:\n{offence}", counts.allocs, counts.frees);
    }
    result
}

fn run<R>(mode: Mode, work: impl FnOnce() -> R) -> (R, AllocCounts) {
    assert!(MODE.get() == Mode::Off, "allocation guards do not nest");
    assert!(is_installed(), "install alloc_guard::GuardedAlloc as this binary's #[global_allocator]");
    drop(OFFENCE.take());
    COUNTS.set(AllocCounts::default());
    let armed = Armed::new(mode);
    let result = work();
    drop(armed);
    (result, COUNTS.get())
}

/// Armed until dropped, also by a panic.
struct Armed;

impl Armed {
    fn new(mode: Mode) -> Self {
        MODE.set(mode);
        Self
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        MODE.set(Mode::Off);
    }
}

fn is_installed() -> bool {
    COUNTS.set(AllocCounts::default());
    let armed = Armed::new(Mode::Count);
    drop(black_box(Box::new(black_box(0_u8))));
    drop(armed);
    !COUNTS.get().is_zero()
}

fn note(allocs: u64, frees: u64, bytes: usize) {
    let mode = MODE.get();
    if mode == Mode::Off {
        return;
    }
    let mut counts = COUNTS.get();
    let first = counts.is_zero();
    counts.allocs += allocs;
    counts.frees += frees;
    counts.bytes += bytes as u64;
    COUNTS.set(counts);
    if mode == Mode::Trace && first {
        MODE.set(Mode::Off); // taking a backtrace allocates
        OFFENCE.set(Some(Backtrace::force_capture()));
        MODE.set(mode);
    }
}

// SAFETY: every method hands its arguments to `System` unchanged and returns what that returns, so `System`'s
// guarantees are ours; `note` touches thread-locals only, does not unwind, and while it allocates (for a
// backtrace) the thread is disarmed, so it does not recurse.
unsafe impl GlobalAlloc for GuardedAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, 0, layout.size());
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, 0, layout.size());
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(1, 1, new_size);
        // SAFETY: `block` came from `System` by one of these methods; the caller's other promises are passed on.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, 1, 0);
        // SAFETY: `block` came from `System` by one of these methods; the caller's promise about `layout` is
        // passed on.
        unsafe { System.dealloc(block, layout) }
    }
}
