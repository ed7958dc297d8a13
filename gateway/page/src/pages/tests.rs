//! Pages of a whole box, of hostile words, and of more than fits.

use proptest::prelude::*;
use record::dossier::Words;
use record::{
    Actor, AlarmState, AlarmTransition, Body, BootNo, ClockQuality, Decimal, Dossier, DossierVersion, LimitSide,
    MonoMs, Outfall, OutfallCode, Quality, Quantity, Reading, Record, RecordAt, RuleId, Seq, SourceId, Stamp, Standing,
    Unit, UnixMs,
};
use serde_json::json;

use super::*;
use crate::alarms::Step;
use crate::known::Told;
use crate::receipts::{PlatformReceipt, Proven, Word};
use crate::tally::Span;

const NOW: UnixMs = UnixMs(1_796_020_260_000);
const MINUTE_MS: i64 = 60_000;

fn dossier() -> Dossier {
    serde_json::from_str(include_str!("../../../../sync/record/tests/outfall.json")).unwrap()
}

fn told(body: Outfall) -> RecordAt {
    let stamp = Stamp { boot: BootNo(0), mono_ms: MonoMs(0), wall_ms: NOW, clock: ClockQuality::Synchronised };
    RecordAt { seq: Seq(1), record: Record { stamp, body: Body::Outfall(body) } }
}

fn register(known: &mut Known, dossier: Dossier, devices: Vec<SourceId>) {
    let outfall = dossier.code.clone();
    let (by, reason) = (Actor::User(0), "survey".to_owned());
    let version = DossierVersion { version: 1, by, reason, dossier, told: None };
    known.register.take(&told(Outfall::Dossier(Box::new(version))));
    known.register.take(&told(Outfall::Devices(Standing { outfall, devices, told: None })));
}

fn source(name: &str) -> SourceId {
    SourceId::new(name).unwrap()
}

fn measure(known: &mut Known, device: &str, quantity: &str, unit: &str, minutes_ago: i64, value: i64) {
    let (quantity, unit) = (Quantity::new(quantity).unwrap(), Unit::new(unit).unwrap());
    let reading = Reading { quantity, unit, value: Some(Decimal::from(value)), quality: Quality::Good, at_ms: None };
    known.tally.add(NOW, &source(device), &reading, UnixMs(NOW.0 - minutes_ago * MINUTE_MS));
}

fn status(devices: &[&str], alarm: Option<(&str, &str)>) -> gatewayd::status::Status {
    let device = json!({
        "link": "mqtt", "seen_ms_ago": 61_000, "accepted": 9, "duplicate": 0, "rejected": 0, "shed": 0, "warnings": 0,
        "readings_bad": 0, "readings": [], "refusal": null,
    });
    let devices: serde_json::Map<_, _> = devices.iter().map(|name| ((*name).to_owned(), device.clone())).collect();
    let alarm = alarm.map(|(source, value)| {
        json!({
            "rule": "cod-high", "source": source, "quantity": "cod", "unit": "mg/L", "state": "unacknowledged",
            "limit": "30", "value": value, "since_ms": NOW.0 - 3_600_000, "since_error_ms": 9,
        })
    });
    let status = json!({
        "box": "outfall-1", "version": "0.1.0", "uptime_ms": 5, "devices": devices, "mqtt": null, "gwmp": null,
        "alarms": alarm.into_iter().collect::<Vec<_>>(),
        "clock": {"wall_ms": NOW.0, "state": "synchronised"},
        "journal": {"records": 9, "root": "", "commits": 1, "commits_failed": 0, "failing": null, "checkpoint": 0},
    });
    serde_json::from_value(status).unwrap()
}

fn sync(destination: &str) -> syncd::status::Status {
    let status = json!({
        "version": "0.1.0", "uptime_ms": 5, "waiting_for": null, "box_id": "outfall-1", "journal_end": 9,
        "destinations": [{
            "name": destination, "url": "https://x/", "end": 9, "covered": 2, "covered_ranges": [], "covered_ranges_total": 0,
            "parked": 0, "dropped": 0, "alarms_waiting": 0, "live_waiting": 7, "backlog": 0, "missing": 1_234,
            "outstanding": 0, "in_flight": 0, "last_receipt_ms_ago": 600_000, "rtt_ms": null, "next_try_ms": null,
            "last_error": {"kind": "x", "what": "y", "cure": "z", "ms_ago": 4}, "bytes_sent": 0, "batch_bytes": 0,
            "bytes_per_s": null, "link_life_ms": null, "budget": null,
            "delivered": {"receipts": 1, "records": 2, "bytes": 3}, "counters": {},
        }],
    });
    serde_json::from_value(status).unwrap()
}

