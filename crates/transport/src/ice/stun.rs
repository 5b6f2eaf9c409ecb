//! STUN Binding messages: the few that ICE needs, as views over the datagram.
//!
//! In the flow: the shared port's demultiplexer reads the user name, the lite responder verifies and
//! answers, the full agent is only fed what parses here.
//! Invariants: any bytes give a message or `None`, never a panic; no allocation while reading.
//! Not here: retransmission, TURN, long-term credentials, padding of the classic RFC 3489.
//! Specs: RFC 8489 §5, §14; RFC 8445 §7.3, §16.1.

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::hmac;
use bytes::{BufMut, BytesMut};
use subtle::ConstantTimeEq;

const MAGIC_COOKIE: u32 = 0x2112_A442;
const HEADER: usize = 20;
const FINGERPRINT_XOR: u32 = 0x5354_554e;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_INDICATION: u16 = 0x0011;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

/// A well-formed STUN message with the attributes that ICE uses. Nothing is verified yet.
#[derive(Clone, Copy, Debug)]
pub struct StunMessage<'a> {
    bytes: &'a [u8],
    kind: u16,
    username: Option<&'a str>,
    use_candidate: bool,
    controlled: bool,
    /// Offset of MESSAGE-INTEGRITY and its value.
    integrity: Option<(usize, &'a [u8])>,
}

impl<'a> StunMessage<'a> {
    /// Reads a datagram; `None` if it is not exactly one well-formed STUN message. A FINGERPRINT, if there
    /// is one, must be right. Attributes behind MESSAGE-INTEGRITY are ignored (RFC 8489 §14.5).
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER>()?;
        let kind = u16::from_be_bytes([header[0], header[1]]);
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let cookie = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        if kind >> 14 != 0 || cookie != MAGIC_COOKIE || len % 4 != 0 || bytes.len() != HEADER + len {
            return None;
        }
        let (username, use_candidate, controlled) = (None, false, false);
        let mut message = Self { bytes, kind, username, use_candidate, controlled, integrity: None };
        let mut at = HEADER;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let head = rest.first_chunk::<4>()?;
            let typ = u16::from_be_bytes([head[0], head[1]]);
            let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let value = rest.get(4..4 + len)?;
            message.note(at, typ, value)?;
            at += 4 + len.next_multiple_of(4);
        }
        (at == bytes.len()).then_some(message)
    }

    fn note(&mut self, at: usize, typ: u16, value: &'a [u8]) -> Option<()> {
        if typ == FINGERPRINT {
            let value: [u8; 4] = value.try_into().ok()?;
            let is_last = at + 8 == self.bytes.len();
            let right = crc32(&self.bytes[..at]) ^ FINGERPRINT_XOR == u32::from_be_bytes(value);
            return (is_last && right).then_some(());
        }
        if self.integrity.is_some() {
            return Some(());
        }
        match typ {
            USERNAME => self.username = Some(std::str::from_utf8(value).ok()?),
            USE_CANDIDATE => self.use_candidate = true,
            ICE_CONTROLLED => self.controlled = true,
            MESSAGE_INTEGRITY => self.integrity = Some((at, value)),
            _ => {}
        }
        Some(())
    }

    /// Whether it is a Binding request, the message checks start with.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        self.kind == BINDING_REQUEST
    }

    /// Whether it is a Binding indication, which nobody answers or authenticates (RFC 8445 §11).
    #[must_use]
    pub const fn is_indication(&self) -> bool {
        self.kind == BINDING_INDICATION
    }

    /// USERNAME: `receiver's ufrag:sender's ufrag`.
    #[must_use]
    pub const fn username(&self) -> Option<&'a str> {
        self.username
    }

    /// The ufrag of the side that receives the request: the key of a shared port.
    #[must_use]
    pub fn receiver_ufrag(&self) -> Option<&'a str> {
        self.username?.split(':').next()
    }

    /// Whether the sender nominates this pair.
    #[must_use]
    pub const fn use_candidate(&self) -> bool {
        self.use_candidate
    }

    /// Whether the sender believes that it is the controlled side.
    #[must_use]
    pub const fn is_controlled(&self) -> bool {
        self.controlled
    }

    /// Checks MESSAGE-INTEGRITY with the key of the side that handed out the password.
    #[must_use]
    pub fn verify(&self, key: &IntegrityKey) -> bool {
        let Some((at, theirs)) = self.integrity else { return false };
        // RFC 8489 §14.5: the length field counts up to and with MESSAGE-INTEGRITY.
        let Ok(len) = u16::try_from(at - HEADER + 24) else { return false };
        let mut context = hmac::Context::with_key(&key.0);
        context.update(&self.bytes[..2]);
        context.update(&len.to_be_bytes());
        context.update(&self.bytes[4..at]);
        context.sign().as_ref().ct_eq(theirs).into()
    }

    /// The answer to this request: where it came from (RFC 8489 §6.3.1.1).
    #[must_use]
    pub fn success(&self, from: SocketAddr, key: &IntegrityKey) -> BytesMut {
        let mut reply = self.reply(BINDING_SUCCESS);
        let port = from.port() ^ (MAGIC_COOKIE >> 16) as u16;
        // RFC 8489 §14.2: the address is masked with the cookie and, for IPv6, the transaction id.
        let mask = &self.bytes[4..HEADER];
        let masked = |octets: &mut [u8]| octets.iter_mut().zip(mask).for_each(|(octet, m)| *octet ^= m);
        let mut value = BytesMut::with_capacity(20);
        match from.ip() {
            IpAddr::V4(ip) => {
                let mut octets = ip.octets();
                masked(&mut octets);
                value.put_slice(&[0, 1]);
                value.put_u16(port);
                value.put_slice(&octets);
            }
            IpAddr::V6(ip) => {
                let mut octets = ip.octets();
                masked(&mut octets);
                value.put_slice(&[0, 2]);
                value.put_u16(port);
                value.put_slice(&octets);
            }
        }
        put_attribute(&mut reply, XOR_MAPPED_ADDRESS, &value);
        finish(reply, key)
    }

    /// 487: both sides believe that they are controlled (RFC 8445 §7.3.1.1).
    #[must_use]
    pub fn role_conflict(&self, key: &IntegrityKey) -> BytesMut {
        let mut reply = self.reply(BINDING_ERROR);
        put_attribute(&mut reply, ERROR_CODE, b"\0\0\x04\x57Role Conflict");
        finish(reply, key)
    }

    fn reply(&self, kind: u16) -> BytesMut {
        let mut reply = BytesMut::with_capacity(96);
        reply.put_u16(kind);
        reply.put_u16(0);
        reply.put_slice(&self.bytes[4..HEADER]); // cookie and transaction id
        reply
    }
}

