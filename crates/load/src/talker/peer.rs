//! One `webrtc` peer connection: settings, non-trickle offer and answer, the remote tracks' readers.
//!
//! Behind [`super::Talker`]; the only file that names the stack's types. Callbacks run on the stack's driver task and only post.
//! Settings: loopback candidates, no mDNS, no RTCP interceptors, aws-lc-rs, Opus and the level extension and nothing else.

use super::Shared;
use crate::ear::{Ear, Heard};
use antiphon_rtp::{LevelExtension, RtpTimestamp, SeqNo, SourceId, Ssrc};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::MIME_TYPE_OPUS;
use rtc::peer_connection::transport::RTCDtlsTransportState;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use webrtc::error::{Error, Result};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription, Registry, SettingEngineBuilder, crypto,
};
use webrtc::rtp_transceiver::RtpSender;

/// The payload type we offer; when answering, the offerer's counts.
const OFFERED_OPUS: u8 = 111;

/// How often the DTLS state is asked for while somebody waits for the end.
const DTLS_STATE_PERIOD: Duration = Duration::from_millis(100);

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Connected,
    Gone,
}

/// A peer connection and what its callbacks say. Cheap to clone.
#[derive(Clone)]
pub(super) struct Peer {
    connection: Arc<dyn PeerConnection>,
    sender: Arc<dyn RtpSender>,
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    phase: watch::Receiver<Phase>,
    gathered: watch::Receiver<bool>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("ssrc", &self.ssrc).field("phase", &*self.phase.borrow()).finish_non_exhaustive()
    }
}

/// Where a negotiated talker sends.
pub(super) struct Outgoing {
    track: Arc<TrackLocalStaticRTP>,
    pub(super) ssrc: u32,
    pub(super) payload_type: u8,
    pub(super) level_id: Option<u8>,
}

impl Outgoing {
    pub(super) async fn write(&self, packet: rtc::rtp::Packet) -> Result<()> {
        self.track.write_rtp(packet).await
    }
}

impl Peer {
    pub(super) async fn new(bind: SocketAddr, ssrc: u32, shared: Arc<Shared>) -> Result<Self> {
        let provider = crypto::default_provider().map_err(|error| Error::Crypto(error.to_string()))?;
        let settings = SettingEngineBuilder::new()
            .with_include_loopback_candidate(true)
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_crypto_provider(provider)
            .build();
        let (phase_tx, phase) = watch::channel(Phase::Connecting);
        let (gathered_tx, gathered) = watch::channel(false);
        let name = shared.name.clone();
        let connection = PeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(media_engine()?)
            .with_setting_engine(settings)
            .with_interceptor_registry(Registry::new())
            .with_handler(Arc::new(Events { shared, phase: phase_tx, gathered: gathered_tx }))
            .with_udp_addrs(vec![bind])
            .build()
            .await?;
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
            codec: opus(),
            ..Default::default()
        };
        let track = Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
            name.clone(),
            format!("{name}-voice"),
            name,
            RtpCodecKind::Audio,
            vec![encoding],
        )));
        let sender = connection.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await?;
        Ok(Self { connection, sender, track, ssrc, phase, gathered })
    }

    pub(super) async fn offer(&self) -> Result<String> {
        let offer = self.connection.create_offer(None).await?;
        self.describe(offer).await
    }

    pub(super) async fn accept(&self, answer: &str) -> Result<()> {
        self.connection.set_remote_description(RTCSessionDescription::answer(answer.to_owned())?).await
    }

    pub(super) async fn answer(&self, offer: &str) -> Result<String> {
        self.connection.set_remote_description(RTCSessionDescription::offer(offer.to_owned())?).await?;
        let answer = self.connection.create_answer(None).await?;
        self.describe(answer).await
    }

    /// Sets the local description and waits for its candidates to be complete.
    async fn describe(&self, description: RTCSessionDescription) -> Result<String> {
        self.connection.set_local_description(description).await?;
        let mut gathered = self.gathered.clone();
        if gathered.wait_for(|done| *done).await.is_err() {
            return Err(Error::ErrConnectionClosed);
        }
        let local = self.connection.local_description().await;
        Ok(local.expect("invariant: a local description was just set").sdp)
    }

    /// Whether the connection came up; `false` if it went away first.
    pub(super) async fn connected(&self) -> bool {
        let mut phase = self.phase.clone();
        phase.wait_for(|phase| *phase != Phase::Connecting).await.is_ok_and(|phase| *phase == Phase::Connected)
    }

    /// Returns once the connection failed or was closed by either side.
    pub(super) async fn gone(&self) {
        let mut phase = self.phase.clone();
        // The stack reports a peer's close_notify in the DTLS state only, and that has to be asked for.
        while !self.dtls_closed().await {
            let changed = phase.wait_for(|phase| *phase == Phase::Gone);
            if tokio::time::timeout(DTLS_STATE_PERIOD, changed).await.is_ok() {
                return;
            }
        }
    }

    async fn dtls_closed(&self) -> bool {
        let Ok(Some(transport)) = self.sender.transport().await else { return false };
        matches!(transport.state().await, Ok(RTCDtlsTransportState::Closed | RTCDtlsTransportState::Failed) | Err(_))
    }

    /// What was negotiated for our voice; `None` if the peer took no Opus.
    pub(super) async fn outgoing(&self) -> Option<Outgoing> {
        let negotiated = self.sender.get_parameters().await.ok()?.rtp_parameters;
        let codec =
            negotiated.codecs.iter().find(|codec| codec.rtp_codec.mime_type.eq_ignore_ascii_case(MIME_TYPE_OPUS))?;
        let level = negotiated.header_extensions.iter().find(|extension| extension.uri == LevelExtension::URI);
        Some(Outgoing {
            track: Arc::clone(&self.track),
            ssrc: self.ssrc,
            payload_type: codec.payload_type,
            level_id: level.and_then(|extension| u8::try_from(extension.id).ok()),
        })
    }

    pub(super) async fn close(&self) -> Result<()> {
        self.connection.close().await
    }
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: vec![],
    }
}

