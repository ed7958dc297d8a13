//! What a bundle is made of. Each part is whatever this user may see; what is not there is left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gatewayd::config::RulesPlace;
use journal::{Reader, Register};
use record::dossier::Phone;
use record::{Kind, Seq, SeqRange, TimeLine};
use rustix::system::uname;
use serde_json::{Value, json};

use super::part::{Keep, Part};
use super::redaction::Redaction;
use super::seal::BOX;
use crate::identity_card::public_key;
use crate::lang::Lang;
use crate::subprocess;
use crate::tail::line;

/// Who helps reads this language; the texts that people wrote stay as they are.
const LANG: Lang = Lang::En;
/// The newest entries of each unit's log.
const LOG_LINES_MAX: &str = "1000";
/// How long a log may take. ms.
const LOG_MS_MAX: u64 = 3_000;
/// And how many bytes of it are read.
const LOG_BYTES_MAX: u64 = 512 * 1024;
/// The newest records of each kind that are told.
const RECORDS_MAX: usize = 100;
/// A record is read alone, whatever its size.
const ONE_RECORD: usize = 1;
/// A configuration file is not read beyond this. Bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// What the kernel tells of the machine.
const MACHINE_FILES: [&str; 6] =
    ["/etc/os-release", "/proc/device-tree/model", "/proc/loadavg", "/proc/uptime", "/proc/meminfo", "/proc/mounts"];

/// Where things are.
pub(super) struct Places<'a> {
    pub(super) config: &'a Path,
    pub(super) sync_config: &'a Path,
    pub(super) state_dir: &'a Path,
    pub(super) run_dir: &'a Path,
}

/// Everything, redacted.
pub(super) struct Gathered {
    pub(super) parts: Vec<Part>,
    /// How often what was cut out, by kind.
    pub(super) redacted: BTreeMap<&'static str, u64>,
    /// What the file is called if nobody says.
    pub(super) file_name: String,
}

/// Gathers it.
pub(super) fn gather(places: &Places<'_>) -> Gathered {
    let reader = Reader::open(&places.state_dir.join("journal/journal.db")).ok();
    let mut redaction = Redaction::of(secrets(places, reader.as_ref()));
    let mut parts = vec![doctor(places, &mut redaction)];
    parts.extend(statuses(places, &mut redaction));
    parts.extend(configuration(places, &mut redaction));
    parts.extend(["weir-gateway", "weir-sync"].map(|unit| log(unit, &mut redaction)));
    parts.extend(reader.as_ref().map(|reader| records(reader, &mut redaction)));
    parts.push(machine(places, &mut redaction));
    let redacted = redaction.counts();
    let made_at = jiff::Timestamp::now();
    let box_id = reader.and_then(|reader| reader.position().ok()).map(|position| position.box_id).unwrap_or_default();
    let told = json!({
        "box": box_id, "key": public_key(places.state_dir).ok(), "made_at": made_at.to_string(),
        "version": env!("CARGO_PKG_VERSION"), "redacted": redacted, "left_out": ["keys.toml", "identity/box.key"],
    });
    parts.insert(0, Part::whole(BOX, told.to_string()));
    let stamp: String = made_at.to_string().chars().take(19).filter(char::is_ascii_alphanumeric).collect();
    let name = if box_id.is_empty() { "box" } else { &box_id };
    Gathered { file_name: format!("weir-{name}-{stamp}.tar.gz"), parts, redacted }
}

/// Secrets that stand in files of this box, as far as this user may read them, and numbers of people in its dossiers: they are
/// looked for everywhere, because people also type them where they do not belong.
fn secrets(places: &Places<'_>, reader: Option<&Reader>) -> Vec<String> {
    let place = gatewayd::config::device_place(places.config);
    let keys = place.map_or_else(|_| places.config.with_file_name("keys.toml"), |place| place.keys);
    let mut secrets = Vec::new();
    if let Some(Ok(table)) = read(&keys).map(|text| text.parse::<toml::Table>()) {
        texts(&toml::Value::Table(table), &mut secrets);
    }
    let mut register = Register::default();
    if reader.is_some_and(|reader| register.catch_up(reader).is_ok()) {
        let dossiers = register.iter().filter_map(|(_, known)| known.dossier.as_ref());
        for (_, version) in dossiers {
            let of = &version.dossier;
            let phones = of.river_chiefs.iter().filter_map(|one| one.phone.as_ref());
            let phones = phones.chain(of.dischargers.iter().filter_map(|one| one.phone.as_ref()));
            let phones = phones.chain(of.responsible.iter().filter_map(|one| one.phone.as_ref()));
            secrets.extend(phones.map(Phone::to_string));
        }
    }
    secrets
}

