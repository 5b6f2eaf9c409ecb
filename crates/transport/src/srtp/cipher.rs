//! The two transforms: AES-GCM and AES-CM with HMAC-SHA1, each for RTP and for RTCP.
//!
//! In the flow: below `inbound` and `outbound`; knows packets' layout and indices, keeps no stream state.
//! Invariants: in place, no allocation; `open_*` authenticates before it decrypts; tags are compared in
//! constant time.
//! Specs: RFC 3711 §4.1–4.2 and §3.4, RFC 7714 §8–9.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::EncryptingKey;
use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::kdf::{Label, aes, counter_mode, derive};
use super::{MasterKey, Profile, SrtpError};

const GCM_TAG: usize = 16;
const SHA1_80_TAG: usize = 10;
/// SRTCP: the E flag says that the packet is encrypted (RFC 3711 §3.4).
const E_FLAG: u32 = 1 << 31;
/// RTCP bytes that stay in the clear: common header and sender SSRC.
const RTCP_CLEAR: usize = 8;

pub(super) enum Cipher {
    Gcm { key: LessSafeKey, salt: Zeroizing<[u8; 12]> },
    Cm(Box<CounterMode>),
}

/// Boxed: the keyed HMAC alone has over a kilobyte.
pub(super) struct CounterMode {
    key: EncryptingKey,
    auth: hmac::Key,
    salt: Zeroizing<[u8; 14]>,
}

impl Cipher {
    pub(super) fn rtp(master: &MasterKey) -> Self {
        Self::new(master, Label::RtpKey, Label::RtpAuth, Label::RtpSalt)
    }

    pub(super) fn rtcp(master: &MasterKey) -> Self {
        Self::new(master, Label::RtcpKey, Label::RtcpAuth, Label::RtcpSalt)
    }

