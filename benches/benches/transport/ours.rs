//! Our path: an endpoint with its network thread, and a thread that does a media thread's share of the rings.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketReceiver, PacketSender, packet_ring};
use antiphon_transport::{DropCounts, Endpoint, EndpointConfig, Leg, LegEvent, Limits};

use crate::cpu::ThreadCpu;
use crate::floor::packet;
use crate::{FRAME, Used};

/// An endpoint and its legs.
pub(crate) struct Ours {
    endpoint: Endpoint,
    legs: Vec<Leg>,
    media: Arc<Media>,
    connected: Receiver<()>,
    cpu: ThreadCpu,
}

/// What the media thread works on.
struct Media {
    sends: AtomicBool,
    stop: AtomicBool,
    ends: Mutex<Ends>,
}

struct Ends {
    egress: PacketSender,
    /// Of every leg: its number, our SSRC, its ring.
    legs: Vec<(u32, u32, PacketReceiver)>,
    seq: u16,
}

impl Ours {
    pub(crate) fn new() -> Self {
        let (tx, connected) = channel();
        let bind = "127.0.0.1:0".parse().expect("invariant: an address");
        let mut config = EndpointConfig::new(bind, move |_, event| {
            if event == LegEvent::Connected {
                let _ = tx.send(());
            }
        });
        config.limits = Limits::endpoint();
        let endpoint = Endpoint::bind(config).expect("an endpoint");
        let (egress, ring) = packet_ring(4 << 20);
        endpoint.net().register_egress(ring);
        let ends = Mutex::new(Ends { egress, legs: Vec::new(), seq: 0 });
        let media = Arc::new(Media { sends: AtomicBool::new(false), stop: AtomicBool::new(false), ends });
        let (theirs, waker) = (Arc::clone(&media), endpoint.net().waker());
        std::thread::spawn(move || {
            let mut next = Instant::now();
            while !theirs.stop.load(Ordering::Relaxed) {
                next += FRAME;
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
                theirs.tick();
                waker.wake();
            }
        });
        Self { endpoint, legs: Vec::new(), media, connected, cpu: ThreadCpu::named("antiphon-net") }
    }

    /// Answers an offer.
    pub(crate) fn answer(&mut self, offer: &str) -> String {
        let mut answered = self.endpoint.answer(offer).expect("an offer of ours is acceptable");
        let ring = answered.leg.take_ingress().expect("invariant: a new leg has its ring");
        let ssrc = answered.leg.negotiated().expect("invariant: it was answered").mix.ssrc.as_u32();
        let mut ends = self.media.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.legs.push((answered.leg.id().as_u32(), ssrc, ring));
        drop(ends);
        self.legs.push(answered.leg);
        answered.sdp
    }

    /// Waits until so many more legs are connected.
    pub(crate) fn wait_connected(&self, count: usize) {
        for _ in 0..count {
            self.connected.recv_timeout(Duration::from_secs(30)).expect("every leg connects");
        }
    }

    pub(crate) fn send(&self, go: bool) {
        self.media.sends.store(go, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> Used {
        let stats = self.legs.iter().map(Leg::stats);
        Used { cpu: self.cpu.so_far(), packets: stats.map(|s| s.packets_received + s.packets_sent).sum() }
    }

    pub(crate) fn dropped(&self) -> DropCounts {
        self.endpoint.net().drops()
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.media.stop.store(true, Ordering::Relaxed);
    }
}

impl Media {
    /// Takes what came and sends everybody a packet.
    fn tick(&self) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        let Ends { egress, legs, seq } = &mut *ends;
        let mut buffer = [0; MAX_PACKET];
        let sends = self.sends.load(Ordering::Relaxed);
        for (leg, ssrc, ring) in legs {
            while ring.pop(&mut buffer).is_some() {}
            if sends {
                let meta = PacketMeta { at: MonoTime::ZERO, leg: *leg };
                egress.push(meta, &packet(*ssrc, *seq)).expect("room for a tick");
            }
        }
        *seq = seq.wrapping_add(u16::from(sends));
    }
}
