"""Request bodies as the reference pages show them, with the ids of this run."""

import json
import uuid

# What a bot on the platform's own media library puts into its blob: opaque to everybody but that library.
BLOB = json.dumps(
    {
        "mpUri": "net.tcp://bot.contoso.com:18732/MediaProcessor",
        "audioRenderContexts": [str(uuid.uuid4())],
        "videoRenderContexts": [],
        "audioSourceContexts": [str(uuid.uuid4())],
        "videoSourceContexts": [],
        "dataRenderContexts": None,
        "dataSourceContexts": None,
        "supportedAudioFormat": "Pcm16K",
        "videoSinkEncodingFormats": [],
        "mpMediaSessionId": str(uuid.uuid4()),
        "regionAffinity": None,
        "skypeMediaBotsVersion": "1.11.1.0086",
        "mediaStackVersion": "2018.53.1.1",
        "mpVersion": "7.2.0.3881",
        "callId": str(uuid.uuid4()),
    }
)


def app_hosted():
    return {"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": BLOB}


def service_hosted():
    media = {"uri": "https://cdn.contoso.com/beep.wav", "resourceId": str(uuid.uuid4())}
    return {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig", "preFetchMedia": [media]}


def identity(kind, value, name=None):
    inner = {"@odata.type": "#microsoft.graph.identity", "id": value}
    if name:
        inner["displayName"] = name
    return {"@odata.type": "#microsoft.graph.identitySet", kind: inner}


def invitation(user, **more):
    """Somebody to call or to invite; `user` as the administration API gave it."""
    return {
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": identity("user", user["id"], user["displayName"]),
        **more,
    }


def call(callback, tenant, media, **more):
    return {
        "@odata.type": "#microsoft.graph.call",
        "callbackUri": callback,
        "requestedModalities": ["audio"],
        "mediaConfig": media,
        "tenantId": tenant,
        **more,
    }


def by_organizer(meeting):
    organizer = identity("user", meeting["organizer"]["id"], meeting["organizer"]["displayName"])
    organizer["user"]["tenantId"] = meeting["tenantId"]
    return {
        "chatInfo": {
            "@odata.type": "#microsoft.graph.chatInfo",
            "threadId": meeting["threadId"],
            "messageId": meeting["messageId"],
        },
        "meetingInfo": {
            "@odata.type": "#microsoft.graph.organizerMeetingInfo",
            "organizer": organizer,
            "allowConversationWithoutHost": True,
        },
    }


def by_meeting_id(meeting):
    info = {"joinMeetingId": meeting["joinMeetingId"], "passcode": meeting.get("passcode")}
    return {"meetingInfo": {"@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo", **info}}


def by_token(token):
    return {"meetingInfo": {"@odata.type": "#microsoft.graph.tokenMeetingInfo", "token": token}}


def guest(name):
    return {
        "source": {
            "@odata.type": "#microsoft.graph.participantInfo",
            "identity": identity("guest", str(uuid.uuid4()), name),
        }
    }


def prompt(uri="https://cdn.contoso.com/welcome.wav"):
    return {
        "@odata.type": "#microsoft.graph.mediaPrompt",
        "mediaInfo": {"@odata.type": "#microsoft.graph.mediaInfo", "uri": uri, "resourceId": str(uuid.uuid4())},
    }


def answer(callback, media, **more):
    return {"callbackUri": callback, "acceptedModalities": ["audio"], "mediaConfig": media, **more}


def device_quality():
    """What a meeting-room device reports, with one entry of each kind of media."""

    def media(kind, channel, **more):
        return {
            "@odata.type": f"#microsoft.graph.teleconferenceDevice{kind}Quality",
            "channelIndex": channel,
            "mediaDuration": "PT20M",
            "networkLinkSpeedInBytes": 13000,
            "localIPAddress": "127.0.0.1",
            "localPort": 52060,
            "remoteIPAddress": "102.26.12.14",
            "remotePort": 3478,
            "inboundPackets": 5500,
            "outboundPackets": 5400,
            "averageInboundPacketLossRateInPercentage": 0.5,
            "averageOutboundPacketLossRateInPercentage": 0.5,
            "averageInboundJitter": "PT0.005S",
            "averageOutboundJitter": "PT0.007S",
            "averageInboundRoundTripDelay": "PT0.03S",
            "averageOutboundRoundTripDelay": "PT0.03S",
            **more,
        }

    rates = {"averageInboundFrameRate": 29.5, "averageOutboundFrameRate": 29.5, "averageInboundBitRate": 800.0}
    return {
        "quality": {
            "@odata.type": "#microsoft.graph.teleconferenceDeviceQuality",
            "callChainId": str(uuid.uuid4()),
            "participantId": str(uuid.uuid4()),
            "mediaLegId": str(uuid.uuid4()),
            "deviceName": "Room 12",
            "deviceDescription": "a meeting room",
            "mediaQualityList": [media("Audio", 1), media("Video", 1, **rates), media("ScreenSharing", 1, **rates)],
        }
    }


def synthetic_media():
    segment = {"startTimeSec": 3, "endTimeSec": 9, "frameIndices": [90, 91]}
    detail = {
        "modality": "audio",
        "modelName": "detector",
        "confidence": 0.93,
        "modelTasks": ["voice-clone"],
        "segment": segment,
    }
    return {
        "id": str(uuid.uuid4()),
        "detectionDateTime": "2026-01-02T03:04:05Z",
        "isMalicious": True,
        "overallConfidence": 0.91,
        "severity": "high",
        "detections": [detail],
        "contentMetadata": {"modality": "audio", "mimeType": "audio/wav", "isRealTime": True},
    }
