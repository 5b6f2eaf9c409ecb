//! Quiet panics: catches a panic on a media thread without the default hook printing from that thread.
//!
//! In the flow: the runner wraps the whole tick; the engine's task wraps each conversation's tick, so that
//! one bad conversation is retired and the others go on.
//! Invariants: panics anywhere else still reach the hook that was there before; unwinding is needed
//! (`panic = "abort"` defeats this). The report is made on the panicking thread: it allocates, which is
//! accepted once, at the end of a conversation's life.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// What a caught panic said, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("panicked at {location}: {message}")]
#[non_exhaustive]
pub struct PanicReport {
    /// The panic's message, or a stand-in if it was not text.
    pub message: String,
    /// `file:line:column`, or a stand-in if unknown.
    pub location: String,
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work`; if it panics, returns the report instead of printing it.
///
/// Whatever `work` mutates may be half changed after a panic: the caller must not use it again, except to
/// hand it away to be dropped.
///
/// # Errors
/// The panic, as a report.
///
/// # Real-time
/// As `work`; catching costs nothing until a panic happens. Call [`install`] before, off the media thread.
pub fn catch<R>(work: impl FnOnce() -> R) -> Result<R, PanicReport> {
    let outer = QUIET.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.set(outer);
    result.map_err(|payload| PanicReport {
        message: message(payload.as_ref()),
        location: LOCATION.take().unwrap_or_else(|| "unknown place".into()),
    })
}

/// Installs the panic hook that keeps quiet inside [`catch`]; the hook there before serves all other panics.
/// Calling it again does nothing.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                LOCATION.set(info.location().map(ToString::to_string));
            } else {
                loud(info);
            }
        }));
    });
}

fn message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a payload that is not text".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_report_with_place_and_message() {
        install();
        let n = 3;
        let report = catch(|| -> u32 { panic!("boom {n}") }).unwrap_err();
        assert_eq!(report.message, "boom 3");
        assert!(report.location.contains("quiet.rs:"), "{report}");
        assert_eq!(catch(|| 7), Ok(7));
    }

    #[test]
    fn a_payload_that_is_not_text_is_reported_too() {
        install();
        let report = catch(|| panic::panic_any(5_u8)).unwrap_err();
        assert_eq!(report.message, "a payload that is not text");
    }

    #[test]
    fn catching_nests_and_leaves_quiet_mode_afterwards() {
        install();
        let outer = catch(|| {
            assert!(catch(|| panic!("inner")).is_err());
            assert!(QUIET.get());
        });
        assert_eq!(outer, Ok(()));
        assert!(!QUIET.get());
    }
}
