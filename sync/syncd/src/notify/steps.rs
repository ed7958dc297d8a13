//! What the journal says of alarms: their steps, with what a message needs beside them.

use std::collections::BTreeMap;

use journal::{Reader, Register, StoreError};
use notify::{AlarmKey, Facts};
use record::{AlarmState, AlarmTransition, Body, RecordAt, Seq, SeqRange, SourceId};

/// Alarm records read at once.
const READ_MAX: usize = 256;

/// A step of an alarm.
#[derive(Debug)]
pub(super) struct StepAt {
    pub(super) seq: Seq,
    pub(super) step: AlarmTransition,
    pub(super) facts: Facts,
}

/// The next steps from `next` on, at most [`READ_MAX`], and the record before which all are known then.
///
/// # Errors
/// [`StoreError`] where records cannot be read.
pub(super) fn read(reader: &Reader, register: &mut Register, next: Seq) -> Result<(Vec<StepAt>, Seq), StoreError> {
    let end = reader.position()?.end;
    let seqs = reader.alarms(next, READ_MAX)?;
    let known = if seqs.len() < READ_MAX { end } else { seqs.last().map_or(end, |last| last.next()) };
    if !seqs.is_empty() {
        register.catch_up(reader)?;
    }
    let steps = seqs.into_iter().filter(|seq| *seq < end).map(|seq| step(reader, register, seq));
    Ok((steps.filter_map(Result::transpose).collect::<Result<_, _>>()?, known.max(next)))
}

/// The steps that led to where alarms stand now that nobody has seen: what is to be told where nobody was told before.
///
/// # Errors
/// As [`read`].
pub(super) fn standing(reader: &Reader, register: &mut Register) -> Result<(Vec<StepAt>, Seq), StoreError> {
    let mut newest: BTreeMap<AlarmKey, StepAt> = BTreeMap::new();
    let mut next = Seq(0);
    loop {
        let (steps, known) = read(reader, register, next)?;
        let is_all = steps.is_empty();
        for at in steps {
            let key = AlarmKey { rule: at.step.rule.clone(), source: at.step.source.clone() };
            newest.insert(key, at);
        }
        next = known;
        if is_all {
            break;
        }
    }
    let is_unseen = |at: &StepAt| matches!(at.step.to, AlarmState::Unacknowledged | AlarmState::ReturnedUnacknowledged);
    let mut steps: Vec<StepAt> = newest.into_values().filter(is_unseen).collect();
    steps.sort_by_key(|at| at.seq);
    Ok((steps, next))
}

fn step(reader: &Reader, register: &Register, seq: Seq) -> Result<Option<StepAt>, StoreError> {
    let Some(RecordAt { record, .. }) = one(reader, seq)? else { return Ok(None) };
    let Body::Alarm(step) = record.body else { return Ok(None) };
    let outfall = outfall(register, &step.source);
    let unit = unit(reader, &step)?;
    let (since_ms, clock, grounds) = (record.stamp.wall_ms, record.stamp.clock, step.grounds.clone());
    Ok(Some(StepAt { seq, step, facts: Facts { outfall, grounds, unit, since_ms, clock, priority: None } }))
}

/// Code and name of the outfall at which the device stands.
fn outfall(register: &Register, source: &SourceId) -> Option<(String, String)> {
    let code = register.outfall_of(source)?;
    let name = register.dossier(code).map(|version| version.dossier.name.to_string()).unwrap_or_default();
    Some((code.to_string(), name))
}

/// In what the value was measured that decided.
fn unit(reader: &Reader, step: &AlarmTransition) -> Result<Option<String>, StoreError> {
    let readings = match one(reader, step.cause)?.map(|at| at.record.body) {
        Some(Body::Frame(frame)) => frame.readings,
        _ => return Ok(None),
    };
    Ok(readings.iter().find(|reading| reading.quantity == step.quantity).map(|reading| reading.unit.to_string()))
}

/// A record that can be read. One that cannot says nothing of an alarm; the gateway's word brings it in order.
fn one(reader: &Reader, seq: Seq) -> Result<Option<RecordAt>, StoreError> {
    match reader.read(SeqRange { first: seq, last: seq }, 1) {
        Ok(mut found) => Ok(found.pop()),
        Err(StoreError::DamagedRecord { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
