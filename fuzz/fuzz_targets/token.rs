//! Notification tokens and key sets: nothing unsigned is believed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_signaling::fuzz::token(data));
