//! An app's samples to frames: 20 ms per tick from the ring its mouth fills.
//!
//! Runs in the tick. A ring that runs dry is filled up with silence; between two frames that is how an utterance
//! ends, within one it is an underrun. Not here: other sample rates than the bus's.

use ringbuf::HeapCons;
use ringbuf::traits::{Consumer, Observer};

use crate::pcm::{AppMouth, mouth};
use crate::{BusRate, FrameOutcome};

pub(super) struct AppFeed {
    ring: HeapCons<i16>,
    scratch: Box<[i16]>,
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
        (Self { ring, scratch: vec![0; rate.frame_samples()].into(), speaking: false }, app)
    }

    /// Throws away what waits.
    pub(super) fn discard(&mut self) {
        self.ring.clear();
        self.speaking = false;
    }

    /// Makes the next frame, and says whether the ring ran dry in mid-frame.
    pub(super) fn produce(&mut self, frame: &mut [f32]) -> (FrameOutcome, bool) {
        let waiting = self.ring.occupied_len();
        if waiting == 0 {
            let dry = self.speaking;
            self.speaking = false;
            // Running dry between two frames is how an utterance ends: not an underrun.
            return (if dry { FrameOutcome::Comfort } else { FrameOutcome::Skipped }, false);
        }
        let taken = self.ring.pop_slice(&mut self.scratch);
        for (out, sample) in frame.iter_mut().zip(&self.scratch[..taken]) {
            *out = f32::from(*sample) / 32_768.0;
        }
        frame[taken..].fill(0.0);
        self.speaking = true;
        (FrameOutcome::Decoded, taken < frame.len())
    }
}
