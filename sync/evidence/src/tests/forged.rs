//! Files that whoever has the box's key, or may ask the box for a seal, makes of parts that do not belong together.

use batch::BatchId;
use expect_test::expect;

use super::sample::Sample;
use super::{check, shown};
use crate::container;
use crate::{Keys, verify};

/// The file with some parts made otherwise, under a new seal of the box.
fn resealed(sample: &Sample, change: impl Fn(&str, &[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let file = sample.file();
    let mut members: Vec<(String, Vec<u8>)> = container::read(&file, 99)
        .unwrap()
        .members
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), change(name, bytes).unwrap_or_else(|| bytes.to_vec())))
        .collect();
    members.pop();
    let members: Vec<_> = members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let seal = sample.seal_of_report(crate::REPORT_VERSION, &members);
    let members = [members.as_slice(), &[("seal.cose", &seal)]].concat();
    container::write(&members)
}

fn wrong(file: &[u8], keys: &Keys) -> String {
    shown(&verify(file, keys)).lines().filter(|line| line.contains("wrong")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_report_or_table_that_says_something_else_is_found_under_a_good_seal() {
    let sample = Sample::new();
    let changed = |part: &'static str| {
        let file = resealed(&sample, |name, bytes| {
            let text = str::from_utf8(bytes).unwrap_or("").replace("95", "75");
            (name == part).then(|| text.into_bytes())
        });
        wrong(&file, &sample.keys())
    };
    assert_eq!(changed("report.html"), "report wrong\n");
    assert_eq!(changed("readings.csv"), "readings wrong\nreport wrong\n", "the report has the table's hash");
}

#[test]
fn an_altered_record_is_named_and_nothing_is_told_of_it() {
    let sample = Sample::new();
    let file = resealed(&sample, |name, bytes| {
        let at = bytes.windows(2).position(|two| two == b"95")?;
        let mut other = bytes.to_vec();
        other[at] = b'7';
        (name == "records.weirlog").then_some(other)
    });
    check(
        &file,
        &sample.keys(),
        expect![[r#"
            container proven
            seal proven
            key proven
            records wrong (record 11: altered)
        "#]],
    );
}

#[test]
fn receipts_that_do_not_belong_are_named() {
    let sample = Sample::new();
    let with = |mut one: crate::ReceiptFile, change: fn(&mut crate::ReceiptFile, &Sample)| {
        change(&mut one, &sample);
        wrong(&sample.sealed(sample.weirlog(), vec![one]), &sample.keys())
    };
    let good = || sample.receipt(0, 1, &[(0, 9)], 10);
    assert_eq!(with(good(), |_, _| ()), "");
    let name = |nth: u8| format!("receipts wrong (receipts/city-{}.cose)\n", BatchId([nth; 32]));
    assert_eq!(with(good(), |one, _| one.batch = BatchId([9; 32])), name(9));
    assert_eq!(
        with(good(), |one, sample| one.cose = sample.receipt(1, 1, &[], 10).cose),
        name(1),
        "another platform's"
    );
    let mut other = Sample::new();
    other.box_id = batch::BoxId::new("outfall-2").unwrap();
    assert_eq!(with(other.receipt(0, 1, &[(0, 9)], 10), |_, _| ()), name(1), "of another box");
    let mut other = Sample::new();
    other.records.swap(5, 6);
    assert_eq!(with(other.receipt(0, 1, &[(0, 9)], 10), |_, _| ()), name(1), "of another tree");
    assert_eq!(with(other.receipt(0, 1, &[(0, 9)], 11), |_, _| ()), name(1), "of a tree that the file does not tell");
}

#[test]
fn other_keys_are_told() {
    let sample = Sample::new();
    let mut keys = sample.keys();
    keys.box_key = Some(sample.platforms[0].1.public());
    assert_eq!(wrong(&sample.file(), &keys), "seal wrong (seal.cose)\nrecords wrong (header: other_key)\n");
    let mut keys = sample.keys();
    let city = sample.platforms[0].0.clone();
    keys.platforms.insert(city, sample.key.public());
    let named = format!("receipts wrong (receipts/city-{}.cose)\n", BatchId([1; 32]));
    assert_eq!(wrong(&sample.file(), &keys), named);
}

#[test]
fn what_is_left_out_is_counted() {
    let mut sample = Sample::new();
    sample.asked.from_ms = record::UnixMs(sample.asked.from_ms.0 - 5_000);
    let open = shown(&verify(&sample.file(), &sample.keys()));
    // 2 and 3 are told as gone; and the window begins where the file does.
    assert!(open.contains("complete proven"), "{open}");
    sample.asked.to_ms = record::UnixMs(sample.asked.to_ms.0 + 60_000);
    let open = shown(&verify(&sample.file(), &sample.keys()));
    assert!(open.contains("complete open"), "records 14 and 15 are not in the file: {open}");
}

#[test]
fn a_report_of_another_version_is_not_compared() {
    let sample = Sample::new();
    let file = sample.file();
    let members = container::read(&file, 99).unwrap().members;
    let (_, others) = members.split_last().unwrap();
    let cose = sample.seal_of_report(crate::REPORT_VERSION + 1, others);
    let file = container::write(&[others, &[("seal.cose", &cose)]].concat());
    let told = shown(&verify(&file, &sample.keys()));
    assert!(told.contains("report open") && told.contains("seal proven"), "{told}");
}

#[test]
fn nothing_from_outside_is_markup_in_the_report() {
    let file = Sample::new().file();
    let members = container::read(&file, 99).unwrap().members;
    let page = str::from_utf8(members[1].1).unwrap();
    assert!(page.contains("clue &lt;7&gt;") && page.contains("a,&quot;&lt;b&gt;&quot;"), "{page}");
    for markup in ["<7>", "<b>", "<script", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(markup), "{markup}");
    }
}
