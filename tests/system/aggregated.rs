//! A platform on a metered link that wants no single readings: real daemons make aggregates of what two sensors send, a SIGKILL in
//! between changes none and doubles none, and each is what a naive calculation makes of what was acknowledged.

use std::collections::BTreeMap;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use system_tests::{Answer, Device, Party, Peer, Sensor, World, until};

const OUTFALL: &str = "FA-231081-0001-SH-00";
const DOSSIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/outfall.toml");
const MINUTE_MS: i64 = 60_000;
/// Readings of each sensor.
const READINGS: i64 = 24;
/// How long from now on the first window stays open: the daemons start, the sensors send, and the gateway is killed meanwhile.
const OPEN_MS: i64 = 30_000;

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Tenths, so that a sum of them is exact.
fn flow(sensor: i64, nth: i64) -> i64 {
    170 + 7 * sensor + (nth * nth * 31) % 97
}

/// Of each sensor and window, by when it begins: count, least, sum and most, in tenths.
type Naive = BTreeMap<(String, i64), (i64, i64, i64, i64)>;

/// Sends some of the readings of the minute before and the minute behind `end`, which their devices give times in.
fn send(world: &World, devices: &[Device], part: std::ops::Range<i64>, end: i64, naive: &mut Naive) {
    for (sensor, device) in (0..).zip(devices) {
        let mut connection = Sensor::connect(world, device);
        for nth in part.clone() {
            let at = end - MINUTE_MS + nth * 2 * MINUTE_MS / READINGS;
            let value = flow(sensor, nth);
            let time = jiff::Timestamp::from_millisecond(at).unwrap();
            connection.publish(&format!(r#"{{"n":{nth},"time":"{time}","flow":{}.{}}}"#, value / 10, value % 10));
            let window = naive.entry((device.name.clone(), at - at.rem_euclid(MINUTE_MS)));
            let (count, least, sum, most) = window.or_insert((0, value, 0, value));
            (*count, *sum) = (*count + 1, *sum + value);
            (*least, *most) = ((*least).min(value), (*most).max(value));
        }
    }
}

/// A number of tenths as Weir writes it.
fn tenths(value: i64) -> String {
    if value % 10 == 0 { (value / 10).to_string() } else { format!("{}.{}", value / 10, value % 10) }
}

/// `sum / count` tenths, rounded half to even to thousandths, and without zeros at the end.
fn mean(sum: i64, count: i64) -> String {
    let (over, rest) = (sum * 100 / count, sum * 100 % count);
    let up = 2 * rest > count || (2 * rest == count && over % 2 == 1);
    let text = format!("{}.{:03}", (over + i64::from(up)) / 1_000, (over + i64::from(up)) % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What a platform holds of flows, by sensor and window: outfall, good, min, mean, max.
fn held(party: &Party, period: &str) -> BTreeMap<(String, i64), String> {
    let page = party.get(&format!("/v1/boxes/outfall-1/aggregates?period={period}&quantity=flow"));
    let line = |item: &Value| {
        let value = &item["values"][0];
        let key = (item["source"].as_str().unwrap().to_owned(), item["from_ms"].as_i64().unwrap());
        let words = ["min", "mean", "max"].map(|name| value[name].as_str().unwrap_or("-").to_owned());
        (key, format!("{} {} {}", item["outfall"].as_str().unwrap_or("-"), value["good"], words.join(" ")))
    };
    let items = page["items"].as_array().unwrap();
    let lines: BTreeMap<_, _> = items.iter().map(line).collect();
    assert_eq!(lines.len(), items.len(), "one of each window: {page:#}");
    lines
}

fn settled(world: &World) {
    let end = world.records();
    until(&format!("both platforms know of {end} records"), 60, || {
        let done = |one: &Value| {
            let [covered, withheld] = ["covered", "withheld"].map(|key| one[key].as_u64().unwrap());
            covered + withheld == end && one["missing"] == 0 && one["outstanding"] == 0
        };
        world.destinations().iter().all(done).then_some(())
    });
}

/// `flow-1` stands at an outfall; the provincial platform gets aggregates, the municipal one single readings.
fn world(devices: &[Device], late_s: i64) -> World {
    let more = format!("[checkpoint]\nseconds_max = 1\n[aggregates]\nperiods = [\"1m\", \"1h\"]\nlate_s = {late_s}\n");
    let mut world = World::prepared(devices, &more);
    let path = world.path("devices.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("name = \"flow-1\"\n", &format!("name = \"flow-1\"\noutfall = \"{OUTFALL}\"\n"), 1))
        .unwrap();
    world.start_gateway_synchronised();
    world.weir(&["outfall", "add", DOSSIER, "--reason", "survey"]).exits(0);
    world.start_platforms();
    let sync = world.sync_config();
    let text = fs::read_to_string(&sync).unwrap();
    let (municipal, provincial) = text.split_once("name = \"provincial\"").unwrap();
    let municipal = municipal.trim_end().strip_suffix("[[destination]]").unwrap();
    let filter = |series: &str| format!("[destination.filter]\nseries = \"{series}\"\n");
    fs::write(
        &sync,
        format!(
            "{municipal}{}[[destination]]\nname = \"provincial\"{provincial}\n{}",
            filter("readings"),
            filter("aggregates")
        ),
    )
    .unwrap();
    world.weir(&["config", "check", &sync]).exits(0);
    world.restart_sync();
    world
}

#[test]
fn a_platform_gets_means_and_no_single_reading() {
    let devices = [Device::flow("flow-1"), Device::flow("flow-2")];
    // The minute that is over, and this one: the first is closed soon after the sensors are done, the other a minute later.
    let begun = now_ms();
    let end = begun - begun.rem_euclid(MINUTE_MS);
    let late_s = (begun - end + OPEN_MS) / 1_000;
    let mut world = world(&devices, late_s);
    let mut naive = Naive::new();
    send(&world, &devices, 0..READINGS / 2, end, &mut naive);
    world.kill_gateway();
    world.start_gateway_synchronised();
    send(&world, &devices, READINGS / 2..READINGS, end, &mut naive);
    assert!(
        now_ms() < begun + OPEN_MS,
        "this machine took longer than {OPEN_MS} ms, and the window was closed meanwhile"
    );
    world.kill_gateway();
    world.start_gateway_synchronised();

    let expected: BTreeMap<(String, i64), String> = naive
        .iter()
        .map(|((sensor, from), (count, least, sum, most))| {
            let outfall = if sensor == "flow-1" { OUTFALL } else { "-" };
            let (least, mean, most) = (tenths(*least), mean(*sum, *count), tenths(*most));
            ((sensor.clone(), *from), format!("{outfall} {count} {least} {mean} {most}"))
        })
        .collect();
    until("the last window is delivered", 150, || {
        (held(&world.platforms[1], "1m").len() >= expected.len()).then_some(())
    });
    settled(&world);
    let [municipal, provincial] = world.platforms.as_slice() else { panic!("two platforms") };
    assert_eq!(held(provincial, "1m"), expected);
    assert!(held(municipal, "1m").is_empty(), "it asked for readings");
    let journal = world.export();
    let of_frames = 2 * usize::try_from(2 * READINGS).unwrap();
    assert_eq!((journal.len(), municipal.rows().len(), provincial.rows().len()), (of_frames, of_frames, 0));
    // Dossiers and the like go to both.
    assert_eq!(provincial.get("/v1/boxes/outfall-1/dossiers")["items"].as_array().unwrap().len(), 1);
    let of = &provincial.get("/v1/status")["boxes"][0];
    assert!(of["withheld"].as_u64() >= Some(2 * READINGS.cast_unsigned()) && of["doubled"] == 0, "{of:#}");

    // A restart later nothing is made again, and the files that people take away say the same.
    let before = world.records();
    world.kill_gateway();
    world.start_gateway_synchronised();
    until("the clock is set again, which is a record", 20, || (world.records() > before).then_some(()));
    settled(&world);
    assert_eq!(held(&world.platforms[1], "1m"), expected);
    until("all is signed", 20, || (world.count("/gateway/journal/checkpoint") == world.records()).then_some(()));
    exported(&world, &expected);
    proven(&world);
}

/// The table, the line on the terminal, and a closed window's place in JSON.
fn exported(world: &World, expected: &BTreeMap<(String, i64), String>) {
    let table = world.weir(&["export", "--aggregates", "--quantity", "flow"]).exits(0).out;
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("seq,from,to,period,source,outfall,quantity,unit,mean,min,max,volume_m3,"), "{table}");
    assert_eq!(lines.iter().filter(|line| line.contains(",1m,")).count(), expected.len(), "{table}");
    let rows = world.weir(&["export", "--aggregates", "--source", "flow-1", "--json"]).exits(0).json_lines();
    assert!(rows.iter().all(|row| row["outfall"] == OUTFALL && row["source"] == "flow-1"), "{rows:?}");
    let of_flow = rows.iter().find(|row| row["quantity"] == "flow" && row["period"] == "1m").unwrap();
    // L/s for a minute.
    let [mean, volume] = ["mean", "volume_m3"].map(|key| of_flow[key].as_str().unwrap().parse::<f64>().unwrap());
    assert!((volume - mean * 0.06).abs() < 0.000_1, "{of_flow}");
    assert!(world.weir(&["--lang", "zh", "tail", "-n", "200"]).exits(0).out.contains("统计值 1m"));
}

/// An evidence file has them in its report, and other people's programs read all of it.
fn proven(world: &World) {
    let file = world.path("means.evidence").display().to_string();
    let from = ["--from", "2020-01-01T00:00:00Z", "--reason", "means", "--out", &file];
    world.weir(&[&["evidence", "export"], &from[..]].concat()).exits(0);
    // The members are stored, not packed, so that the page is read as it stands.
    let report = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
    assert!(report.contains("统计值") && report.contains("flow (L/s)"));
    let key = world.public_key();
    let verified = Answer::of_weir(&["verify", &file, "--key", &key, "--json"]).json();
    let report = verified["findings"].as_array().unwrap().iter().find(|one| one["word"] == "report").unwrap();
    assert_eq!(report["state"], "proven", "{verified:#}");
    let mutants = world.path("mutants");
    fs::write(&mutants, "[]").unwrap();
    let peer = Peer::new("verify_evidence.py").args([&file]).args(["--key", &key]).with("--mutants", mutants.display());
    let told = peer.run().exits(0).lines[0].to_string();
    assert!(told.contains(r#"["records","proven",null]"#) && !told.contains("wrong"), "{told}");
    world.audit();
}

/// Who asks for what is not made is told, and a period that no clock has is refused.
#[test]
fn a_filter_for_aggregates_that_nobody_makes_is_told() {
    let world = World::start(&[Device::cod("cod-1")]);
    let sync = world.sync_config();
    let text = fs::read_to_string(&sync).unwrap();
    let check = |filter: &str| {
        fs::write(&sync, format!("{text}[destination.filter]\n{filter}\n")).unwrap();
        world.weir(&["config", "check", &sync])
    };
    for (filter, words) in [("series = \"aggregates\"", "[aggregates] in gateway.toml"), ("periods = [\"1h\"]", "1h")] {
        let told = check(filter).exits(0).out;
        assert!(told.contains(words) && told.contains("does not make"), "{told}");
    }
    assert!(!check("series = \"both\"").exits(0).out.contains("does not make"));
    for (filter, words) in [
        ("series = \"raw\"", "readings"),
        ("periods = [\"7m\"]", "minutes that divide an hour"),
        ("series = \"readings\"\nperiods = [\"1h\"]", "leave one of both out"),
    ] {
        let refused = check(filter).exits(255);
        assert!(refused.out.contains(words) || refused.err.contains(words), "{refused:?}");
    }
}
