"""Makes the fixed speech of `make quality`: real recordings, put in a row with pauses, at 48 kHz.

speech.py POCKETSPHINX_SDIST OUT_DIR writes OUT_DIR/speech.wav and OUT_DIR/speech.json (where each segment lies).
The recordings are the test data of the pocketsphinx source package: a public-domain audio book (LibriVox) and spoken
commands, 16 kHz. They are checked by SHA-256 of their samples, so that figures of two days can be compared.
"""

import hashlib
import io
import json
import sys
import tarfile

import numpy as np
import soundfile
from scipy.signal import resample_poly

BOOK = "librivox/sense_and_sensibility_01_austen_64kb-0{}.wav"
# Each segment is judged on its own; recordings in it, with the pause before each in seconds.
SEGMENTS = [
    [(0.6, BOOK.format(870))],
    [(1.2, BOOK.format(880)), (0.3, BOOK.format(930))],
    [(0.9, BOOK.format(890)), (0.5, "goforward.raw")],
    [(1.5, BOOK.format(920))],
    [(0.8, "cards/001.wav"), (0.7, "cards/002.wav"), (1.0, "cards/003.wav"), (0.4, "numbers.raw")],
    [(1.3, "forever/input_4_16k.wav"), (0.8, "something.raw")],
]
TAIL = 1.0
LEVEL_DBFS = -26.0
DIGEST = "18e8b2adc05eaece"


def recording(archive, name):
    """One recording of the source package as 16 kHz floats, without an offset, its active part at LEVEL_DBFS."""
    member = next(m for m in archive.getmembers() if m.name.endswith("/test/data/" + name))
    raw = archive.extractfile(member).read()
    if name.endswith(".raw"):
        samples, rate = np.frombuffer(raw, "<i2") / 32768.0, 16000
    else:
        samples, rate = soundfile.read(io.BytesIO(raw))
    if rate != 16000:
        raise SystemExit(f"{name}: {rate} Hz, not 16000")
    samples = samples - samples.mean()
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    power = (frames**2).mean(axis=1)
    active = power[power > power.max() * 1e-3]
    samples = samples * (10 ** (LEVEL_DBFS / 20) / np.sqrt(active.mean()))
    ramp = np.minimum(1.0, np.arange(len(samples)) / 80.0)  # 5 ms: no click where a recording is cut in
    return samples * ramp * ramp[::-1]


def main(sdist, out):
    row, segments, at = [], [], 0
    with tarfile.open(sdist) as archive:
        for parts in SEGMENTS:
            begin = None
            for pause, name in parts:
                row.append(np.zeros(int(pause * 16000)))
                at += len(row[-1])
                begin = max(0, at - 4800) if begin is None else begin
                row.append(recording(archive, name))
                at += len(row[-1])
            segments.append([begin, at])
    row.append(np.zeros(int(TAIL * 16000)))
    speech = np.round(np.clip(np.concatenate(row), -1, 1) * 32767).astype("<i2")
    digest = hashlib.sha256(speech.tobytes()).hexdigest()[:16]
    if digest != DIGEST:
        raise SystemExit(f"speech has digest {digest}, not {DIGEST}: figures would not be comparable with earlier ones")
    wide = resample_poly(speech / 32768.0, 3, 1)
    soundfile.write(f"{out}/speech.wav", wide, 48000, subtype="PCM_16")
    soundfile.write(f"{out}/speech-16k.wav", speech, 16000, subtype="PCM_16")
    with open(f"{out}/speech.json", "w", encoding="utf-8") as file:
        json.dump({"rate": 16000, "segments": segments, "digest": digest}, file)
    print(f"speech: {len(speech) / 16000:.1f} s in {len(segments)} segments")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