    fn new(master: &MasterKey, key_label: Label, auth_label: Label, salt_label: Label) -> Self {
        let mut key = Zeroizing::new([0; 16]);
        derive(master, key_label, &mut key[..]);
        match master.profile {
            Profile::AeadAes128Gcm => {
                let mut salt = Zeroizing::new([0; 12]);
                derive(master, salt_label, &mut salt[..]);
                let key = UnboundKey::new(&AES_128_GCM, &key[..]).expect("invariant: AES-128 keys have 16 bytes");
                Self::Gcm { key: LessSafeKey::new(key), salt }
            }
            Profile::Aes128CmSha1_80 => {
                let mut salt = Zeroizing::new([0; 14]);
                derive(master, salt_label, &mut salt[..]);
                let mut auth = Zeroizing::new([0; 20]);
                derive(master, auth_label, &mut auth[..]);
                let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth[..]);
                Self::Cm(Box::new(CounterMode { key: aes(&key), auth, salt }))
            }
        }
    }

    /// Reads what the next packet will need, as far as it can be reached.
    pub(super) fn warm(&self) -> u64 {
        match self {
            Self::Gcm { salt, .. } => u64::from(salt[0]),
            Self::Cm(cm) => u64::from(cm.salt[0]),
        }
    }

    /// Protects `buf[..len]`, whose first `header` bytes stay in the clear; returns the new length.
    pub(super) fn seal_rtp(
        &self,
        buf: &mut [u8],
        header: usize,
        len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, SrtpError> {
        match self {
            Self::Gcm { key, salt } => {
                let packet = buf.get_mut(..len + GCM_TAG).ok_or(SrtpError::NoRoom)?;
                let (clear, rest) = packet.split_at_mut(header);
                seal_gcm(key, gcm_rtp_nonce(salt, ssrc, index), clear, rest);
                Ok(len + GCM_TAG)
            }
            Self::Cm(cm) => {
                let CounterMode { key, auth, salt } = &**cm;
                let packet = buf.get_mut(..len + SHA1_80_TAG).ok_or(SrtpError::NoRoom)?;
                counter_mode(key, cm_iv(salt, ssrc, index), &mut packet[header..len]);
                let tag = cm_rtp_tag(auth, packet, index);
                packet[len..].copy_from_slice(&tag);
                Ok(len + SHA1_80_TAG)
            }
        }
    }

    /// Authenticates and decrypts a whole packet; returns its plain length.
    pub(super) fn open_rtp(&self, packet: &mut [u8], header: usize, ssrc: u32, index: u64) -> Result<usize, SrtpError> {
        match self {
            Self::Gcm { key, salt } => {
                let (clear, rest) = packet.split_at_mut(header);
                open_gcm(key, gcm_rtp_nonce(salt, ssrc, index), clear, rest)?;
                Ok(packet.len() - GCM_TAG)
            }
            Self::Cm(cm) => {
                let CounterMode { key, auth, salt } = &**cm;
                let len = packet.len().checked_sub(SHA1_80_TAG).filter(|len| *len >= header);
                let len = len.ok_or(SrtpError::Malformed)?;
                let theirs: [u8; SHA1_80_TAG] = packet[len..].try_into().expect("invariant: the tag is the rest");
                let ours = cm_rtp_tag(auth, packet, index);
                if !bool::from(ours.ct_eq(&theirs)) {
                    return Err(SrtpError::Unauthenticated);
                }
                counter_mode(key, cm_iv(salt, ssrc, index), &mut packet[header..len]);
                Ok(len)
            }
        }
    }

    /// Protects the compound in `buf[..len]` with the 31-bit `index`; returns the new length.
    pub(super) fn seal_rtcp(&self, buf: &mut [u8], len: usize, ssrc: u32, index: u32) -> Result<usize, SrtpError> {
        let word = (index | E_FLAG).to_be_bytes();
        match self {
            Self::Gcm { key, salt } => {
                let end = len + GCM_TAG;
                let packet = buf.get_mut(..end + 4).ok_or(SrtpError::NoRoom)?;
                let aad = gcm_rtcp_aad(packet, word);
                seal_gcm(key, gcm_rtcp_nonce(salt, ssrc, index), &aad, &mut packet[RTCP_CLEAR..end]);
                packet[end..].copy_from_slice(&word);
                Ok(end + 4)
            }
            Self::Cm(cm) => {
                let CounterMode { key, auth, salt } = &**cm;
                let packet = buf.get_mut(..len + 4 + SHA1_80_TAG).ok_or(SrtpError::NoRoom)?;
                counter_mode(key, cm_iv(salt, ssrc, u64::from(index)), &mut packet[RTCP_CLEAR..len]);
                packet[len..len + 4].copy_from_slice(&word);
                let tag = hmac::sign(auth, &packet[..len + 4]);
                packet[len + 4..].copy_from_slice(&tag.as_ref()[..SHA1_80_TAG]);
                Ok(len + 4 + SHA1_80_TAG)
            }
        }
    }

    /// The index a packet claims, before anything is verified.
    pub(super) fn rtcp_index(&self, packet: &[u8]) -> Result<u32, SrtpError> {
        let end = match self {
            Self::Gcm { .. } => packet.len(),
            Self::Cm(_) => packet.len().saturating_sub(SHA1_80_TAG),
        };
        let word = packet[..end].last_chunk::<4>().ok_or(SrtpError::Malformed)?;
        Ok(u32::from_be_bytes(*word) & !E_FLAG)
    }

    /// Authenticates and decrypts a whole SRTCP packet; returns its plain length.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, index: u32) -> Result<usize, SrtpError> {
        match self {
            Self::Gcm { key, salt } => {
                let end = packet.len().checked_sub(4).filter(|end| *end >= RTCP_CLEAR + GCM_TAG);
                let end = end.ok_or(SrtpError::Malformed)?;
                let word: [u8; 4] = packet[end..].try_into().expect("invariant: four bytes are left");
                let nonce = gcm_rtcp_nonce(salt, ssrc, index);
                if u32::from_be_bytes(word) & E_FLAG == 0 {
                    return Err(SrtpError::Unauthenticated); // we never agreed to unencrypted RTCP
                }
                let aad = gcm_rtcp_aad(packet, word);
                open_gcm(key, nonce, &aad, &mut packet[RTCP_CLEAR..end])?;
                Ok(end - GCM_TAG)
            }
            Self::Cm(cm) => {
                let CounterMode { key, auth, salt } = &**cm;
                let end = packet.len().checked_sub(SHA1_80_TAG).filter(|end| *end >= RTCP_CLEAR + 4);
                let end = end.ok_or(SrtpError::Malformed)?;
                let tag = hmac::sign(auth, &packet[..end]);
                if !bool::from(tag.as_ref()[..SHA1_80_TAG].ct_eq(&packet[end..])) {
                    return Err(SrtpError::Unauthenticated);
                }
                let len = end - 4;
                if packet[len] & 0x80 != 0 {
                    counter_mode(key, cm_iv(salt, ssrc, u64::from(index)), &mut packet[RTCP_CLEAR..len]);
                }
                Ok(len)
            }
        }
    }
}

