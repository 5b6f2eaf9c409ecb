//! What a runner's thread asks of the system, SCHED_FIFO and a core, and what it was told.
//!
//! In the flow: called once, on the new thread, before its loop.
//! Invariant: a refusal is an outcome to report; the runner works without. Containers often refuse
//! priorities. See sched(7).
#![expect(unsafe_code, reason = "nix has no call for a thread's scheduling policy")]

use nix::errno::Errno;
use nix::libc;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// What became of the wish for a real-time priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PriorityOutcome {
    /// None was asked for.
    NotAsked,
    /// The thread runs under SCHED_FIFO at this priority.
    Granted(u8),
    /// The system said no; the thread runs as any other.
    Refused {
        /// What was asked for.
        priority: u8,
        /// Why not: `EPERM` without the privilege, `EINVAL` outside 1–99.
        errno: Errno,
    },
}

/// What became of the wish for a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoreOutcome {
    /// None was asked for.
    NotAsked,
    /// The thread stays on this core.
    Pinned(usize),
    /// The system said no; the thread runs anywhere.
    Refused {
        /// What was asked for.
        core: usize,
        /// Why not: `EINVAL` for a core that does not exist or is not ours.
        errno: Errno,
    },
}

/// Asks for SCHED_FIFO for the calling thread.
pub(super) fn ask_priority(priority: Option<u8>) -> PriorityOutcome {
    let Some(priority) = priority else {
        return PriorityOutcome::NotAsked;
    };
    let param = libc::sched_param { sched_priority: i32::from(priority) };
    // SAFETY: `param` is a live, initialised `sched_param` that the call only reads; pid 0 is the calling thread.
    let status = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const param) };
    match Errno::result(status) {
        Ok(_) => PriorityOutcome::Granted(priority),
        Err(errno) => PriorityOutcome::Refused { priority, errno },
    }
}

/// Asks for the calling thread to stay on `core`.
pub(super) fn ask_core(core: Option<usize>) -> CoreOutcome {
    let Some(core) = core else {
        return CoreOutcome::NotAsked;
    };
    let mut set = CpuSet::new();
    match set.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set)) {
        Ok(()) => CoreOutcome::Pinned(core),
        Err(errno) => CoreOutcome::Refused { core, errno },
    }
}

impl std::fmt::Display for PriorityOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAsked => write!(f, "ordinary priority"),
            Self::Granted(priority) => write!(f, "SCHED_FIFO {priority}"),
            Self::Refused { priority, errno } => {
                write!(f, "SCHED_FIFO {priority} refused ({}): ordinary priority", errno.desc())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_priority_is_refused_whoever_asks() {
        // On a thread of its own: a granted priority would stick to the test's thread.
        let outcome = std::thread::spawn(|| ask_priority(Some(200))).join().unwrap();
        assert!(matches!(outcome, PriorityOutcome::Refused { priority: 200, .. }));
        assert!(outcome.to_string().contains("refused"), "{outcome}");
        assert_eq!(ask_priority(None), PriorityOutcome::NotAsked);
    }

    #[test]
    fn a_core_that_does_not_exist_is_refused() {
        assert!(matches!(ask_core(Some(usize::MAX)), CoreOutcome::Refused { .. }));
        assert_eq!(ask_core(None), CoreOutcome::NotAsked);
    }
}
