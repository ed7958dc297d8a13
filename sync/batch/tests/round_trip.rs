//! What is sealed is opened, equal to the last digit; what is not sealed by the known key is not.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise, in their helpers too")]

use batch::{
    Artifact, Batch, BatchId, BoxId, Checkpoint, Content, Continuation, Filtered, Inconsistency, Lane, OpenError,
    PlatformId, Receipt, Row, SealError, SigningKey, TreeHead,
};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use record::dossier::{Few, Words};
use record::merkle::{ConsistencyProof, leaf_hash};
use record::{
    Act, Actor, Aggregate, AggregateValue, AlarmState, AlarmTransition, AttachedFile, Audit, Boot, BootNo,
    ClockQuality, ClockSet, ClockSource, CodecId, CodecText, Decimal, Detection, DossierVersion, Entry, Gap, GapReason,
    LimitSide, Manual, ManualSample, ManualValue, MonoMs, Outfall, OutfallCode, Patrol, Quality, Quantity, Reading,
    Reason, Redecoded, Replaced, RuleId, Seq, SeqRange, SeqRanges, SourceId, Stamp, Standing, Statistics, TextValue,
    Told, Unit, UnixMs,
};

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn open(bytes: &[u8]) -> Result<Batch, OpenError> {
    Batch::open(bytes, None, |kid| (kid == key().id()).then(|| key().public()))
}

fn stamp(ms: u64) -> Stamp {
    let wall_ms = UnixMs(1_777_888_800_000 + ms.cast_signed());
    Stamp { boot: BootNo(4), mono_ms: MonoMs(ms), wall_ms, clock: ClockQuality::Synchronised }
}

fn reading(quantity: &str, unit: &str, value: &str) -> Reading {
    Reading {
        quantity: Quantity::new(quantity).unwrap(),
        unit: Unit::new(unit).unwrap(),
        value: Decimal::parse(value).ok(),
        quality: if value.is_empty() { Quality::Missing } else { Quality::Good },
        at_ms: None,
    }
}

fn batch(contents: Vec<Content>) -> Batch {
    let rows: Vec<Row> = (0..)
        .zip(contents)
        .map(|(place, content)| Row { seq: Seq(20 + place), stamp: stamp(60_000 * (place + 1)), content })
        .collect();
    let last = Seq(19 + rows.len() as u64);
    Batch {
        box_id: BoxId::new("box-1").unwrap(),
        lane: Lane::Live,
        ranges: SeqRange::new(Seq(20), last).into_iter().collect(),
        head: TreeHead { size: last.0 + 1, root: leaf_hash(b"root") },
        checkpoints: Vec::new(),
        filtered: Filtered::default(),
        proofs: Vec::new(),
        rows,
    }
}

fn frame(source: &str, readings: Vec<Reading>) -> Content {
    Content::Readings { source: SourceId::new(source).unwrap(), codec: None, readings, texts: Vec::new() }
}

/// Readings that take the place of those in record `of`.
fn anew(source: &str, of: u64, codec: &str, readings: Vec<Reading>) -> Content {
    let (source, codec) = (SourceId::new(source).unwrap(), CodecId::of(codec));
    Content::Redecoded(Redecoded { source, of: Seq(of), codec, readings, texts: Vec::new() })
}

/// The same, decoded by this codec.
fn by(codec: &str, content: Content) -> Content {
    match content {
        Content::Readings { source, readings, texts, .. } => {
            Content::Readings { source, codec: Some(CodecId::of(codec)), readings, texts }
        }
        other => other,
    }
}

/// The same, where the sensor sent this text for a quantity.
fn saying(quantity: &str, text: &str, mut content: Content) -> Content {
    if let Content::Readings { texts, .. } | Content::Redecoded(Redecoded { texts, .. }) = &mut content {
        texts.push(TextValue::new(Quantity::new(quantity).unwrap(), text));
    }
    content
}

fn gap<const N: usize>(bounds: [(u64, u64); N]) -> Gap {
    let ranges = bounds.map(|(first, last)| SeqRange { first: Seq(first), last: Seq(last) });
    Gap { why: GapReason::Full, ranges: ranges.into_iter().collect(), frames: 9, rejected: 1, other: 1, bytes: 900 }
}

