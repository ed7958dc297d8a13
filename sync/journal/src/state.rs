//! What a part of the gateway must remember beside devices: counters of the network, for example. Opaque here.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};

use crate::database::{StoreError, to_sql};

/// Most names. Each belongs to a part of the program, none to a device or a frame.
pub const STATES_MAX: usize = 64;
/// Most bytes of one value.
pub const STATE_BYTES_MAX: usize = 64 * 1024;

/// Refuses what is beyond the bounds, before anything is written.
pub(crate) fn check(states: &BTreeMap<String, Vec<u8>>) -> Result<(), StoreError> {
    match states.values().map(Vec::len).max().filter(|size| *size > STATE_BYTES_MAX) {
        Some(size) => Err(StoreError::TooLarge { what: "bytes of a state", size, max: STATE_BYTES_MAX }),
        None => Ok(()),
    }
}

/// Whether there are no more than [`STATES_MAX`] afterwards. An empty value takes the name away.
pub(crate) fn write(transaction: &Transaction<'_>, states: &BTreeMap<String, Vec<u8>>) -> rusqlite::Result<bool> {
    for (name, value) in states {
        if value.is_empty() {
            transaction.prepare_cached("DELETE FROM state WHERE name = ?1")?.execute([name])?;
        } else {
            transaction
                .prepare_cached("INSERT INTO state VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")?
                .execute(params![name, value])?;
        }
    }
    let count: i64 = transaction.prepare_cached("SELECT count(*) FROM state")?.query_row([], |row| row.get(0))?;
    Ok(count <= to_sql(STATES_MAX as u64))
}

/// All of them, by name.
pub(crate) fn read(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT name, value FROM state")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
