//! What a technician types: each read verb's `--json` holds the right values, and the exit status tells the outcome.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use record::Record;
use rusqlite::Connection;
use serde_json::Value;
use system_tests::row::{once, values};
use system_tests::{Answer, Device, Peer, Row, World, weir_binary};

/// The boot, two codecs, and the frames of both devices.
const RECORDS: u64 = 1 + 2 + COUNT + 2;
const COUNT: u64 = 50;

/// A world that has delivered `COUNT` frames of one MQTT sensor and 2 of a LoRaWAN device.
fn world() -> World {
    let sensor = Device::cod("cod-1");
    let mut world =
        World::prepared(&[sensor.clone(), Device::lora("level-1", "26010001")], "[checkpoint]\nrecords_max = 16\n");
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    Peer::sensor("paho_sensor.py", &world, &sensor).with("--count", COUNT).run().exits(0);
    Peer::lora(&world).with("--count", 2).run().exits(0);
    world.delivered();
    world
}

#[test]
fn read_verbs_answer_with_the_right_values() {
    let world = world();
    let status = world.status();
    let at = |pointer: &str| status.pointer(pointer).cloned().unwrap_or_else(|| panic!("{pointer} in {status:#}"));
    assert_eq!(at("/gateway/box"), "outfall-1");
    assert_eq!(at("/gateway/devices/cod-1/accepted"), COUNT);
    assert_eq!(at("/gateway/devices/level-1/accepted"), 2);
    assert_eq!(at("/gateway/journal/records"), RECORDS, "the boot's record, two codecs, and one each frame");
    for (nth, name) in ["municipal", "provincial"].iter().enumerate() {
        assert_eq!(at(&format!("/sync/destinations/{nth}/name")), *name);
        assert_eq!(at(&format!("/sync/destinations/{nth}/covered")), RECORDS);
        assert_eq!(at(&format!("/sync/destinations/{nth}/missing")), 0);
    }
    assert_eq!(at("/wrong"), serde_json::json!([]));
    // On a machine whose clock is not synchronised the status notes it, and all is well all the same.
    let notes = at("/notes").as_array().unwrap().clone();
    assert!(notes.iter().all(|note| note.as_str().unwrap().contains("clock")), "{notes:?}");
    world.weir(&["status"]).exits(0);

    let tail = world.weir(&["tail", "-n", "5", "--json"]).exits(0).json_lines();
    assert_eq!(
        tail.iter().map(|record| record["seq"].as_u64().unwrap()).collect::<Vec<_>>(),
        (RECORDS - 5..RECORDS).collect::<Vec<_>>()
    );
    let one = world.weir(&["tail", "-n", "3", "--json", "--source", "cod-1"]).exits(0).json_lines();
    assert!(one.len() == 3 && one.iter().all(|record| record["source"] == "cod-1"), "{one:#?}");
    let payload = format!("{{\"n\":48,\"cod\":{}}}", value_text(48));
    assert_eq!(one[0]["raw"], hex(&payload), "the exact bytes");

    let identity = world.weir(&["identity", "--json"]).exits(0).json();
    assert_eq!((identity["box"].as_str(), identity["key"].as_str().map(str::len)), (Some("outfall-1"), Some(64)));
    assert_eq!(world.platforms[0].get("/v1/boxes")[0]["public_key"], identity["key"]);

    let verified = world.verify().exits(0).json();
    assert_eq!((&verified["holds"], &verified["box_key"]), (&Value::Bool(true), &identity["key"]));

    let files = ["gateway.toml", "devices.toml", "keys.toml", "rules.toml", "sync.toml", "municipal-platform.toml"];
    let files: Vec<String> = files.iter().map(|file| world.path(file).display().to_string()).collect();
    let arguments: Vec<&str> =
        ["config", "check", "--json"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let checked = world.weir(&arguments).exits(0).json();
    assert!(checked["ok"] == true && checked["files"].as_array().map(Vec::len) == Some(6), "{checked:#}");
}

/// The value that `paho_sensor.py` gives its n-th reading.
fn value_text(n: u64) -> String {
    let hundredths = n * 7_919 % 10_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn exports_hold_every_reading_as_it_was_sent() {
    let world = world();
    let rows = world.export();
    assert_eq!(values(&rows, "cod-1", "n"), once(1..=COUNT));
    // One number has one spelling: 91.90 is 91.9 (and stands as 91.90 in the exact bytes, which `tail --json` shows).
    let sent: Vec<String> = (1..=COUNT).map(|n| value_text(n).trim_end_matches('0').to_owned()).collect();
    let cod: Vec<&str> = rows.iter().filter(|row| row.quantity == "cod").map(|row| row.value.as_str()).collect();
    assert_eq!(cod, sent, "to the last digit");

    let csv = world.path("out.csv").display().to_string();
    world.weir(&["export", "--format", "csv", "--out", &csv]).exits(0);
    assert_eq!(of_csv(&fs::read_to_string(&csv).unwrap()), rows, "CSV and JSON Lines say the same");
    let some = world.weir(&["export", "--json", "--source", "level-1", "--quantity", "temperature_1"]).exits(0);
    let some: Vec<Row> = some.json_lines().iter().map(Row::of_export).collect();
    let wanted = |row: &&Row| row.source == "level-1" && row.quantity == "temperature_1";
    assert_eq!(some, rows.iter().filter(wanted).cloned().collect::<Vec<_>>());
    let none = world.weir(&["export", "--json", "--to", "2020-01-01T00:00:00Z"]).exits(0);
    assert_eq!(none.out, "");
    // The platform's own CSV has the same values in the same order.
    let page = world.platforms[0].curl("/v1/boxes/outfall-1/readings?format=csv&limit=10000", &["--fail"]).exits(0).out;
    let values: Vec<&str> = page.lines().skip(1).map(|line| line.split(',').nth(5).unwrap()).collect();
    assert_eq!(values, rows.iter().map(|row| row.value.as_str()).collect::<Vec<_>>());
}

/// `weir export --format csv`: RFC 4180, each line ends with CRLF.
fn of_csv(text: &str) -> Vec<Row> {
    let mut lines = text.split_terminator("\r\n");
    let heading: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let fields = heading.iter().zip(line.split(',')).filter(|(_, field)| !field.is_empty());
        let number = |name: &str, field: &str| match name {
            "seq" | "redecoded_of" | "true_time_error_ms" => Value::from(field.parse::<u64>().unwrap()),
            _ => Value::from(field),
        };
        let object = fields.map(|(name, field)| ((*name).to_owned(), number(name, field))).collect();
        Row::of_export(&Value::Object(object))
    };
    lines.map(row).collect()
}

#[test]
fn a_wrong_command_line_a_missing_box_and_a_silent_daemon_have_their_own_status() {
    let nowhere = tempfile::tempdir().unwrap();
    Answer::of_weir(&["stauts"]).exits(2);
    for verb in ["tail", "export", "verify", "identity"] {
        let answer = World::weir_in(nowhere.path(), &[verb]).exits(3);
        assert!(answer.err.contains("try: ") && answer.out.is_empty(), "{verb}: {answer:?}");
    }
    let answer = World::weir_in(nowhere.path(), &["status", "--json"]).exits(1);
    assert_eq!(answer.json()["well"], false);
    let version = Answer::of(Command::new(weir_binary()).arg("--version")).exits(0);
    assert!(version.out.starts_with("weir "), "{version:?}");
}

/// A copy of a stopped world's box, to be tampered with.
fn copy(world: &World, name: &str) -> PathBuf {
    let copy = world.path(name);
    fs::create_dir(&copy).unwrap();
    Answer::of(Command::new("cp").arg("-r").arg(world.path("state")).arg(&copy)).exits(0);
    copy
}

fn verify_in(world: &World, dir: &Path) -> Answer {
    World::weir_in(dir, &["verify", "--json", "--sync-config", &world.path("sync.toml").display().to_string()])
}

/// A name, a database of the box, and what is done to it.
type Tampering = (&'static str, &'static str, fn(&Connection));

/// What someone with the databases' files might do to them.
const TAMPERED: [Tampering; 7] = [
    ("a digit of a stored payload", JOURNAL, |database| {
        change(database, "record_0", "body", "seq = 20", |body| {
            let key = b"\"cod\":";
            let at = body.windows(key.len()).position(|window| window == key).expect("a frame of cod-1") + key.len();
            body[at] = if body[at] == b'1' { b'2' } else { b'1' };
        });
    }),
    ("a bit of a signed tree head", JOURNAL, |database| {
        change(database, "checkpoint", "cose", "size = (SELECT max(size) FROM checkpoint)", |cose| {
            let middle = cose.len() / 2;
            cose[middle] ^= 1;
        });
    }),
    ("a record taken out", JOURNAL, |database| execute(database, "DELETE FROM record_0 WHERE seq = 20")),
    ("the last record taken out", JOURNAL, |database| {
        execute(database, "DELETE FROM record_0 WHERE seq = (SELECT max(seq) FROM record_0)");
    }),
    ("two records changed places", JOURNAL, |database| {
        execute(database, "UPDATE record_0 SET seq = seq - 100 WHERE seq IN (10, 11)");
        execute(database, "UPDATE record_0 SET seq = CASE seq WHEN -90 THEN 11 ELSE 10 END WHERE seq < 0");
    }),
    ("a bit of a platform's receipt", OUTBOX, |database| {
        change(database, "receipt", "cose", "rowid = (SELECT min(rowid) FROM receipt)", |cose| {
            let middle = cose.len() / 2;
            cose[middle] ^= 1;
        });
    }),
    ("records claimed that no receipt covers", OUTBOX, |database| {
        execute(database, "UPDATE coverage SET last = last + 1000");
    }),
];

const JOURNAL: &str = "state/journal/journal.db";
const OUTBOX: &str = "state/outbox/outbox.db";

#[test]
fn verify_finds_what_was_tampered_with() {
    let mut world = world();
    world.kill_gateway();
    world.sync = None;
    single_rows(&Connection::open(world.path(JOURNAL)).unwrap());
    verify_in(&world, &copy(&world, "untouched")).exits(0);
    for (nth, (what, database, tamper)) in TAMPERED.iter().enumerate() {
        let dir = copy(&world, &format!("tampered-{nth}"));
        tamper(&Connection::open(dir.join(database)).unwrap());
        let found = verify_in(&world, &dir).exits(1).json();
        let findings = found["findings"].as_array().unwrap();
        let named = findings.iter().any(|finding| finding["holds"] == false && finding["what"].is_string());
        assert!(found["holds"] == false && named, "{what}: {found:#}");
    }
}

/// Gives each record of a pack (`journal.sql`) a row of its own, which is as good a journal: the first number, 8 bytes, and
/// of each record its length, 4 bytes, big-endian, and its bytes, in one zstd frame.
fn single_rows(database: &Connection) {
    let mut statement = database.prepare("SELECT seq, body FROM record_0 WHERE kind < -1").unwrap();
    let packs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    for (first, packed) in packs.collect::<Result<Vec<(i64, Vec<u8>)>, _>>().unwrap() {
        database.execute("DELETE FROM record_0 WHERE seq = ?1", [first]).unwrap();
        let (bytes, mut at) = (zstd::decode_all(packed.as_slice()).unwrap(), 8);
        for seq in first.. {
            let Some(length) = bytes.get(at..at + 4) else { break };
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
            let body = &bytes[at + 4..at + 4 + length];
            let kind = Record::from_canonical(body).unwrap().body.kind() as i64;
            database.execute("INSERT INTO record_0 VALUES (?1, ?2, ?3)", (seq, kind, body)).unwrap();
            at += 4 + length;
        }
    }
}

fn execute(database: &Connection, sql: &str) {
    assert!(database.execute(sql, []).unwrap() > 0, "{sql}");
}

fn change(database: &Connection, table: &str, column: &str, which: &str, change: impl Fn(&mut Vec<u8>)) {
    let select = format!("SELECT {column} FROM {table} WHERE {which}");
    let mut bytes: Vec<u8> = database.query_row(&select, [], |row| row.get(0)).unwrap();
    change(&mut bytes);
    assert_eq!(database.execute(&format!("UPDATE {table} SET {column} = ?1 WHERE {which}"), [bytes]).unwrap(), 1);
}
