//! Session keys from a master key: AES-CM as pseudo-random function.
//!
//! In the flow: once per direction and handshake. Pure.
//! Invariants: the key derivation rate is 0, so the index part of the derivation is 0.
//! Specs: RFC 3711 §4.3, RFC 7714 §11 (a 96-bit salt is followed by zeros).

use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use super::MasterKey;

/// What a session key is for (RFC 3711 §4.3.2).
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Label {
    RtpKey = 0,
    RtpAuth = 1,
    RtpSalt = 2,
    RtcpKey = 3,
    RtcpAuth = 4,
    RtcpSalt = 5,
}

/// Fills `out` with the session key for `label`.
pub(super) fn derive(master: &MasterKey, label: Label, out: &mut [u8]) {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(&master.salt[..]);
    iv[7] ^= label as u8;
    out.fill(0);
    counter_mode(&aes(&master.key), iv, out);
}

/// A schedule for AES-128 in counter mode.
pub(super) fn aes(key: &[u8; 16]) -> EncryptingKey {
    let key = UnboundCipherKey::new(&AES_128, key).expect("invariant: AES-128 keys have 16 bytes");
    EncryptingKey::ctr(key).expect("invariant: AES-128 has a counter mode")
}

/// Adds the key stream that starts at `iv` to `data`. Does not allocate.
pub(super) fn counter_mode(key: &EncryptingKey, iv: [u8; 16], data: &mut [u8]) {
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(data, context).expect("invariant: counter mode takes any length and a 16-byte IV");
}
