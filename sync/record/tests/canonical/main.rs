//! The canonical bytes of every kind of body and link: pinned once each, and back again whatever they hold.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise, in their helpers too")]

mod any;

use expect_test::{Expect, expect};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use record::dossier::{Few, Words};
use record::{
    Act, Actor, Aggregate, AggregateValue, AlarmState, AlarmTransition, AttachedFile, Audit, Body, Boot, BootNo,
    ClockQuality, ClockSet, ClockSource, CodecId, CodecText, ConfigFile, Configuring, Decimal, Detection, Dossier,
    DossierVersion, Entry, Frame, Gap, GapReason, GatewayEui, Grounds, LimitSide, Link, Manual, ManualSample,
    ManualValue, Measure, MonoMs, Outfall, OutfallCode, Patrol, PatrolState, Period, Quality, Quantity, Reading,
    Reason, Reception, Record, Redecoded, Rejected, RelayId, Replaced, RuleId, SampleStep, Seal, Seq, SeqRange,
    SeqRanges, Settlement, SourceId, Stamp, Standing, Statistics, Suppression, TextValue, Tier, Told, Unit, UnixMs,
};

/// A change here breaks every checkpoint in the field: it needs a new variant, not new bytes.
fn check(value: &impl minicbor::Encode<()>, expected: Expect) {
    let hex = hex::encode(minicbor::to_vec(value).unwrap());
    expected.assert_eq(
        &hex.as_bytes().chunks(100).map(|line| str::from_utf8(line).unwrap()).collect::<Vec<_>>().join("\n"),
    );
}

fn eui(last: u8) -> GatewayEui {
    GatewayEui([0, 1, 2, 3, 4, 5, 6, last])
}

fn heard(last: u8) -> Reception {
    Reception { gateway: eui(last), rssi_dbm: Some(-97), snr_ddb: None, tmst_us: 300 }
}

fn cod() -> Quantity {
    Quantity::new("cod").unwrap()
}

