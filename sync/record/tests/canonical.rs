//! The canonical bytes of every kind of body and link: pinned once each, and back again whatever they hold.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise, in their helpers too")]

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

fn any_source() -> impl Strategy<Value = SourceId> {
    "[A-Za-z0-9_.-]{1,64}".prop_map(|name| SourceId::new(&name).unwrap())
}

fn any_seal() -> impl Strategy<Value = Option<Seal>> {
    let seal = (any::<u64>(), of(any::<i64>()), any::<i32>());
    of(seal.prop_map(|(counter, device_ms, alg)| Seal { counter, device_ms, alg }))
}

fn any_eui() -> impl Strategy<Value = GatewayEui> {
    any::<[u8; 8]>().prop_map(GatewayEui)
}

fn any_receptions() -> impl Strategy<Value = Vec<Reception>> {
    let reception = (any_eui(), of(any::<i16>()), of(any::<i16>()), any::<u32>());
    let reception =
        reception.prop_map(|(gateway, rssi_dbm, snr_ddb, tmst_us)| Reception { gateway, rssi_dbm, snr_ddb, tmst_us });
    vec(reception, 0..3)
}

fn any_link() -> impl Strategy<Value = Link> {
    let mqtt = (".*", any::<u8>(), of(any::<u16>()), any::<u8>(), any_seal());
    let serial = (".*", any_seal());
    let radio = || (any_eui(), any::<u32>(), ".{0,12}", of(any::<i16>()), of(any::<i16>()));
    let lora = (radio(), any::<u32>(), any::<u32>(), of(any::<u8>()), any::<u32>(), any_receptions());
    let chirpstack = (any_eui(), any::<u32>(), any::<u32>(), any::<u8>(), any::<u32>(), any_receptions());
    let join = (radio(), any_eui(), any_eui(), any::<u16>(), of(any::<u32>()));
    prop_oneof![
        mqtt.prop_map(|(topic, qos, packet_id, level, seal)| Link::Mqtt { topic, qos, packet_id, level, seal }),
        serial.prop_map(|(port, seal)| Link::Serial { port, seal }),
        lora.prop_map(|(radio, dev_addr, f_cnt, f_port, tmst_us, others)| {
            let (gateway, frequency_hz, data_rate, rssi_dbm, snr_ddb) = radio;
            Link::Lora { gateway, dev_addr, f_cnt, f_port, frequency_hz, data_rate, rssi_dbm, snr_ddb, tmst_us, others }
        }),
        chirpstack.prop_map(|(dev_eui, dev_addr, f_cnt, f_port, frequency_hz, heard_by)| {
            Link::Chirpstack { dev_eui, dev_addr, f_cnt, f_port, frequency_hz, heard_by }
        }),
        join.prop_map(|(radio, dev_eui, join_eui, dev_nonce, dev_addr)| {
            let (gateway, frequency_hz, data_rate, rssi_dbm, snr_ddb) = radio;
            Link::Join { gateway, dev_eui, join_eui, dev_nonce, frequency_hz, data_rate, rssi_dbm, snr_ddb, dev_addr }
        }),
    ]
}

fn any_quantity() -> impl Strategy<Value = Quantity> {
    prop_oneof![Just("cod"), Just("flow"), Just("silt")].prop_map(|name| Quantity::new(name).unwrap())
}

fn any_decimal() -> impl Strategy<Value = Option<Decimal>> {
    of((any::<i64>(), -40i32..=20))
        .prop_map(|parts| parts.and_then(|(mantissa, exponent)| Decimal::new(mantissa, exponent)))
}

fn any_readings() -> impl Strategy<Value = Vec<Reading>> {
    let reading = (any_quantity(), "[!-~]{1,24}", any_decimal(), 0u8..5, of(any::<i64>()));
    let reading = reading.prop_map(|(quantity, unit, value, quality, at_ms)| {
        let (unit, quality) = (Unit::new(&unit).unwrap(), Quality::from_code(quality).unwrap());
        Reading { quantity, unit, value, quality, at_ms: at_ms.map(UnixMs) }
    });
    vec(reading, 0..4)
}

fn any_texts() -> impl Strategy<Value = Vec<TextValue>> {
    vec((any_quantity(), ".*").prop_map(|(quantity, text)| TextValue::new(quantity, &text)), 0..3)
}

fn any_codec() -> impl Strategy<Value = CodecId> {
    any::<[u8; 8]>().prop_map(CodecId)
}

