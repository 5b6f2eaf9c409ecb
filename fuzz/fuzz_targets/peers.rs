//! Two peers and a network that loses, repeats, reorders, changes and invents datagrams.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    antiphon_transport::fuzz::peers(data);
});
