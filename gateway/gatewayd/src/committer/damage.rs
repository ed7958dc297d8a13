//! Opening the journal in whatever state it is, and what is journaled of what could not be read any more.

use std::collections::BTreeSet;

use ingest::{COUNTER_JUMP, export_sessions, import_sessions};
use journal::salvage::{self, Salvaged};
use journal::{Journal, Loss, Outbox, Reader, SegmentChange, Stage, StoreError, Transaction};
use record::{Body, Gap, GapReason, Kind, Record, Seq, SeqRange};
use rules::RuleSet;

use super::platforms::Platforms;
use super::restore::start_clock;
use super::{Committer, Draft, Parts};
use crate::clock::Clock;
use crate::error::StartError;
use crate::ledger::Ledger;
use crate::upkeep::gaps;

/// A journal that can be written and was read back.
pub(super) struct Opened {
    pub(super) journal: Journal,
    pub(super) reader: Reader,
    pub(super) clock: Clock,
    pub(super) platforms: Platforms,
    pub(super) rules: RuleSet,
    pub(super) restored: Ledger,
    pub(super) salvaged: Option<Salvaged>,
}

/// The journal, or what can be saved of it. Damage may show only when records are read back.
pub(super) fn open(parts: &Parts) -> Result<Opened, StartError> {
    match open_once(parts) {
        Err(StartError::Journal(error)) if error.is_damage() => {
            log::error!(error = control::chain(&error).as_str(); "the journal is damaged");
            salvage::mark(&parts.journal_path).map_err(StartError::Mark)?;
            open_once(parts)
        }
        opened => opened,
    }
}

fn open_once(parts: &Parts) -> Result<Opened, StartError> {
    let (mut journal, salvaged) = open_file(parts).map_err(StartError::Journal)?;
    let reader = Reader::open(&parts.journal_path).map_err(StartError::Journal)?;
    let clock = start_clock(&mut journal, &reader, parts).map_err(StartError::Journal)?;
    let platforms = Platforms::open(&reader).map_err(StartError::Journal)?;
    let rules = platforms.rules_instead_of(parts.rules_hash).unwrap_or_else(|| parts.rules.clone());
    let restored = Ledger::restore(&parts.setup(rules.clone()), &reader)?;
    Ok(Opened { journal, reader, clock, platforms, rules, restored, salvaged })
}

fn open_file(parts: &Parts) -> Result<(Journal, Option<Salvaged>), StoreError> {
    let opened = salvage::open(&parts.journal_path, parts.box_id.as_str(), floor(parts))?;
    if let Some(salvaged) = opened.1.as_ref().filter(|salvaged| !is_put_back(parts, salvaged)) {
        let Salvaged { quarantine, records, lost, unread_bytes, devices, continued } = salvaged;
        log::error!(
            records, lost = lost.len(), unread_bytes, devices, continued, kept_in:% = quarantine.display();
            "the journal was damaged: what could be read is in a new one, the damaged files are kept"
        );
    }
    Ok((opened.0.with_tables(parts.tables), opened.1))
}

/// Whether it is a whole backup that was put back, which was made anew for its numbers alone.
fn is_put_back(parts: &Parts, salvaged: &Salvaged) -> bool {
    salvage::is_restored(&parts.journal_path) && salvaged.unread_bytes == 0
}

/// The first number that no batch ever had: what a platform may hold is never used for anything else.
fn floor(parts: &Parts) -> Seq {
    if !parts.outbox_path.exists() {
        return Seq(0);
    }
    let end = Outbox::open_read_only(&parts.outbox_path).and_then(|outbox| outbox.end());
    end.unwrap_or_else(|error| {
        log::warn!(error = control::chain(&error).as_str(); "the outbox does not say what was delivered");
        Seq(0)
    })
}

impl Committer {
    /// Appends what a loss is told by.
    pub(super) fn tell_gaps(&mut self, gaps: Vec<Gap>, transaction: &mut Transaction) {
        for gap in gaps {
            let record = Record { stamp: self.stamp(), body: Body::Gap(gap) };
            self.append(record, transaction);
        }
    }

