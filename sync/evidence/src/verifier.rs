//! Verifying an evidence file, with nothing but public keys.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use batch::weirlog::{self, Beliefs};
use batch::{EvidenceSeal, PlatformId, PublicKey, Receipt};
use record::merkle::Hash;
use record::{Body, ClockQuality, Seq, SeqRange, TrueTime, UnixMs};
use sha2::{Digest, Sha256};

use crate::container::{self, Container, Member};
use crate::log::{Log, moment};
use crate::parts::{Parts, SEAL};
use crate::report;
use crate::verdict::{Complete, RecordsFault, Sealed, State, Times, Verdict, What};
use crate::{readings, receipts, revoked};

/// The keys that a verifier believes.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The box's; without it, the file is only held against the key that it names itself.
    pub box_key: Option<PublicKey>,
    /// The platforms'; without a platform's key its receipts are not judged.
    pub platforms: BTreeMap<PlatformId, PublicKey>,
    /// Platforms' signed words that a key is revoked.
    pub revoked: Vec<Vec<u8>>,
}

/// Whether a file begins as an evidence file does, by its first bytes.
pub fn begins(bytes: &[u8]) -> bool {
    container::begins(bytes)
}

/// Says what a file proves.
pub fn verify(file: &[u8], keys: &Keys) -> Verdict {
    let mut verdict = Verdict::default();
    let Ok(Container { members, altered, exact }) = container::read(file, EvidenceSeal::MEMBERS_MAX + 1) else {
        verdict.add(State::Wrong, What::Container { parts: 0, altered: None });
        return verdict;
    };
    let parts = Parts::of(&members);
    let state = if exact && parts.is_some() { State::Proven } else { State::Wrong };
    verdict.add(state, What::Container { parts: members.len(), altered: altered.map(str::to_owned) });
    if let Some(parts) = parts {
        judge(&members, &parts, keys, &mut verdict);
    }
    verdict
}