fn media_engine() -> Result<MediaEngine> {
    let mut engine = MediaEngine::default();
    let parameters = RTCRtpCodecParameters { rtp_codec: opus(), payload_type: OFFERED_OPUS };
    engine.register_codec(parameters, RtpCodecKind::Audio)?;
    for uri in [LevelExtension::URI, "urn:ietf:params:rtp-hdrext:sdes:mid"] {
        let capability = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
        engine.register_header_extension(capability, RtpCodecKind::Audio, None)?;
    }
    Ok(engine)
}

/// The stack's callbacks.
struct Events {
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    gathered: watch::Sender<bool>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Events {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.send_replace(true);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        match state {
            RTCPeerConnectionState::Connected => self.phase.send_replace(Phase::Connected),
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => self.phase.send_replace(Phase::Gone),
            _ => return,
        };
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        tokio::spawn(listen(Arc::clone(&self.shared), track));
    }
}

/// Feeds a remote track's packets to the ear of their stream, until it ends.
async fn listen(shared: Arc<Shared>, track: Arc<dyn TrackRemote>) {
    while let Some(event) = track.poll().await {
        match event {
            TrackRemoteEvent::OnRtpPacket(packet) => hear(&shared, &packet),
            TrackRemoteEvent::OnEnded => return,
            _ => {}
        }
    }
}

fn hear(shared: &Shared, packet: &rtc::rtp::Packet) {
    let at = Instant::now().saturating_duration_since(shared.epoch);
    let header = &packet.header;
    let csrcs: Vec<_> = header.csrc.iter().map(|csrc| SourceId::new(*csrc)).collect();
    let mut state = shared.state();
    let ear = match state.ears.entry(Ssrc::new(header.ssrc)) {
        std::collections::btree_map::Entry::Occupied(ear) => ear.into_mut(),
        std::collections::btree_map::Entry::Vacant(place) => match Ear::new(shared.ear_rate) {
            Ok(ear) => place.insert(ear),
            Err(error) => {
                tracing::error!(talker = shared.name, %error, "no decoder");
                return;
            }
        },
    };
    ear.hear(
        at,
        Heard {
            seq: SeqNo::new(header.sequence_number),
            timestamp: RtpTimestamp::new(header.timestamp),
            payload: &packet.payload,
            csrcs: &csrcs,
            level: None,
        },
    );
    drop(state);
    shared.heard.send_modify(|heard| *heard += 1);
}
