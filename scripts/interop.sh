#!/usr/bin/env bash
# Antiphon against strangers: aiortc, headless Chromium and `webrtc`, in both directions (see interop/run.py).
# Installs what it needs: a Python environment under .tools/interop, and Debian's chromium when run as root.
# What cannot be installed is printed as "not run"; a failed case makes the exit code 1.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=0
note() { printf '%-8s %-44s %s\n' "$1" "$2" "$3"; }

cargo build --release --locked -p antiphon-cli || exit 1
antiphon="${CARGO_TARGET_DIR:-target}/release/antiphon"

# webrtc: the offers of talkers are part of the demo; here it answers our bot's offer.
if cargo test --release --locked -q -p antiphon-cli --test webrtc_answers -- --nocapture; then
  note ok "webrtc answers" "see the test's own lines above"
else
  note FAIL "webrtc answers" "see above"
  failed=1
fi

venv=.tools/interop
stamp="$venv/.installed"
if ! cmp -s interop/requirements.txt "$stamp"; then
  echo "setting up $venv (aiortc and friends)"
  rm -rf "$venv"
  if ! python3 -m venv "$venv" 2>/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3 python3-venv >/dev/null
  fi
  if [ ! -x "$venv/bin/pip" ] && ! python3 -m venv --clear "$venv"; then
    note "not run" "aiortc, chromium" "python3 cannot make a virtual environment; install python3 and python3-venv"
    exit "$failed"
  fi
  if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r interop/requirements.txt; then
    note "not run" "aiortc, chromium" "pip could not install interop/requirements.txt; check the network and try again"
    exit "$failed"
  fi
  cp interop/requirements.txt "$stamp"
fi

chromium="$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)"
if [ -z "$chromium" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing Debian's chromium"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
  chromium="$(command -v chromium || true)"
fi
[ -n "$chromium" ] || note "not run" "chromium" "not found; install chromium (as root this script does it) and run again"

PYTHONPATH=interop PYTHONUNBUFFERED=1 "$venv/bin/python" interop/run.py "$antiphon" ${chromium:+"$chromium"} || failed=1
[ "$failed" = 0 ] && echo "interop: green" || echo "interop: failed"
exit "$failed"
