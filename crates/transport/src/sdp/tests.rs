//! Descriptions of strangers and of ours: what is read, what is refused and by what name.

use proptest::prelude::*;

use super::*;

/// The shape of a browser's offer: RED before other codecs, video and data beside the audio, an mDNS name, a TCP
/// candidate, a second component.
const BROWSER: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    a=group:BUNDLE 0 1 2\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS stream\r\n\
    m=audio 53421 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 192.0.2.7\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
    a=candidate:1 1 udp 2113937151 1b3e7b5a-9d1e-4a57-9f10-1f5d9f0b4b1c.local 53421 typ host generation 0\r\n\
    a=candidate:2 1 udp 2113939711 192.0.2.7 53421 typ host generation 0 network-cost 999\r\n\
    a=candidate:2 2 udp 2113939710 192.0.2.7 53422 typ host generation 0 network-cost 999\r\n\
    a=candidate:3 1 tcp 1518214911 192.0.2.7 9 typ host tcptype active generation 0\r\n\
    a=candidate:4 1 udp 1677729535 2001:db8::7 53421 typ srflx raddr 0.0.0.0 rport 0 generation 0\r\n\
    a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=ice-options:trickle\r\n\
    a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F\r\n\
    a=setup:actpass\r\na=mid:0\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
    a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
    a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendrecv\r\na=msid:stream track\r\na=rtcp-mux\r\n\
    a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
    a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\na=rtpmap:110 telephone-event/48000\r\n\
    a=ssrc:3570614608 cname:4TOk42mSjXCkVIa6\r\na=ssrc:3570614608 msid:stream track\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sendrecv\r\na=rtpmap:96 VP8/90000\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\na=sctp-port:5000\r\n";

/// The shape of aiortc's answer: payload type 96, several hashes, no trailing candidates line, two components.
const LIBRARY: &str = "v=0\r\no=- 3980000000 3980000000 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=msid-semantic:WMS *\r\n\
    m=audio 40000 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 127.0.0.1\r\na=sendrecv\r\n\
    a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=mid:0\r\n\
    a=msid:x y\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=ssrc:1234 cname:z\r\na=rtpmap:96 opus/48000/2\r\n\
    a=candidate:a 1 udp 2130706431 127.0.0.1 40000 typ host\r\na=end-of-candidates\r\n\
    a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
    a=fingerprint:sha-384 00:11\r\n\
    a=fingerprint:sha-256 d2:fa:0e:c3:22:59:5e:14:95:69:92:3d:13:b4:84:24:2c:c2:a2:c0:3e:fd:34:8e:5e:ea:6f:af:52:ce:e6:0f\r\n\
    a=setup:active\r\n";

#[test]
fn a_browsers_offer_is_read_and_what_we_cannot_use_is_skipped() {
    let offer = parse(BROWSER).unwrap();
    assert_eq!((offer.mix, offer.lanes, offer.bundle, offer.ice_lite), (0, None, true, false));
    assert_eq!(offer.setup, Setup::ActPass);
    assert_eq!(offer.credentials.ufrag, "EsAw");
    let addresses: Vec<String> = offer.candidates.iter().map(|c| c.address.to_string()).collect();
    assert_eq!(addresses, ["192.0.2.7:53421", "[2001:db8::7]:53421"]);
    let audio = &offer.sections[0];
    let listed = [
        (111, Codec::Opus),
        (63, Codec::Red),
        (0, Codec::Pcmu),
        (8, Codec::Pcma),
        (110, Codec::TelephoneEvent { clock: 48_000 }),
    ];
    assert_eq!(audio.codecs, listed);
    assert_eq!((audio.ssrc, audio.direction), (Some(3_570_614_608), Direction::SendRecv));
    assert_eq!(audio.extensions, ExtensionIds { ssrc_audio_level: Some(1), csrc_audio_level: None, mid: Some(4) });
    assert_eq!(offer.sections.len(), 3);
    assert!(offer.fingerprint.to_string().starts_with("D2:FA:0E"));
}

#[test]
fn a_librarys_description_with_other_numbers_and_hashes_is_read() {
    let answer = parse(LIBRARY).unwrap();
    assert_eq!(answer.sections[0].codecs, [(96, Codec::Opus)]);
    assert_eq!(answer.setup, Setup::Active);
    assert_eq!(answer.fingerprint, parse(BROWSER).unwrap().fingerprint, "case does not matter");
}

