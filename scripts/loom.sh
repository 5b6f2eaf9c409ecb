#!/usr/bin/env bash
# Model-checks the hand-overs with loom. `--cfg loom` rebuilds everything below them, hence a target directory
# of its own. LOOM_MAX_PREEMPTIONS may be set to bound a model that has grown too large; now none needs it.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
RUSTFLAGS="--cfg loom -D warnings" cargo test --release --locked -p antiphon-rt --test loom_handover
