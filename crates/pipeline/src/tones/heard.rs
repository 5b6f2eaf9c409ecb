//! From event packets to one report per tone.
//!
//! Packets of a tone share its start as timestamp; they repeat, grow, get lost and overtake each other. A tone
//! is over when a packet says so, or when none has come for 200 ms. What belongs to a reported one is
//! ignored. Tones too long for 16 bits go on under a later timestamp (RFC 4733 §2.5.1.3).

use std::time::Duration;

use antiphon_rtp::RtpTimestamp;
use antiphon_rtp::telephone_event::TelephoneEvent;

/// Tones that may be on the way at one time.
const PENDING: usize = 4;
/// Reported tones remembered.
const DONE: usize = 8;
/// Ticks without a packet after which a tone is over: its end was lost.
const SILENCE: u64 = 10;
/// Ticks a digit takes at least, with the pause behind it (80 ms): more than one in that time are told only as long as
/// `BURST` lasts, so that one leg cannot crowd out what is told of the others.
const TICKS_PER_TONE: u64 = 4;
/// Tones that may come at once, after a stall of the network.
const BURST: u32 = 16;
/// Ticks after which a reported tone is forgotten: ten seconds.
const FORGET: u64 = 500;
/// Events of one packet that are looked at.
const PER_PACKET: usize = 4;
/// A segment at least this long may go on in another one.
const LONG: u32 = 0x8000;

/// What is told of tones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// The first packet of a tone.
    Started { digit: char },
    /// The tone is over.
    Ended { digit: char, volume: u8, duration: Duration },
}

/// A tone, as far as it is known. Spans are in ticks of its clock.
#[derive(Clone, Copy, Debug)]
struct Tone {
    code: u8,
    clock: u32,
    /// Where it starts, and its present segment.
    first: RtpTimestamp,
    segment: RtpTimestamp,
    /// Length of the present segment.
    length: u32,
    volume: u8,
    /// When a packet of it came last.
    tick: u64,
}

impl Tone {
    /// From its start to as far as it is known to last.
    fn span(&self) -> u32 {
        self.segment.distance_from(self.first).unsigned_abs() + self.length
    }

    fn holds(&self, code: u8, at: RtpTimestamp) -> bool {
        let offset = at.distance_from(self.first);
        self.code == code && (offset == 0 || (offset > 0 && offset.unsigned_abs() < self.span()))
    }

    /// Whether a segment of `code` at `at` takes this tone further.
    fn goes_on(&self, code: u8, at: RtpTimestamp) -> bool {
        let step = at.distance_from(self.segment);
        let lost = i64::from(step) - i64::from(self.length);
        self.code == code && self.length >= LONG && (0..=i64::from(self.clock / 10)).contains(&lost)
    }

    fn digit(&self) -> Option<char> {
        TelephoneEvent { event: self.code, end: true, volume: 0, duration: 0 }.digit()
    }
}

/// Reads the telephone-events of one leg.
#[derive(Debug)]
pub(crate) struct ToneReader {
    pending: [Option<Tone>; PENDING],
    done: [Option<Tone>; DONE],
    next_done: usize,
    /// Tones that may begin now, and the tick up to which they were granted.
    granted: u32,
    granted_to: u64,
    /// Nothing is pending, and nothing done is remembered.
    idle: bool,
    /// Reports not yet taken; bounded by what one packet or timeout can bring.
    reports: Vec<Report>,
}

impl ToneReader {
    /// Allocates a few hundred bytes.
    pub(crate) fn new() -> Self {
        Self {
            pending: [None; PENDING],
            done: [None; DONE],
            next_done: 0,
            granted: BURST,
            granted_to: 0,
            idle: true,
            reports: Vec::with_capacity(PER_PACKET * (PENDING + 2)),
        }
    }

