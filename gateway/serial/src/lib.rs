//! Frames of transparent LoRa modules on a serial port: bytes in, envelopes out, and back.
//!
//! **In:** bytes as a UART delivers them, in pieces of any size, with noise, halves and strangers between. **Out:**
//! [`Event`]s: each whole frame with its kind and envelope, and each piece that was none with what is wrong with it.
//!
//! ```text
//! 00 | COBS( kind | length | envelope: `length` bytes | CRC-16, high byte first ) | 00
//! ```
//! | offset before COBS | bytes | meaning |
//! |---|---|---|
//! | 0 | 1 | kind: 01 frame, 02 frame that asks for an acknowledgement, 03 acknowledgement |
//! | 1 | 1 | length of the envelope, 1 to 233 |
//! | 2 | length | a COSE_Mac0 (crate `envelope`) |
//! | 2 + length | 2 | CRC-16/IBM-3740 over all before it (polynomial 1021, start FFFF, not reflected) |
//!
//! **Why COBS and not a sync word with a length.** COBS (Cheshire and Baker, 1999) takes every zero byte out of the
//! frame for one byte more, so a zero byte is always a boundary and never data. A sync word can occur in noise or in data;
//! the length behind it then claims up to 233 bytes of what follows, and a receiver must either lose the true frame
//! in there, or keep it and look again, and wait for bytes that may come in an hour. With COBS nothing is ever looked at twice,
//! a frame is out with its last byte, and the memory is one frame. The length inside is no frame boundary: it tells bytes that went missing
//! (a module's full buffer, a half packet) from bytes that were altered (noise), which are mended differently.
//!
//! **What is found:** every frame whose bytes stand together in the stream, whatever stands before and after it, since
//! it brings both of its boundaries along. Two frames may share one zero byte. **What is not:** a frame into which
//! something else was inserted, such as another device's bytes where a module joins two packets. [`FRAME_BYTES_MAX`] is one packet
//! of the modules, so that one frame is one packet and nothing gets between. Noise with zero bytes can look like a
//! frame: the CRC tells that quickly, and is a hint for the technician only; the MAC in the envelope decides.
//!
//! **Deliberately does not know:** ports, clocks, keys, devices. It reads no clock, randomness, environment, file or
//! socket (S1).
//!
//! Invariants: **B1** by [`FRAME_BYTES_MAX`]: a [`Decoder`] holds one frame; any bytes are answered.

mod cobs;
mod crc;
mod decoder;
mod frame;

pub use decoder::{Damage, Decoder, Event};
pub use frame::{ENVELOPE_BYTES_MAX, EncodeError, FRAME_BYTES_MAX, Frame, Kind, UnknownKind, encode};

#[cfg(test)]
mod tests;
