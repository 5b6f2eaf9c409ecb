#!/usr/bin/env bash
# Runs the criterion benches and prints one table at the end: each stage's time, beside one encode and one decode of the
# same run, and the whole tick beside the codec calls in it. Arguments filter benches, or are criterion's own options.
# Short by default; `scripts/bench.sh --measurement-time 5` takes longer and is quieter. With --test each runs once, for
# no figures.
set -euo pipefail
cd "$(dirname "$0")/.."

options=(--warm-up-time 0.5 --measurement-time 1.5)
case " $* " in *" --measurement-time"*) options=() ;; esac
results="${CARGO_TARGET_DIR:-target}/criterion"
measured() { [ -d "$results" ] && find "$results" -type d -name new -prune "$@"; }
case " $* " in
  *" --test "*) exec cargo bench --locked -p antiphon-benches --benches -- "$@" ;;
esac
# The table is of this run alone. What criterion compares with is kept elsewhere.
measured -exec rm -rf {} + || true
rm -f "$results/tick.txt"
cargo bench --locked -p antiphon-benches --benches -- "${options[@]}" "$@"
if [ -n "$(measured -print)" ]; then
  cargo run --quiet --release --locked -p antiphon-benches --bin bench-table
fi
