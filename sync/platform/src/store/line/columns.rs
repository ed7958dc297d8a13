//! Columns of one thing that a record tells, in the order of its table.

use batch::{KeyStatement, Whose};
use record::{
    Act, Actor, AlarmTransition, Audit, ClockQuality, ClockSet, Decimal, DossierVersion, Gap, Grounds, LimitSide,
    Reading, Seq, SeqRange, SourceId, Standing, TextValue, Told,
};
use rusqlite::types::Value;

use super::Refused;

/// The state of a clock and the bound of its error.
pub(super) fn clock_columns(clock: ClockQuality) -> [Value; 2] {
    let error = match clock {
        ClockQuality::Holdover { error_ms } => Value::Integer(i64::from(error_ms)),
        ClockQuality::Synchronised | ClockQuality::Unset => Value::Null,
    };
    [text(clock.as_str()), error]
}

pub(super) fn clock_set_columns(set: &ClockSet) -> Vec<Value> {
    let [before, before_error] = clock_columns(set.before);
    let numbers = [Value::Integer(set.step_ms), Value::Integer(i64::from(set.error_ms))];
    [text(set.source.as_str()), before, before_error].into_iter().chain(numbers).collect()
}

pub(super) fn gap_columns(gap: &Gap) -> Result<Vec<Value>, Refused> {
    let ranges: Vec<String> = gap.ranges.iter().map(|range| format!("{range:?}")).collect();
    Ok(vec![
        text(gap.why.as_str()),
        Value::Text(ranges.join(",")),
        integer("frames", gap.frames)?,
        integer("rejected", gap.rejected)?,
        integer("other", gap.other)?,
        integer("bytes", gap.bytes)?,
    ])
}

pub(super) fn audit_columns(audit: &Audit) -> Result<Vec<Value>, Refused> {
    let (platform, records, key) = match &audit.act {
        Act::Dropped { platform, records } => (Some(platform), Some(*records), None),
        Act::Pinned { records } => (None, Some(*records), None),
        Act::Released { pin } => (None, Some(SeqRange { first: *pin, last: *pin }), None),
        Act::Enrolled { platform, key } => (Some(platform), None, Some(key)),
        Act::Settled { command, .. } => (None, Some(SeqRange { first: *command, last: *command }), None),
        Act::Notified { alarm, .. } => (None, Some(SeqRange { first: *alarm, last: *alarm }), None),
        Act::Sampled { alarm, .. } => (None, alarm.map(|seq| SeqRange { first: seq, last: seq }), None),
        Act::Acknowledged { .. }
        | Act::Shelved { .. }
        | Act::Reset { .. }
        | Act::Refilled { .. }
        | Act::SelfTested { .. }
        | Act::Commanded { .. }
        | Act::KeyChanged { .. }
        | Act::Configured { .. } => (None, None, None),
    };
    let changed = match &audit.act {
        Act::KeyChanged { statement } => key_columns(statement),
        _ => KeyColumns::default(),
    };
    let (rule, source) = match &audit.act {
        Act::Acknowledged { rule, source } | Act::Shelved { rule, source, .. } | Act::Reset { rule, source } => {
            (text(rule.as_str()), text(source.as_str()))
        }
        _ => (Value::Null, Value::Null),
    };
    let (file, sha256) = match &audit.act {
        Act::Configured { file, sha256, .. } => (text(file.as_str()), Value::Text(hex::encode(sha256))),
        _ => (Value::Null, Value::Null),
    };
    let [number, order, refused, command] = command_columns(&audit.act)?;
    let bound = |seq: Option<Seq>| seq.map_or(Ok(Value::Null), |seq| integer("seq", seq.0));
    Ok(vec![
        actor(&audit.by),
        text(audit.act.as_str()),
        platform.map_or(changed.platform, |platform| text(platform)),
        bound(records.map(|range| range.first))?,
        bound(records.map(|range| range.last))?,
        key.map_or(changed.key, |key| Value::Text(hex::encode(key))),
        rule,
        source,
        text(&audit.reason),
        number,
        order,
        refused,
        command,
        changed.former,
        changed.statement,
        file,
        sha256,
    ])
}

pub(in crate::store) fn actor(by: &Actor) -> Value {
    Value::Text(match by {
        Actor::User(uid) => format!("user {uid}"),
        Actor::Platform(platform) => format!("platform {platform}"),
        Actor::Box => "box".to_owned(),
    })
}

pub(super) fn dossier_columns(version: &DossierVersion, time: &[Value; 2]) -> Result<Vec<Value>, Refused> {
    let DossierVersion { version, by, reason, dossier, told } = version;
    let [told_seq, told_ms] = told_columns(*told)?;
    let mut columns = vec![
        text(dossier.code.as_str()),
        Value::Integer(i64::from(*version)),
        actor(by),
        text(reason),
        text(dossier.name.as_str()),
        text(dossier.class.as_str()),
        text(dossier.state.as_str()),
        Value::Text(dossier.position.longitude.to_string()),
        Value::Text(dossier.position.latitude.to_string()),
        text(dossier.position.datum.as_str()),
        // A dossier has texts, numbers and lists of them: nothing that JSON lacks.
        Value::Text(serde_json::to_string(dossier).unwrap_or_default()),
        told_seq,
        told_ms,
    ];
    columns.extend_from_slice(time);
    Ok(columns)
}

