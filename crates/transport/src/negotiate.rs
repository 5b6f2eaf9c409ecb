//! Which sections are offered, which are accepted, and what that means for packets.
//!
//! In the flow: between `sdp` (text) and `peer` (protocols). Pure.
//! Invariants: the offerer numbers payload types and extension ids; `mix` is the first audio section,
//! `lanes` at most one beside it where only the answerer sends, everything else is rejected.
//! Specs: RFC 3264, RFC 8829 §5.3, RFC 8843.

use antiphon_rtp::{PayloadType, Ssrc};

use crate::net::leg::AnswerError;
use crate::sdp::{Codec, Direction, ExtensionIds, RemoteDescription, Section, SectionPlan};

/// What we number things when we offer, our favourite first.
const OUR_CODECS: &[(u8, Codec)] = &[
    (111, Codec::Opus),
    (63, Codec::Red),
    (0, Codec::Pcmu),
    (8, Codec::Pcma),
    (110, Codec::TelephoneEvent { clock: 48_000 }),
    (126, Codec::TelephoneEvent { clock: 8_000 }),
];
/// On lanes frames come as their sources code them.
const OUR_LANE_CODECS: &[(u8, Codec)] = &[(111, Codec::Opus), (0, Codec::Pcmu), (8, Codec::Pcma)];
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
    /// What we send: Opus, or G.711 where the peer lists no Opus. On `lanes` the codec it always has.
    pub codec: Codec,
    /// Of that codec, in both directions.
    pub payload_type: PayloadType,
    /// All that was agreed, that codec among it: what may come in, and what we may send.
    pub payloads: Vec<(PayloadType, Codec)>,
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
    /// The payload type agreed on for this codec, if it was.
    #[must_use]
    pub fn payload_type_of(&self, codec: Codec) -> Option<PayloadType> {
        self.payloads.iter().find(|(_, agreed)| *agreed == codec).map(|(number, _)| *number)
    }

    /// The payload type of digits on the clock of our audio (RFC 4733 §2.1), if agreed.
    #[must_use]
    pub fn tones(&self) -> Option<PayloadType> {
        self.payload_type_of(Codec::TelephoneEvent { clock: self.codec.clock() })
    }

    /// `None` if none of `codecs` carries audio.
    fn new(
        mid: Option<&str>,
        codecs: &[(u8, Codec)],
        ssrc: Ssrc,
        ids: ExtensionIds,
        direction: Direction,
    ) -> Option<Self> {
        let number = |number| PayloadType::new(number).expect("invariant: the parser admits seven bits only");
        // Opus wherever it stands, in answers too: their order is a wish (RFC 3264 §7).
        let opus = codecs.iter().find(|(_, codec)| *codec == Codec::Opus);
        let &(payload_type, codec) = opus.or_else(|| codecs.iter().find(|(_, codec)| codec.is_audio()))?;
        Some(Self {
            mid: mid.unwrap_or_default().to_owned(),
            codec,
            payload_type: number(payload_type),
            payloads: codecs.iter().map(|(raw, codec)| (number(*raw), *codec)).collect(),
            ssrc,
            level_ext: ids.ssrc_audio_level,
            csrc_level_ext: ids.csrc_audio_level,
            mid_ext: ids.mid,
            direction,
        })
    }
}

/// The sections of our offer.
pub(crate) fn offer_sections(lanes: bool, ssrcs: OurSsrcs) -> Vec<SectionPlan<'static>> {
    let section = |mid, direction, codecs, extensions, ssrc| SectionPlan::Audio {
        mid: Some(mid),
        direction,
        codecs,
        extensions,
        ssrc,
    };
    let mut sections =
        vec![section(MIX_MID, Direction::SendRecv, OUR_CODECS, OUR_EXTENSIONS, Some(ssrcs.mix.as_u32()))];
    if lanes {
        let extensions = ExtensionIds { csrc_audio_level: None, ..OUR_EXTENSIONS };
        sections.push(section(LANES_MID, Direction::RecvOnly, OUR_LANE_CODECS, extensions, None));
    }
    sections
}

/// What we take of an offer.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    mix: Vec<(u8, Codec)>,
    lanes: Vec<(u8, Codec)>,
}

impl Taken {
    /// Of the two-way section one audio codec, Opus wherever it stands, else the first that we have; and what goes with
    /// it. Of `lanes` all audio.
    pub(crate) fn of(offer: &RemoteDescription) -> Self {
        let listed = &offer.sections[offer.mix].codecs;
        let has = |codec| listed.iter().any(|(_, listed)| *listed == codec);
        let first = listed.iter().map(|(_, codec)| *codec).find(|codec| codec.is_audio());
        let audio = if has(Codec::Opus) { Some(Codec::Opus) } else { first };
        let goes_along = |codec: Codec| match codec {
            Codec::Red => audio == Some(Codec::Opus),
            Codec::TelephoneEvent { clock } => audio.is_some_and(|audio| audio.clock() == clock),
            _ => Some(codec) == audio,
        };
        let lanes = offer.lanes.map_or(&[][..], |index| &offer.sections[index].codecs);
        Self {
            mix: listed.iter().filter(|(_, codec)| goes_along(*codec)).copied().collect(),
            lanes: lanes.iter().filter(|(_, codec)| codec.is_audio()).copied().collect(),
        }
    }
}

