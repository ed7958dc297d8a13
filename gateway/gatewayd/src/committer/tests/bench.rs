//! A box in a temporary folder: the committer, a real MQTT edge with one client, and a radio.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use batch::{BoxId, SigningKey};
use ingest::{DeviceTable, Network};
use journal::{Reader, TableSize, Tally};
use lorawan::end_device::{DataUp, data_up};
use lorawan::gwmp::{CrcStatus, Rxpk};
use lorawan::{CounterRun, DataRate, DevAddr, Eui64, Reception, Region, SessionKeys};
use mqtt::{Edge, EdgeParts, Limits, Listener, Submission};
use record::{Body, RecordAt, Seq, SeqRange, SourceId, UnixMs};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::board::Board;
use crate::clock::{Ask, mono_ms};
use crate::committer::decoders::{Decoders, Job, Jobs};
use crate::committer::intake::Taken;
use crate::committer::{Committer, Draft, Parts};
use crate::config::{CheckpointEvery, Chirpstack, Commands, Commit, Evidence, Relay, RulesPlace};
use crate::decoding::Published;
use crate::directory::Devices;
use crate::job::{Downlink, Heard, Lost};
use crate::order::{Order, Ordered};
use crate::platform_files::Origin;
use crate::relays::{self, Relays};
use crate::tallies::{GatewayTallies, GatewayTally};

pub(super) const DEVICES: &str = r#"
[[device]]
name = "cod-1"
[device.mqtt]
[device.codec]
kind = "json"
fields = [{ path = "/cod", quantity = "cod", unit = "mg/L" }]

[[device]]
name = "flow-1"
[device.lorawan]
dev_addr = "26010001"
[device.codec]
kind = "cayenne_lpp"
"#;

/// Two devices more, with a script.
const SLOW_DEVICES: &str = r#"
[[device]]
name = "slow-1"
[device.lorawan]
dev_addr = "26010002"
[device.codec]
kind = "javascript"
file = "slow.js"
fields = [{ path = "/level", quantity = "level", unit = "m" }]

[[device]]
name = "slow-2"
[device.mqtt]
[device.codec]
kind = "javascript"
file = "slow.js"
fields = [{ path = "/level", quantity = "level", unit = "m" }]
"#;

const SLOW_KEYS: &str = r#"
[slow-1]
nwk_s_key = "44024241ed4ce9a68c6a8bc055233fd3"
app_s_key = "ec925802ae430ca77fd3dd73cb2cc588"

[slow-2]
password = "river-otter-8"
"#;

/// A codec that never ends, unless the payload begins with 1.
const SLOW: &str = "function decodeUplink(input) { while (input.bytes[0] !== 1); return { data: { level: 7 } }; }";

pub(super) const KEYS: &str = r#"
[cod-1]
password = "river-otter-7"

[flow-1]
nwk_s_key = "44024241ed4ce9a68c6a8bc055233fd3"
app_s_key = "ec925802ae430ca77fd3dd73cb2cc588"
"#;

fn table() -> DeviceTable {
    DeviceTable::from_toml(DEVICES, KEYS, &BTreeMap::new()).unwrap()
}

/// With `flow-1` at this outfall.
pub(crate) fn table_at(outfall: &str) -> DeviceTable {
    let devices = DEVICES.replace("name = \"flow-1\"", &format!("name = \"flow-1\"\noutfall = \"{outfall}\""));
    DeviceTable::from_toml(&devices, KEYS, &BTreeMap::new()).unwrap()
}

/// With `slow-1` and `slow-2`.
pub(super) fn slow_table() -> DeviceTable {
    table_with(SLOW)
}

/// The same with another script.
pub(super) fn table_with(script: &str) -> DeviceTable {
    let scripts = BTreeMap::from([("slow.js".to_owned(), script.to_owned())]);
    DeviceTable::from_toml(&[DEVICES, SLOW_DEVICES].concat(), &[KEYS, SLOW_KEYS].concat(), &scripts).unwrap()
}

pub(super) const RULES: &str = r#"
[[rule]]
id = "warm"
kind = "limit"
devices = ["*"]
quantity = "temperature_1"
unit = "Cel"
high = 20
"#;

