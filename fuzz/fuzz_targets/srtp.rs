//! SRTP contexts under operations: protect, unprotect, replay, change, invent.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_transport::fuzz::srtp(data));
