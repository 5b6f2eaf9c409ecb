//! SRTP and SRTCP in place, without allocation per packet, on aws-lc-rs.
//!
//! In the flow: the network thread unprotects in its receive buffers and protects in its send buffers.
//! Invariants: a packet is authenticated before it changes any state, so forged SSRCs cost nothing; no
//! (key, SSRC, index) encrypts twice; session keys live only inside the ciphers, all others are zeroed.
//! Not here: MKI, key derivation rates, re-keying, header extension encryption, profiles beyond the two.
//! Specs: RFC 3711, RFC 7714, RFC 5764 §4.2.

mod cipher;
mod inbound;
mod index;
mod kdf;
mod outbound;
mod sdes;

#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

pub use inbound::{Inbound, Unprotected};
pub use outbound::Outbound;
pub use sdes::SdesError;

/// The most bytes protection adds: a GCM tag and the SRTCP index word.
pub const MAX_OVERHEAD: usize = 16 + 4;

/// An SRTP protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AES128_CM_HMAC_SHA1_80`.
    Aes128CmSha1_80,
}

impl Profile {
    /// Bytes of master salt.
    const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm => 12,
            Self::Aes128CmSha1_80 => 14,
        }
    }

    /// Bytes that the DTLS exporter must give: two keys, two salts (RFC 5764 §4.2).
    #[must_use]
    pub const fn keying_material_len(self) -> usize {
        2 * (16 + self.salt_len())
    }
}

/// Why a packet was not protected or unprotected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SrtpError {
    /// Shorter than its headers or tag.
    #[error("packet is malformed")]
    Malformed,
    /// The tag does not match.
    #[error("authentication failed")]
    Unauthenticated,
    /// Already received, or older than the replay window.
    #[error("packet is a replay or too old")]
    Replayed,
    /// The SSRC is new and the limit is reached.
    #[error("too many SSRCs")]
    TooManySsrcs,
    /// Outbound: this SSRC and sequence number were protected before.
    #[error("packet index was used before")]
    ReusedIndex,
    /// The buffer has no room for the tag.
    #[error("no room for the authentication tag")]
    NoRoom,
    /// 2^48 packets or 2^31 reports: the key is used up.
    #[error("the key is used up")]
    KeyExhausted,
}

/// One direction's master key and salt.
#[derive(Clone)]
pub struct MasterKey {
    profile: Profile,
    key: Zeroizing<[u8; 16]>,
    /// GCM uses the first 12 bytes; the rest is zero.
    salt: Zeroizing<[u8; 14]>,
}

impl MasterKey {
    /// A master key from its parts; `None` if `salt` does not have the profile's length.
    #[must_use]
    pub fn new(profile: Profile, key: [u8; 16], salt: &[u8]) -> Option<Self> {
        let mut padded = Zeroizing::new([0; 14]);
        if salt.len() != profile.salt_len() {
            return None;
        }
        padded[..salt.len()].copy_from_slice(salt);
        Some(Self { profile, key: Zeroizing::new(key), salt: padded })
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MasterKey").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// Both directions' master keys, seen from our side.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// What we protect with.
    pub local: MasterKey,
    /// What the peer protects with.
    pub remote: MasterKey,
}

impl KeyPair {
    /// Splits exported keying material: client key, server key, client salt, server salt (RFC 5764 §4.2).
    /// `None` if its length is wrong.
    #[must_use]
    pub fn split(profile: Profile, material: &[u8], is_client: bool) -> Option<Self> {
        if material.len() != profile.keying_material_len() {
            return None;
        }
        let (keys, salts) = material.split_at(32);
        let (client_salt, server_salt) = salts.split_at(profile.salt_len());
        let master = |key: &[u8], salt| MasterKey::new(profile, key.try_into().ok()?, salt);
        let client = master(&keys[..16], client_salt)?;
        let server = master(&keys[16..], server_salt)?;
        let (local, remote) = if is_client { (client, server) } else { (server, client) };
        Some(Self { local, remote })
    }
}

/// Length of an RTP header with CSRCs and extension, which stay in the clear (RFC 3550 §5.1).
fn rtp_header_len(packet: &[u8]) -> Result<usize, SrtpError> {
    let fixed = packet.first_chunk::<12>().ok_or(SrtpError::Malformed)?;
    if fixed[0] >> 6 != 2 {
        return Err(SrtpError::Malformed);
    }
    let mut len = 12 + 4 * usize::from(fixed[0] & 0x0f);
    if fixed[0] & 0x10 != 0 {
        let words = packet.get(len + 2..len + 4).ok_or(SrtpError::Malformed)?;
        len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    if len > packet.len() { Err(SrtpError::Malformed) } else { Ok(len) }
}

/// SSRC and sequence number of a packet that has at least the fixed header.
fn rtp_ids(packet: &[u8]) -> (u32, u16) {
    let ssrc = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
    (ssrc, u16::from_be_bytes([packet[2], packet[3]]))
}

/// SSRC of the first RTCP packet; `None` if there is no room for it.
fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let fixed = packet.first_chunk::<8>().filter(|f| f[0] >> 6 == 2)?;
    Some(u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]))
}
