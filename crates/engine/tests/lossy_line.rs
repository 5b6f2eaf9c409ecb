//! FEC, or RED where it is agreed, comes when a line loses packets: a bot behind a line that drops every eighth, over real sockets on loopback.
//!
//! Both ways: what the service sends the bot, and what the bot says. Nobody is told of the loss but by RTCP reports.

use antiphon_engine::{
    Conversation, ConversationEvent, ConversationOptions, Counts, Engine, EngineConfig, JoinOptions, MediaSession,
    SessionOptions, Speaker,
};
use antiphon_load::speech::{SpeechRate, Voice};
use antiphon_rtp::demux::DatagramKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Far beyond what a healthy machine needs; only a hang takes it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A line between one bot and the service that drops every eighth media packet, each way, until it is mended.
struct Line {
    addr: SocketAddr,
    bad: Arc<AtomicBool>,
    open: Arc<AtomicBool>,
    service: mpsc::Sender<SocketAddr>,
    carriers: Vec<JoinHandle<()>>,
}

impl Line {
    fn new() -> Self {
        let near = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let far = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        for socket in [&near, &far] {
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        }
        let addr = near.local_addr().unwrap();
        let (bad, open) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
        let bot = Arc::new(Mutex::new(None));
        let (service, to) = mpsc::channel();
        let up = {
            let (near, far, bot) = (Arc::clone(&near), Arc::clone(&far), Arc::clone(&bot));
            let mut drops = Drops::new(&bad);
            let open = Arc::clone(&open);
            move || {
                let Ok(service) = to.recv() else { return };
                carry(&open, &near, |datagram, from| {
                    *bot.lock().unwrap() = Some(from);
                    if drops.lets_pass(datagram) {
                        let _ = far.send_to(datagram, service);
                    }
                });
            }
        };
        let down = {
            let mut drops = Drops::new(&bad);
            let open = Arc::clone(&open);
            move || {
                carry(&open, &far, |datagram, _| {
                    let to = *bot.lock().unwrap();
                    if let (Some(bot), true) = (to, drops.lets_pass(datagram)) {
                        let _ = near.send_to(datagram, bot);
                    }
                });
            }
        };
        let carriers = vec![thread::spawn(up), thread::spawn(down)];
        Self { addr, bad, open, service, carriers }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.open.store(false, Ordering::Relaxed);
        let _ = self.service.send(self.addr); // for a carrier that still waits for the service
        for carrier in self.carriers.drain(..) {
            carrier.join().unwrap();
        }
    }
}

fn carry(open: &AtomicBool, from: &UdpSocket, mut pass: impl FnMut(&[u8], SocketAddr)) {
    let mut datagram = [0; 2_048];
    while open.load(Ordering::Relaxed) {
        if let Ok((length, sender)) = from.recv_from(&mut datagram) {
            pass(&datagram[..length], sender);
        }
    }
}

/// Which datagrams are lost; handshakes and reports are spared.
struct Drops {
    bad: Arc<AtomicBool>,
    media: u64,
}

impl Drops {
    fn new(bad: &Arc<AtomicBool>) -> Self {
        Self { bad: Arc::clone(bad), media: 0 }
    }

    fn lets_pass(&mut self, datagram: &[u8]) -> bool {
        let media = DatagramKind::of(datagram) == DatagramKind::Rtp;
        self.media += u64::from(media);
        !(media && self.bad.load(Ordering::Relaxed) && self.media.is_multiple_of(8))
    }
}

/// A bot and a speaker in one conversation, both talking without a pause.
struct Call {
    meeting: Conversation,
    session: MediaSession,
    port: antiphon_engine::AudioPort,
    speaker: Speaker,
    said: usize,
    due: Instant,
}

