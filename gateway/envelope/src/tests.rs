use std::fmt::Write as _;

use coset::{CoseMac0, CoseSign1, TaggedCborSerializable};
use expect_test::expect;
use proptest::prelude::*;

use super::*;

mod example;
mod spelling;
mod window;

fn secret() -> HmacKey {
    HmacKey::from_bytes(&std::array::from_fn(|at| u8::try_from(at).unwrap()))
}

/// RFC 8032 §7.1, TEST 1.
fn signing_key() -> SigningKey {
    let mut seed = [0; 32];
    hex::decode_to_slice("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", &mut seed).unwrap();
    SigningKey::from_seed(&seed)
}

fn header(counter: u64) -> Header {
    Header { kid: Some(Kid::of_number(7)), counter, device_ms: Some(1_795_426_800_000) }
}

/// One of each algorithm: the bytes, and the key that opens them.
fn sealed(alg: Alg, device: &str, purpose: Purpose, header: &Header, payload: &[u8]) -> (Vec<u8>, DeviceKey) {
    let (mac, signing) = (secret(), signing_key());
    let (sealer, key) = match alg {
        Alg::EdDsa => (Sealer::Ed25519(&signing), DeviceKey::Ed25519(signing.public())),
        Alg::Hmac256 => (Sealer::Hmac(&mac), DeviceKey::Hmac(secret())),
        Alg::Hmac256Short => (Sealer::HmacShort(&mac), DeviceKey::Hmac(secret())),
    };
    (seal(sealer, device, purpose, header, payload), key)
}

const ALL: [Alg; 3] = [Alg::EdDsa, Alg::Hmac256, Alg::Hmac256Short];

#[test]
fn what_is_sealed_opens_for_its_device_and_purpose_only() {
    let purposes = [Purpose::Frame, Purpose::ConfirmedFrame, Purpose::Acknowledgement];
    for alg in ALL {
        for purpose in purposes {
            let (bytes, key) = sealed(alg, "cod-1", purpose, &header(5), b"{\"cod\":40.1}");
            let envelope = Envelope::parse(&bytes).unwrap();
            assert_eq!((envelope.alg(), *envelope.header()), (alg, header(5)));
            let opened = envelope.open(&key, "cod-1", purpose).unwrap();
            assert_eq!((opened.payload, opened.counter, opened.alg), (&b"{\"cod\":40.1}"[..], 5, alg));
            assert_eq!(opened.device_ms, Some(1_795_426_800_000));
            assert_eq!(envelope.open(&key, "cod-2", purpose), Err(OpenError::BadProof { alg }));
            for other in purposes.into_iter().filter(|other| *other != purpose) {
                assert_eq!(envelope.open(&key, "cod-1", other), Err(OpenError::BadProof { alg }), "{other:?}");
            }
        }
    }
}

