//! The seeds of this crate's fuzz target, replayed.

use antiphon_pipeline::fuzz;
use antiphon_testkit::corpus::replay;

#[test]
fn jitter_seeds_end_every_packet_once() {
    replay("jitter", fuzz::jitter);
}
