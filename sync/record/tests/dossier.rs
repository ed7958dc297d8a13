//! A dossier: what is taken, what is refused and how that is said, what the public sees, what is to be mended.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise, in their helpers too")]

use expect_test::{Expect, expect};
use proptest::prelude::*;
use record::dossier::{
    Averaging, ChannelKind, ChiefLevel, CreditCode, Datum, Day, DischargePattern, LifeCycle, OutfallClass, Phone,
    WaterClass, Words,
};
use record::{Actor, Dossier, DossierVersion, Outfall, OutfallCode, SourceId, Standing, Told};
use serde_json::Value;

const SAMPLE: &str = include_str!("outfall.json");

fn sample() -> Dossier {
    serde_json::from_str(SAMPLE).unwrap()
}

/// The sample with another value at a JSON pointer; `null` takes it away.
fn with(pointer: &str, value: Value) -> Result<Dossier, serde_json::Error> {
    let mut json: Value = serde_json::from_str(SAMPLE).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = json.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(object), Value::Null) => drop(object.remove(key)),
        (Value::Object(object), value) => drop(object.insert(key.into(), value)),
        (parent, value) => parent[key.parse::<usize>().unwrap()] = value,
    }
    serde_json::from_value(json)
}

#[test]
fn it_comes_back_from_its_stored_form_and_from_json() {
    let dossier = sample();
    let bytes = minicbor::to_vec(&dossier).unwrap();
    assert_eq!(minicbor::decode::<Dossier>(&bytes).unwrap(), dossier);
    assert_eq!(bytes.len(), dossier.bytes());
    assert!(bytes.len() < 2_000, "{}", bytes.len());
    let json = serde_json::to_value(&dossier).unwrap();
    assert_eq!(serde_json::from_value::<Dossier>(json).unwrap(), dossier);
}

