//! The mouth's pacing: one frame each 20 ms on absolute deadlines, and the packet out on the track.
//!
//! One tokio task per talker. Deadlines are `epoch + phase + n * 20 ms`; lateness is recorded, never accumulated.
//! Does not: drop frames for being a little late; only behind by 200 ms it leaves some out, and counts them.

use super::Shared;
use super::peer::Peer;
use crate::mouth::OutgoingPacket;
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One frame.
const FRAME: Duration = Duration::from_millis(20);
/// Frames behind at which the rest is left out.
const TOO_LATE: u32 = 10;

/// Waits for the connection and then speaks until aborted or disconnected.
pub(super) async fn speak(shared: Arc<Shared>, peer: Peer, phase: Duration) {
    if !peer.connected().await {
        return;
    }
    let Some(track) = peer.outgoing().await else {
        tracing::warn!(talker = shared.name, "nothing negotiated to speak on");
        return;
    };
    let start = shared.epoch + phase;
    let mut frame = (Instant::now().saturating_duration_since(start).as_nanos() / FRAME.as_nanos()) as u64 + 1;
    loop {
        let deadline = start + Duration::from_nanos(frame * FRAME.as_nanos() as u64);
        tokio::time::sleep_until(deadline.into()).await;
        let late = Instant::now().saturating_duration_since(deadline);
        let packet = {
            let mut state = shared.state();
            let state = &mut *state;
            let behind = (late.as_nanos() / FRAME.as_nanos()) as u32;
            if behind >= TOO_LATE {
                state.mouth.skip(behind);
                state.skipped += u64::from(behind);
                frame += u64::from(behind);
                continue;
            }
            state.lateness_us.push(u32::try_from(late.as_micros()).unwrap_or(u32::MAX));
            match state.mouth.speak(frame) {
                Ok(spoken) => {
                    state.said.put(deadline.saturating_duration_since(shared.epoch), spoken.pcm);
                    spoken.packet.map(|packet| rtp_packet(&packet, &track))
                }
                Err(error) => {
                    tracing::error!(talker = shared.name, %error, "speaking failed");
                    return;
                }
            }
        };
        if let Some(packet) = packet {
            let sent = track.write(packet).await;
            let mut state = shared.state();
            *(if sent.is_ok() { &mut state.sent } else { &mut state.send_errors }) += 1;
        }
        frame += 1;
    }
}

fn rtp_packet(packet: &OutgoingPacket<'_>, track: &super::peer::Outgoing) -> rtc::rtp::Packet {
    let mut header = rtc::rtp::Header {
        version: 2,
        marker: packet.marker,
        payload_type: track.payload_type,
        sequence_number: packet.seq.as_u16(),
        timestamp: packet.timestamp.as_u32(),
        ssrc: track.ssrc,
        ..Default::default()
    };
    if let Some(id) = track.level_id {
        let added = header.set_extension(id, Bytes::copy_from_slice(&packet.level.to_bytes()));
        debug_assert!(added.is_ok(), "invariant: a negotiated id takes one byte");
    }
    rtc::rtp::Packet { header, payload: Bytes::copy_from_slice(packet.payload) }
}
