//! The seeds of this crate's fuzz targets, replayed.

use antiphon_signaling::fuzz;
use antiphon_testkit::corpus::replay;

#[test]
fn call_seeds_end_and_say_nothing_after() {
    replay("call", fuzz::call);
}

#[test]
fn token_seeds_are_never_believed() {
    replay("token", fuzz::token);
}

#[test]
fn link_seeds_are_read_or_refused() {
    replay("link", fuzz::link);
}
