"""The other side of a call, by the emulator's administration API: people who call, press keys, show a screen, let in."""

import base64
import struct
import zlib

from bench import Bench
from webhook import plain


def png(shade):
    """A picture of 16 × 16 grey dots."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + bytes([shade]) * 16 for _ in range(16))
    header = struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class People(Bench):
    """A bench with people in it."""

    async def is_called_by(self, user, meeting=None, **more):
        """A person calls the driver's application, out of a meeting or from nowhere; the announcement."""
        since = self.webhook.mark()
        body = {"appId": self.driver.app, **({"meetingId": meeting["id"]} if meeting else {}), **more}
        placed = await self.admin("POST", f"/users/{user['id']}/calls", body)
        return await self.announced(placed["callId"], since)

    async def is_to_record(self, user, meeting):
        """A recording policy calls the driver's application for a person in a meeting."""
        return await self.is_called_by(user, meeting, policyRecording=True)

    async def announced(self, call, since):
        def mine(note):
            return note.app == self.driver.app and note.change == "created" and note.state == "incoming"

        return await self.webhook.wait(mine, "an incoming call", since, call=call)

    async def presses(self, call, tones):
        """The person at the other end of a call presses keys."""
        found = (await self.admin("GET", "/conversations"))["value"]
        mine = plain(call["myParticipantId"])
        here = next(one for one in found if mine in {plain(who["participantId"]) for who in one["participants"]})
        other = next(who["participantId"] for who in here["participants"] if plain(who["participantId"]) != mine)
        await self.admin("POST", f"/meetings/{here['id']}/participants/{other}/tones", {"tones": tones})

    async def shares(self, meeting, participant, shade=200):
        slide = base64.b64encode(png(shade)).decode()
        await self.admin("PUT", f"/meetings/{meeting['id']}/participants/{participant}/sharing", {"slide": slide})

    async def stops_sharing(self, meeting, participant):
        await self.admin("DELETE", f"/meetings/{meeting['id']}/participants/{participant}/sharing")

    async def admits(self, call):
        await self.admin("POST", f"/calls/{call['id']}/admit")
