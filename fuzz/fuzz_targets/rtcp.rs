//! RTCP compounds: parse, walk, write reports, read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_rtp::fuzz::rtcp(data));
