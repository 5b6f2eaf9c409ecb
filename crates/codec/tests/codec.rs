//! What the engine relies on in the codec: exact copies, repair, counts.

use antiphon_codec::{
    Application, Channels, CodecError, CodecRate, Decoder, Encoder, EncoderConfig, MAX_FRAME_BYTES, PacketInfo,
    thread_calls,
};

/// Something like speech: a gliding tone with harmonics, syllables and noise.
fn speech(frames: usize, rate: CodecRate, seed: u32) -> Vec<f32> {
    let mut noise = seed | 1;
    let mut phase = 0.0_f32;
    let hz = rate.hz() as f32;
    (0..frames * rate.frame_samples())
        .map(|n| {
            let t = n as f32 / hz;
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            phase += std::f32::consts::TAU * (140.0 + 60.0 * (t * 2.1).sin()) / hz;
            let voice: f32 = (1..6).map(|k| (phase * k as f32).sin() / k as f32).sum();
            let syllable = (t * 4.0 * std::f32::consts::PI).sin().max(0.0);
            0.25 * voice * syllable + 0.01 * (noise as f32 / u32::MAX as f32 - 0.5)
        })
        .collect()
}

fn configs() -> Vec<EncoderConfig> {
    let speech = EncoderConfig::speech(CodecRate::Hz48000);
    vec![
        speech,
        EncoderConfig { complexity: 9, fec: true, expected_loss: 10, ..speech },
        EncoderConfig { bitrate: 48_000, ..speech },
        EncoderConfig { bitrate: 32_000, application: Application::LowDelay, ..speech },
        EncoderConfig { bitrate: 16_000, ..EncoderConfig::speech(CodecRate::Hz16000) },
        EncoderConfig { channels: Channels::Stereo, bitrate: 48_000, ..speech },
    ]
}

fn encode(encoder: &mut Encoder, pcm: &[f32]) -> Vec<u8> {
    let mut out = [0; MAX_FRAME_BYTES];
    let len = encoder.encode(pcm, &mut out).unwrap();
    out[..len].to_vec()
}

#[test]
fn a_copied_encoder_goes_on_bit_exactly_in_every_configuration() {
    for config in configs() {
        let frame = config.rate.frame_samples() * config.channels.count();
        let pcm = speech(60 * config.channels.count(), config.rate, 7);
        let mut frames = pcm.chunks_exact(frame);
        let mut original = Encoder::new(&config).unwrap();
        for frame in frames.by_ref().take(30) {
            encode(&mut original, frame);
        }
        // The copy starts from another history and other settings, which must leave no trace.
        let mut copy = Encoder::new(&EncoderConfig { bitrate: 64_000, complexity: 1, ..config }).unwrap();
        encode(&mut copy, &pcm[..frame]);
        copy.copy_state_from(&original).unwrap();
        for (n, frame) in frames.enumerate() {
            assert_eq!(encode(&mut original, frame), encode(&mut copy, frame), "{config:?} frame {n}");
        }
    }
}

#[test]
fn the_copy_outlives_its_model() {
    let config = EncoderConfig::speech(CodecRate::Hz48000);
    let pcm = speech(20, config.rate, 3);
    let mut model = Encoder::new(&config).unwrap();
    let mut twin = Encoder::new(&config).unwrap();
    let mut copy = Encoder::new(&config).unwrap();
    for frame in pcm.chunks_exact(960).take(10) {
        encode(&mut model, frame);
        encode(&mut twin, frame);
    }
    copy.copy_state_from(&model).unwrap();
    drop(model);
    for frame in pcm.chunks_exact(960).skip(10) {
        assert_eq!(encode(&mut copy, frame), encode(&mut twin, frame));
    }
}

#[test]
fn states_of_different_shape_are_refused() {
    let mono = EncoderConfig::speech(CodecRate::Hz48000);
    let mut encoder = Encoder::new(&mono).unwrap();
    for other in [EncoderConfig::speech(CodecRate::Hz16000), EncoderConfig { channels: Channels::Stereo, ..mono }] {
        let other = Encoder::new(&other).unwrap();
        assert_eq!(encoder.copy_state_from(&other), Err(CodecError::StateMismatch));
    }
}

fn energy(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32
}

fn error(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / a.len() as f32
}

