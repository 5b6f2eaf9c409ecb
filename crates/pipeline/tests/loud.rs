//! Ten people shouting at full scale, and a quiet one after them, through the whole mixer and the codec.
#![allow(clippy::disallowed_macros, reason = "the table is printed for whoever runs it")]

mod studio;

use antiphon_codec::g711::{self, Law};
use antiphon_codec::{CodecRate, PacketInfo};
use antiphon_pipeline::{ConversationConfig, EncodeClass, Limits, OpusSettings};
use studio::{FRAME, Studio};

fn config() -> ConversationConfig {
    let classes = vec![OpusSettings::default().into(), EncodeClass::G711(Law::Mu), EncodeClass::G711(Law::A)];
    ConversationConfig { limits: Limits::for_participants(16), classes, ..ConversationConfig::default() }
}

/// Makes what somebody says fill the whole scale: the wave, driven hard against it.
fn shout(speech: &mut [i16]) {
    for sample in speech {
        *sample = ((f32::from(*sample) / 32_768.0 * 30.0).tanh() * 32_767.0) as i16;
    }
}

fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0_f32, |top, sample| top.max(sample.abs()))
}

#[test]
fn ten_full_scale_talkers_stay_below_full_scale_also_after_the_codec() {
    let mut studio = Studio::new(config());
    for at in 0..10 {
        let at = studio.join(at + 1, None);
        shout(&mut studio.people[at].speech);
        studio.people[at].talking = true;
    }
    let ear = studio.join(0, Some(0));
    studio.shadow(ear);
    studio.publish();
    studio.steps(250);
    let mixed = peak(&studio.shadowed);
    assert!(mixed > 0.95 && mixed <= 0.981, "the mix peaks at {mixed}");
    // Coding is not sample-exact: a decoder goes beyond what was encoded, more than the headroom has room for.
    let decoded: Vec<f32> = studio.decoded(ear).concat();
    let over = decoded.iter().filter(|sample| sample.abs() > 1.0).count();
    println!("mix {mixed:.3}, decoded {:.3}, {over} of {} samples over full scale", peak(&decoded), decoded.len());
    assert!(peak(&decoded) < 1.2 && over * 1_000 < decoded.len(), "{over} samples over, peak {}", peak(&decoded));
}

#[test]
fn a_quiet_talker_after_a_shout_is_back_within_300_ms() {
    let mut studio = Studio::new(config());
    let loud = studio.join(1, None);
    shout(&mut studio.people[loud].speech);
    let quiet = studio.join(2, None);
    let ear = studio.join(0, Some(0));
    // A steady tone, so that its level tells the gain.
    studio.people[quiet].speech =
        (0..300 * FRAME).map(|n| (600.0 * (n as f32 * std::f32::consts::TAU / 48.0).sin()) as i16).collect();
    studio.shadow(ear);
    studio.people[quiet].talking = true;
    studio.people[loud].talking = true;
    studio.publish();
    // Nine more like it.
    for at in 3..12 {
        let at = studio.join(at, None);
        shout(&mut studio.people[at].speech);
        studio.people[at].talking = true;
    }
    studio.publish();
    studio.steps(100);
    for (at, person) in studio.people.iter_mut().enumerate() {
        person.talking = at == quiet;
    }
    studio.shadowed.clear();
    studio.steps(40);
    let level = |ms: usize| peak(&studio.shadowed[ms * 48..(ms + 20) * 48]) * 32_768.0 / 600.0;
    let after = |ms: usize| 20.0 * level(ms).log10();
    println!("the quiet one after 40, 100, 200, 300, 600 ms: {:?} dB", [40, 100, 200, 300, 600].map(after));
    assert!(after(300) > -1.0 && after(600) > -0.2, "{} and {} dB", after(300), after(600));
}

#[test]
fn telephones_hear_the_mix_by_their_law_and_silence_between() {
    let mut studio = Studio::new(config());
    let voice = studio.join(1, None);
    let ears = [studio.join(0, Some(1)), studio.join(0, Some(2)), studio.join(0, Some(2)), studio.join(0, Some(0))];
    studio.shadow(ears[0]);
    studio.people[voice].speech =
        (0..300 * FRAME).map(|n| (6_000.0 * (n as f32 * std::f32::consts::TAU / 48.0).sin()) as i16).collect();
    studio.people[voice].talking = true;
    studio.publish();
    studio.steps(60);
    studio.people[voice].talking = false;
    studio.steps(100);
    for (ear, law) in [(ears[0], Law::Mu), (ears[1], Law::A)] {
        let packets = &studio.packets[&ear];
        assert!(packets.iter().all(|packet| packet.as_ref().is_some_and(|bytes| bytes.len() == 160)), "50 a second");
        let mut decoder = g711::Decoder::new(CodecRate::Hz48000);
        let mut heard = Vec::new();
        for packet in packets.iter().flatten() {
            let mut frame = [0.0; FRAME];
            assert_eq!(decoder.decode(law, packet, &mut frame).unwrap(), FRAME);
            heard.extend_from_slice(&frame);
        }
        let level = 20.0 * (peak(&heard[20 * FRAME..50 * FRAME]) * 32_768.0 / 6_000.0).log10();
        assert!(level.abs() < 0.5, "{law:?}: {level} dB");
        assert_eq!(packets.last().unwrap().as_deref(), Some(&[law.silence(); 160][..]), "{law:?}");
    }
    assert_eq!(studio.packets[&ears[1]], studio.packets[&ears[2]], "telephones share too");
    let opus = studio.packets[&ears[3]].iter().flatten();
    assert!(opus.clone().count() < 120, "where silence rests");
    assert!(opus.clone().all(|packet| PacketInfo::parse(packet).is_ok()));
}
