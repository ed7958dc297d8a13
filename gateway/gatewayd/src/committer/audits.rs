//! What is ordered of the box's records, journaled before it is carried out.

use journal::{PINS_MAX, Reader, Segment, SegmentChange, StoreError};
use record::{
    Act, Actor, AlarmTransition, Audit, Body, ConfigFile, Configuring, Kind, Record, RuleId, Seq, SeqRange, SourceId,
    UnixMs,
};
use serde_json::{Value, json};

use super::{Committer, Draft};
use crate::ledger::{SHELVED_HOURS_MAX, SHELVED_MAX};

/// What is pinned may take this part of the journal's budget: the rest goes on being kept as ever. 1/n.
const PINNED_SHARE: u64 = 2;

/// Why a file has a text that nobody had applied.
const BY_HAND: &str = "changed other than by weir config apply, found when the daemon was started";

impl Committer {
    /// Journals an order, if it can be carried out; answers with its number.
    pub(super) fn audit(&mut self, audit: Audit, draft: &mut Draft) -> Result<Value, String> {
        if let Act::KeyChanged { statement } = &audit.act
            && let Some(seq) = self.told_key(statement).map_err(|error| control::chain(&error))?
        {
            return Ok(json!({ "seq": seq }));
        }
        self.check(&audit)?;
        if let Act::KeyChanged { statement } = &audit.act {
            self.keep_key_statement(statement)?;
            // What is proven from now on needs this record under a tree head.
            self.sign_soon = true;
        }
        let seq = self.next_seq(draft);
        log::info!(seq:% = seq, act = audit.act.as_str(), by:? = audit.by, reason = audit.reason.as_str(); "order journaled");
        let seen = self.seen(&audit);
        let stamp = self.stamp();
        self.journal_audit(audit, stamp, draft);
        if let Some(step) = seen {
            self.append(Record { stamp, body: Body::Alarm(step) }, &mut draft.transaction);
        }
        Ok(json!({ "seq": seq }))
    }

    /// A file that was changed by hand: by whom nobody can say.
    pub(super) fn tell_found(&mut self, file: ConfigFile, sha256: [u8; 32], draft: &mut Draft) -> Value {
        let act = Act::Configured { file, sha256, how: Configuring::Applied };
        let seq = self.next_seq(draft);
        log::warn!(seq:% = seq, file:% = file; "the daemon was started by a text that nobody applied");
        let stamp = self.stamp();
        self.journal_audit(Audit { by: Actor::Box, act, reason: BY_HAND.into() }, stamp, draft);
        json!({ "seq": seq })
    }

    fn check(&mut self, audit: &Audit) -> Result<(), String> {
        match &audit.act {
            Act::Dropped { records, .. } => {
                if audit.reason.is_empty() {
                    return Err("what is given up needs a reason · try: weir sync drop … --reason TEXT".into());
                }
                self.check_written(*records)
            }
            Act::Pinned { records } => {
                self.check_written(*records)?;
                self.check_room(*records, PINS_MAX)
            }
            Act::Released { pin } => {
                let mut pins = self.pins().map_err(|error| control::chain(&error))?;
                let is_one = pins.any(|(seq, _)| seq == *pin);
                is_one.then_some(()).ok_or_else(|| format!("record {pin} is no pin · try: weir evidence pins"))
            }
            Act::Enrolled { .. } => Ok(()),
            Act::Configured { .. } => {
                let no_reason =
                    || "a change of the configuration needs a reason · try: weir config … --reason TEXT".into();
                (!audit.reason.is_empty()).then_some(()).ok_or_else(no_reason)
            }
            // Of these no user says that they happened.
            Act::Commanded { .. } | Act::Settled { .. } | Act::Sampled { .. } | Act::SelfTested { .. } => {
                Err("nobody orders this · try: weir tail".into())
            }
            Act::Refilled { sampler, bottles } => self.check_refilled(sampler, *bottles),
            Act::KeyChanged { statement } => self.check_statement(statement),
            Act::Notified { alarm, .. } => self.check_alarm(*alarm),
            Act::Acknowledged { rule, source } => {
                let nobody = || format!("no alarm {rule} of {source} waits for anyone · try: weir alarm list");
                self.seen(audit).map(drop).ok_or_else(nobody)
            }
            Act::Reset { rule, source } => {
                let refused = |why| format!("alarm {rule} of {source} is not reset: {why}");
                self.restored.engine.reset(rule, source).map(drop).map_err(refused)
            }
            Act::Shelved { rule, source, until_ms } => self.check_shelved(rule, source, *until_ms, &audit.reason),
        }
    }

