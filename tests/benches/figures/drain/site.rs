//! A box whose gateway is played, its upload daemon, and its platforms behind relays on one link.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use batch::{BoxId, Checkpoint, Content, Row, SigningKey, TreeHead};
use journal::{Journal, Outbox, Transaction};
use record::{
    AlarmState, AlarmTransition, Body, Decimal, Frame, LimitSide, Link, Quantity, Reading, Record, RuleId, Seq,
    SourceId, Stamp,
};
use serde_json::json;
use system_tests::Relay;

use super::SENSORS;
use super::series::Series;
use crate::Plan;
use crate::process::{Memory, Process, free_port};

const BOX: &str = "outfall-1";
const SEED: [u8; 32] = [0x3c; 32];
/// Frames of a transaction: as many as a busy gateway commits together.
const FRAMES_PER_COMMIT: usize = 1_000;
/// A gateway signs its tree every ten minutes.
const FRAMES_PER_CHECKPOINT: usize = SENSORS * 10;
/// Nothing measured here takes longer.
const TIME_MAX: Duration = Duration::from_secs(3_600);
const LOOK_EVERY: Duration = Duration::from_millis(5);

pub(crate) struct Site {
    folder: tempfile::TempDir,
    weir: PathBuf,
    journal: Journal,
    key: SigningKey,
    stamp: Option<Stamp>,
    names: Vec<&'static str>,
    pub(crate) relays: Vec<Relay>,
    platforms: Vec<(Process, u16)>,
    sync: Option<Process>,
}

impl Site {
    /// With platforms of these names, all of them over one link.
    pub(crate) fn new(plan: &Plan, names: &[&'static str]) -> io::Result<Site> {
        let folder = tempfile::tempdir_in(&plan.folder)?;
        let key = SigningKey::from_seed(&SEED);
        let identity = folder.path().join("state/identity");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&identity)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(identity.join("box.key"))?;
        writeln!(file, "{}", hex::encode(SEED))?;
        let journal = Journal::open(&folder.path().join("state/journal/journal.db"), BOX).map_err(io::Error::other)?;
        let weir = plan.weir.clone();
        let mut site = Site {
            folder,
            weir,
            journal,
            key,
            stamp: None,
            names: names.to_vec(),
            relays: Vec::new(),
            platforms: Vec::new(),
            sync: None,
        };
        let mut text = "state_dir = \"state\"\nrun_dir = \"run\"\n".to_owned();
        for name in names {
            text.push_str(&site.start_platform(name)?);
        }
        fs::write(site.folder.path().join("sync.toml"), text)?;
        Ok(site)
    }