/// A box with an outfall, a device there and one beside it, an alarm, and a platform with a verified receipt.
fn whole() -> Known {
    let (box_id, records) = ("outfall-1".to_owned(), 1_234_567);
    let progress = crate::Progress { box_id, records, newest: Some(NOW), looked: Some(NOW), ..Default::default() };
    let mut known = Known { progress, ..Known::default() };
    register(&mut known, dossier(), vec![source("cod-1")]);
    for minute in 0..600 {
        measure(&mut known, "cod-1", "cod", "mg/L", minute, 20 + minute % 7);
        measure(&mut known, "level-9", "level", "m", minute, 2);
    }
    known.gateway = Told { answer: Some((NOW, status(&["cod-1", "mute-1"], Some(("cod-1", "41"))))), trouble: None };
    known.sync = Told { answer: Some((NOW, sync("municipal"))), trouble: None };
    let alarm = AlarmTransition {
        rule: RuleId::new("cod-high").unwrap(),
        source: source("cod-1"),
        quantity: Quantity::new("cod").unwrap(),
        from: AlarmState::Normal,
        to: AlarmState::Unacknowledged,
        limit: Decimal::from(30),
        side: LimitSide::High,
        value: Some(Decimal::from(41)),
        cause: Seq(2),
        grounds: None,
        suppression: None,
    };
    known.alarms.take(Step { seq: Seq(2), at: Some(NOW), alarm });
    let proven = Proven {
        signed_by: "ab".repeat(32),
        batch: "cd".repeat(32),
        tree_size: 1_234_000,
        tree_root: "ef".repeat(32),
        holds: 1_233_000,
        received: UnixMs(NOW.0 - 600_000),
    };
    let (name, key) = ("municipal".to_owned(), "ab".repeat(32));
    known.receipts = Ok(vec![PlatformReceipt { name, key, word: Word::Proven(proven) }]);
    known
}

fn asked<'a>(known: &'a Known, config: &'a Config, lang: Lang) -> Asked<'a> {
    Asked { known, config, lang, chosen: true, now: NOW }
}

/// What a reader reads: no markup, no style.
fn words(page: &str) -> String {
    let body = page.split("<body>").nth(1).unwrap();
    body.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text)).collect::<Vec<_>>().join(" ")
}

fn all_pages(known: &Known, config: &Config, lang: Lang) -> Vec<String> {
    let asked = asked(known, config, lang);
    let mut pages = vec![home(&asked), refusal(&asked, Refusal::NotFound), refusal(&asked, Refusal::Method)];
    pages.extend(known.outfalls(config).filter_map(|(code, _)| outfall(&asked, code)));
    pages.extend(known.devices(config).iter().filter_map(|source| device(&asked, source, 0)));
    pages
}

#[test]
fn a_box_is_told_in_both_languages() {
    let (known, config) = (whole(), Config::default());
    let told = |lang| words(&home(&asked(&known, &config, lang)));
    let (en, zh) = (told(Lang::En), told(Lang::Zh));
    for text in [
        "1 alarm stands.",
        "41 mg/L; limit 30 mg/L",
        "since 30 Nov 2026, 13:31 (60 min ago)",
        "1,234,567 records",
        "last receipt 30 Nov 2026, 14:21 (10 min ago); 1,234 records wait; it cannot be reached or refuses",
        "newest receipt verified",
        "1,234,000",
        "mute-1",
    ] {
        assert!(en.contains(text), "{text}: {en}");
    }
    for text in
        ["当前有 1 个报警。", "化学需氧量", "限值 30 mg/L", "待上传 1,234 条", "最新回执验证通过", "2026年11月30日"]
    {
        assert!(zh.contains(text), "{text}: {zh}");
    }
    assert!(zh.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).count() > 150);
}