    /// Whether an alarm may be set aside, or shown again.
    fn check_shelved(
        &self,
        rule: &RuleId,
        source: &SourceId,
        until: Option<UnixMs>,
        reason: &str,
    ) -> Result<(), String> {
        let (now, shelf) = (self.stamp().wall_ms, &self.restored.shelf);
        let is_shelved = shelf.until(rule, source, now).is_some();
        let Some(until) = until else {
            let not = || format!("alarm {rule} of {source} is not shelved · try: weir alarm list");
            return is_shelved.then_some(()).ok_or_else(not);
        };
        if !self.rules.iter().any(|known| known.id == *rule && known.devices.covers(source)) {
            return Err(format!("no rule {rule} judges {source} · try: weir rules show"));
        }
        if reason.is_empty() {
            return Err("what is shelved needs a reason · try: weir alarm shelve … --reason TEXT".into());
        }
        let ms_max = i64::from(SHELVED_HOURS_MAX) * 3_600_000;
        if until <= now || until.0.saturating_sub(now.0) > ms_max {
            return Err(format!("an alarm is shelved for {SHELVED_HOURS_MAX} hours at most · try: --hours 8"));
        }
        if !is_shelved && shelf.count(now) >= SHELVED_MAX {
            return Err(format!("{SHELVED_MAX} alarms are shelved · try: weir alarm unshelve, or mend the rules"));
        }
        Ok(())
    }

    /// The step of an alarm that somebody has seen, or resets.
    fn seen(&self, audit: &Audit) -> Option<AlarmTransition> {
        match &audit.act {
            Act::Acknowledged { rule, source } => self.restored.engine.acknowledged(rule, source),
            Act::Reset { rule, source } => self.restored.engine.reset(rule, source).ok(),
            _ => None,
        }
    }

    fn check_written(&self, records: SeqRange) -> Result<(), String> {
        let end = self.journal.end();
        if records.last < end {
            return Ok(());
        }
        Err(format!("the journal ends before record {end}: {} is not there yet · try: weir tail", records.last))
    }

    /// Whether this record is a step of an alarm.
    fn check_alarm(&self, seq: Seq) -> Result<(), String> {
        let range = SeqRange { first: seq, last: seq };
        let found = Reader::open(&self.parts.journal_path).and_then(|reader| reader.marks(Kind::Alarm, range));
        let is_alarm = found.map_err(|error| control::chain(&error))?.contains(&seq);
        is_alarm.then_some(()).ok_or_else(|| format!("record {seq} is no alarm · try: weir tail"))
    }

    /// Whether what is pinned leaves enough of the budget to everything else.
    pub(super) fn check_room(&mut self, records: SeqRange, pins_max: usize) -> Result<(), String> {
        let segments = self.segments().map_err(|error| control::chain(&error))?;
        let pinned: Vec<(Seq, SeqRange)> = self.pins().map_err(|error| control::chain(&error))?.collect();
        if pinned.len() >= pins_max {
            return Err(format!("there are {pins_max} pins · try: weir evidence pins, then weir evidence release"));
        }
        let meets =
            |segment: SeqRange, records: SeqRange| segment.first <= records.last && records.first <= segment.last;
        let all = pinned.iter().map(|(_, records)| *records).chain([records]);
        let held =
            |segment: &&Segment| segment.range().is_some_and(|range| all.clone().any(|records| meets(range, records)));
        let bytes = segments.iter().filter(held).map(|segment| segment.bytes).sum::<u64>();
        let bytes_max = self.parts.journal_bytes_max / PINNED_SHARE;
        if bytes <= bytes_max {
            return Ok(());
        }
        Err(format!(
            "pins would hold {bytes} bytes, and may hold {bytes_max}, half of the journal's budget · try: a shorter time, or \
             weir evidence release"
        ))
    }

    /// Whether the keeper is about to take away what was pinned since it looked.
    pub(super) fn is_pinned(&mut self, changes: &[SegmentChange]) -> bool {
        let condemned: Vec<Seq> = changes
            .iter()
            .filter_map(|change| match change {
                SegmentChange::Condemned { first, .. } => Some(*first),
                _ => None,
            })
            .collect();
        if condemned.is_empty() {
            return false;
        }
        let looked = self.segments().and_then(|segments| self.pins().map(drop).map(|()| segments));
        match looked {
            // What was condemned before the pin came is told already, and goes.
            Ok(segments) => segments
                .iter()
                .filter(|segment| segment.condemned.is_none() && condemned.contains(&segment.first))
                .any(|segment| segment.range().is_some_and(|range| self.pins.hold(range))),
            Err(error) => {
                log::warn!(error = control::chain(&error).as_str(); "pins cannot be read, nothing is taken away");
                true
            }
        }
    }

    fn pins(&mut self) -> Result<impl Iterator<Item = (Seq, SeqRange)> + '_, StoreError> {
        let reader = Reader::open(&self.parts.journal_path)?;
        self.pins.catch_up(&reader)?;
        Ok(self.pins.iter())
    }

    fn segments(&self) -> Result<Vec<Segment>, StoreError> {
        Reader::open(&self.parts.journal_path)?.segments()
    }
}
