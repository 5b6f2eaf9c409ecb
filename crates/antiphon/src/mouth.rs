//! What a bot says, from its own format to the call's: folding down to mono, conversion, and the way into the ring.
//!
//! In the flow: audio socket → here → sample ring → media thread. Runs in the bot's tasks. What is not a whole block of
//! 10 ms waits for more; what waits when a new utterance begins after a pause is dropped, not played into it.

use crate::AudioFormat;
use crate::convert::Converter;
use antiphon_engine::AppMouth;
use std::time::{Duration, Instant};

/// Silence after which what is said is a new utterance.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Mouth {
    ring: AppMouth,
    stereo: bool,
    converter: Option<Converter>,
    /// The left side of a pair whose right side has not been said yet.
    left: Option<i16>,
    /// At the call's rate and not in the ring yet.
    waiting: Vec<i16>,
    /// 20 ms at the call's rate.
    piece: usize,
    /// When something was said last.
    said: Option<Instant>,
}

impl Mouth {
    pub(crate) fn new(ring: AppMouth, format: AudioFormat) -> Self {
        let converter = format.is_converted().then(|| Converter::new(format.sample_rate(), format.bus_rate().hz()));
        let (stereo, piece) = (format.channels() == 2, format.bus_rate().frame_samples());
        Self { ring, stereo, converter, left: None, waiting: Vec::new(), piece, said: None }
    }

    /// Samples of the call's rate that are queued.
    pub(crate) fn queued(&self) -> usize {
        self.ring.queued() + self.waiting.len()
    }

    /// Takes samples in the socket's format, 20 ms at most once it [has room](Mouth::has_room); [`Mouth::deliver`] then
    /// puts them into the ring.
    pub(crate) fn take(&mut self, samples: &[i16], now: Instant) {
        let paused = self.said.is_none_or(|said| now.saturating_duration_since(said) > PAUSE);
        if paused && self.queued() == 0 {
            self.left = None;
            if let Some(converter) = &mut self.converter {
                converter.reset();
            }
        }
        self.said = Some(now);
        if !self.stereo {
            match &mut self.converter {
                Some(converter) => converter.push(samples.iter().copied(), &mut self.waiting),
                None => self.waiting.extend_from_slice(samples),
            }
            return;
        }
        let left = &mut self.left;
        let mono = samples.iter().filter_map(|&sample| match left.take() {
            None => {
                *left = Some(sample);
                None
            }
            // Half of either side: the sum of two full-scale sides is full scale.
            Some(left) => Some(((i32::from(left) + i32::from(sample)) >> 1) as i16),
        });
        match &mut self.converter {
            Some(converter) => converter.push(mono, &mut self.waiting),
            None => self.waiting.extend(mono),
        }
    }

    /// Takes mono samples of the call's own rate, behind what is being converted.
    pub(crate) fn take_converted(&mut self, samples: &[i16]) {
        self.waiting.extend_from_slice(samples);
    }

    /// Ends the utterance: nothing stays in the conversion.
    pub(crate) fn finish(&mut self) {
        self.left = None;
        if let Some(converter) = &mut self.converter {
            converter.finish(&mut self.waiting);
        }
    }

    /// Puts as much into the ring as fits, and says whether that was all.
    pub(crate) fn deliver(&mut self) -> bool {
        let said = self.ring.speak(&self.waiting);
        self.waiting.drain(..said);
        self.waiting.is_empty()
    }

    /// Whether nothing waits and 20 ms more would fit: what is taken then is in the ring at once.
    pub(crate) fn has_room(&mut self) -> bool {
        self.deliver() && self.ring.vacant() >= self.piece
    }
}