/// Cayenne: channel 1 is 27.2 and 17.2 degrees; the rule `warm` minds the first.
pub(super) const WARM: &[u8] = &[1, 103, 1, 16];
pub(super) const COLD: &[u8] = &[1, 103, 0, 172];

/// Longer than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn flow() -> SourceId {
    SourceId::new("flow-1").unwrap()
}

pub(super) fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

/// A frame of `flow-1` as its gateway heard it just now.
pub(super) fn heard(f_cnt: u32, payload: &[u8]) -> Heard {
    heard_from(0x2601_0001, f_cnt, payload)
}

/// A frame of `slow-1`; its codec ends if the payload begins with 1.
pub(super) fn heard_slow(f_cnt: u32, payload: &[u8]) -> Heard {
    heard_from(0x2601_0002, f_cnt, payload)
}

/// The gateway that hears everything here.
const GATEWAY: Eui64 = Eui64([1; 8]);

fn heard_from(dev_addr: u32, f_cnt: u32, payload: &[u8]) -> Heard {
    let key = |hex: &str| hex.parse().unwrap();
    let keys = SessionKeys::v1_0(key("44024241ed4ce9a68c6a8bc055233fd3"), key("ec925802ae430ca77fd3dd73cb2cc588"));
    let up = DataUp {
        dev_addr: DevAddr::from_u32(dev_addr),
        confirmed: true,
        f_cnt,
        f_port: 2,
        payload,
        ..DataUp::default()
    };
    noise(data_up(up, &keys))
}

/// Any bytes from the air.
pub(super) fn noise(phy: Vec<u8>) -> Heard {
    let rxpk = Rxpk {
        phy,
        tmst_us: 1_000,
        time: None,
        gps_ms: None,
        frequency_hz: 868_100_000,
        channel: None,
        rf_chain: None,
        crc: CrcStatus::Ok,
        data_rate: DataRate::Lora("SF7BW125".parse().unwrap()),
        coding_rate: None,
        rssi_dbm: Some(-42),
        snr_ddb: Some(55),
    };
    Heard::alone(Reception { gateway: GATEWAY, run: CounterRun::default(), received_ms: mono_ms().0, rxpk })
}

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) committer: Committer,
    /// What the decoders were told to do: nobody does it but the test.
    pub(super) jobs: Jobs,
    pub(crate) confirmed: mpsc::Receiver<Downlink>,
    /// What the relays were told.
    pub(super) switched: std::sync::mpsc::Receiver<relays::Command>,
    pub(crate) board: Arc<Mutex<Board>>,
    pub(crate) lost: Arc<Mutex<Lost>>,
}

impl Bench {
    pub(super) fn new() -> Bench {
        Bench::of(table())
    }

    pub(super) fn of(devices: DeviceTable) -> Bench {
        Bench::open_with(tempfile::tempdir().unwrap(), "boot-a", Arc::new(devices), || None)
    }

    /// On a machine whose clock nobody vouches for, whatever the one of the developer does.
    pub(crate) fn open(folder: TempDir, boot_id: &str) -> Bench {
        Bench::open_with(folder, boot_id, Arc::new(table()), || None)
    }

    pub(super) fn asking(folder: TempDir, boot_id: &str, ask_clock: Ask) -> Bench {
        Bench::open_with(folder, boot_id, Arc::new(table()), ask_clock)
    }

    fn open_with(folder: TempDir, boot_id: &str, devices: Arc<DeviceTable>, ask_clock: Ask) -> Bench {
        Bench::open_under(RULES, Origin::default(), folder, boot_id, devices, ask_clock)
    }

    fn open_under(
        rules: &str,
        origin: Origin,
        folder: TempDir,
        boot_id: &str,
        devices: Arc<DeviceTable>,
        ask_clock: Ask,
    ) -> Bench {
        Bench::open_wired(Vec::new(), rules, origin, folder, boot_id, devices, ask_clock)
    }

