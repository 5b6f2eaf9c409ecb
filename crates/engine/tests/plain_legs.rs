//! Plain RTP legs over real sockets on loopback: tones in and out, SRTP by given keys, wrong keys and strangers.
//!
//! A phone is a socket of the test's own with a codec; it speaks a frame every 20 ms and keeps what it hears.

use antiphon_codec::g711::Law;
use antiphon_codec::{Channels, CodecRate, Decoder, Encoder, EncoderConfig, MAX_FRAME_BYTES};
use antiphon_engine::{
    Codec, Conversation, ConversationEvent, ConversationOptions, Engine, EngineConfig, JoinOptions, KeyPair, LegStats,
    MasterKey, ParticipantId, PlainJoined, PlainLeg, PlainParams, PortRange, Remote,
};
use antiphon_rtp::{PayloadType, RtpHeader, RtpPacket, RtpTimestamp, SeqNo, Ssrc};
use antiphon_transport::DropReason;
use antiphon_transport::srtp::{Inbound, MAX_OVERHEAD, Outbound};
use std::f64::consts::TAU;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Far beyond what a healthy machine needs; only a hang takes it.
const PATIENCE: Duration = Duration::from_secs(30);
const FRAME: Duration = Duration::from_millis(20);

enum Voice {
    Opus(Box<(Encoder, Decoder)>),
    G711(Law),
}

struct Phone {
    socket: UdpSocket,
    to: Option<SocketAddr>,
    payload_type: u8,
    voice: Voice,
    srtp: Option<(Outbound, Inbound)>,
    ssrc: u32,
    seq: u16,
    tone: f64,
    /// Samples per second of what it says and hears.
    rate: f64,
    heard: Vec<f32>,
    refused: usize,
}

impl Phone {
    fn new(ip: &str, codec: Codec, tone: f64) -> Self {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let (payload_type, rate, voice) = match codec {
            Codec::Pcmu => (0, 8_000.0, Voice::G711(Law::Mu)),
            Codec::Pcma => (8, 8_000.0, Voice::G711(Law::A)),
            _ => {
                let encoder = Encoder::new(&EncoderConfig::speech(CodecRate::Hz48000)).unwrap();
                let decoder = Decoder::new(CodecRate::Hz48000, Channels::Mono).unwrap();
                (96, 48_000.0, Voice::Opus(Box::new((encoder, decoder))))
            }
        };
        let ssrc = 0x1000 + tone as u32;
        let (heard, srtp, to) = (Vec::new(), None, None);
        Self { socket, to, payload_type, voice, srtp, ssrc, seq: 65_500, tone, rate, heard, refused: 0 }
    }

