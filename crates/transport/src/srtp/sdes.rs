//! SRTP keys as a session description gives them: a suite's name and `inline:` parameters.
//!
//! In the flow: between whoever negotiates for a plain leg and its SRTP contexts. Pure.
//! Invariants: what is not understood is refused, since a guess would be a key nobody shares; the bytes decoded here
//! are zeroed. Not here: the text they came in, which is the caller's to wipe; `a=crypto` lines (their tag and session
//! parameters), making keys, MKI. Specs: RFC 4568 §6.1 and §9.2, RFC 7714 §14.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{MasterKey, Profile};

/// Why a key was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdesError {
    /// Another suite than ours.
    #[error("SRTP suite \"{0}\" is not supported; use AEAD_AES_128_GCM or AES_CM_128_HMAC_SHA1_80")]
    Suite(String),
    /// Not `inline:` and base64.
    #[error("the SRTP key is not \"inline:\" followed by base64")]
    Syntax,
    /// Too few or too many bytes.
    #[error("the SRTP key has {got} bytes, but {suite} takes {want}: a key of 16 and its salt")]
    Length {
        /// Bytes it has.
        got: usize,
        /// Bytes it should have.
        want: usize,
        /// The suite.
        suite: &'static str,
    },
    /// A master key index, which would be in every packet.
    #[error("the SRTP key has a master key identifier (MKI), which is not supported")]
    Mki,
}

impl Profile {
    /// The name of its suite in descriptions.
    #[must_use]
    pub const fn sdes_name(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::Aes128CmSha1_80 => "AES_CM_128_HMAC_SHA1_80",
        }
    }

    /// The profile with this suite name.
    #[must_use]
    pub fn of_sdes(name: &str) -> Option<Self> {
        [Self::AeadAes128Gcm, Self::Aes128CmSha1_80].into_iter().find(|profile| profile.sdes_name() == name)
    }
}

impl MasterKey {
    /// Reads `inline:` and the base64 of key and salt, as RFC 4568 writes it; a lifetime behind it is ignored, since
    /// ours ends where the standard's own limit is.
    ///
    /// # Errors
    /// [`SdesError`], which never repeats the key.
    pub fn from_sdes(suite: &str, key: &str) -> Result<Self, SdesError> {
        let profile = Profile::of_sdes(suite).ok_or_else(|| SdesError::Suite(suite.chars().take(40).collect()))?;
        let mut parts = key.strip_prefix("inline:").ok_or(SdesError::Syntax)?.split('|');
        let text = parts.next().ok_or(SdesError::Syntax)?;
        if parts.any(|part| part.contains(':')) {
            return Err(SdesError::Mki);
        }
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| SdesError::Syntax)?);
        let (got, want) = (bytes.len(), 16 + profile.salt_len());
        let wrong = SdesError::Length { got, want, suite: profile.sdes_name() };
        let (key, salt) = bytes.split_first_chunk::<16>().filter(|_| got == want).ok_or(wrong)?;
        Ok(Self::new(profile, *key, salt).expect("invariant: the salt has the profile's length"))
    }

    /// The profile the key is for.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Whether both are the same key, whatever their salts.
    pub(crate) fn same_key(&self, other: &Self) -> bool {
        *self.key == *other.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CM: &str = "AES_CM_128_HMAC_SHA1_80";
    /// The example of RFC 4568 §6.1.
    const INLINE: &str = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn the_example_of_rfc_4568_is_read() {
        let key = MasterKey::from_sdes(CM, &format!("{INLINE}|2^20")).unwrap();
        assert_eq!(&*key.key, b"YS___semctl () {");
        assert_eq!(&key.salt[..], b"\t220;}\n}\nunles");
        assert_eq!(key.profile(), Profile::Aes128CmSha1_80);
    }

    #[test]
    fn what_is_not_a_key_is_named_and_never_repeated() {
        let refused = |suite: &str, key: &str| MasterKey::from_sdes(suite, key).unwrap_err();
        assert_eq!(refused("AES_CM_128_HMAC_SHA1_32", INLINE), SdesError::Suite("AES_CM_128_HMAC_SHA1_32".into()));
        assert_eq!(refused(CM, &INLINE[7..]), SdesError::Syntax);
        assert_eq!(refused(CM, "inline:%%%"), SdesError::Syntax);
        assert_eq!(refused(CM, &format!("{INLINE}|2^20|1:4")), SdesError::Mki);
        let short = refused("AEAD_AES_128_GCM", INLINE);
        let text = "the SRTP key has 30 bytes, but AEAD_AES_128_GCM takes 28: a key of 16 and its salt";
        assert_eq!(short.to_string(), text);
    }
}