    /// With these relays, whose lines can all be switched; nobody does.
    fn open_wired(
        wired: Vec<Relay>,
        rules: &str,
        origin: Origin,
        folder: TempDir,
        boot_id: &str,
        devices: Arc<DeviceTable>,
        ask_clock: Ask,
    ) -> Bench {
        let (relays, switched) = Relays::ready(&wired);
        let board = Arc::new(Mutex::new(Board::new(&devices)));
        let lost: Arc<Mutex<Lost>> = Arc::default();
        let (downlinks, confirmed) = mpsc::channel(64);
        let parts = Parts {
            box_id: BoxId::new("outfall-1").unwrap(),
            key: key(),
            key_path: folder.path().join("identity/box.key"),
            outbox_path: folder.path().join("outbox/outbox.db"),
            journal_path: folder.path().join("journal/journal.db"),
            devices,
            network: Network::standard(Region::Eu868),
            rules: rules::RuleSet::from_toml(rules).unwrap(),
            rules_hash: record::merkle::leaf_hash(rules.as_bytes()),
            rules_place: RulesPlace { main: folder.path().join("rules.toml"), folder: folder.path().join("rules.d") },
            versions_path: folder.path().join("config"),
            commands_allowed: Commands::default(),
            origin,
            anew: Arc::default(),
            commit: Commit::default(),
            checkpoint: CheckpointEvery::default(),
            evidence: Evidence::default(),
            aggregation: rules::Aggregation::default(),
            code_patterns: Vec::new(),
            tables: TableSize::default(),
            journal_bytes_max: 8 * 1024 * 1024,
            boot_id: boot_id.into(),
            board: board.clone(),
            lost: lost.clone(),
            tallies: GatewayTallies::default(),
            self_test: Some(Arc::default()),
            scarce: Arc::default(),
            chirpstack: Chirpstack::default(),
            events: mpsc::channel(1).0,
            downlinks,
            commands: mpsc::channel(8).0,
            relays,
            relays_configured: wired,
            ask_clock,
        };
        parts.tallies.receive(GATEWAY, |_| true);
        let (decoders, jobs) = Decoders::new();
        let committer = Committer::open(parts, decoders).unwrap();
        Bench { folder, committer, jobs, confirmed, switched, board, lost }
    }

    /// On a new journal, with these relays and rules.
    pub(super) fn wired(relays: &[Relay], rules: &str) -> Bench {
        Bench::wired_at(tempfile::tempdir().unwrap(), relays, rules)
    }

    /// The same on what stands in this folder.
    pub(super) fn wired_at(folder: TempDir, relays: &[Relay], rules: &str) -> Bench {
        Bench::open_wired(relays.to_vec(), rules, Origin::default(), folder, "boot-a", Arc::new(table()), || None)
    }

    /// The next start of the daemon, with the same relays and rules.
    pub(super) fn rewired(self, boot_id: &str, rules: &str) -> Bench {
        let Bench { folder, committer, .. } = self;
        let (relays, devices) = (committer.parts.relays_configured.clone(), committer.parts.devices.clone());
        drop(committer);
        Bench::open_wired(relays, rules, Origin::default(), folder, boot_id, devices, || None)
    }

    /// The next start of the daemon.
    pub(crate) fn reopen(self, boot_id: &str) -> Bench {
        let Bench { folder, committer, .. } = self;
        let devices = committer.parts.devices.clone();
        drop(committer);
        Bench::open_with(folder, boot_id, devices, || None)
    }

    /// On what stands in this folder, with these devices.
    pub(crate) fn open_at(folder: TempDir, devices: DeviceTable) -> Bench {
        Bench::open_with(folder, "boot-a", Arc::new(devices), || None)
    }

    /// The next start of the daemon, with other devices.
    pub(super) fn reopen_with(self, devices: DeviceTable) -> Bench {
        let Bench { folder, committer, .. } = self;
        drop(committer);
        Bench::open_at(folder, devices)
    }

    /// The next start of the daemon, with another rules.toml.
    pub(super) fn reopen_with_rules(self, boot_id: &str, rules: &str) -> Bench {
        let Bench { folder, committer, .. } = self;
        let devices = committer.parts.devices.clone();
        drop(committer);
        Bench::open_under(rules, Origin::default(), folder, boot_id, devices, || None)
    }

    /// The next start of the daemon, by a configuration of this origin.
    pub(super) fn reopen_by(self, origin: Origin) -> Bench {
        let Bench { folder, committer, .. } = self;
        let devices = committer.parts.devices.clone();
        drop(committer);
        Bench::open_under(RULES, origin, folder, "boot-a", devices, || None)
    }