    fn at(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn params(&self, remote: Remote) -> PlainParams {
        let codec = match self.voice {
            Voice::Opus(_) => Codec::Opus,
            Voice::G711(Law::Mu) => Codec::Pcmu,
            Voice::G711(Law::A) => Codec::Pcma,
        };
        PlainParams::new(remote, codec, self.payload_type)
    }

    /// A frame of its tone, as it goes over the wire.
    fn packet(&mut self) -> Vec<u8> {
        let samples = (self.rate / 50.0) as usize;
        let first = usize::from(self.seq.wrapping_sub(65_500)) * samples;
        let at = |i: usize| (0.25 * (TAU * self.tone * (first + i) as f64 / self.rate).sin()) as f32;
        let pcm: Vec<f32> = (0..samples).map(at).collect();
        let mut payload = [0; MAX_FRAME_BYTES];
        let len = match &mut self.voice {
            Voice::Opus(codec) => codec.0.encode(&pcm, &mut payload).unwrap(),
            Voice::G711(law) => {
                law.encode(&pcm, &mut payload[..samples]);
                samples
            }
        };
        let header = RtpHeader {
            marker: false,
            payload_type: PayloadType::new(self.payload_type).unwrap(),
            seq: SeqNo::new(self.seq),
            timestamp: RtpTimestamp::new((first as u32).wrapping_sub(4_000)),
            ssrc: Ssrc::new(self.ssrc),
            csrcs: &[],
            extensions: &[],
        };
        self.seq = self.seq.wrapping_add(1);
        let mut packet = vec![0; 1500];
        let mut len = header.write(&mut packet, &payload[..len]).unwrap();
        if let Some((outbound, _)) = &mut self.srtp {
            packet.resize(len + MAX_OVERHEAD, 0);
            len = outbound.protect_rtp(&mut packet, len).unwrap();
        }
        packet.truncate(len);
        packet
    }

    fn speak(&mut self) {
        let packet = self.packet();
        if let Some(to) = self.to {
            self.socket.send_to(&packet, to).unwrap();
        }
    }

    /// Takes what has come; RTCP is left aside.
    fn listen(&mut self) {
        let mut buffer = [0; 2048];
        while let Ok((mut len, _)) = self.socket.recv_from(&mut buffer) {
            if (192..224).contains(&buffer[1]) {
                continue;
            }
            if let Some((_, inbound)) = &mut self.srtp {
                match inbound.unprotect_rtp(&mut buffer[..len]) {
                    Ok(plain) => len = plain.len,
                    Err(_) => {
                        self.refused += 1;
                        continue;
                    }
                }
            }
            let packet = RtpPacket::parse(&buffer[..len]).unwrap();
            assert_eq!(packet.payload_type().as_u8(), self.payload_type);
            let mut pcm = [0.0; 5_760];
            let samples = match &mut self.voice {
                Voice::Opus(codec) => codec.1.decode(packet.payload(), &mut pcm).unwrap(),
                Voice::G711(law) => {
                    law.decode(packet.payload(), &mut pcm[..packet.payload().len()]);
                    packet.payload().len()
                }
            };
            self.heard.extend(&pcm[..samples]);
        }
    }

    /// Share of what it heard at `hz`, 0 to 1.
    fn share(&self, hz: f64) -> f64 {
        let (mut at, mut all) = (0.0, 0.0);
        for block in self.heard.chunks_exact((self.rate / 10.0) as usize) {
            let (mut re, mut im) = (0.0, 0.0);
            for (i, &s) in block.iter().enumerate() {
                let (s, angle) = (f64::from(s), TAU * hz * i as f64 / self.rate);
                re += s * angle.cos();
                im += s * angle.sin();
                all += s * s;
            }
            at += 2.0 * (re * re + im * im) / block.len() as f64;
        }
        if all == 0.0 { 0.0 } else { at / all }
    }
}

/// Lets all speak and listen, a frame every 20 ms, until each has heard so many seconds more, or for so many frames.
fn talk(phones: &mut [&mut Phone], seconds: f64) {
    phones.iter_mut().for_each(|phone| phone.heard.clear());
    let begin = Instant::now();
    let mut next = begin;
    while phones.iter().any(|phone| (phone.heard.len() as f64) < seconds * phone.rate) {
        assert!(begin.elapsed() < PATIENCE, "somebody hears nothing");
        pass(phones, &mut next);
    }
}

fn pass(phones: &mut [&mut Phone], next: &mut Instant) {
    phones.iter_mut().for_each(|phone| phone.speak());
    *next += FRAME;
    while Instant::now() < *next {
        phones.iter_mut().for_each(|phone| phone.listen());
    }
}

/// Lets all speak until `done` says so.
fn talk_until(phones: &mut [&mut Phone], what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    let mut next = begin;
    while !done() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        pass(phones, &mut next);
    }
}

struct Meeting {
    conversation: Conversation,
    events: mpsc::Receiver<ConversationEvent>,
    _engine: Engine,
}

fn meeting(config: EngineConfig) -> Meeting {
    let engine = Engine::start(config).unwrap();
    let (tx, events) = mpsc::channel();
    let conversation = engine.conversation(ConversationOptions::new(move |e| drop(tx.send(e)))).unwrap();
    Meeting { conversation, events, _engine: engine }
}

impl Meeting {
    fn join(&self, name: &str, params: PlainParams) -> PlainJoined {
        self.conversation.join_plain(&name.into(), &params.into(), JoinOptions::default()).unwrap()
    }

    fn stats(&self, name: &str) -> LegStats {
        let all = self.conversation.leg_stats();
        all.into_iter().find(|(id, _)| *id == ParticipantId::new(name)).unwrap().1
    }

    fn await_connected(&self, name: &str) {
        let wanted = ConversationEvent::Connected(name.into());
        while self.events.recv_timeout(PATIENCE).expect("the event comes") != wanted {}
    }
}