/// The codecs of an audio section with these formats and attributes.
fn codecs_of(formats: &str, attributes: &[&str]) -> Vec<(u8, Codec)> {
    let lines = BROWSER.lines().filter(|line| !["a=rtpmap", "a=fmtp"].iter().any(|start| line.starts_with(start)));
    let with = |line: &str| match line.strip_prefix("m=audio 53421 UDP/TLS/RTP/SAVPF ") {
        Some(_) => [&[format!("m=audio 53421 UDP/TLS/RTP/SAVPF {formats}")][..], &attributes_of(attributes)].concat(),
        None => vec![line.to_owned()],
    };
    let text: Vec<String> = lines.flat_map(with).collect();
    parse(&text.join("\r\n")).map(|read| read.sections[0].codecs.clone()).unwrap_or_default()
}

fn attributes_of(attributes: &[&str]) -> Vec<String> {
    attributes.iter().map(|attribute| format!("a={attribute}")).collect()
}

#[test]
fn codecs_are_listed_in_the_peers_order_and_static_numbers_need_no_map() {
    let opus = "rtpmap:111 opus/48000/2";
    assert_eq!(codecs_of("8 0", &[]), [(8, Codec::Pcma), (0, Codec::Pcmu)]);
    assert_eq!(codecs_of("0 111", &[opus]), [(0, Codec::Pcmu), (111, Codec::Opus)]);
    assert_eq!(codecs_of("0", &["rtpmap:0 pcmu/8000/1"]), [(0, Codec::Pcmu)], "case does not matter");
    assert_eq!(codecs_of("97", &["rtpmap:97 PCMA/8000"]), [(97, Codec::Pcma)], "a number of its own");
    assert_eq!(codecs_of("97 8", &["rtpmap:97 PCMA/8000"]), [(97, Codec::Pcma)], "each codec once");
    assert_eq!(codecs_of("9 18 13", &["rtpmap:9 G722/8000"]), [], "none that we have");
    assert_eq!(codecs_of("0", &["rtpmap:111 opus/48000/2"]), [(0, Codec::Pcmu)], "mapped, but not listed");
    assert_eq!(codecs_of("0", &["rtpmap:72 PCMU/8000"]), [(0, Codec::Pcmu)]);
    for other in ["PCMU/16000", "PCMU/8000/2", "PCMU/80000", "G722/8000"] {
        assert_eq!(codecs_of("0 8", &[&format!("rtpmap:0 {other}")]), [(8, Codec::Pcma)], "0 is said to be {other}");
    }
    assert_eq!(
        codecs_of("97 8", &["rtpmap:97 PCMU/8000/2"]),
        [(8, Codec::Pcma)],
        "two channels are not what we decode"
    );
    assert_eq!(codecs_of("8 97", &["rtpmap:97 telephone-event/8000/2"]), [(8, Codec::Pcma)]);
    assert_eq!(codecs_of("8 97", &["rtpmap:97 opus/480001/2"]), [(8, Codec::Pcma)]);
    assert_eq!(codecs_of("97", &["rtpmap:97 OPUS/48000"]), [(97, Codec::Opus)]);
    let tones = [opus, "rtpmap:126 telephone-event/8000", "rtpmap:110 telephone-event/48000", "fmtp:110 0-16"];
    let of = |clock| Codec::TelephoneEvent { clock };
    assert_eq!(codecs_of("111 126 110", &tones), [(111, Codec::Opus), (126, of(8_000)), (110, of(48_000))]);
}

#[test]
fn red_counts_only_around_the_opus_that_is_listed() {
    let red = |fmtp: &str| codecs_of("63 111 96", &["rtpmap:63 red/48000/2", fmtp, "rtpmap:111 opus/48000/2"]);
    for good in ["fmtp:63 111/111", "fmtp:63 111/111/111", "fmtp:63 111"] {
        assert_eq!(red(good), [(63, Codec::Red), (111, Codec::Opus)], "{good}");
    }
    for bad in ["fmtp:63 96/96", "fmtp:63 111/96", "fmtp:63 x", "fmtp:64 111/111", "fmtp:63", "ptime:20"] {
        assert_eq!(red(bad), [(111, Codec::Opus)], "{bad}");
    }
    assert_eq!(codecs_of("63 0", &["rtpmap:63 red/48000/2", "fmtp:63 0/0"]), [(0, Codec::Pcmu)]);
}