    /// The alarms that stand.
    pub(super) fn alarms(&self) -> Vec<rules::ActiveAlarm> {
        self.committer.restored.engine.alarms(&self.committer.stamp())
    }

    /// One transaction of these.
    pub(super) fn apply(&mut self, heard: impl IntoIterator<Item = Heard>) {
        self.take(Vec::new(), heard.into_iter().collect(), Vec::new());
    }

    /// One transaction of all these, with whatever the decoders make of them.
    pub(crate) fn take(&mut self, published: Vec<Published>, heard: Vec<Heard>, orders: Vec<Ordered>) {
        let mut draft = self.begin(published, heard, orders);
        while self.decode(&mut draft) {}
        self.committer.finish(draft).unwrap();
    }

    /// Judges all these, while the decoders do nothing.
    pub(super) fn begin(
        &mut self,
        mut published: Vec<Published>,
        mut heard: Vec<Heard>,
        mut orders: Vec<Ordered>,
    ) -> Draft {
        let (published, heard, orders) = (&mut published, &mut heard, &mut orders);
        let (serial, decoded) = (&mut Vec::new(), &mut Vec::new());
        let mut draft = Draft::default();
        self.committer.begin(Taken { published, heard, serial, orders, decoded }, &mut draft).unwrap();
        draft
    }

    /// Runs one job of the decoders, if there is one.
    pub(super) fn decode(&mut self, draft: &mut Draft) -> bool {
        self.decode_promptly(draft) || {
            let job = self.jobs.patient.try_recv();
            job.is_ok_and(|job| self.run(job, draft))
        }
    }

    /// Runs one job of the prompt decoder, if there is one.
    pub(super) fn decode_promptly(&mut self, draft: &mut Draft) -> bool {
        let job = self.jobs.prompt.try_recv();
        job.is_ok_and(|job| self.run(job, draft))
    }

    fn run(&mut self, job: Job, draft: &mut Draft) -> bool {
        let decoded = job.run(&self.committer.parts.devices.clone());
        self.committer.take_decoded(decoded, draft).unwrap();
        true
    }

    /// What an order is answered, alone in its transaction.
    pub(crate) fn order(&mut self, request: &Value) -> Result<Value, String> {
        self.orders(&[request]).remove(0)
    }

    /// What orders are answered that come in one transaction.
    pub(super) fn orders(&mut self, requests: &[&Value]) -> Vec<Result<Value, String>> {
        let ordered = requests.iter().map(|request| {
            let (answer, answered) = oneshot::channel();
            (Ordered { order: Order::parse(request, Some(1_000)).expect("an order").unwrap(), answer }, answered)
        });
        let (orders, answers): (Vec<_>, Vec<_>) = ordered.unzip();
        self.take(Vec::new(), Vec::new(), orders);
        let wait = |mut answered: oneshot::Receiver<_>| loop {
            match answered.try_recv() {
                Ok(answer) => return answer,
                Err(oneshot::error::TryRecvError::Empty) => self.take(Vec::new(), Vec::new(), Vec::new()),
                Err(error) => panic!("{error}"),
            }
        };
        answers.into_iter().map(wait).collect()
    }