/// A password, ready to sign and verify with (short-term credentials, RFC 8489 §9.1.1).
#[derive(Debug)]
pub struct IntegrityKey(hmac::Key);

impl IntegrityKey {
    /// Keyed with an `a=ice-pwd`.
    #[must_use]
    pub fn new(pwd: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, pwd.as_bytes()))
    }
}

fn put_attribute(message: &mut BytesMut, typ: u16, value: &[u8]) {
    message.put_u16(typ);
    message.put_u16(u16::try_from(value.len()).expect("invariant: our attributes are short"));
    message.put_slice(value);
    message.put_bytes(0, value.len().next_multiple_of(4) - value.len());
}

/// Appends MESSAGE-INTEGRITY and FINGERPRINT.
fn finish(mut message: BytesMut, key: &IntegrityKey) -> BytesMut {
    set_len(&mut message, 24);
    let tag = hmac::sign(&key.0, &message);
    put_attribute(&mut message, MESSAGE_INTEGRITY, tag.as_ref());
    set_len(&mut message, 8);
    let crc = crc32(&message) ^ FINGERPRINT_XOR;
    put_attribute(&mut message, FINGERPRINT, &crc.to_be_bytes());
    message
}

/// Writes the length field as it will be when `more` bytes have been added.
fn set_len(message: &mut BytesMut, more: usize) {
    let len = u16::try_from(message.len() - HEADER + more).expect("invariant: our messages are short");
    message[2..4].copy_from_slice(&len.to_be_bytes());
}

/// CRC-32 of ITU-T V.42, as FINGERPRINT uses it (RFC 8489 §14.7).
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let mask = (crc & 1).wrapping_neg();
            crc = (crc >> 1) ^ (0xEDB8_8320 & mask);
        }
    }
    !crc
}

