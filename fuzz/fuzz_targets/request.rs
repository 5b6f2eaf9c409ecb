//! Bodies of every request, held against the model and read as their types.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| antiphon_graph::fuzz::request(data));
