//! The arithmetic of mixing: plain loops over frames, which the compiler vectorises.
//!
//! Runs in the tick. Not here: what is added to what.

use crate::bits;
use crate::source::Source;

/// The source at `index`, if it has anything but silence this tick.
pub(super) fn sounding(sources: &[Option<Box<Source>>], index: usize) -> Option<&Source> {
    sources[index].as_deref().filter(|source| !source.is_silent())
}

/// Adds the frames of the sources in `members`, given as words, up.
pub(crate) fn sum(total: &mut [f32], sources: &[Option<Box<Source>>], members: &[u64]) {
    total.fill(0.0);
    for index in bits::ones(members) {
        if let Some(source) = sounding(sources, index) {
            add(total, source.frame());
        }
    }
}

pub(super) fn add(out: &mut [f32], frame: &[f32]) {
    for (out, sample) in out.iter_mut().zip(frame) {
        *out += sample;
    }
}

pub(super) fn subtract(out: &mut [f32], frame: &[f32]) {
    for (out, sample) in out.iter_mut().zip(frame) {
        *out -= sample;
    }
}

pub(super) fn add_scaled(out: &mut [f32], frame: &[f32], gain: f32) {
    for (out, sample) in out.iter_mut().zip(frame) {
        *out += sample * gain;
    }
}

/// Adds `frame` with a gain that starts at `excess` and falls, or rises, to zero with the last sample.
pub(super) fn add_ramp(out: &mut [f32], frame: &[f32], excess: f32) {
    let step = excess / out.len() as f32;
    // Counted in 32 bits, which turn into floats four at a time.
    for (at, (out, sample)) in (1_i32..).zip(out.iter_mut().zip(frame)) {
        *out += sample * (excess - step * at as f32);
    }
}
