//! The daemon on real files and sockets.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy's allowance covers test functions only")]

mod bench;
mod delivers;
mod hostile;
mod late;
mod metered;
mod parked;
mod trust;
