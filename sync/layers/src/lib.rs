//! One configuration text out of a file and its drop-ins, and where each value of it came from.
//!
//! ```text
//! gateway.toml ───────────────────┐
//! gateway.toml.d/10-site.toml ────┼─► Layered ─► one text, checked, kept and compared as if somebody had typed it;
//! gateway.toml.d/50-proxy.toml ───┘   by name    and for each value, or fault, the file and line to look at
//! ```
//! **In:** TOML files. **Out:** their text together. Without drop-ins it is the file itself, byte for byte.
//!
//! A later file wins key by key: tables are merged, every other value is replaced whole. An entry of a list of tables, as
//! `[[serial]]`, that has the `name` of one that an earlier file has is merged into it; others are added behind. How a table or
//! a list is written makes no difference: `tls.cert = "a"`, `tls = { cert = "a" }` and `[tls]` are one. Nothing takes a key away:
//! who wants a default sets it. The defaults are in the program, so there is no file of them.
//!
//! **Deliberately does not know:** which keys there are, and whether anybody would accept the values.
//!
//! Invariant: **B1** at most [`DROP_INS_MAX`] drop-ins, and no more bytes than whoever reads them allows.

mod compose;
mod error;
mod folder;
mod layered;
mod origin;
mod tree;

pub use error::{Fault, LayersError};
pub use folder::{DROP_INS_MAX, drop_ins, folder_of, main_of, set_aside};
pub use layered::{Layered, Setting, readable};
pub use origin::Spot;
