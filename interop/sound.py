"""Tones out, tones in: what every stranger says, and how it is proven that somebody hears it.

A participant speaks one sine. A listener decodes what it receives, takes the spectrum, and reports the peaks.
Packet counts prove nothing here: only decoded sound does.
"""

import asyncio
import fractions

import numpy
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

RATE = 48_000
FRAME = RATE // 50
AMPLITUDE = 0.25
LOWEST_HZ, HIGHEST_HZ = 150.0, 2500.0
FLOOR_DBFS = -45.0


class Tone(MediaStreamTrack):
    """A sine in 20 ms mono frames, paced by the clock."""

    kind = "audio"

    def __init__(self, hertz):
        super().__init__()
        self.hertz = hertz
        self.samples = 0
        self.start = None

    async def recv(self):
        loop = asyncio.get_running_loop()
        if self.start is None:
            self.start = loop.time()
        wait = self.start + self.samples / RATE - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        when = numpy.arange(self.samples, self.samples + FRAME) / RATE
        wave = numpy.sin(2 * numpy.pi * self.hertz * when) * AMPLITUDE * 32767
        frame = AudioFrame.from_ndarray(wave.astype(numpy.int16).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = self.samples
        frame.time_base = fractions.Fraction(1, RATE)
        self.samples += FRAME
        return frame


class Ear:
    """Collects the decoded samples of one remote track."""

    def __init__(self, track):
        self.track = track
        self.chunks = []
        self.task = asyncio.ensure_future(self._listen())

    async def _listen(self):
        try:
            while True:
                frame = await self.track.recv()
                samples = frame.to_ndarray().astype(numpy.float32) / 32768
                channels = len(frame.layout.channels)
                if channels > 1 and samples.shape[0] == 1:
                    samples = samples.reshape(-1, channels).mean(axis=1)
                else:
                    samples = samples.mean(axis=0)
                self.chunks.append((frame.sample_rate, samples))
        except MediaStreamError:
            pass

    def forget(self):
        """Starts afresh, so that set-up is not part of what is measured."""
        self.chunks.clear()

    def peaks(self):
        if not self.chunks:
            return []
        rate = self.chunks[-1][0]
        return peaks(numpy.concatenate([samples for _, samples in self.chunks]), rate)


def peaks(samples, rate, most=6):
    """The strongest spectral lines as (Hz, dBFS of that sine), strongest first."""
    length = rate // 2
    count = len(samples) // length
    if count == 0:
        return []
    window = numpy.hanning(length)
    blocks = samples[: count * length].reshape(count, length) * window
    # A full-scale sine gives a quarter of the window length in its bin.
    lines = numpy.sqrt((numpy.abs(numpy.fft.rfft(blocks, axis=1)) ** 2).mean(axis=0)) / (length / 4)
    level = 20 * numpy.log10(numpy.maximum(lines, 1e-9))
    hertz = numpy.fft.rfftfreq(length, 1 / rate)
    found = []
    for index in numpy.argsort(level)[::-1]:
        if level[index] < FLOOR_DBFS or len(found) == most:
            break
        if LOWEST_HZ <= hertz[index] <= HIGHEST_HZ and all(abs(hertz[index] - f) > 24 for f, _ in found):
            found.append((float(hertz[index]), float(level[index])))
    return found


def near(found, hertz, within=6.0):
    """The peak at `hertz`, or None."""
    for peak in found:
        if abs(peak[0] - hertz) <= within:
            return peak
    return None
