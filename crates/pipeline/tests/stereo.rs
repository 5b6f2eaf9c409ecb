//! Stereo senders: Opus stereo packets are folded down by a mono decoder, at the right level and without a seam where a
//! sender changes between mono and stereo.

use antiphon_codec::{Channels, CodecRate, Encoder, EncoderConfig, MAX_FRAME_BYTES};
use antiphon_pipeline::{
    AppEar, AppEarConfig, BusRate, Command, Control, Conversation, ConversationConfig, Inlet, InletConfig, Limits,
    Payload, PlanBuilder, Receiver, Slots, Source,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketSender, packet_ring};
use antiphon_rtp::{PayloadType, RtpHeader, RtpTimestamp, SeqNo, SourceId, Ssrc};

const FRAME: usize = 960;
const HZ: f32 = 1_000.0;
const LOUD: f32 = 0.25;

fn opus() -> PayloadType {
    PayloadType::new(111).unwrap()
}

/// One sender and an app that hears it.
struct Line {
    conversation: Box<Conversation>,
    _control: Control,
    uplink: PacketSender,
    ear: AppEar,
    mono: [Encoder; 2],
    stereo: Encoder,
    sent: u64,
}

/// What a sender makes of its tone.
#[derive(Clone, Copy)]
enum Layout {
    Mono,
    /// The same from another encoder.
    OtherMono,
    /// By how much of it the sides have.
    Stereo(f32, f32),
}

impl Line {
    fn new(bitrate: u32) -> Self {
        let config = ConversationConfig { limits: Limits::for_participants(2), ..ConversationConfig::default() };
        assert_eq!(config.rate, BusRate::Hz48000);
        let (egress, _) = packet_ring(4_096);
        let (conversation, mut control) = Conversation::new(&config, egress).unwrap();
        let (uplink, ring) = packet_ring(64 * 1024);
        let (source, receiver) = (Slots::new(2).take().unwrap(), Slots::new(2).take().unwrap());
        let inlet = InletConfig {
            payloads: vec![(opus(), Payload::Opus)],
            level_extension: None,
            mid_extension: None,
            lanes_mid: None,
            main: Some(source),
        };
        let slot = Slots::new(2).take().unwrap();
        control.send(Command::AddInlet(slot, Inlet::new(ring, &inlet, 0))).unwrap();
        control.send(Command::AddSource(source, Source::rtp(SourceId::new(1), &config).unwrap())).unwrap();
        let (listener, ear) = Receiver::app(AppEarConfig::default(), &config).unwrap();
        control.send(Command::AddReceiver(receiver, listener)).unwrap();
        let mut plan = PlanBuilder::new(&config.limits);
        plan.route(&[source], &[receiver]);
        control.publish(plan.build()).unwrap();
        let encoder = |channels| {
            let settings = EncoderConfig { channels, bitrate, ..EncoderConfig::speech(CodecRate::Hz48000) };
            Encoder::new(&settings).unwrap()
        };
        let mono = [encoder(Channels::Mono), encoder(Channels::Mono)];
        let stereo = encoder(Channels::Stereo);
        Self { conversation, _control: control, uplink, ear, mono, stereo, sent: 0 }
    }

