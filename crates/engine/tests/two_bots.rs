//! Two bots in one conversation over real sockets on loopback: who hears whom, mixed and apart.
//!
//! Each bot says its own tone; a tone is looked for by its power in what the other end played.

use antiphon_engine::{
    AudioPort, CloseReason, Conversation, ConversationEvent, ConversationOptions, Engine, EngineConfig, JoinOptions,
    MediaSession, ParticipantId, SessionOptions, SourceId, Speaker,
};
use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::sync::mpsc;
use std::time::Duration;

const RATE: f64 = 16_000.0;
/// Far beyond what a healthy machine needs; only a hang takes it.
const PATIENCE: Duration = Duration::from_secs(30);

struct Bot {
    session: MediaSession,
    port: AudioPort,
    source: SourceId,
    tone: f64,
    phase: f64,
    mixed: Vec<i16>,
    kept: Vec<i16>,
    apart: BTreeMap<u32, Vec<i16>>,
}

impl Bot {
    fn join(engine: &Engine, meeting: &Conversation, name: &str, tone: f64) -> Self {
        let (events, inbox) = mpsc::channel();
        let options = SessionOptions {
            bind: [127, 0, 0, 1].into(),
            ..SessionOptions::new(move |event| drop(events.send(event)))
        };
        let session = engine.session(options).unwrap();
        let id = ParticipantId::new(name);
        let joined = meeting.answer(&id, session.offer(), JoinOptions::default()).unwrap();
        session.accept(&joined.answer).unwrap();
        await_event(&inbox, |e| *e == ConversationEvent::Connected(ParticipantId::new(MediaSession::SERVICE)));
        let port = session.take_audio().unwrap();
        Self {
            session,
            port,
            source: joined.source_id,
            tone,
            phase: 0.0,
            mixed: vec![],
            kept: vec![],
            apart: BTreeMap::new(),
        }
    }

