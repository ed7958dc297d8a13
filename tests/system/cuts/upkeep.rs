//! A story of what is seldom done to a journal: brought up from an older program, backed up, put back elsewhere, salvaged,
//! sealed, and thinned until no frame that was sealed is left.

use std::fs::{self, File};
use std::io::Write;

use journal::Reader;
use record::{RecordAt, Seq, SeqRange};
use rusqlite::{Connection, params};
use system_tests::{Device, Peer, World, until};

use super::phase::Phase;
use super::story::{BETWEEN, Sensor, Story, Witnesses, step};
use super::truth::{Records, Sent, Truth};

const SENSORS: [Sensor; 2] = [("v4-q1", 4, 1), ("v5-q2", 5, 2)];
/// Frames that the older program took.
const OLD_FRAMES: usize = 300;
/// No number of the sensors to come.
const OLD_FIRST: usize = 5_000_000;
/// What the tables of schema 1 take from those of today, beside the records.
const COPIED: &str = "
    INSERT INTO device SELECT name, session, accepted, duplicate, rejected, shed FROM now.device;
    UPDATE tree SET (size, roots) = (SELECT size, roots FROM now.tree);
    INSERT INTO checkpoint SELECT size, cose FROM now.checkpoint;
    INSERT INTO meta SELECT key, value FROM now.meta;
    PRAGMA user_version = 1;
";
/// Nothing is kept for others, then more than any disk has.
const RESERVES: [&str; 2] = ["disk_reserve_bytes = 0", "disk_reserve_bytes = 1_000_000_000_000"];

impl Story {
    /// Lets it happen; some 40 s.
    pub(crate) fn record_upkeep() -> Story {
        let devices: Vec<Device> = SENSORS.iter().map(|(name, ..)| Device::cod(name)).collect();
        let more = format!("[checkpoint]\nrecords_max = 50\n[journal]\n{}\n", RESERVES[0]);
        let mut world = World::on_disk(&devices, &more);
        let witnesses = Witnesses::of(&world, &SENSORS);
        let old = old_frames(&mut world, &devices[0], &witnesses);
        let disk = world.disk.as_ref().expect("on a disk");
        disk.settle();
        disk.witness(witnesses.all());
        step(&world, "migration");
        world.start_gateway();
        step(&world, "load");
        let texts = [world.config_texts()];
        let running = witnesses.start_all(&world, &SENSORS, &devices);
        for nth in 0..2 {
            witnesses.until_more(BETWEEN);
            copy(&world, &witnesses, nth);
            witnesses.until_more(BETWEEN);
            salvage(&mut world);
            until_sealed(&world, nth + 1);
        }
        witnesses.stop(&world, running);
        // What is here may go in what follows.
        let mut records = Records::of(&world);
        thin(&mut world);
        records.extend(Records::of(&world));
        let log = world.disk.as_ref().expect("on a disk").log();
        world.gateway.take().expect("runs").terminate();
        let sent = witnesses.sent(&SENSORS).into_iter().chain([old]).collect::<Vec<_>>();
        Story { log, truth: Truth::of(&world, &records, &sent, &witnesses, &texts), phases: &Phase::UPKEEP }
    }
}

/// A box that took frames, and whose journal then is as an older program left it.
fn old_frames(world: &mut World, device: &Device, witnesses: &Witnesses) -> Sent {
    world.start_gateway();
    let sensor = Peer::sensor("paho_sensor.py", world, device).with("--count", OLD_FRAMES).with("--first", OLD_FIRST);
    sensor.with("--acked", witnesses.lora.display()).run().exits(0);
    world.gateway.take().expect("runs").terminate();
    // Not on the disk: who serves a file system must not map files of it.
    let (journal, now, old) = (world.path("disk/state/journal"), world.path("now.db"), world.path("old.db"));
    for (name, copy) in [("journal.db", now.clone()), ("journal.db-wal", now.with_extension("db-wal"))] {
        fs::copy(journal.join(name), copy).unwrap();
        fs::remove_file(journal.join(name)).unwrap();
    }
    fs::remove_file(journal.join("journal.db-shm")).unwrap();
    let tables = Connection::open(&old).unwrap();
    tables.execute_batch("PRAGMA page_size = 1024").unwrap();
    tables.execute_batch(include_str!("../../../sync/journal/src/tests/journal_1.sql")).unwrap();
    tables.execute("ATTACH ?1 AS now", [now.display().to_string()]).unwrap();
    tables.execute_batch(COPIED).unwrap();
    let insert = |at: RecordAt| {
        let row = params![at.seq.0.cast_signed(), at.record.body.kind() as i64, at.record.to_canonical()];
        tables.execute("INSERT INTO record VALUES (?1, ?2, ?3)", row).unwrap();
    };
    let all = SeqRange { first: Seq(0), last: Seq(u64::from(u32::MAX)) };
    Reader::open(&now).unwrap().read(all, usize::MAX).unwrap().into_iter().for_each(insert);
    drop(tables);
    fs::copy(&old, journal.join("journal.db")).unwrap();
    Sent { source: device.name.clone(), acked: witnesses.lora.clone(), payload_bytes: Some(0) }
}

/// A technician makes a copy, each to the same stick, and puts it back on an empty box, and notes each once the command
/// says so.
fn copy(world: &World, witnesses: &Witnesses, nth: u64) {
    let disk = world.path("disk");
    let (stick, elsewhere) = (disk.join("stick"), disk.join(format!("elsewhere-{nth}")));
    let note = |file, line: String| {
        let mut file = File::options().create(true).append(true).open(file).unwrap();
        writeln!(file, "{line}").unwrap();
    };
    step(world, "backup");
    let made = world.weir(&["backup", &stick.display().to_string(), "--json"]).exits(0).json();
    note(&witnesses.backed_up, made["records"].to_string());
    step(world, "load");
    witnesses.until_more(BETWEEN);
    // A box has this folder already: systemd makes it.
    fs::create_dir(&elsewhere).unwrap();
    File::open(&disk).unwrap().sync_all().unwrap();
    step(world, "restore");
    World::weir_with_state(&elsewhere, &["restore", &stick.display().to_string()]).exits(0);
    note(&witnesses.restored, nth.to_string());
    step(world, "load");
}

/// A technician has the journal saved; whoever kept the gateway running starts it again.
fn salvage(world: &mut World) {
    step(world, "salvage");
    world.weir(&["journal", "salvage"]).exits(0);
    assert_eq!(world.gateway.take().expect("runs").wait(), Some(70), "a restart helps");
    world.start_gateway();
    assert!(world.status()["gateway"]["journal"]["salvaged"].is_string(), "{:#}", world.status());
    step(world, "load");
}

fn until_sealed(world: &World, parts: u64) {
    until("a table is sealed", 120, || (world.count("/gateway/journal/keeping/whole") >= parts).then_some(()));
}

/// The disk has no room any more: what is sealed goes, and each loss is told first.
fn thin(world: &mut World) {
    world.gateway.take().expect("runs").terminate();
    let config = world.path("gateway.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(RESERVES[0], RESERVES[1])).unwrap();
    step(world, "retention");
    world.start_gateway();
    until("no frame that was sealed is left", 60, || {
        let keeping = world.status().pointer("/gateway/journal/keeping")?.clone();
        ["whole", "thinned"].iter().all(|stage| keeping[*stage] == 0).then_some(())
    });
    step(world, "load");
}