    /// Sends 20 ms and gives what is heard in the tick after it.
    fn step(&mut self, layout: Layout) -> Vec<f32> {
        let sample = |n: usize| {
            let at = self.sent as usize * FRAME + n;
            LOUD * (at as f32 % 48.0 * HZ * std::f32::consts::TAU / 48_000.0).sin()
        };
        let mut payload = [0; MAX_FRAME_BYTES];
        let len = match layout {
            Layout::Mono | Layout::OtherMono => {
                let pcm: Vec<f32> = (0..FRAME).map(sample).collect();
                self.mono[usize::from(matches!(layout, Layout::OtherMono))].encode(&pcm, &mut payload)
            }
            Layout::Stereo(left, right) => {
                let pcm: Vec<f32> = (0..FRAME).flat_map(|n| [left * sample(n), right * sample(n)]).collect();
                self.stereo.encode(&pcm, &mut payload)
            }
        };
        let payload = &payload[..len.unwrap()];
        // RFC 6716 §3.1: the stereo bit of the first byte.
        assert_eq!(payload[0] & 4 != 0, matches!(layout, Layout::Stereo(..)), "the encoder keeps the layout");
        let header = RtpHeader {
            marker: false,
            payload_type: opus(),
            seq: SeqNo::new(self.sent as u16),
            timestamp: RtpTimestamp::new(self.sent as u32 * 960),
            ssrc: Ssrc::new(9),
            csrcs: &[],
            extensions: &[],
        };
        let mut packet = [0; MAX_PACKET];
        let len = header.write(&mut packet, payload).unwrap();
        let at = MonoTime::from_millis(1_000 + self.sent * 20);
        self.uplink.push(PacketMeta { at, leg: 0 }, &packet[..len]).unwrap();
        self.conversation.tick(at);
        self.sent += 1;
        let frame = self.ear.next_mixed().expect("a frame every tick");
        frame.samples.as_slice().iter().map(|s| f32::from(*s) / 32_768.0).collect()
    }

    fn run(&mut self, layout: Layout, frames: usize) -> Vec<f32> {
        (0..frames).flat_map(|_| self.step(layout)).collect()
    }
}

/// Level of a signal against the sender's tone, in dB.
fn level(heard: &[f32]) -> f32 {
    let power = heard.iter().map(|s| s * s).sum::<f32>() / heard.len() as f32;
    10.0 * (power / (LOUD * LOUD / 2.0)).log10()
}

/// Largest share of the tone that a sample is off from what the two before it foretell, as a sine is foretold exactly.
fn roughness(heard: &[f32]) -> f32 {
    let turn = 2.0 * (HZ * std::f32::consts::TAU / 48_000.0).cos();
    heard.windows(3).map(|w| (w[2] - turn * w[1] + w[0]).abs()).fold(0.0, f32::max) / LOUD
}

#[test]
fn both_sides_the_same_keep_their_level_and_one_side_alone_is_half() {
    for bitrate in [24_000, 64_000, 128_000] {
        for (sides, expected) in [((1.0, 1.0), 0.0), ((1.0, 0.0), -6.02), ((0.0, 1.0), -6.02)] {
            let mut line = Line::new(bitrate);
            let heard = line.run(Layout::Stereo(sides.0, sides.1), 60);
            let level = level(&heard[20 * FRAME..]);
            assert!((level - expected).abs() < 0.5, "{sides:?} at {bitrate}: {level:.2} dB");
        }
    }
}

/// The roughest changes between a mono encoder and `other`, back and forth.
fn seam(bitrate: u32, other: Layout) -> f32 {
    let mut line = Line::new(bitrate);
    line.run(Layout::Mono, 50);
    let mut worst = 0.0_f32;
    for turn in 0..8 {
        let layout = if turn % 2 == 0 { other } else { Layout::Mono };
        let heard = line.run(layout, 30);
        worst = worst.max(roughness(&heard[..5 * FRAME]));
        let level = level(&heard[5 * FRAME..]);
        assert!(level.abs() < 0.5, "turn {turn} at {bitrate}: {level:.2} dB");
    }
    worst
}

#[test]
fn changing_between_mono_and_stereo_in_mid_stream_is_as_smooth_as_changing_the_encoder() {
    for bitrate in [24_000, 48_000, 96_000] {
        // A sender that changes has another encoder in mid-tone, which is heard a little: that is the measure.
        let (encoder, layout) = (seam(bitrate, Layout::OtherMono), seam(bitrate, Layout::Stereo(1.0, 1.0)));
        assert!(layout < 1.5 * encoder.max(0.01), "{bitrate}: {layout:.4} against {encoder:.4} of the tone");
        assert!(layout < 0.1, "{bitrate}: a click of {layout:.4} of the tone");
    }
}
