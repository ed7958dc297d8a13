//! Weir end to end: real processes of the `weir` binary on loopback, and at the far ends programs that nobody here
//! wrote (`tests/peers`). The tests are in `tests/system`, one file a topic; this is what they share.
//!
//! **In:** the binary (`WEIR_BIN`, else `target/release/weir`), `tests/.tools` as `tests/run tools` fills it.
//! **Out:** a [`World`] in a temporary folder, on ports that the kernel gave; what its parties hold, as [`Row`]s.
//!
//! **Deliberately does not know:** how Weir works inside. It reads what anyone can read: exit statuses, `--json`, the
//! read API, and databases through their published schema.
//!
//! A test that fails keeps its folder and says where it is.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "every line here is test code: a surprise ends the test")]

pub mod config;
pub mod daemon;
pub mod disk;
pub mod http;
pub mod machine;
pub mod patience;
pub mod peer;
pub mod platform;
pub mod radio;
pub mod relay;
pub mod row;
pub mod sensor;
pub mod world;

pub use config::Device;
pub use daemon::{Answer, Daemon, weir_binary};
pub use disk::Disk;
pub use machine::{Machine, build_package, package};
pub use patience::until;
pub use peer::{Finished, Peer, tools};
pub use platform::Party;
pub use radio::Radio;
pub use relay::Relay;
pub use row::Row;
pub use sensor::Sensor;
pub use world::World;
