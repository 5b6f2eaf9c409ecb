//! Reading a peer's session description.
//!
//! In the flow: text from call control → [`RemoteDescription`]. Control threads only.
//! Invariants: any text gives a value or an error, never a panic; linear time; bounded memory.
//! Unknown attributes and sections are skipped, as RFC 8866 §5 asks; only what media needs is required.
//! Not here: matching an answer with our offer (see `peer`).

use std::net::{IpAddr, SocketAddr};

use super::{
    CSRC_AUDIO_LEVEL, Codec, Direction, ExtensionIds, Fingerprint, IceCredentials, RemoteCandidate, RemoteDescription,
    SDES_MID, SSRC_AUDIO_LEVEL, Section, Setup,
};
use zeroize::Zeroizing;

/// The longest description accepted; a browser's with video and data is about 8 KB.
pub const MAX_SDP_BYTES: usize = 64 * 1024;
/// The most `m=` sections accepted.
pub const MAX_SECTIONS: usize = 32;
/// Codecs of a section kept; later ones are ignored. A browser lists about ten.
const MAX_CODECS: usize = 32;
/// Payload types that need no `a=rtpmap` (RFC 3551 §6).
const PCMU: u8 = 0;
const PCMA: u8 = 8;
/// Candidates kept; later ones are ignored.
pub const MAX_CANDIDATES: usize = 24;

/// Why a peer's description was refused. Every variant is the peer's doing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// Longer than [`MAX_SDP_BYTES`].
    #[error("the description is {0} bytes long, the limit is {MAX_SDP_BYTES}")]
    TooLong(usize),
    /// More than [`MAX_SECTIONS`] sections.
    #[error("the description has more than {MAX_SECTIONS} media sections")]
    TooManySections,
    /// Does not start with `v=0`.
    #[error("the description does not start with v=0")]
    NotSdp,
    /// A line that is not `x=value`, or whose value does not parse.
    #[error("line {line} of the description is malformed: {what}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// The line type or attribute.
        what: &'static str,
    },
    /// No audio section is on offer.
    #[error("the description has no accepted audio section")]
    NoAudio,
    /// No audio section lists a codec we have.
    #[error("no audio section of the description lists a codec we have: opus/48000, PCMU/8000 or PCMA/8000")]
    NoCodec,
    /// The section's protocol is not DTLS-SRTP.
    #[error("the audio section's protocol is not RTP over DTLS (UDP/TLS/RTP/SAVPF)")]
    NotDtlsSrtp,
    /// A required attribute is absent.
    #[error("the description lacks a={0}")]
    Missing(&'static str),
    /// An attribute's value is outside what its specification allows.
    #[error("a={0} has a value that is not allowed")]
    BadValue(&'static str),
    /// Fingerprints are given, but none with SHA-256.
    #[error("the description has no sha-256 fingerprint")]
    NoSha256,
}

/// Reads an offer or an answer.
///
/// `mix` is the first audio section with Opus or G.711. `lanes`, which has a meaning in offers only, is the first later
/// audio section with Opus and the mid extension that lies in the same bundle and is `recvonly`: the answerer
/// may send any number of sources there, told apart by SSRC. Sections of an answer go by their place.
///
/// # Errors
/// [`SdpError`] names what is wrong.
pub fn parse(text: &str) -> Result<RemoteDescription, SdpError> {
    if text.len() > MAX_SDP_BYTES {
        return Err(SdpError::TooLong(text.len()));
    }
    let mut raw = RawDescription::read(text)?;
    raw.sections.iter_mut().for_each(RawSection::sort_out_codecs);
    let mix = raw.find_mix()?;
    let lanes = raw.find_lanes(mix);
    let transport = raw.transport(mix);
    let section = &raw.sections[mix];
    if !section.parsed.protocol.to_ascii_uppercase().contains("TLS/RTP/SAVP") {
        return Err(SdpError::NotDtlsSrtp);
    }
    if !transport.has("rtcp-mux") {
        return Err(SdpError::Missing("rtcp-mux"));
    }
    Ok(RemoteDescription {
        credentials: transport.credentials()?,
        ice_lite: raw.session.iter().any(|a| a.key == "ice-lite"),
        fingerprint: transport.fingerprint()?,
        setup: transport.setup()?,
        candidates: transport.candidates(),
        bundle: raw.is_bundled(mix),
        sections: raw.sections.into_iter().map(|s| s.parsed).collect(),
        mix,
        lanes,
    })
}

struct Attribute<'a> {
    key: &'a str,
    value: &'a str,
}

struct RawSection<'a> {
    parsed: Section,
    bundle_only: bool,
    attributes: Vec<Attribute<'a>>,
    /// Payload type and encoding name of each `a=rtpmap`.
    maps: Vec<(u8, &'a str)>,
}

