#!/usr/bin/env bash
# One media thread at 70 % of a core for SOAK_SECONDS seconds (600), with churn, beside a canary thread that only sleeps to the same
# deadlines. Prints a line every ten seconds and a summary, and fails if that is not good; Ctrl-C ends it with the summary so
# far. Give it a quiet machine: what the canary is late, the machine is.
set -euo pipefail
cd "$(dirname "$0")/.."

exec cargo bench --quiet --locked -p antiphon-benches --bench soak -- --seconds "${SOAK_SECONDS:-600}" "$@"
