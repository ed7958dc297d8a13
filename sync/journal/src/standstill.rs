//! Both files while nobody writes them: another version of the program may take over meanwhile, if it can read them.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::database::{BUSY_TIMEOUT_MS, StoreError, take_lock};
use crate::schema::{JOURNAL, OUTBOX, Schema, number_of};

/// No daemon opens either file for as long as this lives.
#[derive(Debug)]
pub struct Standstill {
    _locks: Vec<File>,
}

impl Standstill {
    /// Keeps both writers out. A file that is not there yet keeps nobody: whoever makes it makes it as it can read it.
    ///
    /// # Errors
    /// [`StoreError::AlreadyOpen`] while a daemon has one of them open, [`StoreError::Schema`] if a newer program has
    /// written one and this one cannot read it, or why one cannot be looked at.
    pub fn begin(journal: &Path, outbox: &Path) -> Result<Standstill, StoreError> {
        let mut locks = Vec::new();
        for (path, schema) in [(journal, &JOURNAL), (outbox, &OUTBOX)] {
            if path.exists() {
                locks.push(take_lock(path)?);
                readable(path, schema)?;
            }
        }
        Ok(Standstill { _locks: locks })
    }
}

/// What is older is brought up to date by its writer; what is newer nobody takes back.
fn readable(path: &Path, schema: &Schema) -> Result<(), StoreError> {
    let open = |source| StoreError::Open { path: path.into(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(open)?;
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS)).map_err(open)?;
    let (found, expected) = (number_of(&connection).map_err(open)?, schema.number());
    if found > expected {
        return Err(StoreError::Schema { path: path.into(), found, expected });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Journal, Outbox};

    #[test]
    fn nobody_writes_meanwhile_and_what_is_newer_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, outbox) = (dir.path().join("journal.db"), dir.path().join("outbox.db"));
        drop(Standstill::begin(&journal, &outbox).unwrap());
        assert!(!dir.path().join("journal.lock").exists(), "nothing is made where nothing is");
        let open = Outbox::open(&outbox).unwrap();
        assert!(matches!(Standstill::begin(&journal, &outbox), Err(StoreError::AlreadyOpen { .. })));
        drop(open);
        drop(Journal::open(&journal, "outfall-1").unwrap());
        let still = Standstill::begin(&journal, &outbox).unwrap();
        assert!(matches!(Journal::open(&journal, "outfall-1"), Err(StoreError::AlreadyOpen { .. })));
        drop(still);
        drop(Journal::open(&journal, "outfall-1").unwrap());
        for path in [&outbox, &journal] {
            let newer = Connection::open(path).unwrap();
            let number = number_of(&newer).unwrap();
            newer.pragma_update(None, "user_version", 99).unwrap();
            let refused = Standstill::begin(&journal, &outbox).unwrap_err();
            assert!(matches!(&refused, StoreError::Schema { path: of, found: 99, .. } if of == path), "{refused}");
            newer.pragma_update(None, "user_version", number).unwrap();
        }
        Standstill::begin(&journal, &outbox).unwrap();
    }
}
