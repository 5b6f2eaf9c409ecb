//! Against `webrtc` peer connections, an independent stack, in both roles: payloads are compared byte by byte.
//!
//! The stack offers to an endpoint with either DTLS role and either SRTP profile, and answers a connector's
//! offer with both sections.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use antiphon_rtp::RtpPacket;
use antiphon_transport::sdp::Setup;
use antiphon_transport::srtp::Profile;
use antiphon_transport::{CloseReason, Leg, LegEvent};
use rtc::ice::mdns::MulticastDnsMode;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::MIME_TYPE_OPUS;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use tokio::runtime::Runtime;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription, Registry, SettingEngineBuilder,
    SrtpProtectionProfile, crypto,
};

use crate::rig::{LIMIT, Out, connector, endpoint, loopback, next, rtp, take};

/// The payload type the stranger offers.
const THEIR_OPUS: u8 = 96;
const THEIR_SSRC: u32 = 0x0bad_cafe;

/// A stranger's peer connection; its callbacks post into channels.
struct Stranger {
    runtime: Runtime,
    connection: Arc<dyn PeerConnection>,
    track: Arc<TrackLocalStaticRTP>,
    heard: Receiver<(u32, u16, Vec<u8>)>,
    states: Receiver<RTCPeerConnectionState>,
    gathered: Receiver<()>,
}

struct Posts {
    heard: Sender<(u32, u16, Vec<u8>)>,
    states: Sender<RTCPeerConnectionState>,
    gathered: Sender<()>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Posts {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            let _ = self.gathered.send(());
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let _ = self.states.send(state);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let heard = self.heard.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let _ = heard.send((packet.header.ssrc, packet.header.sequence_number, packet.payload.to_vec()));
                }
            }
        });
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

impl Stranger {
    fn new(profiles: Vec<SrtpProtectionProfile>) -> Self {
        let runtime = Runtime::new().unwrap();
        let (heard_tx, heard) = channel();
        let (states_tx, states) = channel();
        let (gathered_tx, gathered) = channel();
        let posts = Posts { heard: heard_tx, states: states_tx, gathered: gathered_tx };
        let (connection, track) = runtime.block_on(Self::build(profiles, posts));
        Self { runtime, connection, track, heard, states, gathered }
    }

    async fn build(
        profiles: Vec<SrtpProtectionProfile>,
        posts: Posts,
    ) -> (Arc<dyn PeerConnection>, Arc<TrackLocalStaticRTP>) {
        let mut engine = MediaEngine::default();
        let parameters = RTCRtpCodecParameters { rtp_codec: opus(), payload_type: THEIR_OPUS };
        engine.register_codec(parameters, RtpCodecKind::Audio).unwrap();
        for uri in ["urn:ietf:params:rtp-hdrext:ssrc-audio-level", "urn:ietf:params:rtp-hdrext:sdes:mid"] {
            let capability = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
            engine.register_header_extension(capability, RtpCodecKind::Audio, None).unwrap();
        }
        let settings = SettingEngineBuilder::new()
            .with_include_loopback_candidate(true)
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_crypto_provider(crypto::default_provider().unwrap())
            .with_srtp_protection_profiles(profiles)
            .build();
        let connection = PeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(engine)
            .with_setting_engine(settings)
            .with_interceptor_registry(Registry::new())
            .with_handler(Arc::new(posts))
            .with_udp_addrs(vec!["127.0.0.1:0"])
            .build()
            .await
            .unwrap();
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(THEIR_SSRC), ..Default::default() },
            codec: opus(),
            ..Default::default()
        };
        let (stream, kind) = ("stranger".to_owned(), RtpCodecKind::Audio);
        let media = MediaStreamTrack::new(stream.clone(), "voice".to_owned(), stream, kind, vec![encoding]);
        let track = Arc::new(TrackLocalStaticRTP::new(media));
        connection.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await.unwrap();
        (Arc::new(connection), track)
    }

    fn offer(&self) -> String {
        let offer = self.runtime.block_on(self.connection.create_offer(None)).unwrap();
        self.describe(offer)
    }

    fn accept(&self, answer: &str) {
        let answer = RTCSessionDescription::answer(answer.to_owned()).unwrap();
        self.runtime.block_on(self.connection.set_remote_description(answer)).unwrap();
    }

    fn answer(&self, offer: &str) -> String {
        let offer = RTCSessionDescription::offer(offer.to_owned()).unwrap();
        self.runtime.block_on(self.connection.set_remote_description(offer)).unwrap();
        let answer = self.runtime.block_on(self.connection.create_answer(None)).unwrap();
        self.describe(answer)
    }

    fn describe(&self, description: RTCSessionDescription) -> String {
        self.runtime.block_on(self.connection.set_local_description(description)).unwrap();
        self.gathered.recv_timeout(LIMIT).expect("candidates within the limit");
        self.runtime.block_on(self.connection.local_description()).unwrap().sdp
    }

    fn wait_for(&self, wanted: RTCPeerConnectionState) {
        let mut seen = Vec::new();
        while seen.last() != Some(&wanted) {
            let state = self.states.recv_timeout(LIMIT);
            seen.push(state.unwrap_or_else(|_| panic!("not {wanted} within the limit, but {seen:?}")));
        }
    }

    fn say(&self, payload_type: u8, seq: u16, payload: &[u8]) {
        let header = rtc::rtp::Header {
            version: 2,
            payload_type,
            sequence_number: seq,
            timestamp: u32::from(seq) * 960,
            ssrc: THEIR_SSRC,
            ..Default::default()
        };
        let packet = rtc::rtp::Packet { header, payload: payload.to_vec().into() };
        self.runtime.block_on(self.track.write_rtp(packet)).unwrap();
    }

    fn close(&self) {
        self.runtime.block_on(self.connection.close()).unwrap();
    }
}

