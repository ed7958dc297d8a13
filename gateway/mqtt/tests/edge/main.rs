//! The edge against clients made of hand-written bytes: what it must do, and what it must survive.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]

mod acknowledge;
mod client;
mod commands;
mod connect;
mod flood;
mod hostile;
mod integrations;
mod life;
mod sessions;
mod tls;
mod wills;
mod world;
