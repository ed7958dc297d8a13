//! The clock of this boot.

use journal::{Journal, Reader, StoreError, Transaction};
use record::{Body, Boot, BootNo, Record, Stamp};

use super::Parts;
use crate::clock::{Clock, Rtc, STATE, SavedTime};
use crate::ledger::newest;

/// With the newest record so much older, nobody can tell whether devices were silent or the program was not there.
const AWAY_MS: u64 = 60_000;

/// Which boot this is: the newest one in the journal if the kernel's boot id is the same, else the next one. A new boot, a
/// new version of the program, a start after it was away for a minute, and one with files of a platform on trial, becomes a
/// record.
pub(super) fn start_clock(journal: &mut Journal, reader: &Reader, parts: &Parts) -> Result<Clock, StoreError> {
    let boot_id = parts.boot_id.as_str();
    let newest = newest(reader, journal.end())?.map(|last| last.record.stamp);
    let newest_ms = newest.map(|stamp| stamp.wall_ms);
    let saved = reader.states()?.get(STATE).and_then(|bytes| SavedTime::from_bytes(bytes));
    let clock = |boot| {
        let clock = Clock::new(boot, newest_ms).asking(parts.ask_clock);
        if let Some(saved) = saved { clock.with_saved(saved) } else { clock }
    };
    let version = env!("CARGO_PKG_VERSION");
    let last_boot = reader.last_boot()?.map(|at| (at.record.stamp.boot, at.record.body));
    let mut clock = match last_boot {
        Some((boot, Body::Boot(known))) if known.boot_id == boot_id && known.version == version => {
            let mut clock = clock(boot);
            if !parts.origin.is_trial() && !was_away(newest.as_ref(), &clock.stamp()) {
                return Ok(clock);
            }
            clock
        }
        Some((boot, Body::Boot(known))) if known.boot_id == boot_id => clock(boot),
        Some((boot, _)) => clock(BootNo(boot.0.saturating_add(1))).with_rtc(Rtc::read()),
        // Its record may have been taken away, and its number must not mean another boot.
        None => clock(newest.map_or(BootNo(0), |stamp| BootNo(stamp.boot.0.saturating_add(1)))),
    };
    let body = Body::Boot(Boot { boot_id: boot_id.into(), version: version.into() });
    let records = vec![Record { stamp: clock.stamp(), body }];
    journal.commit(&Transaction { records, ..Transaction::default() })?;
    Ok(clock)
}

fn was_away(newest: Option<&Stamp>, now: &Stamp) -> bool {
    newest.is_some_and(|newest| now.mono_ms.0.saturating_sub(newest.mono_ms.0) >= AWAY_MS)
}
