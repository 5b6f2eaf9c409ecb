//! Writing our session description, offer or answer.
//!
//! In the flow: [`LocalDescription`] → text for call control. Control threads only.
//! Invariants: one bundle, rtcp-mux, all candidates in place, the peer's payload types and extension ids
//! where it is an answer; rejected sections keep the peer's protocol and formats (RFC 3264 §6).
//! Not here: deciding what to accept (see `peer`).

use std::fmt::{self, Write as _};
use std::net::SocketAddr;

use super::{
    CSRC_AUDIO_LEVEL, Codec, Direction, EVENTS_FMTP, ExtensionIds, Fingerprint, IceCredentials, OPUS_FMTP, SDES_MID,
    SSRC_AUDIO_LEVEL, Section, Setup,
};

/// What stands in all our sections.
#[derive(Clone, Copy, Debug)]
pub struct LocalDescription<'a> {
    /// Random, so that two sessions differ (RFC 8866 §5.2).
    pub session_id: u64,
    /// Our ICE credentials.
    pub credentials: &'a IceCredentials,
    /// Group our sections into one BUNDLE; an answer does so only if the offer did.
    pub bundle: bool,
    /// We answer checks but make none.
    pub ice_lite: bool,
    /// Our certificate's.
    pub fingerprint: Fingerprint,
    /// Our DTLS role.
    pub setup: Setup,
    /// Where we can be reached, best first.
    pub candidates: &'a [SocketAddr],
    /// Our canonical name, for `a=ssrc` and `a=msid`.
    pub cname: &'a str,
}

/// One of our `m=` sections.
#[derive(Clone, Copy, Debug)]
pub enum SectionPlan<'a> {
    /// A section we take.
    Audio {
        /// `a=mid`; `None` only when answering an offer without mids.
        mid: Option<&'a str>,
        /// From our point of view.
        direction: Direction,
        /// Payload types and codecs, the favourite first.
        codecs: &'a [(u8, Codec)],
        /// Extension ids.
        extensions: ExtensionIds,
        /// Announced if given and we send.
        ssrc: Option<u32>,
    },
    /// A section of the peer's that we do not take.
    Rejected(&'a Section),
}

/// Writes the description.
#[must_use]
pub fn write(local: &LocalDescription<'_>, sections: &[SectionPlan<'_>]) -> String {
    let mut text = String::with_capacity(2048);
    write_all(&mut text, local, sections).expect("invariant: writing to a String cannot fail");
    text
}

fn write_all(out: &mut String, local: &LocalDescription<'_>, sections: &[SectionPlan<'_>]) -> fmt::Result {
    let id = local.session_id >> 1; // a positive signed 64-bit number
    write!(out, "v=0\r\no=- {id} 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n")?;
    if local.ice_lite {
        out.push_str("a=ice-lite\r\n");
    }
    let mids = sections.iter().filter_map(|s| match s {
        SectionPlan::Audio { mid, .. } => *mid,
        SectionPlan::Rejected(_) => None,
    });
    let mut group = String::new();
    for mid in mids {
        write!(group, " {mid}")?;
    }
    if local.bundle && !group.is_empty() {
        write!(out, "a=group:BUNDLE{group}\r\n")?;
    }
    out.push_str("a=msid-semantic: WMS *\r\n");
    for section in sections {
        match section {
            SectionPlan::Audio { mid, direction, codecs, extensions, ssrc } => {
                write_transport(out, local, codecs)?;
                write_audio(out, local, *mid, *direction, codecs, *extensions, *ssrc)?;
            }
            SectionPlan::Rejected(theirs) => write_rejected(out, theirs)?,
        }
    }
    Ok(())
}

