#!/usr/bin/env bash
# Runs each fuzz target (or those named) for SECONDS_EACH seconds from its committed corpus, on stable Rust:
# `-s none`, since sanitizers need a nightly. What a run finds goes to a scratch corpus, not into the repository;
# a crash goes to fuzz/artifacts and its command to reproduce is printed.
set -uo pipefail
cd "$(dirname "$0")/.."

seconds="${SECONDS_EACH:-10}"
target="$(realpath -m "${CARGO_TARGET_DIR:-target}/fuzz")"
tool="$(scripts/tool.sh cargo-fuzz 0.13.2)" || exit 1
names=("$@")
[ ${#names[@]} != 0 ] || mapfile -t names < <(ls fuzz/fuzz_targets | sed -n 's/\.rs$//p')

unset CARGO_TARGET_DIR
"$tool" build -s none --target-dir "$target" || exit 1
failed=()
for name in "${names[@]}"; do
  scratch="$target/corpus/$name"
  mkdir -p "$scratch" "fuzz/corpus/$name"
  log="$target/$name.log"
  if "$tool" run -s none --target-dir "$target" "$name" "$scratch" "fuzz/corpus/$name" -- \
      -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 >"$log" 2>&1; then
    echo "fuzz $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs, no crash"
  else
    failed+=("$name")
    tail -n 40 "$log"
  fi
done
if [ ${#failed[@]} != 0 ]; then
  echo "fuzz: crashed: ${failed[*]}"
  exit 1
fi