pub(super) fn standing_columns(standing: &Standing) -> Result<Vec<Value>, Refused> {
    let devices: Vec<&str> = standing.devices.iter().map(SourceId::as_str).collect();
    let [told_seq, told_ms] = told_columns(standing.told)?;
    Ok(vec![text(standing.outfall.as_str()), Value::Text(devices.join(",")), told_seq, told_ms])
}

/// Which record told first what this one tells again.
fn told_columns(told: Option<Told>) -> Result<[Value; 2], Refused> {
    let seq = told.map_or(Ok(Value::Null), |told| integer("told", told.seq.0))?;
    Ok([seq, told.map_or(Value::Null, |told| Value::Integer(told.wall_ms.0))])
}

/// Of what a platform commanded: its number, what it is or what became of it, why it is refused, and its digest. Of a
/// configuration file how it was changed.
fn command_columns(act: &Act) -> Result<[Value; 4], Refused> {
    Ok(match act {
        Act::Commanded { number, order, refused, command } => {
            let refused = refused.as_deref().map_or(Value::Null, text);
            let digest = Value::Text(batch::Command::digest(command).to_string());
            [integer("number of a command", *number)?, text(order), refused, digest]
        }
        Act::Settled { outcome, .. } => [Value::Null, text(outcome.as_str()), Value::Null, Value::Null],
        Act::Configured { how, .. } => [Value::Null, text(how.as_str()), Value::Null, Value::Null],
        _ => [Value::Null, Value::Null, Value::Null, Value::Null],
    })
}

/// What an order has where a key took the place of another one; nothing where none did.
struct KeyColumns {
    platform: Value,
    key: Value,
    former: Value,
    statement: Value,
}

impl Default for KeyColumns {
    fn default() -> KeyColumns {
        KeyColumns { platform: Value::Null, key: Value::Null, former: Value::Null, statement: Value::Null }
    }
}

/// Kept as it is, whatever it says; what cannot be read has no keys.
fn key_columns(statement: &[u8]) -> KeyColumns {
    let bytes = Value::Blob(statement.to_vec());
    let Ok(read) = KeyStatement::read(statement) else {
        return KeyColumns { statement: bytes, ..KeyColumns::default() };
    };
    let platform = match (&read, read.whose()) {
        (_, Whose::Platform(platform)) => text(platform.as_str()),
        (KeyStatement::Succession { says, .. }, Whose::Box(_)) => text(says.platform.as_str()),
        (KeyStatement::Change(_), Whose::Box(_)) => Value::Null,
    };
    let (former, key) = read.keys();
    let [former, key] = [former, key].map(|key| Value::Text(key.to_string()));
    KeyColumns { platform, key, former, statement: bytes }
}

pub(super) fn alarm_columns(alarm: &AlarmTransition, time: &[Value; 2]) -> Result<Vec<Value>, Refused> {
    let side = match alarm.side {
        LimitSide::High => "high",
        LimitSide::Low => "low",
    };
    let mut columns = vec![
        text(alarm.source.as_str()),
        text(alarm.rule.as_str()),
        text(alarm.quantity.as_str()),
        text(alarm.from.as_str()),
        text(alarm.to.as_str()),
        text(side),
        Value::Text(alarm.limit.to_string()),
        decimal(alarm.value),
        integer("cause", alarm.cause.0)?,
    ];
    columns.extend_from_slice(time);
    columns.extend(match &alarm.grounds {
        None => [Value::Null, Value::Null, Value::Null, Value::Null],
        Some(Grounds { measure, unit, span_s, tier }) => {
            [text(measure.as_str()), text(unit.as_str()), Value::Integer(i64::from(*span_s)), text(tier.as_str())]
        }
    });
    columns.push(alarm.suppression.map_or(Value::Null, |suppression| text(suppression.as_str())));
    Ok(columns)
}

pub(super) fn text_columns(idx: i64, value: &TextValue) -> Vec<Value> {
    vec![Value::Integer(idx), text(value.quantity.as_str()), text(&value.text)]
}

pub(super) fn reading_columns(idx: i64, source: &SourceId, reading: &Reading, time: &[Value; 2]) -> Vec<Value> {
    // A decimal's text is a number within 10^±60, so that a double can hold it, rounded.
    let approximate = reading.value.and_then(|value| value.to_string().parse().ok());
    let mut columns = vec![
        Value::Integer(idx),
        text(source.as_str()),
        text(reading.quantity.as_str()),
        text(reading.unit.as_str()),
        decimal(reading.value),
        approximate.map_or(Value::Null, Value::Real),
        text(reading.quality.as_str()),
        reading.at_ms.map_or(Value::Null, |at| Value::Integer(at.0)),
    ];
    columns.extend_from_slice(time);
    columns
}

pub(in crate::store) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn decimal(value: Option<Decimal>) -> Value {
    value.map_or(Value::Null, |value| Value::Text(value.to_string()))
}

/// SQLite's integers have a sign.
pub(in crate::store) fn signed(what: &'static str, number: u64) -> Result<i64, Refused> {
    i64::try_from(number).map_err(|_| Refused::Number { what, number })
}

pub(in crate::store) fn integer(what: &'static str, number: u64) -> Result<Value, Refused> {
    signed(what, number).map(Value::Integer)
}
