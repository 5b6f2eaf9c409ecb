//! A media session: a bot's own end of one call. One leg that makes the offer, one app with ears and a mouth.
//!
//! In the flow: it is a conversation of two, `service` and `app`: the app hears the service's mix, the service
//! hears the app, and every lane of the leg goes to the app apart. So a bot runs the same pipeline as a service.
//! Invariants: nothing is sent before the answer; the app's rings live as long as the session's owner keeps them.
//! Not here: call control; waiting for frames (the façade does that on the wakeable end).

use crate::control::Side;
use crate::conversation::{Conversation, EventCallback, leg_parts};
use crate::engine::Shared;
use crate::error::{CreateError, DialError, JoinError};
use crate::loss;
use crate::routes::Member;
use crate::state::Parts;
use crate::{ConversationEvent, ConversationStats, ParticipantId};
use antiphon_pipeline::UnmixedFrame;
use antiphon_pipeline::{
    AppEarConfig, AppMouth, BusRate, ConversationConfig, Limits, MixedFrame, OpusSettings, Receiver, Source, Tones,
};
use antiphon_rt::wake::{Wakeable, wake_pair};
use antiphon_rtp::SourceId;
use antiphon_transport::{Leg, LegStats, OfferOptions};
use ringbuf::HeapCons;
use ringbuf::traits::Consumer;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Half a second of mixed frames may wait for the app.
const MIXED_FRAMES: usize = 25;
/// Unmixed frames that may wait for the app, of all sources together (2 KB each): half a second of 20 talking at
/// once, or two ticks of all lanes.
const UNMIXED_FRAMES: std::ops::RangeInclusive<usize> = 512..=4_096;
/// Half a second of what the app says may wait, in 20 ms frames.
const MOUTH_FRAMES: usize = 25;

/// How a session is made.
#[derive(Clone)]
pub struct SessionOptions {
    /// Rate of the app's PCM, and of decoding and encoding.
    pub rate: BusRate,
    /// Offer the lanes line, so that every source also comes apart.
    pub unmixed: bool,
    /// Most sources that come apart at one time.
    pub max_lanes: usize,
    /// Encoder settings of what the app says.
    pub encode: OpusSettings,
    /// Local address of the leg's socket; a wildcard offers every address of the machine.
    pub bind: IpAddr,
    /// Told when the leg connects and ends, and who talks; participants are [`MediaSession::SERVICE`] and
    /// [`MediaSession::APP`].
    pub on_event: EventCallback,
}

impl SessionOptions {
    /// 16 kHz, unmixed too, up to 1,000 lanes, 24 kb/s at complexity 5, with FEC while the service reports loss.
    pub fn new(on_event: impl Fn(ConversationEvent) + Send + Sync + 'static) -> Self {
        Self {
            rate: BusRate::Hz16000,
            unmixed: true,
            max_lanes: 1_000,
            encode: OpusSettings::default(),
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            on_event: Arc::new(on_event),
        }
    }
}

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, unmixed, max_lanes, encode, bind, on_event: _ } = self;
        let mut s = f.debug_struct("SessionOptions");
        s.field("rate", rate).field("unmixed", unmixed).field("max_lanes", max_lanes).field("encode", encode);
        s.field("bind", bind).finish_non_exhaustive()
    }
}

/// The app's end of a session's audio: PCM rings, and a descriptor that becomes readable after every tick.
#[derive(Debug)]
pub struct AudioPort {
    /// Everybody mixed.
    pub mixed: MixedEar,
    /// Everybody apart.
    pub unmixed: UnmixedEar,
    /// What the app says.
    pub mouth: AppMouth,
    /// Readable when a tick has passed since it was last drained.
    pub wakeable: Wakeable,
}

/// Reads mixed frames; one comes every tick.
pub struct MixedEar(HeapCons<MixedFrame>);

/// Reads unmixed frames of all sources; a source that is idle has none.
pub struct UnmixedEar(HeapCons<UnmixedFrame>);