    /// The journal may have so many bytes, as far as pins are concerned.
    pub(crate) fn limit(&mut self, bytes_max: u64) {
        self.committer.parts.journal_bytes_max = bytes_max;
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.folder.path().join("journal/journal.db")).unwrap()
    }

    pub(crate) fn records(&self) -> Vec<RecordAt> {
        self.reader().read(SeqRange { first: Seq(0), last: Seq(u64::MAX >> 1) }, usize::MAX).unwrap()
    }

    /// The kinds of all records, as `boot frame alarm`.
    pub(super) fn kinds(&self) -> String {
        let kind = |at: &RecordAt| match at.record.body {
            Body::Boot(_) => "boot",
            Body::Frame(_) => "frame",
            Body::Rejected(_) => "rejected",
            Body::Alarm(_) => "alarm",
            Body::Codec(_) => "codec",
            Body::Redecoded(_) => "redecoded",
            Body::Clock(_) => "clock",
            Body::Gap(_) => "gap",
            Body::Audit(_) => "audit",
            Body::Outfall(_) => "outfall",
            Body::Aggregate(_) => "aggregate",
            Body::Manual(_) => "manual",
        };
        self.records().iter().map(kind).collect::<Vec<_>>().join(" ")
    }

    pub(super) fn tally(&self, source: Option<&str>) -> Tally {
        let source = source.map(|name| SourceId::new(name).unwrap());
        self.reader().devices().unwrap().get(&source).map(|row| row.tally).unwrap_or_default()
    }

    /// What came of the frames of the gateway, since it was heard first.
    pub(super) fn heard_by(&self) -> GatewayTally {
        self.committer.parts.tallies.of(GATEWAY)
    }

    /// Keeps the disk from taking anything until it is dropped: another connection holds the write lock for longer than
    /// the journal waits.
    pub(super) fn stuck_disk(&self) -> rusqlite::Connection {
        let other = rusqlite::Connection::open(self.folder.path().join("journal/journal.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        other
    }
}

/// A device behind a real edge, `cod-1` or one like it, whose publishes wait here until the test hands them to the committer.
pub(super) struct Sensor {
    name: &'static str,
    password: &'static str,
    edge: Edge,
    submitted: mpsc::Receiver<Submission>,
    stream: TcpStream,
}

impl Sensor {
    pub(super) async fn connect() -> Sensor {
        Sensor::connect_as("cod-1", "river-otter-7").await
    }

    pub(super) async fn connect_as(name: &'static str, password: &'static str) -> Sensor {
        let directory = Arc::new(Devices::new(Arc::new(slow_table()), Chirpstack::default(), Arc::default()).unwrap());
        let (submissions, submitted) = mpsc::channel(64);
        let listeners = vec![Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap()];
        let (changes, events) = (mpsc::channel(1).0, mpsc::channel(1).0);
        let (limits, stored) = (Limits::default(), Vec::new());
        let edge = EdgeParts { listeners, limits, directory, submissions, changes, events, stored };
        let edge = Edge::start(edge).unwrap();
        let stream = TcpStream::connect(edge.local_addrs()[0]).await.unwrap();
        let mut sensor = Sensor { name, password, edge, submitted, stream };
        sensor.log_in().await;
        sensor
    }

    pub(super) async fn reconnect(&mut self) {
        self.stream = TcpStream::connect(self.edge.local_addrs()[0]).await.unwrap();
        self.log_in().await;
    }

    async fn log_in(&mut self) {
        let mut connect = b"\x10\x00\x00\x04MQTT\x04\xc2\x00\x3c".to_vec();
        for field in [self.name, self.name, self.password] {
            connect.extend([0, u8::try_from(field.len()).unwrap()]);
            connect.extend(field.as_bytes());
        }
        connect[1] = u8::try_from(connect.len() - 2).unwrap();
        self.stream.write_all(&connect).await.unwrap();
        assert_eq!(self.read(4).await, [0x20, 2, 0, 0], "CONNACK");
    }

    /// Publishes at QoS 1, and gives what the committer gets of it.
    pub(super) async fn publish(&mut self, id: u8, dup: bool, payload: &[u8]) -> Published {
        let mut packet = vec![0x32 | u8::from(dup) << 3, 0];
        let topic = format!("d/{}/up", self.name);
        packet.extend([0, u8::try_from(topic.len()).unwrap()]);
        packet.extend(topic.as_bytes());
        packet.extend([0, id]);
        packet.extend(payload);
        packet[1] = u8::try_from(packet.len() - 2).unwrap();
        self.stream.write_all(&packet).await.unwrap();
        let submission = timeout(PATIENCE, self.submitted.recv()).await.unwrap().unwrap();
        Published::read(submission, &slow_table(), &Chirpstack::default().event_topic, UnixMs(0)).unwrap()
    }

    /// The next bytes from the edge; fewer if it closes the connection.
    pub(super) async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut bounded = (&mut self.stream).take(count as u64);
        timeout(PATIENCE, bounded.read_to_end(&mut bytes)).await.unwrap().unwrap();
        bytes
    }
}
