//! Plain RTP legs: participants of a meeting that have no WebRTC.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::post;
use http::StatusCode;

use super::AdminError;
use super::json::AdminJson;
use super::schema::{Kind, Member, Schema};
use super::table::Route;
use crate::meeting::MeetingId;
use crate::operations::{NewPlainLeg, PlainLegView};
use crate::service::Service;

pub(super) const ROUTES: &[Route] = &[Route::post(
    "/emulator/meetings/{meeting}/plainLegs",
    || post(join),
    "Lets a participant in by plain RTP, with or without SRTP; it leaves as other participants do.",
)
.takes(&NEW_PLAIN_LEG)
.gives(201, Kind::One(&PLAIN_LEG))];

const CODEC: Kind = Kind::Word(&["opus", "pcmu", "pcma"]);

const SRTP: Schema = Schema {
    name: "PlainSrtp",
    members: &[
        Member::must("suite", Kind::Text, "AEAD_AES_128_GCM or AES_CM_128_HMAC_SHA1_80."),
        Member::must("ourKey", Kind::Text, "What this service encrypts with: inline: and base64 of key and salt."),
        Member::must("theirKey", Kind::Text, "What the peer encrypts with; another key than ours."),
    ],
};

const NEW_PLAIN_LEG: Schema = Schema {
    name: "NewPlainLeg",
    members: &[
        Member::may("displayName", Kind::Text, "Name shown; the user's, or \"Plain RTP\", if left out."),
        Member::may("userId", Kind::Text, "A user of this service; a passing guest if left out."),
        Member::may(
            "remoteAddress",
            Kind::Text,
            "IP address and port of the peer; learned from its first packet if left out.",
        ),
        Member::default("symmetric", Kind::Flag, "The peer may turn out to be elsewhere than at remoteAddress."),
        Member::may(
            "localAddress",
            Kind::Text,
            "Where our socket is bound; the media address and any port if left out.",
        ),
        Member::default("codec", CODEC, "Codec of both directions; opus if left out."),
        Member::may("payloadType", Kind::Whole, "Of both directions; 96, 0 or 8 by codec if left out."),
        Member::may("telephoneEventPayloadType", Kind::Whole, "Of DTMF digits on the codec's clock; none if left out."),
        Member::may("levelExtensionId", Kind::Whole, "Header extension id of audio levels; none if left out."),
        Member::may("srtp", Kind::One(&SRTP), "SRTP keys; plain RTP if left out."),
        Member::may("idleTimeoutMs", Kind::Whole, "Ends the leg after so long without a packet; never if left out."),
        Member::default("removeFromDefaultAudioRoutingGroup", Kind::Flag, "Join outside the default group."),
        Member::default("isMuted", Kind::Flag, "Join muted."),
    ],
};

const PLAIN_LEG: Schema = Schema {
    name: "PlainLeg",
    members: &[
        Member::must("participantId", Kind::Text, "Id in the roster and in routing groups."),
        Member::must("sourceId", Kind::Whole, "mediaStream.sourceId"),
        Member::must("localAddress", Kind::Text, "Where the peer sends RTP and RTCP to."),
        Member::must("ssrc", Kind::Whole, "SSRC of what the peer hears."),
        Member::must("codec", CODEC, "Codec of both directions."),
        Member::must("payloadType", Kind::Whole, "Payload type of both directions."),
    ],
};

async fn join(
    State(service): State<Arc<Service>>,
    Path(id): Path<MeetingId>,
    AdminJson(leg): AdminJson<NewPlainLeg>,
) -> Result<(StatusCode, Json<PlainLegView>), AdminError> {
    Ok((StatusCode::CREATED, Json(service.join_plain(&id, &leg)?)))
}
