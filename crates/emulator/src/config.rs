//! What an emulator can be told at start: addresses, trust, switches and limits.
//!
//! A plain struct with defaults that suit a test or a laptop; everything is fixed once the emulator runs. Reading
//! files named here is the starter's work; this file only holds them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use antiphon_engine::PortRange;

use crate::clock::Clock;

/// The tenant every emulator has from the start, unless told otherwise.
pub const DEFAULT_TENANT: &str = "3b9f6f5e-7c0d-4a57-9f0b-6d1c5a0e7a11";

/// How an emulator is set up. `..EmulatorConfig::default()` fills the rest.
#[derive(Debug, Clone)]
pub struct EmulatorConfig {
    /// TCP address of the one TLS port that serves tokens, Graph and administration. Default `127.0.0.1:0`.
    pub bind: SocketAddr,
    /// A second TCP address without TLS, for tools that cannot be given a CA. Off by default: official SDKs refuse to
    /// send tokens over plain HTTP.
    pub plain_http_bind: Option<SocketAddr>,
    /// Where the CA certificate is written, as PEM. `None` writes nothing; [`Emulator::ca_pem`](crate::Emulator::ca_pem) has it anyway.
    pub ca_file: Option<PathBuf>,
    /// More names or addresses for the server certificate, and accepted in `Host` by the administration API.
    pub host_names: Vec<String>,
    /// UDP address of the media port. Default: a free port on the address of `bind`.
    pub media_bind: Option<SocketAddr>,
    /// Media address to tell peers, when it is not the bound one (containers, address translation).
    pub advertise_media: Option<SocketAddr>,
    /// UDP ports that plain RTP legs get unless they ask for one. Default: any that is free.
    pub plain_ports: Option<PortRange>,
    /// Media threads of the engine; a conversation lives on one of them. Default 1.
    pub media_threads: usize,
    /// Id of the first tenant; a GUID. Default [`DEFAULT_TENANT`].
    pub tenant_id: String,
    /// Certificates to trust, beside the system's, when notifications are posted to a webhook.
    pub webhook_trust: Vec<TrustAnchors>,
    /// Accept `http` callback URIs. Graph never does: a development switch.
    pub allow_http_callbacks: bool,
    /// Refuse a media blob this service cannot read (400) instead of running the call without media.
    pub strict_blob: bool,
    /// Ask for the permission matrix's role when a peer-to-peer call is answered, too. Graph's own pages disagree.
    pub strict_answer: bool,
    /// Refuse to change source or mode of an audio routing group (400); the reference pages disagree whether they can.
    pub strict_routing_groups: bool,
    /// Key that callers from other machines must send as `x-antiphon-admin-key` to use the administration API.
    /// `None`: only this machine may administer.
    pub admin_key: Option<String>,
    /// Sizes and spans that bound the service.
    pub limits: Limits,
    /// The clock of every deadline and token.
    pub clock: Clock,
}

impl Default for EmulatorConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            plain_http_bind: None,
            ca_file: None,
            host_names: Vec::new(),
            media_bind: None,
            advertise_media: None,
            plain_ports: None,
            media_threads: 1,
            tenant_id: DEFAULT_TENANT.to_owned(),
            webhook_trust: Vec::new(),
            allow_http_callbacks: false,
            strict_blob: false,
            strict_answer: false,
            strict_routing_groups: false,
            admin_key: None,
            limits: Limits::default(),
            clock: Clock::default(),
        }
    }
}

/// Extra certificates to trust, as PEM.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TrustAnchors {
    /// A file with one or more certificates.
    PemFile(PathBuf),
    /// The certificates themselves.
    Pem(Vec<u8>),
}

/// Capacities and spans, fixed at start.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest request body in bytes, before and after decompression; larger ones are answered 413. Default 1 MiB.
    pub body_bytes: usize,
    /// TCP connections served at once; further ones wait to be accepted. Default 4,096.
    pub connections: usize,
    /// Time a peer has for its TLS handshake, for the headers and again for the body of each request, and for beginning
    /// to read an answer. Default 10 s.
    pub handshake: Duration,
    /// Notifications waiting per call. When full the oldest roster notification is dropped and counted; call states are
    /// never dropped. Default 256.
    pub queued_notifications: usize,
    /// Time a webhook has to answer one notification. Default 10 s.
    pub webhook_timeout: Duration,
    /// Pauses before the second and each further delivery attempt. Default 1 s, 2 s, 4 s.
    pub webhook_retries: Vec<Duration>,
    /// A call without keepAlive for this long ends with 408/8537. Default 45 minutes.
    pub keep_alive: Duration,
    /// Media that has not connected after this long ends the call with 500/1005. Default 20 s.
    pub media_setup: Duration,
    /// A bot has this long to answer an incoming call. Default 15 s, as Graph.
    pub answer: Duration,
    /// A bot invited to record by policy has this long. Default 5 s, as Graph.
    pub answer_recording: Duration,
    /// A person who is called rings this long, unless the caller says otherwise. Default 60 s.
    pub ringing: Duration,
    /// A guest waits this long in the lobby, then ends with 200/5855. Default 30 minutes.
    pub lobby: Duration,
    /// Participants of one meeting; its memory is set aside when it opens. Default 128.
    pub participants: usize,
    /// Calls in progress per application; the next is answered 429. Default 100, as Graph.
    pub calls_per_app: usize,
    /// Time an access token is valid. Default 1 hour.
    pub token_lifetime: Duration,
    /// Time that notifications still queued have when the emulator stops. Default 2 s.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            connections: 4096,
            handshake: Duration::from_secs(10),
            queued_notifications: 256,
            webhook_timeout: Duration::from_secs(10),
            webhook_retries: [1, 2, 4].map(Duration::from_secs).to_vec(),
            keep_alive: Duration::from_secs(45 * 60),
            media_setup: Duration::from_secs(20),
            answer: Duration::from_secs(15),
            answer_recording: Duration::from_secs(5),
            ringing: Duration::from_secs(60),
            lobby: Duration::from_secs(30 * 60),
            participants: 128,
            calls_per_app: 100,
            token_lifetime: Duration::from_secs(3600),
            shutdown: Duration::from_secs(2),
        }
    }
}