/// Answers an offer with what is `taken` of it: its sections mirrored, and what was agreed thereby.
pub(crate) fn answer_sections<'a>(
    offer: &'a RemoteDescription,
    taken: &'a Taken,
    ssrcs: OurSsrcs,
) -> (Vec<SectionPlan<'a>>, Negotiated) {
    let params = |index: usize, codecs, ssrc| {
        let theirs = &offer.sections[index];
        let direction = theirs.direction.reversed();
        LaneParams::new(theirs.mid.as_deref(), codecs, ssrc, theirs.extensions, direction)
            .expect("invariant: the parser only picks sections with audio")
    };
    let mix = params(offer.mix, &taken.mix, ssrcs.mix);
    let lanes = offer.lanes.map(|index| params(index, &taken.lanes, ssrcs.lanes));
    let plan = |(index, theirs)| plan_section(index, theirs, offer, taken, ssrcs);
    let sections = offer.sections.iter().enumerate().map(plan).collect();
    (sections, Negotiated { mix, lanes })
}

fn plan_section<'a>(
    index: usize,
    theirs: &'a Section,
    offer: &RemoteDescription,
    taken: &'a Taken,
    ssrcs: OurSsrcs,
) -> SectionPlan<'a> {
    let is_mix = index == offer.mix;
    if !is_mix && Some(index) != offer.lanes {
        return SectionPlan::Rejected(theirs);
    }
    SectionPlan::Audio {
        mid: theirs.mid.as_deref(),
        direction: theirs.direction.reversed(),
        codecs: if is_mix { &taken.mix } else { &taken.lanes },
        extensions: theirs.extensions,
        ssrc: is_mix.then_some(ssrcs.mix.as_u32()),
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
    let mix = match_section(&answer.sections[0], MIX_MID, OUR_CODECS, ssrcs.mix)?;
    let lanes = answer.sections.get(1).filter(|s| !s.rejected);
    let lanes = lanes.map(|section| match_section(section, LANES_MID, OUR_LANE_CODECS, ssrcs.lanes)).transpose()?;
    if lanes.as_ref().is_some_and(|lanes| lanes.direction.sends()) {
        return Err(AnswerError::Mismatch("it wants to receive where only it may send"));
    }
    Ok(Negotiated { mix, lanes })
}

