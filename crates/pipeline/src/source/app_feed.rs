//! An app's samples to frames: 20 ms per tick from the ring its mouth fills.
//!
//! Runs in the tick. A ring that runs dry is filled up with silence; between two frames that is how an utterance
//! ends, within one it is an underrun. Neither clicks: where the samples stop away from zero, the last 3 ms are played
//! backwards, fading (at once, so a ring that runs dry between two frames costs no delay); where they go on away from
//! zero they fade in. Samples that begin and end near zero pass untouched.
//! Not here: other sample rates than the bus's.

use ringbuf::HeapCons;
use ringbuf::traits::Consumer;

use crate::pcm::{AppMouth, mouth};
use crate::{BusRate, FrameOutcome};

/// Milliseconds of both fades.
const FADE_MS: usize = 3;
/// A jump up to this is none: -54 dBFS.
const NEAR_ZERO: f32 = 1.0 / 512.0;

pub(super) struct AppFeed {
    ring: HeapCons<i16>,
    scratch: Box<[i16]>,
    /// The last samples played, oldest first: as many as a fade has.
    past: Box<[f32]>,
    /// The end of a fade that had no room in the last frame.
    tail: Box<[f32]>,
    tail_left: usize,
    speaking: bool,
}

impl std::fmt::Debug for AppFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppFeed").field("speaking", &self.speaking).finish_non_exhaustive()
    }
}

impl AppFeed {
    /// Allocates the ring, and gives the app's end of it.
    pub(super) fn new(capacity: usize, rate: BusRate) -> (Self, AppMouth) {
        let (app, ring) = mouth(capacity);
        let fade = vec![0.0; rate.frame_samples() * FADE_MS / 20];
        let feed = Self {
            ring,
            scratch: vec![0; rate.frame_samples()].into(),
            past: fade.clone().into(),
            tail: fade.into(),
            tail_left: 0,
            speaking: false,
        };
        (feed, app)
    }

    /// Throws away what waits.
    pub(super) fn discard(&mut self) {
        self.ring.clear();
        self.speaking = false;
        self.tail_left = 0;
    }

    /// Makes the next frame, and says whether the ring ran dry in mid-frame.
    pub(super) fn produce(&mut self, frame: &mut [f32]) -> (FrameOutcome, bool) {
        let taken = self.ring.pop_slice(&mut self.scratch);
        let spoke = std::mem::replace(&mut self.speaking, taken > 0);
        if taken == 0 && !spoke && self.tail_left == 0 {
            return (FrameOutcome::Skipped, false);
        }
        for (out, sample) in frame.iter_mut().zip(&self.scratch[..taken]) {
            *out = f32::from(*sample) / 32_768.0;
        }
        frame[taken..].fill(0.0);
        let whole = taken == frame.len();
        if !spoke && taken > 0 && frame[0].abs() > NEAR_ZERO {
            self.fade_in(&mut frame[..taken]);
        }
        let trailing = self.put_tail(frame, 0);
        self.remember(&frame[..taken]);
        let mut fading = false;
        if !whole && (spoke || taken > 0) {
            fading = self.make_tail() && self.put_tail(frame, taken);
        }
        // Once dry, the next samples are a new start, even if some were in this frame.
        self.speaking = whole;
        let outcome = match taken {
            0 if trailing || fading => FrameOutcome::Concealed,
            0 => FrameOutcome::Comfort,
            _ => FrameOutcome::Decoded,
        };
        (outcome, taken > 0 && !whole)
    }

    fn fade_in(&self, samples: &mut [f32]) {
        let step = 1.0 / self.past.len() as f32;
        for (at, sample) in samples.iter_mut().take(self.past.len()).enumerate() {
            *sample *= at as f32 * step;
        }
    }

    fn remember(&mut self, samples: &[f32]) {
        let kept = samples.len().min(self.past.len());
        self.past.copy_within(kept.., 0);
        let at = self.past.len() - kept;
        self.past[at..].copy_from_slice(&samples[samples.len() - kept..]);
    }

