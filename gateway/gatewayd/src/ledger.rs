//! What the committer believes, all of it derived from the journal, and how a verdict becomes part of a transaction.
//!
//! It has no thread, queue, clock or file of its own: the committer drives it, and so does a simulation.

mod replay;
mod shelf;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest::{CommandStep, DeviceLink, DeviceTable, EvidenceBudget, Ingest, Network, Ruling, Verdict};
use journal::{Command, CommandChange, CommandId, DeviceRow, Entries, Reader, Register, StoredCommand, Transaction};
use record::{
    Aggregate, AlarmTransition, Body, CodecId, Frame, Outfall, OutfallCode, Record, RecordAt, Rejected, Seq, SourceId,
    Stamp, Standing,
};
use rules::{Aggregates, Aggregation, Engine, RuleSet};

use crate::error::StartError;
pub(crate) use replay::{REPLAY_RECORDS, newest, read_one};
pub use shelf::{SHELVED_HOURS_MAX, SHELVED_MAX, Shelf};

/// Whose rows a transaction changes.
pub type Touched = BTreeSet<Option<SourceId>>;

/// Who may send, and what is minded: as configured.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The devices with their keys.
    pub devices: Arc<DeviceTable>,
    /// The radio's region and habits.
    pub network: Network,
    /// What raises alarms.
    pub rules: RuleSet,
    /// Which aggregates are made.
    pub aggregation: Aggregation,
    /// Most bytes of evidence kept of frames without a proof of their sender, in an hour.
    pub evidence_bytes_per_hour_max: u32,
}

/// All that is derived from the journal. After a transaction that could not be stored, restore a new one: this one
/// already believes it.
#[derive(Debug)]
pub struct Ledger {
    /// Counters, sessions and tallies; `None` stands for frames whose device could not be told.
    pub rows: BTreeMap<Option<SourceId>, DeviceRow>,
    /// Who sent what, and what is new.
    pub ingest: Ingest,
    /// The alarms.
    pub engine: Engine,
    /// What readings come to over times of the clock.
    pub aggregates: Aggregates,
    /// The newest record of each device among those that were read back.
    pub newest: BTreeMap<SourceId, Seq>,
    /// The outfalls.
    pub register: Register,
    /// What people entered by hand.
    pub manual: Entries,
    /// Alarms that are set aside.
    pub shelf: Shelf,
}

impl Ledger {
    /// Rebuilds from the journal what a running committer would know.
    ///
    /// # Errors
    /// [`StartError::Journal`], [`StartError::Session`].
    pub fn restore(setup: &Setup, reader: &Reader) -> Result<Ledger, StartError> {
        let rows = reader.devices().map_err(StartError::Journal)?;
        let sessions = rows.iter().filter_map(|(source, row)| Some((source.as_ref()?, row.session.as_slice())));
        let budget = EvidenceBudget::new(setup.evidence_bytes_per_hour_max);
        let mut ingest =
            Ingest::new(setup.devices.clone(), setup.network, sessions, budget).map_err(StartError::Session)?;
        for StoredCommand { command, sent } in reader.commands().map_err(StartError::Journal)? {
            // A command without a port is for another link, and so is that of a device which ChirpStack serves.
            let link = setup.devices.by_name(&command.device).map(|device| &device.link);
            let (Some(DeviceLink::Lorawan(_)), Some(f_port)) = (link, command.f_port) else { continue };
            let Command { id, device, payload, confirmed, .. } = command;
            ingest.queue(device, ingest::Command { id: id.0, payload, f_port, confirmed, sent });
        }
        let mut register = Register::default();
        register.catch_up(reader).map_err(StartError::Journal)?;
        for (code, _) in register.iter().filter(|(_, known)| known.dossier.is_some()) {
            ingest.know_outfall(code);
        }
        let mut manual = Entries::default();
        manual.catch_up(reader).map_err(StartError::Journal)?;
        let mut engine = Engine::new(setup.rules.clone());
        let mut aggregates = Aggregates::new(setup.aggregation.clone());
        let mut newest: BTreeMap<SourceId, Seq> = BTreeMap::new();
        let whole_from = replay::whole_from(reader).map_err(StartError::Journal)?;
        let reach_ms = setup.rules.reach_ms().max(setup.aggregation.reach_ms());
        replay::replay(reach_ms, reader, |record| {
            ingest.remember(&record.record);
            if let Body::Frame(Frame { source, .. }) | Body::Rejected(Rejected { source: Some(source), .. }) =
                &record.record.body
            {
                match newest.get_mut(source) {
                    Some(seq) => *seq = record.seq,
                    None => drop(newest.insert(source.clone(), record.seq)),
                }
            }
            // Its transitions were journaled behind it; here they only move the state.
            if record.seq >= whole_from || matches!(record.record.body, Body::Alarm(_) | Body::Outfall(_)) {
                drop(engine.apply(record));
                drop(aggregates.apply(record));
            }
        })
        .map_err(StartError::Journal)?;
        let shelf = Shelf::restore(reader).map_err(StartError::Journal)?;
        Ok(Ledger { rows, ingest, engine, aggregates, newest, register, manual, shelf })
    }

