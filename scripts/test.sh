#!/usr/bin/env bash
# All tests of the workspace: documentation examples, benches in test mode, then unit, property, simulation and
# end-to-end tests (with nextest where it is installed: a process per test, hung tests are ended).
set -uo pipefail
cd "$(dirname "$0")/.."

failed=0
cargo test --quiet --locked --workspace --doc || failed=1
cargo test --quiet --locked -p antiphon-benches --benches -- --test || failed=1
if command -v cargo-nextest >/dev/null; then
  cargo nextest run --locked --workspace --no-fail-fast || failed=1
else
  cargo test --locked --workspace --lib --bins --tests --no-fail-fast || failed=1
fi
exit "$failed"
