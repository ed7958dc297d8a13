use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn stored(nonces: &DevNonces) -> Vec<u8> {
    minicbor::to_vec(nonces).unwrap()
}

fn come_back(nonces: &DevNonces) {
    let bytes = stored(nonces);
    assert!(bytes.len() <= DEV_NONCES_BYTES_MAX + 8, "{} bytes", bytes.len());
    assert_eq!(&minicbor::decode::<DevNonces>(&bytes).unwrap(), nonces);
}

#[test]
fn a_random_nonce_is_taken_once() {
    let mut nonces = DevNonces::new(MacVersion::V1_0_3);
    for dev_nonce in [7, 65_535, 0, 5, 6, 8] {
        assert_eq!(nonces.take(dev_nonce), Ok(()));
        assert_eq!(nonces.take(dev_nonce), Err(DevNonceError::Used { dev_nonce }));
    }
    assert_eq!(nonces.0, Policy::Used(vec![(0, 0), (5, 8), (65_535, 65_535)]));
    nonces.flush();
    assert_eq!(nonces, DevNonces::new(MacVersion::V1_0_2));
}

#[test]
fn a_counting_nonce_only_rises() {
    let mut nonces = DevNonces::new(MacVersion::V1_1);
    assert_eq!(nonces.take(0), Ok(()));
    assert_eq!(nonces.take(0), Err(DevNonceError::NotRising { dev_nonce: 0, highest: 0 }));
    assert_eq!(nonces.take(9), Ok(()));
    assert_eq!(nonces.take(8), Err(DevNonceError::NotRising { dev_nonce: 8, highest: 9 }));
    nonces.flush();
    assert_eq!(nonces.take(0), Ok(()));
    come_back(&nonces);
}

#[test]
fn another_version_forgets_nothing() {
    let mut nonces = DevNonces::new(MacVersion::V1_0_2);
    nonces.take(300).unwrap();
    nonces.take(20).unwrap();
    let mut rising = nonces.under(MacVersion::V1_0_4);
    assert!(rising.take(300).is_err());
    assert!(rising.take(301).is_ok());
    let mut used = rising.under(MacVersion::V1_0_3);
    assert!(used.take(20).is_err() && used.take(301).is_err() && used.take(302).is_ok());
}

#[test]
fn what_another_box_has_used_is_used() {
    let used = |version, nonces: &[u16]| {
        let mut used = DevNonces::new(version);
        nonces.iter().for_each(|nonce| used.take(*nonce).unwrap());
        used
    };
    let check = |mut own: DevNonces, other: DevNonces, expected: DevNonces| {
        own.absorb(&other);
        assert_eq!(own, expected);
        come_back(&own);
    };
    let (random, counting) = (MacVersion::V1_0_3, MacVersion::V1_0_4);
    check(used(random, &[1, 2, 9]), used(random, &[3, 9, 65_535]), used(random, &[1, 2, 3, 9, 65_535]));
    check(used(random, &[]), used(random, &[5]), used(random, &[5]));
    check(used(counting, &[3]), used(counting, &[9]), used(counting, &[9]));
    check(used(counting, &[9]), used(counting, &[]), used(counting, &[9]));
    // The two boxes' tables differ in the version.
    check(used(counting, &[3]), used(random, &[9, 5]), used(counting, &[9]));
    check(used(random, &[9]), used(counting, &[2]), used(random, &[0, 1, 2, 9]));
}

#[test]
fn every_nonce_fits_the_bound() {
    let mut nonces = DevNonces::new(MacVersion::V1_0_2);
    for (count, dev_nonce) in (0..=u16::MAX).step_by(2).chain((1..=u16::MAX).step_by(2)).enumerate() {
        nonces.take(dev_nonce).unwrap();
        if [2046, 2047, 2048, 32_767, 40_000, 65_535].contains(&count) {
            come_back(&nonces);
        }
    }
    assert_eq!(nonces.0, Policy::Used(vec![(0, 65_535)]));
    assert!(nonces.take(12_345).is_err());
}

proptest! {
    #[test]
    fn is_a_set(order in prop::collection::vec(prop_oneof![0u16..40, 65_500u16.., any::<u16>()], 0..100)) {
        let (mut nonces, mut set) = (DevNonces::new(MacVersion::V1_0_2), BTreeSet::new());
        for dev_nonce in order {
            prop_assert_eq!(nonces.take(dev_nonce).is_ok(), set.insert(dev_nonce));
        }
        come_back(&nonces);
    }

    #[test]
    fn any_stored_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..60), used: bool) {
        let of = |bytes: &[u8]| minicbor::decode::<DevNonces>(bytes);
        let _ = of(&bytes);
        if used {
            let written = minicbor::to_vec(Stored::Used(bytes)).unwrap();
            if let Ok(nonces) = of(&written) {
                prop_assert_eq!(stored(&nonces), written);
            }
        }
    }
}
