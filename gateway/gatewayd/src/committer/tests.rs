//! A committer on a real journal, driven one transaction at a time.

mod bench;
mod commanded;
mod commanded_files;
mod damaged;
mod decoding;
mod failing;
mod gathering;
mod history;
mod keys;
mod manual;
mod orders;
mod outfalls;
mod reloaded;
mod samples;
mod stored;

pub(crate) use bench::{Bench, table_at};
