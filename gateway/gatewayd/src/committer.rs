//! The one thread that judges, stores and only then acknowledges (A1, A2).
//!
//! It takes what is waiting as one transaction: while one is being synced the next one gathers, so the group grows with
//! the load and nothing waits when there is none. Alarms that a frame causes are stored in the transaction of that frame.
//! When a commit fails, everything derived from its frames is forgotten and rebuilt from what is stored, exactly as a
//! restart does it; nobody is acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use batch::{BoxId, Checkpoint, SigningKey, TreeHead};
use ingest::{Arrival, DeviceTable, EvidenceBudget, Ingest, Ruling, Verdict};
use journal::{DeviceRow, Journal, Reader, StoreError, Transaction};
use mqtt::{Outcome, Submission};
use record::{AlarmTransition, Body, Boot, GatewayEui, Link, MonoMs, Record, RecordAt, Seq, SeqRange, SourceId};
use rules::{Engine, RuleSet};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{Instant, timeout_at};

use crate::board::Board;
use crate::clock::{Clock, mono_ms};
use crate::config::{CheckpointEvery, Commit, Evidence};
use crate::error::StartError;
use crate::job::{Confirmation, Heard, Lost};

/// Records read back at start, so that redeliveries are recognised and rules stand where they stood: at one frame a
/// second about five hours, read in well under a second.
const REPLAY_RECORDS_MAX: u64 = 20_000;
/// Alarm records before those, read back so that each alarm starts in its true state.
const REPLAY_ALARMS_MAX: usize = 10_000;

/// What the committer is made of.
pub(crate) struct Parts {
    pub(crate) box_id: BoxId,
    pub(crate) key: SigningKey,
    pub(crate) journal_path: PathBuf,
    pub(crate) devices: Arc<DeviceTable>,
    pub(crate) rules: RuleSet,
    pub(crate) commit: Commit,
    pub(crate) checkpoint: CheckpointEvery,
    pub(crate) evidence: Evidence,
    pub(crate) boot_id: String,
    pub(crate) board: Arc<Mutex<Board>>,
    pub(crate) lost: Arc<Mutex<Lost>>,
    pub(crate) confirmations: Sender<Confirmation>,
}

/// The committer's state.
pub(crate) struct Committer {
    parts: Parts,
    journal: Journal,
    clock: Clock,
    ingest: Ingest,
    engine: Engine,
    rows: BTreeMap<Option<SourceId>, DeviceRow>,
    checkpoint_at: MonoMs,
    checkpoint_size: u64,
}

/// A frame that waits for its transaction, and who waits for its answer.
enum Waiting {
    Mqtt(mqtt::Reply),
    Lora(Heard),
}

impl Committer {
    /// Opens the journal, notes a new boot, and reads back what judging must remember.
    pub(crate) fn open(parts: Parts) -> Result<Committer, StartError> {
        let mut journal = Journal::open(&parts.journal_path, parts.box_id.as_str()).map_err(StartError::Journal)?;
        let reader = Reader::open(&parts.journal_path).map_err(StartError::Journal)?;
        let clock = start_clock(&mut journal, &reader, &parts.boot_id).map_err(StartError::Journal)?;
        let checkpoint_size = journal.checkpoint_size().map_err(StartError::Journal)?;
        let (rows, ingest, engine) = restore(&parts, &reader)?;
        let checkpoint_at = mono_ms();
        let mut committer = Committer { parts, journal, clock, ingest, engine, rows, checkpoint_at, checkpoint_size };
        committer.journal_outstanding()?;
        committer.note_all();
        Ok(committer)
    }

    /// Serves until both queues are closed and empty.
    pub(crate) async fn run(mut self, mut mqtt: Receiver<Submission>, mut lora: Receiver<Heard>) {
        let mut submissions = Vec::new();
        let mut heard = Vec::new();
        while gather(&mut mqtt, &mut lora, &mut submissions, &mut heard, self.wait()).await {
            self.apply(&mut submissions, &mut heard);
            self.sign_checkpoint();
        }
        self.checkpoint_at = MonoMs(0);
        self.sign_checkpoint();
        log::info!(records = self.journal.end().0; "committer stopped");
    }

