//! What every verb answers, and what its help says, as files that a change shows up in: `tests/system/answers`.
//!
//! `WEIR_ANSWERS=write` before the test writes them anew; read the difference before you commit it.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use system_tests::{Answer, Device, Sensor, World, until};

/// A storm-water outfall.
const DOSSIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/outfall.toml");
const CODE: &str = "FA-231081-0001-SH-00";
const RULE: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 30\n";

/// What a station is asked, one after the other; `.` and `./` are the folder of its configuration.
pub(crate) const VERBS: &[&str] = &[
    "status",
    "upgrade",
    "self-test",
    "alarm list",
    "alarm ack cod-high cod-1 --reason 已派人",
    "alarm list",
    "alarm shelve cod-high cod-1 --hours 1 --reason 清洗探头",
    "device list --config-dir .",
    "device show cod-1 --config-dir .",
    "device show cod-9 --config-dir .",
    "device strangers --config-dir .",
    "outfall list",
    "outfall show FA-231081-0001-SH-00",
    "outfall show FA-9",
    "outfall history FA-231081-0001-SH-00",
    "evidence pins",
    "sync parked",
    "notify list",
    "verify --sync-config ./sync.toml",
    "journal check",
    "metrics --list",
    "manual list",
    "patrol list",
    "config check --config-dir .",
    "rules check ./rules.toml",
    "rules check ./devices.toml",
];
/// What a box is asked whose services do not run and whose files are not as they should be, and what is mistyped.
pub(crate) const WRONG: &[&str] = &[
    "status",
    "alarm list",
    "alarm ack cod-high cod-1 --reason 已派人",
    "tail -n 5",
    "verify",
    "verify ./gateway.toml",
    "identity",
    "journal check",
    "notify list",
    "sync retry municipal 00ff",
    "outfall show FA-9",
    "outfall show 九号",
    "outfall add ./missing.toml --reason 普查",
    "outfall add ./gateway.toml --reason 普查",
    "manual add --outfall FA-9 --by 王工 --taken 2026-11-23T08:00Z --value cod",
    "device show cod-9 --config-dir .",
    "device add cod-1 --link mqtt --codec senml_json --config-dir .",
    "device add 九号 --link mqtt --codec senml_json --config-dir .",
    "device import ./gateway.toml --config-dir .",
    "device test cod-1 zz --config-dir .",
    "device test cod-1 7b7d --config-dir .",
    "device test cod-1 7b --config-dir .",
    "device test-codec ./missing.js 00",
    "device test-codec ./endless.js 00",
    "device add cod-3 --qr LW:D0:70B3:01 --codec cayenne_lpp --config-dir .",
    "config check ./broken-gateway.toml",
    "config check ./open-gateway.toml",
    "config check ./bad-rules.toml",
    "config check ./notes.txt",
    "config check ./missing-sync.toml",
    "config show devices-9 --config-dir .",
    "config apply ./new-rules.toml --reason 调整 --config-dir .",
    "rules check ./bad-rules.toml",
    "rules test ./missing.test.toml",
    "evidence export --from 2026-11-23T08:00:00Z --to 2026-11-22T08:00:00Z --reason 检查 --out ./evidence.weir",
    "setup --answers ./missing.toml",
    "upgrade accept --reason 可用",
    "restore ./nothing",
    "self-test",
    "platform invite box-1 --config ./missing-platform.toml",
    "gateway run --config ./broken-gateway.toml",
    "gateway run --config ./missing-gateway.toml",
    "sync run --config ./missing-sync.toml",
    "stauts",
    "alarm ack cod-high",
    "status --jsno",
    "tail -n many",
    "tail --lines",
    "export --format xml",
];
/// What is wrong in those files.
const WRONG_FILES: [(&str, &str); 7] = [
    ("broken-gateway.toml", "box = \"x\"\nmqqt = 1\n"),
    ("open-gateway.toml", "box = \"站点\"\n"),
    (
        "bad-rules.toml",
        "[[rule]]\nid = \"r-1\"\nkind = \"expr\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nwhen = \"value > 50，0\"\n",
    ),
    (
        "new-rules.toml",
        "[[rule]]\nid = \"r-1\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n",
    ),
    ("notes.txt", ""),
    ("endless.js", "function decodeUplink(input) { for (;;) {} }"),
    ("platform.toml", ""),
];
/// What a program is told.
const JSON_VERBS: &[&str] = &[
    "alarm list --json",
    "device list --config-dir . --json",
    "outfall show FA-231081-0001-SH-00 --json",
    "manual list --json",
    "patrol list --json",
    "evidence pins --json",
    "journal check --json",
];
/// What stands in an answer whenever it is asked; all other numbers hang on the moment and the machine.
const CONSTANTS: [&str; 11] = [
    CODE,
    "cod-1",
    "cod-2",
    "cod-9",
    "outfall-1",
    "cod 40.5",
    "cod 35.2",
    "\"35.2\"",
    "FA-9",
    "GB 18918-2002",
    "GB 3838-2002",
];
/// Units of what grows with time and the machine's speed, the longer ones first.
const UNITS: [&str; 18] = [
    "min", "ms", "s", "h", "d", "KiB", "MiB", "GiB", "kB", "MB", "GB", "bytes", "B", "毫秒", "秒", "分钟", "小时",
    "字节",
];

