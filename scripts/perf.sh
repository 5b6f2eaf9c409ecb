#!/usr/bin/env bash
# Profiles the demo (or, with WHAT=bench, the whole-tick bench) with perf: see docs/perf.md.
# Builds the `perf` profile with frame pointers, in Rust and in libopus, then records and prints the top.
set -euo pipefail
cd "$(dirname "$0")/.."

export RUSTFLAGS="-C force-frame-pointers=yes" CFLAGS="-fno-omit-frame-pointer"
target="${CARGO_TARGET_DIR:-target}"
if ! command -v perf >/dev/null; then
  echo "perf: not found: install it (Debian: linux-perf), then run this again" >&2
  exit 1
fi
if ! perf record -o /dev/null true >/dev/null 2>&1; then
  echo "perf: the kernel does not let you record: as root, 'sysctl kernel.perf_event_paranoid=1'" >&2
  exit 1
fi

mkdir -p out
record=(perf record --call-graph fp -F 997 -o out/perf.data --)
if [ "${WHAT:-demo}" = bench ]; then
  cargo bench --profile perf --locked -p antiphon-benches --bench tick --no-run
  bench="$(find "$target/perf/deps" -name 'tick-*' -type f -perm -u+x -printf '%T@ %p\n' | sort -n | tail -n1 | cut -d' ' -f2)"
  "${record[@]}" "$bench" --bench --profile-time 10 "$@"
else
  cargo build --profile perf --locked -p antiphon-cli
  "${record[@]}" "$target/perf/antiphon" demo "$@"
fi
perf report -i out/perf.data --stdio --no-children --percent-limit 1 -g none 2>/dev/null | head -n 50
echo "recorded in out/perf.data: 'perf report -i out/perf.data' for more"