#[test]
fn what_is_wrong_is_said() {
    fn check(pointer: &str, value: Value, expected: Expect) {
        let said = with(pointer, value).map_or_else(|error| error.to_string(), |_| "taken".into());
        expected.assert_eq(&said);
    }
    let text = |text: &str| Value::from(text);
    check("/code", text("fa-1"), expect!["`fa-1` is not the code of an outfall: use 1 to 32 of A-Z 0-9 -"]);
    check(
        "/code",
        text(&"A".repeat(33)),
        expect!["`AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA` is not the code of an outfall: use 1 to 32 of A-Z 0-9 -"],
    );
    check(
        "/position/datum",
        text("GCJ-02"),
        expect![
            "GCJ-02 is shifted by some hundreds of metres and cannot be undone exactly: give the position in CGCS2000 or WGS-84"
        ],
    );
    check(
        "/position/datum",
        text("gcj02"),
        expect![
            "GCJ-02 is shifted by some hundreds of metres and cannot be undone exactly: give the position in CGCS2000 or WGS-84"
        ],
    );
    check("/position/datum", text("WGS84"), expect!["taken"]);
    check("/position/datum", Value::Null, expect!["missing field `datum`"]);
    check("/position/latitude", text("131.2"), expect!["131.2 is not within -90 to 90 degrees"]);
    check(
        "/class",
        text("sewer"),
        expect![
            "unknown variant `sewer`, expected one of `industrial_enterprise`, `工业企业排污口`, `mine`, `矿山排污口`, `tailings_pond`, `尾矿库排污口`, `industrial_enterprise_stormwater`, `工业企业雨洪排口`, `mine_stormwater`, `矿山雨洪排口`, `tailings_pond_stormwater`, `尾矿库雨洪排口`, `park_treatment_plant`, `工业及其他各类园区污水处理厂排污口`, `park_treatment_plant_stormwater`, `园区污水处理厂雨洪排口`, `urban_treatment_plant`, `城镇污水处理厂排污口`, `large_livestock`, `规模化畜禽养殖排污口`, `large_aquaculture`, `规模化水产养殖排污口`, `irrigation_district`, `大中型灌区排口`, `port_wharf`, `港口码头排口`, `small_livestock`, `规模以下畜禽养殖排污口`, `small_aquaculture`, `规模以下水产养殖排污口`, `rural_treatment_facility`, `农村污水处理设施排污口`, `rural_sewage`, `农村生活污水散排口`, `urban_stormwater`, `城镇雨洪排口`, `urban_sewage`, `城镇生活污水散排口`, `other`, `其他排口`"
        ],
    );
    check("/class", text("城镇雨洪排口"), expect!["taken"]);
    check("/water/functional_zone/target", text("Ⅲ"), expect!["taken"]);
    check("/name", text(" "), expect!["a text is empty: leave it out, or write something"]);
    check("/name", text("a\nb"), expect!["a text is to be one line without control characters: `a␣b`"]);
    check(
        "/name",
        text(&"口".repeat(67)),
        expect![
            "a text has 201 bytes, at most 200 are taken (a Chinese character has 3): `口口口口口口口口口口口口口口口口口口口口…`"
        ],
    );
    check("/state_since", text("2023-02-29"), expect!["`2023-02-29` is no day: write it as 2026-11-29"]);
    check(
        "/dischargers/0/credit_code",
        text("91350100M000100Y44"),
        expect!["credit code `91350100M000100Y44` is mistyped: its last character would be `3` (GB 32100-2015)"],
    );
    check(
        "/dischargers/0/credit_code",
        text("1"),
        expect!["`1` is no unified social credit code: 18 of 0-9 A-Z without I O S V Z"],
    );
    check(
        "/river_chiefs/0/phone",
        text("call me"),
        expect!["`call me` is no telephone number: use 3 to 32 of 0-9 + - * # ( ) and spaces"],
    );
    check("/limit_sets/0/limits/0/max", text("fifty"), expect!["`fifty` is not a decimal number"]);
    check(
        "/limit_sets/0/limits/0/average",
        text("x"),
        expect!["unknown field `average`, expected one of `item`, `unit`, `averaging`, `min`, `max`, `when`, `note`"],
    );
    check(
        "/river_chiefs",
        vec![serde_json::json!({"level": "town", "name": "x"}); 17].into(),
        expect!["a list has 17 entries, at most 16 are taken"],
    );
}

#[test]
fn the_public_sees_of_numbers_no_more_than_the_sign() {
    let public = sample().public();
    let phones: Vec<Option<&str>> =
        public.river_chiefs.iter().map(|chief| chief.phone.as_ref().map(Phone::as_str)).collect();
    assert_eq!(phones, [Some("13900000001"), Some("13900000002"), None]);
    let shown = serde_json::to_string(&public).unwrap();
    for private in ["13900000003", "0453-3920000", "0453-3930000", "王经理", "李科长", "雨季有少量"] {
        assert!(SAMPLE.contains(private) && !shown.contains(private), "{private}");
    }
    assert!(shown.contains("91231081MA0000000X001Q"), "the permit is public");
}

