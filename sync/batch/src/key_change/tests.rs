use std::collections::BTreeMap;

use proptest::prelude::*;
use record::{ClockQuality, Seq, UnixMs};

use super::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn box_1() -> Whose {
    Whose::Box(BoxId::new("box-1").unwrap())
}

fn change(old: u8, new: u8, number: u32) -> KeyChange {
    KeyChange {
        whose: box_1(),
        old: key(old).public(),
        new: key(new).public(),
        number,
        at_ms: UnixMs(1_800_000_000_000),
        clock: Some(ClockQuality::Holdover { error_ms: 300 }),
        reason: "a technician left".into(),
    }
}

fn signed(old: u8, new: u8, number: u32) -> Vec<u8> {
    change(old, new, number).sign(&key(old), &key(new))
}

fn statement(cose: &[u8]) -> KeyStatement {
    KeyStatement::read(cose).unwrap()
}

fn succession(platform: u8, former: u8, new: u8) -> Vec<u8> {
    let (platform_id, box_id) = (PlatformId::new("city").unwrap(), BoxId::new("box-1").unwrap());
    let (former, key_now) = (key(former).public(), key(new).public());
    let says = Succession { platform: platform_id, box_id, former, key: key_now, at_ms: UnixMs(5) };
    says.sign(&key(platform))
}

/// Another implementation reads the same bytes (`tests/peers/verify_cose.py`).
#[test]
fn the_bytes_of_a_change_are_these() {
    let digest = <sha2::Sha256 as sha2::Digest>::digest(signed(1, 2, 1));
    assert_eq!(signed(1, 2, 1).len(), 356);
    assert_eq!(hex::encode(digest), "43a6faadbdceb1cfdb3ddb32ed3fec7d636d6aded24fec8b45c92aafd1d65371");
}

#[test]
fn a_change_is_believed_only_with_both_signatures() {
    let bytes = signed(1, 2, 1);
    assert_eq!(KeyChange::open(&bytes).unwrap(), change(1, 2, 1));
    // Signed by others than it names: whoever has one of the two keys has not the other.
    let inner = |by: u8| crate::envelope::sign(Artifact::NewKey, payload::encode(&change(1, 2, 1)), &key(by));
    let outer =
        |by_new, by: u8| crate::envelope::sign(Artifact::KeyChange, payload::encode(&Accepted { by_new }), &key(by));
    assert_eq!(outer(inner(2), 1), bytes);
    assert!(
        matches!(KeyChange::open(&outer(inner(3), 1)), Err(OpenError::UnknownKey { .. })),
        "not the new key's word"
    );
    assert!(
        matches!(KeyChange::open(&outer(inner(2), 3)), Err(OpenError::UnknownKey { .. })),
        "not the old key's word"
    );
    assert!(KeyChange::open(&inner(2)).is_err(), "the new key's word alone");
    let same = change(1, 1, 1);
    let into_itself = crate::envelope::sign(Artifact::NewKey, payload::encode(&same), &key(1));
    assert!(matches!(KeyChange::open(&outer(into_itself, 1)), Err(OpenError::Envelope { .. })));
}

#[test]
fn every_changed_bit_is_found() {
    for bytes in [signed(1, 2, 1), succession(9, 1, 2)] {
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = KeyStatement::read(&flipped);
            let verified = read.is_ok_and(|read| match read {
                KeyStatement::Change(_) => true,
                KeyStatement::Succession { cose, .. } => Succession::verify(&cose, &key(9).public()).is_ok(),
            });
            assert!(!verified, "bit {bit}");
        }
    }
}

#[test]
fn a_reason_beyond_its_bound_is_refused() {
    for (len, taken) in [(REASON_BYTES_MAX, true), (REASON_BYTES_MAX + 1, false)] {
        let long = KeyChange { reason: "x".repeat(len), ..change(1, 2, 1) };
        let bytes = long.sign(&key(1), &key(2));
        assert!(bytes.len() <= STATEMENT_BYTES_MAX);
        assert_eq!(KeyChange::open(&bytes).is_ok(), taken);
    }
}

#[test]
fn a_revocation_is_its_platforms_word() {
    let says = Revocation {
        platform: PlatformId::new("city").unwrap(),
        box_id: BoxId::new("box-1").unwrap(),
        key: key(1).public(),
        from_ms: UnixMs(7),
        made_ms: UnixMs(8),
        reason: "stolen".into(),
    };
    let bytes = says.sign(&key(9));
    assert_eq!(Revocation::verify(&bytes, &key(9).public()).unwrap(), says);
    assert_eq!(Revocation::claimed(&bytes).unwrap(), says);
    assert!(matches!(Revocation::verify(&bytes, &key(8).public()), Err(OpenError::UnknownKey { .. })));
    assert!(matches!(Succession::verify(&bytes, &key(9).public()), Err(OpenError::WrongArtifact { .. })));
}

