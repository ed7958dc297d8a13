//! The clock of this boot.

use journal::{Journal, Reader, StoreError, Transaction};
use record::{Body, Boot, BootNo, Record};

use crate::clock::Clock;
use crate::ledger::newest;

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