    fn wait(&self) -> Gathering {
        let Commit { linger_ms, rows_max } = self.parts.commit;
        let due = self.checkpoint_at.0.saturating_add(self.parts.checkpoint.seconds_max.saturating_mul(1_000));
        let idle = Duration::from_millis(due.saturating_sub(mono_ms().0).clamp(1, 60_000));
        Gathering { linger: Duration::from_millis(linger_ms), rows_max, idle }
    }

    /// One transaction: judge everything gathered, store it, then answer.
    fn apply(&mut self, submissions: &mut Vec<Submission>, heard: &mut Vec<Heard>) {
        let mut transaction = Transaction::default();
        let mut verdicts = Vec::with_capacity(submissions.len() + heard.len());
        let mut touched = BTreeSet::new();
        for submission in submissions.drain(..) {
            let (arrival, reply) = from_mqtt(submission);
            let Some(arrival) = arrival else { continue };
            let verdict = self.judge(arrival, &mut transaction, &mut touched);
            verdicts.push((verdict, Waiting::Mqtt(reply)));
        }
        for heard in heard.drain(..) {
            let verdict = self.judge(from_lora(&heard), &mut transaction, &mut touched);
            verdicts.push((verdict, Waiting::Lora(heard)));
        }
        self.take_lost(&mut touched);
        for source in touched {
            let row = self.rows.entry(source.clone()).or_default();
            transaction.devices.insert(source, row.clone());
        }
        if transaction.is_empty() {
            return;
        }
        match self.journal.commit(&transaction) {
            Ok(_) => self.settle(verdicts, &transaction),
            Err(error) => self.give_up(verdicts, error),
        }
    }

    fn judge(
        &mut self,
        arrival: Arrival,
        transaction: &mut Transaction,
        touched: &mut BTreeSet<Option<SourceId>>,
    ) -> Verdict {
        let stamp = self.clock.stamp();
        let verdict = self.ingest.judge(arrival, stamp);
        let row = self.rows.entry(verdict.source.clone()).or_default();
        touched.insert(verdict.source.clone());
        if let Some(source) = verdict.source.as_ref().filter(|_| verdict.session_changed) {
            row.session = self.ingest.session(source);
        }
        let body = match &verdict.ruling {
            Ruling::Accepted { frame, .. } => {
                row.tally.accepted += 1;
                Some(Body::Frame(frame.clone()))
            }
            Ruling::Duplicate => {
                row.tally.duplicate += 1;
                None
            }
            Ruling::Rejected { evidence, .. } => {
                row.tally.rejected += 1;
                evidence.clone().map(Body::Rejected)
            }
        };
        if let Some(body) = body {
            self.append(Record { stamp, body }, transaction);
        }
        verdict
    }

    /// Appends a record and the alarm transitions that it causes (R1: journaled before anyone sees them).
    fn append(&mut self, record: Record, transaction: &mut Transaction) {
        let stamp = record.stamp;
        let transitions = self.push(record, transaction);
        for step in transitions {
            // An alarm's own record confirms it; it causes nothing further.
            drop(self.push(Record { stamp, body: Body::Alarm(step) }, transaction));
        }
    }

    fn push(&mut self, record: Record, transaction: &mut Transaction) -> Vec<AlarmTransition> {
        let ahead = u64::try_from(transaction.records.len()).unwrap_or(u64::MAX);
        let record = RecordAt { seq: Seq(self.journal.end().0.saturating_add(ahead)), record };
        let transitions = self.engine.apply(&record);
        transaction.records.push(record.record);
        transitions
    }

