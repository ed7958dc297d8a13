use record::dossier::{Few, Words};
use record::{
    Actor, AggregateValue, Body, BootNo, ClockQuality, CodecId, Entry, Manual, MonoMs, Outfall, Patrol, Quality,
    Reading, Record, RecordAt, Redecoded, Stamp, Standing, Unit, UnixMs,
};

use super::*;

/// Records before it: `a` stands at A-1, `b` at B-2; from it on both stand at B-2. `c` never stands at one.
const MOVED: Seq = Seq(10);
const BEFORE: Seq = Seq(5);
const AFTER: Seq = Seq(15);

fn code(name: &str) -> OutfallCode {
    OutfallCode::new(name).unwrap()
}

fn source(name: &str) -> SourceId {
    SourceId::new(name).unwrap()
}

fn standing(outfall: &str, devices: &[&str]) -> Outfall {
    let devices = devices.iter().map(|name| source(name)).collect();
    Outfall::Devices(Standing { outfall: code(outfall), devices, told: None })
}

fn standings() -> Standings {
    let stamp = Stamp { boot: BootNo(0), mono_ms: MonoMs(0), wall_ms: UnixMs(0), clock: ClockQuality::Synchronised };
    let mut standings = Standings::default();
    for (seq, outfall, devices) in [
        (Seq(0), "A-1", &["a"][..]),
        (Seq(1), "B-2", &["b"]),
        (Seq(MOVED.0 - 1), "A-1", &[]),
        (MOVED, "B-2", &["a", "b"]),
    ] {
        let body = Body::Outfall(standing(outfall, devices));
        standings.take(&RecordAt { seq, record: Record { stamp, body } });
    }
    standings
}

fn rejected(name: Option<&str>) -> Content {
    Content::Rejected {
        source: name.map(source),
        why: record::Reason::BadMic,
        detail: String::new(),
        raw_len: 0,
        raw_sha256: [0; 32],
    }
}

/// What of a record goes where devices stood as above.
fn part<'f>(filter: &'f Filter, at: Seq, content: &Content) -> Part<'f> {
    filter.part(at, content, &standings())
}

fn filter(toml: &str) -> Filter {
    toml::from_str(toml).unwrap()
}

fn frame(source: &str, quantities: &[&str]) -> Content {
    let reading = |name: &&str| Reading {
        quantity: Quantity::new(name).unwrap(),
        unit: Unit::new("1").unwrap(),
        value: None,
        quality: Quality::Missing,
        at_ms: None,
    };
    let (source, readings) = (self::source(source), quantities.iter().map(reading).collect());
    Content::Readings { source, codec: None, readings, texts: Vec::new() }
}

/// What of the frame goes, as its quantities.
fn goes(filter: &Filter, mut content: Content) -> Option<String> {
    let part = part(filter, BEFORE, &content);
    part.cut(&mut content);
    let decoded = content.decoded().unwrap();
    let names: Vec<&str> = decoded.readings.iter().map(|reading| reading.quantity.as_str()).collect();
    (part != Part::Nothing).then(|| names.join(" "))
}

#[test]
fn a_frame_goes_with_what_was_named() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(goes(&Filter::default(), frame("a", &["cod", "ph"])), some("cod ph"));
    let quantities = filter("quantities = ['cod', 'tn']");
    assert_eq!(goes(&quantities, frame("a", &["ph", "cod"])), some("cod"));
    assert_eq!(goes(&quantities, frame("a", &["tn", "cod"])), some("tn cod"));
    assert_eq!(goes(&quantities, frame("a", &["ph"])), None);
    assert_eq!(goes(&quantities, frame("a", &[])), None);
    assert_eq!(goes(&filter("devices = ['b']"), frame("a", &["cod"])), None);
    assert_eq!(goes(&filter("devices = ['a']"), frame("a", &["cod"])), some("cod"));
    assert_eq!(goes(&filter("except_devices = ['a']"), frame("a", &["cod"])), None);
    assert_eq!(goes(&filter("except_devices = ['b']"), frame("a", &["cod"])), some("cod"));
}

fn aggregate(outfall: Option<&str>, period: &str, quantities: &[&str]) -> Content {
    let value = |name: &&str| AggregateValue {
        quantity: Quantity::new(name).unwrap(),
        unit: Unit::new("1").unwrap(),
        good: 0,
        doubtful: 1,
        parts: 0,
        statistics: None,
    };
    let (outfall, values) = (outfall.map(code), quantities.iter().map(value).collect());
    let (source, period) = (source("a"), period.parse().unwrap());
    Content::Aggregate(Aggregate { source, outfall, from_ms: UnixMs(0), period, values })
}