    /// Takes in a payload that came in `tick`, with the clock of its durations. Its reports must be taken before the next.
    /// `false` if it begins more tones than anybody can dial, which are ignored.
    pub(crate) fn hear(&mut self, payload: &[u8], mut at: RtpTimestamp, clock: u32, tick: u64) -> bool {
        let due = tick.saturating_sub(self.granted_to) / TICKS_PER_TONE;
        self.granted = BURST.min(self.granted.saturating_add(u32::try_from(due).unwrap_or(BURST)));
        self.granted_to += due * TICKS_PER_TONE;
        let mut taken = true;
        for event in TelephoneEvent::parse_all(payload).take(PER_PACKET) {
            if event.digit().is_some() {
                taken &= self.note(event, at, clock, tick);
            }
            at = at.advance(event.duration.into()); // the next one follows without a gap (RFC 4733 §2.5.1.5)
        }
        taken
    }

    /// Ends tones of which nothing came for long, and forgets old ones.
    pub(crate) fn expire(&mut self, tick: u64) {
        for at in 0..PENDING {
            if self.pending[at].is_some_and(|tone| tick >= tone.tick + SILENCE) {
                self.end(at);
            }
        }
        for done in &mut self.done {
            done.take_if(|tone| tick >= tone.tick + FORGET);
        }
        self.idle = self.pending.iter().chain(&self.done).all(Option::is_none);
    }

    /// Whether [`Self::expire`] would do anything in time.
    pub(crate) fn is_idle(&self) -> bool {
        self.idle
    }

