//! Notification bodies, their resource paths and entities.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_graph::fuzz::notification(data));
