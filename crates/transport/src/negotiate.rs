//! Which sections are offered, which are accepted, and what that means for packets.
//!
//! In the flow: between `sdp` (text) and `peer` (protocols). Pure.
//! Invariants: the offerer numbers payload types and extension ids; `mix` is the one two-way audio
//! section, `lanes` at most one one-way section beside it, everything else is rejected.
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
    /// Ours. On `mix` it is announced and RTCP reports on it; on `lanes` it is only a random number that
    /// collides with nothing, free for use.
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
    /// The two-way audio section.
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