    /// What a start journals before it hears a frame, in a journal that ends at `end`: each codec that is new, before
    /// the first frame that it decodes, and what the rules found while reading back (a rule that was changed judges the
    /// last hours anew).
    pub fn outstanding(
        &mut self,
        devices: &DeviceTable,
        known: &BTreeMap<CodecId, Seq>,
        stamp: Stamp,
        end: Seq,
    ) -> Transaction {
        let steps: Vec<AlarmTransition> = self.engine.outstanding().cloned().collect();
        let mut transaction = Transaction::default();
        let aggregates: Vec<Aggregate> = self.aggregates.outstanding().cloned().collect();
        // Before anything else, for what else is found of the same alarms goes on from them.
        self.push_alarms(steps, stamp, end, &mut transaction);
        self.push_aggregates(aggregates, stamp, end, &mut transaction);
        self.pass_time(stamp, end, &mut transaction);
        self.tell_codecs(devices, known, stamp, end, &mut transaction);
        self.tell_devices(devices, stamp, end, &mut transaction);
        transaction
    }

    /// Journals each codec that decodes today and that no record tells, or none any more.
    pub fn tell_codecs(
        &mut self,
        devices: &DeviceTable,
        known: &BTreeMap<CodecId, Seq>,
        stamp: Stamp,
        end: Seq,
        transaction: &mut Transaction,
    ) {
        let mut seen = BTreeSet::new();
        for codec in devices.iter().map(|device| &device.codec_text) {
            if !known.contains_key(&codec.id) && seen.insert(codec.id) {
                self.append(Record { stamp, body: Body::Codec(codec.clone()) }, end, transaction);
            }
        }
    }

    /// Journals which devices stand at each outfall, where the device table says another thing than the journal.
    fn tell_devices(&mut self, devices: &DeviceTable, stamp: Stamp, end: Seq, transaction: &mut Transaction) {
        let mut standing: BTreeMap<OutfallCode, Vec<SourceId>> = BTreeMap::new();
        for (code, names) in devices.by_outfall() {
            standing.insert(code.clone(), names.into_iter().cloned().collect());
        }
        for (code, known) in self.register.iter() {
            if !known.devices().is_empty() {
                standing.entry(code.clone()).or_default();
            }
        }
        for (outfall, devices) in standing {
            let known = self.register.get(&outfall).and_then(|known| known.devices.as_ref());
            if known.is_none_or(|(_, known)| known.devices != devices) {
                let body = Body::Outfall(Outfall::Devices(Standing { outfall, devices, told: None }));
                self.append(Record { stamp, body }, end, transaction);
            }
        }
    }

    /// Journals again what holds of the outfalls and no record tells any more. `told`: the records that still do.
    pub fn tell_outfalls(&mut self, told: &BTreeSet<Seq>, stamp: Stamp, end: Seq, transaction: &mut Transaction) {
        let mut gone = Vec::new();
        for (_, known) in self.register.iter() {
            // A record of this very transaction is not told yet, and is not gone either.
            let is_gone = |seq: &Seq| *seq < end && !told.contains(seq);
            if let Some((told, version)) = known.dossier.as_ref().filter(|(told, _)| is_gone(&told.seq)) {
                let mut version = version.clone();
                version.told.get_or_insert(*told);
                gone.push(Outfall::Dossier(version));
            }
            if let Some((told, standing)) = known.devices.as_ref().filter(|(told, _)| is_gone(&told.seq)) {
                let mut standing = standing.clone();
                standing.told.get_or_insert(*told);
                gone.push(Outfall::Devices(standing));
            }
        }
        for outfall in gone {
            self.append(Record { stamp, body: Body::Outfall(outfall) }, end, transaction);
        }
    }

