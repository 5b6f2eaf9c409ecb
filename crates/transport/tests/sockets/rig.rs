//! An endpoint and a connector with their events in channels, and rings to send through.
//!
//! Waiting here means polling with a generous limit: correctness must not depend on how fast the machine is.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketReceiver, PacketSender, packet_ring};
use antiphon_transport::{
    Connector, ConnectorConfig, Endpoint, EndpointConfig, Leg, LegEvent, LegId, NetThread, OfferOptions,
};

/// Long enough for the slowest machine; reached only when something is broken.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) type Events = Receiver<(LegId, LegEvent)>;

pub(crate) fn endpoint(change: impl FnOnce(&mut EndpointConfig)) -> (Endpoint, Events) {
    let (tx, events) = channel();
    let mut config = EndpointConfig::new("127.0.0.1:0".parse().unwrap(), move |leg, event| {
        let _ = tx.send((leg, event));
    });
    change(&mut config);
    (Endpoint::bind(config).unwrap(), events)
}

pub(crate) fn connector() -> (Connector, Events) {
    let (tx, events) = channel();
    let config = ConnectorConfig::new(move |leg, event| {
        let _ = tx.send((leg, event));
    });
    (Connector::new(config).unwrap(), events)
}

pub(crate) fn loopback(lanes: bool) -> OfferOptions {
    OfferOptions { lanes, bind: "127.0.0.1".parse().unwrap() }
}

/// The next event, whosever it is.
pub(crate) fn next(events: &Events) -> (LegId, LegEvent) {
    events.recv_timeout(LIMIT).expect("an event within the limit")
}

/// Polls until `probe` gives something.
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends plain packets to one leg.
pub(crate) struct Out {
    ring: PacketSender,
    net: NetThread,
    leg: LegId,
}

impl Out {
    pub(crate) fn new(leg: &Leg) -> Self {
        let (ring, receiver) = packet_ring(64 * 1024);
        leg.net().register_egress(receiver);
        Self { ring, net: leg.net().clone(), leg: leg.id() }
    }

    pub(crate) fn send(&mut self, packet: &[u8]) {
        let meta = PacketMeta { at: MonoTime::ZERO, leg: self.leg.as_u32() };
        self.ring.push(meta, packet).unwrap();
        self.net.waker().wake();
    }
}

/// Takes `count` packets from an ingress ring.
pub(crate) fn take(ring: &mut PacketReceiver, count: usize) -> Vec<(PacketMeta, Vec<u8>)> {
    let mut buffer = [0; MAX_PACKET];
    let mut packets = Vec::new();
    wait_for("packets", || {
        while let Some((meta, len)) = ring.pop(&mut buffer) {
            packets.push((meta, buffer[..len].to_vec()));
        }
        (packets.len() >= count).then_some(())
    });
    packets
}

/// A plain RTP packet.
pub(crate) fn rtp(payload_type: u8, ssrc: u32, seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(seq.to_be_bytes());
    packet.extend((u32::from(seq) * 960).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}