/// A Binding request as a peer's agent would send it.
#[cfg(test)]
pub(super) fn request(username: &str, pwd: &str, use_candidate: bool, controlled: bool) -> BytesMut {
    let mut message = BytesMut::new();
    message.put_u16(BINDING_REQUEST);
    message.put_u16(0);
    message.put_u32(MAGIC_COOKIE);
    message.put_bytes(7, 12);
    put_attribute(&mut message, USERNAME, username.as_bytes());
    if use_candidate {
        put_attribute(&mut message, USE_CANDIDATE, &[]);
    }
    if controlled {
        put_attribute(&mut message, ICE_CONTROLLED, &[1; 8]);
    }
    finish(message, &IntegrityKey::new(pwd))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 5769 §2.1 sample request, with its own odd padding.
    const RFC5769_REQUEST: &[u8] = b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x10STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
        \x00\x06\x00\x09evtj:h6vY\x20\x20\x20\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\
        \xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\x80\x28\x00\x04\xe5\x7a\x3b\xcf";
    /// RFC 5769 §2.2 sample IPv4 response: 192.0.2.1 port 32853.
    const RFC5769_RESPONSE: &[u8] = b"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x0btest vector\x20\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\
        \x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7\
        \x80\x28\x00\x04\xc0\x7d\x4c\x96";
    const RFC5769_PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

    #[test]
    fn published_request_parses_and_verifies() {
        let message = StunMessage::parse(RFC5769_REQUEST).unwrap();
        assert!(message.is_request());
        assert_eq!(message.username(), Some("evtj:h6vY"));
        assert_eq!(message.receiver_ufrag(), Some("evtj"));
        assert!(message.is_controlled() && !message.use_candidate());
        assert!(message.verify(&IntegrityKey::new(RFC5769_PASSWORD)));
        assert!(!message.verify(&IntegrityKey::new("VOkJxbRl1RmTxUk/WvJxBT")));
    }

    #[test]
    fn published_response_verifies_and_our_success_maps_the_address_alike() {
        let key = IntegrityKey::new(RFC5769_PASSWORD);
        let published = StunMessage::parse(RFC5769_RESPONSE).unwrap();
        assert!(published.verify(&key));
        let request = StunMessage::parse(RFC5769_REQUEST).unwrap();
        let reply = request.success("192.0.2.1:32853".parse().unwrap(), &key);
        assert_eq!(&reply[..2], &[1, 1]);
        assert_eq!(reply[20..32], RFC5769_RESPONSE[36..48], "XOR-MAPPED-ADDRESS");
        let parsed = StunMessage::parse(&reply).unwrap();
        assert!(parsed.verify(&key) && !parsed.is_request());
    }

    #[test]
    fn ipv6_address_is_masked_with_the_transaction_id() {
        // RFC 5769 §2.3: 2001:db8:1234:5678:11:2233:4455:6677 port 32853.
        let expected =
            b"\x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9";
        let request = StunMessage::parse(RFC5769_REQUEST).unwrap();
        let from = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let reply = request.success(from, &IntegrityKey::new("x"));
        assert_eq!(reply[20..44], expected[..]);
    }

    #[test]
    fn role_conflict_is_an_authentic_487() {
        let key = IntegrityKey::new(RFC5769_PASSWORD);
        let reply = StunMessage::parse(RFC5769_REQUEST).unwrap().role_conflict(&key);
        let parsed = StunMessage::parse(&reply).unwrap();
        assert!(parsed.verify(&key));
        assert_eq!((reply[0], reply[1], reply[26], reply[27]), (1, 0x11, 4, 87));
    }

    #[test]
    fn any_changed_bit_is_refused() {
        let key = IntegrityKey::new(RFC5769_PASSWORD);
        // The type of FINGERPRINT is not covered: changed, it is one more attribute that nobody reads.
        for bit in (0..RFC5769_REQUEST.len() * 8).filter(|bit| !(100..102).contains(&(bit / 8))) {
            let mut bytes = RFC5769_REQUEST.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let accepted = StunMessage::parse(&bytes).is_some_and(|m| m.verify(&key));
            assert!(!accepted, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_parse_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), honest in any::<bool>()) {
            if honest && bytes.len() >= 20 {
                let len = (bytes.len() - 20) as u16;
                bytes[0] = 0;
                bytes[2..4].copy_from_slice(&len.to_be_bytes());
                bytes[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
            }
            if let Some(message) = StunMessage::parse(&bytes) {
                let key = IntegrityKey::new("k");
                prop_assert!(!message.verify(&key));
                let reply = message.success("127.0.0.1:9".parse().unwrap(), &key);
                prop_assert!(StunMessage::parse(&reply).unwrap().verify(&key));
            }
        }
    }
}
