//! The seeds of this crate's fuzz targets, replayed.

use antiphon_graph::fuzz;
use antiphon_testkit::corpus::replay;

#[test]
fn blob_seeds_are_named_and_ours_survive() {
    replay("blob", fuzz::blob);
}

#[test]
fn notification_seeds_are_read_and_survive() {
    replay("notification", fuzz::notification);
}

#[test]
fn request_seeds_are_read_or_refused_and_survive() {
    replay("request", fuzz::request);
}