#[derive(Default)]
struct RawDescription<'a> {
    session: Vec<Attribute<'a>>,
    sections: Vec<RawSection<'a>>,
    /// The mids of the first BUNDLE group.
    bundle: Vec<&'a str>,
    /// What sections start from (RFC 8866 §6.7).
    direction: Option<Direction>,
}

impl<'a> RawDescription<'a> {
    fn read(text: &'a str) -> Result<Self, SdpError> {
        let mut raw = Self::default();
        let mut first = true;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() {
                continue;
            }
            let malformed = |what| SdpError::Malformed { line: index + 1, what };
            let (kind, value) = line.split_once('=').ok_or(malformed("no '='"))?;
            if first && (kind, value) != ("v", "0") {
                return Err(SdpError::NotSdp);
            }
            first = false;
            match kind {
                "m" => raw.open_section(value, malformed("m="))?,
                "a" => raw.attribute(value, index + 1)?,
                _ if kind.len() == 1 => {}
                _ => return Err(malformed("a line starts with one letter")),
            }
        }
        if first { Err(SdpError::NotSdp) } else { Ok(raw) }
    }

    fn open_section(&mut self, value: &'a str, malformed: SdpError) -> Result<(), SdpError> {
        if self.sections.len() == MAX_SECTIONS {
            return Err(SdpError::TooManySections);
        }
        let mut words = value.split_ascii_whitespace();
        let (Some(media), Some(port), Some(protocol)) = (words.next(), words.next(), words.next()) else {
            return Err(malformed);
        };
        let Some(port) = port.split('/').next().and_then(|p| p.parse::<u16>().ok()) else { return Err(malformed) };
        self.sections.push(RawSection {
            parsed: Section {
                media: media.to_owned(),
                protocol: protocol.to_owned(),
                formats: words.map(str::to_owned).collect(),
                rejected: port == 0,
                mid: None,
                direction: self.direction.unwrap_or(Direction::SendRecv),
                codecs: Vec::new(),
                extensions: ExtensionIds::default(),
                ssrc: None,
            },
            bundle_only: false,
            attributes: Vec::new(),
            maps: Vec::new(),
        });
        Ok(())
    }

    fn attribute(&mut self, text: &'a str, line: usize) -> Result<(), SdpError> {
        let (key, value) = text.split_once(':').unwrap_or((text, ""));
        let attribute = Attribute { key, value: value.trim() };
        let Some(section) = self.sections.last_mut() else {
            if key == "group"
                && self.bundle.is_empty()
                && let Some(mids) = value.strip_prefix("BUNDLE")
            {
                self.bundle = mids.split_ascii_whitespace().take(MAX_SECTIONS).collect();
            }
            self.direction = direction(key).or(self.direction);
            self.session.push(attribute);
            return Ok(());
        };
        section.read(&attribute, line)?;
        section.attributes.push(attribute);
        Ok(())
    }

    fn find_mix(&self) -> Result<usize, SdpError> {
        let mut any_audio = false;
        for (index, section) in self.sections.iter().enumerate() {
            if section.parsed.media == "audio" && !section.parsed.rejected {
                any_audio = true;
                if section.parsed.codecs.iter().any(|(_, codec)| codec.is_audio()) {
                    return Ok(index);
                }
            }
        }
        Err(if any_audio { SdpError::NoCodec } else { SdpError::NoAudio })
    }

    fn find_lanes(&self, mix: usize) -> Option<usize> {
        self.bundle_mates(mix).filter(|&i| i > mix).find(|&i| {
            let s = &self.sections[i].parsed;
            let receives_only = s.direction == Direction::RecvOnly;
            let has_opus = s.payload_type(Codec::Opus).is_some();
            s.media == "audio" && !s.rejected && has_opus && s.extensions.mid.is_some() && receives_only
        })
    }

    /// The sections in one bundle with `index`, itself first, then the tagged section, then the others.
    fn bundle_mates(&self, index: usize) -> impl Iterator<Item = usize> {
        let bundled = self.is_bundled(index);
        let mates = (0..self.sections.len()).filter(move |&i| i != index && bundled && self.is_bundled(i));
        std::iter::once(index).chain(mates)
    }

    fn is_bundled(&self, index: usize) -> bool {
        self.sections[index].parsed.mid.as_deref().is_some_and(|mid| self.bundle.contains(&mid))
    }

    /// Transport attributes stand in any section of a bundle or at session level (RFC 8843 §9.2).
    fn transport(&self, mix: usize) -> Transport<'_, 'a> {
        let mates = self.bundle_mates(mix).map(|i| self.sections[i].attributes.as_slice());
        Transport { levels: mates.chain(std::iter::once(self.session.as_slice())).collect() }
    }
}