fn write_transport(out: &mut String, local: &LocalDescription<'_>, codecs: &[(u8, Codec)]) -> fmt::Result {
    let (port, family, address) = match local.candidates.first() {
        Some(SocketAddr::V4(a)) => (a.port(), "IP4", a.ip().to_string()),
        Some(SocketAddr::V6(a)) => (a.port(), "IP6", a.ip().to_string()),
        None => (9, "IP4", "0.0.0.0".to_owned()),
    };
    write!(out, "m=audio {port} UDP/TLS/RTP/SAVPF")?;
    for (number, _) in codecs {
        write!(out, " {number}")?;
    }
    write!(out, "\r\nc=IN {family} {address}\r\n")?;
    write!(out, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", local.credentials.ufrag, local.credentials.pwd.as_str())?;
    write!(out, "a=fingerprint:sha-256 {}\r\na=setup:{}\r\n", local.fingerprint, local.setup.as_str())?;
    out.push_str("a=rtcp-mux\r\n");
    for (index, candidate) in local.candidates.iter().enumerate() {
        // RFC 8445 §5.1.2.1: type preference 126 (host), then order of preference, component 1.
        let preference = 65_535_u32.saturating_sub(u32::try_from(index).unwrap_or(u32::MAX));
        let priority = (126 << 24) | (preference << 8) | 255;
        let (ip, port, foundation) = (candidate.ip(), candidate.port(), index + 1);
        write!(out, "a=candidate:{foundation} 1 udp {priority} {ip} {port} typ host\r\n")?;
    }
    out.push_str("a=end-of-candidates\r\n");
    Ok(())
}

fn write_audio(
    out: &mut String,
    local: &LocalDescription<'_>,
    mid: Option<&str>,
    direction: Direction,
    codecs: &[(u8, Codec)],
    extensions: ExtensionIds,
    ssrc: Option<u32>,
) -> fmt::Result {
    if let Some(mid) = mid {
        write!(out, "a=mid:{mid}\r\n")?;
    }
    let opus = codecs.iter().find(|(_, codec)| *codec == Codec::Opus).map(|(number, _)| *number);
    for &(number, codec) in codecs {
        match codec {
            Codec::Opus => write!(out, "a=rtpmap:{number} opus/48000/2\r\na=fmtp:{number} {OPUS_FMTP}\r\n")?,
            Codec::Red => {
                write!(out, "a=rtpmap:{number} red/48000/2\r\n")?;
                if let Some(opus) = opus {
                    write!(out, "a=fmtp:{number} {opus}/{opus}\r\n")?;
                }
            }
            Codec::Pcmu => write!(out, "a=rtpmap:{number} PCMU/8000\r\n")?,
            Codec::Pcma => write!(out, "a=rtpmap:{number} PCMA/8000\r\n")?,
            Codec::TelephoneEvent { clock } => {
                write!(out, "a=rtpmap:{number} telephone-event/{clock}\r\na=fmtp:{number} {EVENTS_FMTP}\r\n")?;
            }
        }
    }
    let ids = [
        (extensions.ssrc_audio_level, SSRC_AUDIO_LEVEL),
        (extensions.csrc_audio_level, CSRC_AUDIO_LEVEL),
        (extensions.mid, SDES_MID),
    ];
    for (id, uri) in ids {
        if let Some(id) = id {
            write!(out, "a=extmap:{id} {uri}\r\n")?;
        }
    }
    write!(out, "a={}\r\n", direction.as_str())?;
    if let Some(ssrc) = ssrc
        && direction.sends()
    {
        let (cname, track) = (local.cname, mid.unwrap_or("audio"));
        write!(out, "a=msid:{cname} {track}\r\na=ssrc:{ssrc} cname:{cname}\r\n")?;
    }
    Ok(())
}

fn write_rejected(out: &mut String, theirs: &Section) -> fmt::Result {
    write!(out, "m={} 0 {}", theirs.media, theirs.protocol)?;
    for format in &theirs.formats {
        write!(out, " {format}")?;
    }
    out.push_str("\r\nc=IN IP4 0.0.0.0\r\n");
    if let Some(mid) = &theirs.mid {
        write!(out, "a=mid:{mid}\r\n")?;
    }
    out.push_str("a=inactive\r\n");
    Ok(())
}