/// A station with two sensors, an alarm, a dossier, and entries of people; both platforms have everything.
pub(crate) fn station() -> World {
    let devices = [Device::cod("cod-1"), Device::cod("cod-2")];
    let mut world = World::prepared(&devices, "[checkpoint]\nseconds_max = 1\n");
    fs::write(world.path("rules.toml"), RULE).unwrap();
    world.start_gateway_synchronised();
    world.start_platforms();
    world.start_sync();
    world.weir(&["outfall", "add", DOSSIER, "--reason", "普查"]).exits(0);
    let mut sensor = Sensor::connect(&world, &devices[0]);
    sensor.publish(r#"{"n": 1, "cod": 20.5}"#);
    sensor.publish(r#"{"n": 2, "cod": 40.5}"#);
    until("the alarm stands", 20, || (world.status()["gateway"]["alarms"].as_array()?.len() == 1).then_some(()));
    let records = world.weir(&["tail", "-n", "50", "--json"]).exits(0).json_lines();
    let alarm = &records.iter().find(|record| record["kind"] == "alarm").unwrap()["seq"];
    world.weir(&["evidence", "pin", "--alarm", &alarm.to_string(), "--reason", "线索"]).exits(0);
    let hour_ago = (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1)).to_string();
    let taken = ["--outfall", CODE, "--by", "王工", "--taken", &hour_ago, "--value", "cod=35.2"];
    world.weir(&[&["manual", "add"], &taken[..]].concat()).exits(0);
    let went = ["--outfall", CODE, "--by", "王工", "--at", &hour_ago, "--state", "dry", "--finding", "无水"];
    world.weir(&[&["patrol", "add"], &went[..]].concat()).exits(0);
    until("the platforms have everything", 60, || {
        let status = world.status();
        let all = status["sync"]["destinations"].as_array()?.clone();
        (all.len() == 2 && all.iter().all(|one| one["missing"] == 0 && one["outstanding"] == 0)).then_some(())
    });
    world
}

/// A box of which nothing runs, beside files with mistakes.
pub(crate) fn silent_box() -> World {
    let world = World::prepared(&[Device::cod("cod-1"), Device::cod("cod-2")], "");
    for (name, text) in WRONG_FILES {
        fs::write(world.path(name), text).unwrap();
    }
    world
}

/// The answer to one of the verbs.
pub(crate) fn ask(world: &World, lang: &str, verb: &str) -> Answer {
    let config_dir = world.config_dir();
    let words = verb.split(' ').map(|word| match word.strip_prefix('.') {
        Some(file) => format!("{config_dir}{file}"),
        None => word.to_owned(),
    });
    let words: Vec<String> = words.collect();
    world.weir(&["--lang", lang].into_iter().chain(words.iter().map(String::as_str)).collect::<Vec<_>>())
}

/// The text without what another moment or machine would make of it.
fn lasting(world: &World, text: &str) -> String {
    let mut text = text.replace(&world.config_dir(), "DIR");
    for (nth, constant) in ('\u{e000}'..).zip(CONSTANTS) {
        text = text.replace(constant, &nth.to_string());
    }
    let mut lines = String::new();
    for line in text.lines() {
        let line = without_units(&without_numbers(line));
        let columns: Vec<&str> = line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
        let indent = line.chars().take_while(|letter| *letter == ' ').count();
        writeln!(lines, "{:indent$}{}", "", columns.join("  ")).unwrap();
    }
    for (nth, constant) in ('\u{e000}'..).zip(CONSTANTS) {
        lines = lines.replace(nth, constant);
    }
    lines
}

/// `HEX` for names of batches and keys, `#` for a number or a moment.
fn without_numbers(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(letter) = rest.chars().next() {
        let hex = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        let is_joined = |byte: u8| byte.is_ascii_digit() || b".,:+-TZ".contains(&byte);
        let number = rest.bytes().take_while(|byte| is_joined(*byte)).count();
        let has = |is: fn(&u8) -> bool| rest.as_bytes()[..hex].iter().any(is);
        let taken = if hex >= 8 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) {
            out.push_str("HEX");
            hex
        } else if letter.is_ascii_digit() {
            out.push('#');
            // A full stop, comma or colon at the end is the sentence's.
            rest[..number].trim_end_matches(|end: char| ".,:+-TZ".contains(end)).len()
        } else {
            out.push(letter);
            letter.len_utf8()
        };
        rest = &rest[taken..];
    }
    out.replace("# #", "#")
}