#[test]
fn what_is_to_be_mended_is_found() {
    let today = Day::new("2026-11-29").unwrap();
    let check = |pointer: &str, value: Value, expected: Expect| {
        let defects = with(pointer, value).unwrap().defects(today);
        let said: Vec<String> = defects.iter().map(|d| format!("{} / {}", d.english(), d.chinese())).collect();
        expected.assert_eq(&said.join("\n"));
    };
    // Two units share it, and the village has no permit.
    let shared = "more than one discharger: one outfall is to have one / 对应多个排污单位（应一口一单位）\n\
                  shared, and a discharger has no permit number or no named responsibility / 共用排污口，但有单位未载明许可证号或责任划分";
    let said = sample().defects(today).iter().map(|d| format!("{} / {}", d.english(), d.chinese())).collect::<Vec<_>>();
    assert_eq!(said.join("\n"), shared);
    check("/dischargers/1/valid/to", "2025-12-31".into(), expect![""]);
    check("/dischargers", Value::Null, expect!["no discharger / 未登记排污单位"]);
    let one: Value = serde_json::json!([{ "unit": "x" }]);
    let alone = |pointer: &str, value: Value| {
        let mut json: Value = serde_json::from_str(SAMPLE).unwrap();
        json["dischargers"] = one.clone();
        let key = pointer.rsplit('/').next().unwrap();
        json.pointer_mut(pointer.rsplit_once('/').unwrap().0).unwrap()[key] = value;
        serde_json::from_value::<Dossier>(json).unwrap().defects(today).iter().map(|d| d.english()).collect::<Vec<_>>()
    };
    let none = Value::Array(Vec::new());
    assert_eq!(alone("/responsible", none.clone()), ["no responsible party"]);
    assert_eq!(alone("/limit_sets", none.clone()), ["no limits in force"]);
    assert_eq!(
        alone("/river_chiefs", none),
        ["a river chief of city, town or village is missing, or a 24-hour number"]
    );
    assert_eq!(alone("/water/functional_zone", Value::Null), ["no water functional zone with a target"]);
    assert_eq!(alone("/water/functional_zone/attained", false.into()), ["receiving zone not attaining its target"]);
    assert_eq!(alone("/remediation/done", Value::Null), ["remediation is overdue"]);
    let backwards = serde_json::json!({ "from": "2027-01-01", "to": "2026-01-01" });
    assert_eq!(
        alone("/limit_sets", serde_json::json!([{ "source": "x", "valid": backwards }])),
        ["no limits in force", "a validity ends before it begins"]
    );
    let mut closed: Value = serde_json::from_str(SAMPLE).unwrap();
    (closed["class"], closed["state"]) = ("urban_stormwater".into(), "abolished".into());
    let defects = serde_json::from_value::<Dossier>(closed).unwrap().defects(today);
    assert!(defects.iter().any(|d| d.english() == "a storm-water outfall must not be closed or merged"));
}