    /// What was taken away, or rotted, may have had the texts of codecs in it that go on decoding, or the dossiers of
    /// outfalls. The file is reduced already. Where they cannot be looked up, the next loss or start does it.
    pub(super) fn tell_again(&mut self, draft: &mut Draft) {
        let (stamp, end) = (self.stamp(), self.journal.end());
        match self.journal.codecs() {
            Ok(known) => {
                self.restored.tell_codecs(&self.parts.devices, &known, stamp, end, &mut draft.transaction);
            }
            Err(error) => {
                log::warn!(error = control::chain(&error).as_str(); "the codecs in the journal are not known")
            }
        }
        match self.outfalls_told(&draft.transaction.segments) {
            Ok(told) => self.restored.tell_outfalls(&told, stamp, end, &mut draft.transaction),
            Err(error) => {
                log::warn!(error = control::chain(&error).as_str(); "the dossiers in the journal are not known")
            }
        }
    }

    /// The records about outfalls that can be read, and will be after these changes: nobody can tell what is gone.
    fn outfalls_told(&self, changes: &[SegmentChange]) -> Result<BTreeSet<Seq>, StoreError> {
        let reader = Reader::open(&self.parts.journal_path)?;
        let goes = |first: Seq| changes.contains(&SegmentChange::Condemned { first, to: Stage::Gone });
        let segments = reader.segments()?;
        let going: Vec<SeqRange> =
            segments.iter().filter(|segment| goes(segment.first)).filter_map(|segment| segment.range()).collect();
        let all = SeqRange { first: Seq(0), last: Seq(i64::MAX.cast_unsigned()) };
        let stays = |seq: &Seq| !going.iter().any(|range| range.first <= *seq && *seq <= range.last);
        Ok(reader.marks(Kind::Outfall, all)?.into_iter().filter(stays).collect())
    }

    /// After a backup was put back: the counters of devices jump ahead, so that no key meets one of them twice.
    pub(super) fn settle_restored(&mut self) -> Result<(), StartError> {
        let path = self.parts.journal_path.clone();
        if !salvage::is_restored(&path) {
            return Ok(());
        }
        let rows =
            self.restored.rows.iter().filter_map(|(source, row)| Some((source.as_ref()?, row.session.as_slice())));
        let known = rows.filter(|(source, _)| self.parts.devices.by_name(source).is_some());
        let sessions = export_sessions(known).map_err(StartError::Restored)?;
        let mut transaction = Transaction::default();
        for (device, session) in import_sessions(&sessions, COUNTER_JUMP).map_err(StartError::Restored)? {
            self.restored.ingest.take_over(&device, &session).map_err(StartError::Session)?;
            let session = self.restored.ingest.session(&device);
            let row = self.restored.rows.entry(Some(device.clone())).or_default();
            row.session = session;
            transaction.devices.insert(Some(device), row.clone());
        }
        self.journal.commit(&transaction).map_err(StartError::Journal)?;
        log::warn!(devices = transaction.devices.len(); "a backup was put back, numbers and counters have jumped ahead");
        salvage::settle_restored(&path).map_err(StartError::Mark)
    }

    /// Journals what a salvage lost, and notes it for people.
    pub(super) fn journal_salvage(&mut self, salvaged: Salvaged) -> Result<(), StoreError> {
        let why = if salvaged.continued { GapReason::Damaged } else { GapReason::Restored };
        let loss = Loss { other: salvaged.lost.len(), ranges: salvaged.lost.clone(), ..Loss::default() };
        let mut transaction = Transaction::default();
        self.tell_gaps(gaps(why, loss), &mut transaction);
        if !transaction.is_empty() {
            self.journal.commit(&transaction)?;
        }
        if is_put_back(&self.parts, &salvaged) {
            return Ok(());
        }
        self.board().journal.salvaged = Some(format!(
            "{} records saved, {} lost; the damaged files are in {}",
            salvaged.records,
            salvaged.lost.len(),
            salvaged.quarantine.display()
        ));
        Ok(())
    }
}
