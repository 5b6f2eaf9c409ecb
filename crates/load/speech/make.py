#!/usr/bin/env python3
"""Makes the speech files beside this script with espeak-ng. README.md says what they are for.

Needs espeak-ng and nothing but Python's standard library. Run it in this folder; it overwrites *.wav.
"""
import array
import math
import subprocess
import sys
import wave

RATE = 16_000
RMS_DBFS = -23.0
# name, voice+variant, pitch, speed, word gap, text
TALKERS = [
    ("ada", "en-gb+f2", 70, 165, 0, "Good morning everybody. I am Ada, and I have the agenda: first the harbour, then the boats."),
    ("boris", "en-us+m3", 25, 150, 0, "Thank you. This is Boris. The numbers for last week are better than we had expected."),
    ("clara", "en-gb-x-rp+f4", 88, 175, 0, "Clara here. Could somebody tell me when the new engine arrives, and who is going to pay for it?"),
    ("dmitri", "en-gb-scotland+m7", 40, 160, 0, "My name is Dmitri. We have moved eleven crates to the north side, and four are still missing."),
    ("edith", "en-029+f5", 55, 155, 0, "It is Edith again. The weather turns on Thursday, so please bring the smaller boats in early."),
    ("felix", "en-us-nyc+m1", 62, 180, 0, "Felix speaking. I asked the office twice, and both times they promised an answer by the evening."),
    ("greta", "en-gb-x-gbclan+f3", 78, 170, 0, "Hello, this is Greta. We should count the lamps, paint the railing, and order seven more ropes."),
    ("hugo", "en-gb-x-gbcwmd+m5", 12, 145, 0, "And I am Hugo. Every one of these questions was settled in June; we only have to do it."),
]


def spoken(voice, pitch, speed, gap, text):
    """One utterance from espeak-ng as floats, with its rate."""
    command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "-g", str(gap), "--stdout", text]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    # The length fields of a piped WAV are not filled in: 44 bytes of header, then samples.
    rate = int.from_bytes(raw[24:28], "little")
    samples = array.array("h", raw[44 : 44 + (len(raw) - 44) // 2 * 2])
    return [s / 32768 for s in samples], rate


def resampled(samples, rate):
    """Windowed-sinc resampling to RATE, cut at 7.6 kHz."""
    half, cut = 40, 7_600 / rate * 2
    out = []
    for n in range(len(samples) * RATE // rate):
        at = n * rate / RATE
        centre, total = int(at), 0.0
        for k in range(max(0, centre - half + 1), min(len(samples), centre + half + 1)):
            t = k - at
            window = 0.5 + 0.5 * math.cos(math.pi * t / half) if abs(t) < half else 0.0
            x = math.pi * cut * t
            total += samples[k] * window * cut * (math.sin(x) / x if x else 1.0)
        out.append(total)
    return out


def trimmed(samples):
    """Without the silence before and after."""
    loud = [i for i, s in enumerate(samples) if abs(s) > 0.003]
    return samples[loud[0] : loud[-1] + 1]


def main():
    for name, *voice, text in TALKERS:
        samples, rate = spoken(*voice, text)
        samples = trimmed(resampled(samples, rate))
        rms = math.sqrt(sum(s * s for s in samples) / len(samples))
        gain = 10 ** (RMS_DBFS / 20) / rms
        peak = max(abs(s) for s in samples) * gain
        if peak > 0.99:
            sys.exit(f"{name} would clip: peak {peak:.2f}")
        with wave.open(f"{name}.wav", "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(array.array("h", [round(s * gain * 32767) for s in samples]).tobytes())
        print(f"{name}: {len(samples) / RATE:.2f} s, peak {20 * math.log10(peak):.1f} dBFS")


if __name__ == "__main__":
    main()
