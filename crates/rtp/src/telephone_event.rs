//! DTMF digits and other named events: a view over a telephone-event payload and a writer for one.
//!
//! Pipeline reads tones from participants with it and plays them out. Thread: any, no allocation.
//! Does not: decide when an event starts or ends; packets repeat and may be lost.
//! Spec: RFC 4733 §2.3 (payload), §3.2 (DTMF codes).

use crate::RtpError;

/// Bytes of one event (RFC 4733 §2.3).
const EVENT_LEN: usize = 4;

/// One event report of a telephone-event payload (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TelephoneEvent {
    /// Event code; 0 to 15 are DTMF.
    pub event: u8,
    /// The E bit: this report covers the end of the event.
    pub end: bool,
    /// Power in -dBm0, 0 to 63; only for DTMF and other tones.
    pub volume: u8,
    /// How long the event has lasted, in ticks of the RTP clock.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads the first event of a payload.
    ///
    /// # Errors
    /// [`RtpError::Truncated`] if there are fewer than four bytes.
    pub fn parse(payload: &[u8]) -> Result<Self, RtpError> {
        let [event, flags, hi, lo] = *payload.first_chunk::<EVENT_LEN>().ok_or(RtpError::Truncated)?;
        Ok(Self { event, end: flags & 0x80 != 0, volume: flags & 0x3f, duration: u16::from_be_bytes([hi, lo]) })
    }

    /// Reads every event of a payload (RFC 4733 §2.5.1.5 allows several in one packet); a cut last one is dropped.
    pub fn parse_all(payload: &[u8]) -> impl Iterator<Item = Self> + '_ {
        payload.chunks_exact(EVENT_LEN).filter_map(|chunk| Self::parse(chunk).ok())
    }

    /// The event as payload bytes; the reserved bit is zero and the volume is capped at 63.
    pub fn to_bytes(self) -> [u8; EVENT_LEN] {
        let [hi, lo] = self.duration.to_be_bytes();
        [self.event, self.volume.min(0x3f) | if self.end { 0x80 } else { 0 }, hi, lo]
    }

    /// The DTMF digit of this event: `0`-`9`, `*`, `#`, `A`-`D` (RFC 4733 §3.2, table 3).
    pub fn digit(self) -> Option<char> {
        DTMF.get(usize::from(self.event)).map(|b| char::from(*b))
    }

    /// The event code of a DTMF digit; small letters count as capital.
    pub fn code_of(digit: char) -> Option<u8> {
        let digit = u8::try_from(digit.to_ascii_uppercase()).ok()?;
        DTMF.iter().position(|b| *b == digit).map(|i| i as u8)
    }
}

/// DTMF named events in code order (RFC 4733 §3.2, table 3).
const DTMF: &[u8; 16] = b"0123456789*#ABCD";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digit_five_ending_has_the_published_layout() {
        let event = TelephoneEvent { event: 5, end: true, volume: 10, duration: 800 };
        assert_eq!(event.to_bytes(), [5, 0x8a, 0x03, 0x20]);
        assert_eq!(event.digit(), Some('5'));
    }

    #[test]
    fn every_dtmf_digit_has_its_code_both_ways() {
        for (code, digit) in "0123456789*#ABCD".chars().enumerate() {
            let code = u8::try_from(code).unwrap();
            assert_eq!(TelephoneEvent::code_of(digit), Some(code));
            assert_eq!(TelephoneEvent { event: code, end: false, volume: 0, duration: 0 }.digit(), Some(digit));
        }
        assert_eq!(TelephoneEvent::code_of('d'), Some(15));
        assert_eq!(TelephoneEvent::code_of('€'), None);
        assert_eq!(TelephoneEvent { event: 16, end: false, volume: 0, duration: 0 }.digit(), None);
    }

    #[test]
    fn short_payload_is_refused_and_a_cut_second_event_dropped() {
        assert_eq!(TelephoneEvent::parse(&[1, 2, 3]), Err(RtpError::Truncated));
        assert_eq!(
            TelephoneEvent::parse_all(&[1, 0, 0, 1, 2, 0, 0, 1, 3]).map(|e| e.event).collect::<Vec<_>>(),
            [1, 2]
        );
    }

    proptest! {
        #[test]
        fn parse_of_write_gives_the_event_back(event: u8, end: bool, volume in 0u8..64, duration: u16) {
            let event = TelephoneEvent { event, end, volume, duration };
            prop_assert_eq!(TelephoneEvent::parse(&event.to_bytes()), Ok(event));
        }

        #[test]
        fn any_bytes_parse_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            crate::fuzz::telephone_event(&bytes);
        }
    }
}
