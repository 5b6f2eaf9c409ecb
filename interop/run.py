"""Antiphon against strangers. Prints one line per case with measured figures; exits 1 if any case fails.

    run.py ANTIPHON [CHROMIUM]

Every claim is checked on decoded sound: each participant speaks one tone, and each listener's spectrum must show
the tones of the others and not its own.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import traceback

from answering_service import LANE_SOURCE, AnsweringService
from browser import Browser
from certificates import certificate
from service import Emulator
from sound import near
from stranger import Stranger

AIORTC_HZ, BROWSER_HZ, BOT_HZ, LANE_HZ = 440.0, 660.0, 990.0, 1320.0
SECONDS = 5.0
results = []


def say(outcome, case, detail):
    results.append(outcome)
    print(f"{outcome:8} {case:44} {detail}", flush=True)


def check(case, found, expected, forbidden=()):
    """`found` must show every expected tone and none of the forbidden ones."""
    shown = ", ".join(f"{hertz:.0f} Hz {level:.1f} dB" for hertz, level in found) or "silence"
    missing = [hertz for hertz in expected if not near(found, hertz)]
    wrong = [hertz for hertz in forbidden if near(found, hertz)]
    detail = f"heard {shown}"
    if missing:
        detail += f"; missing {', '.join(f'{hertz:.0f} Hz' for hertz in missing)}"
    if wrong:
        detail += f"; must not contain {', '.join(f'{hertz:.0f} Hz' for hertz in wrong)}"
    say("FAIL" if missing or wrong else "ok", case, detail)


def check_that(case, holds, detail):
    say("ok" if holds else "FAIL", case, detail)


class Probe:
    """`antiphon probe`: our bot, its own process."""

    def __init__(self, antiphon, identity, *options):
        _, chain, key = identity
        self.command = [antiphon, "probe", "--tone", str(BOT_HZ), "--seconds", str(SECONDS + 3)]
        self.command += ["--webhook-tls", f"{chain},{key}", *options]

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            *self.command, stdout=asyncio.subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        line = await asyncio.wait_for(self.process.stdout.readline(), 30)
        if not line:
            raise RuntimeError("the probe ended before its call was established; its message is above")
        self.started = json.loads(line)

    async def result(self):
        text = await asyncio.wait_for(self.process.stdout.read(), 40)
        code = await self.process.wait()
        if code != 0:
            raise RuntimeError(f"the probe ended with {code}; its message is above")
        return json.loads(text)


def tones(lines):
    return [(line["hz"], line["dbfs"]) for line in lines]


def lane_of(result, source):
    for lane in result["lanes"]:
        if lane["sourceId"] == int(source):
            return tones(lane["peaks"])
    return []


def probe_in(antiphon, identity, emulator, meeting):
    options = ["--graph-url", emulator.url, "--ca-file", emulator.ca_file, "--tenant", emulator.tenant]
    options += ["--app", Emulator.APP, "--secret", Emulator.SECRET, "--meeting", meeting["joinMeetingId"]]
    if meeting.get("passcode"):
        options += ["--passcode", meeting["passcode"]]
    return Probe(antiphon, identity, *options)


async def aiortc_offers(antiphon, identity, emulator):
    """aiortc joins an emulator meeting by offer; our bot is in it."""
    meeting = await asyncio.to_thread(emulator.meeting, "aiortc offers")
    stranger = Stranger(emulator, meeting, "aiortc", AIORTC_HZ)
    await stranger.join()
    bot = probe_in(antiphon, identity, emulator, meeting)
    await bot.start()
    await asyncio.sleep(1.5)
    stranger.ear.forget()
    await asyncio.sleep(SECONDS)
    check("aiortc offers: it hears the bot", stranger.ear.peaks(), [BOT_HZ], [AIORTC_HZ])
    result = await bot.result()
    check("aiortc offers: the bot hears it in the mix", tones(result["mixed"]), [AIORTC_HZ], [BOT_HZ])
    await stranger.leave()


async def telephone_offers(antiphon, identity, emulator, codec, payload_type):
    """aiortc with G.711 only and aiortc with Opus in one meeting with our bot."""
    case = f"aiortc with {codec} only"
    meeting = await asyncio.to_thread(emulator.meeting, case)
    phone = Stranger(emulator, meeting, "telephone", AIORTC_HZ, codec)
    other = Stranger(emulator, meeting, "aiortc", BROWSER_HZ)
    await phone.join()
    await other.join()
    bot = probe_in(antiphon, identity, emulator, meeting)
    await bot.start()
    await asyncio.sleep(1.5)
    phone.ear.forget()
    other.ear.forget()
    await asyncio.sleep(SECONDS)
    lines = [line for line in phone.answer.splitlines() if line.startswith("m=audio")]
    check_that(f"{case}: the answer takes it", [line.split()[3:] for line in lines] == [[str(payload_type)]], "; ".join(lines))
    check(f"{case}: it hears bot and Opus", phone.ear.peaks(), [BOT_HZ, BROWSER_HZ], [AIORTC_HZ])
    check(f"{case}: Opus hears it and the bot", other.ear.peaks(), [BOT_HZ, AIORTC_HZ], [BROWSER_HZ])
    result = await bot.result()
    check(f"{case}: the bot hears both mixed", tones(result["mixed"]), [AIORTC_HZ, BROWSER_HZ], [BOT_HZ])
    heard = sorted(tones(lane["peaks"]) for lane in result["lanes"])
    apart = [[round(hz / 10) * 10 for hz, _ in lane] for lane in heard]
    detail = "; ".join(f"{hz:.0f} Hz {level:.1f} dB" for lane in heard for hz, level in lane)
    check_that(f"{case}: the bot hears each apart", apart == [[440], [660]], detail)
    await phone.leave()
    await other.leave()


async def chromium_joins(antiphon, identity, emulator, chromium, folder):
    """Chromium, aiortc and our bot in one meeting; each must hear the two others and not itself."""
    meeting = await asyncio.to_thread(emulator.meeting, "browser")
    browser = Browser(chromium, folder, emulator.url)
    stranger = None
    try:
        await browser.open(f"{emulator.url}/emulator/meetings/{meeting['id']}/join?tone={BROWSER_HZ:.0f}")
        await browser.connected()
        stranger = Stranger(emulator, meeting, "aiortc", AIORTC_HZ)
        await stranger.join()
        bot = probe_in(antiphon, identity, emulator, meeting)
        await bot.start()
        await asyncio.sleep(1.5)
        stranger.ear.forget()
        await asyncio.sleep(SECONDS)
        check("chromium hears aiortc and the bot", await browser.peaks(), [AIORTC_HZ, BOT_HZ], [BROWSER_HZ])
        inbound = await browser.evaluate("antiphonInterop.inbound()")
        check("aiortc hears chromium and the bot", stranger.ear.peaks(), [BROWSER_HZ, BOT_HZ], [AIORTC_HZ])
        result = await bot.result()
        check("the bot hears chromium and aiortc mixed", tones(result["mixed"]), [BROWSER_HZ, AIORTC_HZ], [BOT_HZ])
        both = sorted(tuple(round(hz / 10) * 10 for hz, _ in tones(lane["peaks"])[:1]) for lane in result["lanes"])
        check_that(
            "the bot hears each of them unmixed",
            both == [(440,), (660,)] and all(len(lane["peaks"]) == 1 for lane in result["lanes"]),
            "; ".join(
                f"source {lane['sourceId']}: " + ", ".join(f"{hz:.0f} Hz {level:.1f} dB" for hz, level in tones(lane["peaks"]))
                for lane in result["lanes"]
            ),
        )
        received = sum(stream["packets"] for stream in inbound)
        detail = "; ".join(f"{s['packets']} packets, {s['lost']} lost, {s['concealed']} samples concealed" for s in inbound)
        check_that("chromium received without loss", received > 100 and all(s["lost"] == 0 for s in inbound), detail)
    finally:
        if stranger:
            await stranger.leave()
        await browser.close()


async def aiortc_answers(antiphon, identity):
    """aiortc answers the offer in our bot's blob, behind a calling service that is not ours."""
    service = AnsweringService(identity, AIORTC_HZ, LANE_HZ)
    await service.start()
    try:
        options = ["--graph-url", service.url, "--ca-file", service.ca_file, "--tenant", service.tenant]
        options += ["--app", Emulator.APP, "--secret", "any", "--meeting", "123456789"]
        bot = Probe(antiphon, identity, *options)
        await bot.start()
        await asyncio.wait_for(service.connected.wait(), 15)
        await asyncio.sleep(1.5)
        service.ear.forget()
        await asyncio.sleep(SECONDS)
        check("aiortc answers: it hears the bot", service.ear.peaks(), [BOT_HZ], [AIORTC_HZ, LANE_HZ])
        result = await bot.result()
        check("aiortc answers: the bot hears the mix", tones(result["mixed"]), [AIORTC_HZ], [LANE_HZ, BOT_HZ])
        check("aiortc answers: the bot hears the lane", lane_of(result, LANE_SOURCE), [LANE_HZ], [AIORTC_HZ, BOT_HZ])
        mids = [line for line in service.offer.splitlines() if line.startswith("a=mid:")]
        check_that("the offer has both m-lines", mids == ["a=mid:mix", "a=mid:lanes"], " ".join(mids))
        accepted = bool(service.replies) and all(status == 202 for status in service.replies)
        check_that("its notifications were accepted", accepted, f"HTTP {service.replies}")
        check_that("the bot hung up", service.deleted.is_set(), "DELETE came" if service.deleted.is_set() else "no DELETE")
    finally:
        await service.stop()


async def guarded(name, work):
    try:
        await work
    except Exception as error:  # one broken case must not hide the others
        traceback.print_exc()
        say("FAIL", name, f"{type(error).__name__}: {error}")


async def main():
    antiphon = sys.argv[1]
    chromium = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(prefix="antiphon-interop-", ignore_cleanup_errors=True) as folder:
        identity = certificate(folder)
        emulator = Emulator(antiphon, folder, identity[0])
        try:
            await guarded("aiortc offers", aiortc_offers(antiphon, identity, emulator))
            for codec, payload_type in (("PCMU", 0), ("PCMA", 8)):
                work = telephone_offers(antiphon, identity, emulator, codec, payload_type)
                await guarded(f"aiortc with {codec} only", work)
            if chromium:
                await guarded("chromium joins", chromium_joins(antiphon, identity, emulator, chromium, folder))
            else:
                say("not run", "chromium joins", "no chromium found and it could not be installed")
            await guarded("aiortc answers", aiortc_answers(antiphon, identity))
        finally:
            emulator.stop()
    return 1 if "FAIL" in results else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