/// One of everything, as small as it can be shown.
fn example() -> Batch {
    let mut late = reading("ph", "[pH]", "7.2");
    late.at_ms = Some(UnixMs(1_777_888_800_000));
    let alarm = AlarmTransition {
        rule: RuleId::new("cod-high").unwrap(),
        source: SourceId::new("cod-1").unwrap(),
        quantity: Quantity::new("cod").unwrap(),
        from: AlarmState::Normal,
        to: AlarmState::Unacknowledged,
        limit: Decimal::from(80),
        side: LimitSide::High,
        value: Decimal::parse("81.5").ok(),
        cause: Seq(22),
        grounds: None,
        suppression: None,
    };
    let mut batch = batch(vec![
        Content::Boot(Boot { boot_id: "b0".into(), version: "0.1.0".into() }),
        by("js", frame("cod-1", vec![reading("cod", "mg/L", "79.5"), reading("silt", "mm", "3")])),
        saying("silt", "No", by("js", frame("cod-1", vec![reading("cod", "mg/L", "81.5"), reading("silt", "mm", "")]))),
        Content::Alarm(alarm),
        frame("ph-1", vec![late]),
        Content::Rejected {
            source: None,
            why: Reason::BadMic,
            detail: "no".into(),
            raw_len: 3,
            raw_sha256: leaf_hash(b"raw").0,
        },
        Content::Codec(CodecText { id: CodecId::of("js2"), text: "js2".into() }),
        anew("cod-1", 21, "js2", vec![reading("cod", "mg/L", "7.95"), reading("silt", "mm", "3")]),
        anew("cod-1", 22, "js2", vec![reading("cod", "mg/L", "8.15"), reading("silt", "mm", "4")]),
        Content::Clock(ClockSet {
            source: ClockSource::Ntp,
            before: ClockQuality::Unset,
            step_ms: -3_600_000,
            error_ms: 12,
        }),
        Content::Gap(gap([(0, 9), (11, 11)])),
        Content::Audit(Audit {
            by: Actor::User(1_000),
            act: Act::Enrolled { platform: "municipal".into(), key: [7; 32] },
            reason: "moved to the city's new platform".into(),
        }),
    ]);
    batch.rows[5].stamp.clock = ClockQuality::Holdover { error_ms: 250 };
    let checkpoint = Checkpoint { box_id: batch.box_id.clone(), head: batch.head, stamp: stamp(1) };
    batch.checkpoints.push(checkpoint.sign(&key()));
    let proof = |size, path: &[&[u8]]| {
        let path = path.iter().map(|leaf| leaf_hash(leaf)).collect();
        Continuation { size, proof: ConsistencyProof { path } }
    };
    batch.proofs = vec![proof(8, &[b"beside"]), proof(20, &[b"edge", b"beside", b"above"])];
    batch
}