impl<'a> RawSection<'a> {
    fn read(&mut self, attribute: &Attribute<'a>, line: usize) -> Result<(), SdpError> {
        let malformed = |what| SdpError::Malformed { line, what };
        let (section, value) = (&mut self.parsed, attribute.value);
        section.direction = direction(attribute.key).unwrap_or(section.direction);
        match attribute.key {
            "mid" if is_token(value) && value.len() <= 32 => section.mid = Some(value.to_owned()),
            "mid" => return Err(malformed("a=mid")),
            "bundle-only" => {
                self.bundle_only = true;
                section.rejected = false;
            }
            "rtpmap" if section.media == "audio" && self.maps.len() < MAX_CODECS => {
                let (payload_type, name) = value.split_once(' ').ok_or(malformed("a=rtpmap"))?;
                let name = name.trim_start();
                if let Some(codec) = codec(name) {
                    let number = payload_type.parse().ok().filter(|number| may_be(*number, codec));
                    if number.is_none() && codec == Codec::Opus {
                        return Err(malformed("a=rtpmap"));
                    }
                    self.maps.extend(number.map(|number| (number, name)));
                }
            }
            "extmap" => section.extensions.note(value),
            "ssrc" if section.ssrc.is_none() => {
                let number = value.split_ascii_whitespace().next().and_then(|v| v.parse().ok());
                section.ssrc = Some(number.ok_or(malformed("a=ssrc"))?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Finds what the section's formats are, once all of it is read: in their order, each codec once.
    fn sort_out_codecs(&mut self) {
        if self.parsed.media != "audio" {
            return;
        }
        let mut found: Vec<(u8, Codec)> = Vec::new();
        for number in self.parsed.formats.iter().filter_map(|format| format.parse::<u8>().ok()).take(MAX_CODECS) {
            let mapped = self.maps.iter().find(|(mapped, _)| *mapped == number).and_then(|(_, name)| codec(name));
            let codec = match (mapped, number) {
                (Some(codec), _) => codec,
                (None, PCMU) if !self.is_mapped(number) => Codec::Pcmu,
                (None, PCMA) if !self.is_mapped(number) => Codec::Pcma,
                (None, _) => continue,
            };
            if !found.iter().any(|(_, known)| *known == codec) {
                found.push((number, codec));
            }
        }
        // RED is of use only around our Opus: its parameters name what it repeats (RFC 2198 §4).
        let opus = found.iter().find(|(_, codec)| *codec == Codec::Opus).map(|(number, _)| *number);
        let around_opus = |red: u8| opus.is_some_and(|opus| self.repeats(red, opus));
        found.retain(|(number, codec)| *codec != Codec::Red || around_opus(*number));
        self.parsed.codecs = found;
    }

    /// Whether an `a=rtpmap` names this number, even something that we do not have.
    fn is_mapped(&self, number: u8) -> bool {
        let mut maps = self.attributes.iter().filter(|a| a.key == "rtpmap").filter_map(|a| a.value.split_once(' '));
        maps.any(|(mapped, _)| mapped.parse() == Ok(number))
    }

    /// Whether `a=fmtp` of the payload type `red` says that it holds `inner` and nothing else.
    fn repeats(&self, red: u8, inner: u8) -> bool {
        let fmtps = self.attributes.iter().filter(|a| a.key == "fmtp").filter_map(|a| a.value.split_once(' '));
        let mut of_red = fmtps.filter(|(number, _)| number.parse() == Ok(red)).map(|(_, inner)| inner.trim());
        of_red.next().is_some_and(|list| list.split('/').all(|number| number.parse() == Ok(inner)))
    }
}

/// The codec of an encoding name with clock and channels (RFC 8866 §6.6; names are compared without case). Opus has two
/// whatever it carries (RFC 7587 §7) and is not held to them; all else is mono.
fn codec(name: &str) -> Option<Codec> {
    let name = name.to_ascii_lowercase();
    let (codec, channels) = match name.match_indices('/').nth(1) {
        Some((at, _)) => (&name[..at], &name[at + 1..]),
        None => (&name[..], "1"),
    };
    Some(match codec {
        "opus/48000" => Codec::Opus,
        "red/48000" => Codec::Red,
        _ if channels != "1" => return None,
        "pcmu/8000" => Codec::Pcmu,
        "pcma/8000" => Codec::Pcma,
        "telephone-event/8000" => Codec::TelephoneEvent { clock: 8_000 },
        "telephone-event/48000" => Codec::TelephoneEvent { clock: 48_000 },
        _ => return None,
    })
}

/// Whether a codec may have this payload type.
const fn may_be(number: u8, codec: Codec) -> bool {
    let is_static = matches!((number, codec), (PCMU, Codec::Pcmu) | (PCMA, Codec::Pcma));
    is_static || is_dynamic_payload_type(number)
}

fn direction(key: &str) -> Option<Direction> {
    let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    all.into_iter().find(|d| d.as_str() == key)
}

/// Dynamic numbers, less those that RTCP would shadow on one port (RFC 5761 §4).
const fn is_dynamic_payload_type(number: u8) -> bool {
    matches!(number, 35..=63 | 96..=127)
}

impl ExtensionIds {
    fn note(&mut self, value: &str) {
        let mut words = value.split_ascii_whitespace();
        let id = words.next().and_then(|w| w.split('/').next()?.parse::<u8>().ok()).filter(|id| (1..15).contains(id));
        let slot = match words.next() {
            Some(SSRC_AUDIO_LEVEL) => &mut self.ssrc_audio_level,
            Some(CSRC_AUDIO_LEVEL) => &mut self.csrc_audio_level,
            Some(SDES_MID) => &mut self.mid,
            _ => return,
        };
        *slot = slot.or(id);
    }
}

/// The attribute lists that may hold the transport's parameters, nearest first.
struct Transport<'r, 'a> {
    levels: Vec<&'r [Attribute<'a>]>,
}

impl<'a> Transport<'_, 'a> {
    fn all(&self, key: &'static str) -> impl Iterator<Item = &'a str> {
        self.levels.iter().flat_map(|level| level.iter()).filter(move |a| a.key == key).map(|a| a.value)
    }

    fn has(&self, key: &'static str) -> bool {
        self.all(key).next().is_some()
    }

    fn credentials(&self) -> Result<IceCredentials, SdpError> {
        let one = |key, least: usize| {
            let value = self.all(key).next().ok_or(SdpError::Missing(key))?;
            let fits = (least..=256).contains(&value.len()) && value.bytes().all(is_ice_char);
            if fits { Ok(value.to_owned()) } else { Err(SdpError::BadValue(key)) }
        };
        Ok(IceCredentials { ufrag: one("ice-ufrag", 4)?, pwd: Zeroizing::new(one("ice-pwd", 22)?) })
    }

    fn fingerprint(&self) -> Result<Fingerprint, SdpError> {
        let mut any = false;
        for value in self.all("fingerprint") {
            any = true;
            if let Some((hash, digest)) = value.split_once(' ')
                && hash.eq_ignore_ascii_case("sha-256")
            {
                return Fingerprint::parse(digest.trim()).ok_or(SdpError::BadValue("fingerprint"));
            }
        }
        Err(if any { SdpError::NoSha256 } else { SdpError::Missing("fingerprint") })
    }

    fn setup(&self) -> Result<Setup, SdpError> {
        match self.all("setup").next() {
            Some("actpass") => Ok(Setup::ActPass),
            Some("active") => Ok(Setup::Active),
            Some("passive") => Ok(Setup::Passive),
            Some(_) => Err(SdpError::BadValue("setup")),
            None => Err(SdpError::Missing("setup")),
        }
    }

    fn candidates(&self) -> Vec<RemoteCandidate> {
        let mut found: Vec<RemoteCandidate> = Vec::new();
        for candidate in self.all("candidate").filter_map(candidate) {
            if found.len() < MAX_CANDIDATES && !found.iter().any(|c| c.address == candidate.address) {
                found.push(candidate);
            }
        }
        found
    }
}

/// `foundation component transport priority address port "typ" type …`; `None` for what we cannot reach.
fn candidate(value: &str) -> Option<RemoteCandidate> {
    let words: Vec<&str> = value.split_ascii_whitespace().take(8).collect();
    let &[foundation, component, transport, priority, address, port, "typ", kind] = words.as_slice() else {
        return None;
    };
    let known_kind = matches!(kind, "host" | "srflx" | "prflx" | "relay");
    let in_order = is_token(foundation) && foundation.len() <= 32 && priority.parse::<u32>().is_ok();
    if component != "1" || !transport.eq_ignore_ascii_case("udp") || !known_kind || !in_order {
        return None;
    }
    let address: IpAddr = address.parse().ok()?; // `.local` and other names end here
    let port: u16 = port.parse().ok().filter(|p| *p != 0)?;
    let unusable = address.is_unspecified() || address.is_multicast();
    (!unusable).then(|| RemoteCandidate { address: SocketAddr::new(address, port), value: value.to_owned() })
}

const fn is_ice_char(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'+' || b == b'/'
}

/// RFC 8866 §9 `token`.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&b))
}
