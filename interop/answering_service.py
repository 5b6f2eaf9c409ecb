"""A calling service that is not ours: just enough Graph for one bot, with aiortc as its media side.

The bot's offer arrives in `appHostedMediaConfig.blob` with two audio m-lines, `mix` (sendrecv) and `lanes`
(recvonly). aiortc answers it, speaks one tone on `mix` and another on the lane of a participant, and listens to
what the bot says. Shares no code with the Rust side; shapes are those of the public reference pages.
"""

import asyncio
import base64
import json
import ssl
import time
import uuid

import aioice.ice
import aiohttp
from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import RtpPacket
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sound import Ear, Tone

aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

LANE_SOURCE = 4242
CONTRIBUTORS = {}  # SSRC → CSRC list; aiortc itself never writes CSRCs
_serialize = RtpPacket.serialize


def _with_contributors(packet, *args, **kwargs):
    packet.csrc = CONTRIBUTORS.get(packet.ssrc, packet.csrc)
    return _serialize(packet, *args, **kwargs)


RtpPacket.serialize = _with_contributors


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class AnsweringService:
    """One call, one bot."""

    def __init__(self, identity, mix_hertz, lane_hertz):
        self.ca_file, self.chain_file, self.key_file = identity
        self.mix_hertz, self.lane_hertz = mix_hertz, lane_hertz
        self.tenant = str(uuid.uuid4())
        self.call_id = str(uuid.uuid4())
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.ear = None
        self.peer = None
        self.offer = None
        self.callback = None
        self.app = None
        self.deleted = asyncio.Event()
        self.connected = asyncio.Event()
        self.replies = []

    async def start(self):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain_file, self.key_file)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.serve)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.url = f"https://127.0.0.1:{self.runner.addresses[0][1]}"

    async def stop(self):
        if self.peer:
            await self.peer.close()
        await self.runner.cleanup()

    async def serve(self, request):
        path = "/" + request.match_info["path"]
        lower = path.lower()
        if lower.endswith(("openid-configuration", "openidconfiguration")):
            return web.json_response(
                {
                    "issuer": "https://api.botframework.com" if "/v2.0/" not in lower else f"{self.url}/{self.tenant}/v2.0",
                    "token_endpoint": f"{self.url}/{self.tenant}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{self.url}/{self.tenant}/oauth2/v2.0/authorize",
                    "jwks_uri": f"{self.url}/keys",
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            )
        if lower == "/keys":
            return web.json_response({"keys": [self.public_key()]})
        if lower.endswith("/oauth2/v2.0/token"):
            form = await request.post()
            self.app = form.get("client_id")
            return web.json_response({"token_type": "Bearer", "expires_in": 3599, "access_token": "opaque"})
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            return self.error(401, "InvalidAuthenticationToken", "no bearer token")
        if request.method == "POST" and lower.endswith("/calls"):
            return await self.create(await request.json())
        if request.method == "DELETE" and lower.endswith(self.call_id):
            self.later(self.notify("deleted", "", {"@odata.type": "#microsoft.graph.call", "state": "terminated",
                       "id": self.call_id, "resultInfo": {"code": 200, "subcode": 0, "message": "done"}}))
            self.deleted.set()
            return web.Response(status=204)
        if lower.endswith("/keepalive"):
            return web.Response(status=200)
        if lower.endswith("/participants"):
            return web.json_response({"value": self.roster()})
        if request.method == "GET" and lower.endswith(self.call_id):
            return web.json_response(self.call("established"))
        return self.error(404, "7503", f"nothing at {path}")

    async def create(self, body):
        self.callback = body["callbackUri"]
        blob = json.loads(body["mediaConfig"]["blob"])
        ours = blob["antiphon"]
        self.offer = ours["sdp"]
        self.peer = RTCPeerConnection()
        self.peer.on("track", self.track)
        self.peer.on("connectionstatechange", self.state)
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp=ours["sdp"], type="offer"))
        mix, lanes = self.peer.getTransceivers()
        mix.sender.replaceTrack(Tone(self.mix_hertz))
        mix.direction = "sendrecv"
        lanes.sender.replaceTrack(Tone(self.lane_hertz))
        lanes.direction = "sendonly"
        CONTRIBUTORS[lanes.sender._ssrc] = [LANE_SOURCE]
        CONTRIBUTORS[mix.sender._ssrc] = [LANE_SOURCE]
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        answer = dict(blob)
        answer["antiphon"] = {"version": 1, "type": "answer", "sdp": self.peer.localDescription.sdp}
        call = self.call("establishing")
        call["callbackUri"] = self.callback
        call["mediaConfig"] = {"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": json.dumps(answer)}
        self.later(self.announce())
        headers = {"Location": f"{self.url}/v1.0/communications/calls/{self.call_id}"}
        return web.json_response(call, status=201, headers=headers)

    async def announce(self):
        await asyncio.sleep(0.05)
        for state in ("establishing", "established"):
            await self.notify("updated", "", self.call(state))
        await self.notify("updated", "/participants", self.roster())

    def track(self, track):
        if self.ear is None:
            self.ear = Ear(track)

    def state(self):
        if self.peer.connectionState == "connected":
            self.connected.set()

    def call(self, state):
        return {"@odata.type": "#microsoft.graph.call", "id": self.call_id, "state": state, "direction": "outgoing",
                "tenantId": self.tenant, "myParticipantId": "bot-participant"}

    def roster(self):
        def participant(number, kind, source):
            identity = {kind: {"id": number, "displayName": number}}
            stream = {"mediaType": "audio", "sourceId": str(source), "direction": "sendReceive", "serverMuted": False}
            return {"@odata.type": "#microsoft.graph.participant", "id": number, "isMuted": False, "isInLobby": False,
                    "info": {"identity": identity}, "mediaStreams": [stream]}

        return [participant("aiortc", "user", LANE_SOURCE), participant("bot-participant", "application", 1)]

    async def notify(self, change, suffix, data):
        notification = {"@odata.type": "#microsoft.graph.commsNotification", "changeType": change,
                        "resourceUrl": f"/communications/calls/{self.call_id}{suffix}", "resourceData": data}
        body = {"@odata.type": "#microsoft.graph.commsNotifications", "value": [notification]}
        trust = ssl.create_default_context(cafile=self.ca_file)
        headers = {"Authorization": f"Bearer {self.token()}"}
        async with aiohttp.ClientSession() as session:
            async with session.post(self.callback, json=body, headers=headers, ssl=trust) as reply:
                self.replies.append(reply.status)

    def public_key(self):
        numbers = self.key.public_key().public_numbers()
        parts = {name: b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))
                 for name, value in (("n", numbers.n), ("e", numbers.e))}
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "interop", **parts}

    def token(self):
        now = int(time.time())
        header = {"alg": "RS256", "typ": "JWT", "kid": "interop"}
        claims = {"iss": "https://api.botframework.com", "aud": self.app, "tid": self.tenant, "nbf": now - 60,
                  "iat": now, "exp": now + 3600}
        signing = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        return f"{signing}.{b64(self.key.sign(signing.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def later(self, work):
        self.task = asyncio.ensure_future(work)

    @staticmethod
    def error(status, code, message):
        return web.json_response({"error": {"code": code, "message": message}}, status=status)
