#!/usr/bin/env bash
# Instructions of each stage of the tick and of the whole tick, counted by callgrind and compared with the committed
# baseline, crates/pipeline/benches/counts.tsv: 3 % more is a failure. 'counts.sh --update' writes the baseline anew.
# Counts hold for one compiler: with another than the baseline's nothing is compared, and that is said. It is a failure
# where CI or COUNTS_STRICT is set, so that nobody takes a check that no longer runs for one that passes.
set -uo pipefail
cd "$(dirname "$0")/.."

baseline=crates/pipeline/benches/counts.tsv
if ! command -v valgrind >/dev/null; then
  echo "not run  counts: valgrind not found: install it (Debian: valgrind; as root scripts/setup.sh does it)"
  exit 0
fi
compiler="$(rustc --version | awk '{print $2}')"
known="$(sed -n 's/^# rustc //p' "$baseline" 2>/dev/null)"
if [ "${1:-}" != --update ] && [ "$compiler" != "$known" ]; then
  echo "not run  counts: the baseline is of rustc ${known:-none}, this is $compiler; 'make counts ARGS=--update' makes a new one"
  [ -z "${CI:-}${COUNTS_STRICT:-}" ]
  exit
fi

# What would make the compiler choose other instructions is left out of the environment: the target's baseline is meant.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS
built="$(cargo bench --locked -p antiphon-pipeline --bench counts --no-run --message-format=json-render-diagnostics)" || exit 1
program="$(sed -n 's/.*"executable":"\([^"]*counts-[^"]*\)".*/\1/p' <<<"$built" | tail -n1)"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
# The C library picks its memcpy by processor, too.
export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-AVX,-ERMS,-FSRM,-AVX512F,-AVX512VL
valgrind --tool=callgrind --callgrind-out-file="$scratch/dump" --compress-strings=no --compress-pos=no \
  --zero-before='counts::measured' --dump-after='counts::measured' \
  "$program" run >"$scratch/names" 2>"$scratch/log" || { tail -n 30 "$scratch/log"; exit 1; }
mkdir "$scratch/parts" && mv "$scratch"/dump* "$scratch/parts/" || exit 1
"$program" report "$scratch/parts" "$scratch/names" "$baseline" "$@" || exit 1
if [ "${1:-}" = --update ]; then
  sed -i "1a # rustc $compiler" "$baseline"
fi
