"""Judges the WAV files of the `quality` program and prints the table of `make quality`.

score.py DIR SEEDS reads speech-16k.wav and speech.json, and engine-… and bare-… of every condition and seed. Each segment is
found in the recording by cross-correlation, then judged: PESQ-WB (ITU-T P.862.2) against the speech, PLCMOS v2 without
it. Exit code 1 if the engine falls below the bare chain by more than the bar in a row that counts.
"""

import json
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import soundfile
from pesq import pesq
from scipy.signal import correlate, resample_poly

RATE = 16000
# Condition, and whether it is held against the bar: the bare chain knows no jitter.
CONDITIONS = [
    ("clean", True),
    ("random-5", True),
    ("random-10", True),
    ("random-20", True),
    ("bursty-10", True),
    ("jitter-40ms", False),
    ("jitter-40ms-random-10", False),
]
BARS = {"pesq": 0.10, "plcmos": 0.05}
MOST_ONSET_LOSS = 1.5  # dB, without loss on the network: a gate or a skipped packet that eats the start of a word
MOST_DELAY = int(0.4 * RATE)
SHIFTS = [0, 40, 80]  # samples: 0, 2.5 and 5 ms
# From this level on a 10 ms frame is a word, not the room around it.
WORD_DBFS = -32


def delay_of(reference, heard, begin, end):
    """How much later the speech of [begin, end) lies in what was heard, in samples."""
    window = heard[begin : end + MOST_DELAY]
    part = reference[begin:end]
    if len(window) < len(part):
        window = np.pad(window, (0, len(part) - len(window)))
    return int(np.argmax(correlate(window, part, mode="valid")))


def judge(path, reference, segments):
    """PESQ, PLCMOS, delay in ms and onset level in dB of each segment of one recording."""
    from speechmos import plcmos

    warnings.filterwarnings("ignore")
    heard, rate = soundfile.read(path)
    heard = np.clip(resample_poly(heard, 1, rate // RATE), -1, 1)
    heard = np.pad(heard, (0, 2 * RATE))
    rows = []
    for begin, end in segments:
        delay = delay_of(reference, heard, begin, end)
        part = heard[begin + delay : end + delay]
        # PLCMOS draws its raters and cuts its own frames: a shift of milliseconds moves it by 0.05, so it is asked thrice.
        np.random.seed(1)
        starts = [max(0, begin + delay - shift) for shift in SHIFTS]
        mos = np.mean([plcmos.run(heard[start : end + delay], RATE)["plcmos"] for start in starts])
        rows.append((pesq(RATE, reference[begin:end], part, "wb"), mos, delay * 1000 / RATE, onset(reference[begin:end], part)))
    return np.array(rows)


def onset(reference, heard):
    """Level of the 60 ms up to and in the first word of a segment, against the reference, in dB."""
    frames = reference[: len(reference) // 160 * 160].reshape(-1, 160)
    loud = int(np.argmax((frames**2).mean(axis=1) > 10 ** (WORD_DBFS / 10))) * 160
    power = [(x[max(0, loud - 480) : loud + 480] ** 2).mean() + 1e-12 for x in (reference, heard)]
    return 10 * np.log10(power[1] / power[0])


def main(folder, seeds):
    reference, _ = soundfile.read(f"{folder}/speech-16k.wav")
    with open(f"{folder}/speech.json", encoding="utf-8") as file:
        segments = json.load(file)["segments"]
    keys = [(chain, condition, seed) for condition, _ in CONDITIONS for chain in ("engine", "bare") for seed in range(1, seeds + 1)]
    paths = [f"{folder}/{chain}-{condition}-{seed}.wav" for chain, condition, seed in keys]
    with ProcessPoolExecutor(2) as pool:
        scores = dict(zip(keys, pool.map(judge, paths, [reference] * len(paths), [segments] * len(paths))))

    print(f"\nspeech {len(reference) / RATE:.0f} s, {seeds} seeds; 24 kb/s, complexity 5, FEC for 10 % loss; mean over segments and seeds")
    print(f"{'':22} | {'PESQ-WB':^22} | {'PLCMOS':^22} | {'delay ms':^13} | worst onset")
    print(f"{'condition':22} | engine   bare  engine-bare | engine   bare  engine-bare | engine   bare | dB to bare")
    failed = []
    for condition, counts in CONDITIONS:
        table = {c: np.stack([scores[c, condition, s] for s in range(1, seeds + 1)]) for c in ("engine", "bare")}
        engine, bare = (table[c].mean(axis=(0, 1)) for c in ("engine", "bare"))
        onset_loss = (table["engine"] - table["bare"])[:, :, 3].min()
        lost = {"pesq": bare[0] - engine[0], "plcmos": bare[1] - engine[1]}
        below = [name for name, bar in BARS.items() if counts and lost[name] > bar]
        failed += [f"{condition}: {name} {lost[name]:.3f} below the bare chain, more than {BARS[name]}" for name in below]
        if condition == "clean" and onset_loss < -MOST_ONSET_LOSS:
            below.append("onset")
            failed.append(f"clean: a word starts {-onset_loss:.1f} dB fainter than in the bare chain, more than {MOST_ONSET_LOSS}")
        verdict = "" if not counts else "  FAIL" if below else "  ok"
        print(
            f"{condition:22} | {engine[0]:6.3f} {bare[0]:6.3f}  {-lost['pesq']:+11.3f} | {engine[1]:6.3f} {bare[1]:6.3f}  "
            f"{-lost['plcmos']:+11.3f} | {engine[2]:6.1f} {bare[2]:6.1f} | {onset_loss:+10.1f}{verdict}"
        )
    for line in failed:
        print("quality:", line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
