//! The seeds of this crate's fuzz targets, replayed.

use antiphon_rtp::fuzz;
use antiphon_testkit::corpus::replay;

#[test]
fn rtp_seeds_parse_and_write_back() {
    replay("rtp", fuzz::rtp);
}

#[test]
fn rtcp_seeds_parse_and_write_back() {
    replay("rtcp", fuzz::rtcp);
}

#[test]
fn red_seeds_parse_and_write_back() {
    replay("red", fuzz::red);
}

#[test]
fn telephone_event_seeds_parse_and_write_back() {
    replay("telephone_event", fuzz::telephone_event);
}
