#!/usr/bin/env bash
# Prints the path of a cargo tool, installing it under .tools/ if it is neither there nor on PATH.
# Usage: scripts/tool.sh cargo-deny 0.20.2
set -euo pipefail
cd "$(dirname "$0")/.."
name="$1" version="$2"

if [ -x ".tools/bin/$name" ]; then
  echo "$PWD/.tools/bin/$name"
elif command -v "$name" >/dev/null; then
  command -v "$name"
else
  echo "installing $name $version into .tools (once, a few minutes)" >&2
  # A target directory of its own: ours may be set for other flags.
  CARGO_TARGET_DIR="$PWD/.tools/build" RUSTFLAGS= cargo install --quiet --root .tools --locked "$name@$version" >&2
  rm -rf .tools/build
  echo "$PWD/.tools/bin/$name"
fi