fn check_hex(bytes: &[u8], expected: Expect) {
    let lines: Vec<String> = bytes.chunks(48).map(hex::encode).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn every_kind_of_row_comes_back() {
    let sealed = example().seal(&key()).unwrap();
    assert_eq!(open(&sealed.bytes).unwrap(), example());
    assert_eq!(sealed.id, BatchId::of(&sealed.bytes));
    assert_eq!(example().seal(&key()).unwrap(), sealed, "D2");
}

/// Decimals, times and layouts that meet every branch of the columns.
#[test]
fn awkward_readings_come_back() {
    fn check(contents: Vec<Content>) {
        let batch = batch(contents);
        assert_eq!(open(&batch.seal(&key()).unwrap().bytes).unwrap(), batch);
    }
    let mut huge = reading("volume", "m3", "1e-40");
    huge.value = Decimal::new(i64::MAX, 0);
    let mut own_time = vec![reading("cod", "mg/L", "1"), reading("cod", "mg/L", "2")];
    own_time[1].at_ms = Some(UnixMs(i64::MIN));
    let mut contradiction = reading("cod", "mg/L", "5");
    contradiction.quality = Quality::Missing;
    check(vec![frame("a", vec![huge]), frame("a", vec![reading("volume", "m3", "1e-40")])]);
    check(vec![frame("a", own_time), frame("a", vec![]), frame("b", vec![])]);
    check(vec![frame("a", vec![contradiction]), frame("a", vec![reading("cod", "g/L", "0")])]);
    check(vec![frame("a", vec![reading("cod", "mg/L", "0"), reading("cod", "mg/L", "")])]);
}

/// Codecs that change, repeated decodings beside frames of the same layout, texts of every kind of frame.
#[test]
fn codecs_and_repeated_decodings_come_back() {
    let cod = |value: &str| vec![reading("cod", "mg/L", value)];
    let contents = vec![
        by("one", frame("a", cod("1"))),
        frame("a", cod("2")),
        by("two", frame("a", cod("3"))),
        by("one", frame("b", cod("4"))),
        by("one", frame("a", cod("5"))),
        anew("a", 20, "two", cod("1.5")),
        anew("b", u64::MAX, "two", vec![]),
        saying("cod", "No Sensor", anew("a", 3, "two", cod(""))),
        saying("ph", "b", saying("cod", "a", anew("a", 4, "one", cod("")))),
        Content::Codec(CodecText { id: CodecId([0; 8]), text: String::new() }),
    ];
    let batch = batch(contents);
    assert_eq!(open(&batch.seal(&key()).unwrap().bytes).unwrap(), batch);
    let of: Vec<Option<Seq>> = batch.rows.iter().filter_map(|row| Some(row.content.decoded()?.of)).collect();
    assert_eq!(of[4..], [None, Some(Seq(20)), Some(Seq(u64::MAX)), Some(Seq(3)), Some(Seq(4))]);
}

/// Sealed and opened it is the same, and with any bit flipped it does not open.
fn comes_back(batch: &Batch) {
    let sealed = batch.seal(&key()).unwrap();
    assert_eq!(open(&sealed.bytes).unwrap(), *batch);
    for bit in 0..sealed.bytes.len() * 8 {
        let mut bytes = sealed.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&bytes).is_err(), "bit {bit}");
    }
}

/// A dossier with all that it can have, the least that one is, and devices that stand there, among other rows.
#[test]
fn outfalls_come_back() {
    let dossier = |json| serde_json::from_str(json).unwrap();
    let version = |version, dossier| {
        let told = Some(Told { seq: Seq(2), wall_ms: UnixMs(3) }).filter(|_| version > 1);
        let reason = "登记".into();
        Content::Outfall(Outfall::Dossier(Box::new(DossierVersion {
            version,
            by: Actor::User(0),
            reason,
            dossier,
            told,
        })))
    };
    let least = r#"{"code":"A-1","name":"x","class":"other","state":"planned","water":{"name":"x"},
                    "position":{"longitude":0,"latitude":"-0.5","datum":"WGS-84"}}"#;
    let standing = |devices: &[&str]| {
        let devices: Vec<SourceId> = devices.iter().map(|name| SourceId::new(name).unwrap()).collect();
        let told = Some(Told { seq: Seq(2), wall_ms: UnixMs(3) }).filter(|_| !devices.is_empty());
        Content::Outfall(Outfall::Devices(Standing { outfall: OutfallCode::new("A-1").unwrap(), devices, told }))
    };
    let batch = batch(vec![
        version(1, dossier(include_str!("../../record/tests/outfall.json"))),
        frame("a", vec![reading("cod", "mg/L", "1")]),
        version(2, dossier(least)),
        standing(&["a", "b"]),
        standing(&[]),
    ]);
    comes_back(&batch);
}

/// An hour's aggregate of two quantities, one of a minute in which nothing could be believed, among other rows.
#[test]
fn aggregates_come_back() {
    let decimal = |text: &str| Decimal::parse(text).unwrap();
    let value = |quantity: &str, good, statistics| {
        let (quantity, unit) = (Quantity::new(quantity).unwrap(), Unit::new("m3/h").unwrap());
        AggregateValue { quantity, unit, good, doubtful: 1, parts: good, statistics }
    };
    let statistics = |volume: Option<&str>| Statistics {
        min: decimal("1"),
        mean: decimal("1.50"),
        max: decimal("2"),
        volume_m3: volume.map(decimal),
    };
    let aggregate = |outfall: Option<&str>, period: &str, values| {
        let outfall = outfall.map(|code| OutfallCode::new(code).unwrap());
        let (source, period) = (SourceId::new("a").unwrap(), period.parse().unwrap());
        Content::Aggregate(Aggregate { source, outfall, from_ms: UnixMs(1_700_000_000_000), period, values })
    };
    let batch = batch(vec![
        aggregate(
            Some("A-1"),
            "1h",
            vec![value("cod", 6, Some(statistics(None))), value("flow", 6, Some(statistics(Some("1.5"))))],
        ),
        frame("a", vec![reading("cod", "mg/L", "1")]),
        aggregate(None, "1m", vec![value("cod", 0, None)]),
    ]);
    comes_back(&batch);
}