/// A number with a unit is `#`: it is seconds on one machine and minutes on another.
fn without_units(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('#') {
        out.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        let spaced = rest.strip_prefix(' ').unwrap_or(rest);
        let unit = UNITS.into_iter().find(|unit| {
            let behind = spaced.strip_prefix(unit).and_then(|behind| behind.chars().next());
            spaced.starts_with(unit) && behind.is_none_or(|next| !next.is_ascii_alphanumeric())
        });
        rest = unit.map_or(rest, |unit| &spaced[unit.len()..]);
    }
    out + rest
}

/// Compares with the file of that name, or writes it.
fn compare(name: &str, now: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("system/answers").join(name);
    if std::env::var("WEIR_ANSWERS").is_ok_and(|what| what == "write") {
        fs::write(&path, now).unwrap();
    }
    let then = fs::read_to_string(&path).unwrap_or_default();
    let sections = |text: &str| text.split("\n$ ").map(str::to_owned).collect::<Vec<_>>();
    let (now, then) = (sections(now), sections(&then));
    for (now, then) in now.iter().zip(&then) {
        let lines = now.lines().zip(then.lines()).find(|(now, then)| now != then);
        let lines = lines.map(|(now, then)| format!("\n- {then}\n+ {now}\n")).unwrap_or_default();
        assert!(now == then, "{name} differs{lines}in\n$ {now}\nif that is right: WEIR_ANSWERS=write");
    }
    assert_eq!(now.len(), then.len(), "{name} has other verbs; if that is right: WEIR_ANSWERS=write");
}

fn transcript(world: &World, lang: &str, verbs: &[&str]) -> String {
    let mut all = String::new();
    for verb in verbs {
        let answer = ask(world, lang, verb);
        if verb.starts_with("alarm ack") && answer.code == Some(0) {
            // The order is journaled; the rules hear of it a moment later.
            let is_so = || world.status()["gateway"]["alarms"][0]["state"] == "acknowledged";
            until("the alarm is acknowledged", 20, || is_so().then_some(()));
        }
        // A key to a line, so that a change is one.
        let told = if verb.ends_with("--json") { format!("{:#}\n", answer.json()) } else { answer.out };
        let (out, err) = (lasting(world, &told), lasting(world, &answer.err));
        let code = answer.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        write!(all, "\n$ weir {verb}\n{out}{err}exit {code}\n").unwrap();
    }
    all
}

#[test]
fn every_verb_answers_as_it_did() {
    for lang in ["en", "zh"] {
        let world = station();
        compare(&format!("{lang}.txt"), &transcript(&world, lang, VERBS));
        if lang == "en" {
            compare("json.txt", &transcript(&world, lang, JSON_VERBS));
        }
    }
}

#[test]
fn every_mistake_is_told_as_it_was() {
    for lang in ["en", "zh"] {
        compare(&format!("errors.{lang}.txt"), &transcript(&silent_box(), lang, WRONG));
    }
}

/// The help of these words and of all verbs below them.
fn help(lang: &str, words: &[String], all: &mut String) {
    let asked = |lang: &str| {
        let arguments = ["--lang", lang].into_iter().chain(words.iter().map(String::as_str)).chain(["--help"]);
        Answer::of_weir(&arguments.collect::<Vec<_>>()).exits(0).out
    };
    let spoken = format!("weir {} --help", words.join(" "));
    write!(all, "\n$ {}\n{}", spoken.replace("  ", " "), asked(lang)).unwrap();
    let listed = asked("en");
    let verbs = listed.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What a verb is called stands two columns in; what it does may go on in the next line.
    let names = verbs.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        help(lang, &[words, &[name.to_owned()]].concat(), all);
    }
}

#[test]
fn the_help_of_every_verb_says_what_it_said() {
    for lang in ["en", "zh"] {
        let mut all = String::new();
        help(lang, &[], &mut all);
        assert!(all.matches("\n$ weir ").count() > 60, "the verbs below verbs are there");
        compare(&format!("help.{lang}.txt"), &all);
    }
}
