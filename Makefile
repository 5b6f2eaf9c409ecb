# What a person types. Everything here is also what CI runs (`.ci/run`); the scripts say what they do.
# Extra arguments: make demo ARGS="--loss 5% --jitter 30ms --seed 7"

.DEFAULT_GOAL := help
.PHONY: help setup demo test check loom fuzz interop bench counts quality perf soak ci clean
ARGS ?=

help: ## list the targets
	@echo "Antiphon. Targets:"
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: ## install what the build needs (or say which packages to install)
	@scripts/setup.sh

demo: setup ## build, then run a whole call on this machine (ARGS="--loss 5% --jitter 30ms")
	cargo run --release --locked -p antiphon-cli -- demo $(ARGS)

test: setup ## all tests
	@scripts/test.sh

check: setup ## format, house rules, lints, docs, licences, one crypto provider, each feature alone
	@scripts/check.sh

loom: ## model-check the lock-free hand-overs
	@scripts/loom.sh

fuzz: setup ## ten seconds on each fuzz target (SECONDS_EACH=600 for longer)
	@scripts/fuzz.sh

interop: setup ## the emulator and the bot against aiortc, Chromium, webrtc and the official Graph SDKs
	@scripts/interop.sh

bench: setup ## criterion benches, and one table of them all (ARGS filters them)
	@scripts/bench.sh $(ARGS)

counts: setup ## instructions per stage, held against the committed baseline (ARGS=--update makes a new one)
	@scripts/counts.sh $(ARGS)

quality: setup ## speech through the engine and through bare libopus on the same losses, judged by PESQ and PLCMOS
	@scripts/quality.sh

perf: setup ## profile the demo with perf (docs/perf.md; WHAT=bench for the tick)
	@scripts/perf.sh $(ARGS)

soak: setup ## ten minutes of a media thread at 70 % of a core (SOAK_SECONDS=600)
	@scripts/soak.sh $(ARGS)

ci: ## everything CI runs
	@bash .ci/run

clean: ## remove build products, fetched tools and results
	cargo clean
	rm -rf .tools out fuzz/target fuzz/artifacts