#[test]
fn a_gateway_that_is_silent_is_not_called_well() {
    let (mut known, config) = (whole(), Config::default());
    known.gateway.trouble = Some("connection refused".into());
    let told = words(&home(&asked(&known, &config, Lang::En)));
    assert!(told.contains("1 alarm stands.") && told.contains("As the journal has them"), "{told}");
    assert!(told.contains("does not answer; its last word is of 30 Nov 2026, 14:31 (just now)"), "{told}");
    known.alarms = Default::default();
    let told = words(&home(&asked(&known, &config, Lang::En)));
    assert!(told.contains("Whether an alarm stands is not known") && !told.contains("No alarm stands"), "{told}");
    known.gateway = Told::default();
    assert!(words(&home(&asked(&known, &config, Lang::En))).contains("it never did since this page started"));
}

#[test]
fn no_page_has_a_number_that_the_sign_does_not_show() {
    let (known, config) = (whole(), Config::default());
    let pages: String = [Lang::En, Lang::Zh].into_iter().flat_map(|lang| all_pages(&known, &config, lang)).collect();
    assert!(pages.contains("13900000001"), "a chief's number on the sign is shown");
    for hidden in ["13900000003", "0453-3930000", "0453-3920000", "李科长", "survey"] {
        assert!(!pages.contains(hidden), "{hidden}");
    }
}

#[test]
fn only_what_is_to_be_shown_is() {
    let known = whole();
    let mut config = Config { outfalls: vec![OutfallCode::new("A-1").unwrap()], ..Config::default() };
    let others = all_pages(&known, &config, Lang::En).concat();
    for hidden in ["cod-1", "level-9", "FA-231081", "cod-high"] {
        assert!(!others.contains(hidden), "{hidden}");
    }
    let asked_for = asked(&known, &config, Lang::En);
    assert!(device(&asked_for, &source("cod-1"), 0).is_none() && outfall(&asked_for, &dossier().code).is_none());
    config.outfalls = vec![dossier().code];
    let own = all_pages(&known, &config, Lang::En).concat();
    assert!(own.contains("cod-1") && !own.contains("level-9"));
}

#[test]
fn every_page_is_one_file_of_its_own() {
    let (known, config) = (whole(), Config::default());
    for page in [Lang::En, Lang::Zh].into_iter().flat_map(|lang| all_pages(&known, &config, lang)) {
        for foreign in ["<script", "http://", "https://", "//", "src=", "@import", "url(", " style=", " on"] {
            let body = page.split("<body>").nth(1).unwrap();
            assert!(!page.split("<body>").next().unwrap().contains("<script"));
            let markup: String =
                body.split('<').filter_map(|piece| piece.split_once('>')).map(|(tag, _)| format!("{tag}\n")).collect();
            assert!(!markup.contains(foreign), "{foreign}: {markup}");
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains('<'));
    }
}

/// A box full of everything: 200 outfalls with long names and whole dossiers, devices with as many quantities as series fit, each
/// part of each chart there and wild, and every alarm standing.
#[test]
fn the_fullest_box_has_pages_of_less_than_a_hundred_kilobytes() {
    let (mut known, config) = (whole(), Config::default());
    let names: Vec<String> =
        (0..60).map(|nth| format!("device-with-quite-a-long-name-at-the-east-shore-{nth}")).collect();
    let quantities: Vec<&str> = Quantity::registry().iter().map(|(name, _)| *name).collect();
    for (name, nth) in names.iter().zip(0_i64..) {
        for quantity in quantities.iter().take(17) {
            for part in 0..Span::Month.parts() as i64 {
                let minutes_ago = part * 240 - 3;
                measure(
                    &mut known,
                    name,
                    quantity,
                    "mg/L",
                    minutes_ago,
                    (part * 7_919 + nth * 104_729) % 99_991 - 50_000,
                );
                measure(&mut known, name, quantity, "mg/L", minutes_ago, -(part * 15_485_863 % 99_991));
            }
            for part in 0..Span::Day.parts() as i64 {
                let minutes_ago = part * 15;
                measure(&mut known, name, quantity, "mg/L", minutes_ago, part * 7_919 % 99_991 - 50_000);
                let (quantity, unit) = (Quantity::new(quantity).unwrap(), Unit::new("mg/L").unwrap());
                let reading = Reading { quantity, unit, value: None, quality: Quality::Missing, at_ms: None };
                known.tally.add(NOW, &source(name), &reading, UnixMs(NOW.0 - minutes_ago * MINUTE_MS));
            }
        }
    }
    for nth in 0..200 {
        let mut dossier = dossier();
        dossier.code = OutfallCode::new(&format!("FA-231081-0001-SH-{nth}-ABCDEFGH")).unwrap();
        dossier.name = Words::new(&"\"&<".repeat(66)).unwrap();
        dossier.place.address = Some(Words::new(&"<>&".repeat(66)).unwrap());
        let devices = if nth == 0 { names.iter().map(|name| source(name)).collect() } else { Vec::new() };
        register(&mut known, dossier, devices);
    }
    let mut gateway = status(&[], Some((&names[0], "41")));
    let alarm = gateway.alarms[0].clone();
    gateway.alarms = names
        .iter()
        .cycle()
        .take(500)
        .map(|name| gatewayd::status::AlarmStatus { source: name.clone(), ..alarm.clone() })
        .collect();
    known.gateway = Told { answer: Some((NOW, gateway)), trouble: None };
    for lang in [Lang::En, Lang::Zh] {
        let pages = all_pages(&known, &config, lang);
        assert!(pages.len() > 260, "{}", pages.len());
        let largest = pages.iter().map(String::len).max().unwrap();
        assert!((60_000..PAGE_BYTES_MAX).contains(&largest), "{largest} bytes");
        assert!(words(&pages[0]).contains(if lang == Lang::En { "more are not listed" } else { "项未列出" }));
    }
    // The way to the rest ends, and has all of it.
    let (mut first, mut pages) = (0, Vec::new());
    loop {
        let page = device(&asked(&known, &config, Lang::En), &source(&names[0]), first).unwrap();
        let next = page.split("from=").nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
        pages.push(page);
        let Some(next) = next else { break };
        assert!(next > first);
        first = next;
    }
    let shown: usize = pages.iter().map(|page| page.matches("<section class=\"card\">").count()).sum();
    assert_eq!((shown, pages.len() > 2), (17, true));
}

