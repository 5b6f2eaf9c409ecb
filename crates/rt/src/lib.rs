//! Packet rings, plan hand-over and the real-time runner.
