#!/usr/bin/env bash
# Runs the criterion benches and prints one table at the end: each stage's time, beside one encode and one decode of the
# same run, and the whole tick beside the codec calls in it. Arguments filter benches, or are criterion's own options.
# Short by default; `scripts/bench.sh --measurement-time 5` takes longer and is quieter.
set -euo pipefail
cd "$(dirname "$0")/.."

options=(--warm-up-time 0.5 --measurement-time 1.5)
case " $* " in *" --measurement-time"* | *" --test "*) options=() ;; esac
cargo bench --locked -p antiphon-benches --benches -- "${options[@]}" "$@"
cargo run --quiet --release --locked -p antiphon-benches --bin bench-table