    /// Starts a platform and a relay before it; its part of `sync.toml`.
    fn start_platform(&mut self, name: &str) -> io::Result<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let config = format!(
            "name = \"{name}\"\nlisten = \"{address}\"\nstate_dir = \"{name}\"\n[[box]]\nid = \"{BOX}\"\nkey = \"{}\"\n",
            self.key.public()
        );
        let path = self.folder.path().join(format!("{name}.toml"));
        fs::write(&path, config)?;
        let mut command = Command::new(&self.weir);
        command.args(["platform", "run", "--config"]).arg(&path);
        let mut process = Process::start(&mut command, &path.with_extension("log"))?;
        process.wait_for(address)?;
        self.platforms.push((process, address.port()));
        let relay = match self.relays.first() {
            Some(first) => first.beside(address.port()),
            None => Relay::start(address.port()),
        };
        let key = fs::read_to_string(self.folder.path().join(name).join("platform.pub"))?;
        let text = format!(
            "[[destination]]\nname = \"{name}\"\nurl = \"https://127.0.0.1:{}/\"\nca_file = \"{name}/tls.crt\"\nkey = \"{}\"\n",
            relay.port,
            key.trim()
        );
        self.relays.push(relay);
        Ok(text)
    }

    /// Where a platform listens itself.
    pub(crate) fn platform_port(&self, at: usize) -> u16 {
        self.platforms[at].1
    }

    pub(crate) fn platform_cert(&self, at: usize) -> PathBuf {
        self.folder.path().join(self.names[at]).join("tls.crt")
    }

    /// Commits so many frames of a series; `each` sees them too.
    pub(crate) fn fill(
        &mut self,
        series: &mut Series,
        frames: usize,
        mut each: impl FnMut(&Row, &[Reading]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut left = frames;
        while left > 0 {
            let rows: Vec<Row> = series.take(left.min(FRAMES_PER_COMMIT.min(FRAMES_PER_CHECKPOINT))).collect();
            left -= rows.len();
            let mut records = Vec::with_capacity(rows.len());
            for row in rows {
                let Content::Readings { readings, .. } = &row.content else { continue };
                each(&row, readings)?;
                self.stamp = Some(row.stamp);
                records.push(frame(row));
            }
            let committed = self.commit(records)?;
            let checkpoint = Checkpoint { box_id: box_id()?, head: committed, stamp: self.stamp()? };
            let signed = checkpoint.sign(&self.key);
            self.journal.keep_checkpoint(committed.size, &signed).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn commit(&mut self, records: Vec<Record>) -> io::Result<TreeHead> {
        let transaction = Transaction { records, ..Transaction::default() };
        let committed = self.journal.commit(&transaction).map_err(io::Error::other)?;
        Ok(TreeHead { size: committed.frontier.size(), root: committed.frontier.root() })
    }

    fn stamp(&self) -> io::Result<Stamp> {
        self.stamp.ok_or_else(|| io::Error::other("the journal is empty"))
    }

    pub(crate) fn start_sync(&mut self) -> io::Result<()> {
        let mut command = Command::new(&self.weir);
        command.args(["sync", "run", "--config"]).arg(self.folder.path().join("sync.toml"));
        let mut process = Process::start(&mut command, &self.folder.path().join("sync.log"))?;
        process.wait_for_file(&self.folder.path().join("run/sync.sock"))?;
        self.sync = Some(process);
        Ok(())
    }

    pub(crate) fn sync_cpu(&self) -> io::Result<Duration> {
        self.sync.as_ref().map_or(Ok(Duration::ZERO), Process::cpu)
    }

    pub(crate) fn sync_memory(&self) -> io::Result<Memory> {
        self.sync.as_ref().map_or(Ok(Memory::default()), Process::memory)
    }

    fn until(&self, what: &str, is_so: impl Fn() -> io::Result<bool>) -> io::Result<()> {
        let begun = Instant::now();
        while !is_so()? {
            if begun.elapsed() > TIME_MAX {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("not within an hour: {what}")));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn outbox(&self) -> io::Result<Outbox> {
        Outbox::open_read_only(&self.folder.path().join("state/outbox/outbox.db")).map_err(io::Error::other)
    }

    /// Whether every platform gave receipts for this record, and for all before it if it is the last.
    fn is_receipted(&self, seq: Seq) -> io::Result<bool> {
        let outbox = self.outbox()?;
        for name in &self.names {
            if !outbox.coverage(name).map_err(io::Error::other)?.contains(seq) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Until the platforms have everything.
    pub(crate) fn until_drained(&self) -> io::Result<()> {
        let end = self.journal.end();
        self.until("the platforms have everything", || {
            let outbox = self.outbox()?;
            let mut all = true;
            for name in &self.names {
                all &= outbox.coverage(name).map_err(io::Error::other)?.len() >= end.0;
            }
            Ok(all)
        })
    }

    /// Until so many bytes have left.
    pub(crate) fn until_passed(&self, bytes: u64) -> io::Result<()> {
        let passed = || self.relays.iter().map(|relay| relay.passed().request).sum::<u64>();
        self.until("the backlog leaves", || Ok(passed() >= bytes))
    }

    /// How long an alarm takes to the receipts of all platforms.
    pub(crate) fn raise_alarm(&mut self) -> io::Result<Duration> {
        let begun = Instant::now();
        let seq = self.journal.end();
        let record = alarm(self.stamp()?, Seq(seq.0 - 1))?;
        self.commit(vec![record])?;
        self.until("the alarm's receipts", || self.is_receipted(seq))?;
        Ok(begun.elapsed())
    }

    /// The link comes back, and the box is told: how long to the first byte, and to the first receipt.
    pub(crate) fn link_returns(&self) -> io::Result<(Duration, Duration)> {
        let before = self.relays[0].passed().request;
        self.relays[0].set_up(true);
        let begun = Instant::now();
        let told = control(&self.folder.path().join("run/sync.sock"), &json!({ "do": "link_up" }))?;
        debug_assert_eq!(told["ok"], true);
        self.until("the first byte", || Ok(self.relays[0].passed().request > before))?;
        let first = begun.elapsed();
        self.until("the first receipt", || self.is_receipted(Seq(0)))?;
        Ok((first, begun.elapsed()))
    }
}

/// One request to a control socket.
fn control(socket: &std::path::Path, request: &serde_json::Value) -> io::Result<serde_json::Value> {
    use std::io::{BufRead, BufReader};
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    writeln!(stream, "{request}")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    serde_json::from_str(&line).map_err(io::Error::other)
}

fn box_id() -> io::Result<BoxId> {
    BoxId::new(BOX).map_err(io::Error::other)
}

/// The frame that a sensor sent, in JSON, and what was read in it.
fn frame(row: Row) -> Record {
    let Row { stamp, content, .. } = row;
    let Content::Readings { source, codec, readings, texts } = content else {
        unreachable!("a series has readings only")
    };
    let field = |reading: &Reading| format!("\"{}\":{}", reading.quantity, reading.value.unwrap_or(Decimal::from(0)));
    let raw = format!("{{{}}}", readings.iter().map(field).collect::<Vec<_>>().join(",")).into_bytes();
    let link = Link::Mqtt { topic: format!("d/{source}/up"), qos: 1, packet_id: Some(7), level: 4, seal: None };
    Record { stamp, body: Body::Frame(Frame { source, link, raw, readings, codec, texts }) }
}

fn alarm(stamp: Stamp, cause: Seq) -> io::Result<Record> {
    let body = Body::Alarm(AlarmTransition {
        rule: RuleId::new("cod-high").map_err(io::Error::other)?,
        source: SourceId::new("outfall-01").map_err(io::Error::other)?,
        quantity: Quantity::new("cod").map_err(io::Error::other)?,
        from: AlarmState::Normal,
        to: AlarmState::Unacknowledged,
        limit: Decimal::from(80),
        side: LimitSide::High,
        value: Some(Decimal::from(99)),
        cause,
        grounds: None,
        suppression: None,
    });
    Ok(Record { stamp, body })
}