fn judge(members: &[Member<'_>], parts: &Parts<'_>, keys: &Keys, verdict: &mut Verdict) {
    let beliefs = Beliefs::read(parts.records, keys.box_key, &keys.platforms).and_then(|mut beliefs| {
        keys.revoked.iter().for_each(|cose| drop(beliefs.revoke(cose)));
        Ok((weirlog::verify_by(parts.records, &beliefs)?, beliefs))
    });
    let (told, beliefs) = match beliefs {
        Ok(told) => told,
        Err(never) => unreachable!("reading from memory failed: {never}"),
    };
    let (Some(key), Some(box_id)) = (told.key, told.box_id.clone()) else {
        let fault = told.first_bad.map(RecordsFault::Log);
        return verdict.add(State::Wrong, What::Records { box_id: None, records: 0, covering: None, fault });
    };
    let seal = judge_seal(members, parts.seal, &beliefs, verdict);
    let given = keys.box_key.is_some();
    verdict.add(if given { State::Proven } else { State::Open }, What::Key { key, given });
    if told.keys.len() > 1 {
        let is_all = told.keys.iter().all(|heir| heir.by.is_some());
        verdict.add(proven_if(is_all), What::Keys { keys: told.keys.clone(), unvouched: told.unvouched });
    }
    let Some(log) = judge_records(parts, &told, &beliefs, seal.as_ref(), verdict) else {
        return revoked::judge(parts, keys, &beliefs, None, verdict);
    };
    let csv = readings::csv(log.timed());
    let is_same = csv.as_bytes() == parts.readings;
    verdict.add(if is_same { State::Proven } else { State::Wrong }, What::Readings);
    if let Some(seal) = &seal {
        judge_report(members, parts, seal, &log, verdict);
    }
    let mut had_before = Vec::new();
    for of_platform in receipts::judge(&parts.receipts, &beliefs, &box_id, &log) {
        let is_all = of_platform.held == of_platform.records && of_platform.existed == of_platform.records;
        let state = match (&of_platform.fault, of_platform.key_given && is_all) {
            (Some(_), _) => State::Wrong,
            (None, true) => State::Proven,
            (None, false) => State::Open,
        };
        let is_witness =
            of_platform.fault.is_none() && of_platform.key_given && of_platform.existed == of_platform.records;
        had_before.extend(of_platform.existed_before_ms.filter(|_| is_witness));
        verdict.add(state, What::Receipts(of_platform));
    }
    revoked::judge(parts, keys, &beliefs, had_before.into_iter().min(), verdict);
    let (used, untold) = log.codecs();
    let what = What::Codecs { used: used.len(), untold: untold.len() };
    verdict.add(proven_if(untold.is_empty()), what);
    let (samples, patrols) = log.entered();
    if samples + patrols > 0 {
        verdict.add(State::Open, What::Stated { samples, patrols });
    }
    if let Some(EvidenceSeal { asked, .. }) = seal {
        if let Some(seq) = asked.alarm {
            verdict.add(proven_if(has_alarm(&log, seq)), What::Alarm { seq });
        }
        let window = asked.from_ms..asked.to_ms;
        let complete = complete(&log, &window);
        verdict.add(proven_if(complete.bounded && complete.untold() == 0), What::Complete(complete));
        let times = times(&log, &window);
        verdict.add(proven_if(times.unknown == 0), What::Times(times));
    }
}

fn proven_if(proven: bool) -> State {
    if proven { State::Proven } else { State::Open }
}

/// The seal, if it is the box's word, whatever it is about.
fn judge_seal(members: &[Member<'_>], cose: &[u8], beliefs: &Beliefs, verdict: &mut Verdict) -> Option<EvidenceSeal> {
    let by = |key: &PublicKey| Some((*key, EvidenceSeal::verify(cose, key).ok()?));
    let signed = beliefs.lineage().and_then(|lineage| lineage.believed().find_map(by));
    let counts = |(key, seal): &(PublicKey, EvidenceSeal)| {
        beliefs.revoked_from(&seal.box_id, key).is_none_or(|from| seal.stamp.wall_ms < from)
    };
    let Some((_, seal)) = signed.filter(counts) else {
        verdict.add(State::Wrong, What::Seal { sealed: None, other: Some(SEAL.to_owned()) });
        return None;
    };
    let others = &members[..members.len() - 1];
    let is_sealed = |(member, sealed): (&Member<'_>, &batch::MemberDigest)| {
        member.0 == sealed.name && Hash(Sha256::digest(member.1).into()) == sealed.sha256
    };
    let other = match others.iter().zip(&seal.members).find(|pair| !is_sealed(*pair)) {
        Some((member, _)) => Some(member.0.to_owned()),
        // More or fewer than were sealed.
        None => (others.len() != seal.members.len()).then(|| SEAL.to_owned()),
    };
    let state = if other.is_none() { State::Proven } else { State::Wrong };
    let EvidenceSeal { box_id, asked, stamp, .. } = seal.clone();
    verdict.add(state, What::Seal { sealed: Some(Sealed { box_id, asked, stamp }), other });
    Some(seal)
}

/// The records, if they are those that the box signed.
fn judge_records(
    parts: &Parts<'_>,
    told: &weirlog::Verdict,
    beliefs: &Beliefs,
    seal: Option<&EvidenceSeal>,
    verdict: &mut Verdict,
) -> Option<Log> {
    let wanted: BTreeSet<u64> = parts
        .receipts
        .iter()
        .filter_map(|part| Receipt::claimed(part.cose).ok())
        .map(|receipt| receipt.head.size)
        .collect();
    let is_other = seal.is_some_and(|seal| Some(&seal.box_id) != told.box_id.as_ref());
    let log = match told.first_bad {
        Some(fault) => Err(RecordsFault::Log(fault)),
        None if is_other => Err(RecordsFault::OtherBox),
        None => Log::read(parts.records, beliefs, &wanted).map_err(|strange| RecordsFault::Strange(strange.0)),
    };
    let covering = log.as_ref().ok().and_then(Log::counting).cloned();
    let (box_id, records, fault) = (told.box_id.clone(), told.records, log.as_ref().err().copied());
    let state = if fault.is_none() { State::Proven } else { State::Wrong };
    verdict.add(state, What::Records { box_id, records, covering, fault });
    log.ok()
}

/// The report made anew, if by the same rule.
fn judge_report(members: &[Member<'_>], parts: &Parts<'_>, seal: &EvidenceSeal, log: &Log, verdict: &mut Verdict) {
    let version = seal.report_version;
    let state = if version != report::VERSION {
        State::Open
    } else if report::of(&seal.box_id, &seal.asked, log, members).as_bytes() == parts.report {
        State::Proven
    } else {
        State::Wrong
    };
    verdict.add(state, What::Report { version });
}

/// Whether this alarm is here, with the reading that it names as its cause.
fn has_alarm(log: &Log, seq: Seq) -> bool {
    let alarm = log.get(seq).and_then(|at| match &at.record.body {
        Body::Alarm(alarm) => Some(alarm),
        _ => None,
    });
    alarm.is_some_and(|alarm| {
        let readings = log.get(alarm.cause).and_then(|at| readings::Decoded::of(&at.record.body));
        readings.is_some_and(|decoded| {
            decoded.source == &alarm.source && decoded.readings.iter().any(|reading| reading.quantity == alarm.quantity)
        })
    })
}

/// Which numbers of the window are here, and whether its ends are.
pub(crate) fn complete(log: &Log, window: &Range<UnixMs>) -> Complete {
    let Some(range) = log.window(window) else { return Complete::default() };
    let count = |ranges: record::SeqRanges| range.len() - ranges.missing_in(range).len();
    let here = count(log.numbers());
    let mut both = log.gone();
    log.numbers().iter().for_each(|range| both.insert(range));
    let gone = count(both) - here;
    let at = |seq: Seq| log.get(seq).map(|at| moment(at, log.time(at)));
    let before = range.first.0.checked_sub(1).map(Seq);
    let starts = before.is_none_or(|seq| at(seq).is_some_and(|at| at < window.start));
    let after = range.last.next();
    // Behind the last signed record the box has said nothing yet.
    let ends = after.0 >= log.size || at(after).is_some_and(|at| at >= window.end);
    Complete { numbers: range.len(), here, gone, bounded: starts && ends }
}

/// What the clock was worth in records of the window.
pub(crate) fn times(log: &Log, window: &Range<UnixMs>) -> Times {
    let mut times = Times::default();
    let Some(SeqRange { first, last }) = log.window(window) else { return times };
    for (at, time) in log.timed().filter(|(at, _)| first <= at.seq && at.seq <= last) {
        match at.record.stamp.clock {
            ClockQuality::Synchronised => times.synchronised += 1,
            ClockQuality::Holdover { .. } => times.holdover += 1,
            ClockQuality::Unset => times.unset += 1,
        }
        match time {
            TrueTime::Stamped { .. } => {}
            TrueTime::Corrected { .. } => times.corrected += 1,
            TrueTime::Unknown { .. } => times.unknown += 1,
        }
        if let Some((at_ms, error_ms)) = time.known() {
            times.error_ms_max = times.error_ms_max.max(error_ms);
            times.first_ms = Some(times.first_ms.map_or(at_ms, |first| first.min(at_ms)));
            times.last_ms = times.last_ms.max(Some(at_ms));
        }
    }
    times
}
