//! The rings between the media thread and an app: mixed and unmixed frames out, samples in.
//!
//! All are single-producer single-consumer and bounded. Out: one record per frame, on one sample
//! clock (the tick number); on overflow the newest frame is dropped and counted. In: plain samples.
//! All samples are mono at the conversation's bus rate. Not here: other rates, waking the app.

use std::fmt;

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use antiphon_rt::MonoTime;
use antiphon_rtp::{AudioLevel, RtpTimestamp, SourceId};

use crate::{FrameOutcome, MAX_FRAME_SAMPLES, SourceSlot, Stretched};

/// 20 ms of mono samples at the bus rate.
#[derive(Clone, Copy)]
pub struct Samples {
    len: u16,
    data: [i16; MAX_FRAME_SAMPLES],
}

impl Samples {
    /// Converts a bus frame, rounding to nearest and limiting to full scale.
    pub(crate) fn from_bus(frame: &[f32]) -> Self {
        let mut data = [0; MAX_FRAME_SAMPLES];
        for (out, sample) in data.iter_mut().zip(frame) {
            // A float-to-integer cast saturates, which is the clip.
            *out = (sample * 32_768.0).round_ties_even() as i16;
        }
        Self { len: frame.len().min(MAX_FRAME_SAMPLES) as u16, data }
    }

    /// The samples: 320 at 16 kHz, 960 at 48 kHz.
    #[must_use]
    pub fn as_slice(&self) -> &[i16] {
        &self.data[..usize::from(self.len)]
    }
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Samples").field("len", &self.len).finish_non_exhaustive()
    }
}

/// What an app hears in one tick, mixed. One comes every tick.
#[derive(Clone, Copy, Debug)]
pub struct MixedFrame {
    /// Number of the tick: the sample clock in units of 20 ms.
    pub tick: u64,
    /// When it was mixed.
    pub at: MonoTime,
    /// Its level.
    pub level: AudioLevel,
    /// How many sources are in it.
    pub talking: u16,
    /// The audio.
    pub samples: Samples,
}

/// One source in one tick, as it sounded before mixing. None comes for a tick in which the source
/// was idle or in DTX: a gap in `tick` is digital silence of exactly that length.
#[derive(Clone, Copy, Debug)]
pub struct UnmixedFrame {
    /// Number of the tick, the same clock as [`MixedFrame::tick`].
    pub tick: u64,
    /// When it was played.
    pub at: MonoTime,
    /// The participant.
    pub source_id: SourceId,
    /// The slot it sits in.
    pub source: SourceSlot,
    /// The sender's RTP timestamp of the first sample (48 kHz).
    pub timestamp: RtpTimestamp,
    /// How the frame came to be.
    pub outcome: FrameOutcome,
    /// Whether playout was sped up or slowed down in it.
    pub stretched: Stretched,
    /// Its level.
    pub level: AudioLevel,
    /// The audio.
    pub samples: Samples,
}

/// An app's end of what it hears.
pub struct AppEar {
    mixed: HeapCons<MixedFrame>,
    unmixed: HeapCons<UnmixedFrame>,
}

impl AppEar {
    /// The next mixed frame, oldest first.
    pub fn next_mixed(&mut self) -> Option<MixedFrame> {
        self.mixed.try_pop()
    }

    /// The next unmixed frame, oldest first.
    pub fn next_unmixed(&mut self) -> Option<UnmixedFrame> {
        self.unmixed.try_pop()
    }

    /// Whether frames wait in either ring.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mixed.is_empty() && self.unmixed.is_empty()
    }

    /// Takes the ring ends apart, for an app that reads mixed and unmixed on two threads.
    #[must_use]
    pub fn split(self) -> (HeapCons<MixedFrame>, HeapCons<UnmixedFrame>) {
        (self.mixed, self.unmixed)
    }
}

impl fmt::Debug for AppEar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppEar")
            .field("mixed", &self.mixed.occupied_len())
            .field("unmixed", &self.unmixed.occupied_len())
            .finish()
    }
}

/// The media thread's end of an app's ear.
pub(crate) struct EarSender {
    pub(crate) mixed: HeapProd<MixedFrame>,
    pub(crate) unmixed: HeapProd<UnmixedFrame>,
}

pub(crate) fn ear(mixed_frames: usize, unmixed_frames: usize) -> (EarSender, AppEar) {
    let (mixed_tx, mixed_rx) = HeapRb::new(mixed_frames.max(1)).split();
    let (unmixed_tx, unmixed_rx) = HeapRb::new(unmixed_frames.max(1)).split();
    (EarSender { mixed: mixed_tx, unmixed: unmixed_tx }, AppEar { mixed: mixed_rx, unmixed: unmixed_rx })
}

/// An app's end of what it says: samples go in, the media thread takes 20 ms per tick.
pub struct AppMouth {
    ring: HeapProd<i16>,
}

impl AppMouth {
    /// Queues samples (mono, bus rate) and gives how many fitted.
    ///
    /// # Real-time
    /// Wait-free, no allocation.
    pub fn speak(&mut self, samples: &[i16]) -> usize {
        self.ring.push_slice(samples)
    }

    /// Samples that fit now.
    #[must_use]
    pub fn vacant(&self) -> usize {
        self.ring.vacant_len()
    }

    /// Samples queued and not yet played.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.ring.occupied_len()
    }
}

impl fmt::Debug for AppMouth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppMouth").field("queued", &self.queued()).finish()
    }
}

pub(crate) fn mouth(samples: usize) -> (AppMouth, HeapCons<i16>) {
    let (tx, rx) = HeapRb::new(samples.max(1)).split();
    (AppMouth { ring: tx }, rx)
}
