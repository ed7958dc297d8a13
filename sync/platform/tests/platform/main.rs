//! The platform over real TLS sockets, and its database between and after.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test that cannot go on fails")]

mod delivering;
mod enrolling;
mod filtering;
mod keeping;
mod keys;
mod one_history;
mod reading;
mod refusing;
mod world;