    /// Journals what the rules found while reading back: a rule that was changed judges the last hours anew.
    fn journal_outstanding(&mut self) -> Result<(), StartError> {
        let steps: Vec<AlarmTransition> = self.engine.outstanding().cloned().collect();
        let mut transaction = Transaction::default();
        let stamp = self.clock.stamp();
        for step in steps {
            drop(self.push(Record { stamp, body: Body::Alarm(step) }, &mut transaction));
        }
        if !transaction.is_empty() {
            self.journal.commit(&transaction).map_err(StartError::Journal)?;
        }
        Ok(())
    }

    /// Takes over what the sockets had to let go, so that it is counted for ever (A3).
    fn take_lost(&mut self, touched: &mut BTreeSet<Option<SourceId>>) {
        let lost = std::mem::take(&mut *self.parts.lost.lock().unwrap_or_else(PoisonError::into_inner));
        for (source, counts) in lost {
            let tally = &mut self.rows.entry(source.clone()).or_default().tally;
            tally.shed += counts.shed;
            tally.rejected += counts.rejected;
            touched.insert(source);
        }
    }

    /// Everything of the transaction is durable: acknowledge.
    fn settle(&mut self, verdicts: Vec<(Verdict, Waiting)>, transaction: &Transaction) {
        let now = mono_ms();
        let mut board = self.parts.board.lock().unwrap_or_else(PoisonError::into_inner);
        for (verdict, waiting) in verdicts {
            board.judged(&verdict, now);
            log_refusal(&verdict);
            match waiting {
                Waiting::Mqtt(reply) => reply.settle(outcome(verdict.ruling)),
                Waiting::Lora(heard) => {
                    let Some(phy) = verdict.downlink else { continue };
                    // A full channel means a socket that does not take our answers; the device repeats its frame.
                    if self.parts.confirmations.try_send(Confirmation { heard, phy }).is_err() {
                        log::warn!("downlink queue is full, a LoRaWAN acknowledgement is left out");
                    }
                }
            }
        }
        for (source, row) in &transaction.devices {
            board.tally(source, row);
        }
        let alarms = transaction.records.iter().filter_map(|record| match &record.body {
            Body::Alarm(step) => Some(step),
            _ => None,
        });
        for step in alarms {
            log::warn!(
                rule:% = step.rule, source:% = step.source, from = step.from.as_str(), to = step.to.as_str(),
                value:? = step.value; "alarm"
            );
        }
        board.alarms(self.engine.alarms());
        board.journal.commits += 1;
        board.journal.failing = None;
        drop(board);
        self.note_journal();
    }

    /// Nothing of the transaction is stored: acknowledge nobody, and forget what was believed.
    fn give_up(&mut self, verdicts: Vec<(Verdict, Waiting)>, error: StoreError) {
        let why = crate::error::chain(&error);
        log::error!(frames = verdicts.len(), error = why.as_str(); "frames are not stored and not acknowledged");
        {
            let mut board = self.parts.board.lock().unwrap_or_else(PoisonError::into_inner);
            board.journal.commits_failed += 1;
            board.journal.failing = Some(why);
        }
        for (_, waiting) in verdicts {
            if let Waiting::Mqtt(reply) = waiting {
                reply.settle(Outcome::Failed);
            }
        }
        let restored = Reader::open(&self.parts.journal_path)
            .map_err(StartError::Journal)
            .and_then(|reader| restore(&self.parts, &reader));
        match restored {
            Ok((rows, ingest, engine)) => (self.rows, self.ingest, self.engine) = (rows, ingest, engine),
            Err(error) => {
                // What is believed no longer equals what is stored, so nothing may be judged by it.
                log::error!(error = crate::error::chain(&error).as_str(); "the journal cannot be read back, restarting");
                std::process::exit(crate::EXIT_RESTART);
            }
        }
    }

