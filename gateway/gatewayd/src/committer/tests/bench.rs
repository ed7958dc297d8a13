//! A box in a temporary folder: the committer, a real MQTT edge with one client, and a radio.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use batch::{BoxId, SigningKey};
use ingest::{DeviceTable, Network};
use journal::{Reader, Tally};
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
use crate::clock::mono_ms;
use crate::committer::intake::Taken;
use crate::committer::{Committer, Parts};
use crate::config::{CheckpointEvery, Chirpstack, Commit, Evidence};
use crate::decoding::Published;
use crate::directory::Devices;
use crate::job::{Downlink, Heard, Lost};
use crate::order::{Order, Ordered};

const DEVICES: &str = r#"
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

const KEYS: &str = r#"
[cod-1]
password = "river-otter-7"

[flow-1]
nwk_s_key = "44024241ed4ce9a68c6a8bc055233fd3"
app_s_key = "ec925802ae430ca77fd3dd73cb2cc588"
"#;

fn table() -> DeviceTable {
    DeviceTable::from_toml(DEVICES, KEYS, &BTreeMap::new()).unwrap()
}

const RULES: &str = r#"
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
    let key = |hex: &str| hex.parse().unwrap();
    let keys = SessionKeys::v1_0(key("44024241ed4ce9a68c6a8bc055233fd3"), key("ec925802ae430ca77fd3dd73cb2cc588"));
    let up = DataUp {
        dev_addr: DevAddr::from_u32(0x2601_0001),
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
    Heard::alone(Reception { gateway: Eui64([1; 8]), run: CounterRun::default(), received_ms: mono_ms().0, rxpk })
}

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) committer: Committer,
    pub(crate) confirmed: mpsc::Receiver<Downlink>,
    pub(crate) board: Arc<Mutex<Board>>,
    pub(crate) lost: Arc<Mutex<Lost>>,
}

impl Bench {
    pub(super) fn new() -> Bench {
        Bench::open(tempfile::tempdir().unwrap(), "boot-a")
    }

    pub(crate) fn open(folder: TempDir, boot_id: &str) -> Bench {
        let devices = Arc::new(table());
        let board = Arc::new(Mutex::new(Board::new(&devices)));
        let lost: Arc<Mutex<Lost>> = Arc::default();
        let (downlinks, confirmed) = mpsc::channel(64);
        let parts = Parts {
            box_id: BoxId::new("outfall-1").unwrap(),
            key: key(),
            outbox_path: folder.path().join("outbox/outbox.db"),
            journal_path: folder.path().join("journal/journal.db"),
            devices,
            network: Network::standard(Region::Eu868),
            rules: rules::RuleSet::from_toml(RULES).unwrap(),
            commit: Commit::default(),
            checkpoint: CheckpointEvery::default(),
            evidence: Evidence::default(),
            boot_id: boot_id.into(),
            board: board.clone(),
            lost: lost.clone(),
            chirpstack: Chirpstack::default(),
            events: mpsc::channel(1).0,
            downlinks,
            commands: mpsc::channel(8).0,
        };
        Bench { folder, committer: Committer::open(parts).unwrap(), confirmed, board, lost }
    }

    /// The next start of the daemon.
    pub(crate) fn reopen(self, boot_id: &str) -> Bench {
        let Bench { folder, committer, .. } = self;
        drop(committer);
        Bench::open(folder, boot_id)
    }

    /// One transaction of these.
    pub(super) fn apply(&mut self, heard: impl IntoIterator<Item = Heard>) {
        self.take(Vec::new(), heard.into_iter().collect(), Vec::new());
    }

    /// One transaction of all these.
    pub(crate) fn take(&mut self, mut published: Vec<Published>, mut heard: Vec<Heard>, mut orders: Vec<Ordered>) {
        let (published, heard, orders) = (&mut published, &mut heard, &mut orders);
        self.committer.apply(Taken { published, heard, serial: &mut Vec::new(), orders }).unwrap();
    }

