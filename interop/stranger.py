"""A participant on aiortc: joins an emulator meeting by offer, speaks a tone and listens."""

import asyncio

import aioice.ice
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription

from sound import Ear, Tone

# aiortc leaves loopback out of its candidates; everything here runs on loopback.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class Stranger:
    """One aiortc peer connection in a meeting; `codec` is the only one it offers, if given."""

    def __init__(self, emulator, meeting, name, hertz, codec=None):
        self.emulator, self.meeting, self.name = emulator, meeting, name
        self.peer = RTCPeerConnection()
        transceiver = self.peer.addTransceiver(Tone(hertz), direction="sendrecv")
        if codec:
            known = RTCRtpSender.getCapabilities("audio").codecs
            transceiver.setCodecPreferences([known for known in known if known.mimeType == f"audio/{codec}"])
        self.answer = None
        self.ear = None
        self.participant = None
        self.connected = asyncio.Event()
        self.peer.on("track", self._track)
        self.peer.on("connectionstatechange", self._state)

    def _track(self, track):
        self.ear = Ear(track)

    def _state(self):
        if self.peer.connectionState == "connected":
            self.connected.set()

    async def join(self):
        await self.peer.setLocalDescription(await self.peer.createOffer())
        local = self.peer.localDescription
        body = {"displayName": self.name, "offer": {"type": local.type, "sdp": local.sdp}}
        joined = await asyncio.to_thread(
            self.emulator.admin, "POST", f"/meetings/{self.meeting['id']}/participants", body
        )
        self.participant = joined["participantId"]
        self.answer = joined["answer"]["sdp"]
        await self.peer.setRemoteDescription(RTCSessionDescription(**joined["answer"]))
        await asyncio.wait_for(self.connected.wait(), 15)

    async def leave(self):
        path = f"/meetings/{self.meeting['id']}/participants/{self.participant}"
        await asyncio.to_thread(self.emulator.admin, "DELETE", path)
        await self.peer.close()
