//! What is not decoded, and that nobody can hear it: unheard, muted and quiet sources, lying stamps, onsets.
#![allow(clippy::disallowed_macros, reason = "a test prints what it measured")]

mod room;

use antiphon_codec::{Application, Channels, CodecRate, Encoder, EncoderConfig, PacketInfo, PacketMode};
use antiphon_pipeline::{
    AppEar, AppEarConfig, BusRate, Command, Control, Conversation, ConversationConfig, Event, FrameOutcome, Inlet,
    InletConfig, InletSlot, Participant, Payload, PlanBuilder, Receiver, ReceiverSlot, Retired, Slots, Source,
    SourceSlot, TickRecord,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketReceiver, PacketSender, packet_ring};
use antiphon_rtp::{
    AudioLevel, Extension, LevelExtension, PayloadType, RtpHeader, RtpTimestamp, SeqNo, SourceId, Ssrc,
};
use room::{LEVEL_EXTENSION, Rng, config};

const FRAME: usize = 960;
/// Pauses are noise at this amplitude: about -79 dBov, under the gate.
const HUSH: f32 = 0.0002;

/// One encoded frame and the level its sender measured.
#[derive(Clone)]
struct Packet {
    payload: Vec<u8>,
    level: AudioLevel,
}

/// Something like speech: syllables of a gliding, noisy harmonic voice in phrases, with hushed pauses between.
/// Gives the audio and the frames at which a phrase begins.
fn talk(phrases: usize, seed: u64) -> (Vec<f32>, Vec<usize>) {
    let mut rng = Rng::new(seed);
    let (mut audio, mut onsets) = (Vec::new(), Vec::new());
    let (mut phase, mut low) = (0.0_f32, 0.0_f32);
    let mut noise = move || rng.unit() as f32 * 2.0 - 1.0;
    for phrase in 0..phrases {
        let (hush, spoken) = (40 + phrase * 7 % 30, 30 + phrase * 11 % 25);
        audio.extend((0..hush * FRAME).map(|_| noise() * HUSH));
        onsets.push(audio.len() / FRAME);
        for n in 0..spoken * FRAME {
            let t = n as f32 / 48_000.0;
            let pitch = 110.0 + 40.0 * (phrase % 3) as f32 + 30.0 * (t * 5.0).sin();
            phase = (phase + pitch / 48_000.0).fract();
            let voiced: f32 = (1..12).map(|k| (std::f32::consts::TAU * phase * k as f32).sin() / k as f32).sum();
            low += (noise() - low) * 0.3;
            let syllable = (t * 9.0 + phrase as f32).sin().max(-0.2) + 0.25;
            let begin = (t * 200.0).min(1.0); // five milliseconds
            audio.push((voiced * 0.12 + low * 0.03) * syllable * begin);
        }
    }
    (audio, onsets)
}

fn encode(audio: &[f32], settings: &EncoderConfig) -> Vec<Packet> {
    let mut encoder = Encoder::new(settings).unwrap();
    let mut payload = [0; 1_275];
    let frames = audio.chunks_exact(FRAME);
    frames
        .map(|frame| {
            let len = encoder.encode(frame, &mut payload).unwrap();
            Packet { payload: payload[..len].to_vec(), level: AudioLevel::of(frame) }
        })
        .collect()
}

/// A person who only speaks.
struct Voice {
    source: SourceSlot,
    inlet: InletSlot,
    uplink: PacketSender,
    source_id: SourceId,
    /// Whether packets carry the level.
    stamped: bool,
}

/// A conversation with voices and one app that hears them, mixed and apart.
struct Rig {
    conversation: Box<Conversation>,
    control: Control,
    config: ConversationConfig,
    _egress: PacketReceiver,
    ear: AppEar,
    app: ReceiverSlot,
    voices: Vec<Voice>,
    tick: u64,
}

