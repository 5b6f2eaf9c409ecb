//! Joins under random loss in both directions: the guard against the lost DTLS timer, proven by seeds.

use std::time::Duration;

use crate::pair::{Loss, Pair, Tamper};
use antiphon_transport::Identity;
use antiphon_transport::sdp::Setup;

const SEEDS: u64 = 200;

/// Runs all seeds and returns the times to both sides being connected, sorted.
fn joins(percent: u64, setup: Setup) -> Vec<Duration> {
    let identity = Identity::generate().unwrap();
    let join = |seed| {
        let loss = Loss::new(percent, seed);
        let mut pair = Pair::new(&identity, Tamper { setup, loss, ..Tamper::default() });
        let up = pair.run(Duration::from_secs(30), |p| p.bot.peer.is_connected() && p.service.peer.is_connected());
        let ends = (&pair.bot.events, &pair.service.events);
        assert!(up, "seed {seed}, {percent} % loss, answerer {setup:?}: bot and service ended with {ends:?}");
        pair.now - pair.start
    };
    let mut times: Vec<Duration> = (1..=SEEDS).map(join).collect();
    times.sort();
    times
}

fn every_seed_joins(percent: u64, setup: Setup, p95_below: Duration) {
    let times = joins(percent, setup);
    let p95 = times[times.len() * 95 / 100];
    assert!(p95 <= p95_below, "p95 of the joins took {p95:?}");
}

#[test]
fn every_seed_joins_at_10_percent_loss_with_a_passive_answerer() {
    every_seed_joins(10, Setup::Passive, Duration::from_secs(1));
}

#[test]
fn every_seed_joins_at_10_percent_loss_with_an_active_answerer() {
    every_seed_joins(10, Setup::Active, Duration::from_secs(1));
}

#[test]
fn every_seed_joins_at_20_percent_loss_with_a_passive_answerer() {
    every_seed_joins(20, Setup::Passive, Duration::from_secs(2));
}

#[test]
fn every_seed_joins_at_20_percent_loss_with_an_active_answerer() {
    every_seed_joins(20, Setup::Active, Duration::from_secs(2));
}
