//! What the bot does with its audio socket: it speaks all the time and records all it hears.
//!
//! Owns three tasks over one [`AudioSocket`]: mouth, mixed ear, unmixed ear. In the flow: started when the call is
//! established, they end by themselves when the call's audio ends. Frames are placed by tick number, anchored at the
//! quickest one, so that a late wake-up moves no sample.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use antiphon::{AudioFormat, AudioSocket};
use antiphon_load::recording::Recording;
use antiphon_load::signature::{Marker, Signature};
use antiphon_load::speech::{SpeechLoop, SpeechRate, Voice};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// 20 ms.
const FRAME: Duration = Duration::from_millis(20);
/// Samples the mouth keeps queued: enough that a late wake-up of this task is not heard, little enough not to lag.
const QUEUED_FRAMES: usize = 3;

/// The PCM format of the demo's bot.
pub(crate) const FORMAT: AudioFormat = AudioFormat::PCM_16K;
/// The same rate in load's words.
pub(crate) const RATE: SpeechRate = SpeechRate::Hz16000;

/// The bot's mouth and ears at work.
#[derive(Debug)]
pub(crate) struct BotSide {
    mouth: JoinHandle<Recording>,
    mixed: JoinHandle<Recording>,
    lanes: JoinHandle<BTreeMap<u32, Recording>>,
}

/// What they recorded.
#[derive(Debug)]
pub(crate) struct BotRecordings {
    /// What it said.
    pub(crate) said: Recording,
    /// What it heard mixed.
    pub(crate) mixed: Recording,
    /// What it heard apart, by source id.
    pub(crate) lanes: BTreeMap<u32, Recording>,
}

impl BotSide {
    /// Starts speaking as `voice` with `signature`, and recording. Times count from `epoch`.
    pub(crate) fn start(socket: &AudioSocket, epoch: Instant, voice: &Voice, signature: Signature) -> Self {
        let speech = SpeechLoop::new(voice, RATE, 0);
        let marker = Marker::new(signature, RATE.sample_rate());
        Self {
            mouth: tokio::spawn(speak(socket.clone(), epoch, speech, marker)),
            mixed: tokio::spawn(hear_mixed(socket.clone(), epoch)),
            lanes: tokio::spawn(hear_lanes(socket.clone(), epoch)),
        }
    }

    /// Waits until the call's audio has ended and hands the recordings over.
    ///
    /// # Errors
    /// If one of the tasks panicked.
    pub(crate) async fn finish(self) -> anyhow::Result<BotRecordings> {
        Ok(BotRecordings { said: self.mouth.await?, mixed: self.mixed.await?, lanes: self.lanes.await? })
    }
}

async fn speak(socket: AudioSocket, epoch: Instant, mut speech: SpeechLoop, mut marker: Marker) -> Recording {
    let mut said = Recording::new(RATE);
    let mut ticks = interval(FRAME);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut frame = vec![0.0_f32; RATE.frame()];
    while !socket.is_closed() {
        while socket.queued().await < QUEUED_FRAMES * RATE.frame() {
            let speaking = speech.next_frame(&mut frame);
            marker.mark(&mut frame, speaking);
            said.put(epoch.elapsed(), &frame);
            let pcm: Vec<i16> = frame.iter().map(|sample| (sample * 32_767.0) as i16).collect();
            if socket.speak(&pcm).await.is_err() {
                return said;
            }
        }
        ticks.tick().await;
    }
    said
}

async fn hear_mixed(socket: AudioSocket, epoch: Instant) -> Recording {
    let mut frames = Frames::default();
    while let Some(frame) = socket.mixed().await {
        frames.push(epoch.elapsed(), frame.tick, frame.samples.as_slice());
    }
    frames.placed()
}

async fn hear_lanes(socket: AudioSocket, epoch: Instant) -> BTreeMap<u32, Recording> {
    let mut lanes: BTreeMap<u32, Frames> = BTreeMap::new();
    while let Some(frame) = socket.unmixed().await {
        let lane = lanes.entry(frame.source_id.as_u32()).or_default();
        lane.push(epoch.elapsed(), frame.tick, frame.samples.as_slice());
    }
    lanes.into_iter().map(|(source, frames)| (source, frames.placed())).collect()
}

/// Frames with their tick numbers, and when the first tick must have been.
#[derive(Debug, Default)]
struct Frames {
    /// Smallest seen difference of arrival and tick time, in nanoseconds.
    anchor: Option<i128>,
    frames: Vec<(u64, Vec<f32>)>,
}

impl Frames {
    fn push(&mut self, at: Duration, tick: u64, samples: &[i16]) {
        let offset = nanos(at) - i128::from(tick) * nanos(FRAME);
        self.anchor = Some(self.anchor.map_or(offset, |anchor| anchor.min(offset)));
        self.frames.push((tick, samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect()));
    }

    fn placed(self) -> Recording {
        let mut recording = Recording::new(RATE);
        let anchor = self.anchor.unwrap_or_default();
        for (tick, samples) in &self.frames {
            let at = anchor + i128::from(*tick) * nanos(FRAME);
            // Frames that sounded before the run's epoch belong to no phase.
            if let Ok(at) = u64::try_from(at) {
                recording.put(Duration::from_nanos(at), samples);
            }
        }
        recording
    }
}

fn nanos(span: Duration) -> i128 {
    i128::try_from(span.as_nanos()).expect("invariant: spans of a run fit")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn frames_are_placed_by_tick_at_the_quickest_arrival() {
        let mut frames = Frames::default();
        frames.push(215 * MS, 10, &[16_384; 320]);
        frames.push(222 * MS, 11, &[8_192; 320]);
        frames.push(301 * MS, 13, &[4_096; 320]);
        let recording = frames.placed();
        assert!(recording.between(&(202 * MS..222 * MS)).iter().all(|s| *s == 0.5));
        assert!(recording.between(&(222 * MS..242 * MS)).iter().all(|s| *s == 0.25));
        assert!(recording.between(&(242 * MS..262 * MS)).iter().all(|s| *s == 0.0));
        assert!(recording.between(&(262 * MS..282 * MS)).iter().all(|s| *s == 0.125));
    }

    #[test]
    fn no_frames_make_an_empty_recording() {
        assert!(Frames::default().placed().samples().is_empty());
    }
}
