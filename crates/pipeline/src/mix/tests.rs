//! Mixes against the plain sum, and the ramps between them.

use antiphon_rt::MonoTime;
use proptest::prelude::*;

use super::*;
use crate::bits::Bits;
use crate::{BusRate, Limits};

/// Sources that hold one frame each, and those frames.
fn sources(seeds: &[u32], config: &ConversationConfig) -> (Vec<Option<Box<Source>>>, Vec<Vec<f32>>) {
    let make = |(index, seed): (usize, &u32)| {
        let (mut source, mut mouth) = Source::app(SourceId::new(index as u32), 320, config);
        let mut state = *seed | 1;
        let samples: Vec<i16> = (0..320)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 21) as i16 - 1_024 // quiet enough for the limiter to stay out of it
            })
            .collect();
        mouth.speak(&samples);
        source.produce(MonoTime::ZERO, true);
        let frame = source.frame().to_vec();
        (Some(source), frame)
    };
    seeds.iter().enumerate().map(make).unzip()
}

#[test]
fn a_voice_that_is_turned_off_stays_so_however_many_others_have_gains() {
    let limits = Limits { sources: 100, ..Limits::default() };
    let config = ConversationConfig { rate: BusRate::Hz16000, limits, ..ConversationConfig::default() };
    let seeds: Vec<u32> = (0..80).map(|seed| seed * 77 + 5).collect();
    let (sources, frames) = sources(&seeds, &config);
    let (mut active, onset) = (Bits::new(100), Bits::new(100));
    (0..80).for_each(|index| active.insert(index));
    let stage = Stage {
        sources: &sources,
        live: active.words(),
        ending: false,
        onset: onset.words(),
        by_power: &[],
        total: &[0.0; 320],
    };
    let gains: Vec<_> = (0..80).map(|source| (0, source, 0.0)).collect();
    let mut slot = MixSlot::new(&config, 0).unwrap();
    slot.key.copy_from_slice(active.words());
    for _ in 0..4 {
        slot.changed = true; // as after every regrouping
        slot.mix(&stage, &gains);
        assert!(slot.frame().iter().all(|sample| *sample == 0.0));
    }
    // A voice without a gain of its own, before the last of those that are remembered, still fades.
    slot.changed = true;
    let gains: Vec<_> = gains.into_iter().filter(|entry| entry.1 != 3).collect();
    slot.mix(&stage, &gains);
    slot.changed = true;
    slot.key[0] &= !(1 << 3);
    slot.mix(&stage, &gains);
    for (at, (got, sample)) in slot.frame()[32..].iter().zip(&frames[3]).enumerate() {
        let expected = sample * (1.0 - (at + 1) as f32 / 320.0);
        assert!((got - expected).abs() < 1e-6, "sample {at}: {got} for {expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_mix_is_the_sum_of_its_sources_and_mix_minus_the_total_less_one(
        seeds in prop::collection::vec(any::<u32>(), 1..12),
        inside in prop::collection::vec(any::<bool>(), 12),
        gains in prop::collection::vec((0_u16..12, 0.0_f32..2.0), 0..3),
    ) {
        let limits = Limits { sources: 12, ..Limits::default() };
        let config = ConversationConfig { rate: BusRate::Hz16000, limits, ..ConversationConfig::default() };
        let (sources, frames) = sources(&seeds, &config);
        let mut active = Bits::new(12);
        (0..sources.len()).for_each(|index| active.insert(index));
        let mut total = vec![0.0; 320];
        sum(&mut total, &sources, active.words());
        let by_power: Vec<u16> = (0..sources.len() as u16).collect();
        let stage = Stage {
            sources: &sources,
            live: active.words(),
            ending: false,
            onset: active.words(),
            by_power: &by_power,
            total: &total,
        };
        let mut gains: Vec<_> = gains.into_iter().map(|(source, gain)| (0, source, gain)).collect();
        gains.sort_by_key(|entry| entry.1);
        gains.dedup_by_key(|entry| entry.1);
        let mut slot = MixSlot::new(&config, 0).unwrap();
        for (index, inside) in inside.iter().enumerate().take(sources.len()) {
            slot.key[0] |= u64::from(*inside) << index;
        }
        // Twice, because the limiter delays by 2 ms.
        slot.mix(&stage, &gains);
        slot.mix(&stage, &gains);
        // Out of the delay comes what went in 32 samples ago.
        let got = slot.frame()[32..].iter().chain(&slot.frame()[..32]);
        for (at, got) in got.enumerate() {
            let heard = (0..sources.len()).filter(|index| inside[*index]);
            let expected: f64 = heard
                .map(|index| {
                    let gain = gains.iter().find(|entry| usize::from(entry.1) == index).map_or(1.0, |entry| entry.2);
                    f64::from(frames[index][at]) * f64::from(gain)
                })
                .sum();
            prop_assert!((f64::from(*got) - expected).abs() < 1e-5, "sample {at}: {got} for {expected}");
        }
    }
}
