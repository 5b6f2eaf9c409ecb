//! SRTP against published vectors, against the independent implementation of `rtc-srtp`, and against tampering.

use aws_lc_rs::aead::{AES_128_GCM, LessSafeKey, UnboundKey};
use proptest::prelude::*;
use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::AwsLcRsProvider;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use zeroize::Zeroizing;

use super::cipher::Cipher;
use super::kdf::{Label, aes, counter_mode, derive};
use super::*;

const PROFILES: [Profile; 2] = [Profile::AeadAes128Gcm, Profile::Aes128CmSha1_80];

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

fn key16(text: &str) -> [u8; 16] {
    hex(text).try_into().unwrap()
}

fn master(profile: Profile, seed: u8) -> MasterKey {
    let salt: Vec<u8> = (0..profile.salt_len() as u8).map(|i| i ^ seed).collect();
    MasterKey::new(profile, std::array::from_fn(|i| i as u8 ^ seed ^ 0x5a), &salt).unwrap()
}

fn rtp(ssrc: u32, seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x90, 111]; // with an extension, which stays in the clear
    packet.extend(seq.to_be_bytes());
    packet.extend(1234_u32.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xbe, 0xde, 0, 1, 0x10, 0x7f, 0, 0]);
    packet.extend(payload);
    packet
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0x81, 202, 0, 2]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([1, 1, b'x', 0]);
    packet
}

fn protect(outbound: &mut Outbound, plain: &[u8]) -> Vec<u8> {
    let mut buffer = [plain, &[0; MAX_OVERHEAD]].concat();
    let len = outbound.protect_rtp(&mut buffer, plain.len()).unwrap();
    buffer.truncate(len);
    buffer
}

fn unprotect(inbound: &mut Inbound, protected: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = protected.to_vec();
    let done = inbound.unprotect_rtp(&mut buffer)?;
    buffer.truncate(done.len);
    Ok(buffer)
}

fn protect_rtcp(outbound: &mut Outbound, plain: &[u8]) -> Vec<u8> {
    let mut buffer = [plain, &[0; MAX_OVERHEAD]].concat();
    let len = outbound.protect_rtcp(&mut buffer, plain.len()).unwrap();
    buffer.truncate(len);
    buffer
}

fn unprotect_rtcp(inbound: &mut Inbound, protected: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = protected.to_vec();
    let len = inbound.unprotect_rtcp(&mut buffer)?;
    buffer.truncate(len);
    Ok(buffer)
}

#[test]
fn counter_mode_key_stream_is_that_of_rfc_3711_b2() {
    let key = key16("2B7E151628AED2A6ABF7158809CF4F3C");
    let iv = key16("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000");
    let mut stream = [0; 48];
    counter_mode(&aes(&key), iv, &mut stream);
    let expected = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0";
    assert_eq!(stream[..], hex(expected));
}