    /// What there is to tell, oldest first.
    pub(crate) fn take_reports(&mut self) -> impl Iterator<Item = Report> + '_ {
        self.reports.drain(..)
    }

    /// Takes in one event; `false` if it is ignored because too many began lately.
    fn note(&mut self, event: TelephoneEvent, at: RtpTimestamp, clock: u32, tick: u64) -> bool {
        let code = event.event;
        if self.done.iter().flatten().any(|tone| tone.holds(code, at)) {
            return true;
        }
        let place = self.pending.iter().position(|tone| tone.is_some_and(|t| t.holds(code, at) || t.goes_on(code, at)));
        let Some(place) = place.or_else(|| self.open(code, at, clock)) else { return false };
        let Some(tone) = &mut self.pending[place] else { return true };
        tone.tick = tick;
        if tone.goes_on(code, at) {
            (tone.segment, tone.length) = (at, 0);
        }
        if at == tone.segment {
            tone.length = tone.length.max(event.duration.into());
            tone.volume = event.volume;
            if event.end {
                self.end(place);
            }
        }
        true
    }

    /// Begins a tone and gives its place, unless too many began lately.
    fn open(&mut self, code: u8, at: RtpTimestamp, clock: u32) -> Option<usize> {
        self.granted = self.granted.checked_sub(1)?;
        let place = self.pending.iter().position(Option::is_none).unwrap_or_else(|| {
            let oldest = self.oldest();
            self.end(oldest);
            oldest
        });
        self.idle = false;
        let tone = Tone { code, clock, first: at, segment: at, length: 0, volume: 0, tick: 0 };
        self.pending[place] = Some(tone);
        if let Some(digit) = tone.digit() {
            self.report(Report::Started { digit });
        }
        Some(place)
    }

    fn oldest(&self) -> usize {
        let older = |a: &usize, b: &usize| match (self.pending[*a], self.pending[*b]) {
            (Some(a), Some(b)) => a.first.distance_from(b.first).cmp(&0),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        (0..PENDING).min_by(older).unwrap_or(0)
    }

    /// Reports the tone at `place` and those that began before it, in their order.
    fn end(&mut self, place: usize) {
        let Some(last) = self.pending[place] else { return };
        for _ in 0..PENDING {
            let oldest = self.oldest();
            let Some(tone) = self.pending[oldest] else { return };
            if tone.first.distance_from(last.first) > 0 {
                return;
            }
            self.pending[oldest] = None;
            self.done[self.next_done] = Some(tone);
            self.next_done = (self.next_done + 1) % DONE;
            if let Some(digit) = tone.digit() {
                let nanos = u64::from(tone.span()) * 1_000_000_000 / u64::from(tone.clock.max(1));
                let duration = Duration::from_nanos(nanos);
                self.report(Report::Ended { digit, volume: tone.volume, duration });
            }
        }
    }

    fn report(&mut self, report: Report) {
        if self.reports.len() < self.reports.capacity() {
            self.reports.push(report);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLOCK: u32 = 8_000;

    fn packet(code: u8, end: bool, duration: u16) -> [u8; 4] {
        TelephoneEvent { event: code, end, volume: 12, duration }.to_bytes()
    }

    fn hear(reader: &mut ToneReader, tick: u64, start: u32, bytes: &[u8]) -> Vec<Report> {
        reader.hear(bytes, RtpTimestamp::new(start), CLOCK, tick);
        reader.expire(tick);
        reader.take_reports().collect()
    }

    fn ended(digit: char, ms: u64) -> Report {
        Report::Ended { digit, volume: 12, duration: Duration::from_millis(ms) }
    }

    #[test]
    fn a_tone_is_reported_at_its_first_end_and_its_repeats_are_ignored() {
        let mut reader = ToneReader::new();
        assert_eq!(hear(&mut reader, 0, 1_000, &packet(5, false, 160)), [Report::Started { digit: '5' }]);
        assert_eq!(hear(&mut reader, 1, 1_000, &packet(5, false, 320)), []);
        assert_eq!(hear(&mut reader, 2, 1_000, &packet(5, true, 480)), [ended('5', 60)]);
        assert_eq!(hear(&mut reader, 3, 1_000, &packet(5, true, 480)), []);
        assert_eq!(hear(&mut reader, 3, 1_000, &packet(5, false, 320)), [], "an old one that was overtaken");
        assert_eq!(hear(&mut reader, 8, 2_000, &packet(5, true, 480)).len(), 2, "the same key again");
    }

    #[test]
    fn a_lost_start_or_end_does_not_lose_the_tone() {
        let mut reader = ToneReader::new();
        assert_eq!(
            hear(&mut reader, 0, 1_000, &packet(1, true, 800)),
            [Report::Started { digit: '1' }, ended('1', 100)]
        );
        hear(&mut reader, 10, 5_000, &packet(2, false, 640));
        reader.expire(10 + SILENCE - 1);
        assert_eq!(reader.take_reports().count(), 0);
        reader.expire(10 + SILENCE);
        assert_eq!(reader.take_reports().collect::<Vec<_>>(), [ended('2', 80)]);
        assert_eq!(hear(&mut reader, 22, 5_000, &packet(2, true, 800)), [], "its end after all");
        assert!(!reader.is_idle());
        reader.expire(22 + FORGET);
        assert!(reader.is_idle());
    }

    #[test]
    fn a_tone_that_began_earlier_is_reported_earlier() {
        let mut reader = ToneReader::new();
        hear(&mut reader, 0, u32::MAX - 100, &packet(1, false, 160));
        assert_eq!(
            hear(&mut reader, 2, 900, &packet(2, true, 160)),
            [Report::Started { digit: '2' }, ended('1', 20), ended('2', 20)]
        );
        assert_eq!(hear(&mut reader, 3, u32::MAX - 100, &packet(1, true, 480)), []);
    }

    #[test]
    fn a_tone_longer_than_sixteen_bits_is_one_tone() {
        let mut reader = ToneReader::new();
        let mut reports = Vec::new();
        for step in 1..=409_u32 {
            reports.extend(hear(&mut reader, u64::from(step), 0, &packet(9, false, (step * 160).min(0xffff) as u16)));
        }
        reports.extend(hear(&mut reader, 410, 0xffff, &packet(9, false, 65)));
        reports.extend(hear(&mut reader, 411, 0, &packet(9, false, 0xffff)));
        reports.extend(hear(&mut reader, 412, 0xffff, &packet(9, true, 800)));
        assert_eq!(reports.len(), 2, "{reports:?}");
        let Report::Ended { duration, .. } = reports[1] else { panic!("{reports:?}") };
        assert_eq!(duration.as_millis(), (0xffff + 800) / 8);
    }

    #[test]
    fn more_tones_than_anybody_dials_are_refused_until_time_has_passed() {
        let mut reader = ToneReader::new();
        let mut flood = |ticks: std::ops::Range<u64>| {
            let (mut started, mut ended, mut refused) = (0, 0, 0);
            for n in ticks.start * 100..ticks.end * 100 {
                refused +=
                    u32::from(!reader.hear(&packet(3, true, 160), RtpTimestamp::new(n as u32 * 800), CLOCK, n / 100));
                for report in reader.take_reports() {
                    *(if matches!(report, Report::Started { .. }) { &mut started } else { &mut ended }) += 1;
                }
            }
            (started, ended, refused)
        };
        assert_eq!(flood(100..101), (16, 16, 84));
        assert_eq!(flood(101..141), (10, 10, 3_990), "one in 80 ms");
        assert_eq!(flood(1_000..1_001), (16, 16, 84));
    }

    #[test]
    fn events_that_are_no_digits_and_broken_payloads_are_ignored() {
        let mut reader = ToneReader::new();
        for bytes in [&packet(16, true, 100)[..], &packet(255, false, 100), &[], &[1, 2, 3]] {
            assert_eq!(hear(&mut reader, 0, 0, bytes), []);
        }
    }

    proptest! {
        #[test]
        fn each_of_many_tones_is_reported_once_in_order_whatever_the_network_does(
            digits in prop::collection::vec(0_u8..16, 1..12),
            fates in prop::collection::vec((0_u64..4, any::<bool>(), any::<bool>()), 200),
        ) {
            // 100 ms of tone, 60 ms of gap; packets late by up to 60 ms, doubled, or lost, but for one of each tone.
            let mut arrivals = Vec::new();
            let mut fates = fates.into_iter().cycle();
            for (at, code) in digits.iter().enumerate() {
                let start = (u32::MAX - 3_000).wrapping_add(1_280 * at as u32);
                for step in 1..=7_u64 {
                    let bytes = packet(*code, step >= 5, 160 * step.min(5) as u16);
                    let (late, lost, doubled) = fates.next().unwrap();
                    let tick = 8 * at as u64 + step + late;
                    if !lost || step == 3 {
                        arrivals.push((tick, start, bytes));
                    }
                    if doubled && !lost {
                        arrivals.push((tick + late, start, bytes));
                    }
                }
            }
            arrivals.sort_by_key(|arrival| arrival.0);
            let (mut reader, mut heard, mut started) = (ToneReader::new(), Vec::new(), 0);
            let mut waiting = arrivals.iter().peekable();
            for tick in 0..8 * digits.len() as u64 + 40 {
                while let Some((_, start, bytes)) = waiting.next_if(|arrival| arrival.0 <= tick) {
                    reader.hear(bytes, RtpTimestamp::new(*start), CLOCK, tick);
                    for report in reader.take_reports() {
                        match report {
                            Report::Started { .. } => started += 1,
                            Report::Ended { digit, .. } => heard.push(digit),
                        }
                    }
                }
                reader.expire(tick);
                let ends = reader.take_reports().filter_map(|report| match report {
                    Report::Ended { digit, .. } => Some(digit),
                    Report::Started { .. } => None,
                });
                heard.extend(ends);
            }
            let sent: Vec<char> = digits.iter().map(|code| char::from(b"0123456789*#ABCD"[usize::from(*code)])).collect();
            prop_assert_eq!(started, sent.len());
            prop_assert_eq!(heard, sent);
        }

        #[test]
        fn any_payloads_are_read_without_panic_and_within_bounds(
            packets in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..24), any::<u32>(), 0_u64..3), 0..200)
        ) {
            let (mut reader, mut tick) = (ToneReader::new(), 0);
            for (bytes, at, step) in packets {
                tick += step;
                reader.hear(&bytes, RtpTimestamp::new(at), CLOCK, tick);
                reader.expire(tick);
                prop_assert!(reader.take_reports().count() <= PER_PACKET * (PENDING + 2));
            }
        }
    }
}