    /// Signs the tree head when enough records or enough time have passed since the last one.
    fn sign_checkpoint(&mut self) {
        let size = self.journal.end().0;
        let now = mono_ms();
        let CheckpointEvery { records_max, seconds_max } = self.parts.checkpoint;
        let aged = now.0.saturating_sub(self.checkpoint_at.0) >= seconds_max.saturating_mul(1_000);
        if size == self.checkpoint_size || (size - self.checkpoint_size < records_max && !aged) {
            if aged {
                self.checkpoint_at = now;
            }
            return;
        }
        let head = TreeHead { size, root: self.journal.frontier().root() };
        let checkpoint = Checkpoint { box_id: self.parts.box_id.clone(), head, stamp: self.clock.stamp() };
        match self.journal.keep_checkpoint(size, &checkpoint.sign(&self.parts.key)) {
            Ok(()) => (self.checkpoint_at, self.checkpoint_size) = (now, size),
            Err(error) => log::warn!(error = crate::error::chain(&error).as_str(); "checkpoint is not stored"),
        }
        self.note_journal();
    }

    fn note_journal(&self) {
        let mut board = self.parts.board.lock().unwrap_or_else(PoisonError::into_inner);
        board.journal.records = self.journal.end().0;
        board.journal.root = self.journal.frontier().root().to_string();
        board.journal.checkpoint = self.checkpoint_size;
    }

    fn note_all(&self) {
        self.note_journal();
        let mut board = self.parts.board.lock().unwrap_or_else(PoisonError::into_inner);
        for (source, row) in &self.rows {
            board.tally(source, row);
        }
        board.alarms(self.engine.alarms());
    }
}

/// How long to wait for what.
struct Gathering {
    linger: Duration,
    rows_max: usize,
    idle: Duration,
}

/// Waits for the first frame, at most `idle`, then takes what is waiting. `false` once both queues are closed.
async fn gather(
    mqtt: &mut Receiver<Submission>,
    lora: &mut Receiver<Heard>,
    submissions: &mut Vec<Submission>,
    heard: &mut Vec<Heard>,
    wait: Gathering,
) -> bool {
    let idle = tokio::time::sleep(wait.idle);
    let open = tokio::select! {
        biased;
        count = lora.recv_many(heard, wait.rows_max) => count > 0,
        count = mqtt.recv_many(submissions, wait.rows_max) => count > 0,
        () = idle => return true,
    };
    if !open {
        // One side is closed: serve the other alone until it is closed too.
        let count = if lora.is_closed() && lora.is_empty() {
            mqtt.recv_many(submissions, wait.rows_max).await
        } else {
            lora.recv_many(heard, wait.rows_max).await
        };
        return count > 0;
    }
    let until = Instant::now() + wait.linger;
    loop {
        while submissions.len() + heard.len() < wait.rows_max {
            match lora.try_recv() {
                Ok(frame) => heard.push(frame),
                Err(_) => match mqtt.try_recv() {
                    Ok(submission) => submissions.push(submission),
                    Err(_) => break,
                },
            }
        }
        let room = wait.rows_max.saturating_sub(submissions.len() + heard.len());
        if wait.linger.is_zero() || room == 0 || Instant::now() >= until {
            return true;
        }
        let more = async {
            tokio::select! {
                count = lora.recv_many(heard, room) => count,
                count = mqtt.recv_many(submissions, room) => count,
            }
        };
        if matches!(timeout_at(until, more).await, Err(_) | Ok(0)) {
            return true;
        }
    }
}

fn from_mqtt(submission: Submission) -> (Option<Arrival>, mqtt::Reply) {
    let Submission { device, topic, payload, qos, packet_id, dup, level, reply } = submission;
    // The edge authenticates by the device table, whose names are source ids.
    let arrival = SourceId::new(&device).ok().map(|device| Arrival::Mqtt {
        device,
        link: Link::Mqtt { topic: topic.to_string(), qos, packet_id, level },
        dup,
        payload: payload.to_vec(),
    });
    (arrival, reply)
}

fn from_lora(heard: &Heard) -> Arrival {
    Arrival::Lora {
        gateway: GatewayEui(heard.gateway.0),
        frequency_hz: heard.rxpk.frequency_hz,
        data_rate: heard.rxpk.data_rate.to_string(),
        rssi_dbm: heard.rxpk.rssi_dbm,
        snr_ddb: heard.rxpk.snr_ddb,
        tmst_us: heard.rxpk.tmst_us,
        phy: heard.rxpk.phy.clone(),
    }
}