/// Tokens stand in files and in batches: none twice, and each read as it is written, by its Chinese name too.
#[test]
fn every_term_is_read_by_its_token_and_its_chinese_name() {
    fn check<T: serde::de::DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug + Copy>(
        all: &[T],
        names: impl Fn(T) -> [&'static str; 2],
    ) {
        let mut seen = std::collections::BTreeSet::new();
        for term in all {
            let [token, chinese] = names(*term);
            assert!(seen.insert(token) && seen.insert(chinese), "{token} {chinese}");
            assert_eq!(serde_json::to_value(term).unwrap(), Value::from(token));
            for text in [token, chinese] {
                assert_eq!(serde_json::from_value::<T>(text.into()).unwrap(), *term);
            }
        }
    }
    check(OutfallClass::ALL, |t| [t.as_str(), t.chinese()]);
    check(LifeCycle::ALL, |t| [t.as_str(), t.chinese()]);
    check(Averaging::ALL, |t| [t.as_str(), t.chinese()]);
    check(ChannelKind::ALL, |t| [t.as_str(), t.chinese()]);
    check(DischargePattern::ALL, |t| [t.as_str(), t.chinese()]);
    check(ChiefLevel::ALL, |t| [t.as_str(), t.chinese()]);
    check(WaterClass::ALL, |t| [t.as_str(), t.chinese()]);
    assert_eq!(Datum::ALL.len(), 2);
    let of = |class: OutfallClass| class.category().chinese();
    assert_eq!(of(OutfallClass::ParkTreatmentPlantStormwater), "工业排污口");
    assert_eq!(of(OutfallClass::UrbanTreatmentPlant), "城镇污水处理厂排污口");
    assert_eq!(of(OutfallClass::LargeAquaculture), "农业排口");
    assert_eq!(of(OutfallClass::IrrigationDistrict), "其他排口");
    assert_eq!(OutfallClass::ALL.iter().filter(|class| class.is_stormwater()).count(), 5);
}

#[test]
fn what_devices_stand_there_is_bounded_and_ascends() {
    let devices = |names: Vec<String>| {
        let devices = names.iter().map(|name| SourceId::new(name).unwrap()).collect();
        let standing = Standing { outfall: OutfallCode::new("A-1").unwrap(), devices, told: None };
        minicbor::decode::<Outfall>(&minicbor::to_vec(Outfall::Devices(standing)).unwrap()).is_ok()
    };
    let many = |count: usize| (0..count).map(|n| format!("d{n:05}")).collect::<Vec<_>>();
    assert!(devices(many(0)) && devices(many(Standing::DEVICES_MAX)) && !devices(many(Standing::DEVICES_MAX + 1)));
    assert!(!devices(vec!["b".into(), "a".into()]) && !devices(vec!["a".into(), "a".into()]));
}

#[test]
fn a_reason_beyond_its_bound_is_refused() {
    for (len, taken) in [(1_000, true), (1_001, false)] {
        let version = DossierVersion {
            version: 1,
            by: Actor::User(0),
            reason: "x".repeat(len),
            dossier: sample(),
            told: Some(Told { seq: record::Seq(4), wall_ms: record::UnixMs(5) }),
        };
        let bytes = minicbor::to_vec(Outfall::Dossier(Box::new(version))).unwrap();
        assert_eq!(minicbor::decode::<Outfall>(&bytes).is_ok(), taken);
    }
}

proptest! {
    /// Bytes that are nearly a dossier: an answer, and never a second spelling of one.
    #[test]
    fn changed_bytes_are_another_dossier_or_none(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = minicbor::to_vec(sample()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(other) = minicbor::decode::<Dossier>(&bytes) {
            let again = minicbor::to_vec(&other).unwrap();
            prop_assert!(again.len() <= bytes.len() && minicbor::decode::<Dossier>(&again).unwrap() == other);
        }
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,40}") {
        let _ = (Day::new(&text), CreditCode::new(&text), Phone::new(&text), OutfallCode::new(&text), Words::<20>::new(&text));
    }

    /// One mistyped character is always found, as GB 32100-2015 promises.
    #[test]
    fn a_mistyped_credit_code_is_found(at in 0usize..18, to in 0usize..31) {
        let alphabet = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
        let mut code = *b"91350100M000100Y43";
        prop_assume!(code[at] != alphabet[to]);
        code[at] = alphabet[to];
        prop_assert!(CreditCode::new(std::str::from_utf8(&code).unwrap()).is_err());
    }

    #[test]
    fn days_come_back(year in 1900u16..3000, month in 1u8..=12, day in 1u8..=28) {
        let text = format!("{year:04}-{month:02}-{day:02}");
        prop_assert_eq!(Day::new(&text).unwrap().to_string(), text);
    }
}

#[test]
fn days_are_those_of_the_calendar() {
    let shown = |days: i64| Day::of(days).map(|day| day.to_string());
    for (days, expected) in [
        (0, "1970-01-01"),
        (-25_567, "1900-01-01"),
        (20_784, "2026-11-27"),
        (11_016, "2000-02-29"),
        (2_932_896, "9999-12-31"),
    ] {
        assert_eq!(shown(days).as_deref(), Some(expected));
    }
    assert_eq!((Day::of(-25_568), Day::of(2_932_897), Day::of(i64::MAX)), (None, None, None));
    // One by one no day is left out, and each is read as it is written.
    let all: Vec<Day> = (-25_567..100_000).map(|days| Day::of(days).unwrap()).collect();
    assert!(all.is_sorted_by(|one, next| one < next));
    assert!(all.iter().all(|day| Day::new(&day.to_string()) == Ok(*day)));
    assert_eq!(all.iter().filter(|day| day.to_string().ends_with("-02-29")).count(), 83);
}
