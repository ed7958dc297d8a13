//! The envelope that a device may put around each of its frames: COSE_Sign1 or COSE_Mac0 with a counter.
//!
//! **In:** the bytes of an envelope, the device's key and name. **Out:** the payload, the counter and the device's time,
//! all of them proved, or why not; and from a [`ReplayWindow`] whether the frame is new. The far end's half, [`seal`],
//! is here too: the box seals its acknowledgements with it, tests and the demo seal frames.
//!
//! ```text
//! 18([ << {1: -8,    ? 4: kid, -65537: counter, ? -65538: device time} >>, {}, payload, signature: 64 bytes ])   Ed25519
//! 17([ << {1: 5 / 4, ? 4: kid, -65537: counter, ? -65538: device time} >>, {}, payload, tag: 32 / 8 bytes ])    HMAC-SHA-256
//! ```
//! | label | meaning | value |
//! |---|---|---|
//! | 1 | alg | -8 EdDSA, 5 HMAC 256/256, 4 HMAC 256/64 |
//! | 4 | kid | 1 to 8 bytes; which device, where the link does not tell |
//! | -65537 | counter | unsigned, grows with each frame, also across restarts of the device |
//! | -65538 | device time | milliseconds since 1970-01-01T00:00:00Z, by the device's clock |
//!
//! The two private labels are of the range that RFC 9052 leaves to applications: no registered parameter means a
//! frame counter, and `Partial IV` (6), which OSCORE uses as one, belongs to an IV that there is none of here.
//! The external data (`external_aad`) is the device's name, so that a frame of one device is none of another's,
//! even where two were given one key; see [`Purpose`] for the two other things that are sealed with the same key.
//!
//! **One spelling.** An envelope is accepted only in deterministic CBOR (RFC 8949 §4.2.1) with exactly these headers, all
//! of them protected: the same meaning never has two byte strings, or a forwarder could make a second piece of evidence
//! out of the first. There is no untagged form, so that an envelope and a bare payload are told apart by one byte.
//!
//! **Deliberately does not know:** on which link a frame came (`mqtt`, `serial`), where keys and windows are kept
//! (`ingest`, `journal`), what the payload says. It reads no clock, randomness, environment, file or socket (S1).
//!
//! Invariants: **B1** by [`ENVELOPE_BYTES_MAX`], [`Kid::BYTES_MAX`] and [`ReplayWindow::COUNTERS`]. Keys are wiped when
//! dropped and never shown.
//!
//! Standards: RFC 9052 (COSE), RFC 9053 §2.2 and §3.1 (EdDSA, HMAC), RFC 8949 (CBOR), RFC 8032, RFC 2104.

mod alg;
mod cbor;
mod error;
mod key;
mod kid;
mod open;
mod purpose;
mod replay;
mod seal;

pub use alg::Alg;
pub use error::{OpenError, ParseError};
pub use key::{DeviceKey, HmacKey, KeyError, PublicKey, SigningKey};
pub use kid::{Kid, KidError};
pub use open::{ENVELOPE_BYTES_MAX, Envelope, Opened};
pub use purpose::Purpose;
pub use replay::{FrameDigest, Novelty, ReplayWindow};
pub use seal::{Header, Sealer, acknowledgement, seal};

#[cfg(test)]
mod tests;
