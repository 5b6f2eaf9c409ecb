"""Plain RTP legs against ffmpeg and GStreamer, both ways, in Opus and PCMU, and against ffmpeg's SRTP.

    plain.py ANTIPHON

Per case a meeting with two plain legs: one hears what the tool sends, the other sends to the tool what is heard there.
The tone that the tool says must be in the tool's own recording. Only the standard library is needed.
"""

import base64
import math
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import wave

from service import Emulator

SECONDS = 5
SUITE = "AES_CM_128_HMAC_SHA1_80"
results = []


def say(outcome, case, detail):
    results.append(outcome)
    print(f"{outcome:8} {case:44} {detail}", flush=True)


def free_port():
    """An even port with a free one above it, where RTCP of tools without rtcp-mux goes."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtcp:
            rtp.bind(("127.0.0.1", 0))
            port = rtp.getsockname()[1]
            if port % 2:
                continue
            try:
                rtcp.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def share(path, hertz):
    """Of the recording's power behind its first second, the part at `hertz`; and its level in dBFS of a sine."""
    with open(path, "rb") as file:
        data = file.read()
    with wave.open(path, "rb") as recording:
        rate, channels = recording.getframerate(), recording.getnchannels()
    # A tool that was stopped may not have written the length, so the header's is not believed.
    start = data.index(b"data") + 8
    count = (len(data) - start) // (2 * channels)
    samples = struct.unpack_from(f"<{count * channels}h", data, start)[::channels]
    samples = [s / 32768 for s in samples[rate:]]
    block = rate // 10
    at = power = 0.0
    for first in range(0, len(samples) - block + 1, block):
        piece = samples[first : first + block]
        energy = sum(s * s for s in piece)
        if energy == 0.0:
            continue
        step = 2 * math.pi * hertz / rate
        real = sum(s * math.cos(step * i) for i, s in enumerate(piece))
        imaginary = sum(s * math.sin(step * i) for i, s in enumerate(piece))
        at += 2 * (real * real + imaginary * imaginary) / block
        power += energy
    if power == 0.0:
        return 0.0, -100.0, len(samples) / rate
    return at / power, 10 * math.log10(2 * at / max(len(samples), 1) + 1e-10), len(samples) / rate


class Codec:
    def __init__(self, name, number, sdp, ffmpeg, gst_out, gst_in, caps):
        self.name, self.number, self.sdp = name, number, sdp
        self.ffmpeg, self.gst_out, self.gst_in, self.caps = ffmpeg, gst_out, gst_in, caps


OPUS = Codec(
    "opus", 96, "opus/48000/2", "-ar 48000 -ac 1 -c:a libopus -b:a 32k -frame_duration 20 -application voip",
    "audio/x-raw,rate=48000,channels=1 ! opusenc frame-size=20 ! rtpopuspay pt=96",
    "rtpopusdepay ! opusdec", "encoding-name=OPUS,clock-rate=48000,payload=96",
)
PCMU = Codec(
    "pcmu", 0, "PCMU/8000", "-af aresample=8000,asetnsamples=n=160:p=0 -ac 1 -c:a pcm_mulaw",
    "audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay pt=0 min-ptime=20000000 max-ptime=20000000",
    "rtppcmudepay ! mulawdec", "encoding-name=PCMU,clock-rate=8000,payload=0",
)


def key():
    return base64.b64encode(os.urandom(30)).decode()


class Ffmpeg:
    name, program = "ffmpeg", "ffmpeg"

    @staticmethod
    def talk(codec, hertz, to, secret):
        host, port = to.rsplit(":", 1)
        source = f"sine=frequency={hertz}:sample_rate=48000:duration=60,volume=2"
        command = f"ffmpeg -hide_banner -loglevel error -nostats -re -f lavfi -i {source} {codec.ffmpeg} -payload_type {codec.number}"
        # RTCP to the same port; from which port it comes is ffmpeg's own affair.
        if secret:
            command += f" -srtp_out_suite {SUITE} -srtp_out_params {secret} -f rtp srtp://{host}:{port}?rtcpport={port}"
        else:
            command += f" -f rtp rtp://{host}:{port}?rtcpport={port}"
        return command.split()

    @staticmethod
    def listen(codec, port, path, secret, folder):
        protocol = "RTP/SAVP" if secret else "RTP/AVP"
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
        lines += [f"m=audio {port} {protocol} {codec.number}", f"a=rtpmap:{codec.number} {codec.sdp}"]
        if secret:
            lines.append(f"a=crypto:1 {SUITE} inline:{secret}")
        description = f"{folder}/{port}.sdp"
        with open(description, "w") as file:
            file.write("\r\n".join(lines) + "\r\n")
        command = f"ffmpeg -hide_banner -loglevel error -protocol_whitelist file,udp,rtp,srtp -i {description}"
        return f"{command} -c:a pcm_s16le -f wav -y {path}".split()


