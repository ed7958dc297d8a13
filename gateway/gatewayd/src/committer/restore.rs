//! What a committer must know, read back from the journal: at start, and after a commit that failed (R2).

use std::collections::{BTreeMap, VecDeque};

use ingest::{EvidenceBudget, Ingest};
use journal::{Command, DeviceRow, Journal, Reader, StoreError, StoredCommand, Transaction};
use record::{Body, Boot, BootNo, Record, RecordAt, Seq, SeqRange, SourceId, Stamp};
use rules::Engine;

use super::Parts;
use crate::clock::Clock;
use crate::error::StartError;

/// Records read back at least, so that redeliveries are recognised: at one frame a second about five hours, read in well
/// under a second.
const REPLAY_RECORDS: u64 = 20_000;
/// Records read back at most, where rules with long delays ask for more: some seconds of a Raspberry Pi.
const REPLAY_RECORDS_MAX: u64 = 10 * REPLAY_RECORDS;
/// Bytes of records in memory at one time.
const READ_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Newest alarm records before those, read back so that each alarm starts in its true state.
const REPLAY_ALARMS_MAX: usize = 10_000;
/// Alarm numbers asked for at one time.
const ALARMS_PAGE: usize = 4_096;

/// All that is derived from the journal.
pub(super) struct Restored {
    pub(super) rows: BTreeMap<Option<SourceId>, DeviceRow>,
    pub(super) ingest: Ingest,
    pub(super) engine: Engine,
}

/// Rebuilds from the journal what a running committer would know.
pub(super) fn restore(parts: &Parts, reader: &Reader) -> Result<Restored, StartError> {
    let rows = reader.devices().map_err(StartError::Journal)?;
    let sessions = rows.iter().filter_map(|(source, row)| Some((source.as_ref()?, row.session.as_slice())));
    let budget = EvidenceBudget::new(parts.evidence.bytes_per_hour_max);
    let mut ingest =
        Ingest::new(parts.devices.clone(), parts.network, sessions, budget).map_err(StartError::Session)?;
    for StoredCommand { command, sent } in reader.commands().map_err(StartError::Journal)? {
        // A command without a port is for another link.
        let Some(f_port) = command.f_port else { continue };
        let Command { id, device, payload, confirmed, .. } = command;
        ingest.queue(device, ingest::Command { id: id.0, payload, f_port, confirmed, sent });
    }
    let mut engine = Engine::new(parts.rules.clone());
    replay(parts, reader, |record| {
        ingest.remember(&record.record);
        // Its transitions were journaled behind it; here they only move the state.
        drop(engine.apply(record));
    })
    .map_err(StartError::Journal)?;
    Ok(Restored { rows, ingest, engine })
}

/// Hands the newest alarms and then the tail of the journal to `take`, in order.
fn replay(parts: &Parts, reader: &Reader, mut take: impl FnMut(&RecordAt)) -> Result<(), StoreError> {
    let end = reader.position()?.end;
    let tail = tail(parts, reader, end)?;
    for seq in alarms_before(reader, tail)? {
        read_one(reader, seq)?.iter().for_each(&mut take);
    }
    let mut next = tail;
    while next < end {
        let records = reader.read(SeqRange { first: next, last: Seq(end.0 - 1) }, READ_BYTES_MAX)?;
        let Some(last) = records.last() else { break };
        next = last.seq.next();
        records.iter().for_each(&mut take);
    }
    Ok(())
}

/// Where reading back begins: [`REPLAY_RECORDS`] before the end, or further back where a rule's delay reaches further.
fn tail(parts: &Parts, reader: &Reader, end: Seq) -> Result<Seq, StoreError> {
    let mut tail = Seq(end.0.saturating_sub(REPLAY_RECORDS));
    // Twice the delay: one to be in it, one before it to know that it began (rules::Engine).
    let delay_ms = 2 * parts.rules.iter().map(|rule| rule.limit.on_delay_ms).max().unwrap_or(0);
    let Some(newest) = newest(reader, end)? else { return Ok(tail) };
    while tail > Seq(0) && end.0 - tail.0 < REPLAY_RECORDS_MAX {
        let Some(oldest) = read_one(reader, tail)? else { break };
        if reaches(&oldest.record.stamp, &newest.record.stamp, delay_ms) {
            break;
        }
        tail = Seq(tail.0.saturating_sub(REPLAY_RECORDS));
    }
    Ok(tail)
}

fn reaches(oldest: &Stamp, newest: &Stamp, ms: u64) -> bool {
    if oldest.boot == newest.boot {
        return newest.mono_ms.0.saturating_sub(oldest.mono_ms.0) >= ms;
    }
    u64::try_from(newest.wall_ms.0.saturating_sub(oldest.wall_ms.0)).is_ok_and(|passed| passed >= ms)
}

/// The newest [`REPLAY_ALARMS_MAX`] alarm records before `tail`.
fn alarms_before(reader: &Reader, tail: Seq) -> Result<VecDeque<Seq>, StoreError> {
    let mut newest = VecDeque::new();
    let mut from = Seq(0);
    loop {
        let page = reader.alarms(from, ALARMS_PAGE)?;
        let full = page.len() == ALARMS_PAGE;
        for seq in page {
            if seq >= tail {
                return Ok(newest);
            }
            if newest.len() == REPLAY_ALARMS_MAX {
                newest.pop_front();
            }
            newest.push_back(seq);
            from = seq.next();
        }
        if !full {
            return Ok(newest);
        }
    }
}

fn newest(reader: &Reader, end: Seq) -> Result<Option<RecordAt>, StoreError> {
    match end.0.checked_sub(1) {
        Some(last) => read_one(reader, Seq(last)),
        None => Ok(None),
    }
}

fn read_one(reader: &Reader, seq: Seq) -> Result<Option<RecordAt>, StoreError> {
    Ok(reader.read(SeqRange { first: seq, last: seq }, READ_BYTES_MAX)?.pop())
}

/// Which boot this is: the newest one in the journal if the kernel's boot id is the same, else the next one. A new boot,
/// and a new version of the program, becomes a record.
pub(super) fn start_clock(journal: &mut Journal, reader: &Reader, boot_id: &str) -> Result<Clock, StoreError> {
    let newest_ms = newest(reader, journal.end())?.map(|last| last.record.stamp.wall_ms);
    let version = env!("CARGO_PKG_VERSION");
    let last_boot = reader.last_boot()?.map(|at| (at.record.stamp.boot, at.record.body));
    let boot = match last_boot {
        Some((boot, Body::Boot(known))) if known.boot_id == boot_id && known.version == version => {
            return Ok(Clock::new(boot, newest_ms));
        }
        Some((boot, Body::Boot(known))) if known.boot_id == boot_id => boot,
        Some((boot, _)) => BootNo(boot.0.saturating_add(1)),
        None => BootNo(0),
    };
    let mut clock = Clock::new(boot, newest_ms);
    let body = Body::Boot(Boot { boot_id: boot_id.into(), version: version.into() });
    let records = vec![Record { stamp: clock.stamp(), body }];
    journal.commit(&Transaction { records, ..Transaction::default() })?;
    Ok(clock)
}
