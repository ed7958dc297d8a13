//! The field daemon without its sockets and threads: what waits is judged, stored as one transaction, and only then
//! answered. Judging and rules are the real ones, put together by the same [`Ledger`] as in the committer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use batch::{BoxId, Checkpoint, SigningKey, TreeHead};
use gatewayd::ledger::{Ledger, Setup, Touched};
use gatewayd::upkeep::Upkeep;
use ingest::{Arrival, DeviceTable, Ingest, Judgement, Network, Ruling, Verdict};
use journal::{Journal, Reader, Segment, SegmentChange, Transaction};
use lorawan::Region;
use record::{Actor, Body, Boot, ClockSet, DossierVersion, Outfall, Record, Seq, SourceId, Stamp};
use rules::{Aggregates, Aggregation, Engine, RuleSet};

use crate::broken::Fault;
use crate::disk::Disk;
use crate::field::{OUTFALLS, RULES, dossier};
use crate::keeping::{LIMITS, TABLES};

/// Frames that may wait to be judged (B1); as in the daemon, but small enough that bursts reach it.
pub(crate) const QUEUE_FRAMES_MAX: usize = 8;
/// Frames in one transaction.
const ROWS_MAX: usize = 6;
/// The tree head is signed after so many records.
const CHECKPOINT_RECORDS: u64 = 40;

/// A frame that waits to be judged.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Who is answered.
    pub(crate) device: usize,
    pub(crate) turn: u64,
    pub(crate) sent_ms: u64,
    pub(crate) packet_id: u16,
    pub(crate) bytes: Vec<u8>,
    pub(crate) arrival: Arrival,
}

/// What a frame is to be answered.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) waiting: Waiting,
    pub(crate) source: Option<SourceId>,
    /// Stored, or known to be: to be acknowledged.
    pub(crate) kept: bool,
    pub(crate) downlink: Option<Vec<u8>>,
}

/// A transaction before it is stored.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) transaction: Transaction,
    pub(crate) judged: Vec<Judged>,
    /// What was let go before, and is counted in it.
    lost: BTreeMap<Option<SourceId>, u64>,
}

/// The daemon.
#[derive(Debug)]
pub(crate) struct Gateway {
    setup: Setup,
    journal: Journal,
    pub(crate) reader: Reader,
    pub(crate) ledger: Ledger,
    /// When it was started: its rules were told that time.
    pub(crate) started: Stamp,
    pub(crate) queue: VecDeque<Waiting>,
    /// What came to nothing since the last transaction that was stored.
    lost: BTreeMap<Option<SourceId>, u64>,
    box_id: BoxId,
    key: SigningKey,
    /// None while it has its turn.
    pub(crate) upkeep: Option<Upkeep>,
    pub(crate) fault: Option<Fault>,
}

pub(crate) fn rules() -> RuleSet {
    RuleSet::from_toml(RULES).expect("the rules")
}

/// Of minutes, and of two so that a restart falls into an open window.
pub(crate) fn aggregation() -> Aggregation {
    let periods = ["1m", "2m"].map(|period| period.parse().expect("a period")).into();
    Aggregation { periods, late_s: 15, ..Aggregation::default() }
}

pub(crate) fn setup(devices: DeviceTable) -> Setup {
    Setup {
        devices: Arc::new(devices),
        network: Network::standard(Region::Eu868),
        rules: rules(),
        aggregation: aggregation(),
        // Little enough that the listener uses it up.
        evidence_bytes_per_hour_max: 1_024,
    }
}

impl Gateway {
    /// Starts on what the disk has. `None` if the disk does not take what a start must journal: systemd tries again.
    pub(crate) fn start(
        setup: Setup,
        (box_id, key): (BoxId, SigningKey),
        disk: &Disk,
        stamp: impl FnOnce(&Reader) -> (Stamp, bool),
        fault: Option<Fault>,
    ) -> Option<Gateway> {
        let path = disk.journal();
        let mut journal = Journal::open(&path, box_id.as_str()).ok()?.with_tables(TABLES);
        journal.fill_disk(disk.journal_full).expect("a bound");
        let reader = Reader::open(&path).expect("the journal that was just opened");
        let (stamp, is_new_boot) = stamp(&reader);
        if is_new_boot {
            let body = Body::Boot(Boot { boot_id: format!("boot-{}", stamp.boot), version: "sim".into() });
            let records = vec![Record { stamp, body }];
            journal.commit(&Transaction { records, ..Transaction::default() }).ok()?;
        }
        let ledger = restore(&setup, &reader, fault);
        let (queue, lost) = (VecDeque::new(), BTreeMap::new());
        let upkeep = Some(Upkeep::new(Reader::open(&path).ok()?, LIMITS));
        let mut gateway =
            Gateway { setup, journal, reader, ledger, started: stamp, queue, lost, box_id, key, upkeep, fault };
        let known = gateway.journal.codecs().expect("codecs");
        let devices = gateway.setup.devices.clone();
        let end = gateway.journal.end();
        let mut transaction = gateway.ledger.outstanding(&devices, &known, stamp, end);
        for dossier in OUTFALLS.map(dossier) {
            if gateway.ledger.register.dossier(&dossier.code).is_none() {
                let (by, reason) = (Actor::User(0), String::new());
                let version = DossierVersion { version: 1, by, reason, dossier, told: None };
                let body = Body::Outfall(Outfall::Dossier(Box::new(version)));
                gateway.ledger.append(Record { stamp, body }, end, &mut transaction);
            }
        }
        if !transaction.is_empty() {
            gateway.journal.commit(&transaction).ok()?;
        }
        Some(gateway)
    }