/// A sample with all that it can have, and a patrol with the least, among other rows.
#[test]
fn manual_entries_come_back() {
    let file = AttachedFile { name: Words::new("报告.pdf").unwrap(), sha256: [7; 32] };
    let entry = |files, replaces| Entry {
        outfall: OutfallCode::new("A-1").unwrap(),
        at_ms: UnixMs(1_700_000_000_000),
        person: Words::new("王工").unwrap(),
        by: Actor::User(1000),
        files,
        replaces,
    };
    let value = ManualValue {
        quantity: Quantity::new("cod").unwrap(),
        unit: Unit::new("mg/L").unwrap(),
        value: Decimal::parse("35.2").unwrap(),
        detection: Detection::BelowLimit,
        method: Some(Words::new("HJ 828-2017").unwrap()),
    };
    let replaces = Some(Replaced { seq: Seq(0), reason: Words::new("抄错").unwrap() });
    let sample = ManualSample {
        entry: entry(Few::new(vec![file]).unwrap(), replaces),
        values: vec![value],
        laboratory: Some(Words::new("监测站").unwrap()),
        number: Some(Words::new("S-1").unwrap()),
        note: Some(Words::new("雨后").unwrap()),
    };
    let patrol = Patrol { entry: entry(Few::default(), None), finding: Words::new("dry").unwrap(), state: None };
    let batch = batch(vec![
        Content::Manual(Manual::Patrol(Box::new(patrol))),
        frame("a", vec![reading("cod", "mg/L", "1")]),
        Content::Manual(Manual::Sample(Box::new(sample))),
    ]);
    comes_back(&batch);
}