impl Rig {
    fn new(voices: &[bool]) -> Self {
        let config = config(voices.len() + 1, BusRate::Hz48000);
        let (tx, egress) = packet_ring(64 * 1024);
        let (conversation, mut control) = Conversation::new(&config, tx).unwrap();
        let (mut sources, mut inlets) = (Slots::new(config.limits.sources), Slots::new(config.limits.inlets));
        let app = Slots::new(1).take().unwrap();
        let (listener, ear) = Receiver::app(AppEarConfig::default(), &config).unwrap();
        control.send(Command::AddReceiver(app, listener)).unwrap();
        let voice = |(index, stamped): (usize, &bool)| {
            let (source, inlet): (SourceSlot, InletSlot) = (sources.take().unwrap(), inlets.take().unwrap());
            let (uplink, ring) = packet_ring(64 * 1024);
            let inlet_config = InletConfig {
                payloads: vec![(PayloadType::new(111).unwrap(), Payload::Opus)],
                level_extension: Some(LEVEL_EXTENSION),
                mid_extension: None,
                lanes_mid: None,
                main: Some(source),
            };
            let source_id = SourceId::new(100 + index as u32);
            control.send(Command::AddInlet(inlet, Inlet::new(ring, &inlet_config, 0))).unwrap();
            control.send(Command::AddSource(source, Source::rtp(source_id, &config).unwrap())).unwrap();
            Voice { source, inlet, uplink, source_id, stamped: *stamped }
        };
        let voices = voices.iter().enumerate().map(voice).collect();
        let mut rig = Self { conversation, control, config, _egress: egress, ear, app, voices, tick: 50 };
        rig.route(|_| true);
        rig
    }

    /// Lets the app hear those voices, and no others.
    fn route(&mut self, heard: impl Fn(usize) -> bool) {
        let mut plan = PlanBuilder::new(&self.config.limits);
        let app = Participant { receiver: Some(self.app), unmixed: true, ..Participant::default() };
        plan.participant(app);
        for (index, voice) in self.voices.iter().enumerate() {
            plan.participant(Participant { source: Some(voice.source), ..Participant::default() });
            if heard(index) {
                plan.route(&[voice.source], &[self.app]);
            }
        }
        self.control.publish(plan.build()).unwrap();
    }

    /// 20 ms: `packet` from every voice, a tick, and what the app got of each voice.
    fn step(&mut self, packet: &Packet, level: impl Fn(&Packet) -> AudioLevel) -> (TickRecord, Vec<Option<Vec<f32>>>) {
        self.tick += 1;
        let now = MonoTime::from_millis(self.tick * 20);
        for voice in &mut self.voices {
            let stamp = LevelExtension { level: level(packet), voice: true }.to_bytes();
            let extension = [Extension { id: LEVEL_EXTENSION, data: &stamp }];
            let header = RtpHeader {
                marker: false,
                payload_type: PayloadType::new(111).unwrap(),
                seq: SeqNo::new(self.tick as u16),
                timestamp: RtpTimestamp::new(self.tick as u32 * 960),
                ssrc: Ssrc::new(voice.source_id.as_u32()),
                csrcs: &[],
                extensions: &extension[..usize::from(voice.stamped)],
            };
            let mut out = [0; MAX_PACKET];
            let len = header.write(&mut out, &packet.payload).unwrap();
            let at = MonoTime::from_millis(self.tick * 20 - 5);
            voice.uplink.push(PacketMeta { at, leg: 0 }, &out[..len]).unwrap();
        }
        self.conversation.tick(now);
        let mut heard = vec![None; self.voices.len()];
        while let Some(frame) = self.ear.next_unmixed() {
            assert_eq!(frame.tick, self.conversation.last_record().tick);
            assert!(frame.outcome > FrameOutcome::Comfort);
            let samples = frame.samples.as_slice().iter().map(|s| f32::from(*s) / 32_768.0).collect();
            heard[(frame.source_id.as_u32() - 100) as usize] = Some(samples);
        }
        while self.ear.next_mixed().is_some() {}
        while let Some(retired) = self.control.next_retired() {
            assert!(!matches!(retired, Retired::Source(..) | Retired::Inlet(..)), "{:?}", self.voices[0].inlet);
        }
        (*self.conversation.last_record(), heard)
    }
}

fn speech(bitrate: u32, application: Application) -> EncoderConfig {
    EncoderConfig { bitrate, application, channels: Channels::Mono, ..EncoderConfig::speech(CodecRate::Hz48000) }
}

fn rms(frame: &[f32]) -> f64 {
    (frame.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>() / frame.len() as f64).sqrt()
}

/// How far `got` is from `wanted`, in dB of signal over error.
fn snr(wanted: &[f32], got: &[f32]) -> f64 {
    let error: Vec<f32> = wanted.iter().zip(got).map(|(a, b)| a - b).collect();
    20.0 * (rms(wanted) / rms(&error).max(1e-9)).log10()
}