fn any_alarm() -> impl Strategy<Value = AlarmTransition> {
    let state = || {
        use AlarmState::{Acknowledged, Normal, ReturnedUnacknowledged, Unacknowledged};
        prop_oneof![Just(Normal), Just(Unacknowledged), Just(Acknowledged), Just(ReturnedUnacknowledged)]
    };
    let side = prop_oneof![Just(LimitSide::High), Just(LimitSide::Low)];
    let grounds = (proptest::sample::select(Measure::ALL), any::<u32>(), proptest::sample::select(Tier::ALL))
        .prop_map(|(measure, span_s, tier)| Grounds { measure, unit: Unit::new("mg/L").unwrap(), span_s, tier });
    let suppression = of(Just(Suppression::ByDesign));
    let judged = (any_decimal(), side, any_decimal(), any::<u64>(), of(grounds), suppression);
    let parts = (any_source(), any_quantity(), state(), state(), judged);
    parts.prop_map(|(source, quantity, from, to, (limit, side, value, cause, grounds, suppression))| AlarmTransition {
        rule: RuleId::new("cod-high").unwrap(),
        source,
        quantity,
        from,
        to,
        limit: limit.unwrap_or(Decimal::ZERO),
        side,
        value,
        cause: Seq(cause),
        grounds,
        suppression,
    })
}

fn any_clock_set() -> impl Strategy<Value = ClockSet> {
    let source = proptest::sample::select(&ClockSource::ALL[..]);
    (source, any_quality(), any::<i64>(), any::<u32>()).prop_map(|(source, before, step_ms, error_ms)| ClockSet {
        source,
        before,
        step_ms,
        error_ms,
    })
}

fn any_gap() -> impl Strategy<Value = Gap> {
    let span = (any::<u64>(), any::<u64>()).prop_map(|(a, b)| SeqRange { first: Seq(a.min(b)), last: Seq(a.max(b)) });
    let counts = any::<[u64; 4]>();
    (proptest::sample::select(&GapReason::ALL[..]), vec(span, 1..5), counts).prop_map(|(why, spans, counts)| {
        let [frames, rejected, other, bytes] = counts;
        Gap { why, ranges: spans.into_iter().collect(), frames, rejected, other, bytes }
    })
}

