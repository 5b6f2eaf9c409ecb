//! From a row of digits to the event packets of one receiver's stream, one per tick.
//!
//! A tone's packets carry its start as timestamp and a duration that grows; the last one says that it is the end and
//! is sent three times, of which two fall into the gap (RFC 4733 §2.5.1.4). Runs in the tick; fixed memory.

use antiphon_rtp::telephone_event::TelephoneEvent;

use super::Tones;

/// How often the end of a tone is sent.
pub(super) const ENDS: u8 = 3;
/// Power of a tone in -dBm0: what a telephone's keys give.
const VOLUME: u8 = 10;
/// Rows that may wait for one receiver; the one being sent counts.
const ROWS: usize = 4;

/// What a receiver's stream carries in this tick in place of audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToneStep {
    /// This packet, whose timestamp is that of tick `start`; the first of its tone is marked.
    Packet { event: TelephoneEvent, start: u64, marker: bool },
    /// Nothing: a gap between tones.
    Gap,
    /// Nothing more: a row is done, and audio goes on unless another row waits.
    Done,
}

/// Sends rows of digits, one after the other.
#[derive(Debug)]
pub(crate) struct ToneSender {
    rows: Vec<Tones>,
    /// The digit of the first row that is being sent.
    digit: usize,
    /// When its tone began.
    start: Option<u64>,
    ends: u8,
}

impl ToneSender {
    /// Allocates the few rows that may wait.
    pub(crate) fn new() -> Self {
        Self { rows: Vec::with_capacity(ROWS), digit: 0, start: None, ends: 0 }
    }

    /// Takes on a row. `false` if too many wait: it is not sent.
    pub(crate) fn push(&mut self, tones: Tones) -> bool {
        let room = self.rows.len() < ROWS;
        if room {
            self.rows.push(tones);
        }
        room
    }

    pub(crate) fn is_sending(&self) -> bool {
        !self.rows.is_empty()
    }

    /// What comes in `tick`, where a tick is `step` of the RTP clock.
    pub(crate) fn step(&mut self, tick: u64, step: u16) -> ToneStep {
        let Some(row) = self.rows.first() else { return ToneStep::Done };
        let marker = self.start.is_none();
        let start = *self.start.get_or_insert(tick);
        let elapsed = tick.saturating_sub(start) + 1;
        let (tone, gap) = (u64::from(row.tone_ticks), u64::from(row.gap_ticks));
        let end = elapsed >= tone;
        if self.ends < ENDS {
            self.ends += u8::from(end);
            let duration = step.saturating_mul(elapsed.min(tone) as u16);
            let event = TelephoneEvent { event: row.codes()[self.digit], end, volume: VOLUME, duration };
            return ToneStep::Packet { event, start, marker };
        }
        if elapsed <= tone + gap {
            return ToneStep::Gap;
        }
        (self.start, self.ends) = (None, 0);
        self.digit += 1;
        if self.digit < row.count() {
            return self.step_on(tick, step);
        }
        self.digit = 0;
        self.rows.remove(0);
        ToneStep::Done
    }

    /// Begins the next tone in the tick in which the gap before it is over.
    fn step_on(&mut self, tick: u64, step: u16) -> ToneStep {
        let Some(row) = self.rows.first() else { return ToneStep::Done };
        self.start = Some(tick);
        let event = TelephoneEvent { event: row.codes()[self.digit], end: false, volume: VOLUME, duration: step };
        ToneStep::Packet { event, start: tick, marker: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(sender: &mut ToneSender, ticks: impl IntoIterator<Item = u64>) -> Vec<ToneStep> {
        ticks.into_iter().map(|tick| sender.step(tick, 160)).collect()
    }

    fn packet(code: u8, end: bool, duration: u16, start: u64, marker: bool) -> ToneStep {
        let event = TelephoneEvent { event: code, end, volume: VOLUME, duration };
        ToneStep::Packet { event, start, marker }
    }

    #[test]
    fn a_row_has_the_shape_of_rfc_4733() {
        let mut sender = ToneSender::new();
        assert!(sender.push(Tones::new("1#").unwrap()));
        let expected = |code, start| {
            vec![
                packet(code, false, 160, start, true),
                packet(code, false, 320, start, false),
                packet(code, false, 480, start, false),
                packet(code, false, 640, start, false),
                packet(code, true, 800, start, false),
                packet(code, true, 800, start, false),
                packet(code, true, 800, start, false),
                ToneStep::Gap,
                ToneStep::Gap,
            ]
        };
        let steps = run(&mut sender, 100..119);
        assert_eq!(steps, [expected(1, 100), expected(11, 109), vec![ToneStep::Done]].concat());
        assert!(!sender.is_sending());
    }

    #[test]
    fn missed_ticks_shorten_nothing_but_the_number_of_packets() {
        let mut sender = ToneSender::new();
        sender.push(Tones::new("7").unwrap());
        let steps = run(&mut sender, [10, 12, 40, 41, 42, 43]);
        let expected = [
            packet(7, false, 160, 10, true),
            packet(7, false, 480, 10, false),
            packet(7, true, 800, 10, false),
            packet(7, true, 800, 10, false),
            packet(7, true, 800, 10, false),
            ToneStep::Done,
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn rows_wait_for_each_other_and_only_so_many() {
        let mut sender = ToneSender::new();
        for _ in 0..ROWS {
            assert!(sender.push(Tones::new("1").unwrap()));
        }
        assert!(!sender.push(Tones::new("1").unwrap()));
        let steps = run(&mut sender, 0..100);
        assert_eq!(steps.iter().filter(|s| matches!(s, ToneStep::Packet { marker: true, .. })).count(), ROWS);
        assert!(!sender.is_sending());
    }
}