#[test]
fn an_onset_after_skipped_packets_sounds_as_if_all_had_been_decoded() {
    let cases = [
        ("speech at 24 kb/s", speech(24_000, Application::Voip), false, [60.0, 36.0, 32.0]),
        ("transform at 48 kb/s", speech(48_000, Application::LowDelay), true, [40.0, 34.0, 25.0]),
    ];
    for (name, settings, transform, [median, p10, least]) in cases {
        let (audio, onsets) = talk(50, 3);
        let packets = encode(&audio, &settings);
        let mode = PacketInfo::parse(&packets[onsets[0]].payload).unwrap().mode();
        assert_eq!(mode == PacketMode::Celt, transform);
        // One is stamped and skipped in pauses, the other decoded throughout.
        let mut rig = Rig::new(&[true, false]);
        let (mut first, mut level_error, mut saved, mut lost) = (Vec::new(), 0.0_f64, 0_u64, 0);
        for (at, packet) in packets.iter().enumerate() {
            let (record, heard) = rig.step(packet, |packet| packet.level);
            saved += u64::from(record.decodes == 1);
            if onsets.iter().any(|onset| (*onset..*onset + 3).contains(&at)) {
                let wanted = heard[1].as_ref().expect("always decoded");
                let Some(got) = &heard[0] else {
                    lost += 1;
                    continue;
                };
                level_error = level_error.max((20.0 * (rms(got) / rms(wanted)).log10()).abs());
                if onsets.contains(&at) {
                    first.push(snr(wanted, got));
                }
            }
        }
        first.sort_by(f64::total_cmp);
        let (m, p, l) = (first[first.len() / 2], first[first.len() / 10], first[0]);
        println!("{name}: first frame SNR median {m:.0} p10 {p:.0} least {l:.0} dB, level within {level_error:.2} dB");
        assert_eq!(lost, 0, "{name}: a frame of an onset was skipped");
        assert!(m >= median && p >= p10 && l >= least, "{name}: {m:.1} {p:.1} {l:.1}");
        assert!(level_error < 0.5, "{name}: {level_error} dB");
        // A gate closes half a second into a pause of 0.8 to 1.4 s; the rest of it is skipped but for the probes.
        assert!(saved > packets.len() as u64 / 5, "{name}: only {saved} of {} skipped", packets.len());
    }
}

#[test]
fn what_nobody_hears_is_not_decoded_and_is_there_at_once_when_somebody_does() {
    let (audio, _) = talk(6, 9);
    let packets = encode(&audio, &speech(24_000, Application::Voip));
    let mut rig = Rig::new(&[true, true]);
    let (mut told, mut least) = (Vec::new(), f64::MAX);
    for (at, packet) in packets.iter().enumerate() {
        match at {
            // Both in mid-phrase.
            60 => rig.route(|index| index == 1),
            230 => rig.route(|_| true),
            _ => {}
        }
        let (record, heard) = rig.step(packet, |packet| packet.level);
        match at {
            // The tick of the change still fades it out.
            0..=59 => {}
            60 => assert_eq!((heard[0].is_some(), record.decodes), (false, 2)),
            61..=229 => assert!(heard[0].is_none() && record.packets.played <= 1, "tick {at}: {record:?}"),
            // Five packets before its time, the frame due, and the other voice's.
            230 => assert_eq!(record.decodes, 5 + 1 + 1),
            _ => assert_eq!(heard[0].is_some(), heard[1].is_some(), "tick {at}"),
        }
        if at >= 232
            && let (Some(a), Some(b)) = (&heard[0], &heard[1])
        {
            least = least.min(if rms(b) > 1e-3 { snr(b, a) } else { f64::MAX });
        }
        while let Some(event) = rig.control.next_event() {
            told.push(event.event);
        }
    }
    assert!(least > 12.0, "{least:.1} dB in the worst frame after the resumption");
    // By its stamps it is known to talk even while nobody hears it.
    let of = |source| told.iter().filter(|e| matches!(e, Event::TalkStarted { source: s, .. } if *s == source)).count();
    assert_eq!(of(rig.voices[0].source), of(rig.voices[1].source));
}