#[test]
fn each_defect_is_refused_by_name() {
    let cases: &[(&str, &str, SdpError)] = &[
        ("v=0\r\n", "v=1\r\n", SdpError::NotSdp),
        ("m=audio ", "m=audio nonsense ", SdpError::Malformed { line: 8, what: "m=" }),
        ("m=audio 53421", "m=audio 0", SdpError::NoAudio),
        ("m=audio", "m=text", SdpError::NoAudio),
        ("111 63 9 0 8 13 110 126", "9 13 110", SdpError::NoCodec),
        ("UDP/TLS/RTP/SAVPF 111", "RTP/AVP 111", SdpError::NotDtlsSrtp),
        ("a=rtcp-mux\r\n", "", SdpError::Missing("rtcp-mux")),
        ("a=ice-ufrag:EsAw\r\n", "", SdpError::Missing("ice-ufrag")),
        ("a=ice-ufrag:EsAw", "a=ice-ufrag:Es", SdpError::BadValue("ice-ufrag")),
        ("a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1", "a=ice-pwd:short", SdpError::BadValue("ice-pwd")),
        ("fingerprint:sha-256", "fingerprint:sha-1", SdpError::NoSha256),
        ("D2:FA:0E", "D2:FA:XX", SdpError::BadValue("fingerprint")),
        ("D2:FA:0E", "D2:FA", SdpError::BadValue("fingerprint")),
        ("a=setup:actpass", "a=setup:holdconn", SdpError::BadValue("setup")),
        ("a=setup:actpass\r\n", "", SdpError::Missing("setup")),
        ("a=rtpmap:111 opus", "a=rtpmap:72 opus", SdpError::Malformed { line: 28, what: "a=rtpmap" }),
        ("a=ssrc:3570614608 cname", "a=ssrc:x cname", SdpError::Malformed { line: 35, what: "a=ssrc" }),
        ("s=-\r\n", "nonsense\r\n", SdpError::Malformed { line: 3, what: "no '='" }),
    ];
    for (from, to, expected) in cases {
        assert!(BROWSER.contains(from), "{from}");
        let broken = BROWSER.replacen(from, to, 1);
        assert_eq!(parse(&broken).as_ref(), Err(expected), "{from} -> {to}");
    }
    assert_eq!(parse(""), Err(SdpError::NotSdp));
    assert_eq!(parse(&"v=0\r\n".repeat(20_000)), Err(SdpError::TooLong(100_000)));
    assert_eq!(parse(&format!("v=0\r\n{}", "m=audio 9 X 0\r\n".repeat(40))), Err(SdpError::TooManySections));
}

#[test]
fn transport_attributes_are_found_in_the_bundle_and_at_session_level() {
    // Everything about transport moves to the top, as some endpoints write it.
    let moved: Vec<&str> = BROWSER.lines().filter(|l| is_transport(l)).collect();
    let rest: Vec<&str> = BROWSER.lines().filter(|l| !is_transport(l)).collect();
    let at_top = [&rest[..4], &moved[..], &rest[4..]].concat().join("\n");
    let expected = parse(BROWSER).unwrap();
    assert_eq!(parse(&at_top).unwrap(), expected);
    // Or into a bundled section that comes first and is not audio.
    let video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v";
    let audio = rest.iter().position(|l| l.starts_with("m=audio")).unwrap();
    let in_video = [&rest[..audio], &[video], &moved[..], &rest[audio..]].concat().join("\n");
    let parsed = parse(&in_video.replace("BUNDLE 0", "BUNDLE v 0")).unwrap();
    assert_eq!((parsed.credentials, parsed.mix), (expected.credentials, 1));
    // But not from a section that is in no bundle with it.
    assert_eq!(parse(&in_video), Err(SdpError::Missing("rtcp-mux")));
}

#[test]
fn a_direction_at_session_level_holds_unless_a_section_has_its_own() {
    let at_session = BROWSER.replacen("t=0 0\r\n", "t=0 0\r\na=recvonly\r\n", 1).replacen("a=sendrecv\r\n", "", 1);
    let offer = parse(&at_session).unwrap();
    assert_eq!((offer.sections[0].direction, offer.sections[1].direction), (Direction::RecvOnly, Direction::SendRecv));
}

fn is_transport(line: &str) -> bool {
    ["a=ice-", "a=fingerprint", "a=setup", "a=candidate", "a=rtcp-mux"].iter().any(|p| line.starts_with(p))
}