#[test]
fn frames_or_aggregates_go_as_asked() {
    let goes = |toml: &str, content: &Content| part(&filter(toml), AFTER, content) != Part::Nothing;
    let (frame, hour) = (frame("a", &["cod"]), aggregate(Some("A-1"), "1h", &["cod", "ph"]));
    let anew =
        Redecoded { source: source("a"), of: BEFORE, codec: CodecId([0; 8]), readings: Vec::new(), texts: Vec::new() };
    let anew = Content::Redecoded(anew);
    assert!(goes("", &frame) && goes("", &hour) && goes("series = 'both'", &anew));
    assert!(!goes("series = 'aggregates'", &frame) && !goes("series = 'aggregates'", &anew));
    assert!(goes("series = 'aggregates'", &hour) && !goes("series = 'readings'", &hour));
    assert!(goes("series = 'readings'", &frame) && goes("periods = ['1h']", &frame));
    assert!(goes("periods = ['1h', '1d']", &hour) && !goes("periods = ['10m']", &hour));
    assert!(!goes("devices = ['b']", &hour) && !goes("except_devices = ['a']", &hour));
    // Its own outfall counts, wherever the device stands when it is made.
    assert!(goes("outfalls = ['A-1']", &hour) && !goes("outfalls = ['B-2']", &hour));
    assert!(!goes("outfalls = ['B-2']", &aggregate(None, "1h", &["cod"])));
    assert!(goes("series = 'aggregates'", &Content::Outfall(standing("A-1", &[]))));
    let mut cut = hour.clone();
    let quantities = filter("quantities = ['ph', 'tn']");
    part(&quantities, AFTER, &hour).cut(&mut cut);
    assert_eq!(cut, aggregate(Some("A-1"), "1h", &["ph"]));
    assert!(!goes("quantities = ['tn']", &hour) && part(&quantities, AFTER, &cut) == Part::Whole);
    for wrong in ["series = 'raw'", "periods = ['7m']", "periods = []", "periods = ['']"] {
        assert!(toml::from_str::<Filter>(wrong).is_err(), "{wrong}");
    }
}

fn patrol(outfall: &str) -> Content {
    let entry = Entry {
        outfall: code(outfall),
        at_ms: UnixMs(0),
        person: Words::new("王工").unwrap(),
        by: Actor::User(0),
        files: Few::default(),
        replaces: None,
    };
    Content::Manual(Manual::Patrol(Box::new(Patrol { entry, finding: Words::new("dry").unwrap(), state: None })))
}

#[test]
fn what_people_entered_goes_by_its_outfall() {
    for toml in ["", "devices = ['b']", "quantities = ['ph']", "series = 'aggregates'", "refused = false"] {
        assert_eq!(part(&filter(toml), AFTER, &patrol("A-1")), Part::Whole, "{toml}");
    }
    let outfalls = filter("outfalls = ['A-1']");
    assert_eq!(part(&outfalls, AFTER, &patrol("A-1")), Part::Whole);
    assert_eq!(part(&outfalls, AFTER, &patrol("B-2")), Part::Nothing);
}

#[test]
fn refused_frames_of_strangers_are_of_no_named_device() {
    let goes = |toml: &str, source| part(&filter(toml), BEFORE, &rejected(source)) == Part::Whole;
    assert!(goes("", None) && goes("", Some("a")) && goes("except_devices = ['b']", None));
    assert!(goes("devices = ['a']", Some("a")) && !goes("devices = ['a']", None));
    assert!(!goes("refused = false", Some("a")) && !goes("refused = false", None));
    assert!(goes("outfalls = ['A-1']", Some("a")) && !goes("outfalls = ['A-1']", None));
}

