//! A sensor's JavaScript codec (LoRa Alliance TS013), run in a box with walls.
//!
//! **In:** the source of a codec, a payload with its FPort and time of receipt. **Out:** an [`Output`]: what the codec
//! says as a [`Value`] whose numbers are decimal texts, or a [`DecodeError`] by its cause.
//!
//! ```text
//! source ─► Script::compile ─► Script ─► decode_uplink(Uplink)    ─► Output { data, warnings, entry }
//!                                   └──► encode_downlink(Value)  ─► Downlink { f_port, bytes }
//! ```
//!
//! Codecs come from strangers. Each call has a fresh engine, so nothing lasts from one frame to the next, and ends
//! within [`HEAP_BYTES_MAX`], [`STACK_BYTES_MAX`], [`STEPS_MAX`] and [`OUTPUT_BYTES_MAX`] by a named cause (**B1**).
//! Time is limited by counted work, not by a clock: history that is decoded again gives what it gave the first time,
//! on a faster box and on a busier one. Therefore a codec sees no clock and no randomness either: `new Date()` is the
//! time of receipt, local time is UTC, `Math.random()` is a fixed series, `performance` and jobs of promises do not
//! exist for it (**S1**).
//!
//! Counted are function calls, loop rounds, backtracking, and the lengths that the functions of strings, arrays and
//! `JSON` work on. Operators on one long value are not, so there are no such values: texts and arrays end with the heap,
//! and a codec gets no `BigInt`, whose arithmetic could outlast any count. Literals are refused when a source is loaded,
//! and code that is made from text is not run.
//!
//! **Deliberately does not know:** what the values mean (`ingest` maps them), where the source lies.
//!
//! Standards: LoRa Alliance TS013-1.0.0 (payload codec API), ECMA-262 (number to text), as sloppy script: most public
//! codecs are older than strict mode. Older forms are called where `decodeUplink` is absent, see [`Entry`].

mod argument;
mod big_int;
mod budget;
mod engine;
mod error;
mod number;
mod result;
mod scan;
mod script;
mod thrown;
mod value;

pub use error::{DecodeError, EncodeError, Fault, ScriptError};
pub use script::{Downlink, Entry, Output, Script, Uplink};
pub use value::Value;

/// Longest source, in bytes. The largest public codecs are bundles of about 100 KiB.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;

/// Most memory of one call, in bytes. Public codecs stay below 400 KiB.
pub const HEAP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Deepest stack of one call, in bytes; a thread's own must be larger.
pub const STACK_BYTES_MAX: usize = 256 * 1024;

/// Most work of one call, in steps of 10,000 function calls or loop rounds. Public codecs need fewer than four. On a
/// desktop's processor all of them take 3 ms in an empty loop and at most a second in the worst case known.
pub const STEPS_MAX: u32 = 64;

/// Largest result, in bytes of its keys and texts; a number, bracket or flag counts 2.
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// Deepest result: what the JSON codec takes from a sensor as well.
pub const OUTPUT_DEPTH_MAX: usize = 16;

/// Longest message of an exception that is kept, in characters.
pub const MESSAGE_CHARS_MAX: usize = 200;
