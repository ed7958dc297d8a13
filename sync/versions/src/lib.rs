//! Kept versions of a box's configuration files: what was in force once can be looked at, compared and put back, and a daemon
//! whose file was broken goes on with the last one by which it worked.
//!
//! ```text
//! daemon that started ───────────────┐                 ┌─► `weir config history | show | diff`
//! `weir config apply`, `rollback` ───┴─► Versions ─────┴─► daemon whose file is refused: the last good one
//!                                        a folder of texts by their SHA-256, and an index
//! ```
//! **In:** texts that were checked, with who put them there and why. **Out:** the same texts, byte for byte.
//!
//! Each daemon has a folder of its own, which it alone and root can write: the field daemon keeps `gateway.toml`,
//! `devices.toml` and `rules.toml`, the upload daemon `sync.toml`. `keys.toml` is kept nowhere.
//!
//! **Deliberately does not know:** what is in a text, and whether anybody would accept it.
//!
//! Invariants: **B1** at most [`VERSIONS_MAX`] versions and [`BYTES_MAX`] bytes of texts; the oldest go first, and never the
//! newest of a file, nor the one by which its daemon worked last.

mod error;
mod index;
mod replace;
mod store;
#[cfg(test)]
mod tests;
mod version;

pub use error::VersionsError;
pub use index::{BYTES_MAX, TEXT_BYTES_MAX, VERSIONS_MAX};
pub use replace::{folder_of, replace};
pub use store::{Place, Versions, state_dir};
pub use version::{How, Version, VersionId, sha256};
