//! A plain RTP peer: right senders, strangers, time passing; and SRTP keys as text.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    antiphon_transport::fuzz::plain(data);
});
