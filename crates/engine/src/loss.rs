//! FEC on demand: who gets the encoder class with in-band FEC, by the loss that its leg reports.
//!
//! In the flow: RTCP reports → leg figures → here, once a second on the control thread → a move of class.
//! FEC costs a fifth more encoder time and, at these rates, some of the sound; so it is for those who lose packets.
//! Also here: the list of classes of every conversation. Pure: no clock.

use antiphon_codec::g711::Law;
use antiphon_pipeline::{EncodeClass, OpusSettings};
use antiphon_transport::RemoteReport;
use std::time::{Duration, Instant};

/// The class of receivers that lose little: Opus as the options say.
pub(crate) const CLEAR: u8 = 0;
/// The class of receivers that lose packets: the same with FEC.
pub(crate) const LOSSY: u8 = 1;
/// The classes of telephony: G.711 by either law.
pub(crate) const MULAW: u8 = 2;
pub(crate) const ALAW: u8 = 3;

/// How often reports are looked at; they come every five seconds or so.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// Loss that makes FEC worth its price: more than 2 %, in 256ths (RFC 3550 §6.4.1).
const MUCH: u8 = 6;
/// Loss of a line that is well: less than 1 %, in 256ths.
const LITTLE: u8 = 2;
/// So long must a line be well before FEC ends.
const CALM: Duration = Duration::from_secs(10);
/// What the encoder is told to expect, in percent: below ten it leaves most frames without FEC.
const EXPECTED_LOSS: u8 = 10;

/// Every class a conversation has, by the numbers above.
pub(crate) fn classes(clear: OpusSettings) -> Vec<EncodeClass> {
    let lossy = OpusSettings { fec: true, expected_loss: clear.expected_loss.max(EXPECTED_LOSS), ..clear };
    vec![clear.into(), lossy.into(), EncodeClass::G711(Law::Mu), EncodeClass::G711(Law::A)]
}

/// What is known of one receiver's line.
#[derive(Debug, Default)]
pub(crate) struct LossWatch {
    /// Reports seen.
    reports: u32,
    lossy: bool,
    /// Since when reports have been good.
    calm: Option<Instant>,
}

impl LossWatch {
    /// The class to move to, if the reports say another one than before.
    pub(crate) fn look(&mut self, report: &RemoteReport, now: Instant) -> Option<u8> {
        let fresh = report.reception_reports != self.reports;
        self.reports = report.reception_reports;
        if !fresh {
            return None; // silence is no sign of a good line
        }
        if report.fraction_lost >= MUCH {
            self.calm = None;
            return (!std::mem::replace(&mut self.lossy, true)).then_some(LOSSY);
        }
        if report.fraction_lost > LITTLE {
            self.calm = None;
        }
        if !self.lossy || report.fraction_lost > LITTLE {
            return None;
        }
        let calm = *self.calm.get_or_insert(now);
        if now.saturating_duration_since(calm) < CALM {
            return None;
        }
        self.lossy = false;
        self.calm = None;
        Some(CLEAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line under watch, reported on every five seconds.
    struct Line {
        watch: LossWatch,
        report: RemoteReport,
        now: Instant,
    }

    impl Line {
        fn new() -> Self {
            Self { watch: LossWatch::default(), report: RemoteReport::default(), now: Instant::now() }
        }

        /// The next report, of so much loss, and the looks until the one after it.
        fn reports(&mut self, percent: f64) -> Option<u8> {
            self.report.reception_reports += 1;
            self.report.fraction_lost = (percent * 2.56) as u8;
            let moves: Vec<u8> = (0..5)
                .filter_map(|_| {
                    self.now += PERIOD;
                    self.watch.look(&self.report, self.now)
                })
                .collect();
            assert!(moves.len() < 2, "one report, one move: {moves:?}");
            moves.first().copied()
        }
    }

    #[test]
    fn more_than_two_percent_brings_fec_at_once_and_only_once() {
        let mut line = Line::new();
        for percent in [0.0, 1.0, 2.0] {
            assert_eq!(line.reports(percent), None, "{percent} %");
        }
        assert_eq!(line.reports(3.0), Some(LOSSY));
        assert_eq!(line.reports(30.0), None);
    }

    #[test]
    fn ten_good_seconds_end_it_and_a_relapse_begins_them_anew() {
        let mut line = Line::new();
        assert_eq!(line.reports(10.0), Some(LOSSY));
        assert_eq!((line.reports(0.0), line.reports(1.5)), (None, None), "1.5 % is not well");
        assert_eq!((line.reports(0.0), line.reports(0.5)), (None, None), "five seconds");
        assert_eq!(line.reports(0.9), Some(CLEAR));
        assert_eq!(line.reports(0.0), None);
        assert_eq!(line.reports(5.0), Some(LOSSY), "and again");
    }

    #[test]
    fn a_peer_that_reports_nothing_keeps_what_it_has() {
        let mut line = Line::new();
        assert_eq!(line.reports(10.0), Some(LOSSY));
        let later = line.now + CALM * 10;
        assert_eq!(line.watch.look(&line.report, later), None);
    }

    #[test]
    fn the_second_class_differs_in_fec_only_and_keeps_a_greater_expectation() {
        let clear = OpusSettings { bitrate: 32_000, ..OpusSettings::default() };
        let lossy = OpusSettings { fec: true, expected_loss: 10, ..clear };
        assert_eq!(classes(clear)[..2], [clear.into(), lossy.into()]);
        let worried = OpusSettings { expected_loss: 25, fec: true, ..clear };
        assert_eq!(classes(worried)[..2], [EncodeClass::from(worried); 2]);
    }
}