fn match_section(
    theirs: &Section,
    mid: &'static str,
    ours: &[(u8, Codec)],
    ssrc: Ssrc,
) -> Result<LaneParams, AnswerError> {
    if theirs.media != "audio" || theirs.mid.as_deref().is_some_and(|m| m != mid) {
        return Err(AnswerError::Mismatch("its media sections are not those of the offer"));
    }
    let renumbered = |&(number, codec): &(u8, Codec)| ours.iter().any(|our| our.1 == codec && our.0 != number);
    if theirs.codecs.iter().any(|listed| listed.1.is_audio() && renumbered(listed)) {
        return Err(AnswerError::Mismatch("it changes the payload type of a codec"));
    }
    let agreed: Vec<(u8, Codec)> = theirs.codecs.iter().filter(|listed| ours.contains(listed)).copied().collect();
    // Ids may be dropped by an answer but not renumbered (RFC 8285 §6).
    let (theirs_ids, ours) = (theirs.extensions, OUR_EXTENSIONS);
    let kept = |theirs: Option<u8>, ours: Option<u8>| theirs.filter(|id| Some(*id) == ours);
    let ids = ExtensionIds {
        ssrc_audio_level: kept(theirs_ids.ssrc_audio_level, ours.ssrc_audio_level),
        csrc_audio_level: kept(theirs_ids.csrc_audio_level, ours.csrc_audio_level),
        mid: kept(theirs_ids.mid, ours.mid),
    };
    LaneParams::new(Some(mid), &agreed, ssrc, ids, theirs.direction.reversed())
        .ok_or(AnswerError::Mismatch("it lists no codec of the offer in an audio section that it takes"))
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
            let taken = Taken::of(&offer);
            let (sections, negotiated) = answer_sections(&offer, &taken, SSRCS);
            assert_eq!(negotiated.mix.direction, ours);
            let answer = text(&sections[..1]);
            assert!(answer.contains(&format!("\r\na={}\r\n", ours.as_str())), "{answer}");
            assert_eq!(answer.contains("a=ssrc:7001 "), announced, "{answer}");
            assert_eq!(answer.contains("a=ssrc"), announced, "{answer}");
        }
    }

    /// Our offer with these lines for the codecs of its first section.
    fn offer_of(formats: &str, attributes: &[&str]) -> RemoteDescription {
        let ours = text(&offer_sections(false, OurSsrcs { mix: Ssrc::new(1), lanes: Ssrc::new(2) }));
        let kept = ours.lines().filter(|line| !["a=rtpmap", "a=fmtp"].iter().any(|start| line.starts_with(start)));
        let mut lines: Vec<String> = kept.map(str::to_owned).collect();
        let m = lines.iter().position(|line| line.starts_with("m=audio")).unwrap();
        lines[m] = format!("m=audio 9 UDP/TLS/RTP/SAVPF {formats}");
        lines.extend(attributes.iter().map(|attribute| format!("a={attribute}")));
        sdp::parse(&lines.join("\r\n")).unwrap()
    }

    #[test]
    fn one_codec_is_taken_opus_wherever_it_stands_with_what_goes_along() {
        let opus = "rtpmap:96 opus/48000/2";
        let red = ["rtpmap:97 red/48000/2", "fmtp:97 96/96"];
        let tones = ["rtpmap:100 telephone-event/8000", "rtpmap:101 telephone-event/48000"];
        let all = [&[opus][..], &red, &tones].concat();
        let cases: &[(&str, &[&str], &str, Codec)] = &[
            ("96", &[opus], "96", Codec::Opus),
            ("0 8 100 101 96 97", &all, "101 96 97", Codec::Opus),
            ("97 96 0", &all, "97 96", Codec::Opus),
            ("8 0 100 101", &tones, "8 100", Codec::Pcma),
            ("13 0 8 101", &tones, "0", Codec::Pcmu),
            ("99 0", &["rtpmap:99 PCMA/8000"], "99", Codec::Pcma),
        ];
        for (formats, attributes, expected, codec) in cases {
            let offer = offer_of(formats, attributes);
            let taken = Taken::of(&offer);
            let (sections, negotiated) = answer_sections(&offer, &taken, SSRCS);
            let answer = text(&sections);
            assert!(answer.contains(&format!(" UDP/TLS/RTP/SAVPF {expected}\r\n")), "{formats}: {answer}");
            assert_eq!(negotiated.mix.codec, *codec, "{formats}");
            assert_eq!(negotiated.mix.payload_type_of(*codec), Some(negotiated.mix.payload_type));
            let numbers: Vec<_> = negotiated.mix.payloads.iter().map(|(number, _)| number.to_string()).collect();
            assert_eq!(numbers.join(" "), *expected);
        }
    }

    #[test]
    fn digits_are_agreed_on_the_clock_of_the_audio() {
        let tones = ["rtpmap:96 opus/48000/2", "rtpmap:100 telephone-event/8000", "rtpmap:101 telephone-event/48000"];
        for (formats, expected) in
            [("96 100 101", Some(101)), ("96 100", None), ("0 100 101", Some(100)), ("0 101", None)]
        {
            let offer = offer_of(formats, &tones);
            let negotiated = {
                let taken = Taken::of(&offer);
                answer_sections(&offer, &taken, SSRCS).1
            };
            assert_eq!(negotiated.mix.tones().map(PayloadType::as_u8), expected, "{formats}");
        }
    }

    #[test]
    fn an_answer_may_choose_among_our_codecs_but_not_renumber_them() {
        let matched = |formats: &str, attributes: &[&str]| match_answer(&offer_of(formats, attributes), false, SSRCS);
        let phone = matched("8", &[]).unwrap().mix;
        assert_eq!((phone.codec, phone.payload_type.as_u8(), phone.tones()), (Codec::Pcma, 8, None));
        let both = matched("0 111 110", &["rtpmap:111 opus/48000/2", "rtpmap:110 telephone-event/48000"]).unwrap().mix;
        assert_eq!((both.codec, both.payload_type.as_u8(), both.payloads.len()), (Codec::Opus, 111, 3));
        assert_eq!(both.tones().map(PayloadType::as_u8), Some(110), "on the clock of what we send");
        assert!(matched("96", &["rtpmap:96 opus/48000/2"]).is_err());
        assert!(matched("111 97", &["rtpmap:111 opus/48000/2", "rtpmap:97 PCMU/8000"]).is_err());
    }

    #[test]
    fn lanes_are_taken_only_if_the_offerer_only_receives_there() {
        for lanes in DIRECTIONS {
            let offer = offer(Direction::SendRecv, lanes);
            let taken = Taken::of(&offer);
            let (sections, negotiated) = answer_sections(&offer, &taken, SSRCS);
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
