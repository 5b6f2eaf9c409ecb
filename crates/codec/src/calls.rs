//! Counts of what libopus was really asked to do, kept where it is called.
//!
//! One counter block per thread, in `const`-initialised thread-local cells: reading and
//! bumping them neither allocates nor synchronises. The cycle sum is for measuring the
//! engine against the codec underneath it; no media decision ever depends on it.

use std::cell::Cell;

/// How many times this thread called into libopus, and for how long.
///
/// Counters only grow (wrapping); subtract two readings to measure a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodecCalls {
    /// Calls of `opus_encode_float`.
    pub encodes: u64,
    /// Calls of `opus_decode_float` with a packet.
    pub decodes: u64,
    /// Calls of `opus_decode_float` for the FEC copy in a packet.
    pub recoveries: u64,
    /// Calls of `opus_decode_float` without a packet (PLC).
    pub concealments: u64,
    /// Copies of encoder state.
    pub state_copies: u64,
    /// Time stamp counter cycles spent inside the encode and decode calls above; 0 on targets
    /// without [`cycles`].
    pub cycles: u64,
}

impl CodecCalls {
    /// What happened between an `earlier` reading and this one.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            encodes: self.encodes.wrapping_sub(earlier.encodes),
            decodes: self.decodes.wrapping_sub(earlier.decodes),
            recoveries: self.recoveries.wrapping_sub(earlier.recoveries),
            concealments: self.concealments.wrapping_sub(earlier.concealments),
            state_copies: self.state_copies.wrapping_sub(earlier.state_copies),
            cycles: self.cycles.wrapping_sub(earlier.cycles),
        }
    }

    /// All calls that decode something: packets, FEC copies and concealment.
    #[must_use]
    pub fn all_decodes(&self) -> u64 {
        self.decodes + self.recoveries + self.concealments
    }
}

thread_local! {
    static CALLS: Cell<CodecCalls> = const {
        Cell::new(CodecCalls {
            encodes: 0,
            decodes: 0,
            recoveries: 0,
            concealments: 0,
            state_copies: 0,
            cycles: 0,
        })
    };
}

/// This thread's counters since it started.
///
/// # Real-time
/// Wait-free, no allocation.
#[must_use]
pub fn thread_calls() -> CodecCalls {
    CALLS.with(Cell::get)
}

pub(crate) fn count(bump: impl FnOnce(&mut CodecCalls)) {
    CALLS.with(|cell| {
        let mut calls = cell.get();
        bump(&mut calls);
        cell.set(calls);
    });
}

/// Runs one libopus call, counts it with `bump` and adds its cycles.
pub(crate) fn counted<T>(bump: impl FnOnce(&mut CodecCalls), call: impl FnOnce() -> T) -> T {
    let begin = cycles();
    let result = call();
    let spent = cycles().wrapping_sub(begin);
    count(|calls| {
        bump(calls);
        calls.cycles = calls.cycles.wrapping_add(spent);
    });
    result
}

/// The processor's time stamp counter, or 0 where there is none.
///
/// For ratios inside one run on one thread only: it is not a clock, and its unit is the
/// machine's own.
///
/// # Real-time
/// One instruction; no system call.
#[must_use]
pub fn cycles() -> u64 {
    crate::sys::cycles()
}
