//! Wake-ups: an eventfd that lets a media thread (or a control thread) rouse a network thread.
//!
//! In the flow: after all its ticks the runner's task wakes each network thread once; the network thread
//! polls the descriptor beside its socket and drains it.
//! Invariants: waking never blocks; wakes before a drain merge into one. See eventfd(2).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Makes a pair that shares one eventfd.
///
/// # Errors
/// The operating system's, usually that the process has no descriptor left.
pub fn wake_pair() -> io::Result<(Waker, Wakeable)> {
    let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
    let fd = Arc::new(EventFd::from_flags(flags)?);
    Ok((Waker { fd: Arc::clone(&fd) }, Wakeable { fd }))
}

/// The end that wakes. Cheap to clone; any thread.
#[derive(Clone, Debug)]
pub struct Waker {
    fd: Arc<EventFd>,
}

/// The end that is woken; its descriptor is readable from a wake until the next [`drain`](Self::drain).
#[derive(Debug)]
pub struct Wakeable {
    fd: Arc<EventFd>,
}

impl Waker {
    /// Makes the other end readable.
    ///
    /// # Real-time
    /// One non-blocking write(2) of 8 bytes, about 0.5 µs: between ticks, not inside one. No allocation.
    pub fn wake(&self) {
        // EAGAIN says that the counter is at its maximum: the other end is awake already. Nothing else can
        // happen to an open non-blocking eventfd.
        let result = self.fd.write(1);
        debug_assert!(matches!(result, Ok(8) | Err(Errno::EAGAIN)), "{result:?}");
    }
}

impl Wakeable {
    /// Forgets all wakes so far and returns how many there were. Does not block.
    #[expect(clippy::must_use_candidate, reason = "draining is the point; the count is a courtesy")]
    pub fn drain(&self) -> u64 {
        self.fd.read().unwrap_or(0) // EAGAIN: none
    }
}

impl AsFd for Wakeable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn readable(w: &Wakeable, timeout: PollTimeout) -> bool {
        let mut fds = [PollFd::new(w.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, timeout).unwrap() == 1
    }

    #[test]
    fn wakes_merge_until_drained() {
        let (waker, wakeable) = wake_pair().unwrap();
        assert!(!readable(&wakeable, PollTimeout::ZERO));
        assert_eq!(wakeable.drain(), 0);
        waker.wake();
        waker.clone().wake();
        assert!(readable(&wakeable, PollTimeout::ZERO));
        assert_eq!(wakeable.drain(), 2);
        assert!(!readable(&wakeable, PollTimeout::ZERO));
    }

    #[test]
    fn a_wake_from_another_thread_ends_a_poll_without_timeout() {
        let (waker, wakeable) = wake_pair().unwrap();
        let thread = std::thread::spawn(move || waker.wake());
        assert!(readable(&wakeable, PollTimeout::NONE));
        assert_eq!(wakeable.drain(), 1);
        thread.join().unwrap();
    }
}