fn outcome(ruling: Ruling) -> Outcome {
    match ruling {
        Ruling::Accepted { .. } => Outcome::Stored,
        Ruling::Duplicate => Outcome::Duplicate,
        Ruling::Rejected { detail, evidence: Some(_), .. } => Outcome::Refused { reason: detail },
        // Not kept, so not acknowledged (A2).
        Ruling::Rejected { evidence: None, .. } => Outcome::Failed,
    }
}

fn log_refusal(verdict: &Verdict) {
    if let Ruling::Rejected { why, detail, .. } = &verdict.ruling {
        let source = verdict.source.as_ref().map_or("unknown", SourceId::as_str);
        log::debug!(source, why = why.as_str(), detail = detail.as_str(); "frame refused");
    }
}

/// Which boot this is: the newest one in the journal if the kernel's boot id is the same, else the next one, which
/// becomes the first record of that boot.
fn start_clock(journal: &mut Journal, reader: &Reader, boot_id: &str) -> Result<Clock, StoreError> {
    let end = journal.end().0;
    let newest = match end.checked_sub(1) {
        Some(last) => reader.read(SeqRange { first: Seq(last), last: Seq(last) }, usize::MAX)?.pop(),
        None => None,
    };
    let newest_ms = newest.as_ref().map(|last| last.record.stamp.wall_ms);
    let version = env!("CARGO_PKG_VERSION");
    let last_boot = reader.last_boot()?.map(|at| (at.record.stamp.boot, at.record.body));
    let boot = match last_boot {
        Some((boot, Body::Boot(known))) if known.boot_id == boot_id && known.version == version => {
            return Ok(Clock::new(boot, newest_ms));
        }
        Some((boot, Body::Boot(known))) if known.boot_id == boot_id => boot,
        Some((boot, _)) => record::BootNo(boot.0.saturating_add(1)),
        None => record::BootNo(0),
    };
    let mut clock = Clock::new(boot, newest_ms);
    let body = Body::Boot(Boot { boot_id: boot_id.into(), version: version.into() });
    let records = vec![Record { stamp: clock.stamp(), body }];
    journal.commit(&Transaction { records, ..Transaction::default() })?;
    Ok(clock)
}

type Restored = (BTreeMap<Option<SourceId>, DeviceRow>, Ingest, Engine);

/// Rebuilds from the journal what a running committer would know (R2).
fn restore(parts: &Parts, reader: &Reader) -> Result<Restored, StartError> {
    let rows = reader.devices().map_err(StartError::Journal)?;
    let sessions = rows.iter().filter_map(|(source, row)| Some((source.as_ref()?, row.session.as_slice())));
    let budget = EvidenceBudget::new(parts.evidence.bytes_per_hour_max);
    let mut ingest = Ingest::new(parts.devices.clone(), sessions, budget).map_err(StartError::Session)?;
    let mut engine = Engine::new(parts.rules.clone());
    let end = reader.position().map_err(StartError::Journal)?.end;
    let tail = Seq(end.0.saturating_sub(REPLAY_RECORDS_MAX));
    for seq in reader.alarms(Seq(0), REPLAY_ALARMS_MAX).map_err(StartError::Journal)? {
        if seq >= tail {
            break;
        }
        let alarm = reader.read(SeqRange { first: seq, last: seq }, usize::MAX).map_err(StartError::Journal)?;
        alarm.iter().for_each(|record| drop(engine.apply(record)));
    }
    let mut next = tail;
    while let Some(range) = SeqRange::new(next, Seq(end.0.saturating_sub(1))).filter(|_| next < end) {
        let records = reader.read(range, 4 * 1024 * 1024).map_err(StartError::Journal)?;
        let Some(last) = records.last() else { break };
        next = last.seq.next();
        for record in &records {
            ingest.remember(&record.record);
            // Its transitions were journaled behind it; here they only move the state.
            drop(engine.apply(record));
        }
    }
    Ok((rows, ingest, engine))
}
