//! RTP packets: parse, walk, write, read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_rtp::fuzz::rtp(data));
