//! The full, controlling agent: `rtc_ice::Agent` with three guards.
//!
//! In the flow: one per leg of a connector. Sans-IO.
//! Guards: the agent nominates only on its own tick, so it gets a tick after each answer until connected;
//! in the controlled role (after a role conflict) it ignores a nomination that comes before its own check
//! has succeeded, so that request is kept and fed again; what nobody has authenticated renews no consent.
//! Not here: reading descriptions. Specs: RFC 8445 §7.2, §8.1; RFC 7675.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_crypto::RTCCryptoProvider;
use rtc_ice::agent::agent_config::AgentConfig;
use rtc_ice::agent::{Agent, Event};
use rtc_ice::candidate::candidate_host::CandidateHostConfig;
use rtc_ice::candidate::{Candidate, CandidateConfig, CandidateType, unmarshal_candidate};
use rtc_ice::mdns::MulticastDnsMode;
use rtc_ice::state::ConnectionState;
use rtc_shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use sansio::Protocol;
use zeroize::Zeroizing;

use super::stun::StunMessage;
use super::{CONSENT, Outbox};
use crate::sdp::{IceCredentials, RemoteCandidate};
use crate::stats::DropReason;

/// Time between checks while connecting.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// What a candidate pair lives before it is given up: the agent counts checks, not time.
const PAIR_LIFE: Duration = Duration::from_secs(15);
/// Time between consent checks once connected (RFC 7675 asks for 4 to 6 s).
const KEEPALIVE: Duration = Duration::from_secs(4);
/// Once connected the agent asks to be woken five times a second; this is enough.
const CONNECTED_TICK: Duration = Duration::from_secs(1);

pub(crate) struct Full {
    agent: Agent,
    local: SocketAddr,
    selected: Option<SocketAddr>,
    early_nomination: Option<(SocketAddr, BytesMut)>,
    next: Option<Instant>,
    failed: bool,
}

impl std::fmt::Debug for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Full").field("local", &self.local).field("selected", &self.selected).finish_non_exhaustive()
    }
}

impl Full {
    /// `local` is the first of our candidates: the address that the socket is taken to have.
    pub(crate) fn new(
        now: Instant,
        provider: Arc<dyn RTCCryptoProvider>,
        local: SocketAddr,
        credentials: &IceCredentials,
    ) -> Result<Self, String> {
        let checks = PAIR_LIFE.as_millis() / CHECK_INTERVAL.as_millis();
        let config = AgentConfig {
            is_controlling: true,
            candidate_types: vec![CandidateType::Host],
            multicast_dns_mode: MulticastDnsMode::Disabled, // on by default, and costs state per agent
            check_interval: CHECK_INTERVAL,
            max_binding_requests: Some(u16::try_from(checks).unwrap_or(u16::MAX)),
            prflx_acceptance_min_wait: Some(Duration::ZERO), // the default holds a NATed pair back for 1 s
            keepalive_interval: Some(KEEPALIVE),
            disconnected_timeout: Some(CONSENT / 3),
            failed_timeout: Some(CONSENT - CONSENT / 3), // counted on top of disconnected
            local_ufrag: credentials.ufrag.clone(),
            local_pwd: credentials.pwd.as_str().to_owned(),
            ..Default::default()
        };
        let mut agent = Agent::new(now, Arc::new(config), provider).map_err(|e| e.to_string())?;
        agent.add_local_candidate(host_candidate(local)?).map_err(|e| e.to_string())?;
        Ok(Self { agent, local, selected: None, early_nomination: None, next: None, failed: false })
    }

    /// Starts checking the answer's candidates, as the controlling side (RFC 8445 §6.1.1).
    pub(crate) fn start(
        &mut self,
        now: Instant,
        remote: &IceCredentials,
        candidates: &[RemoteCandidate],
    ) -> Result<(), String> {
        for candidate in candidates {
            // Validated by the parser; what the agent still does not like is skipped, as RFC 8839 §5.1 asks.
            if let Ok(candidate) = unmarshal_candidate(&candidate.value) {
                let _ = self.agent.add_remote_candidate(candidate);
            }
        }
        let pwd = Zeroizing::new(remote.pwd.as_str().to_owned());
        let started = self.agent.start_connectivity_checks(now, true, remote.ufrag.clone(), pwd.to_string());
        self.next = Some(now); // the first checks leave with the first timeout
        started.map_err(|e| e.to_string())
    }

    pub(crate) fn handle(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        out: &mut Outbox,
    ) -> Result<(), DropReason> {
        let message = StunMessage::parse(datagram).ok_or(DropReason::StunMalformed)?;
        if message.is_indication() {
            // It carries no integrity and asks for nothing, but the agent would take it for a sign of life.
            return Err(DropReason::StunUnauthenticated);
        }
        let controlled = !self.agent.role();
        if controlled && self.selected.is_none() && message.is_request() && message.use_candidate() {
            self.early_nomination = Some((from, BytesMut::from(datagram)));
        }
        let fed = self.feed(now, from, BytesMut::from(datagram));
        self.note_selected();
        if self.selected.is_some() {
            self.early_nomination = None;
        } else if !message.is_request()
            && let Some((from, request)) = self.early_nomination.clone()
        {
            let _ = self.feed(now, from, request);
            self.note_selected();
        }
        self.drain(out);
        fed
    }