#[test]
fn session_keys_are_those_of_rfc_3711_b3() {
    let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
    let master = MasterKey::new(Profile::Aes128CmSha1_80, key16("E1F97A0D3E018BE0D64FA32C06DE4139"), &salt).unwrap();
    let (mut key, mut salt, mut auth) = ([0; 16], [0; 14], [0; 20]);
    derive(&master, Label::RtpKey, &mut key);
    derive(&master, Label::RtpSalt, &mut salt);
    derive(&master, Label::RtpAuth, &mut auth);
    assert_eq!(key[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(salt[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
    assert_eq!(auth[..], hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

/// The session key and salt of RFC 7714 §16 and §17.
fn rfc7714() -> Cipher {
    let key = UnboundKey::new(&AES_128_GCM, &key16("000102030405060708090a0b0c0d0e0f")).unwrap();
    let salt = Zeroizing::new(hex("517569642070726f2071756f").try_into().unwrap());
    Cipher::Gcm { key: LessSafeKey::new(key), salt }
}

const RFC7714_RTP: &str = "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976697361 \
    20696e207061727465732074726573";
const RFC7714_SRTP: &str = "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b \
    36de3adf8833899d7f27beb16a9152cf765ee4390cce";
const RFC7714_RTCP: &str = "81c8000d4d6172734e5450314e54503252545020 0000042a0000e9304c756e61 \
    deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
const RFC7714_SRTCP: &str = "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda \
    4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4";

#[test]
fn gcm_packets_are_those_of_rfc_7714_16() {
    let (plain, protected, ssrc) = (hex(RFC7714_RTP), hex(RFC7714_SRTP), 0x5501_a0b2);
    let mut buffer = [&plain[..], &[0; 16]].concat();
    let len = rfc7714().seal_rtp(&mut buffer, 12, plain.len(), ssrc, 0xf17b).unwrap();
    assert_eq!(buffer[..len], protected);
    let len = rfc7714().open_rtp(&mut buffer, 12, ssrc, 0xf17b).unwrap();
    assert_eq!(buffer[..len], plain);
}

#[test]
fn gcm_reports_are_those_of_rfc_7714_17() {
    let (plain, protected, ssrc) = (hex(RFC7714_RTCP), hex(RFC7714_SRTCP), 0x4d61_7273);
    let mut buffer = [&plain[..], &[0; 20]].concat();
    let len = rfc7714().seal_rtcp(&mut buffer, plain.len(), ssrc, 0x5d4).unwrap();
    assert_eq!(buffer[..len], protected);
    assert_eq!(rfc7714().rtcp_index(&protected), Ok(0x5d4));
    let len = rfc7714().open_rtcp(&mut buffer, ssrc, 0x5d4).unwrap();
    assert_eq!(buffer[..len], plain);
}

/// `rtc-srtp` with the same master key.
fn independent(profile: Profile, seed: u8) -> Context {
    let theirs = match profile {
        Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Profile::Aes128CmSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
    };
    let key = master(profile, seed);
    let salt = &key.salt[..profile.salt_len()];
    Context::new(&key.key[..], salt, theirs, None, None, AwsLcRsProvider::new().crypto()).unwrap()
}

#[test]
fn an_independent_implementation_reads_ours_and_we_read_its() {
    for profile in PROFILES {
        let mut theirs = independent(profile, 3);
        let (mut out, mut inn) = (Outbound::new(&master(profile, 3)), Inbound::new(&master(profile, 3), 8));
        let mut their_sender = independent(profile, 3);
        for i in 0..70_000_u32 {
            // Across the wrap of the sequence number; every 97th packet only, to be quick.
            if i % 97 != 0 && !(65_530..65_545).contains(&i) {
                continue;
            }
            let plain = rtp(0xfeed, i as u16, &[i as u8; 61]);
            assert_eq!(theirs.decrypt_rtp(&protect(&mut out, &plain)).unwrap(), plain, "{profile:?} {i}");
            let protected = their_sender.encrypt_rtp(&plain).unwrap();
            assert_eq!(unprotect(&mut inn, &protected).unwrap(), plain, "{profile:?} {i}");
        }
        for _ in 0..5 {
            let plain = rtcp(0xfeed);
            assert_eq!(theirs.decrypt_rtcp(&protect_rtcp(&mut out, &plain)).unwrap(), plain, "{profile:?}");
            let protected = their_sender.encrypt_rtcp(&plain).unwrap();
            assert_eq!(unprotect_rtcp(&mut inn, &protected).unwrap(), plain, "{profile:?}");
        }
    }
}

#[test]
fn any_changed_bit_is_noticed() {
    for profile in PROFILES {
        let (mut out, mut inn) = (Outbound::new(&master(profile, 1)), Inbound::new(&master(profile, 1), 8));
        let packet = protect(&mut out, &rtp(1, 1, b"payload"));
        let report = protect_rtcp(&mut out, &rtcp(1));
        for bit in 0..packet.len() * 8 {
            let mut changed = packet.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(unprotect(&mut inn, &changed).is_err(), "{profile:?} RTP bit {bit}");
        }
        for bit in 0..report.len() * 8 {
            let mut changed = report.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(unprotect_rtcp(&mut inn, &changed).is_err(), "{profile:?} RTCP bit {bit}");
        }
        assert_eq!(inn.streams(), 0, "nothing was remembered");
        assert!(unprotect(&mut inn, &packet).is_ok() && unprotect_rtcp(&mut inn, &report).is_ok());
    }
}

#[test]
fn replays_are_refused_and_reordering_within_128_is_not() {
    for profile in PROFILES {
        let (mut out, mut inn) = (Outbound::new(&master(profile, 1)), Inbound::new(&master(profile, 1), 8));
        let packets: Vec<_> = (0..200).map(|seq| protect(&mut out, &rtp(1, seq, b"x"))).collect();
        assert!(unprotect(&mut inn, &packets[199]).is_ok());
        assert_eq!(unprotect(&mut inn, &packets[199]), Err(SrtpError::Replayed));
        assert!(unprotect(&mut inn, &packets[199 - 127]).is_ok());
        assert_eq!(unprotect(&mut inn, &packets[199 - 127]), Err(SrtpError::Replayed));
        assert_eq!(unprotect(&mut inn, &packets[199 - 128]), Err(SrtpError::Replayed), "too old");
        let report = protect_rtcp(&mut out, &rtcp(1));
        assert!(unprotect_rtcp(&mut inn, &report).is_ok());
        assert_eq!(unprotect_rtcp(&mut inn, &report), Err(SrtpError::Replayed));
    }
}

#[test]
fn the_rollover_counter_survives_loss_and_reordering_at_the_wrap() {
    for profile in PROFILES {
        let (mut out, mut inn) = (Outbound::new(&master(profile, 1)), Inbound::new(&master(profile, 1), 8));
        let mut packets: Vec<_> =
            (0..120_u16).map(|i| protect(&mut out, &rtp(1, 65_480_u16.wrapping_add(i), b"x"))).collect();
        packets.remove(56); // the first packet after the wrap is lost
        packets.swap(50, 60); // and others swap places across it
        for (i, packet) in packets.iter().enumerate() {
            assert!(unprotect(&mut inn, packet).is_ok(), "{profile:?} {i}");
        }
    }
}

#[test]
fn streams_beyond_the_limit_are_refused_before_they_cost_state() {
    let profile = Profile::AeadAes128Gcm;
    let (mut out, mut inn) = (Outbound::new(&master(profile, 1)), Inbound::new(&master(profile, 1), 2));
    assert!(unprotect(&mut inn, &protect(&mut out, &rtp(1, 1, b"x"))).is_ok());
    assert!(unprotect(&mut inn, &protect(&mut out, &rtp(2, 1, b"x"))).is_ok());
    assert_eq!(unprotect(&mut inn, &protect(&mut out, &rtp(3, 1, b"x"))), Err(SrtpError::TooManySsrcs));
    assert!(unprotect(&mut inn, &protect(&mut out, &rtp(1, 2, b"x"))).is_ok(), "known streams go on");
}

#[test]
fn no_packet_index_is_protected_twice() {
    let mut out = Outbound::new(&master(Profile::AeadAes128Gcm, 1));
    protect(&mut out, &rtp(1, 9, b"one"));
    let mut again = [&rtp(1, 9, b"two")[..], &[0; MAX_OVERHEAD]].concat();
    let len = again.len() - MAX_OVERHEAD;
    assert_eq!(out.protect_rtp(&mut again, len), Err(SrtpError::ReusedIndex));
}

#[test]
fn a_buffer_without_room_for_the_tag_is_an_error() {
    for profile in PROFILES {
        let mut out = Outbound::new(&master(profile, 1));
        let mut buffer = rtp(1, 9, b"one");
        let len = buffer.len();
        assert_eq!(out.protect_rtp(&mut buffer, len), Err(SrtpError::NoRoom));
        let mut buffer = rtcp(1);
        let len = buffer.len();
        assert_eq!(out.protect_rtcp(&mut buffer, len), Err(SrtpError::NoRoom));
    }
}

#[test]
fn keying_material_is_split_as_rfc_5764_says() {
    let profile = Profile::Aes128CmSha1_80;
    let material: Vec<u8> = (0..60).collect();
    let client = KeyPair::split(profile, &material, true).unwrap();
    let server = KeyPair::split(profile, &material, false).unwrap();
    assert_eq!(*client.local.key, *server.remote.key);
    assert_eq!(client.local.key[0], 0);
    assert_eq!(client.remote.key[0], 16);
    assert_eq!((client.local.salt[0], client.remote.salt[0]), (32, 46));
    assert!(KeyPair::split(profile, &material[1..], true).is_none());
}

proptest! {
    #[test]
    fn unprotecting_protected_packets_gives_them_back(
        payload in prop::collection::vec(any::<u8>(), 0..1200), seq: u16, ssrc: u32, gcm: bool
    ) {
        let profile = PROFILES[usize::from(gcm)];
        let (mut out, mut inn) = (Outbound::new(&master(profile, 1)), Inbound::new(&master(profile, 1), 8));
        let plain = rtp(ssrc, seq, &payload);
        let protected = protect(&mut out, &plain);
        prop_assert!(payload.len() < 8 || protected[..plain.len()] != plain[..], "not encrypted");
        prop_assert_eq!(unprotect(&mut inn, &protected).unwrap(), plain);
    }

    #[test]
    fn any_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), gcm: bool) {
        let mut inn = Inbound::new(&master(PROFILES[usize::from(gcm)], 1), 8);
        prop_assert!(unprotect(&mut inn, &bytes).is_err());
        prop_assert!(unprotect_rtcp(&mut inn, &bytes).is_err());
    }
}