#[test]
fn opus_and_both_laws_of_g711_meet_and_hear_each_other_in_tune() {
    let meeting = meeting(EngineConfig::default());
    let mut ada = Phone::new("127.0.0.1", Codec::Opus, 500.0);
    let mut bea = Phone::new("127.0.0.1", Codec::Pcmu, 800.0);
    let mut cyd = Phone::new("127.0.0.1", Codec::Pcma, 1_300.0);
    for (name, phone, symmetric) in [("ada", &mut ada, true), ("bea", &mut bea, false), ("cyd", &mut cyd, true)] {
        let remote = if symmetric { Remote::Symmetric { first: None } } else { Remote::Fixed(phone.at()) };
        let joined = meeting.join(name, phone.params(remote));
        assert!(joined.local_addr.ip().is_loopback() && joined.local_addr.port() != 0);
        phone.to = Some(joined.local_addr);
    }
    talk(&mut [&mut ada, &mut bea, &mut cyd], 1.0); // settle
    for name in ["ada", "bea", "cyd"] {
        assert!(meeting.stats(name).packets_received > 0, "{name}");
    }
    talk(&mut [&mut ada, &mut bea, &mut cyd], 1.5);
    for (phone, others) in [(&ada, [800.0, 1_300.0]), (&bea, [500.0, 1_300.0]), (&cyd, [500.0, 800.0])] {
        for hz in others {
            assert!(phone.share(hz) > 0.3, "{} hears {hz}: {:.3}", phone.tone, phone.share(hz));
        }
        assert!(phone.share(phone.tone) < 0.02, "{} hears itself: {:.3}", phone.tone, phone.share(phone.tone));
    }
    // Level: what went in at a quarter of full scale comes out so.
    let (sum, count) = (bea.heard.iter().map(|s| s * s).sum::<f32>(), bea.heard.len() as f32);
    let level = 10.0 * (sum / count / (2.0 * 0.25_f32.powi(2) / 2.0)).log10();
    assert!(level.abs() < 1.0, "two tones of 0.25 arrive {level:.2} dB off");
    assert_eq!(meeting.stats("bea").remote, Some(bea.at()));
}

/// Our keys for a leg, and the peer's contexts.
fn keys(suite: &str) -> (KeyPair, (Outbound, Inbound)) {
    let (ours, theirs) = match suite {
        "AEAD_AES_128_GCM" => {
            ("inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==", "inline:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ow==")
        }
        _ => ("inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd", "inline:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9"),
    };
    let key = |text| MasterKey::from_sdes(suite, text).unwrap();
    let contexts = (Outbound::new(&key(theirs)), Inbound::new(&key(ours), 4));
    (KeyPair { local: key(ours), remote: key(theirs) }, contexts)
}

#[test]
fn srtp_legs_of_either_suite_are_heard_and_a_wrong_key_is_counted_and_silent() {
    for suite in ["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"] {
        let meeting = meeting(EngineConfig::default());
        let mut ada = Phone::new("127.0.0.1", Codec::Opus, 500.0);
        let mut bea = Phone::new("127.0.0.1", Codec::Pcmu, 800.0);
        let mut eve = Phone::new("127.0.0.1", Codec::Opus, 1_300.0);
        let (pair, contexts) = keys(suite);
        ada.srtp = Some(contexts);
        eve.srtp = Some((Outbound::new(&pair.local), Inbound::new(&pair.remote, 4))); // the wrong way round
        let secured = PlainParams { srtp: Some(pair), ..ada.params(Remote::Symmetric { first: None }) };
        ada.to = Some(meeting.join("ada", secured.clone()).local_addr);
        eve.to = Some(meeting.join("eve", secured).local_addr);
        bea.to = Some(meeting.join("bea", bea.params(Remote::Fixed(bea.at()))).local_addr);
        talk_until(&mut [&mut ada, &mut bea, &mut eve], "refusals", || {
            meeting.stats("eve").drops.of(DropReason::SrtpUnauthenticated) >= 50
        });
        talk(&mut [&mut ada, &mut bea], 1.0);
        assert!(ada.share(800.0) > 0.9, "{suite}: {:.3}", ada.share(800.0));
        assert!(bea.share(500.0) > 0.9, "{suite}: {:.3}", bea.share(500.0));
        assert!(bea.share(1_300.0) < 0.01);
        let eves = meeting.stats("eve");
        assert_eq!((eves.packets_received, eves.remote, eve.heard.len()), (0, None, 0), "{suite}");
        assert_eq!((ada.refused, meeting.stats("ada").drops.of(DropReason::SrtpUnauthenticated)), (0, 0));
    }
}