fn payload(seq: u16) -> Vec<u8> {
    (0..40 + seq as u8).map(|i| i.wrapping_mul(seq as u8 + 1)).collect()
}

/// Both sides say thirty different packets; each must arrive as it was said.
fn talk(stranger: &Stranger, leg: &mut Leg) {
    let agreed = leg.negotiated().unwrap().mix.clone();
    let (payload_type, ssrc) = (agreed.payload_type.as_u8(), agreed.ssrc.as_u32());
    let mut ingress = leg.take_ingress().unwrap();
    let mut out = Out::new(leg);
    for seq in 0..30 {
        stranger.say(payload_type, seq, &payload(seq));
        out.send(&rtp(payload_type, ssrc, seq, &payload(seq + 100)));
    }
    let heard = take(&mut ingress, 30);
    for (seq, (_, packet)) in heard.iter().enumerate() {
        let packet = RtpPacket::parse(packet).unwrap();
        assert_eq!((packet.ssrc().as_u32(), packet.seq().as_u16()), (THEIR_SSRC, seq as u16));
        assert_eq!((packet.payload_type(), packet.payload()), (agreed.payload_type, &payload(seq as u16)[..]));
    }
    for seq in 0..30 {
        let (from, number, bytes) = stranger.heard.recv_timeout(LIMIT).expect("a packet within the limit");
        assert_eq!((from, number, bytes), (ssrc, seq, payload(seq + 100)));
    }
    assert_eq!(leg.stats().drops.total(), 0, "{:?}", leg.stats());
}

#[test]
fn a_stranger_offers_to_the_endpoint_in_either_role_and_profile() {
    let cases = [
        (Setup::Passive, SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm, Profile::AeadAes128Gcm),
        (Setup::Active, SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80, Profile::Aes128CmSha1_80),
    ];
    for (setup, theirs, ours) in cases {
        let (service, events) = endpoint(|c| c.setup = setup);
        let stranger = Stranger::new(vec![theirs]);
        let mut answered = service.answer(&stranger.offer()).unwrap();
        stranger.accept(&answered.sdp);
        assert_eq!(next(&events), (answered.leg.id(), LegEvent::Connected));
        stranger.wait_for(RTCPeerConnectionState::Connected);
        assert_eq!(answered.leg.negotiated().unwrap().mix.payload_type.as_u8(), THEIR_OPUS);
        talk(&stranger, &mut answered.leg);
        assert_eq!(answered.leg.stats().profile, Some(ours));
        stranger.close();
        assert_eq!(next(&events).1, LegEvent::Closed(CloseReason::Remote));
    }
}

#[test]
fn a_stranger_answers_the_offer_of_a_connector_with_lanes() {
    let (bot, events) = connector();
    let stranger = Stranger::new(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm]);
    let mut offered = bot.offer(loopback(true)).unwrap();
    let answer = stranger.answer(&offered.sdp);
    offered.leg.accept(&answer).unwrap();
    assert_eq!(next(&events), (offered.leg.id(), LegEvent::Connected));
    stranger.wait_for(RTCPeerConnectionState::Connected);
    talk(&stranger, &mut offered.leg);
    offered.leg.close();
    assert_eq!(next(&events).1, LegEvent::Closed(CloseReason::Local));
}
