#!/usr/bin/env bash
# Makes sure that the build's needs are here: Rust as new as Cargo.toml asks, a C and C++ compiler, cmake.
# Installs Debian packages when it may (root, or sudo without a password); else says what to install.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
  echo "setup: cargo and rustc not found: install Rust with rustup, then run this again" >&2
  exit 1
fi
need="$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)"
have="$(rustc --version | awk '{print $2}')"
if [ "$(printf '%s\n%s\n' "$need" "$have" | sort -V | head -n1)" != "$need" ]; then
  echo "setup: rustc $have is older than $need: run 'rustup update stable'" >&2
  exit 1
fi

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v c++ >/dev/null || missing+=(g++)
command -v cmake >/dev/null || missing+=(cmake) # libopus is built by it,
command -v make >/dev/null || missing+=(make)   # and by this
# `make counts` wants valgrind, and says so where it is missing: no build fails for it.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! command -v valgrind >/dev/null; then missing+=(valgrind); fi
[ ${#missing[@]} = 0 ] && exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root=(sudo -n); else as_root=(false); fi
fi
if command -v apt-get >/dev/null && [ "${as_root[*]-}" != false ]; then
  echo "setup: installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
else
  echo "setup: missing ${missing[*]} (Debian's names): install them, then run this again" >&2
  exit 1
fi
