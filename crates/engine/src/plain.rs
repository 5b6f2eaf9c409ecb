//! Plain RTP legs of a conversation: for gateways, ffmpeg, GStreamer and whoever else has no ICE and no DTLS.
//!
//! Threads: callers' threads, as in `conversation`. Invariants: a plain leg is a participant like any other once it
//! is in; a refusal opens no port and changes nothing.
//! Not here: how both sides came to agree on codec and keys; sockets and SRTP (`transport`).

use crate::ParticipantId;
use crate::conversation::{Conversation, JoinOptions, leg_parts};
use crate::error::JoinError;
use crate::routes::Member;
use antiphon_rtp::{SourceId, Ssrc};
use antiphon_transport::PlainParams;
use std::net::SocketAddr;

/// A plain leg to open.
#[derive(Debug, Clone)]
pub struct PlainLeg {
    /// What was agreed with the peer.
    pub params: PlainParams,
    /// Where the leg's socket is bound: the engine's own address if absent, and with port 0 a port of
    /// [`EngineConfig::plain_ports`](crate::EngineConfig::plain_ports) or else any free one.
    pub local: Option<SocketAddr>,
}

impl From<PlainParams> for PlainLeg {
    fn from(params: PlainParams) -> Self {
        Self { params, local: None }
    }
}

/// What a plain leg got by joining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainJoined {
    /// Where the peer sends RTP and RTCP to.
    pub local_addr: SocketAddr,
    /// SSRC of what it hears.
    pub ssrc: Ssrc,
    /// Names its voice: `mediaStream.sourceId`, and the CSRC of its packets.
    pub source_id: SourceId,
}

impl Conversation {
    /// Lets a participant in by plain RTP, on a port of its own. It is
    /// [`Connected`](crate::ConversationEvent::Connected) as soon as it is known where to send: at once, or with the
    /// first good packet of a symmetric peer.
    ///
    /// # Errors
    /// [`JoinError`], with what to do; nothing has changed then.
    pub fn join_plain(
        &self,
        id: &ParticipantId,
        leg: &PlainLeg,
        options: JoinOptions,
    ) -> Result<PlainJoined, JoinError> {
        let inner = self.inner();
        let mut room = inner.room();
        let reserved = room.reserve(id, true)?;
        let made = inner.open_plain(id, leg).and_then(|mut joined| {
            let negotiated = joined.leg.negotiated().cloned().expect("invariant: a plain leg is agreed on");
            match leg_parts(room.config(), reserved, &mut joined.leg, &negotiated) {
                Ok(parts) => Ok((joined, parts, negotiated.mix.ssrc)),
                Err(error) => {
                    inner.drop_leg(Some(joined.leg));
                    Err(error)
                }
            }
        });
        let (joined, parts, ssrc) = match made {
            Ok(made) => made,
            Err(error) => {
                room.release(reserved);
                return Err(error);
            }
        };
        let JoinOptions { in_default_group, muted } = options;
        let member = Member { source: None, receiver: None, in_default_group, muted, unmixed: false };
        room.admit(id.clone(), reserved, Some(joined.leg), parts, member);
        Ok(PlainJoined { local_addr: joined.local, ssrc, source_id: reserved.source_id })
    }
}
