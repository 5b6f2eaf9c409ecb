//! The bare chain that the engine is held against: libopus and a perfect jitter buffer, nothing else.
//!
//! A packet that came is decoded. One that did not is rebuilt from the FEC copy in the next if that came, and concealed
//! if not. What comes out is encoded again and decoded again, as any mixer must.

use antiphon_codec::{Channels, CodecRate, Decoder, Encoder, EncoderConfig, MAX_FRAME_BYTES};

use crate::FRAME;

/// What the ear at the end of the bare chain hears of these packets.
pub(crate) fn hear(packets: &[Vec<u8>], trace: &[Option<u64>]) -> Vec<f32> {
    let mut decoder = Decoder::new(CodecRate::Hz48000, Channels::Mono).expect("memory for a decoder");
    let mut encoder = Encoder::new(&EncoderConfig::speech(CodecRate::Hz48000)).expect("invariant: valid settings");
    let mut ear = Decoder::new(CodecRate::Hz48000, Channels::Mono).expect("memory for a decoder");
    let mut heard = Vec::with_capacity(packets.len() * FRAME);
    let (mut frame, mut payload) = ([0.0; FRAME], [0; MAX_FRAME_BYTES]);
    for at in 0..packets.len() {
        let next_came = trace.get(at + 1).is_some_and(Option::is_some);
        let decoded = if trace[at].is_some() {
            decoder.decode(&packets[at], &mut frame)
        } else if next_came {
            decoder.decode_fec(&packets[at + 1], &mut frame)
        } else {
            decoder.conceal(&mut frame)
        };
        assert_eq!(decoded, Ok(FRAME), "packets of our own encoder decode");
        let len = encoder.encode(&frame, &mut payload).expect("invariant: 20 ms of mono");
        assert_eq!(ear.decode(&payload[..len], &mut frame), Ok(FRAME), "packets of our own encoder decode");
        heard.extend_from_slice(&frame);
    }
    heard
}