/// What a browser makes of a page's markup: its tags with the names of their attributes.
fn shape(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').map_or(rest.len(), |end| at + end);
        let (mut names, mut quoted) = (String::new(), false);
        for c in rest[at..end].chars() {
            quoted ^= c == '"';
            if !quoted {
                names.push(c);
            }
        }
        tags.push(names);
        rest = &rest[end..];
    }
    tags
}

fn hostile() -> impl Strategy<Value = String> {
    let bits = [
        "<",
        ">",
        "\"",
        "'",
        "&",
        "=",
        "/",
        "<script>",
        "</style>",
        "<!--",
        "-->",
        "javascript:",
        "\u{202e}",
        "站",
        "a",
        " x",
    ];
    proptest::collection::vec(proptest::sample::select(bits.to_vec()), 1..12).prop_map(|bits| bits.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever a dossier, a platform or a daemon is called: the page has the tags and attributes that it has with plain words.
    #[test]
    fn hostile_words_make_no_markup(name in hostile(), platform in hostile(), why in hostile(), rule in hostile()) {
        let page_of = |[name, platform, why, rule]: [&str; 4]| {
            let mut known = whole();
            let mut dossier = dossier();
            dossier.name = Words::new(&format!("n{name}n")).unwrap();
            dossier.place.address = Some(Words::new(&format!("a{why}a")).unwrap());
            register(&mut known, dossier, vec![source("cod-1")]);
            let mut gateway = status(&["cod-1"], Some(("cod-1", why)));
            rule.clone_into(&mut gateway.alarms[0].rule);
            gateway.alarms[0].unit = why.to_owned();
            gateway.journal.failing = Some(why.to_owned());
            known.progress.box_id = name.to_owned();
            known.gateway = Told { answer: Some((NOW, gateway)), trouble: None };
            known.sync = Told { answer: Some((NOW, sync(platform))), trouble: None };
            let (name, key) = (platform.to_owned(), "ab".to_owned());
            known.receipts = Ok(vec![PlatformReceipt { name, key, word: Word::Unproven(why.to_owned()) }]);
            all_pages(&known, &Config::default(), Lang::Zh).iter().map(|page| shape(page)).collect::<Vec<_>>()
        };
        prop_assert_eq!(page_of([&name, &platform, &why, &rule]), page_of(["n", "p", "w", "r"]));
    }
}

#[test]
fn a_page_that_does_not_escape_has_another_shape() {
    assert_ne!(shape("<p title=\"a\">x</p>"), shape("<p title=\"a\"><b>x</b></p>"));
    assert_ne!(shape("<p title=\"a\">x</p>"), shape("<p title=\"a\" onclick=\"b\">x</p>"));
    assert_eq!(shape("<p title=\"a\">x</p>"), shape("<p title=\"b\">y</p>"));
}