/// Which keys are believed from `known` on, when the platform city has the key 9, or none is known.
fn believed(known: u8, statements: &[Vec<u8>], city: bool) -> (Vec<u8>, u8) {
    believed_but(known, statements, city, &[])
}

fn believed_but(known: u8, statements: &[Vec<u8>], city: bool, revoked: &[(PublicKey, UnixMs)]) -> (Vec<u8>, u8) {
    let mut lineage = Lineage::new(box_1(), key(known).public());
    for (at, cose) in statements.iter().enumerate() {
        lineage.take(Some(Seq(10 * (at as u64 + 1))), statement(cose));
    }
    let city = city.then(|| (PlatformId::new("city").unwrap(), vec![key(9).public()]));
    let lineage = lineage.followed(&city.into_iter().collect(), revoked);
    let number = |key_of: &PublicKey| (1..20).find(|seed| key(*seed).public() == *key_of).unwrap();
    let mut believed: Vec<u8> = lineage.believed().map(number).collect();
    believed.sort_unstable();
    (believed, number(&lineage.newest()))
}

#[test]
fn the_first_key_leads_to_the_last_and_back() {
    let changes = [signed(1, 2, 1), signed(2, 3, 2), signed(3, 4, 3)];
    let mut backwards = changes.clone();
    backwards.reverse();
    for statements in [&changes, &backwards] {
        assert_eq!(believed(1, statements, false), (vec![1, 2, 3, 4], 4));
        assert_eq!(believed(4, statements, false), (vec![1, 2, 3, 4], 4));
        assert_eq!(believed(2, statements, false), (vec![1, 2, 3, 4], 4));
    }
    assert_eq!(believed(1, &[signed(1, 2, 1), signed(3, 4, 3)], false), (vec![1, 2], 2), "one is missing");
    assert_eq!(believed(7, &changes, false), (vec![7], 7));
}

#[test]
fn a_replaced_box_is_believed_by_the_platforms_word() {
    let statements = [signed(1, 2, 1), succession(9, 2, 5), signed(5, 6, 1)];
    assert_eq!(believed(1, &statements, true), (vec![1, 2, 5, 6], 6));
    assert_eq!(believed(6, &statements, true), (vec![1, 2, 5, 6], 6));
    assert_eq!(believed(1, &statements, false), (vec![1, 2], 2), "whose word that is nobody knows");
    assert_eq!(believed(1, &[succession(8, 1, 5)], true), (vec![1], 1), "another signed in its name");
}

#[test]
fn a_revoked_key_names_no_heir_any_more() {
    let at = change(1, 2, 1).at_ms;
    let from = |ms| [(key(1).public(), UnixMs(ms))];
    let changes = [signed(1, 2, 1), signed(2, 3, 2)];
    assert_eq!(believed_but(1, &changes, false, &from(at.0)), (vec![1], 1));
    assert_eq!(believed_but(1, &changes, false, &from(at.0 + 1)), (vec![1, 2, 3], 3));
    let let_in = [succession(9, 1, 2), changes[0].clone(), changes[1].clone()];
    assert_eq!(believed_but(1, &let_in, true, &from(at.0)), (vec![1, 2, 3], 3), "but a platform can let it in");
}

#[test]
fn a_key_ends_where_the_first_statement_stands() {
    let mut lineage = Lineage::new(box_1(), key(1).public());
    for at in [70, 30, 50] {
        lineage.take(Some(Seq(at)), statement(&signed(1, 2, 1)));
    }
    let other = KeyChange { whose: Whose::Box(BoxId::new("box-2").unwrap()), ..change(1, 4, 1) };
    lineage.take(Some(Seq(1)), KeyStatement::Change(other));
    let lineage = lineage.followed(&BTreeMap::new(), &[]);
    let ends: Vec<_> = lineage.heirs().iter().map(|heir| (heir.key, heir.ended_at)).collect();
    assert_eq!(ends, [(key(1).public(), Some(Seq(30))), (key(2).public(), None)]);
}

proptest! {
    /// What a holder of both keys signs, whatever it is: an answer, and what is read is written the same.
    #[test]
    fn signed_mutations_are_answered(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut plain = payload::encode(&change(1, 2, 1));
        for (at, byte) in changes {
            let place = at.index(plain.len());
            plain[place] = byte;
        }
        let by_new = crate::envelope::sign(Artifact::NewKey, plain, &key(2));
        let bytes = crate::envelope::sign(Artifact::KeyChange, payload::encode(&Accepted { by_new }), &key(1));
        if let Ok(read) = KeyChange::open(&bytes) {
            prop_assert_eq!(read.sign(&key(1), &key(2)), bytes);
        }
    }

    #[test]
    fn whatever_comes_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(KeyStatement::read(&bytes).is_err());
    }
}