    /// Turns the last samples round and fades them out, if they ended away from zero.
    fn make_tail(&mut self) -> bool {
        let ends_away = self.past.last().is_some_and(|last| last.abs() > NEAR_ZERO);
        if ends_away {
            let step = std::f32::consts::FRAC_PI_2 / self.past.len() as f32;
            // From the sample before the last on: the last itself has just been played.
            let back = self.past.iter().rev().skip(1).chain([&0.0]);
            for (at, (out, sample)) in self.tail.iter_mut().zip(back).enumerate() {
                let gain = ((at + 1) as f32 * step).cos();
                *out = sample * gain * gain;
            }
            self.tail_left = self.tail.len();
        }
        self.past.fill(0.0);
        ends_away
    }

    /// Adds what is left of a fade to `frame` from `at` on, and says whether there was any.
    fn put_tail(&mut self, frame: &mut [f32], at: usize) -> bool {
        let start = self.tail.len() - self.tail_left;
        let room = &mut frame[at..];
        for (out, sample) in room.iter_mut().zip(&self.tail[start..]) {
            *out += sample;
        }
        let put = self.tail_left.min(room.len());
        self.tail_left -= put;
        put > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 320;

    fn sine(samples: std::ops::Range<usize>) -> Vec<i16> {
        samples.map(|n| (16_000.0 * (n as f32 * 0.1).sin()) as i16).collect()
    }

    /// What is heard if the mouth is given so many samples of a sine before each tick.
    fn heard(given: &[usize]) -> (Vec<f32>, Vec<FrameOutcome>, u32) {
        let (mut feed, mut mouth) = AppFeed::new(3_200, BusRate::Hz16000);
        let (mut out, mut outcomes, mut dry, mut at) = (Vec::new(), Vec::new(), 0, 0);
        for count in given {
            assert_eq!(mouth.speak(&sine(at..at + count)), *count);
            at += count;
            let mut frame = [0.0; FRAME];
            let (outcome, underrun) = feed.produce(&mut frame);
            out.extend(frame);
            outcomes.push(outcome);
            dry += u32::from(underrun);
        }
        (out, outcomes, dry)
    }

    /// The largest bend between neighbouring samples: a click is a large one, a tone has little.
    fn bend(samples: &[f32]) -> f32 {
        samples.windows(3).map(|w| (w[2] - 2.0 * w[1] + w[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn running_dry_in_mid_speech_and_going_on_does_not_click() {
        // 0.49 at 0.1 rad per sample bends by 0.005; a cut at its peak would by 0.49.
        for cut in 0..FRAME {
            let (out, outcomes, dry) = heard(&[FRAME, cut, 0, FRAME, FRAME, 0, 0]);
            assert!(bend(&out) < 0.1, "cut at {cut}: {}", bend(&out));
            assert_eq!(dry, u32::from(cut > 0), "an underrun is counted once");
            assert_eq!(
                (outcomes[0], outcomes[3], outcomes[6]),
                (FrameOutcome::Decoded, FrameOutcome::Decoded, FrameOutcome::Skipped)
            );
            let silent = FRAME + cut + 48..3 * FRAME;
            assert!(out[silent].iter().all(|sample| *sample == 0.0), "3 ms and no longer");
        }
    }

    #[test]
    fn what_begins_and_ends_at_zero_passes_untouched() {
        // Whole half-waves: 0.1 rad per sample, 31.4 samples each.
        let (out, outcomes, dry) = heard(&[FRAME, 308, 0, 0]);
        let plain: Vec<f32> = sine(0..628).iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        assert_eq!(out[..628], plain);
        assert_eq!(dry, 1);
        assert_eq!(outcomes[0], FrameOutcome::Decoded);
        assert!(out[628 + 48..].iter().all(|sample| *sample == 0.0));
    }

    #[test]
    fn an_app_that_is_in_time_is_heard_to_the_sample() {
        let (out, outcomes, dry) = heard(&[FRAME; 20]);
        let plain: Vec<f32> = sine(0..20 * FRAME).iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        assert_eq!((out, outcomes, dry), (plain, vec![FrameOutcome::Decoded; 20], 0));
    }

    #[test]
    fn a_fade_between_two_frames_is_made_up_and_said_to_be() {
        let (out, outcomes, dry) = heard(&[FRAME, 0, 0, 0]);
        use FrameOutcome::{Concealed, Decoded, Skipped};
        assert_eq!((outcomes, dry), (vec![Decoded, Concealed, Skipped, Skipped], 0));
        assert!(out[FRAME].abs() > 0.1 && out[FRAME + 48..].iter().all(|sample| *sample == 0.0));
    }
}