    /// Takes a frame from a socket; one too many is let go, counted, and not acknowledged (A2, A3).
    pub(crate) fn receive(&mut self, waiting: Waiting, source: Option<SourceId>) -> bool {
        if self.queue.len() >= QUEUE_FRAMES_MAX && self.fault != Some(Fault::QueuesWithoutBound) {
            *self.lost.entry(source).or_default() += 1;
            return false;
        }
        self.queue.push_back(waiting);
        true
    }

    /// Judges what waits, behind what is new of the clock. Nothing of it is stored yet.
    pub(crate) fn judge(&mut self, news: Option<(Stamp, ClockSet)>, mut stamp: impl FnMut() -> Stamp) -> Draft {
        let lost = match self.fault {
            Some(Fault::ForgetsWhatItLost) => BTreeMap::new(),
            _ => std::mem::take(&mut self.lost),
        };
        let (mut transaction, mut touched) = (Transaction::default(), Touched::new());
        let mut judged = Vec::new();
        let end = self.journal.end();
        if let Some((stamp, set)) = news {
            self.ledger.append(Record { stamp, body: Body::Clock(set) }, end, &mut transaction);
        }
        for waiting in self.queue.drain(..self.queue.len().min(ROWS_MAX)) {
            let stamp = stamp();
            let verdict = verdict(&mut self.ledger.ingest, &self.setup.devices, waiting.arrival.clone(), stamp);
            self.ledger.note(&verdict, &mut transaction, &mut touched);
            let Verdict { source, ruling, downlink, .. } = verdict;
            let (body, kept) = match ruling {
                Ruling::Accepted { frame, .. } => (Some(Body::Frame(frame)), true),
                Ruling::Duplicate | Ruling::Told { .. } => (None, true),
                Ruling::Rejected { evidence, .. } => {
                    let kept = evidence.is_some();
                    (evidence.map(Body::Rejected), kept)
                }
            };
            if let Some(body) = body {
                self.ledger.append(Record { stamp, body }, end, &mut transaction);
            }
            judged.push(Judged { waiting, source, kept, downlink: downlink.map(|downlink| downlink.phy) });
        }
        for (source, shed) in &lost {
            self.ledger.note_lost(source.clone(), *shed, 0, &mut touched);
        }
        self.ledger.close(touched, &mut transaction);
        if self.fault == Some(Fault::KeepsAlarmsToItself) {
            transaction.records.retain(|record| !matches!(record.body, Body::Alarm(_)));
        }
        Draft { transaction, judged, lost }
    }

    /// Stores a transaction. If that fails nothing of it is believed any more.
    pub(crate) fn commit(&mut self, draft: &Draft) -> bool {
        if self.journal.commit(&draft.transaction).is_ok() {
            return true;
        }
        for (source, shed) in &draft.lost {
            *self.lost.entry(source.clone()).or_default() += shed;
        }
        for judged in &draft.judged {
            *self.lost.entry(judged.source.clone()).or_default() += 1;
        }
        self.restore();
        false
    }

    /// Stores a step of the upkeep, with the records that tell what it takes away.
    pub(crate) fn keep(&mut self, records: impl Iterator<Item = Record>, segments: Vec<SegmentChange>) -> bool {
        let mut transaction = Transaction { segments, ..Transaction::default() };
        let end = self.journal.end();
        records.for_each(|record| self.ledger.append(record, end, &mut transaction));
        let stored = self.journal.commit(&transaction).is_ok();
        if !stored {
            self.restore();
        }
        stored
    }

    fn restore(&mut self) {
        let mut ledger = restore(&self.setup, &self.reader, None);
        ledger.ingest.take_strangers(&mut self.ledger.ingest);
        self.ledger = ledger;
    }

    pub(crate) fn segments(&self) -> Vec<Segment> {
        self.journal.segments().expect("segments")
    }

    /// Signs the tree head if it grew enough.
    pub(crate) fn checkpoint(&mut self, stamp: Stamp) {
        let size = self.journal.end().0;
        let signed = self.journal.checkpoint_size().expect("checkpoints");
        if size < signed + CHECKPOINT_RECORDS {
            return;
        }
        let head = TreeHead { size, root: self.journal.frontier().root() };
        let checkpoint = Checkpoint { box_id: self.box_id.clone(), head, stamp };
        // On a full disk it is signed later.
        let _ = self.journal.keep_checkpoint(size, &checkpoint.sign(&self.key));
    }

    pub(crate) fn devices(&self) -> Arc<DeviceTable> {
        self.setup.devices.clone()
    }

    pub(crate) fn fill(&self, full: bool) {
        self.journal.fill_disk(full).expect("a bound");
    }

    /// Where it believes the journal to end.
    pub(crate) fn end(&self) -> Seq {
        self.journal.end()
    }
}

/// Judged, decoded if it must be, and judged again.
fn verdict(ingest: &mut Ingest, devices: &DeviceTable, arrival: Arrival, stamp: Stamp) -> Verdict {
    match ingest.judge(arrival, stamp) {
        Judgement::Verdict(verdict) => verdict,
        Judgement::Undecoded(undecoded) => {
            let decoded = undecoded.decode(devices, stamp.wall_ms);
            verdict(ingest, devices, decoded, stamp)
        }
    }
}

fn restore(setup: &Setup, reader: &Reader, fault: Option<Fault>) -> Ledger {
    let mut ledger = Ledger::restore(setup, reader).expect("a journal that can be read back");
    if fault == Some(Fault::ForgetsItsRules) {
        ledger.engine = Engine::new(setup.rules.clone());
    }
    if fault == Some(Fault::ForgetsOpenWindows) {
        ledger.aggregates = Aggregates::new(setup.aggregation.clone());
    }
    ledger
}
