//! The two database files of a box, and all the SQL of the two daemons (S1).
//!
//! ```text
//! gatewayd ─► Journal (the one writer) ─► journal.db ─► Reader ─► syncd, `weir tail`, `weir verify`
//!                                          syncd ─► Outbox (the one writer) ─► outbox.db ─► `weir status`
//! ```
//! **In:** [`record::Record`]s, what the verifier must remember of each device, commands to devices, and states of parts
//! of the gateway, in one [`Transaction`]. **Out:** the same records in order, which codecs are among them, the Merkle
//! frontier, signed checkpoints; the commands that wait; for each destination what it holds.
//!
//! **Deliberately does not know:** what is inside a device's session blob or a state, what a batch's bytes mean, who signs, or
//! what time it is.
//!
//! Invariants: **J1** (a committed record is never updated: no statement here does), **J2** (the number of a record is
//! the size of the tree before it), **A1** ([`Journal::commit`] returns after `fdatasync`), **D1** (coverage grows in
//! the transaction that stores the receipt), **D2** (a batch's bytes are kept until their receipt), **S1**.
//!
//! Facts behind the settings: WAL with `synchronous=FULL` syncs the WAL once a commit; 1 KiB pages write about 1.6
//! times fewer bytes than 4 KiB ones at our row sizes; no secondary unique index, because it costs up to nine times
//! the bytes; records of one commit share a compressed row, because neighbours say nearly the same; the writer keeps `-wal`
//! and `-shm` on close, because a reader of another user that recreates them locks the writer out.

mod archive;
mod backup;
mod check;
mod command;
mod database;
mod device;
mod history;
mod hot;
pub mod invariant;
mod manual;
mod outbox;
mod pack;
mod pin;
mod reader;
mod register;
pub mod retention;
pub mod salvage;
mod schema;
mod seal;
mod segment;
mod standings;
mod standstill;
mod state;
mod subtree;
mod writer;

pub use archive::ArchiveError;
pub use backup::{Backup, BackupError, backup, restore};
pub use check::{check, mend};
pub use command::{COMMAND_BYTES_MAX, COMMANDS_PER_DEVICE_MAX, Command, CommandChange, CommandId, StoredCommand};
pub use database::StoreError;
pub use device::{DeviceRow, Tally};
pub use manual::{ENTRIES_MAX, Entries, Known, ReplaceError, for_each_manual};
pub use outbox::{
    DestinationTally, NOTIFICATION_BYTES_MAX, NOTIFICATIONS_MAX, Notified, Outbox, ParkedBatch, ReceiptAt, StoredBatch,
    StoredUsage,
};
pub use pin::{PINS_BY_BOX_MAX, PINS_MAX, Pins};
pub use reader::{Position, Reader, StoredCheckpoint};
pub use register::{OUTFALLS_MAX, Register, Registered, for_each_outfall};
pub use seal::{Loss, reduce, seal, weigh};
pub use segment::{BLOCK_RECORDS, HOT_BYTES_MAX, HOT_RECORDS_MAX, Segment, SegmentChange, Stage, TableSize};
pub use standings::Standings;
pub use standstill::Standstill;
pub use state::{STATE_BYTES_MAX, STATES_MAX};
pub use writer::{Committed, Journal, Transaction};

#[cfg(test)]
mod tests;