#[test]
fn a_frame_goes_where_its_device_stood_when_it_came() {
    let goes = |toml: &str, at, content: &Content| part(&filter(toml), at, content) == Part::Whole;
    let [a, b, c] = ["a", "b", "c"].map(|name| frame(name, &["cod"]));
    assert!(goes("outfalls = ['A-1']", BEFORE, &a) && !goes("outfalls = ['A-1']", AFTER, &a));
    assert!(!goes("outfalls = ['B-2']", BEFORE, &a) && goes("outfalls = ['B-2']", AFTER, &a));
    assert!(goes("outfalls = ['B-2']", BEFORE, &b) && goes("outfalls = ['A-1', 'B-2']", BEFORE, &a));
    assert!(!goes("outfalls = ['A-1', 'B-2']", BEFORE, &c) && goes("", BEFORE, &c));
    assert!(!goes("outfalls = ['B-2']\nexcept_devices = ['b']", BEFORE, &b));
    // It takes the place of readings that stood at A-1.
    let again = |of| {
        let codec = CodecId([0; 8]);
        Content::Redecoded(Redecoded { source: source("a"), of, codec, readings: Vec::new(), texts: Vec::new() })
    };
    assert!(goes("outfalls = ['A-1']", AFTER, &again(BEFORE)));
    assert!(!goes("outfalls = ['B-2']", AFTER, &again(BEFORE)) && goes("outfalls = ['B-2']", AFTER, &again(AFTER)));
    let told = Content::Outfall(standing("A-1", &[]));
    assert!(goes("outfalls = ['A-1']", AFTER, &told) && !goes("outfalls = ['B-2']", AFTER, &told));
    assert!(goes("devices = ['b']", AFTER, &told));
}

#[test]
fn one_filter_within_another_adds_nothing() {
    let filters = [
        "",
        "refused = false",
        "devices = ['a']",
        "devices = ['a', 'b']",
        "except_devices = ['a']",
        "except_devices = ['a', 'b']",
        "devices = ['a', 'b']\nexcept_devices = ['a']",
        "quantities = ['cod']",
        "quantities = ['cod', 'ph']",
        "quantities = ['ph']\ndevices = ['b']\nrefused = false",
        "outfalls = ['A-1']",
        "outfalls = ['A-1', 'B-2']",
        "outfalls = ['B-2']\ndevices = ['a', 'b']\nexcept_devices = ['b']",
        "outfalls = ['B-2']\nquantities = ['cod']\nrefused = false",
        "series = 'readings'",
        "series = 'aggregates'",
        "series = 'aggregates'\nperiods = ['1h']\nquantities = ['cod']",
        "periods = ['1h', '1d']\noutfalls = ['A-1']",
    ];
    let frames = ["a", "b", "c"]
        .into_iter()
        .flat_map(|source| [&["cod", "ph"][..], &["ph"], &["tn"], &[]].map(|names| frame(source, names)));
    let others = [rejected(None), rejected(Some("a")), rejected(Some("c"))];
    let told = ["A-1", "B-2"].map(|outfall| Content::Outfall(standing(outfall, &[])));
    let made = [(None, "1h"), (Some("A-1"), "1h"), (Some("A-1"), "10m"), (Some("B-2"), "1d")].into_iter();
    let made = made.flat_map(|(at, period)| [&["cod", "ph"][..], &["ph"]].map(|names| aggregate(at, period, names)));
    let entered = ["A-1", "B-2"].map(patrol);
    let contents: Vec<Content> = frames.chain(others).chain(told).chain(made).chain(entered).collect();
    let mut within = 0;
    for one in filters.map(filter) {
        assert_eq!(Filter::from_line(&one.to_line()), Some(one.clone()));
        for other in filters.map(filter) {
            let adds = |content: &Content| {
                [BEFORE, AFTER]
                    .into_iter()
                    .any(|at| part(&one, at, content).adds(content, &[part(&other, at, content)]))
            };
            within += u32::from(one.is_within(&other));
            assert!(!one.is_within(&other) || !contents.iter().any(adds), "{one:?} within {other:?}");
            let same = one == other;
            assert!(!same || one.is_within(&other));
        }
    }
    assert!(within > 40, "{within}");
}

#[test]
fn what_several_filters_let_through_together_need_not_go_again() {
    let content = frame("a", &["cod", "ph"]);
    let [cod, ph, both, nothing] = ["quantities = ['cod']", "quantities = ['ph']", "", "devices = ['b']"].map(filter);
    let adds = |new: &Filter, earlier: &[&Filter]| {
        let earlier: Vec<Part<'_>> = earlier.iter().map(|filter| part(filter, BEFORE, &content)).collect();
        part(new, BEFORE, &content).adds(&content, &earlier)
    };
    assert!(adds(&both, &[&cod]) && adds(&ph, &[&cod]) && adds(&cod, &[&nothing]) && adds(&cod, &[]));
    assert!(!adds(&both, &[&cod, &ph]) && !adds(&cod, &[&both]) && !adds(&nothing, &[&cod]));
}