/// Encrypts all but the last 16 bytes of `body` and puts the tag there.
fn seal_gcm(key: &LessSafeKey, nonce: [u8; 12], aad: &[u8], body: &mut [u8]) {
    let (plain, tag_out) = body.split_at_mut(body.len() - GCM_TAG);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), plain);
    tag_out.copy_from_slice(tag.expect("invariant: GCM seals any datagram").as_ref());
}

fn open_gcm(key: &LessSafeKey, nonce: [u8; 12], aad: &[u8], body: &mut [u8]) -> Result<(), SrtpError> {
    if body.len() < GCM_TAG {
        return Err(SrtpError::Malformed);
    }
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.open_in_place(nonce, Aad::from(aad), body).map(|_| ()).map_err(|_| SrtpError::Unauthenticated)
}

/// RFC 7714 §8.1: two zero bytes, SSRC, ROC, sequence number, exclusive-or salt.
fn gcm_rtp_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
    nonce[6..].copy_from_slice(&index.to_be_bytes()[2..]);
    xor(&mut nonce, salt);
    nonce
}

/// RFC 7714 §9.1: two zero bytes, SSRC, two zero bytes, index, exclusive-or salt.
fn gcm_rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
    nonce[8..].copy_from_slice(&index.to_be_bytes());
    xor(&mut nonce, salt);
    nonce
}

/// RFC 7714 §9.2: the clear header, then the word with the E flag and the index.
fn gcm_rtcp_aad(packet: &[u8], word: [u8; 4]) -> [u8; RTCP_CLEAR + 4] {
    let mut aad = [0; RTCP_CLEAR + 4];
    aad[..RTCP_CLEAR].copy_from_slice(&packet[..RTCP_CLEAR]);
    aad[RTCP_CLEAR..].copy_from_slice(&word);
    aad
}

/// RFC 3711 §4.1.1: salt, SSRC at bit 64, index at bit 16.
fn cm_iv(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[4..8].copy_from_slice(&ssrc.to_be_bytes());
    iv[8..14].copy_from_slice(&index.to_be_bytes()[2..]);
    xor(&mut iv[..14], salt);
    iv
}

/// RFC 3711 §4.2: HMAC over the packet and the ROC. The ROC takes the tag's place meanwhile, so that the
/// input is in one piece.
fn cm_rtp_tag(auth: &hmac::Key, packet: &mut [u8], index: u64) -> [u8; SHA1_80_TAG] {
    let len = packet.len() - SHA1_80_TAG;
    packet[len..len + 4].copy_from_slice(&index.to_be_bytes()[2..6]);
    let tag = hmac::sign(auth, &packet[..len + 4]);
    tag.as_ref()[..SHA1_80_TAG].try_into().expect("invariant: SHA-1 gives 20 bytes")
}

fn xor(to: &mut [u8], from: &[u8]) {
    for (a, b) in to.iter_mut().zip(from) {
        *a ^= b;
    }
}