#[test]
fn links_are_pinned() {
    let seal = Some(Seal { counter: 7, device_ms: Some(-1), alg: -8 });
    let mqtt = |seal| Link::Mqtt { topic: "t".into(), qos: 1, packet_id: Some(9), level: 5, seal };
    check(&mqtt(None), expect!["8200846174010905"]);
    check(&mqtt(seal), expect!["820085617401090583072027"]);
    let lora = |others| Link::Lora {
        gateway: eui(7),
        dev_addr: 0x0100_0001,
        f_cnt: 70_000,
        f_port: Some(2),
        frequency_hz: 868_100_000,
        data_rate: "SF7BW125".into(),
        rssi_dbm: Some(-90),
        snr_ddb: Some(75),
        tmst_us: 1,
        others,
    };
    check(
        &lora(vec![]),
        expect!["8201894800010203040506071a010000011a00011170021a33be27a06853463742573132353859184b01"],
    );
    check(
        &lora(vec![heard(8)]),
        expect![[r#"
        82018a4800010203040506071a010000011a00011170021a33be27a06853463742573132353859184b018184480001020304
        0506083860f619012c"#]],
    );
    check(&Link::Serial { port: "uart".into(), seal: None }, expect!["8202816475617274"]);
    check(&Link::Serial { port: "uart".into(), seal }, expect!["820282647561727483072027"]);
    let chirpstack = Link::Chirpstack {
        dev_eui: eui(1),
        dev_addr: 1,
        f_cnt: 2,
        f_port: 3,
        frequency_hz: 4,
        heard_by: vec![heard(7), heard(8)],
    };
    check(
        &chirpstack,
        expect!["8203864800010203040506010102030482844800010203040506073860f619012c844800010203040506083860f619012c"],
    );
    let join = |dev_addr| Link::Join {
        gateway: eui(7),
        dev_eui: eui(1),
        join_eui: eui(0),
        dev_nonce: 300,
        frequency_hz: 868_100_000,
        data_rate: "SF7BW125".into(),
        rssi_dbm: None,
        snr_ddb: Some(-5),
        dev_addr,
    };
    check(
        &join(Some(0x0100_0001)),
        expect![[r#"
        82048948000102030405060748000102030405060148000102030405060019012c1a33be27a0685346374257313235f6241a
        01000001"#]],
    );
    check(
        &join(None),
        expect!["82048848000102030405060748000102030405060148000102030405060019012c1a33be27a0685346374257313235f624"],
    );
}

#[test]
fn bodies_are_pinned() {
    let source = || SourceId::new("a").unwrap();
    let link = || Link::Serial { port: "p".into(), seal: None };
    let readings = vec![Reading {
        quantity: cod(),
        unit: Unit::new("mg/L").unwrap(),
        value: None,
        quality: Quality::NotANumber,
        at_ms: None,
    }];
    let texts = vec![TextValue::new(cod(), "No Sensor")];
    check(&Body::Boot(Boot { boot_id: "b".into(), version: "1".into() }), expect!["8200818261626131"]);
    let frame = |codec, texts| {
        Body::Frame(Frame { source: source(), link: link(), raw: vec![1], readings: readings.clone(), codec, texts })
    };
    check(&frame(None, vec![]), expect!["82018184616182028161704101818463636f64646d672f4cf602"]);
    check(
        &frame(Some(CodecId::of("js")), vec![]),
        expect!["82018185616182028161704101818463636f64646d672f4cf6024816cedf80ade01c62"],
    );
    check(
        &frame(Some(CodecId::of("js")), texts.clone()),
        expect![[r#"
        82018186616182028161704101818463636f64646d672f4cf6024816cedf80ade01c62818263636f64694e6f2053656e736f
        72"#]],
    );
    check(
        &frame(None, texts.clone()),
        expect!["82018186616182028161704101818463636f64646d672f4cf602f6818263636f64694e6f2053656e736f72"],
    );
    let rejected = |why| Body::Rejected(Rejected { source: None, link: link(), raw: vec![1], why, detail: "d".into() });
    check(&rejected(Reason::Undecodable), expect!["82028185f682028161704101006164"]);
    check(&rejected(Reason::Disabled), expect!["82028185f6820281617041010b6164"]);
    let alarm = AlarmTransition {
        rule: RuleId::new("r").unwrap(),
        source: source(),
        quantity: cod(),
        from: AlarmState::Normal,
        to: AlarmState::Unacknowledged,
        limit: Decimal::from(80),
        side: LimitSide::High,
        value: Decimal::parse("81.5").ok(),
        cause: Seq(3),
        grounds: None,
        suppression: None,
    };
    check(&Body::Alarm(alarm.clone()), expect!["820381896172616163636f640001820801008219032f2003"]);
    let mean = Measure::FlowWeightedMean;
    let grounds = Grounds { measure: mean, unit: Unit::new("mg/L").unwrap(), span_s: 86_400, tier: Tier::Exceedance };
    check(
        &Body::Alarm(AlarmTransition { grounds: Some(grounds.clone()), ..alarm.clone() }),
        expect!["8203818a6172616163636f640001820801008219032f20038404646d672f4c1a0001518002"],
    );
    let suppression = Some(Suppression::ByDesign);
    check(
        &Body::Alarm(AlarmTransition { grounds: Some(grounds), suppression, ..alarm.clone() }),
        expect!["8203818b6172616163636f640001820801008219032f20038404646d672f4c1a000151800200"],
    );
    check(
        &Body::Alarm(AlarmTransition { suppression, ..alarm }),
        expect!["8203818b6172616163636f640001820801008219032f2003f600"],
    );
    check(
        &Body::Codec(CodecText { id: CodecId::of("js"), text: "js".into() }),
        expect!["820481824816cedf80ade01c62626a73"],
    );
    let anew = |texts| {
        let codec = CodecId::of("js");
        Body::Redecoded(Redecoded { source: source(), of: Seq(3), codec, readings: readings.clone(), texts })
    };
    check(&anew(vec![]), expect!["820581846161034816cedf80ade01c62818463636f64646d672f4cf602"]);
    check(
        &anew(texts),
        expect!["820581856161034816cedf80ade01c62818463636f64646d672f4cf602818263636f64694e6f2053656e736f72"],
    );
}

#[test]
fn clocks_and_gaps_are_pinned() {
    let clock = |source, before, step_ms| Body::Clock(ClockSet { source, before, step_ms, error_ms: 3 });
    check(&clock(ClockSource::Ntp, ClockQuality::Unset, 86_400_000), expect!["82068184008202801a05265c0003"]);
    check(&clock(ClockSource::Gps, ClockQuality::Holdover { error_ms: 5 }, -1), expect!["8206818402820181052003"]);
    let gap = |why| {
        let ranges = ranges([(0, 255), (512, 512)]);
        Body::Gap(Gap { why, ranges, frames: 250, rejected: 4, other: 3, bytes: 40_000 })
    };
    check(&gap(GapReason::Full), expect!["820781860082820018ff8219020019020018fa0403199c40"]);
    check(&gap(GapReason::Restored), expect!["820781860482820018ff8219020019020018fa0403199c40"]);
}

fn aggregate_value(quantity: &str, good: u32, statistics: Option<Statistics>) -> AggregateValue {
    let (quantity, unit) = (Quantity::new(quantity).unwrap(), Unit::new("m3/h").unwrap());
    AggregateValue { quantity, unit, good, doubtful: 2, parts: good.min(1), statistics }
}

fn aggregate(values: Vec<AggregateValue>) -> Aggregate {
    let (outfall, period) = (Some(OutfallCode::new("A-1").unwrap()), "1h".parse().unwrap());
    Aggregate { source: SourceId::new("a").unwrap(), outfall, from_ms: UnixMs(1_700_000_000_000), period, values }
}

fn statistics(volume: Option<&str>) -> Option<Statistics> {
    let decimal = |text: &str| Decimal::parse(text).unwrap();
    Some(Statistics { min: decimal("1"), mean: decimal("1.5"), max: decimal("2"), volume_m3: volume.map(decimal) })
}

#[test]
fn aggregates_are_pinned() {
    check(
        &Body::Aggregate(aggregate(vec![aggregate_value("flow", 2, statistics(Some("0.25")))])),
        expect![[r#"
        820a8185616163412d311b0000018bcfe56800190e10818664666c6f77646d332f6802020184820100820f20820200821819
        21"#]],
    );
    let doubtful = Aggregate { outfall: None, ..aggregate(vec![aggregate_value("cod", 0, None)]) };
    check(&Body::Aggregate(doubtful), expect!["820a81856161f61b0000018bcfe56800190e10818563636f64646d332f68000200"]);
}

/// What is made of nothing, twice the same series, and more than a device has, is no aggregate.
#[test]
fn an_aggregate_is_bounded() {
    let taken = |values: Vec<AggregateValue>| {
        let made = aggregate(values);
        let back = minicbor::decode::<Aggregate>(&minicbor::to_vec(&made).unwrap()).ok();
        assert_eq!(back.is_some(), made.is_bounded());
        back == Some(made)
    };
    let some = |name: &str| aggregate_value(name, 1, statistics(None));
    assert!(taken(vec![some("a"), some("b")]) && taken(vec![aggregate_value("a", 0, None)]));
    assert!(!taken(vec![]) && !taken(vec![some("b"), some("a")]) && !taken(vec![some("a"), some("a")]));
    assert!(!taken(vec![aggregate_value("a", 0, statistics(None))]));
    let many = |count: usize| (0..count).map(|place| some(&format!("q{place:03}"))).collect();
    assert!(taken(many(Aggregate::VALUES_MAX)) && !taken(many(Aggregate::VALUES_MAX + 1)));
    let mut other = minicbor::to_vec(aggregate(vec![some("a")])).unwrap();
    let at = other.windows(3).position(|w| w == [0x19, 0x0e, 0x10]).unwrap();
    other[at + 2] = 0x11;
    assert!(minicbor::decode::<Aggregate>(&other).is_err(), "3601 s are no period");
}

fn entry(files: usize, replaces: Option<u64>) -> Entry {
    let file = |nth: usize| AttachedFile { name: Words::new(&format!("{nth}.pdf")).unwrap(), sha256: [7; 32] };
    Entry {
        outfall: OutfallCode::new("A-1").unwrap(),
        at_ms: UnixMs(1_700_000_000_000),
        person: Words::new("王").unwrap(),
        by: Actor::User(1000),
        files: Few::new((0..files).map(file).collect()).unwrap(),
        replaces: replaces.map(|seq| Replaced { seq: Seq(seq), reason: Words::new("typo").unwrap() }),
    }
}

fn manual_value(quantity: &str) -> ManualValue {
    let (quantity, unit) = (Quantity::new(quantity).unwrap(), Unit::new("mg/L").unwrap());
    let value = Decimal::parse("0.025").unwrap();
    ManualValue { quantity, unit, value, detection: Detection::BelowLimit, method: None }
}

fn manual_sample(entry: Entry, values: Vec<ManualValue>) -> ManualSample {
    ManualSample { entry, values, laboratory: None, number: Some(Words::new("S-1").unwrap()), note: None }
}

#[test]
fn manual_entries_are_pinned() {
    let found =
        ManualValue { method: Some(Words::new("HJ 828").unwrap()), detection: Detection::Found, ..manual_value("cod") };
    let sample = manual_sample(entry(1, None), vec![found, manual_value("nh3_n")]);
    check(
        &Body::Manual(Manual::Sample(Box::new(sample))),
        expect![[r#"
        820b81820081848563412d311b0000018bcfe5680063e78e8b8200811903e8818265302e7064665820070707070707070707
        0707070707070707070707070707070707070707070707828563636f64646d672f4c821819220066484a2038323884656e68
        335f6e646d672f4c8218192201f663532d31"#]],
    );
    let patrol = |state| Patrol { entry: entry(0, Some(3)), finding: Words::new("dry").unwrap(), state };
    check(
        &Body::Manual(Manual::Patrol(Box::new(patrol(None)))),
        expect![[r#"
        820b81820181828663412d311b0000018bcfe5680063e78e8b8200811903e8f68203647479706f63647279"#]],
    );
    check(
        &Body::Manual(Manual::Patrol(Box::new(patrol(Some(PatrolState::Dry))))),
        expect![[r#"
        820b81820181838663412d311b0000018bcfe5680063e78e8b8200811903e8f68203647479706f6364727902"#]],
    );
}

/// Values of nothing, twice the same, and more than one sample has, are no sample; nor is an entry of more than so many files.
#[test]
fn a_manual_entry_is_bounded() {
    let taken = |values: Vec<ManualValue>| {
        let made = manual_sample(entry(0, None), values);
        let back = minicbor::decode::<ManualSample>(&minicbor::to_vec(&made).unwrap()).ok();
        back == Some(made)
    };
    assert!(taken(vec![manual_value("a"), manual_value("b")]));
    assert!(!taken(vec![]) && !taken(vec![manual_value("b"), manual_value("a")]));
    assert!(!taken(vec![manual_value("a"), manual_value("a")]));
    let many = |count: usize| (0..count).map(|place| manual_value(&format!("q{place:03}"))).collect();
    assert!(taken(many(ManualSample::VALUES_MAX)) && !taken(many(ManualSample::VALUES_MAX + 1)));
    let files =
        |count: usize| Few::<AttachedFile, { Entry::FILES_MAX }>::new(vec![entry(1, None).files[0].clone(); count]);
    assert!(files(Entry::FILES_MAX).is_ok() && files(Entry::FILES_MAX + 1).is_err());
    for (bytes, fits) in [(1, true), (100, true), (101, false), (0, false)] {
        assert_eq!(Words::<100>::new(&"x".repeat(bytes)).is_ok(), fits, "{bytes} bytes of a name");
    }
}

fn ranges<const N: usize>(bounds: [(u64, u64); N]) -> SeqRanges {
    bounds.into_iter().map(|(first, last)| SeqRange { first: Seq(first), last: Seq(last) }).collect()
}

/// Nothing that could not be shown or sent stands in one record.
#[test]
fn a_gap_is_bounded() {
    let gap = |count: u64| {
        let ranges = (0..count).map(|place| SeqRange { first: Seq(2 * place), last: Seq(2 * place) }).collect();
        Gap { why: GapReason::Full, ranges, frames: count, rejected: 0, other: 0, bytes: 0 }
    };
    let comes_back = |gap: &Gap| minicbor::decode::<Gap>(&minicbor::to_vec(gap).unwrap()).is_ok();
    let max = Gap::RANGES_MAX as u64;
    for (count, fits) in [(0, false), (1, true), (max, true), (max + 1, false)] {
        assert_eq!((comes_back(&gap(count)), gap(count).is_bounded()), (fits, fits), "{count} ranges");
    }
}

/// The numbers are the journal's and the wire's; a new one comes last.
#[test]
fn reasons_and_sources_have_their_numbers() {
    for (number, reason) in (0u8..).zip(Reason::ALL) {
        assert_eq!(minicbor::to_vec(reason).unwrap(), [number], "{reason:?}");
    }
    for (number, reason) in (0u8..).zip(GapReason::ALL) {
        assert_eq!(minicbor::to_vec(reason).unwrap(), [number], "{reason:?}");
    }
    for (number, source) in (0u8..).zip(ClockSource::ALL) {
        assert_eq!(minicbor::to_vec(source).unwrap(), [number], "{source:?}");
    }
    assert!(minicbor::decode::<Reason>(&[13]).is_err());
    assert!(minicbor::decode::<GapReason>(&[5]).is_err());
    assert!(minicbor::decode::<ClockSource>(&[4]).is_err());
}

#[test]
fn a_text_of_an_audit_beyond_its_bound_is_refused() {
    for (len, taken) in [(Audit::TEXT_BYTES_MAX, true), (Audit::TEXT_BYTES_MAX + 1, false)] {
        let text = "x".repeat(len);
        for (by, platform, reason) in [(&*text, "", ""), ("", &*text, ""), ("", "", &*text)] {
            let act = Act::Dropped { platform: platform.into(), records: SeqRange { first: Seq(0), last: Seq(0) } };
            let audit = Audit { by: Actor::Platform(by.into()), act, reason: reason.into() };
            assert_eq!(audit.is_bounded(), taken);
            assert_eq!(minicbor::decode::<Audit>(&minicbor::to_vec(&audit).unwrap()).is_ok(), taken);
        }
    }
}

#[test]
fn a_command_beyond_its_bounds_is_refused() {
    let check = |bytes: usize, refused: Option<usize>, taken: bool| {
        let (order, refused) = ("resend".to_owned(), refused.map(|len| "x".repeat(len)));
        let act = Act::Commanded { number: 1, order, command: vec![7; bytes], refused };
        let audit = Audit { by: Actor::Platform("city".into()), act, reason: String::new() };
        assert_eq!(audit.is_bounded(), taken, "{bytes}");
        assert_eq!(minicbor::decode::<Audit>(&minicbor::to_vec(&audit).unwrap()).ok().as_ref() == Some(&audit), taken);
    };
    check(Audit::COMMAND_BYTES_MAX, None, true);
    check(Audit::COMMAND_BYTES_MAX + 1, None, false);
    check(1, Some(Audit::TEXT_BYTES_MAX), true);
    check(1, Some(Audit::TEXT_BYTES_MAX + 1), false);
}

#[test]
fn a_statement_about_keys_beyond_its_bound_is_refused() {
    for (len, taken) in [(Act::STATEMENT_BYTES_MAX, true), (Act::STATEMENT_BYTES_MAX + 1, false)] {
        let act = Act::KeyChanged { statement: vec![7; len] };
        let audit = Audit { by: Actor::User(0), act, reason: String::new() };
        assert_eq!(audit.is_bounded(), taken);
        assert_eq!(minicbor::decode::<Audit>(&minicbor::to_vec(&audit).unwrap()).is_ok(), taken);
    }
}
