#!/usr/bin/env bash
# Everything that can be said about the code without running it. Goes on after a failure and names all of them.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
step() { # name, command…
  local name="$1"; shift
  echo "== $name"
  "$@" || { failed+=("$name"); echo "FAILED: $name"; }
}

formatted() {
  cargo fmt --all --check && cargo fmt --manifest-path fuzz/Cargo.toml --check
}

lints() {
  cargo clippy --workspace --all-targets --locked --keep-going -- -D warnings
}

# The program apart: it has the façade's name, and their pages would overwrite each other.
docs() {
  export RUSTDOCFLAGS="-D warnings"
  cargo doc --workspace --exclude antiphon-cli --no-deps --document-private-items --locked --keep-going &&
    cargo doc -p antiphon-cli --no-deps --document-private-items --locked
}

house_rules() {
  cargo test --quiet --locked -p antiphon-testkit --test tidy
}

licences_bans_sources() {
  local deny; deny="$(scripts/tool.sh cargo-deny 0.20.2)" || return 1
  # It reads the manifests of every platform's crates, of which a build here fetches only ours.
  cargo fetch --quiet --locked && cargo fetch --quiet --locked --manifest-path fuzz/Cargo.toml || return 1
  "$deny" --offline --log-level error check licenses bans sources &&
    "$deny" --offline --log-level error --manifest-path fuzz/Cargo.toml check licenses bans sources || return 1
  if [ -d "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs" ]; then
    "$deny" --offline check advisories
  else
    echo "not run  advisories: no advisory database on this machine ('cargo deny fetch db' where the network allows)"
  fi
}

one_crypto_provider() {
  local tree
  tree="$(cargo tree --locked --workspace --target all -e normal,build,dev -i ring 2>/dev/null)"
  [ -z "$tree" ] || { echo "ring is built in:"; echo "$tree"; return 1; }
  cargo tree --locked --workspace -i aws-lc-rs --depth 0 # and this one is: proves that the query works
}

# Every feature of ours on its own, without defaults.
each_feature_alone() {
  local manifest package feature
  for manifest in crates/*/Cargo.toml; do
    package="$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -n1)"
    for feature in $(awk '/^\[/{on=($0=="[features]")} on && /^[a-z0-9_-]+ *=/{print $1}' "$manifest"); do
      echo "   $package/$feature"
      cargo check --quiet --locked -p "$package" --no-default-features --features "$feature" || return 1
    done
  done
}

step "format" formatted
step "house rules" house_rules
step "lints" lints
step "docs" docs
step "licences, bans, sources" licences_bans_sources
step "one crypto provider" one_crypto_provider
step "each feature alone" each_feature_alone

if [ ${#failed[@]} != 0 ]; then
  printf 'check: failed: %s\n' "${failed[@]}"
  exit 1
fi
echo "check: green"
