//! RED payloads: parse and write are inverse.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_rtp::fuzz::red(data));