fn texts(value: &toml::Value, found: &mut Vec<String>) {
    match value {
        toml::Value::String(text) => found.push(text.clone()),
        toml::Value::Table(table) => table.iter().for_each(|(_, value)| texts(value, found)),
        toml::Value::Array(all) => all.iter().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// A file that is not larger than any that is ours.
fn read(path: &Path) -> Option<String> {
    let is_small = fs::metadata(path).ok()?.len() <= FILE_BYTES_MAX;
    is_small.then(|| fs::read_to_string(path).ok()).flatten()
}

fn doctor(places: &Places<'_>, redaction: &mut Redaction) -> Part {
    let report = crate::doctor::report((places.config, places.sync_config), (places.state_dir, places.run_dir), LANG);
    Part::whole("doctor.json", redaction.json(report).to_string())
}

/// As the daemons tell; of the gateway each device is a line, the rest stands together.
fn statuses(places: &Places<'_>, redaction: &mut Redaction) -> Vec<Part> {
    let mut ask = |socket: &str| {
        let answer = control::ask(&places.run_dir.join(socket), &json!({"do": "status"}));
        let told = match answer {
            Ok(mut answer) => answer.get_mut("status").map(Value::take).unwrap_or_default(),
            Err(error) => json!({"error": control::chain(&error)}),
        };
        redaction.json(told)
    };
    let (mut gateway, sync) = (ask("gateway.sock"), ask("sync.sock"));
    let devices = gateway.as_object_mut().and_then(|gateway| gateway.remove("devices")).unwrap_or_default();
    let lines = devices.as_object().into_iter().flatten();
    let lines: String = lines.map(|(name, device)| format!("{}\n", json!({"name": name, "status": device}))).collect();
    vec![
        Part::whole("status/gateway.json", gateway.to_string()),
        Part { name: "status/devices.jsonl".into(), text: lines, keep: Keep::Beginning },
        Part::whole("status/sync.json", sync.to_string()),
    ]
}

/// The files that the daemons read, but for the keys.
fn configuration(places: &Places<'_>, redaction: &mut Redaction) -> Vec<Part> {
    let devices = gatewayd::config::device_place(places.config).map(|place| place.devices);
    let devices = devices.unwrap_or_else(|_| places.config.with_file_name("devices.toml"));
    let rules = RulesPlace::of(places.config).unwrap_or_else(|_| RulesPlace {
        main: places.config.with_file_name("rules.toml"),
        folder: places.config.with_file_name("rules.d"),
    });
    let more = rules.others().unwrap_or_default();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let more = more.iter().map(|path| (format!("config/rules.d/{}", name(path)), path.clone()));
    let over = [("gateway.toml.d", places.config), ("sync.toml.d", places.sync_config)];
    let over = over.into_iter().flat_map(|(folder, main)| {
        let found = layers::drop_ins(main).unwrap_or_default();
        found.into_iter().map(move |path| (format!("config/{folder}/{}", name(&path)), path))
    });
    let files = [
        ("config/gateway.toml", places.config),
        ("config/sync.toml", places.sync_config),
        ("config/rules.toml", &rules.main),
        ("config/devices.toml", &devices),
    ];
    let part = |(name, path): (String, PathBuf)| {
        let text = redaction.toml(&read(&path)?);
        Some(Part { name, text, keep: Keep::Beginning })
    };
    let files = files.into_iter().map(|(name, path)| (name.to_owned(), path.to_owned()));
    files.chain(over).chain(more).filter_map(part).collect()
}

fn log(unit: &str, redaction: &mut Redaction) -> Part {
    let mut command = Command::new("journalctl");
    command.args(["-u", unit, "-n", LOG_LINES_MAX, "--no-pager", "-o", "short-iso"]);
    let said = subprocess::output(command, Duration::from_millis(LOG_MS_MAX), LOG_BYTES_MAX);
    let text =
        said.map_or_else(|error| format!("journalctl: {}\n", control::chain(&error)), |said| redaction.text(&said));
    Part { name: format!("log/{unit}.txt"), text, keep: Keep::End }
}

/// The newest boots, alarms, clocks, gaps and orders, in the order of the journal.
fn records(reader: &Reader, redaction: &mut Redaction) -> Part {
    let last = reader.position().ok().and_then(|position| position.end.0.checked_sub(1)).map(Seq);
    let mut seqs: Vec<Seq> = Vec::new();
    for (last, kind) in last.into_iter().flat_map(|last| KINDS.map(|kind| (last, kind))) {
        let marks = reader.marks(kind, SeqRange { first: Seq(0), last }).unwrap_or_default();
        seqs.extend(marks.iter().rev().take(RECORDS_MAX));
    }
    seqs.sort();
    let times = TimeLine::new();
    let mut text = String::new();
    for seq in seqs {
        let found = reader.read(SeqRange { first: seq, last: seq }, ONE_RECORD).unwrap_or_default().pop();
        if let Some(at) = found {
            text.push_str(&line::show(&at, &times, false, LANG).replace('\n', " "));
            text.push('\n');
        }
    }
    Part { name: "records.txt".into(), text: redaction.text(&text), keep: Keep::End }
}

/// What is told of the history of a box; frames are data, and dossiers are somebody's.
const KINDS: [Kind; 5] = [Kind::Boot, Kind::Alarm, Kind::Clock, Kind::Gap, Kind::Audit];

fn machine(places: &Places<'_>, redaction: &mut Redaction) -> Part {
    let kernel = uname();
    let words = [kernel.sysname(), kernel.release(), kernel.version(), kernel.machine()];
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let mut text = format!("weir {}\n{}\n", env!("CARGO_PKG_VERSION"), words.join(" "));
    if let Ok(stat) = rustix::fs::statvfs(places.state_dir) {
        let (free, all) = (stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize));
        text.push_str(&format!("{}: {free} of {all} bytes free\n", places.state_dir.display()));
    }
    for path in MACHINE_FILES {
        if let Some(told) = read(Path::new(path)) {
            text.push_str(&format!("\n{path}\n{}\n", told.trim_end_matches(['\0', '\n'])));
        }
    }
    Part { name: "machine.txt".into(), text: redaction.text(&text), keep: Keep::Beginning }
}
