//! Which sections are offered, which are accepted, and what that means for packets.
//!
//! In the flow: between `sdp` (text) and `peer` (protocols). Pure.
//! Invariants: the offerer numbers payload types and extension ids; `mix` is the first audio section,
//! `lanes` at most one beside it where only the answerer sends, everything else is rejected.
//! Specs: RFC 3264, RFC 8829 §5.3, RFC 8843.

use antiphon_rtp::{PayloadType, Ssrc};

use crate::net::leg::AnswerError;
use crate::sdp::{Direction, ExtensionIds, RemoteDescription, Section, SectionPlan};

/// What we number things when we offer.
const OUR_OPUS: u8 = 111;
const OUR_EXTENSIONS: ExtensionIds =
    ExtensionIds { ssrc_audio_level: Some(1), csrc_audio_level: Some(2), mid: Some(3) };
/// The mids of our offer.
const MIX_MID: &str = "mix";
const LANES_MID: &str = "lanes";

/// One agreed audio section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneParams {
    /// Its mid, which packets carry in the mid extension; empty if the peer gave none.
    pub mid: String,
    /// Of Opus, in both directions.
    pub payload_type: PayloadType,
    /// Ours, 32 random bits; who brings more SSRCs must see to it that they differ (RFC 3550 §8). On `mix` it
    /// is announced if we send, and RTCP speaks under it; on `lanes` it is announced to nobody, free for use.
    pub ssrc: Ssrc,
    /// Extension id for the packet's own level (RFC 6464).
    pub level_ext: Option<u8>,
    /// Extension id for the CSRCs' levels (RFC 6465).
    pub csrc_level_ext: Option<u8>,
    /// Extension id for the mid (RFC 8843 §15).
    pub mid_ext: Option<u8>,
    /// From our point of view.
    pub direction: Direction,
}

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The main audio section: two-way, unless the peer's description says less ([`LaneParams::direction`]).
    pub mix: LaneParams,
    /// The section for unmixed sources, if both sides have it.
    pub lanes: Option<LaneParams>,
}

/// The SSRCs we bring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OurSsrcs {
    pub(crate) mix: Ssrc,
    pub(crate) lanes: Ssrc,
}

impl LaneParams {
    fn new(mid: Option<&str>, opus: u8, ssrc: Ssrc, ids: ExtensionIds, direction: Direction) -> Self {
        Self {
            mid: mid.unwrap_or_default().to_owned(),
            payload_type: PayloadType::new(opus).expect("invariant: the parser admits dynamic payload types only"),
            ssrc,
            level_ext: ids.ssrc_audio_level,
            csrc_level_ext: ids.csrc_audio_level,
            mid_ext: ids.mid,
            direction,
        }
    }
}

/// The sections of our offer.
pub(crate) fn offer_sections(lanes: bool, ssrcs: OurSsrcs) -> Vec<SectionPlan<'static>> {
    let section = |mid, direction, extensions, ssrc| SectionPlan::Audio {
        mid: Some(mid),
        direction,
        payload_type: OUR_OPUS,
        extensions,
        ssrc,
    };
    let mut sections = vec![section(MIX_MID, Direction::SendRecv, OUR_EXTENSIONS, Some(ssrcs.mix.as_u32()))];
    if lanes {
        let extensions = ExtensionIds { csrc_audio_level: None, ..OUR_EXTENSIONS };
        sections.push(section(LANES_MID, Direction::RecvOnly, extensions, None));
    }
    sections
}

/// Answers an offer: its sections mirrored, and what was agreed thereby.
pub(crate) fn answer_sections(offer: &RemoteDescription, ssrcs: OurSsrcs) -> (Vec<SectionPlan<'_>>, Negotiated) {
    let params = |index: usize, ssrc| {
        let theirs = &offer.sections[index];
        let opus = theirs.opus.expect("invariant: the parser only picks sections with Opus");
        LaneParams::new(theirs.mid.as_deref(), opus, ssrc, theirs.extensions, theirs.direction.reversed())
    };
    let mix = params(offer.mix, ssrcs.mix);
    let lanes = offer.lanes.map(|index| params(index, ssrcs.lanes));
    let plan = |(index, theirs)| plan_section(index, theirs, offer, ssrcs);
    let sections = offer.sections.iter().enumerate().map(plan).collect();
    (sections, Negotiated { mix, lanes })
}

fn plan_section<'a>(index: usize, theirs: &'a Section, offer: &RemoteDescription, ssrcs: OurSsrcs) -> SectionPlan<'a> {
    let is_mix = index == offer.mix;
    match theirs.opus {
        Some(payload_type) if is_mix || Some(index) == offer.lanes => SectionPlan::Audio {
            mid: theirs.mid.as_deref(),
            direction: theirs.direction.reversed(),
            payload_type,
            extensions: theirs.extensions,
            ssrc: is_mix.then_some(ssrcs.mix.as_u32()),
        },
        _ => SectionPlan::Rejected(theirs),
    }
}

/// Matches an answer with [`offer_sections`].
pub(crate) fn match_answer(
    answer: &RemoteDescription,
    lanes: bool,
    ssrcs: OurSsrcs,
) -> Result<Negotiated, AnswerError> {
    if answer.sections.len() != 1 + usize::from(lanes) {
        return Err(AnswerError::Mismatch("it has another number of media sections"));
    }
    if answer.mix != 0 {
        return Err(AnswerError::Mismatch("it rejects the two-way audio section"));
    }
    let mix = match_section(&answer.sections[0], MIX_MID, ssrcs.mix)?;
    let lanes = answer.sections.get(1).filter(|s| !s.rejected);
    let lanes = lanes.map(|section| match_section(section, LANES_MID, ssrcs.lanes)).transpose()?;
    if lanes.as_ref().is_some_and(|lanes| lanes.direction.sends()) {
        return Err(AnswerError::Mismatch("it wants to receive where only it may send"));
    }
    Ok(Negotiated { mix, lanes })
}

