//! Which time is asked for.

use std::collections::BTreeSet;

use batch::{Asked, EvidenceSeal};
use evidence::moment;
use journal::{Reader, for_each_outfall};
use record::{Body, Outfall, OutfallCode, RecordAt, Seq, SeqRange, SourceId, TimeLine, UnixMs};

use super::{EvidenceArgs, EvidenceError, WindowArgs};

/// What was asked, in the words of the seal.
pub(super) fn asked(args: &EvidenceArgs, reader: &Reader, times: &TimeLine) -> Result<Asked, EvidenceError> {
    let sources = args.source.iter().map(|name| SourceId::new(name)).collect::<Result<Vec<_>, _>>();
    let mut sources = sources.map_err(|error| EvidenceError::BadName(error.to_string()))?;
    for device in devices_of_all(&args.window.outfall, reader)? {
        if !sources.contains(&device) {
            sources.push(device);
        }
    }
    if sources.len() > EvidenceSeal::SOURCES_MAX {
        return Err(EvidenceError::Sources(sources.len()));
    }
    let (from_ms, to_ms) = bounds(&args.window, reader, times)?;
    Ok(Asked { sources, from_ms, to_ms, reason: args.reason.clone(), alarm: args.window.alarm.map(Seq) })
}

/// Every device that ever stood at one of these outfalls.
pub(super) fn devices_of_all(codes: &[OutfallCode], reader: &Reader) -> Result<BTreeSet<SourceId>, EvidenceError> {
    let devices = codes.iter().map(|code| devices_of(code, reader)).collect::<Result<Vec<_>, _>>()?;
    Ok(devices.into_iter().flatten().collect())
}

/// Every device that ever stood at an outfall: that one does not stand there any more takes nothing back.
fn devices_of(code: &OutfallCode, reader: &Reader) -> Result<Vec<SourceId>, EvidenceError> {
    let all = SeqRange { first: Seq(0), last: Seq(i64::MAX.cast_unsigned()) };
    let mut devices = Vec::new();
    for_each_outfall(reader, all, |_, outfall| {
        if let Outfall::Devices(standing) = outfall
            && standing.outfall == *code
        {
            devices.extend(standing.devices.iter().cloned());
        }
    })
    .map_err(EvidenceError::Store)?;
    if devices.is_empty() {
        return Err(EvidenceError::NoDevices(code.clone()));
    }
    Ok(devices)
}

/// From when on, and before when.
pub(super) fn bounds(args: &WindowArgs, reader: &Reader, times: &TimeLine) -> Result<(UnixMs, UnixMs), EvidenceError> {
    let (from_ms, to_ms) = match args.alarm {
        Some(seq) => around(Seq(seq), args, reader, times)?,
        None => {
            let to = args.to.unwrap_or_else(jiff::Timestamp::now);
            let from = args.from.unwrap_or(jiff::Timestamp::MIN);
            (UnixMs(from.as_millisecond()), UnixMs(to.as_millisecond()))
        }
    };
    if from_ms >= to_ms {
        return Err(EvidenceError::Window);
    }
    Ok((from_ms, to_ms))
}

/// From some time before the cause of an alarm to some time after the alarm.
fn around(seq: Seq, args: &WindowArgs, reader: &Reader, times: &TimeLine) -> Result<(UnixMs, UnixMs), EvidenceError> {
    let read = |seq| read_one(reader, seq).map(|found| found.map(|at| (moment(&at, times.time(&at.record.stamp)), at)));
    let (alarmed, alarm) = read(seq)?.ok_or(EvidenceError::NoAlarm(seq))?;
    let Body::Alarm(transition) = &alarm.record.body else { return Err(EvidenceError::NoAlarm(seq)) };
    // Without its cause the alarm itself is what there is.
    let caused = read(transition.cause)?.map_or(alarmed, |(caused, _)| caused);
    let ms = |duration: jiff::SignedDuration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let from = caused.min(alarmed).0.saturating_sub(ms(args.before));
    Ok((UnixMs(from), UnixMs(alarmed.0.saturating_add(ms(args.after)).saturating_add(1))))
}

pub(super) fn read_one(reader: &Reader, seq: Seq) -> Result<Option<RecordAt>, EvidenceError> {
    let alone = SeqRange { first: seq, last: seq };
    Ok(reader.read(alone, usize::MAX).map_err(EvidenceError::Store)?.pop())
}