impl MixedEar {
    /// The oldest frame that waits. Wait-free.
    pub fn next_frame(&mut self) -> Option<MixedFrame> {
        self.0.try_pop()
    }
}

impl UnmixedEar {
    /// The oldest frame that waits. Wait-free.
    pub fn next_frame(&mut self) -> Option<UnmixedFrame> {
        self.0.try_pop()
    }
}

impl fmt::Debug for MixedEar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MixedEar").finish_non_exhaustive()
    }
}

impl fmt::Debug for UnmixedEar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnmixedEar").finish_non_exhaustive()
    }
}

/// A bot's media in one call. Dropping it closes the leg.
#[derive(Debug)]
pub struct MediaSession {
    conversation: Conversation,
    offer: String,
    /// The leg until it is answered.
    pending: Mutex<Option<Leg>>,
    port: Mutex<Option<AudioPort>>,
    unmixed: bool,
}

impl MediaSession {
    /// The identity of the far end in this session's events.
    pub const SERVICE: &'static str = "service";
    /// The identity of the bot's app in this session's events.
    pub const APP: &'static str = "app";

    pub(crate) fn create(shared: &Arc<Shared>, options: SessionOptions) -> Result<Self, CreateError> {
        let SessionOptions { rate, unmixed, max_lanes, encode, bind, on_event } = options;
        let lanes = if unmixed { max_lanes } else { 0 };
        // The leg carries one packet per tick for the mix and each lane; room for one tick's worth that came late.
        let packets_per_inlet = 2 * (1 + lanes).max(64);
        let sources = 2 + lanes;
        let limits = Limits { inlets: 1, receivers: 2, sources, packets_per_inlet, ..Limits::for_participants(2) };
        let config =
            ConversationConfig { rate, limits, classes: loss::classes(encode), ..ConversationConfig::default() };
        let (waker, wakeable) = wake_pair().map_err(CreateError::Wake)?;
        let conversation = Conversation::with_config(shared, Side::Bot, config.clone(), 2, on_event, Some(waker))?;
        let service = ParticipantId::new(Self::SERVICE);
        let offered = shared.with_leg(Side::Bot, conversation.inner(), &service, || {
            let options = OfferOptions { lanes: unmixed, bind };
            shared.connector().offer(options).map(|offered| (offered.leg.id(), offered))
        })?;
        let port = match admit_app(&conversation, &config, wakeable, lanes) {
            Ok(port) => port,
            Err(error) => {
                conversation.inner().drop_leg(Some(offered.leg));
                return Err(error);
            }
        };
        Ok(Self {
            conversation,
            offer: offered.sdp,
            pending: Mutex::new(Some(offered.leg)),
            port: Mutex::new(Some(port)),
            unmixed,
        })
    }

    /// The SDP offer for the service, candidates complete.
    #[must_use]
    pub fn offer(&self) -> &str {
        &self.offer
    }

    /// Applies the service's answer and starts connecting;
    /// [`ConversationEvent::Connected`] of [`Self::SERVICE`] follows.
    ///
    /// # Errors
    /// [`JoinError::Answer`] if the answer does not fit (a better one may be tried), [`JoinError::Closed`] if the session
    /// has its answer already or was closed.
    pub fn accept(&self, answer: &str) -> Result<(), JoinError> {
        let mut pending = crate::engine::lock(&self.pending);
        let leg = pending.as_mut().ok_or(JoinError::Closed)?;
        let inner = self.conversation.inner();
        let service = ParticipantId::new(Self::SERVICE);
        let mut room = inner.room();
        let reserved = room.reserve(&service, true)?;
        // The leg's packets wait in its ring until the inlet is there, a tick later.
        let negotiated = match leg.accept(answer) {
            Ok(negotiated) => negotiated.clone(),
            Err(error) => {
                room.release(reserved);
                return Err(error.into());
            }
        };
        let mut leg = pending.take().expect("invariant: it was there a line ago");
        let parts = match leg_parts(room.config(), reserved, &mut leg, &negotiated) {
            Ok(mut parts) => {
                if let Some(mix) = &mut parts.source {
                    mix.stand_aside(); // its voices come on the lanes
                }
                parts
            }
            Err(error) => {
                room.release(reserved);
                drop(room);
                inner.drop_leg(Some(leg));
                return Err(error);
            }
        };
        let member = Member { source: None, receiver: None, in_default_group: true, muted: false, unmixed: false };
        room.admit(service.clone(), reserved, Some(leg), parts, member);
        if self.unmixed && negotiated.lanes.is_some() {
            room.open_lanes(ParticipantId::new(Self::APP), &service);
        }
        Ok(())
    }

