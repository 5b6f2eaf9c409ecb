//! Session descriptions: what is read from a peer's and what is written into ours.
//!
//! In the flow: control threads parse and write; nothing here touches media or sockets.
//! Invariants: parsing never panics and is linear in the text, which is limited in size; BUNDLE and
//! rtcp-mux always; Opus, G.711, RED and telephone-event only; other sections rejected with port 0.
//! Not here: trickle, renegotiation, video, data channels, `.local` (mDNS) and TCP candidates (skipped).
//! Specs: RFC 8866, 8829 (JSEP), 8843 (BUNDLE), 8839 (ICE), 8122 and 8842 (DTLS), 8285 (extmap), 7587 (Opus), 3551 (G.711).

mod parse;
mod write;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use parse::{MAX_CANDIDATES, MAX_SDP_BYTES, MAX_SECTIONS, SdpError, parse};
pub use write::{LocalDescription, SectionPlan, write};

/// Header extension: level of the packet's own source (RFC 6464).
pub const SSRC_AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// Header extension: levels of the contributing sources (RFC 6465).
pub const CSRC_AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:csrc-audio-level";
/// Header extension: the media section a packet belongs to (RFC 8843 §15).
pub const SDES_MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
/// Our Opus parameters, in every description we write (RFC 7587 §6.1).
pub const OPUS_FMTP: &str = "minptime=10;useinbandfec=1";
/// The events we tell apart: the sixteen digits (RFC 4733 §7.1.1).
pub const EVENTS_FMTP: &str = "0-15";

/// Who sends in a media section, seen from the side that wrote the description (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Both sides send.
    SendRecv,
    /// Only the writer sends.
    SendOnly,
    /// Only the writer receives.
    RecvOnly,
    /// Nobody sends.
    Inactive,
}

impl Direction {
    /// The same agreement seen from the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            same => same,
        }
    }

    /// Whether the writer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the writer receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The attribute's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

/// The DTLS role a description asks for (RFC 8842 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// Either; the answerer chooses. Offers only.
    ActPass,
    /// The writer is the DTLS client.
    Active,
    /// The writer is the DTLS server.
    Passive,
}

impl Setup {
    /// The attribute's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ActPass => "actpass",
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }
}

/// SHA-256 of a DTLS certificate (RFC 8122 §5). Comparison takes the same time wherever they differ.
#[derive(Clone, Copy)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Wraps a digest.
    #[must_use]
    pub const fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// Reads 32 hexadecimal pairs joined by colons, in either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        pairs.next().is_none().then_some(Self(bytes))
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Fingerprint {}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            let colon = if i == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// ICE user name fragment and password (RFC 8839 §5.4). `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// Not secret: it travels in every check.
    pub ufrag: String,
    /// Keys the integrity of every check.
    pub pwd: Zeroizing<String>,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// One UDP candidate of the peer with a literal address (RFC 8839 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCandidate {
    /// Where it listens.
    pub address: SocketAddr,
    /// The attribute's value as it came, without `candidate:` and known to be well-formed.
    pub value: String,
}

/// Header extension ids of one section, as the offerer numbered them; ids 1–14 only (RFC 8285 §4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    /// RFC 6464.
    pub ssrc_audio_level: Option<u8>,
    /// RFC 6465.
    pub csrc_audio_level: Option<u8>,
    /// RFC 8843.
    pub mid: Option<u8>,
}

/// A payload format we can make something of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// `opus/48000/2` (RFC 7587).
    Opus,
    /// `red/48000/2` around Opus (RFC 2198).
    Red,
    /// `PCMU/8000`: G.711 by the mu-law (RFC 3551 §4.5.14).
    Pcmu,
    /// `PCMA/8000`: G.711 by the A-law.
    Pcma,
    /// `telephone-event`: DTMF digits (RFC 4733).
    TelephoneEvent {
        /// Its clock, in ticks per second: 8,000 or 48,000.
        clock: u32,
    },
}

impl Codec {
    /// Whether it carries sound by itself.
    #[must_use]
    pub const fn is_audio(self) -> bool {
        matches!(self, Self::Opus | Self::Pcmu | Self::Pcma)
    }

    /// Ticks of its RTP clock per second.
    #[must_use]
    pub const fn clock(self) -> u32 {
        match self {
            Self::Opus | Self::Red => 48_000,
            Self::Pcmu | Self::Pcma => 8_000,
            Self::TelephoneEvent { clock } => clock,
        }
    }
}

/// One `m=` section of a peer's description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `audio`, `video`, `application`, …
    pub media: String,
    /// Transport protocol, as written.
    pub protocol: String,
    /// Formats, as written.
    pub formats: Vec<String>,
    /// Port 0 and not bundle-only: the peer does not want it.
    pub rejected: bool,
    /// `a=mid`, if any.
    pub mid: Option<String>,
    /// From the peer's point of view.
    pub direction: Direction,
    /// What the section lists that we know, if it is audio: payload type and codec, the peer's favourite first.
    pub codecs: Vec<(u8, Codec)>,
    /// Extension ids.
    pub extensions: ExtensionIds,
    /// The first announced SSRC, if any.
    pub ssrc: Option<u32>,
}

impl Section {
    /// The payload type of this codec, if it is listed.
    #[must_use]
    pub fn payload_type(&self, codec: Codec) -> Option<u8> {
        self.codecs.iter().find(|(_, listed)| *listed == codec).map(|(number, _)| *number)
    }
}

/// A peer's offer or answer, reduced to what this transport uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteDescription {
    /// ICE credentials of the (bundled) transport.
    pub credentials: IceCredentials,
    /// The peer only answers checks (RFC 8445 §2.5).
    pub ice_lite: bool,
    /// The certificate its DTLS side must show.
    pub fingerprint: Fingerprint,
    /// DTLS role.
    pub setup: Setup,
    /// UDP candidates with literal addresses; may be empty (the peer is then learnt from its checks).
    pub candidates: Vec<RemoteCandidate>,
    /// The section `mix` is in a BUNDLE group.
    pub bundle: bool,
    /// All sections, in order.
    pub sections: Vec<Section>,
    /// Index of the section that carries the two-way audio: the first audio section with Opus or G.711.
    pub mix: usize,
    /// Index of the section for unmixed sources, if it is an offer and has one: see [`parse()`].
    pub lanes: Option<usize>,
}