#[test]
fn a_symmetric_leg_follows_its_first_speaker_and_refuses_a_hijacker() {
    let meeting = meeting(EngineConfig::default());
    let mut ada = Phone::new("127.0.0.1", Codec::Opus, 500.0);
    let mut bea = Phone::new("127.0.0.1", Codec::Pcmu, 800.0);
    let mut thief = Phone::new("127.0.0.1", Codec::Opus, 1_300.0);
    let joined = meeting.join("ada", ada.params(Remote::Symmetric { first: None }));
    bea.to = Some(meeting.join("bea", bea.params(Remote::Fixed(bea.at()))).local_addr);
    ada.to = Some(joined.local_addr);
    talk(&mut [&mut ada, &mut bea], 0.5);
    meeting.await_connected("ada");
    thief.to = Some(joined.local_addr);
    // The thief is heard by nobody and hears nothing, and neither do datagrams of any other kind help it.
    for rubbish in
        [&[0_u8, 1, 0, 0][..], &[22, 254, 253, 0], &[0x80; 3_000], &[0x80, 96], &[0x81, 200, 0, 1, 9, 9, 9, 9]]
    {
        thief.socket.send_to(rubbish, joined.local_addr).unwrap();
    }
    talk(&mut [&mut ada, &mut bea, &mut thief][..2], 0.5);
    let before = meeting.stats("ada").drops.of(DropReason::WrongSource);
    talk_until(&mut [&mut ada, &mut bea, &mut thief], "refusals", || {
        meeting.stats("ada").drops.of(DropReason::WrongSource) >= before + 50
    });
    talk(&mut [&mut ada, &mut bea], 1.0);
    assert!(bea.share(500.0) > 0.9 && bea.share(1_300.0) < 0.01, "{:.3}", bea.share(1_300.0));
    assert_eq!((thief.heard.len(), meeting.stats("ada").remote), (0, Some(ada.at())));
    let drops = meeting.stats("ada").drops;
    assert_eq!((drops.of(DropReason::NotOurs), drops.of(DropReason::TooLong)), (2, 1), "{drops:?}");
}

#[test]
fn ipv6_legs_work_where_the_machine_has_it() {
    if UdpSocket::bind("[::1]:0").is_err() {
        return println!("not run: no IPv6 here");
    }
    let meeting = meeting(EngineConfig::default());
    let mut ada = Phone::new("::1", Codec::Opus, 500.0);
    let mut bea = Phone::new("127.0.0.1", Codec::Pcmu, 800.0);
    let params = ada.params(Remote::Fixed(ada.at()));
    let wrong = meeting.conversation.join_plain(&"ada".into(), &params.clone().into(), JoinOptions::default());
    let text = wrong.unwrap_err().to_string();
    assert!(text.contains("one is IPv4, the other IPv6; give the leg a local address"), "{text}");
    assert!(meeting.conversation.matrix().is_empty(), "nothing has changed");
    let leg = PlainLeg { params, local: Some("[::1]:0".parse().unwrap()) };
    let joined = meeting.conversation.join_plain(&"ada".into(), &leg, JoinOptions::default()).unwrap();
    ada.to = Some(joined.local_addr);
    bea.to = Some(meeting.join("bea", bea.params(Remote::Fixed(bea.at()))).local_addr);
    talk(&mut [&mut ada, &mut bea], 1.0);
    assert!(ada.share(800.0) > 0.9 && bea.share(500.0) > 0.9);
}

#[test]
fn ports_come_from_the_range_and_its_end_is_told() {
    // A free port, found by taking it; it is given back before the engine binds.
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let plain_ports = PortRange::new(free, free);
    let meeting = meeting(EngineConfig { plain_ports, ..EngineConfig::default() });
    let params = PlainParams::new(Remote::Symmetric { first: None }, Codec::Opus, 96);
    assert_eq!(meeting.join("ada", params.clone()).local_addr.port(), free);
    let join = |leg: &PlainLeg| meeting.conversation.join_plain(&"bea".into(), leg, JoinOptions::default());
    let full = join(&params.clone().into()).unwrap_err().to_string();
    assert_eq!(
        full,
        format!("found no free UDP port on 127.0.0.1 from {free} to {free} (1 tried); widen the range of plain ports")
    );
    let taken = PlainLeg { params: params.clone(), local: Some(SocketAddr::from(([127, 0, 0, 1], free))) };
    let text = join(&taken).unwrap_err().to_string();
    assert!(text.contains(&free.to_string()) && text.contains("is in use; choose another port"), "{text}");
    let nowhere = PlainLeg { params: params.clone(), local: Some("192.0.2.1:0".parse().unwrap()) };
    assert!(join(&nowhere).unwrap_err().to_string().contains("this machine has no address 192.0.2.1"));
    let wrong = PlainParams { payload_type: 72, ..params };
    assert!(join(&wrong.into()).unwrap_err().to_string().contains("72 is no usable payload type"));
    assert_eq!(meeting.conversation.matrix().len(), 1, "every refusal changed nothing");
    // Who leaves gives the port back.
    assert!(meeting.conversation.leave(&"ada".into()));
    let begin = Instant::now();
    let again = PlainLeg::from(PlainParams::new(Remote::Symmetric { first: None }, Codec::Opus, 96));
    while join(&again).is_err() {
        assert!(begin.elapsed() < PATIENCE, "the port never came back");
        std::thread::yield_now();
    }
}
