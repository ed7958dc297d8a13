//! Any record at all: it comes back from its bytes, and no others are its.

use super::*;

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
        (any::<bool>(), vec(any::<u8>(), 0..=Act::TEST_FRAME_BYTES_MAX)).prop_map(|(mqtt, frame)| {
            let port = if mqtt { record::TestPort::Mqtt } else { record::TestPort::Control };
            Act::SelfTested { port, frame }
        }),
        any::<u16>().prop_map(|bottles| Act::Refilled { sampler: RelayId::new("sampler-1").unwrap(), bottles }),
    ];
    (by, act, ".{0,200}").prop_map(|(by, act, reason)| Audit { by, act, reason })
}

/// The sample, and the least that is a dossier.
fn any_outfall() -> impl Strategy<Value = Outfall> {
    let sample: Dossier = serde_json::from_str(include_str!("../outfall.json")).unwrap();
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
