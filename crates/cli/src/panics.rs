//! Panics anywhere in the process, collected, so that a run can fail and say which.
//!
//! Owns a hook in front of the one that was there. Panics that a media thread catches itself do not come here; they end
//! the conversation, which its owner reports.

use std::panic;
use std::sync::{Mutex, Once, PoisonError};

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Starts collecting; calling it again does nothing.
pub(crate) fn collect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("unnamed");
            let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
            let message = info.payload_as_str().unwrap_or("no message");
            let sentence = format!("thread {name:?} panicked at {place}: {message}");
            SEEN.lock().unwrap_or_else(PoisonError::into_inner).push(sentence);
            before(info);
        }));
    });
}

/// Takes what has been collected so far.
pub(crate) fn take() -> Vec<String> {
    std::mem::take(&mut *SEEN.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_another_thread_is_collected_with_its_name_and_message() {
        collect();
        let thread = std::thread::Builder::new().name("unlucky".into()).spawn(|| panic!("seven of {}", 13));
        assert!(thread.expect("thread").join().is_err());
        let seen = take();
        assert!(seen.iter().any(|s| s.contains("\"unlucky\"") && s.contains("seven of 13")), "{seen:?}");
    }
}
