//! Participants by plain RTP: gateways, ffmpeg, GStreamer, load generators.
//!
//! Requests and views as plain data, camelCase in JSON, and their meaning to the engine. Not here: ports, SRTP, codecs.

use std::net::SocketAddr;
use std::time::Duration;

use antiphon_engine::{Codec, KeyPair, MasterKey, PlainLeg, PlainParams, Remote};
use antiphon_graph::ParticipantId;
use serde::{Deserialize, Serialize};

use super::{NewPerson, OperationError};
use crate::meeting::MeetingId;
use crate::service::Service;

/// A codec of a plain leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum PlainCodec {
    /// Opus at 48 kHz.
    #[default]
    Opus,
    /// G.711 by the mu-law.
    Pcmu,
    /// G.711 by the A-law.
    Pcma,
}

/// SRTP keys of a plain leg, in the words of RFC 4568.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlainSrtp {
    /// `AEAD_AES_128_GCM` or `AES_CM_128_HMAC_SHA1_80`.
    pub suite: String,
    /// What this service encrypts with: `inline:` and base64 of key and salt.
    pub our_key: String,
    /// What the peer encrypts with.
    pub their_key: String,
}

impl std::fmt::Debug for PlainSrtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlainSrtp").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// A plain leg to let into a meeting.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewPlainLeg {
    /// Name shown; the user's if left out.
    #[serde(default)]
    pub display_name: Option<String>,
    /// A user of this service; a passing guest if left out.
    #[serde(default)]
    pub user_id: Option<String>,
    /// Where the peer is; learned from its first packet if left out.
    #[serde(default, deserialize_with = "address")]
    pub remote_address: Option<SocketAddr>,
    /// Whether the peer may turn out to be elsewhere: then `remote_address` is only where to send until it is heard.
    #[serde(default)]
    pub symmetric: bool,
    /// Where this service's socket is bound; the media address, any port, if left out.
    #[serde(default, deserialize_with = "address")]
    pub local_address: Option<SocketAddr>,
    /// Opus if left out.
    #[serde(default)]
    pub codec: PlainCodec,
    /// 96 for Opus, 0 for PCMU, 8 for PCMA if left out.
    #[serde(default)]
    pub payload_type: Option<u8>,
    /// Payload type of `telephone-event` on the codec's clock; none if left out.
    #[serde(default)]
    pub telephone_event_payload_type: Option<u8>,
    /// Header extension id of audio levels (RFC 6464); none if left out.
    #[serde(default)]
    pub level_extension_id: Option<u8>,
    /// SRTP; plain RTP if left out.
    #[serde(default)]
    pub srtp: Option<PlainSrtp>,
    /// The leg ends after so many milliseconds without a packet; never, if left out.
    #[serde(default)]
    pub idle_timeout_ms: Option<u64>,
    /// Join outside the default group.
    #[serde(default)]
    pub remove_from_default_audio_routing_group: bool,
    /// Join muted.
    #[serde(default)]
    pub is_muted: bool,
}

/// A plain leg that was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PlainLegView {
    /// Id in the roster and in routing groups.
    pub participant_id: ParticipantId,
    /// `mediaStream.sourceId`
    pub source_id: u32,
    /// Where the peer sends RTP and RTCP to.
    pub local_address: SocketAddr,
    /// SSRC of what it hears.
    pub ssrc: u32,
    /// Codec and payload type of both directions.
    pub codec: PlainCodec,
    /// See `codec`.
    pub payload_type: u8,
}

/// An address, or words that show what one looks like.
fn address<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    let wrong = |_| serde::de::Error::custom(format!("{text:?} is no IP address and port, such as 192.0.2.7:5004"));
    text.parse().map(Some).map_err(wrong)
}

impl NewPlainLeg {
    fn payload_type(&self) -> u8 {
        self.payload_type.unwrap_or(match self.codec {
            PlainCodec::Opus => 96,
            PlainCodec::Pcmu => 0,
            PlainCodec::Pcma => 8,
        })
    }

    fn leg(&self) -> Result<PlainLeg, OperationError> {
        let remote = match self.remote_address {
            Some(address) if !self.symmetric => Remote::Fixed(address),
            first => Remote::Symmetric { first },
        };
        let codec = match self.codec {
            PlainCodec::Opus => Codec::Opus,
            PlainCodec::Pcmu => Codec::Pcmu,
            PlainCodec::Pcma => Codec::Pcma,
        };
        let key = |suite: &str, member, text: &str| {
            let named = |error| OperationError::Invalid(format!("srtp.{member}: {error}"));
            MasterKey::from_sdes(suite, text).map_err(named)
        };
        let pair = |srtp: &PlainSrtp| -> Result<KeyPair, OperationError> {
            let local = key(&srtp.suite, "ourKey", &srtp.our_key)?;
            Ok(KeyPair { local, remote: key(&srtp.suite, "theirKey", &srtp.their_key)? })
        };
        let mut params = PlainParams::new(remote, codec, self.payload_type());
        params.tones = self.telephone_event_payload_type;
        params.level_extension = self.level_extension_id;
        params.srtp = self.srtp.as_ref().map(pair).transpose()?;
        params.idle = self.idle_timeout_ms.map(Duration::from_millis);
        params.validate().map_err(|error| OperationError::Invalid(error.to_string()))?;
        Ok(PlainLeg { params, local: self.local_address })
    }
}

impl Service {
    /// Lets a participant in by plain RTP.
    pub(crate) fn join_plain(&self, meeting: &MeetingId, new: &NewPlainLeg) -> Result<PlainLegView, OperationError> {
        let leg = new.leg()?;
        let person = self.person(NewPerson {
            display_name: new.display_name.clone().or_else(|| new.user_id.is_none().then(|| "Plain RTP".to_owned())),
            user_id: new.user_id.clone(),
            offer: None,
            remove_from_default_audio_routing_group: new.remove_from_default_audio_routing_group,
            is_muted: new.is_muted,
        })?;
        let (participant_id, joined) = self.change(|world, _| world.join_plain(meeting, person, &leg))?;
        Ok(PlainLegView {
            participant_id,
            source_id: joined.source_id,
            local_address: joined.local_address,
            ssrc: joined.ssrc,
            codec: new.codec,
            payload_type: new.payload_type(),
        })
    }
}
