//! What kind of datagram arrived on a port that carries STUN, DTLS, RTP and RTCP together.
//!
//! First step of transport's network thread. Pure, no allocation, O(1).
//! Does not: look past the second byte.
//! Spec: RFC 7983 §7 (first byte), RFC 5761 §4 (RTP against RTCP).

/// The protocol of a datagram, judged by its first two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatagramKind {
    /// STUN: first byte 0 to 3.
    Stun,
    /// DTLS: first byte 20 to 63.
    Dtls,
    /// RTP or SRTP: first byte 128 to 191, not RTCP.
    Rtp,
    /// RTCP or SRTCP: as RTP, with a packet type of 192 to 223 in the second byte.
    Rtcp,
    /// Empty, one byte of RTP, or a range that is not ours (ZRTP, TURN channels).
    Other,
}

impl DatagramKind {
    /// Judges `datagram` by its first bytes (RFC 7983 §7).
    pub fn of(datagram: &[u8]) -> Self {
        match datagram {
            [0..=3, ..] => Self::Stun,
            [20..=63, ..] => Self::Dtls,
            // RFC 5761 §4: with RTCP on the port, payload types 64 to 95 are not used, so 192..=223 is RTCP.
            [128..=191, 192..=223, ..] => Self::Rtcp,
            [128..=191, _, ..] => Self::Rtp,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_decide_the_kind() {
        let cases: &[(&[u8], DatagramKind)] = &[
            (&[], DatagramKind::Other),
            (&[0, 1], DatagramKind::Stun),
            (&[3], DatagramKind::Stun),
            (&[4], DatagramKind::Other),
            (&[19], DatagramKind::Other),
            (&[20], DatagramKind::Dtls),
            (&[63], DatagramKind::Dtls),
            (&[64], DatagramKind::Other),
            (&[127], DatagramKind::Other),
            (&[128], DatagramKind::Other),
            (&[0x80, 111], DatagramKind::Rtp),
            (&[0x80, 0x80 | 111], DatagramKind::Rtp),
            (&[0x80, 191], DatagramKind::Rtp),
            (&[0x80, 192], DatagramKind::Rtcp),
            (&[0x81, 200], DatagramKind::Rtcp),
            (&[0xbf, 223], DatagramKind::Rtcp),
            (&[0xbf, 224], DatagramKind::Rtp),
            (&[192, 0], DatagramKind::Other),
        ];
        for (bytes, expected) in cases {
            assert_eq!(DatagramKind::of(bytes), *expected, "{bytes:?}");
        }
    }
}
