//! The jitter buffer under operations: packets, ticks, restarts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_pipeline::fuzz::jitter(data));
