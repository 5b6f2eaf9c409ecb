//! Fuzz bodies as ordinary functions: the targets are shells around these, and the corpus replays through them as tests.
//!
//! Each takes any bytes, parses, walks everything the view offers, and where a writer exists checks that what was
//! read can be written and read again. They panic only when an invariant of this crate is broken.

use crate::red::{self, RedPayload};
use crate::rtcp::{Compound, RtcpPacket, RtcpWriter, SenderInfo};
use crate::telephone_event::TelephoneEvent;
use crate::{Extension, LevelExtension, RtpHeader, RtpPacket};

/// Parses `data` as RTP, walks it, writes it again and compares.
///
/// # Panics
/// If parse∘write is not the identity on what was accepted.
pub fn rtp(data: &[u8]) {
    let Ok(packet) = RtpPacket::parse(data) else { return };
    let csrcs: Vec<_> = packet.csrcs().collect();
    let extensions: Vec<Extension<'_>> = packet.extensions().collect();
    for extension in &extensions {
        let _ = LevelExtension::parse(extension.data);
    }
    let header = RtpHeader {
        marker: packet.marker(),
        payload_type: packet.payload_type(),
        seq: packet.seq(),
        timestamp: packet.timestamp(),
        ssrc: packet.ssrc(),
        csrcs: &csrcs,
        extensions: &extensions,
    };
    let Ok(len) = header.wire_len() else { return };
    let mut out = vec![0; len + packet.payload().len()];
    header.write(&mut out, packet.payload()).expect("invariant: the buffer was sized by the header itself");
    let again = RtpPacket::parse(&out).expect("invariant: what the writer makes, the parser takes");
    assert_eq!(again.seq(), packet.seq());
    assert_eq!(again.payload(), packet.payload());
    assert_eq!(again.csrcs().collect::<Vec<_>>(), csrcs);
    assert_eq!(again.extensions().collect::<Vec<_>>(), extensions);
}

/// Walks `data` as an RTCP compound and writes its reports again.
///
/// # Panics
/// If a report that was read is not read back the same after writing.
pub fn rtcp(data: &[u8]) {
    for packet in Compound::new(data) {
        let Ok(packet) = packet else { return };
        match packet {
            RtcpPacket::SenderReport(sr) => {
                let blocks: Vec<_> = sr.blocks().collect();
                let mut out = [0; 1500];
                let mut writer = RtcpWriter::new(&mut out);
                writer.sender_report(sr.ssrc(), sr.info(), &blocks).expect("invariant: at most 31 blocks were read");
                let len = writer.finish();
                let Some(Ok(RtcpPacket::SenderReport(again))) = Compound::new(&out[..len]).next() else {
                    panic!("invariant: a written sender report is read as one")
                };
                let SenderInfo { ntp, .. } = again.info();
                assert_eq!(ntp, sr.info().ntp);
                assert_eq!(again.blocks().collect::<Vec<_>>(), blocks);
            }
            RtcpPacket::ReceiverReport(rr) => {
                let blocks: Vec<_> = rr.blocks().collect();
                let mut out = [0; 1500];
                let mut writer = RtcpWriter::new(&mut out);
                writer.receiver_report(rr.ssrc(), &blocks).expect("invariant: at most 31 blocks were read");
                let len = writer.finish();
                let Some(Ok(RtcpPacket::ReceiverReport(again))) = Compound::new(&out[..len]).next() else {
                    panic!("invariant: a written receiver report is read as one")
                };
                assert_eq!(again.blocks().collect::<Vec<_>>(), blocks);
            }
            RtcpPacket::Sdes(sdes) => {
                for (ssrc, items) in sdes.chunks() {
                    let _ = (ssrc, items.count());
                }
            }
            RtcpPacket::Bye(bye) => {
                let _ = (bye.sources().count(), bye.reason().map(<[u8]>::len));
            }
            RtcpPacket::Other { body, .. } => {
                let _ = body.len();
            }
        }
    }
}

/// Parses `data` as a RED payload, writes the blocks again and compares the bytes.
///
/// # Panics
/// If the rewritten payload differs from what was read.
pub fn red(data: &[u8]) {
    let Ok(payload) = RedPayload::parse(data) else { return };
    let mut blocks: Vec<_> = payload.collect();
    let primary = blocks.pop().expect("invariant: a parsed RED payload has a primary block");
    let mut out = vec![0; data.len()];
    let len = red::write(&mut out, &blocks, primary).expect("invariant: what was read fits where it was read from");
    assert_eq!(&out[..len], data);
}

/// Parses `data` as telephone events.
///
/// # Panics
/// If an event that was read is not read back the same after writing.
pub fn telephone_event(data: &[u8]) {
    for event in TelephoneEvent::parse_all(data) {
        assert_eq!(TelephoneEvent::parse(&event.to_bytes()), Ok(event));
        let _ = event.digit();
    }
}
