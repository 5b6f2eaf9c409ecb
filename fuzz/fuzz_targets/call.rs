//! The call state machine under operations: notifications, replies, losses, time.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_signaling::fuzz::call(data));