    /// Keeps half a second of tone queued and takes what was played.
    fn pump(&mut self) {
        let room = self.port.mouth.vacant();
        let samples: Vec<i16> = (0..room)
            .map(|_| {
                self.phase = (self.phase + TAU * self.tone / RATE) % TAU;
                (6_000.0 * self.phase.sin()) as i16
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

    /// Sets what was heard aside, so that a run waits for more.
    fn heard_so_far(&mut self) {
        self.kept.append(&mut self.mixed);
    }

    /// What was heard and set aside.
    fn take(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.kept)
    }

    fn forget(&mut self) {
        self.mixed.clear();
        self.apart.clear();
    }
}

fn await_event(inbox: &mpsc::Receiver<ConversationEvent>, wanted: impl Fn(&ConversationEvent) -> bool) {
    loop {
        if wanted(&inbox.recv_timeout(PATIENCE).expect("the event comes")) {
            return;
        }
    }
}

/// Share of the signal's power at `hz`, 0 to 1 (Goertzel over the whole signal, in blocks of 100 ms).
fn share(samples: &[i16], hz: f64) -> f64 {
    let (mut at, mut all) = (0.0, 0.0);
    for block in samples.chunks_exact(1_600) {
        let (mut re, mut im) = (0.0, 0.0);
        for (i, &s) in block.iter().enumerate() {
            let (s, angle) = (f64::from(s), TAU * hz * i as f64 / RATE);
            re += s * angle.cos();
            im += s * angle.sin();
            all += s * s;
        }
        at += 2.0 * (re * re + im * im) / block.len() as f64;
    }
    if all == 0.0 { 0.0 } else { at / all }
}

/// Runs until every bot has heard `seconds` more.
fn run(bots: &mut [Bot], seconds: f64) {
    let goal = (seconds * RATE) as usize;
    let start = std::time::Instant::now();
    while bots.iter().any(|b| b.mixed.len() < goal) {
        assert!(start.elapsed() < PATIENCE, "the media thread stands still");
        for bot in bots.iter_mut() {
            bot.pump();
        }
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn bots_hear_each_other_mixed_and_apart_and_routes_change_in_mid_call() {
    let service = Engine::start(EngineConfig::default()).unwrap();
    let client = Engine::client(EngineConfig::default()).unwrap();
    let (events, inbox) = mpsc::channel();
    let meeting = service.conversation(ConversationOptions::new(move |e| drop(events.send(e)))).unwrap();
    let mut bots =
        [("ada", 500.0), ("bea", 800.0), ("cyd", 1_300.0)].map(|(n, hz)| Bot::join(&client, &meeting, n, hz));
    for name in ["ada", "bea", "cyd"] {
        await_event(&inbox, |e| *e == ConversationEvent::Connected(name.into()));
    }

    run(&mut bots, 1.0); // settle
    bots.iter_mut().for_each(Bot::forget);
    run(&mut bots, 1.0);
    let tones: Vec<f64> = bots.iter().map(|b| b.tone).collect();
    let sources: Vec<u32> = bots.iter().map(|b| b.source.as_u32()).collect();
    for (i, bot) in bots.iter().enumerate() {
        for (j, &hz) in tones.iter().enumerate() {
            let mixed = share(&bot.mixed, hz);
            assert_eq!(mixed > 0.2, i != j, "receiver {i}, source {j}: {mixed:.3} of the mix");
            if i == j {
                assert!(mixed < 0.02, "receiver {i} hears itself: {mixed:.3}");
            }
            let apart = bot.apart.get(&sources[j]);
            assert_eq!(apart.is_some(), i != j, "receiver {i}, lane of source {j}");
            if let Some(lane) = apart {
                assert!(share(lane, hz) > 0.9, "lane {j} at {i} holds its own voice: {:.3}", share(lane, hz));
            }
        }
    }

    // A private route in place of the default group for the first bot.
    assert!(meeting.set_in_default_group(&"ada".into(), false));
    meeting.set_routing_group("g", &["cyd".into()], &["ada".into()]).unwrap();
    run(&mut bots, 1.5);
    bots.iter_mut().for_each(Bot::forget);
    run(&mut bots, 1.0);
    assert!(share(&bots[0].mixed, tones[2]) > 0.9, "ada hears cyd by the group");
    assert!(share(&bots[0].mixed, tones[1]) < 0.02, "and bea no more");
    assert!(share(&bots[1].mixed, tones[0]) < 0.02, "bea hears ada no more");
    assert!(share(&bots[1].mixed, tones[2]) > 0.9);
    assert_eq!(bots[0].apart.keys().collect::<Vec<_>>(), [&sources[2]], "lanes follow the plan");

    let stats = meeting.stats();
    assert!(stats.counts.encodes > 0 && stats.counts.packets_refused == 0, "{:?}", stats.counts);
    assert!(bots[0].session.stats().counts.decodes > 0);

    // A leave reaches the other end.
    assert!(meeting.leave(&"ada".into()));
    assert!(!meeting.leave(&"ada".into()));
    drop(bots);
    await_event(
        &inbox,
        |e| matches!(e, ConversationEvent::Disconnected { participant, reason: CloseReason::Remote } if *participant == "bea".into()),
    );
}

/// Lets a speaker say its tone for so many frames of 20 ms, in real time, while the bots listen.
fn speak(speaker: &mut Speaker, tone: f64, frames: usize, bots: &mut [Bot]) {
    let step = TAU * tone / f64::from(Speaker::RATE);
    for frame in 0..frames {
        let at = |i: usize| (6_000.0 * (step * (frame * Speaker::FRAME_SAMPLES + i) as f64).sin()) as i16;
        speaker.say(&std::array::from_fn(at)).unwrap();
        run(bots, 0.02);
        bots.iter_mut().for_each(|bot| bot.heard_so_far());
    }
}

#[test]
fn a_speaker_without_a_leg_is_heard_mixed_and_apart_until_it_leaves() {
    let service = Engine::start(EngineConfig::default()).unwrap();
    let client = Engine::client(EngineConfig::default()).unwrap();
    let meeting = service.conversation(ConversationOptions::new(drop)).unwrap();
    let mut bots = [Bot::join(&client, &meeting, "ada", 500.0)];
    let mut speaker = meeting.join_speaker(&"bea".into(), JoinOptions::default()).unwrap();
    assert_eq!(meeting.matrix(), [("ada".into(), vec!["bea".into()])], "it hears nobody");
    let again = meeting.join_speaker(&"ada".into(), JoinOptions::default()).unwrap_err();
    assert_eq!(again.to_string(), "participant ada is already in the conversation");

    speak(&mut speaker, 800.0, 75, &mut bots);
    let heard = bots[0].take();
    assert!(share(&heard, 800.0) > 0.9, "{}", share(&heard, 800.0));
    assert_eq!(bots[0].apart.keys().collect::<Vec<_>>(), [&speaker.source_id().as_u32()]);

    assert!(meeting.leave(&"bea".into()));
    speak(&mut speaker, 800.0, 25, &mut bots);
    bots[0].take();
    speak(&mut speaker, 800.0, 25, &mut bots);
    assert!(share(&bots[0].take(), 800.0) < 0.02, "what it says leads nowhere");
}

#[test]
fn a_bad_offer_and_a_second_join_are_refused_and_change_nothing() {
    let service = Engine::start(EngineConfig::default()).unwrap();
    let meeting = service.conversation(ConversationOptions::new(drop)).unwrap();
    let ada = ParticipantId::new("ada");
    assert!(meeting.answer(&ada, "v=0\r\nnonsense", JoinOptions::default()).is_err());
    assert!(meeting.matrix().is_empty());
    let client = Engine::client(EngineConfig::default()).unwrap();
    let session = client.session(SessionOptions::new(drop)).unwrap();
    meeting.answer(&ada, session.offer(), JoinOptions::default()).unwrap();
    let again = meeting.answer(&ada, session.offer(), JoinOptions::default()).unwrap_err();
    assert_eq!(again.to_string(), "participant ada is already in the conversation");
    assert_eq!(meeting.matrix().len(), 1);
    assert!(client.conversation(ConversationOptions::new(drop)).is_err(), "a client hosts nothing");
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let first = Engine::start(EngineConfig::default()).unwrap();
    let bind = first.media_addr().unwrap();
    let error = Engine::start(EngineConfig { bind, ..EngineConfig::default() }).unwrap_err().to_string();
    assert!(error.contains(&bind.port().to_string()) && error.contains("choose another port"), "{error}");
}
