//! Commands on their way down to devices: they survive a restart, and go when they are done with.

use record::{SourceId, Stamp};
use rusqlite::{Connection, Transaction, params};

use crate::database::{StoreError, from_sql, to_sql};

/// Most commands that may wait for one device. More is a device that never listens, or a loop that talks to it.
pub const COMMANDS_PER_DEVICE_MAX: usize = 32;
/// Most bytes of a command's payload: more than any LoRaWAN downlink (242 bytes) takes, enough for an MQTT one.
pub const COMMAND_BYTES_MAX: usize = 1024;

/// The name of a command, never used twice in one journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

impl std::fmt::Display for CommandId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A command to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its name, from [`Journal::next_command`](crate::Journal::next_command) on.
    pub id: CommandId,
    /// To whom.
    pub device: SourceId,
    /// The bytes for the device, at most [`COMMAND_BYTES_MAX`].
    pub payload: Vec<u8>,
    /// LoRaWAN FPort, 1 to 223; none for other links.
    pub f_port: Option<u8>,
    /// Whether the device must acknowledge it.
    pub confirmed: bool,
    /// When it was asked for.
    pub created: Stamp,
}

/// A command that waits, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCommand {
    /// The command.
    pub command: Command,
    /// How often it was sent; 0 while it is only queued.
    pub sent: u32,
}

/// A step of a command: queued, sent any number of times, gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandChange {
    /// It waits from now on.
    Queue(Command),
    /// It was sent once more. Says nothing if the command is gone.
    Sent(CommandId),
    /// It was acknowledged, needs no acknowledgement, or is given up. Says nothing if the command is gone.
    Done(CommandId),
}

/// Refuses what is beyond the bounds, before anything is written.
pub(crate) fn check(changes: &[CommandChange]) -> Result<(), StoreError> {
    let sizes = changes.iter().filter_map(|change| match change {
        CommandChange::Queue(command) => Some(command.payload.len()),
        CommandChange::Sent(_) | CommandChange::Done(_) => None,
    });
    match sizes.max().filter(|size| *size > COMMAND_BYTES_MAX) {
        Some(size) => Err(StoreError::TooLarge { what: "bytes of a command", size, max: COMMAND_BYTES_MAX }),
        None => Ok(()),
    }
}

/// The device that would have more commands than [`COMMANDS_PER_DEVICE_MAX`] after all these steps, if there is one.
pub(crate) fn write(transaction: &Transaction<'_>, changes: &[CommandChange]) -> rusqlite::Result<Option<SourceId>> {
    for change in changes {
        match change {
            CommandChange::Queue(Command { id, device, payload, f_port, confirmed, created }) => {
                // Writing to a Vec cannot fail.
                let created = minicbor::to_vec(created).unwrap_or_default();
                transaction
                    .prepare_cached("INSERT INTO command VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)")?
                    .execute(params![to_sql(id.0), device.as_str(), payload, f_port, confirmed, created])?;
            }
            CommandChange::Sent(id) => {
                transaction
                    .prepare_cached("UPDATE command SET sent = min(sent + 1, 4294967295) WHERE id = ?1")?
                    .execute([to_sql(id.0)])?;
            }
            CommandChange::Done(id) => {
                transaction.prepare_cached("DELETE FROM command WHERE id = ?1")?.execute([to_sql(id.0)])?;
            }
        }
    }
    let mut count = transaction.prepare_cached("SELECT count(*) FROM command WHERE device = ?1")?;
    for change in changes {
        let CommandChange::Queue(command) = change else { continue };
        let waiting: i64 = count.query_row([command.device.as_str()], |row| row.get(0))?;
        if waiting > to_sql(COMMANDS_PER_DEVICE_MAX as u64) {
            return Ok(Some(command.device.clone()));
        }
    }
    Ok(None)
}

/// Every command that waits, the oldest first.
pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Vec<StoredCommand>> {
    let sql = "SELECT id, device, payload, f_port, confirmed, created, sent FROM command ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let device: String = row.get(1)?;
        let created: Vec<u8> = row.get(5)?;
        let command = Command {
            id: CommandId(from_sql(row.get(0)?)),
            device: SourceId::new(&device).map_err(|error| damaged(1, error))?,
            payload: row.get(2)?,
            f_port: row.get(3)?,
            confirmed: row.get(4)?,
            created: minicbor::decode(&created).map_err(|error| damaged(5, error))?,
        };
        Ok(StoredCommand { command, sent: row.get(6)? })
    })?;
    rows.collect()
}

fn damaged(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Blob, Box::new(error))
}

/// The id after the largest that was ever given, 1 in a new journal.
pub(crate) fn next(connection: &Connection) -> rusqlite::Result<CommandId> {
    let sql = "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'command'";
    connection.query_row(sql, [], |row| row.get(0)).map(from_sql).map(CommandId)
}