#[test]
fn rows_that_do_not_fill_the_ranges_are_not_sealed() {
    let refused = |spoil: fn(&mut Batch)| {
        let mut batch = example();
        spoil(&mut batch);
        match batch.seal(&key()) {
            Err(SealError::Inconsistent(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(|b| b.rows.clear()), Inconsistency::Empty);
    assert_eq!(refused(|b| drop(b.rows.remove(2))), Inconsistency::RowCount { rows: 11, numbers: 12 });
    let number = |row, expected| Inconsistency::RowNumber { row: Seq(row), expected: Seq(expected) };
    assert_eq!(refused(|b| b.rows.swap(0, 1)), number(21, 20));
    assert_eq!(refused(|b| b.rows[5].seq = Seq(24)), number(24, 25));
}

#[test]
fn a_batch_for_another_key_or_id_is_not_opened() {
    let sealed = example().seal(&key()).unwrap();
    assert!(matches!(Batch::open(&sealed.bytes, None, |_| None), Err(OpenError::UnknownKey { .. })));
    let other = SigningKey::from_seed(&[8; 32]);
    let opened = Batch::open(&sealed.bytes, None, |_| Some(other.public()));
    assert!(matches!(opened, Err(OpenError::UnknownKey { .. })), "a key by another name");
    let opened = Batch::open(&sealed.bytes, Some(&BatchId([0; 32])), |_| Some(key().public()));
    assert!(matches!(opened, Err(OpenError::OtherId { .. })));
    assert!(matches!(open(&vec![0; 5 << 20]), Err(OpenError::TooLarge { .. })));
}

#[test]
fn one_artifact_never_passes_for_another() {
    let checkpoint = Checkpoint { box_id: BoxId::new("b").unwrap(), head: example().head, stamp: stamp(1) };
    let bytes = checkpoint.sign(&key());
    assert_eq!(Checkpoint::verify(&bytes, &key().public()).unwrap(), checkpoint);
    assert!(matches!(open(&bytes), Err(OpenError::WrongArtifact { artifact: Artifact::Batch, .. })));
    assert!(matches!(Receipt::verify(&bytes, &key().public()), Err(OpenError::WrongArtifact { .. })));
}

/// The example as a platform gets it that must not have readings of ph and silt, nor what follows the clock.
fn filtered() -> Batch {
    let mut batch = example();
    let kept = |seq: Seq| seq < Seq(24) || seq == Seq(29);
    batch.filtered.left_out = batch
        .rows
        .iter()
        .map(|row| row.seq)
        .filter(|seq| !kept(*seq))
        .map(|seq| SeqRange { first: seq, last: seq })
        .collect();
    batch.rows.retain(|row| kept(row.seq));
    for row in &mut batch.rows {
        if let Content::Readings { readings, texts, .. } = &mut row.content {
            readings.retain(|reading| reading.quantity.as_str() == "cod");
            texts.clear();
        }
    }
    batch.filtered.quantities = [Quantity::new("cod").unwrap()].into();
    batch
}

#[test]
fn what_a_filter_withholds_is_said_under_the_signature() {
    let batch = filtered();
    assert_eq!(open(&batch.seal(&key()).unwrap().bytes).unwrap(), batch);
    // Numbers alone: all of what was to be told is withheld.
    let nothing = Batch {
        filtered: Filtered { left_out: batch.ranges.clone(), ..Filtered::default() },
        rows: Vec::new(),
        ..batch.clone()
    };
    assert_eq!(open(&nothing.seal(&key()).unwrap().bytes).unwrap(), nothing);
    // A number with a row is not left out, and one without is.
    let mut wrong = batch.clone();
    wrong.filtered.left_out = SeqRanges::new();
    assert!(matches!(wrong.seal(&key()), Err(SealError::Inconsistent(Inconsistency::RowCount { .. }))));
    let mut wrong = batch;
    wrong.filtered.left_out.insert(SeqRange { first: Seq(90), last: Seq(90) });
    assert!(matches!(wrong.seal(&key()), Err(SealError::Inconsistent(Inconsistency::Empty))));
}

#[test]
fn a_receipt_says_where_it_may_have_no_record() {
    let range = |first, last| SeqRanges::from_iter(SeqRange::new(Seq(first), Seq(last)));
    let mut receipt = Receipt {
        platform: PlatformId::new("city").unwrap(),
        box_id: BoxId::new("box-1").unwrap(),
        batch: BatchId([0xab; 32]),
        holds: range(0, 9),
        head: example().head,
        received_ms: UnixMs(1_777_888_800_123),
        command: None,
        left_out: range(3, 5),
    };
    let verified = Receipt::verify(&receipt.sign(&key()), &key().public()).unwrap();
    assert_eq!(verified, receipt);
    assert_eq!([2, 3, 5, 6, 10].map(|seq| verified.has(Seq(seq))), [true, false, false, true, false]);
    receipt.left_out = SeqRanges::new();
    assert!(Receipt::verify(&receipt.sign(&key()), &key().public()).unwrap().has(Seq(4)));
}

#[test]
fn a_receipt_may_order_something_whatever_else_it_says() {
    let lengths = [(false, false), (false, true), (true, false), (true, true)].map(|(orders, leaves_out)| {
        let receipt = Receipt {
            platform: PlatformId::new("city").unwrap(),
            box_id: BoxId::new("box-1").unwrap(),
            batch: BatchId([0xab; 32]),
            holds: SeqRanges::from_iter(SeqRange::new(Seq(0), Seq(9))),
            head: example().head,
            received_ms: UnixMs(1_777_888_800_123),
            command: orders.then(|| vec![7; 3].into()),
            left_out: SeqRanges::from_iter(leaves_out.then_some(SeqRange { first: Seq(3), last: Seq(5) })),
        };
        let signed = receipt.sign(&key());
        assert_eq!(Receipt::verify(&signed, &key().public()).unwrap(), receipt);
        signed.len()
    });
    assert_eq!(lengths.map(|length| length - lengths[0]), [0, 5, 4, 8], "what it does not say costs a byte at most");
}

#[test]
fn any_changed_bit_is_noticed() {
    let checkpoint = Checkpoint { box_id: BoxId::new("b").unwrap(), head: example().head, stamp: stamp(1) };
    let (sealed, checkpoint) = (filtered().seal(&key()).unwrap().bytes, checkpoint.sign(&key()));
    let flipped = |bytes: &[u8], bit: usize| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    for bit in 0..sealed.len() * 8 {
        assert!(open(&flipped(&sealed, bit)).is_err(), "batch, bit {bit}");
    }
    for bit in 0..checkpoint.len() * 8 {
        assert!(Checkpoint::verify(&flipped(&checkpoint, bit), &key().public()).is_err(), "checkpoint, bit {bit}");
    }
    for len in 0..sealed.len() {
        assert!(open(&sealed[..len]).is_err(), "cut at {len}");
    }
    assert!(open(&[sealed, vec![0]].concat()).is_err(), "a byte behind it");
}

/// The vectors of `batch.cddl`: the key's seed is 32 times 07. A change here is another format version.
#[test]
fn golden_bytes() {
    let holds = [(0, 9), (20, 25)].map(|(first, last)| SeqRange { first: Seq(first), last: Seq(last) });
    let receipt = Receipt {
        platform: PlatformId::new("city").unwrap(),
        box_id: BoxId::new("box-1").unwrap(),
        batch: BatchId([0xab; 32]),
        holds: SeqRanges::from_iter(holds),
        head: example().head,
        received_ms: UnixMs(1_777_888_800_123),
        command: None,
        left_out: SeqRanges::new(),
    };
    assert_eq!(Receipt::verify(&receipt.sign(&key()), &key().public()).unwrap(), receipt);
    check_hex(
        &example().seal(&key()).unwrap().bytes,
        expect![[r#"
            d284582aa3012703781a6170706c69636174696f6e2f766e642e776569722e62617463680448fe812c12f3ab4ce6a059
            029b28b52ffd6008028d1400942682019565626f782d3101818214181f82182058203c06f9a65725af605261f636672c
            9620d409731d89a451d7455fe9c4ae1678294c000c00070a0b040a0007020b5822fff52bf201ffea5090fd24f803a97f
            2bf202bf200ea6060f57fffe8753015f9015f94680b4f1a6be6741084900f803f7038382818265636f642d314816cedf
            80ade01c6282830143fc6da020856473696c74410300626d6d42000e8381816470682d3181830541482045fff4e49efc
            84bf3ea8e3467c460d2184420308f64215088189686869676863636f640001820801008219032f201681826262306530
            2e312e308185f603626e6f03582056e356e0cbfff92b48ba5f0794e2ef661222f7dbdad4b158888619fa07208fad8182
            636a7332818302624e6f8158b5d284582fa3012703781f6170706c69636174696f6e2f766e642e776569722e63686563
            6b706f696e740448fe812c12f3ab4ce6a0583d8201838404011b0000019df26e2d018200805840f1a7bdb219c7a0a185
            d800b27922ec35a5f36f3581a0d90593704957d01c3f2ea983ff78ef0e103a6a2527b48dc1798fd1389bab8c9d39ce87
            dbedb6bff9a80a8184008202803a0036ee7f0c81860082820009820b0b09010119038481838200811903e8820382696d
            756e69636970616c58200778206d6f76656420746f2074686520636974792773206e657720706c6174666f726df68282
            085820abc6c40b768027e7e627d9a620668254160cd09282184fc167744b3cdc1d570d821458607cf5352124dc21a720
            37f34740b054cf6c1a57e3ba4db7e21990e742e3c840b6a0ef6b8175bcf58847fd66c655f328ec4acf39a5700c8569e8
            0b66b7bdd0d7e10d00ec11f058c01b71b82f7ce30ec4d9b5a30fc5589dac469820c4001743e6010875e0004401584077
            3ee9537fb924335d16bdf7afe690ce2cda19bb5e6895f8a237fa1878bfa3a5d0c400286486672aae4d58c4bcb3e27ea1
            b4ccf355af61d7eb3f27979fd96c03"#]],
    );
    check_hex(
        &receipt.sign(&key()),
        expect![[r#"
            d284582ca3012703781c6170706c69636174696f6e2f766e642e776569722e726563656970740448fe812c12f3ab4ce6
            a05866820186646369747965626f782d315820ababababababababababababababababababababababababababababab
            ababab828200098214181982182058203c06f9a65725af605261f636672c9620d409731d89a451d7455fe9c4ae167829
            1b0000019df26e2d7b5840c8988d9b3f1be26c769edaceb5651a4501319cb761d00f5e705dd31d689f33d8f8d96e4f8e
            324db7b8bca06759b664219233bc3295a1c5ea5514b442ce00ae02"#]],
    );
    check_hex(
        &example().checkpoints[0],
        expect![[r#"
            d284582fa3012703781f6170706c69636174696f6e2f766e642e776569722e636865636b706f696e740448fe812c12f3
            ab4ce6a0583d82018365626f782d3182182058203c06f9a65725af605261f636672c9620d409731d89a451d7455fe9c4
            ae1678298404011b0000019df26e2d018200805840f1a7bdb219c7a0a185d800b27922ec35a5f36f3581a0d905937049
            57d01c3f2ea983ff78ef0e103a6a2527b48dc1798fd1389bab8c9d39ce87dbedb6bff9a80a"#]],
    );
}

/// What other languages read is what this one writes.
#[test]
fn the_cddl_names_what_the_code_has() {
    let cddl = include_str!("../batch.cddl");
    for (code, (name, unit)) in Quantity::registry().iter().enumerate() {
        let line = format!("; {code:2} {name:18} {unit}");
        assert!(cddl.lines().any(|l| l == line), "{line}");
    }
    for artifact in [Artifact::Batch, Artifact::Receipt, Artifact::Checkpoint] {
        assert!(cddl.contains(&format!("protected<\"{}\">", artifact.content_type())), "{artifact}");
        assert!(cddl.contains(&artifact.bytes_max().to_string()), "{artifact}");
    }
    for (name, values) in
        [("why", Reason::ALL.len()), ("why", GapReason::ALL.len()), ("source", ClockSource::ALL.len())]
    {
        assert!(cddl.contains(&format!("{name}: 0..{},", values - 1)), "{name} of {values}");
    }
    assert!(cddl.contains(&format!("at most {}\n", Gap::RANGES_MAX)));
    for limit in [batch::ROWS_MAX, batch::READINGS_MAX, batch::PAYLOAD_BYTES_MAX] {
        assert!(cddl.contains(&limit.to_string()), "{limit}");
    }
}

prop_compose! {
    fn any_reading()(
        quantity in prop_oneof![Just("cod"), Just("flow"), Just("silt")],
        unit in prop_oneof![Just("mg/L"), Just("m3/h"), Just("xx")],
        mantissa in prop_oneof![any::<i64>(), -2000i64..2000],
        exponent in -20i32..5,
        quality in 0u8..8,
        at_ms in proptest::option::of(any::<i64>()),
    ) -> Reading {
        let quality = Quality::from_code(quality).unwrap_or(Quality::Good);
        let mut reading = reading(quantity, unit, "");
        reading.value = Decimal::new(mantissa, exponent).filter(|_| quality != Quality::Missing);
        reading.quality = quality;
        reading.at_ms = at_ms.map(UnixMs);
        reading
    }
}

/// Number of its source, readings, stamp's times, the name of a codec, the record that it replaces, a text.
type AnyFrame = (u8, Vec<Reading>, u64, i64, Option<String>, Option<u64>, Option<String>);

fn any_frame() -> impl Strategy<Value = AnyFrame> {
    let name = || proptest::option::of("[a-c]");
    let of = proptest::option::of(prop_oneof![any::<u64>(), 0u64..40]);
    (0u8..3, proptest::collection::vec(any_reading(), 0..3), any::<u64>(), any::<i64>(), name(), of, name())
}

proptest! {
    #[test]
    fn any_batch_comes_back(frames in proptest::collection::vec(any_frame(), 1..12), alike in any::<bool>()) {
        let contents = frames.iter().map(|(source, readings, _, _, codec, of, text)| {
            let (source, readings) = (format!("s{source}"), if alike { &frames[0].1 } else { readings }.clone());
            let content = match (codec, of) {
                (None, _) => frame(&source, readings),
                (Some(codec), None) => by(codec, frame(&source, readings)),
                (Some(codec), Some(of)) => anew(&source, *of, codec, readings),
            };
            match text {
                Some(text) => saying("cod", text, content),
                None => content,
            }
        });
        let mut batch = batch(contents.collect());
        for (row, (source, _, mono_ms, wall_ms, ..)) in batch.rows.iter_mut().zip(&frames) {
            row.stamp.mono_ms = MonoMs(*mono_ms);
            row.stamp.wall_ms = UnixMs(*wall_ms);
            let holdover = ClockQuality::Holdover { error_ms: u32::MAX };
            row.stamp.clock = if *source == 0 { ClockQuality::Unset } else { holdover };
        }
        prop_assert_eq!(open(&batch.seal(&key()).unwrap().bytes).unwrap(), batch);
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(open(&bytes).is_err());
        prop_assert!(Receipt::verify(&bytes, &key().public()).is_err());
    }
}
