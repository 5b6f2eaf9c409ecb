#!/usr/bin/env bash
# Antiphon against strangers: aiortc, headless Chromium and `webrtc`, in both directions (interop/run.py), and the
# official Graph SDKs for Python and JavaScript against the emulator (interop/sdk/main.py).
# Installs what it needs: Python environments and Node packages under .tools, Debian's chromium and nodejs as root.
# What cannot be installed or held is printed as "not run"; a failed case makes the exit code 1. The last line is
# "interop: green" only if everything was run. INTEROP_STRICT=1 in the environment makes "not run" a failure, too.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=0
log="$(mktemp)" # of every verdict, to know in the end what was not run
trap 'rm -f "$log"' EXIT
note() { printf '%-8s %-44s %s\n' "$1" "$2" "$3" | tee -a "$log"; }
root_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }
install() { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null; }

# webrtc: the offers of talkers are part of the demo; here it answers our bot's offer. The binary is built with it, in
# the profile and with the features that `make test` uses, so that nothing is compiled twice.
cargo test --locked -q --workspace --test webrtc_answers --no-run || exit 1
if cargo test --locked -q --workspace --test webrtc_answers -- --nocapture; then
  note ok "webrtc answers" "see the test's own lines above"
else
  note FAIL "webrtc answers" "see above"
  failed=1
fi
antiphon="${CARGO_TARGET_DIR:-target}/debug/antiphon"
[ -x "$antiphon" ] || exit 1

# An environment for one requirements file; wheels only, compiled to bytecode as they are imported.
environment() { # folder, requirements file
  local venv="$1" wanted="$2"
  if cmp -s "$wanted" "$venv/.installed"; then return 0; fi
  echo "setting up $venv ($wanted)"
  rm -rf "$venv"
  if ! python3 -m venv "$venv" 2>/dev/null && root_apt; then install python3 python3-venv; fi
  if [ ! -x "$venv/bin/pip" ] && ! python3 -m venv --clear "$venv"; then
    echo "python3 cannot make a virtual environment; install python3 and python3-venv"
    return 1
  fi
  if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --only-binary :all: -r "$wanted"; then
    echo "pip could not install $wanted; check the network and try again"
    return 1
  fi
  cp "$wanted" "$venv/.installed"
}

if environment .tools/interop interop/requirements.txt; then
  chromium="$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)"
  if [ -z "$chromium" ] && root_apt; then
    echo "installing Debian's chromium"
    install chromium
    chromium="$(command -v chromium || true)"
  fi
  [ -n "$chromium" ] || note "not run" "chromium" "not found; install chromium (as root this script does it) and run again"
  PYTHONPATH=interop PYTHONUNBUFFERED=1 .tools/interop/bin/python interop/run.py "$antiphon" ${chromium:+"$chromium"} |
    tee -a "$log" || failed=1
else
  note "not run" "aiortc, chromium" "see above"
fi

# Plain RTP: only python3 and the tools themselves.
if ! { command -v ffmpeg && command -v gst-launch-1.0; } >/dev/null && root_apt; then
  echo "installing Debian's ffmpeg and GStreamer"
  install --no-install-recommends ffmpeg gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good || true
fi
PYTHONPATH=interop PYTHONUNBUFFERED=1 python3 interop/plain.py "$antiphon" | tee -a "$log" || failed=1

# The JavaScript client wants node 20; its packages are those of the lock file.
node_ready() {
  if ! { command -v node && command -v npm; } >/dev/null && root_apt; then
    echo "installing Debian's nodejs and npm"
    install nodejs npm
  fi
  if ! { command -v node && command -v npm; } >/dev/null || [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
    echo "node 20 or newer with npm not found; install them and run again"
    return 1
  fi
  if cmp -s interop/package-lock.json .tools/node/.installed; then return 0; fi
  echo "setting up .tools/node (interop/package-lock.json)"
  rm -rf .tools/node && mkdir -p .tools/node && cp interop/package.json interop/package-lock.json .tools/node/
  if ! (cd .tools/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error); then
    echo "npm could not install interop/package-lock.json; check the network and try again"
    return 1
  fi
  cp interop/package-lock.json .tools/node/.installed
}

if environment .tools/sdk interop/sdk/requirements.txt; then
  node=""
  if node_ready; then
    node="$(command -v node)"
    export ANTIPHON_NODE_MODULES="$PWD/.tools/node/node_modules"
  fi
  PYTHONUNBUFFERED=1 .tools/sdk/bin/python interop/sdk/main.py "$antiphon" ${node:+"$node"} | tee -a "$log" || failed=1
  [ -z "${ANTIPHON_CASES:-}" ] || note "not run" "every other scenario" "ANTIPHON_CASES=$ANTIPHON_CASES chooses"
else
  note "not run" "official SDKs" "see above"
fi

if [ "$failed" != 0 ]; then
  echo "interop: failed"
elif ! grep -q '^not run' "$log"; then
  echo "interop: green"
elif [ "${INTEROP_STRICT:-}" = 1 ]; then
  echo "interop: failed, because INTEROP_STRICT=1 and not everything was run (see 'not run' above)"
  failed=1
else
  echo "interop: green, but not everything was run (see 'not run' above)"
fi
exit "$failed"