fn any_audit() -> impl Strategy<Value = Audit> {
    let span = (any::<u64>(), any::<u64>()).prop_map(|(a, b)| SeqRange { first: Seq(a.min(b)), last: Seq(a.max(b)) });
    let by = prop_oneof![any::<u32>().prop_map(Actor::User), ".{0,40}".prop_map(Actor::Platform), Just(Actor::Box)];
    let outcomes = [Settlement::Kept, Settlement::RolledBack, Settlement::Superseded];
    let configuring = vec![Configuring::Applied, Configuring::RolledBack];
    let commanded = (any::<u64>(), ".{0,10}", vec(any::<u8>(), 0..64), of(".{0,40}"));
    let act = prop_oneof![
        (".{0,40}", span.clone()).prop_map(|(platform, records)| Act::Dropped { platform, records }),
        span.prop_map(|records| Act::Pinned { records }),
        any::<u64>().prop_map(|pin| Act::Released { pin: Seq(pin) }),
        (".{0,40}", any::<[u8; 32]>()).prop_map(|(platform, key)| Act::Enrolled { platform, key }),
        commanded.prop_map(|(number, order, command, refused)| Act::Commanded { number, order, command, refused }),
        (any::<u64>(), proptest::sample::select(outcomes.to_vec()))
            .prop_map(|(command, outcome)| Act::Settled { command: Seq(command), outcome }),
        vec(any::<u8>(), 0..200).prop_map(|statement| Act::KeyChanged { statement }),
        any_source().prop_map(|source| Act::Acknowledged { rule: RuleId::new("cod-high").unwrap(), source }),
        (any_source(), of(any::<i64>())).prop_map(|(source, until)| {
            let rule = RuleId::new("cod-high").unwrap();
            Act::Shelved { rule, source, until_ms: until.map(UnixMs) }
        }),
        any_source().prop_map(|source| Act::Reset { rule: RuleId::new("cod-high").unwrap(), source }),
        (proptest::sample::select(&ConfigFile::ALL[..]), any::<[u8; 32]>(), proptest::sample::select(configuring))
            .prop_map(|(file, sha256, how)| Act::Configured { file, sha256, how }),
        (any::<u64>(), 0usize..3, proptest::option::of("[a-z]{1,9}")).prop_map(|(alarm, outcome, channel)| {
            use record::Notification::{Delivered, Escalated, Unreached};
            let outcome = [Delivered, Escalated, Unreached][outcome];
            Act::Notified { alarm: Seq(alarm), level: "镇".into(), outcome, channel }
        }),
        (proptest::sample::select(&SampleStep::ALL[..]), any::<u16>(), any::<u16>(), of(any::<u64>())).prop_map(
            |(step, bottle, bottles, alarm)| {
                let sampler = RelayId::new("sampler-1").unwrap();
                Act::Sampled { sampler, step, bottle, bottles, alarm: alarm.map(Seq) }
            }
        ),
        any::<u16>().prop_map(|bottles| Act::Refilled { sampler: RelayId::new("sampler-1").unwrap(), bottles }),
    ];
    (by, act, ".{0,200}").prop_map(|(by, act, reason)| Audit { by, act, reason })
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

/// The sample, and the least that is a dossier.
fn any_outfall() -> impl Strategy<Value = Outfall> {
    let sample: Dossier = serde_json::from_str(include_str!("outfall.json")).unwrap();
    let mut least = serde_json::json!({ "code": "A", "name": "x", "class": "other", "state": "planned" });
    least["position"] = serde_json::json!({ "longitude": 0, "latitude": 0, "datum": "WGS-84" });
    least["water"] = serde_json::json!({ "name": "x" });
    let least: Dossier = serde_json::from_value(least).unwrap();
    let dossier = proptest::sample::select(vec![sample, least]);
    let told = of((any::<u64>(), any::<i64>()).prop_map(|(seq, ms)| Told { seq: Seq(seq), wall_ms: UnixMs(ms) }));
    let version = (any::<u32>(), any::<u32>(), ".{0,200}", dossier, told.clone());
    let version = version.prop_map(|(version, uid, reason, dossier, told)| {
        Outfall::Dossier(Box::new(DossierVersion { version, by: Actor::User(uid), reason, dossier, told }))
    });
    let devices = proptest::collection::btree_set(any_source(), 0..5);
    let standing = (devices, told).prop_map(|(devices, told)| {
        let outfall = OutfallCode::new("FA-231081-0001-SH-00").unwrap();
        Outfall::Devices(Standing { outfall, devices: devices.into_iter().collect(), told })
    });
    prop_oneof![version, standing]
}

fn any_aggregate() -> impl Strategy<Value = Aggregate> {
    let decimal = || any_decimal().prop_map(|decimal| decimal.unwrap_or(Decimal::ZERO));
    let statistics = (decimal(), decimal(), decimal(), any_decimal());
    let statistics = statistics.prop_map(|(min, mean, max, volume_m3)| Statistics { min, mean, max, volume_m3 });
    let value = (1u32.., any::<u32>(), 1u32.., of(statistics));
    let values = proptest::collection::btree_map("[a-z]{1,4}", value, 1..5).prop_map(|values| {
        let value = |(name, (good, doubtful, parts, statistics)): (String, (u32, u32, u32, Option<Statistics>))| {
            let (quantity, unit) = (Quantity::new(&name).unwrap(), Unit::new("mg/L").unwrap());
            AggregateValue { quantity, unit, good, doubtful, parts, statistics }
        };
        values.into_iter().map(value).collect()
    });
    let outfall = of("[A-Z0-9-]{1,32}").prop_map(|code| code.map(|code| OutfallCode::new(&code).unwrap()));
    let period = proptest::sample::select(vec![60, 600, 3_600, 86_400]);
    (any_source(), outfall, any::<i64>(), period, values).prop_map(|(source, outfall, from, period, values)| {
        let period = Period::new(period).unwrap();
        Aggregate { source, outfall, from_ms: UnixMs(from), period, values }
    })
}

fn any_manual() -> impl Strategy<Value = Manual> {
    let words = || "[a-z一-龥]{1,20}";
    let replaces = of((any::<u64>(), words()));
    let file = (words(), any::<[u8; 32]>())
        .prop_map(|(name, sha256)| AttachedFile { name: Words::new(&name).unwrap(), sha256 });
    let entry = ("[A-Z0-9-]{1,32}", any::<i64>(), words(), any::<u32>(), vec(file, 0..4), replaces);
    let entry = entry.prop_map(|(code, at, person, uid, files, replaces)| Entry {
        outfall: OutfallCode::new(&code).unwrap(),
        at_ms: UnixMs(at),
        person: Words::new(&person).unwrap(),
        by: Actor::User(uid),
        files: Few::new(files).unwrap(),
        replaces: replaces.map(|(seq, reason)| Replaced { seq: Seq(seq), reason: Words::new(&reason).unwrap() }),
    });
    let decimal = any_decimal().prop_map(|decimal| decimal.unwrap_or(Decimal::ZERO));
    let value = (decimal, proptest::sample::select(Detection::ALL), of(words()));
    let values = proptest::collection::btree_map("[a-z]{1,4}", value, 1..5).prop_map(|values| {
        let value = |(name, (value, detection, method)): (String, (Decimal, Detection, Option<String>))| {
            let method = method.map(|method| Words::new(&method).unwrap());
            ManualValue { value, detection, method, ..manual_value(&name) }
        };
        values.into_iter().map(value).collect::<Vec<_>>()
    });
    let optional = || of(words());
    let sample = (values, optional(), optional(), optional());
    let patrol = (words(), of(proptest::sample::select(PatrolState::ALL)));
    let what = prop_oneof![sample.prop_map(Ok), patrol.prop_map(Err)];
    (entry, what).prop_map(|(entry, what)| match what {
        Ok((values, laboratory, number, note)) => Manual::Sample(Box::new(ManualSample {
            entry,
            values,
            laboratory: laboratory.map(|words| Words::new(&words).unwrap()),
            number: number.map(|words| Words::new(&words).unwrap()),
            note: note.map(|words| Words::new(&words).unwrap()),
        })),
        Err((finding, state)) => {
            Manual::Patrol(Box::new(Patrol { entry, finding: Words::new(&finding).unwrap(), state }))
        }
    })
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

fn any_body() -> impl Strategy<Value = Body> {
    let raw = || vec(any::<u8>(), 0..64);
    let frame = (any_source(), any_link(), raw(), any_readings(), of(any_codec()), any_texts());
    let rejected = (of(any_source()), any_link(), raw(), proptest::sample::select(&Reason::ALL[..]), ".*");
    let anew = (any_source(), any::<u64>(), any_codec(), any_readings(), any_texts());
    prop_oneof![
        (".*", ".*").prop_map(|(boot_id, version)| Body::Boot(Boot { boot_id, version })),
        frame.prop_map(|(source, link, raw, readings, codec, texts)| {
            Body::Frame(Frame { source, link, raw, readings, codec, texts })
        }),
        rejected.prop_map(|(source, link, raw, why, detail)| {
            Body::Rejected(Rejected { source, link, raw, why, detail })
        }),
        any_alarm().prop_map(Body::Alarm),
        (any_codec(), ".*").prop_map(|(id, text)| Body::Codec(CodecText { id, text })),
        anew.prop_map(|(source, of, codec, readings, texts)| {
            Body::Redecoded(Redecoded { source, of: Seq(of), codec, readings, texts })
        }),
        any_clock_set().prop_map(Body::Clock),
        any_gap().prop_map(Body::Gap),
        any_audit().prop_map(Body::Audit),
        any_outfall().prop_map(Body::Outfall),
        any_aggregate().prop_map(Body::Aggregate),
        any_manual().prop_map(Body::Manual),
    ]
}

fn any_quality() -> impl Strategy<Value = ClockQuality> {
    let holdover = any::<u32>().prop_map(|error_ms| ClockQuality::Holdover { error_ms });
    prop_oneof![Just(ClockQuality::Synchronised), Just(ClockQuality::Unset), holdover]
}

fn any_stamp() -> impl Strategy<Value = Stamp> {
    (any::<u32>(), any::<u64>(), any::<i64>(), any_quality()).prop_map(|(boot, mono_ms, wall_ms, clock)| Stamp {
        boot: BootNo(boot),
        mono_ms: MonoMs(mono_ms),
        wall_ms: UnixMs(wall_ms),
        clock,
    })
}

proptest! {
    #[test]
    fn every_record_comes_back(stamp in any_stamp(), body in any_body()) {
        let record = Record { stamp, body };
        prop_assert_eq!(Record::from_canonical(&record.to_canonical()).unwrap(), record);
    }

    /// Bytes that are nearly a record: an answer, and never a second spelling of one.
    #[test]
    fn changed_bytes_are_another_record_or_none(
        stamp in any_stamp(),
        body in any_body(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let bytes = Record { stamp, body }.to_canonical();
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] = byte;
        if let Ok(other) = Record::from_canonical(&changed) {
            prop_assert_eq!(other.to_canonical(), changed);
        }
    }
}
