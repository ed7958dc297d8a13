//! An exported journal: one file that proves itself, for whoever has the box's public key.
//!
//! ```text
//! header   ["weirlog", 1, box, key]
//! record   [seq, canonical bytes, leaf hash]        each record, by ascending number without gap,
//! pruned   [seq, level, root]                       or the root of the 2^level records that were taken away
//! <<checkpoint>>                                    behind the last record that it covers
//! end      [size, SHA-256 of all bytes before it]
//! ```
//! A CBOR sequence (RFC 8742), written and read with the memory of one record; `weirlog.cddl` says all of it for other
//! languages, and how a verifier names the first bad record.
//!
//! The signed tree heads prove the records. The leaf hash beside each record proves nothing by itself; once the tree over
//! these hashes is the signed one, it tells *which* record was altered, and that the others were not. The digest at the
//! end finds what no tree covers: a changed header, a checkpoint taken out.

mod beliefs;
mod fault;
mod item;
mod read;
#[cfg(test)]
mod tests;
mod verifier;
mod writer;

pub use beliefs::Beliefs;
pub use fault::{Fault, Place};
pub use read::{Entry, read};
pub use verifier::{Verdict, Verifier, verify, verify_by};
pub use writer::{WriteError, Writer};

/// The first word of the file.
const MAGIC: &str = "weirlog";
/// The version of the format. Another one is another format; nothing is guessed.
const VERSION: u64 = 1;
