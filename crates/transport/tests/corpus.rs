//! The seeds of this crate's fuzz targets, replayed.

use antiphon_testkit::corpus::replay;
use antiphon_transport::fuzz;

#[test]
fn sdp_seeds_are_read_and_answered() {
    replay("sdp", fuzz::sdp);
}

#[test]
fn stun_seeds_are_read_and_answered() {
    replay("stun", fuzz::stun);
}

#[test]
fn srtp_seeds_are_protected_and_back() {
    replay("srtp", fuzz::srtp);
}

#[test]
fn plain_peers_take_what_is_theirs_and_count_the_rest() {
    let mut taken = 0;
    replay("plain", |data| taken += fuzz::plain(data));
    assert!(taken >= 200, "only {taken} media packets were taken: the seeds no longer reach the peer");
}

#[test]
fn peers_survive_what_a_network_does_to_them() {
    let mut arrived = 0;
    replay("peers", |data| arrived += fuzz::peers(data));
    assert!(arrived >= 20, "only {arrived} media packets arrived: the seeds no longer connect");
}
