//! A recorder in the place of the media engine: writes down what it is told.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_engine::{PlainLeg, PlainParams};
use antiphon_graph::ParticipantId;
use tokio::sync::mpsc;

use crate::meeting::{
    JoinTerms, MediaAnswer, MediaError, MediaEvent, MediaService, MeetingId, MeetingMedia, PlainAnswer, SPEECH_RATE,
    Spoken,
};

/// Source id of everybody who speaks without a connection.
pub(super) const SPOKEN_SOURCE: u32 = 77;

/// Everything the service asked of media, in order.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    log: Mutex<Vec<String>>,
    sources: AtomicU32,
}

impl Recorder {
    /// What was asked since the last time.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn note(&self, line: String) {
        self.log.lock().unwrap().push(line);
    }
}

impl MediaService for Arc<Recorder> {
    fn open(&self, _: &MeetingId, _: mpsc::Sender<MediaEvent>) -> Result<Arc<dyn MeetingMedia>, MediaError> {
        Ok(Arc::new(Room(Arc::clone(self))))
    }
}

#[derive(Debug)]
struct Room(Arc<Recorder>);

impl MeetingMedia for Room {
    fn answer(&self, who: &ParticipantId, offer: &str, terms: JoinTerms) -> Result<MediaAnswer, MediaError> {
        if offer.contains("bad") {
            return Err(MediaError::Offer("no audio in it".to_owned()));
        }
        self.0.note(format!("answer {who} default={} muted={}", terms.in_default_group, terms.muted));
        let source_id = 100 + self.0.sources.fetch_add(1, Ordering::Relaxed);
        Ok(MediaAnswer { sdp: format!("answer to the {offer}"), source_id })
    }

    fn plain(&self, who: &ParticipantId, leg: &PlainLeg, terms: JoinTerms) -> Result<PlainAnswer, MediaError> {
        let PlainParams { remote, codec, payload_type, srtp, .. } = &leg.params;
        let (JoinTerms { in_default_group, muted }, secured) = (terms, srtp.is_some());
        self.0.note(format!(
            "plain {who} default={in_default_group} muted={muted} {codec:?}/{payload_type} srtp={secured} {remote:?}"
        ));
        let source_id = 100 + self.0.sources.fetch_add(1, Ordering::Relaxed);
        Ok(PlainAnswer { local_address: ([127, 0, 0, 1], 5_004).into(), ssrc: 77, source_id })
    }

    fn speak(&self, who: &ParticipantId, terms: JoinTerms, samples: Vec<i16>) -> Result<Spoken, MediaError> {
        let seconds = samples.len() as f64 / f64::from(SPEECH_RATE);
        self.0.note(format!("speak {who} default={} muted={} for {seconds} s", terms.in_default_group, terms.muted));
        Ok(Spoken { source_id: SPOKEN_SOURCE, queued: Duration::from_secs_f64(seconds) })
    }

    fn hush(&self, who: &ParticipantId) {
        self.0.note(format!("hush {who}"));
    }

    fn leave(&self, who: &ParticipantId) {
        self.0.note(format!("leave {who}"));
    }

    fn set_in_default_group(&self, who: &ParticipantId, inside: bool) {
        self.0.note(format!("default {who} {inside}"));
    }

    fn set_muted(&self, who: &ParticipantId, muted: bool) {
        self.0.note(format!("mute {who} {muted}"));
    }

    fn set_routing_group(
        &self,
        name: &str,
        sources: &[ParticipantId],
        receivers: &[ParticipantId],
    ) -> Result<(), MediaError> {
        self.0.note(format!("group {name} {sources:?} -> {receivers:?}"));
        Ok(())
    }

    fn remove_routing_group(&self, name: &str) {
        self.0.note(format!("no group {name}"));
    }

    fn matrix(&self) -> Vec<(ParticipantId, Vec<ParticipantId>)> {
        Vec::new()
    }

    fn close(&self) {
        self.0.note("close".to_owned());
    }
}