    /// Counts what a frame came to (A3), and keeps what it changed of its device.
    pub fn note(&mut self, verdict: &Verdict, transaction: &mut Transaction, touched: &mut Touched) {
        let row = self.rows.entry(verdict.source.clone()).or_default();
        if let Some(source) = verdict.source.as_ref().filter(|_| verdict.session_changed) {
            row.session = self.ingest.session(source);
        }
        match verdict.ruling {
            Ruling::Accepted { .. } | Ruling::Told { .. } => row.tally.accepted += 1,
            Ruling::Duplicate => row.tally.duplicate += 1,
            Ruling::Rejected { .. } => row.tally.rejected += 1,
        }
        transaction.commands.extend(verdict.commands.iter().map(change));
        touched.insert(verdict.source.clone());
    }

    /// Counts frames that came to nothing, so that they are counted for ever (A3).
    pub fn note_lost(&mut self, source: Option<SourceId>, shed: u64, rejected: u64, touched: &mut Touched) {
        let tally = &mut self.rows.entry(source.clone()).or_default().tally;
        tally.shed += shed;
        tally.rejected += rejected;
        touched.insert(source);
    }

    /// Appends a record to a transaction on a journal that ends at `end`, and behind it the alarm transitions that it
    /// causes (R1: journaled before anyone sees them) and the aggregates of what its time closes.
    pub fn append(&mut self, record: Record, end: Seq, transaction: &mut Transaction) {
        let stamp = record.stamp;
        let Found { steps, aggregates } = self.push(record, end, transaction);
        self.push_alarms(steps, stamp, end, transaction);
        self.push_aggregates(aggregates, stamp, end, transaction);
    }

    /// Appends what is found because time has passed: an hour is over, a device is silent.
    pub fn pass_time(&mut self, now: Stamp, end: Seq, transaction: &mut Transaction) {
        let (steps, aggregates) = (self.engine.tick(&now), self.aggregates.tick(&now));
        self.push_alarms(steps, now, end, transaction);
        self.push_aggregates(aggregates, now, end, transaction);
    }

    fn push_alarms(&mut self, steps: Vec<AlarmTransition>, stamp: Stamp, end: Seq, transaction: &mut Transaction) {
        for step in steps {
            // An alarm's own record confirms it; it causes nothing further.
            drop(self.push(Record { stamp, body: Body::Alarm(step) }, end, transaction));
        }
    }

    fn push_aggregates(&mut self, aggregates: Vec<Aggregate>, stamp: Stamp, end: Seq, transaction: &mut Transaction) {
        for aggregate in aggregates {
            // Its own record confirms it, and its time has passed already.
            drop(self.push(Record { stamp, body: Body::Aggregate(aggregate) }, end, transaction));
        }
    }

    /// Puts the rows that changed into the transaction, once, when all of it is judged.
    pub fn close(&self, touched: Touched, transaction: &mut Transaction) {
        for source in touched {
            let row = self.rows.get(&source).cloned().unwrap_or_default();
            transaction.devices.insert(source, row);
        }
    }

    fn push(&mut self, record: Record, end: Seq, transaction: &mut Transaction) -> Found {
        let ahead = u64::try_from(transaction.records.len()).unwrap_or(u64::MAX);
        let record = RecordAt { seq: Seq(end.0.saturating_add(ahead)), record };
        let (steps, aggregates) = (self.engine.apply(&record), self.aggregates.apply(&record));
        if let Body::Audit(audit) = &record.record.body {
            self.shelf.take(&audit.act);
        }
        self.manual.take(&record);
        if let Body::Outfall(outfall) = &record.record.body {
            self.register.take(&record);
            if matches!(outfall, Outfall::Dossier(_)) {
                self.ingest.know_outfall(outfall.code());
            }
        }
        transaction.records.push(record.record);
        Found { steps, aggregates }
    }
}

/// What a record brings with it.
struct Found {
    steps: Vec<AlarmTransition>,
    aggregates: Vec<Aggregate>,
}

/// A step of a command, as the journal takes it.
pub(crate) fn change(step: &CommandStep) -> CommandChange {
    match step {
        CommandStep::Sent(id) => CommandChange::Sent(CommandId(*id)),
        CommandStep::Done(id) => CommandChange::Done(CommandId(*id)),
    }
}