#[test]
fn a_key_of_the_other_kind_or_another_key_opens_nothing() {
    let (signed, public) = sealed(Alg::EdDsa, "cod-1", Purpose::Frame, &header(5), b"1");
    let (mac, secret) = sealed(Alg::Hmac256, "cod-1", Purpose::Frame, &header(5), b"1");
    let open = |bytes: &[u8], key: &DeviceKey| {
        let answer = Envelope::parse(bytes).unwrap().open(key, "cod-1", Purpose::Frame);
        answer.map(|opened| opened.counter).unwrap_err().to_string()
    };
    let other_secret = DeviceKey::Hmac(HmacKey::from_bytes(&[9; 32]));
    let other_public = DeviceKey::Ed25519(SigningKey::from_seed(&[9; 32]).public());
    let mut answers = String::new();
    for (bytes, key) in [(&signed, secret), (&mac, public), (&signed, other_public), (&mac, other_secret)] {
        writeln!(answers, "{}", open(bytes, &key)).unwrap();
    }
    expect![[r#"
        envelope is sealed by EdDSA, the device has a secret for HMAC · try: give the device the key that it uses in keys.toml
        envelope is sealed by HMAC 256/256, the device has a public key for Ed25519 · try: give the device the key that it uses in keys.toml
        the EdDSA of the envelope does not verify · try: compare the device's key and its name with those on the box
        the HMAC 256/256 of the envelope does not verify · try: compare the device's key and its name with those on the box
    "#]]
    .assert_eq(&answers);
}

#[test]
fn keys_are_never_shown() {
    let shown = format!("{:?} {:?} {:?}", DeviceKey::Hmac(secret()), secret(), signing_key());
    expect!["DeviceKey(a secret for HMAC) HmacKey(..) SigningKey(..)"].assert_eq(&shown);
}

/// Another COSE library reads what we write, and comes to the same message to be authenticated.
#[test]
fn coset_reads_it() {
    let (signed, _) = sealed(Alg::EdDsa, "cod-1", Purpose::Frame, &header(5), b"1");
    let sign1 = CoseSign1::from_tagged_slice(&signed).unwrap();
    let key = signing_key().public();
    let verify =
        |signature: &[u8], message: &[u8]| key.verifies(message, signature.try_into().unwrap()).then_some(()).ok_or(());
    sign1.verify_signature(b"cod-1", verify).unwrap();
    for alg in [Alg::Hmac256, Alg::Hmac256Short] {
        let (bytes, _) = sealed(alg, "cod-1", Purpose::Frame, &header(5), b"1");
        let mac0 = CoseMac0::from_tagged_slice(&bytes).unwrap();
        mac0.verify_payload_tag(
            b"cod-1",
            || (),
            |tag, message| secret().verifies(message, tag).then_some(()).ok_or(()),
        )
        .unwrap();
    }
}

/// Each bit of an envelope matters: none may be flipped by somebody on the way.
#[test]
fn no_bit_can_be_flipped() {
    for alg in ALL {
        let (bytes, key) = sealed(alg, "cod-1", Purpose::Frame, &header(300), b"{\"cod\":40.1}");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let opened = Envelope::parse(&flipped).ok().and_then(|e| e.open(&key, "cod-1", Purpose::Frame).ok());
            assert_eq!(opened, None, "{alg}, bit {bit}");
        }
    }
}

#[test]
fn kids_and_public_keys_are_checked() {
    assert_eq!(Kid::of_number(0).to_string(), "00");
    assert_eq!(Kid::of_number(0x0102).to_string(), "0102");
    assert_eq!(Kid::new(&[]), Err(KidError::Length { bytes: 0 }));
    assert_eq!(Kid::new(&[1; 9]), Err(KidError::Length { bytes: 9 }));
    assert_eq!("7".parse::<Kid>(), Err(KidError::NotHex("7".into())));
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(PublicKey::from_bytes(&neutral), Err(KeyError::NotAPublicKey));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Envelope::parse(&bytes).is_err());
    }

    /// Near an envelope too.
    #[test]
    fn what_is_sealed_is_parsed_and_nothing_beside_it(
        alg in prop::sample::select(&ALL[..]), counter in any::<u64>(), shift in 0_u32..64,
        kid in prop::option::of(prop::collection::vec(any::<u8>(), 1..=8)), device_ms in prop::option::of(any::<i64>()),
        payload in prop::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let header = Header { kid: kid.map(|kid| Kid::new(&kid).unwrap()), counter: counter >> shift, device_ms };
        let (bytes, key) = sealed(alg, "cod-1", Purpose::Frame, &header, &payload);
        let envelope = Envelope::parse(&bytes).unwrap();
        prop_assert_eq!(*envelope.header(), header);
        prop_assert_eq!(envelope.open(&key, "cod-1", Purpose::Frame).unwrap().payload, payload);
        let mut altered = bytes.clone();
        altered[at.index(bytes.len())] = byte;
        if let Ok(parsed) = Envelope::parse(&altered) {
            prop_assert_eq!(parsed.open(&key, "cod-1", Purpose::Frame).is_ok(), altered == bytes);
        }
    }

    #[test]
    fn a_number_has_one_kid(number in any::<u32>(), shift in 0_u32..32) {
        let number = number >> shift;
        let kid = Kid::of_number(number);
        prop_assert_eq!(kid.number(), Some(number));
        prop_assert_eq!(kid.to_string().parse(), Ok(kid));
        let longer: Vec<u8> = std::iter::once(0).chain(kid.as_bytes().iter().copied()).collect();
        prop_assert_eq!(Kid::new(&longer).unwrap().number(), None);
    }
}
