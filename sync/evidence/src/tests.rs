//! Whole files: what one proves, and that whatever happens to one is found.

mod forged;
mod sample;

use expect_test::{Expect, expect};

use crate::{Keys, State, Verdict, What, verify};
use sample::Sample;

/// `word state (about)` of each statement.
fn shown(verdict: &Verdict) -> String {
    let line = |finding: &crate::Finding| {
        let about = finding.what.about().map(|about| format!(" ({about})")).unwrap_or_default();
        format!("{} {}{about}\n", finding.what.word(), format!("{:?}", finding.state).to_lowercase())
    };
    verdict.findings.iter().map(line).collect()
}

fn check(file: &[u8], keys: &Keys, expected: Expect) {
    let verdict = verify(file, keys);
    expected.assert_eq(&shown(&verdict));
    assert_eq!(verdict.holds(), !shown(&verdict).contains("wrong"));
}

#[test]
fn a_file_with_all_keys_is_proven() {
    let sample = Sample::new();
    check(
        &sample.file(),
        &sample.keys(),
        expect![[r#"
            container proven
            seal proven
            key proven
            records proven
            readings proven
            report proven
            receipts proven (city)
            receipts open (province)
            codecs proven
            alarm proven (12)
            complete proven
            times proven
        "#]],
    );
}

/// Files are verified for decades, and by programs that others wrote: whatever changes a byte of this one, its report
/// included, is another version of the form. The Python verifier is shown it too (`tests/system/evidence_file`).
#[test]
fn the_form_is_pinned() {
    let sample = Sample::new();
    let pinned = include_bytes!("tests/sample.evidence");
    assert!(sample.file() == pinned, "the same records make another file: that needs another version");
}

/// What other languages read is what this one writes.
#[test]
fn the_cddls_name_what_the_code_has() {
    let cddl = include_str!("../evidence.cddl");
    let (media_type, members) = (crate::parts::MEDIA_TYPE, batch::EvidenceSeal::MEMBERS_MAX + 1);
    assert!(cddl.contains(media_type) && cddl.contains(&format!("at most {members}.")));
    assert!(cddl.contains(&format!("at most {} bytes", batch::EVIDENCE_SEAL_BYTES_MAX)));
    assert!(cddl.contains(batch::Artifact::Evidence.content_type()));
    for column in crate::readings::HEADING.split(',') {
        assert!(cddl.contains(column), "{column}");
    }
    for finding in verify(&Sample::new().file(), &Sample::new().keys()).findings {
        let word = finding.what.word();
        assert!(cddl.lines().any(|line| line.starts_with(&format!(";   {word} "))), "{word}");
    }
    let records = include_str!("../../record/record.cddl");
    let bounds = [
        ("why", record::Reason::ALL.len()),
        ("why", record::GapReason::ALL.len()),
        ("source", record::ClockSource::ALL.len()),
        ("quality", record::Quality::ALL.len()),
    ];
    for (name, count) in bounds {
        assert!(records.contains(&format!("{name}: 0..{}", count - 1)), "{name} of {count}");
    }
}

#[test]
fn without_keys_it_is_only_what_it_says_itself() {
    let sample = Sample::new();
    check(
        &sample.file(),
        &Keys::default(),
        expect![[r#"
            container proven
            seal proven
            key open
            records proven
            readings proven
            report proven
            receipts open (city)
            receipts open (province)
            codecs proven
            alarm proven (12)
            complete proven
            times proven
        "#]],
    );
}

#[test]
fn what_platforms_confirmed_is_counted_with_its_time() {
    let sample = Sample::new();
    let of: Vec<_> = verify(&sample.file(), &sample.keys()).findings.into_iter().collect();
    let receipts: Vec<_> = of
        .into_iter()
        .filter_map(|finding| match finding.what {
            What::Receipts(receipts) => Some(receipts),
            _ => None,
        })
        .collect();
    let [city, province] = receipts.as_slice() else { panic!("{receipts:?}") };
    assert_eq!((city.receipts, city.held, city.existed, city.records), (2, 12, 12, 12));
    assert_eq!(city.held_before_ms, Some(sample::received(2)), "the second receipt has the rest");
    // It received a head over the first 10 numbers, and holds but two of the records.
    assert_eq!((province.held, province.existed, province.existed_before_ms), (2, 7, Some(sample::received(1))));
}

#[test]
fn what_a_filter_may_have_withheld_is_not_called_held() {
    let sample = Sample::new();
    let receipt = sample.receipt_lacking(0, 1, [&[(0, 14)], &[(4, 6)]], 15);
    let file = sample.sealed(sample.weirlog(), vec![receipt]);
    let found = verify(&file, &sample.keys()).findings.into_iter().find_map(|finding| match finding.what {
        What::Receipts(receipts) => Some(receipts),
        _ => None,
    });
    let lacking = sample::CHOSEN.into_iter().filter(|seq| (4..=6).contains(seq)).count() as u64;
    let city = found.unwrap();
    assert!(lacking > 0 && city.existed == 12, "{city:?}");
    assert_eq!((city.held, city.fault), (city.existed - lacking, None));
}

#[test]
fn every_cut_is_found() {
    let sample = Sample::new();
    let (file, keys) = (sample.file(), sample.keys());
    for len in (0..file.len()).step_by(97).chain(file.len() - 100..file.len()) {
        assert!(!verify(&file[..len], &keys).holds(), "cut at {len}");
    }
}

/// A release build flips them all (`tests/system/evidence_file.rs`).
#[test]
fn a_changed_bit_is_found() {
    let sample = Sample::new();
    let (file, keys) = (sample.file(), sample.keys());
    for bit in (0..file.len() * 8).step_by(211) {
        let mut other = file.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!verify(&other, &keys).holds(), "bit {bit}");
    }
}

#[test]
fn a_file_of_any_bytes_is_answered() {
    for bytes in [&b""[..], b"PK\x03\x04", b"PK\x05\x06", &[0x84; 100]] {
        let verdict = verify(bytes, &Keys::default());
        assert_eq!(verdict.findings.len(), 1);
        assert_eq!(verdict.findings[0].state, State::Wrong);
    }
}
