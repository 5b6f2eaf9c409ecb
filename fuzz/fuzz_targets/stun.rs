//! STUN messages: read, verified, answered.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_transport::fuzz::stun(data));
