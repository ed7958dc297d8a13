//! A committer on a real journal, driven one transaction at a time.

mod bench;
mod failing;
mod gathering;
mod orders;
mod stored;