fn local<'a>(credentials: &'a IceCredentials, candidates: &'a [SocketAddr]) -> LocalDescription<'a> {
    LocalDescription {
        session_id: 77,
        credentials,
        bundle: true,
        ice_lite: true,
        fingerprint: Fingerprint::new([7; 32]),
        setup: Setup::Passive,
        candidates,
        cname: "us",
    }
}

fn credentials() -> IceCredentials {
    IceCredentials { ufrag: "abcdefgh".into(), pwd: Zeroizing::new("0123456789abcdef01234567".into()) }
}

#[test]
fn what_we_write_reads_back_alike() {
    let (credentials, candidates) =
        (credentials(), ["192.0.2.1:4000".parse().unwrap(), "[2001:db8::1]:4000".parse().unwrap()]);
    let extensions = ExtensionIds { ssrc_audio_level: Some(1), csrc_audio_level: Some(2), mid: Some(3) };
    let codecs = [
        (63, Codec::Red),
        (111, Codec::Opus),
        (8, Codec::Pcma),
        (0, Codec::Pcmu),
        (101, Codec::TelephoneEvent { clock: 8_000 }),
    ];
    let audio =
        |mid, direction, ssrc| SectionPlan::Audio { mid: Some(mid), direction, codecs: &codecs, extensions, ssrc };
    let sections = [audio("mix", Direction::SendRecv, Some(9)), audio("lanes", Direction::RecvOnly, None)];
    let text = write(&local(&credentials, &candidates), &sections);
    let read = parse(&text).unwrap();
    assert_eq!((read.mix, read.lanes, read.ice_lite, read.bundle), (0, Some(1), true, true));
    assert_eq!(read.credentials, credentials);
    assert_eq!(read.fingerprint, Fingerprint::new([7; 32]));
    assert_eq!(read.candidates.iter().map(|c| c.address).collect::<Vec<_>>(), candidates);
    assert_eq!((read.sections[0].ssrc, read.sections[1].ssrc), (Some(9), None));
    assert_eq!((read.sections[0].extensions, read.sections[1].direction), (extensions, Direction::RecvOnly));
    assert_eq!((&read.sections[0].codecs[..], &read.sections[1].codecs[..]), (&codecs[..], &codecs[..]));
    assert_eq!(text.matches(OPUS_FMTP).count(), 2);
    assert!(text.lines().all(|l| l.as_bytes()[1] == b'='));
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
}

#[test]
fn rejected_sections_keep_their_place_protocol_and_formats() {
    let offer = parse(BROWSER).unwrap();
    let (credentials, candidates) = (credentials(), ["192.0.2.1:4000".parse().unwrap()]);
    let audio = SectionPlan::Audio {
        mid: Some("0"),
        direction: Direction::SendRecv,
        codecs: &[(111, Codec::Opus)],
        extensions: offer.sections[0].extensions,
        ssrc: Some(5),
    };
    let plans = [audio, SectionPlan::Rejected(&offer.sections[1]), SectionPlan::Rejected(&offer.sections[2])];
    let text = write(&local(&credentials, &candidates), &plans);
    assert!(text.contains("\r\nm=video 0 UDP/TLS/RTP/SAVPF 96 97\r\n"), "{text}");
    assert!(text.contains("\r\nm=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
    assert!(text.contains("\r\na=group:BUNDLE 0\r\n"), "rejected sections are in no bundle");
}

#[test]
fn debug_output_hides_the_password() {
    assert!(!format!("{:?}", parse(BROWSER).unwrap()).contains("P2uYro0UCOQ4zxjKXaWCBui1"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,400}") {
        let _ = parse(&text);
    }

    #[test]
    fn a_description_with_lines_lost_repeated_or_mangled_is_read_or_refused(
        edits in prop::collection::vec((0_usize..60, 0_usize..4, "\\PC{0,12}"), 0..12)
    ) {
        let mut lines: Vec<String> = BROWSER.lines().map(str::to_owned).collect();
        for (at, edit, text) in edits {
            let at = at % lines.len();
            match edit {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, text),
                2 => lines[at].push_str(&text),
                _ => lines[at] = lines[at].chars().take(text.len()).collect(),
            }
            if lines.is_empty() {
                return Ok(());
            }
        }
        if let Ok(read) = parse(&lines.join("\r\n")) {
            let codecs = &read.sections[read.mix].codecs;
            prop_assert!(codecs.iter().any(|(_, codec)| codec.is_audio()));
            prop_assert!(codecs.iter().all(|(number, _)| *number < 128));
            prop_assert!(read.candidates.len() <= MAX_CANDIDATES);
        }
    }
}