#[test]
fn fec_rebuilds_a_lost_frame_better_than_concealment() {
    let config = EncoderConfig { fec: true, expected_loss: 20, ..EncoderConfig::speech(CodecRate::Hz48000) };
    let pcm = speech(120, config.rate, 5);
    let mut encoder = Encoder::new(&config).unwrap();
    let packets: Vec<_> = pcm.chunks_exact(960).map(|frame| encode(&mut encoder, frame)).collect();
    let decoder = || Decoder::new(CodecRate::Hz48000, Channels::Mono).unwrap();
    let (mut whole, mut repaired, mut concealed) = (decoder(), decoder(), decoder());
    let (mut truth, mut out) = ([0.0; 960], [0.0; 960]);
    let (mut fec_error, mut plc_error, mut losses) = (0.0, 0.0, 0);
    for (n, packet) in packets.iter().enumerate() {
        whole.decode(packet, &mut truth).unwrap();
        let next = packets.get(n + 1).filter(|next| PacketInfo::has_fec(next));
        if let (true, Some(next)) = (n % 7 == 3 && energy(&truth) > 1e-4, next) {
            losses += 1;
            repaired.decode_fec(next, &mut out).unwrap();
            fec_error += error(&truth, &out);
            concealed.conceal(&mut out).unwrap();
            plc_error += error(&truth, &out);
        } else {
            repaired.decode(packet, &mut out).unwrap();
            concealed.decode(packet, &mut out).unwrap();
        }
    }
    assert!(losses >= 5, "only {losses} packets carried FEC");
    assert!(fec_error < plc_error * 0.7, "FEC {fec_error} against PLC {plc_error}");
}

#[test]
fn repeated_concealment_fades() {
    let config = EncoderConfig::speech(CodecRate::Hz48000);
    let mut encoder = Encoder::new(&config).unwrap();
    let mut decoder = Decoder::new(CodecRate::Hz16000, Channels::Mono).unwrap();
    let mut out = [0.0; 320];
    for frame in speech(10, config.rate, 9).chunks_exact(960) {
        assert_eq!(decoder.decode(&encode(&mut encoder, frame), &mut out).unwrap(), 320);
    }
    for _ in 0..25 {
        decoder.conceal(&mut out).unwrap();
    }
    assert!(energy(&out) < 1e-4);
}

#[test]
fn stereo_packets_decode_to_mono() {
    let config =
        EncoderConfig { channels: Channels::Stereo, bitrate: 64_000, ..EncoderConfig::speech(CodecRate::Hz48000) };
    let mut encoder = Encoder::new(&config).unwrap();
    let mut decoder = Decoder::new(CodecRate::Hz48000, Channels::Mono).unwrap();
    let (mut out, mut heard) = ([0.0; 960], 0.0);
    for frame in speech(20, config.rate, 2).chunks_exact(1_920) {
        let packet = encode(&mut encoder, frame);
        assert_eq!(decoder.decode(&packet, &mut out).unwrap(), 960);
        heard += energy(&out);
    }
    assert!(heard > 1e-3);
}

#[test]
fn calls_are_counted_where_libopus_is_called() {
    let config = EncoderConfig::speech(CodecRate::Hz16000);
    let mut encoder = Encoder::new(&config).unwrap();
    let mut copy = Encoder::new(&config).unwrap();
    let mut decoder = Decoder::new(CodecRate::Hz16000, Channels::Mono).unwrap();
    let before = thread_calls();
    let packet = encode(&mut encoder, &[0.1; 320]);
    encode(&mut encoder, &[0.1; 320]);
    copy.copy_state_from(&encoder).unwrap();
    let mut out = [0.0; 320];
    decoder.decode(&packet, &mut out).unwrap();
    decoder.decode_fec(&packet, &mut out).unwrap();
    decoder.conceal(&mut out).unwrap();
    let calls = thread_calls().since(&before);
    let counts = (calls.encodes, calls.decodes, calls.recoveries, calls.concealments, calls.state_copies);
    assert_eq!(counts, (2, 1, 1, 1, 1));
    assert_eq!(calls.all_decodes(), 3);
    if cfg!(target_arch = "x86_64") {
        assert!(calls.cycles > 0);
    }
}

#[test]
fn bad_arguments_and_bad_bytes_are_errors() {
    let speech = EncoderConfig::speech(CodecRate::Hz48000);
    for bad in [EncoderConfig { complexity: 11, ..speech }, EncoderConfig { expected_loss: 101, ..speech }] {
        assert!(matches!(Encoder::new(&bad), Err(CodecError::BadArgument)), "{bad:?}");
    }
    let mut encoder = Encoder::new(&speech).unwrap();
    assert_eq!(encoder.encode(&[0.0; 961], &mut [0; 100]), Err(CodecError::BadArgument));
    let mut decoder = Decoder::new(CodecRate::Hz48000, Channels::Mono).unwrap();
    let mut out = [0.0; 960];
    assert_eq!(decoder.decode(&[], &mut out), Err(CodecError::InvalidPacket));
    assert_eq!(decoder.decode(&[0xfb, 0x3f, 1], &mut out), Err(CodecError::InvalidPacket));
    assert_eq!(decoder.decode(&[0x18, 1, 2, 3], &mut out), Err(CodecError::BufferTooSmall));
    assert_eq!(decoder.conceal(&mut out[..7]), Err(CodecError::BadArgument));
    // Whatever the bytes, a packet that decodes gives finite samples.
    let mut state = 1_u64;
    for _ in 0..3_000 {
        let mut bytes = [0; 60];
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        if decoder.decode(&bytes, &mut out).is_ok() {
            assert!(out.iter().all(|s| s.is_finite()));
        }
    }
}
