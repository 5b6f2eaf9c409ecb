"""That the judge can find fault: JSON with one thing wrong each, and notifications that nobody has signed."""

import asyncio
import ssl
import time
import urllib.error
import urllib.request
import uuid

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

import csdl

CALL = {"@odata.type": "#microsoft.graph.call", "id": "x", "callbackUri": "https://bot.contoso.com/callback"}
PERSON = {"id": "x", "info": {"identity": {}}, "isMuted": False, "isInLobby": False}
STREAM = {"mediaType": "audio", "direction": "sendReceive", "serverMuted": False, "sourceId": "1"}
DELTA = {"id": "x", "sequenceNumber": 1, "participants": [{"id": "y", "removedState": {"reason": "Left"}}]}
# version, type, value, what the finding must say; None: there must be none
WRONG = (
    ("v1.0", "call", CALL, None),
    ("v1.0", "call", {**CALL, "state": "ringing"}, "no member of callState"),
    ("beta", "call", {**CALL, "state": "ringing"}, None),
    ("v1.0", "call", {**CALL, "state": "Established"}, "no member of callState"),
    ("v1.0", "call", {**CALL, "callbackUri": None}, "not nullable"),
    ("v1.0", "call", {"id": "x"}, "missing"),
    ("v1.0", "call", {**CALL, "stat": "established"}, "neither declared"),
    ("v1.0", "call", {**CALL, "activeModalities": ["audio"]}, None),
    ("v1.0", "call", {**CALL, "targets": None}, "null where a collection"),
    ("v1.0", "call", {**CALL, "targets": {}}, "where a collection"),
    ("v1.0", "call", {**CALL, "mediaConfig": {"blob": "x"}}, "abstract"),
    ("v1.0", "call", {**CALL, "mediaConfig": {"@odata.type": "#microsoft.graph.chatInfo"}}, "is no mediaConfig"),
    ("v1.0", "call", {**CALL, "mediaConfig": {"@odata.type": "microsoft.graph.appHostedMediaConfig"}}, "names no declared type"),
    ("v1.0", "call", {**CALL, "resultInfo": {"code": "200", "subcode": 0}}, "no Edm.Int32"),
    ("v1.0", "call", {**CALL, "resultInfo": {"code": True, "subcode": 0}}, "no Edm.Int32"),
    ("v1.0", "participant", PERSON, None),
    ("v1.0", "participant", {**PERSON, "preferredDisplayName": "x"}, "undeclared on the closed type"),
    ("beta", "participant", {**PERSON, "preferredDisplayName": "x"}, None),
    ("v1.0", "participant", {**PERSON, "mediaStreams": [{**STREAM, "sourceId": 1}]}, "no Edm.String"),
    ("v1.0", "participant", {**PERSON, "mediaStreams": [STREAM, {"mediaType": "audio"}]}, "missing"),
    ("v1.0", "deltaParticipants", DELTA, None),
    ("v1.0", "commsOperation", {"id": "x", "status": "completed"}, "no member of operationStatus"),
    ("v1.0", "commsOperation", {"@odata.type": "#microsoft.graph.startRecordingOperation", "id": "x", "status": "Running"}, "names no declared type"),
    ("beta", "syntheticMediaDetectionInfo", {"detectionId": "7"}, "no Edm.Guid"),
    ("beta", "contentSharingSession", {"id": "x", "pngOfCurrentSlide": "iVBORw0KGgo="}, "no Edm.Stream"),
)  # fmt: skip


async def of_the_judge(judge):
    """Each wrong value must be found, each right one pass."""
    async with judge.case("judge", "an error body without innerError.date is found") as case:
        body = {"error": {"code": "x", "message": "y", "innerError": {"request-id": "x", "client-request-id": "x"}}}
        case.expect(csdl.judge_error(body), "it was not")
    if judge.schemas is None:
        return
    for version, name, value, finding in WRONG:
        async with judge.case("judge", f"{version} {name} {value}") as case:
            found = judge.schemas[version].judge(value, name)
            case.expect(
                not found if finding is None else any(finding in one for one in found),
                f"findings are {found}, expected {finding}",
            )


async def of_the_webhook(judge, webhook):
    """A post that the service did not sign is refused."""
    app, now = str(uuid.uuid4()), int(time.time())
    right = {
        "iss": "https://graph.microsoft.com",
        "aud": app,
        "tid": str(uuid.uuid4()),
        "iat": now,
        "nbf": now,
        "exp": now + 600,
    }
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kid = next(iter(webhook.keys))
    tokens = {
        "no token": None,
        "another key under a known kid": jwt.encode(right, key, "RS256", {"kid": kid}),
        "an unknown kid": jwt.encode(right, key, "RS256", {"kid": "other"}),
        "no signature": jwt.encode(right, None, "none", {"kid": kid}),
        "a shared secret": jwt.encode(right, "x" * 32, "HS256", {"kid": kid}),
    }
    for say, token in tokens.items():
        async with judge.case("judge", f"webhook: {say} is refused") as case:
            case.equal(await asyncio.to_thread(post, webhook, app, token), 401, "status")
    webhook.refused.clear()


def post(webhook, app, token):
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(f"{webhook.url}/{app}/v1.0-forged", data=b'{"value": []}', headers=headers)
    try:
        return urllib.request.urlopen(
            request, context=ssl.create_default_context(cafile=webhook.ca_file), timeout=20
        ).status
    except urllib.error.HTTPError as error:
        return error.code
