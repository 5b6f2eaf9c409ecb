//! The media blob of a call: whatever it is, it is named; ours survives a round trip.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_graph::fuzz::blob(data));