#[test]
fn a_muted_source_is_not_decoded_and_comes_back_without_a_glitch() {
    let (audio, _) = talk(6, 21);
    let packets = encode(&audio, &speech(24_000, Application::Voip));
    let mut rig = Rig::new(&[true, true]);
    let muted = rig.voices[0].source;
    // A frame of the first phrase that ends loud, so that a hard end would be heard.
    let from = 45 + audio[45 * FRAME..].chunks_exact(FRAME).position(|frame| rms(&frame[900..]) > 0.05).unwrap();
    let (to, mut least) = (from + 90, f64::MAX);
    for (at, packet) in packets.iter().enumerate() {
        if at == from || at == to {
            rig.control.send(Command::Mute(muted, at == from)).unwrap();
        }
        let (record, heard) = rig.step(packet, |packet| packet.level);
        match at {
            _ if at == from => {
                let (got, whole) = (heard[0].as_ref().unwrap(), heard[1].as_ref().unwrap());
                assert!(rms(&got[940..]) < 0.03 * rms(&whole[940..]), "the last frame fades out");
            }
            _ if at > from && at < to => {
                assert!(heard[0].is_none() && record.packets.played <= 1, "tick {at}");
            }
            _ if at >= to + 2 => {
                if let (Some(a), Some(b)) = (&heard[0], &heard[1]) {
                    least = least.min(if rms(b) > 1e-3 { snr(b, a) } else { f64::MAX });
                }
            }
            _ => {}
        }
    }
    assert!(least > 12.0, "{least:.1} dB in the worst frame after the mute");
}

#[test]
fn whoever_is_muted_while_asleep_is_not_heard_for_a_single_frame_when_he_speaks() {
    let (audio, onsets) = talk(1, 2);
    let packets = encode(&audio, &speech(24_000, Application::Voip));
    let mut rig = Rig::new(&[true]);
    let mute = |rig: &mut Rig, muted| rig.control.send(Command::Mute(rig.voices[0].source, muted)).unwrap();
    for _ in 0..50 {
        rig.tick += 1;
        rig.conversation.tick(MonoTime::from_millis(rig.tick * 20));
    }
    mute(&mut rig, true);
    for packet in &packets[onsets[0]..onsets[0] + 10] {
        assert_eq!(rig.step(packet, |packet| packet.level).1, [None]);
    }
    assert!(rig.control.next_event().is_none(), "and does not count as talking");
    mute(&mut rig, false);
    let (_, heard) = rig.step(&packets[onsets[0] + 10], |packet| packet.level);
    assert!(heard[0].is_some());
}

#[test]
fn whoever_is_muted_and_stops_sending_in_mid_word_is_not_made_up() {
    let (audio, onsets) = talk(1, 2);
    let packets = encode(&audio, &speech(24_000, Application::Voip));
    let mut rig = Rig::new(&[true]);
    for packet in &packets[onsets[0]..onsets[0] + 10] {
        rig.step(packet, |packet| packet.level);
    }
    rig.control.send(Command::Mute(rig.voices[0].source, true)).unwrap();
    rig.step(&packets[onsets[0] + 10], |packet| packet.level); // the last frame, which fades
    for _ in 0..10 {
        rig.tick += 1;
        rig.conversation.tick(MonoTime::from_millis(rig.tick * 20));
        assert!(rig.ear.next_unmixed().is_none());
    }
}

#[test]
fn a_sender_that_stamps_its_voice_as_silence_is_found_out() {
    let (audio, onsets) = talk(8, 5);
    let packets = encode(&audio, &speech(24_000, Application::Voip));
    let mut rig = Rig::new(&[true, false]);
    let mut unheard = 0;
    for (at, packet) in packets.iter().enumerate() {
        let (_, heard) = rig.step(packet, |_| AudioLevel::new(90));
        unheard += u32::from(at >= onsets[0] && packet.level.minus_dbov() < 40 && heard[0].is_none());
    }
    assert!((1..=25).contains(&unheard), "{unheard} loud frames were lost to the lie");
}

#[test]
fn a_room_of_sleepers_decodes_almost_nothing() {
    let mut rng = Rng::new(4);
    let audio: Vec<f32> = (0..250 * FRAME).map(|_| (rng.unit() as f32 * 2.0 - 1.0) * HUSH).collect();
    let packets = encode(&audio, &speech(24_000, Application::Voip));
    let mut rig = Rig::new(&[true; 8]);
    let decodes: u32 = packets.iter().map(|packet| rig.step(packet, |packet| packet.level).0.decodes).sum();
    assert_eq!(decodes, 8 * 250 / 25, "the probes and nothing else");
}
