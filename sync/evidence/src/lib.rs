//! Evidence files: what a box recorded in some hours, as one file that convinces without the box.
//!
//! ```text
//! mimetype             application/vnd.weir.evidence+zip
//! report.html          for people: charts, alarms, what is missing             made of the records
//! readings.csv         for spreadsheets                                        made of the records
//! records.weirlog      the records in their exact bytes ── Merkle tree ──► signed tree head of the box
//! receipts/….cose      a platform's word ── the same tree's root, and when it had it
//! seal.cose            the box's word about all other parts
//! ```
//! **In:** records with the roots of all others (a [`weirlog`](batch::weirlog)), receipts, public keys. **Out:** the bytes
//! of a file; of a file, a [`Verdict`]: statements that are proven, open or wrong.
//!
//! What proves what: a tree head proves each record, a receipt that the tree was so before a platform's clock said so. The
//! report and the table are made anew of the records and compared. The seal adds nothing to that; it covers what is asked
//! for in words, and that no part was put in, exchanged or left out.
//!
//! `evidence.cddl` says all of it for other languages; a verifier in Python, written from that alone, is
//! `tests/peers/verify_evidence.py`.
//!
//! **Deliberately does not know:** which records somebody wants, where they are kept (`journal`), who may sign (the
//! gateway; [`batch::EvidenceSeal`]), in which words a verdict is shown (`weir`). It reads no clock, randomness,
//! environment, file or socket.
//!
//! Invariants carried here: **J1** for whoever was not there, **T1** (a time is shown with what it is worth), **B1**
//! ([`EVIDENCE_BYTES_MAX`], [`RECORDS_MAX`], [`RECEIPTS_MAX`]).
//!
//! Standards: APPNOTE.TXT 6.3 (ZIP) in the manner of ETSI EN 319 162-1 (ASiC), RFC 4180 (CSV), RFC 9052 (COSE), RFC 9162.

mod choice;
pub mod container;
pub mod dossier;
mod draft;
mod log;
mod parts;
pub mod readings;
mod receipts;
mod report;
mod revoked;
#[cfg(test)]
mod tests;
mod verdict;
mod verifier;

pub use choice::{Part, cover};
pub use draft::{Draft, DraftError, ReceiptFile};
pub use log::moment;
pub use parts::RECEIPTS_MAX;
pub use receipts::{ReceiptFault, Receipts};
pub use report::escape;
pub use verdict::{Complete, Finding, RecordsFault, Revoked, Sealed, State, Times, Verdict, What};
pub use verifier::{Keys, begins, verify};

/// Version of the rule by which the report is made, for the seal.
pub const REPORT_VERSION: u32 = report::VERSION;
/// Most records of a file: a day of 40 devices that speak once a minute is 57,600.
pub const RECORDS_MAX: usize = 100_000;
/// Most canonical bytes of these records.
pub const RECORDS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most bytes of a whole file. Making and verifying one take some four times that.
pub const EVIDENCE_BYTES_MAX: usize = 192 * 1024 * 1024;
