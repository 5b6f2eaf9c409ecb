//! What the benches share: rooms, speech and counters.