fn match_section(theirs: &Section, mid: &'static str, ssrc: Ssrc) -> Result<LaneParams, AnswerError> {
    if theirs.media != "audio" || theirs.mid.as_deref().is_some_and(|m| m != mid) {
        return Err(AnswerError::Mismatch("its media sections are not those of the offer"));
    }
    if theirs.opus != Some(OUR_OPUS) {
        return Err(AnswerError::Mismatch("it changes the payload type of Opus"));
    }
    // Ids may be dropped by an answer but not renumbered (RFC 8285 §6).
    let (theirs_ids, ours) = (theirs.extensions, OUR_EXTENSIONS);
    let kept = |theirs: Option<u8>, ours: Option<u8>| theirs.filter(|id| Some(*id) == ours);
    let ids = ExtensionIds {
        ssrc_audio_level: kept(theirs_ids.ssrc_audio_level, ours.ssrc_audio_level),
        csrc_audio_level: kept(theirs_ids.csrc_audio_level, ours.csrc_audio_level),
        mid: kept(theirs_ids.mid, ours.mid),
    };
    Ok(LaneParams::new(Some(mid), OUR_OPUS, ssrc, ids, theirs.direction.reversed()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::{self, Fingerprint, IceCredentials, LocalDescription, Setup};

    const SSRCS: OurSsrcs = OurSsrcs { mix: Ssrc::new(7001), lanes: Ssrc::new(7002) };
    const DIRECTIONS: [Direction; 4] =
        [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];

    fn text(sections: &[SectionPlan<'_>]) -> String {
        let credentials = IceCredentials { ufrag: "abcd".into(), pwd: "0123456789012345678901".to_owned().into() };
        let local = LocalDescription {
            session_id: 7,
            credentials: &credentials,
            bundle: true,
            ice_lite: false,
            fingerprint: Fingerprint::new([7; 32]),
            setup: Setup::Active,
            candidates: &[],
            cname: "us",
        };
        sdp::write(&local, sections)
    }

    /// Our offer as if it had these directions.
    fn offer(mix: Direction, lanes: Direction) -> RemoteDescription {
        let ours = text(&offer_sections(true, OurSsrcs { mix: Ssrc::new(1), lanes: Ssrc::new(2) }));
        let changed = ours.replace("a=sendrecv", &format!("a={}", mix.as_str()));
        // The first section comes first, so its new direction is not met again if it is the second's old one.
        let second = changed.rfind("a=recvonly").unwrap();
        let changed = format!("{}a={}{}", &changed[..second], lanes.as_str(), &changed[second + 10..]);
        sdp::parse(&changed).unwrap()
    }

    #[test]
    fn an_offers_direction_is_answered_from_our_side_and_an_ssrc_is_announced_only_to_send() {
        let cases = [
            (Direction::SendRecv, Direction::SendRecv, true),
            (Direction::SendOnly, Direction::RecvOnly, false),
            (Direction::RecvOnly, Direction::SendOnly, true),
            (Direction::Inactive, Direction::Inactive, false),
        ];
        for (theirs, ours, announced) in cases {
            let offer = offer(theirs, Direction::RecvOnly);
            let (sections, negotiated) = answer_sections(&offer, SSRCS);
            assert_eq!(negotiated.mix.direction, ours);
            let answer = text(&sections[..1]);
            assert!(answer.contains(&format!("\r\na={}\r\n", ours.as_str())), "{answer}");
            assert_eq!(answer.contains("a=ssrc:7001 "), announced, "{answer}");
            assert_eq!(answer.contains("a=ssrc"), announced, "{answer}");
        }
    }

    #[test]
    fn lanes_are_taken_only_if_the_offerer_only_receives_there() {
        for lanes in DIRECTIONS {
            let offer = offer(Direction::SendRecv, lanes);
            let (sections, negotiated) = answer_sections(&offer, SSRCS);
            let answer = text(&sections);
            if lanes == Direction::RecvOnly {
                assert_eq!(negotiated.lanes.unwrap().direction, Direction::SendOnly);
                assert_eq!(answer.matches("m=audio 9 ").count(), 2, "{answer}");
            } else {
                assert_eq!(negotiated.lanes, None, "{lanes:?}");
                assert_eq!((answer.matches("m=audio 9 ").count(), answer.matches("m=audio 0 ").count()), (1, 1));
                assert!(answer.contains("BUNDLE mix\r\n"), "{answer}");
            }
        }
    }

    #[test]
    fn an_answers_directions_are_read_from_our_side_and_lanes_cannot_be_turned_round() {
        for direction in DIRECTIONS {
            let negotiated = match_answer(&offer(direction, Direction::SendOnly), true, SSRCS).unwrap();
            assert_eq!(negotiated.mix.direction, direction.reversed());
            assert_eq!(negotiated.lanes.unwrap().direction, Direction::RecvOnly);
            let turned = match_answer(&offer(Direction::SendRecv, direction), true, SSRCS);
            assert_eq!(turned.is_err(), direction.receives(), "{direction:?}");
        }
    }
}