class Gstreamer:
    name, program = "gstreamer", "gst-launch-1.0"

    @staticmethod
    def talk(codec, hertz, to, secret):
        host, port = to.rsplit(":", 1)
        source = f"audiotestsrc is-live=true freq={hertz} volume=0.25 ! audioconvert ! audioresample"
        return f"gst-launch-1.0 -q {source} ! {codec.gst_out} ! udpsink host={host} port={port}".split()

    @staticmethod
    def listen(codec, port, path, secret, folder):
        caps = f"application/x-rtp,media=audio,{codec.caps}"
        play = f"audioconvert ! audio/x-raw,format=S16LE ! wavenc ! filesink location={path}"
        return f"gst-launch-1.0 -q -e udpsrc port={port} caps={caps} ! rtpjitterbuffer ! {codec.gst_in} ! {play}".split()


def run(emulator, folder, tool, codec, secured, hertz):
    """One case; again and for longer if the tools were too slow to start, as they are on a busy machine."""
    case = f"{tool.name} {codec.name}{' with SRTP' if secured else ''}"
    for patience in (1, 3, 8):
        good, heard = attempt(emulator, folder, tool, codec, secured, hertz, case, SECONDS * patience + 1)
        if good:
            break
    say("ok" if good else "FAIL", case, heard)


def attempt(emulator, folder, tool, codec, secured, hertz, case, seconds):
    """Whether the tone was heard for long enough within so many seconds, and what was heard."""
    meeting = emulator.meeting(case)
    port, recording = free_port(), f"{folder}/{tool.name}-{codec.name}-{secured}.wav"
    talks, hears = key() if secured else None, key() if secured else None

    def leg(ours, theirs, **more):
        if secured:
            more["srtp"] = {"suite": SUITE, "ourKey": f"inline:{ours}", "theirKey": f"inline:{theirs}"}
        more.update(codec=codec.name, payloadType=codec.number)
        return emulator.admin("POST", f"/meetings/{meeting['id']}/plainLegs", more)

    listener = tool.listen(codec, port, recording, hears, folder)
    processes = [subprocess.Popen(listener, stdin=subprocess.DEVNULL)]
    try:
        leg(hears, key(), displayName="listener", remoteAddress=f"127.0.0.1:{port}")
        talker = leg(key(), talks, displayName="talker")
        command = tool.talk(codec, hertz, talker["localAddress"], talks)
        processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        time.sleep(seconds)
    finally:
        for process in processes:
            process.send_signal(signal.SIGINT)
        for process in processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
    emulator.admin("DELETE", f"/meetings/{meeting['id']}")
    if not os.path.exists(recording):
        return False, "nothing was recorded"
    part, level, length = share(recording, hertz)
    os.remove(recording)
    return part > 0.9 and length > SECONDS / 2, f"heard {hertz} Hz at {level:.1f} dBFS, {100 * part:.1f} % of {length:.1f} s"


def main():
    antiphon = sys.argv[1]
    tools = [tool for tool in (Ffmpeg, Gstreamer) if shutil.which(tool.program)]
    for tool in (Ffmpeg, Gstreamer):
        if tool not in tools:
            say("not run", f"{tool.name}, plain RTP", f"{tool.program} not found; install Debian's {tool.name} packages")
    if not tools:
        return 0
    with tempfile.TemporaryDirectory(prefix="antiphon-plain-", ignore_cleanup_errors=True) as folder:
        emulator = Emulator(antiphon, folder, None)
        try:
            for tool in tools:
                for codec, hertz in ((OPUS, 500), (PCMU, 800)):
                    run(emulator, folder, tool, codec, False, hertz)
            if Ffmpeg in tools:
                run(emulator, folder, Ffmpeg, OPUS, True, 600)
        finally:
            emulator.stop()
    return 1 if "FAIL" in results else 0


if __name__ == "__main__":
    sys.exit(main())
