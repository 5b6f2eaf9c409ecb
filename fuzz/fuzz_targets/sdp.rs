//! Session descriptions: what is accepted is answered, and the answer is one that we would accept.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_transport::fuzz::sdp(data));
