//! Legs that know G.711 only beside one with Opus, over real sockets on loopback: who hears whom how loud, and the
//! digits that they dial.

use antiphon_engine::{
    AudioPort, Conversation, ConversationEvent, ConversationOptions, DialError, Engine, EngineConfig, JoinOptions,
    MediaSession, ParticipantId, SessionOptions, SourceId, Tones,
};
use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const RATE: f64 = 16_000.0;
/// Of what each bot says.
const AMPLITUDE: f64 = 6_000.0;
/// Far beyond what a healthy machine needs; only a hang takes it.
const PATIENCE: Duration = Duration::from_secs(30);

struct Bot {
    session: MediaSession,
    inbox: mpsc::Receiver<ConversationEvent>,
    port: AudioPort,
    source: SourceId,
    tone: f64,
    phase: f64,
    mixed: Vec<i16>,
    apart: BTreeMap<u32, Vec<i16>>,
}

impl Bot {
    /// A bot that lets the service know of these payload types only; `None` means all.
    fn join(engine: &Engine, meeting: &Conversation, name: &str, tone: f64, formats: Option<&str>) -> Self {
        let (events, inbox) = mpsc::channel();
        let options = SessionOptions {
            bind: [127, 0, 0, 1].into(),
            unmixed: formats.is_none(),
            ..SessionOptions::new(move |event| drop(events.send(event)))
        };
        let session = engine.session(options).unwrap();
        let offer = formats.map_or_else(|| session.offer().to_owned(), |formats| only(session.offer(), formats));
        let joined = meeting.answer(&name.into(), &offer, JoinOptions::default()).unwrap();
        if let Some(formats) = formats {
            assert!(joined.answer.contains(&format!("SAVPF {formats}\r\n")), "{}", joined.answer);
        }
        session.accept(&joined.answer).unwrap();
        await_event(&inbox, |event| *event == ConversationEvent::Connected(MediaSession::SERVICE.into()));
        let port = session.take_audio().unwrap();
        let source = joined.source_id;
        Self { session, inbox, port, source, tone, phase: 0.0, mixed: vec![], apart: BTreeMap::new() }
    }

    /// Keeps half a second of tone queued and takes what was played.
    fn pump(&mut self) {
        let samples: Vec<i16> = (0..self.port.mouth.vacant())
            .map(|_| {
                self.phase = (self.phase + TAU * self.tone / RATE) % TAU;
                (AMPLITUDE * self.phase.sin()) as i16
            })
            .collect();
        self.port.mouth.speak(&samples);
        while let Some(frame) = self.port.mixed.next_frame() {
            self.mixed.extend(frame.samples.as_slice());
        }
        while let Some(frame) = self.port.unmixed.next_frame() {
            self.apart.entry(frame.source_id.as_u32()).or_default().extend(frame.samples.as_slice());
        }
    }

    fn forget(&mut self) {
        self.mixed.clear();
        self.apart.clear();
    }
}

/// The offer with these payload types and no others.
fn only(offer: &str, formats: &str) -> String {
    let listed: Vec<&str> = formats.split(' ').collect();
    let keeps = |line: &&str| {
        let number = ["a=rtpmap:", "a=fmtp:"].iter().find_map(|start| line.strip_prefix(start));
        number.is_none_or(|rest| listed.contains(&rest.split(' ').next().unwrap_or_default()))
    };
    let rewritten = |line: &str| match line.split_once("SAVPF ") {
        Some((head, _)) => format!("{head}SAVPF {formats}\r\n"),
        None => format!("{line}\r\n"),
    };
    offer.lines().filter(keeps).map(rewritten).collect()
}

fn await_event(inbox: &mpsc::Receiver<ConversationEvent>, wanted: impl Fn(&ConversationEvent) -> bool) {
    while !wanted(&inbox.recv_timeout(PATIENCE).expect("the event comes")) {}
}

/// Amplitude of the part of `samples` at `hz`, as the mean over blocks of 100 ms.
fn amplitude(samples: &[i16], hz: f64) -> f64 {
    let blocks = samples.chunks_exact(1_600).map(|block| {
        let (mut re, mut im) = (0.0, 0.0);
        for (i, &s) in block.iter().enumerate() {
            let (s, angle) = (f64::from(s), TAU * hz * i as f64 / RATE);
            re += s * angle.cos();
            im += s * angle.sin();
        }
        2.0 * re.hypot(im) / block.len() as f64
    });
    let all: Vec<f64> = blocks.collect();
    all.iter().sum::<f64>() / all.len().max(1) as f64
}