    /// What an order is answered, alone in its transaction.
    pub(super) fn order(&mut self, request: &Value) -> Result<Value, String> {
        let (answer, mut answered) = oneshot::channel();
        let order = Order::parse(request).expect("an order")?;
        self.take(Vec::new(), Vec::new(), vec![Ordered { order, answer }]);
        loop {
            match answered.try_recv() {
                Ok(answer) => return answer,
                Err(oneshot::error::TryRecvError::Empty) => self.take(Vec::new(), Vec::new(), Vec::new()),
                Err(error) => panic!("{error}"),
            }
        }
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
        };
        self.records().iter().map(kind).collect::<Vec<_>>().join(" ")
    }

    pub(super) fn tally(&self, source: Option<&str>) -> Tally {
        let source = source.map(|name| SourceId::new(name).unwrap());
        self.reader().devices().unwrap().get(&source).map(|row| row.tally).unwrap_or_default()
    }

    /// Keeps the disk from taking anything until it is dropped: another connection holds the write lock for longer than
    /// the journal waits.
    pub(super) fn stuck_disk(&self) -> rusqlite::Connection {
        let other = rusqlite::Connection::open(self.folder.path().join("journal/journal.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        other
    }
}

/// `cod-1` behind a real edge, whose publishes wait here until the test hands them to the committer.
pub(super) struct Sensor {
    edge: Edge,
    submitted: mpsc::Receiver<Submission>,
    stream: TcpStream,
}

impl Sensor {
    pub(super) async fn connect() -> Sensor {
        let directory = Arc::new(Devices::new(Arc::new(table()), Chirpstack::default()).unwrap());
        let (submissions, submitted) = mpsc::channel(64);
        let listeners = vec![Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap()];
        let (changes, events) = (mpsc::channel(1).0, mpsc::channel(1).0);
        let (limits, stored) = (Limits::default(), Vec::new());
        let edge = EdgeParts { listeners, limits, directory, submissions, changes, events, stored };
        let edge = Edge::start(edge).unwrap();
        let stream = TcpStream::connect(edge.local_addrs()[0]).await.unwrap();
        let mut sensor = Sensor { edge, submitted, stream };
        sensor.log_in().await;
        sensor
    }

    pub(super) async fn reconnect(&mut self) {
        self.stream = TcpStream::connect(self.edge.local_addrs()[0]).await.unwrap();
        self.log_in().await;
    }

    async fn log_in(&mut self) {
        let mut connect =
            b"\x10\x28\x00\x04MQTT\x04\xc2\x00\x3c\x00\x05cod-1\x00\x05cod-1\x00\x0driver-otter-7".to_vec();
        connect[1] = u8::try_from(connect.len() - 2).unwrap();
        self.stream.write_all(&connect).await.unwrap();
        assert_eq!(self.read(4).await, [0x20, 2, 0, 0], "CONNACK");
    }

    /// Publishes at QoS 1, and gives what the committer gets of it.
    pub(super) async fn publish(&mut self, id: u8, dup: bool, payload: &[u8]) -> Published {
        let mut packet = vec![0x32 | u8::from(dup) << 3, 0];
        packet.extend(b"\x00\x0ad/cod-1/up");
        packet.extend([0, id]);
        packet.extend(payload);
        packet[1] = u8::try_from(packet.len() - 2).unwrap();
        self.stream.write_all(&packet).await.unwrap();
        let submission = timeout(PATIENCE, self.submitted.recv()).await.unwrap().unwrap();
        Published::read(submission, &table(), &Chirpstack::default().event_topic, UnixMs(0)).unwrap()
    }

    /// The next bytes from the edge; fewer if it closes the connection.
    pub(super) async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut bounded = (&mut self.stream).take(count as u64);
        timeout(PATIENCE, bounded.read_to_end(&mut bytes)).await.unwrap().unwrap();
        bytes
    }
}