impl Call {
    /// 20 ms of both.
    fn step(&mut self, narrow: &[f32], wide: &[f32]) {
        let frame = |voice: &[f32], length: usize| -> Vec<i16> {
            let frames = voice.len() / length;
            voice[self.said % frames * length..][..length].iter().map(|s| (s * 32_000.0) as i16).collect()
        };
        let (low, high) = (frame(narrow, 320), frame(wide, Speaker::FRAME_SAMPLES));
        self.said += 1;
        self.port.mouth.speak(&low);
        self.speaker.say(&high.try_into().unwrap()).unwrap();
        while self.port.mixed.next_frame().is_some() {}
        self.due += Duration::from_millis(20);
        thread::park_timeout(self.due.saturating_duration_since(Instant::now()));
    }
}

#[test]
fn a_line_that_loses_packets_gets_fec_in_both_directions_by_its_reports() {
    // Without RED, as an older bot offers.
    repairs(|offer| offer.replacen(" 111 63 ", " 111 ", 1), |counts| (counts.fec_begun, counts.fec_ended));
}

#[test]
fn a_line_that_loses_packets_gets_red_in_both_directions_where_it_is_agreed() {
    repairs(str::to_owned, |counts| {
        assert_eq!(counts.fec_begun, 0, "one remedy is enough");
        (counts.red_begun, counts.red_ended)
    });
}

/// Has a bot with this offer lose packets until its remedy has come, and then not until it is gone; `remedy` reads how
/// often that was.
fn repairs(offer: impl Fn(&str) -> String, remedy: impl Fn(&Counts) -> (u64, u64)) {
    let line = Line::new();
    let service = Engine::start(EngineConfig { advertise: Some(line.addr), ..EngineConfig::default() }).unwrap();
    line.service.send(service.media_addr().unwrap()).unwrap();
    let client = Engine::client(EngineConfig::default()).unwrap();
    let meeting = service.conversation(ConversationOptions::new(drop)).unwrap();
    let speaker = meeting.join_speaker(&"bea".into(), JoinOptions::default()).unwrap();
    let (events, inbox) = mpsc::channel();
    let options = SessionOptions {
        bind: [127, 0, 0, 1].into(),
        unmixed: false,
        ..SessionOptions::new(move |event| drop(events.send(event)))
    };
    let session = client.session(options).unwrap();
    let joined = meeting.answer(&"ada".into(), &offer(session.offer()), JoinOptions::default()).unwrap();
    session.accept(&joined.answer).unwrap();
    while inbox.recv_timeout(PATIENCE).unwrap() != ConversationEvent::Connected(MediaSession::SERVICE.into()) {}
    let port = session.take_audio().unwrap();
    let mut call = Call { meeting, session, port, speaker, said: 0, due: Instant::now() };

    let narrow = Voice::nth(0).samples(SpeechRate::Hz16000);
    let wide = Voice::nth(1).samples(SpeechRate::Hz48000);
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < PATIENCE, "{:?}\n{:?}", call.meeting.stats().counts, call.session.stats().counts);
        call.step(narrow, wide);
        let (meeting, bot) = (call.meeting.stats().counts, call.session.stats().counts);
        // Each end was told by the other's reports, and the bot gets frames back that were lost. (Nobody hears the bot,
        // so what it says is not even decoded.)
        let (far, near) = (remedy(&meeting), remedy(&bot));
        if far.0 == 1 && near.0 == 1 && bot.frames.recovered > 20 {
            assert_eq!((far, near), ((1, 0), (1, 0)));
            break;
        }
    }

    let over = |call: &Call| (remedy(&call.meeting.stats().counts).1, remedy(&call.session.stats().counts).1);
    // A good line needs none: the next report that says so begins the ten seconds.
    line.bad.store(false, Ordering::Relaxed);
    let mended = Instant::now();
    while over(&call).0 == 0 || over(&call).1 == 0 {
        assert!(mended.elapsed() < PATIENCE, "{:?}", call.meeting.stats().counts);
        call.step(narrow, wide);
    }
    assert_eq!(over(&call), (1, 1));
}