    /// Sends a row of digits to the service; [`ConversationEvent::TonesSent`] of [`Self::SERVICE`] follows. What the app
    /// says is not heard while they last.
    ///
    /// # Errors
    /// [`DialError`]; nothing is sent then.
    pub fn send_tones(&self, tones: Tones) -> Result<(), DialError> {
        let sent = self.conversation.send_tones(&ParticipantId::new(Self::SERVICE), tones);
        sent.map_err(|error| match error {
            DialError::UnknownParticipant(_) => DialError::NotConnected,
            other => other,
        })
    }

    /// The app's end of the audio, once.
    pub fn take_audio(&self) -> Option<AudioPort> {
        crate::engine::lock(&self.port).take()
    }

    /// Asks for [`ConversationEvent::Levels`] of everybody on the lanes, as [`Conversation::tell_levels`] does.
    pub fn tell_levels(&self, every: Option<Duration>) {
        self.conversation.tell_levels(every);
    }

    /// Who of those on the lanes carried the conversation lately, the latest first; at most eight.
    #[must_use]
    pub fn recent_speakers(&self) -> Vec<SourceId> {
        self.conversation.inner().room().speakers.recent().collect()
    }

    /// Figures of the bot's media thread for this call.
    #[must_use]
    pub fn stats(&self) -> ConversationStats {
        self.conversation.stats()
    }

    /// Figures of the leg, once it was answered.
    #[must_use]
    pub fn leg_stats(&self) -> Option<LegStats> {
        self.conversation.leg_stats().into_iter().map(|(_, stats)| stats).next()
    }

    /// Ends the session: BYE and close_notify to the service. Idempotent.
    pub fn close(&self) {
        let pending = crate::engine::lock(&self.pending).take();
        self.conversation.inner().drop_leg(pending);
        self.conversation.close();
    }
}

impl Drop for MediaSession {
    fn drop(&mut self) {
        self.close();
    }
}

/// Lets the app into its own conversation.
fn admit_app(
    conversation: &Conversation,
    config: &ConversationConfig,
    wakeable: Wakeable,
    lanes: usize,
) -> Result<AudioPort, CreateError> {
    let app = ParticipantId::new(MediaSession::APP);
    let mut room = conversation.inner().room();
    let reserved = room.reserve(&app, false).expect("invariant: an empty room of two has a place");
    let (mut source, mouth) = Source::app(reserved.source_id, MOUTH_FRAMES * config.rate.frame_samples(), config);
    source.stand_aside();
    let unmixed_frames = (2 * lanes).clamp(*UNMIXED_FRAMES.start(), *UNMIXED_FRAMES.end());
    let rings = AppEarConfig { mixed_frames: MIXED_FRAMES, unmixed_frames };
    let (receiver, ear) = Receiver::app(rings, config)?;
    let (mixed, unmixed) = ear.split();
    let member = Member { source: None, receiver: None, in_default_group: true, muted: false, unmixed: false };
    let parts =
        Parts { inlet: None, source: Some(source), receiver: Some(receiver), adapts: false, red: false, tones: false };
    room.admit(app, reserved, None, parts, member);
    Ok(AudioPort { mixed: MixedEar(mixed), unmixed: UnmixedEar(unmixed), mouth, wakeable })
}