    fn feed(&mut self, now: Instant, from: SocketAddr, message: BytesMut) -> Result<(), DropReason> {
        let read = self.agent.handle_read(TaggedBytesMut { now, transport: self.context(from), message });
        if self.agent.role() && self.selected.is_none() {
            let _ = self.agent.handle_timeout(now + CHECK_INTERVAL);
        }
        read.map_err(|_| DropReason::StunUnauthenticated)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        let _ = self.agent.handle_timeout(now);
        self.note_selected();
        self.drain(out);
        self.next = if self.selected.is_some() {
            Some(now + CONNECTED_TICK)
        } else {
            self.agent.poll_timeout().map(|t| t.max(now + Duration::from_millis(5)))
        };
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    pub(crate) fn selected(&self) -> Option<SocketAddr> {
        self.selected
    }

    /// Whether `from` is one of the peer's candidates. Looks only: whoever can spoof that address must not
    /// keep consent alive by it.
    pub(crate) fn is_known(&self, from: SocketAddr) -> bool {
        self.selected == Some(from) || self.agent.get_remote_candidates().iter().any(|c| c.addr() == from)
    }

    /// Authentic media came from `from`; this renews consent.
    pub(crate) fn note_media(&mut self, now: Instant, from: SocketAddr) {
        let context = self.context(from);
        self.agent.is_valid_non_stun_traffic(now, context); // this is how the agent is told
    }

    pub(crate) fn failed(&mut self) -> bool {
        while let Some(event) = self.agent.poll_event() {
            match event.event {
                Event::ConnectionStateChange(state) => self.failed |= state == ConnectionState::Failed,
                Event::RoleChange(controlling) => tracing::debug!(controlling, "ICE role conflict resolved"),
                _ => {}
            }
        }
        self.failed
    }

    fn note_selected(&mut self) {
        self.selected = self.agent.get_selected_candidate_pair().map(|(_, remote)| remote.addr());
    }

    fn drain(&mut self, out: &mut Outbox) {
        while let Some(t) = self.agent.poll_write() {
            out.push_back((t.transport.peer_addr, t.message));
        }
    }

    fn context(&self, peer_addr: SocketAddr) -> TransportContext {
        TransportContext { local_addr: self.local, peer_addr, ecn: None, transport_protocol: TransportProtocol::UDP }
    }
}

fn host_candidate(at: SocketAddr) -> Result<Candidate, String> {
    let (network, address, port) = ("udp".to_owned(), at.ip().to_string(), at.port());
    let base_config = CandidateConfig { network, address, port, component: 1, ..Default::default() };
    let config = CandidateHostConfig { base_config, ..Default::default() };
    config.new_candidate_host().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use rtc_crypto::providers::AwsLcRsProvider;

    use super::*;
    use crate::identity::ice_credentials;

    fn agent(now: Instant, at: SocketAddr) -> (Full, IceCredentials) {
        let credentials = ice_credentials().unwrap();
        (Full::new(now, Arc::new(AwsLcRsProvider::new()), at, &credentials).unwrap(), credentials)
    }

    fn candidate(at: SocketAddr) -> RemoteCandidate {
        let value = format!("1 1 udp 2130706431 {} {} typ host", at.ip(), at.port());
        RemoteCandidate { address: at, value }
    }

    /// Lets two agents talk, 10 ms one way, until both have selected; returns how long it took.
    fn converge(mut sides: [(Full, SocketAddr); 2], start: Instant) -> (Duration, [(Full, SocketAddr); 2]) {
        type Flying = (Instant, usize, SocketAddr, BytesMut);
        let mut wire: Vec<Flying> = Vec::new();
        let mut now = start;
        while now < start + Duration::from_secs(20) {
            let (due, later): (Vec<Flying>, Vec<Flying>) = wire.into_iter().partition(|w| w.0 <= now);
            wire = later;
            let mut out = [Outbox::new(), Outbox::new()];
            for (_, to, from, datagram) in due {
                let _ = sides[to].0.handle(now, from, &datagram, &mut out[to]);
            }
            for i in 0..2 {
                sides[i].0.handle_timeout(now, &mut out[i]);
                let from = sides[i].1;
                wire.extend(out[i].drain(..).map(|(_, d)| (now + Duration::from_millis(10), 1 - i, from, d)));
            }
            if sides[0].0.selected().is_some() && sides[1].0.selected().is_some() {
                return (now - start, sides);
            }
            now += Duration::from_millis(1);
        }
        panic!("the agents did not agree on a pair");
    }

    #[test]
    fn two_controlling_agents_resolve_their_conflict_and_connect() {
        // Which of them gives in is drawn by lot (tie-breakers), so several pairs are tried.
        for _ in 0..8 {
            let start = Instant::now();
            let (at, bt): (SocketAddr, SocketAddr) = ("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap());
            let ((mut a, a_credentials), (mut b, b_credentials)) = (agent(start, at), agent(start, bt));
            a.start(start, &b_credentials, &[candidate(bt)]).unwrap();
            b.start(start, &a_credentials, &[candidate(at)]).unwrap();
            let (took, [(a, _), (b, _)]) = converge([(a, at), (b, bt)], start);
            assert_ne!(a.agent.role(), b.agent.role(), "one of them is controlled now");
            assert_eq!((a.selected(), b.selected()), (Some(bt), Some(at)));
            assert!(took < Duration::from_secs(2), "{took:?}");
        }
    }

    #[test]
    fn rubbish_is_not_fed_to_the_agent() {
        let now = Instant::now();
        let (mut full, _) = agent(now, "192.0.2.1:1".parse().unwrap());
        let from = "192.0.2.2:2".parse().unwrap();
        let mut out = Outbox::new();
        assert_eq!(full.handle(now, from, &[0; 20], &mut out), Err(DropReason::StunMalformed));
        assert!(out.is_empty());
    }
}