/// Runs until every bot has heard `seconds` more.
fn run(bots: &mut [Bot], seconds: f64) {
    let goal = (seconds * RATE) as usize;
    let start = Instant::now();
    while bots.iter().any(|bot| bot.mixed.len() < goal) {
        assert!(start.elapsed() < PATIENCE, "the media thread stands still");
        bots.iter_mut().for_each(Bot::pump);
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Decibels of `heard` over what was said.
fn gain(heard: f64) -> f64 {
    20.0 * (heard / AMPLITUDE).max(1e-9).log10()
}

/// The digits of the tones told so far and up to the end of the row.
fn digits(inbox: &mpsc::Receiver<ConversationEvent>, from: &ParticipantId, count: usize) -> String {
    let mut heard = String::new();
    while heard.len() < count {
        let event = inbox.recv_timeout(PATIENCE).expect("the tones come");
        if let ConversationEvent::Tone { participant, digit, duration } = event {
            assert_eq!(participant, *from);
            assert_eq!(duration, Tones::TONE);
            heard.push(digit);
        }
    }
    heard
}

#[test]
fn telephones_and_a_bot_with_opus_hear_each_other_at_their_level_and_dial() {
    let service = Engine::start(EngineConfig::default()).unwrap();
    let client = Engine::client(EngineConfig::default()).unwrap();
    let (events, inbox) = mpsc::channel();
    let meeting = service.conversation(ConversationOptions::new(move |event| drop(events.send(event)))).unwrap();
    let mut bots = [
        Bot::join(&client, &meeting, "ada", 500.0, None),
        Bot::join(&client, &meeting, "bea", 800.0, Some("0 126")),
        Bot::join(&client, &meeting, "cyd", 1_300.0, Some("8")),
    ];
    run(&mut bots, 1.5); // settle
    bots.iter_mut().for_each(Bot::forget);
    run(&mut bots, 1.5);
    let tones = [500.0, 800.0, 1_300.0];
    for (at, bot) in bots.iter().enumerate() {
        for (other, hz) in tones.iter().enumerate() {
            let heard = gain(amplitude(&bot.mixed, *hz));
            if at == other {
                assert!(heard < -35.0, "{at} hears itself at {heard} dB");
            } else {
                assert!(heard.abs() < 1.0, "{at} hears {other} at {heard} dB");
            }
        }
    }
    // Telephones are forwarded apart too, in their own coding.
    for other in [1, 2] {
        let apart = &bots[0].apart[&bots[other].source.as_u32()];
        assert!(gain(amplitude(apart, tones[other])).abs() < 1.0, "{other} apart");
        assert!(gain(amplitude(apart, tones[3 - other])) < -40.0, "{other} alone");
    }

    let (ada, bea, cyd) = (ParticipantId::new("ada"), ParticipantId::new("bea"), ParticipantId::new("cyd"));
    bots[1].session.send_tones(Tones::new("159D").unwrap()).unwrap();
    assert_eq!(digits(&inbox, &bea, 4), "159D");
    bots[0].session.send_tones(Tones::new("#0*").unwrap()).unwrap();
    assert_eq!(digits(&inbox, &ada, 3), "#0*", "beside Opus, on its clock");
    let service_id = ParticipantId::new(MediaSession::SERVICE);
    meeting.send_tones(&bea, Tones::new("42").unwrap()).unwrap();
    assert_eq!(digits(&bots[1].inbox, &service_id, 2), "42");
    await_event(&inbox, |event| *event == ConversationEvent::TonesSent("bea".into()));

    let tones = Tones::new("1").unwrap();
    assert_eq!(meeting.send_tones(&cyd, tones), Err(DialError::NoTelephoneEvent(cyd.clone())));
    let dan = ParticipantId::new("dan");
    assert_eq!(meeting.send_tones(&dan, tones), Err(DialError::UnknownParticipant(dan.clone())));
    for _ in 0..4 {
        meeting.send_tones(&ada, Tones::new("123456789").unwrap()).unwrap();
    }
    assert_eq!(meeting.send_tones(&ada, tones), Err(DialError::Busy(ada.clone())));
}
