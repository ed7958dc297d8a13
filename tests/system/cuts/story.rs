//! One busy story of a box on a disk whose every change is recorded.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use system_tests::disk::{Change, Entry, Log};
use system_tests::peer::Running;
use system_tests::{Device, Peer, World, until};

use super::phase::Phase;
use super::truth::{Records, Sent, Truth};

/// Name, protocol level and QoS.
pub(crate) type Sensor = (&'static str, u8, u8);

const SENSORS: [Sensor; 3] = [("v4-q1", 4, 1), ("v5-q1", 5, 1), ("v5-q2", 5, 2)];
/// Length of each payload: the WAL goes into the database every thousand frames, and 3,200 of them fill a hot table
/// (8 MiB), which is then sealed into files.
const PAYLOAD_BYTES: usize = 2_600;
/// Messages a second and sensor.
const RATE: u64 = 150;
/// Acknowledgements between two things that happen to the box.
pub(crate) const BETWEEN: usize = 450;
/// Frames of the LoRaWAN device: one in 300 ms or so.
const UPLINKS: u64 = 40;
/// A checkpoint is signed after so many records.
const SIGNED_EVERY: u64 = 50;

/// The log of the disk, and what the outside knows.
pub(crate) struct Story {
    pub(crate) log: Log,
    pub(crate) truth: Truth,
    /// What happens in it.
    pub(crate) phases: &'static [Phase],
}

/// The files of the witnesses, in the order in which [`Entry::witnessed`] counts them.
pub(crate) struct Witnesses {
    sensors: Vec<PathBuf>,
    /// Of the LoRaWAN device, or of who sent before the story began.
    pub(crate) lora: PathBuf,
    /// Devices that a technician added.
    pub(crate) added: PathBuf,
    /// Copies that a technician made: how many records each has.
    pub(crate) backed_up: PathBuf,
    /// Copies that were put back.
    pub(crate) restored: PathBuf,
}

impl Story {
    /// Lets it happen; some 20 s.
    pub(crate) fn record() -> Story {
        let devices: Vec<Device> = SENSORS.iter().map(|(name, ..)| Device::cod(name)).collect();
        let lora = Device::lora("level-1", "26010001");
        let all: Vec<Device> = devices.iter().cloned().chain([lora]).collect();
        let mut world = World::on_disk(&all, &format!("[checkpoint]\nrecords_max = {SIGNED_EVERY}\n"));
        let witnesses = Witnesses::of(&world, &SENSORS);
        world.disk.as_ref().expect("on a disk").witness(witnesses.all());
        step(&world, "first start");
        world.start_gateway();
        world.start_platforms();
        world.start_sync();
        step(&world, "load");
        let mut running = witnesses.start_all(&world, &SENSORS, &devices);
        let lora = Peer::lora(&world).with("--count", UPLINKS).with("--tries", 8).with("--deadline", 120);
        running.push(lora.with("--acked", witnesses.lora.display()).start());

        let mut texts = vec![world.config_texts()];
        for (nth, happens) in [kill, kill_sync, stop_gateway, kill].into_iter().enumerate() {
            witnesses.until_more(BETWEEN);
            texts.push(add_device(&world, &witnesses, nth));
            witnesses.until_more(BETWEEN);
            happens(&mut world);
        }
        witnesses.until_more(BETWEEN);
        witnesses.stop(&world, running);
        world.delivered();
        world.verify().exits(0);
        let log = world.disk.as_ref().expect("on a disk").log();
        world.sync = None;
        world.gateway.take().expect("runs").terminate();
        let lora = Sent { source: "level-1".into(), acked: witnesses.lora.clone(), payload_bytes: None };
        let sent = witnesses.sent(&SENSORS).into_iter().chain([lora]).collect::<Vec<_>>();
        let truth = Truth::of(&world, &Records::of(&world), &sent, &witnesses, &texts);
        Story { log, truth, phases: &Phase::STORY }
    }

    /// The entry that the outside had seen after the next commit at or behind this place: all that it acknowledged.
    pub(crate) fn after_the_next_commit(&self, at: usize) -> &Entry {
        let entries = self.log.entries();
        let is_commit =
            |entry: &Entry| matches!(entry.change, Change::Sync { .. }) && entry.path.ends_with("journal.db-wal");
        // Two of them: what the first one stored is acknowledged while the second gathers.
        let later = entries[at..].iter().enumerate().filter(|(_, entry)| is_commit(entry)).nth(1);
        later.map_or(&entries[entries.len() - 1], |(after, _)| &entries[at + after])
    }

    pub(crate) fn tell(&self) -> String {
        let syncs = self.log.entries().iter().filter(|entry| matches!(entry.change, Change::Sync { .. })).count();
        format!("{} changes of the disk, {syncs} syncs, {}", self.log.entries().len(), self.truth.tell())
    }
}

impl Witnesses {
    pub(crate) fn of(world: &World, sensors: &[Sensor]) -> Witnesses {
        let [lora, added, backed_up, restored] =
            ["lora.acked", "added", "backed-up", "restored"].map(|name| world.path(name));
        let sensors = sensors.iter().map(|(name, ..)| world.path(&format!("{name}.acked"))).collect();
        Witnesses { sensors, lora, added, backed_up, restored }
    }

    pub(crate) fn all(&self) -> Vec<PathBuf> {
        let others = [&self.lora, &self.added, &self.backed_up, &self.restored];
        self.sensors.iter().chain(others).cloned().collect()
    }

    pub(crate) fn start_all(&self, world: &World, sensors: &[Sensor], devices: &[Device]) -> Vec<Running> {
        let start = |((name, level, qos), device): (&Sensor, &Device)| {
            let peer = Peer::sensor("paho_sensor.py", world, device).with("--level", level).with("--qos", qos);
            let peer =
                peer.with("--window", 16).with("--rate", RATE).with("--bytes", PAYLOAD_BYTES).with("--deadline", 300);
            let peer = peer.with("--count", 1_000_000).with("--until", world.path("stop").display());
            let peer = if *qos == 2 { peer.args(["--keep-session"]) } else { peer };
            peer.with("--acked", world.path(&format!("{name}.acked")).display()).start()
        };
        sensors.iter().zip(devices).map(start).collect()
    }

    /// Nobody sends any more.
    pub(crate) fn stop(&self, world: &World, running: Vec<Running>) {
        fs::write(world.path("stop"), "").unwrap();
        for peer in running {
            // The LoRaWAN device gives up a frame that met a restart too often; the others do not.
            drop(peer.finish());
        }
    }

    /// Waits until the sensors saw so many more acknowledgements.
    pub(crate) fn until_more(&self, acknowledged: usize) {
        let lines = || self.sensors.iter().map(|file| fs::read(file).unwrap_or_default());
        let count = || -> usize { lines().map(|text| text.iter().filter(|byte| **byte == b'\n').count()).sum() };
        let before = count();
        until("sensors are acknowledged", 60, || (count() >= before + acknowledged).then_some(()));
    }

    pub(crate) fn sent(&self, sensors: &[Sensor]) -> Vec<Sent> {
        let sent = |((name, ..), file): (&Sensor, &PathBuf)| Sent {
            source: (*name).into(),
            acked: file.clone(),
            payload_bytes: Some(PAYLOAD_BYTES),
        };
        sensors.iter().zip(&self.sensors).map(sent).collect()
    }
}

/// Names what is going on.
pub(crate) fn step(world: &World, step: &'static str) {
    world.disk.as_ref().expect("on a disk").step(step);
}

/// A technician adds a device while frames flow, and notes it once the command says so.
fn add_device(world: &World, witnesses: &Witnesses, nth: usize) -> (String, String) {
    let name = format!("added-{nth}");
    let config_dir = world.config_dir();
    let add = ["device", "--config-dir", &config_dir, "add", &name, "--link", "mqtt", "--codec", "=v4-q1"];
    world.weir(&add).exits(0);
    let mut added = File::options().create(true).append(true).open(&witnesses.added).unwrap();
    writeln!(added, "{name}").unwrap();
    world.config_texts()
}

fn kill(world: &mut World) {
    world.kill_gateway();
    restart(world);
}

fn stop_gateway(world: &mut World) {
    assert_eq!(world.gateway.take().expect("runs").terminate(), Some(0));
    restart(world);
}

fn restart(world: &mut World) {
    step(world, "restart");
    world.start_gateway();
    step(world, "load");
}

fn kill_sync(world: &mut World) {
    world.restart_sync();
}
