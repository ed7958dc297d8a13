//! One frame.

use crate::{cobs, crc};

/// Longest frame with its two zero bytes: the largest packet of E22 and E32 modules, so that a frame is never divided.
pub const FRAME_BYTES_MAX: usize = 240;
/// Two zero bytes, one byte of COBS, kind, length, CRC.
const OVERHEAD_BYTES: usize = 7;
/// Longest envelope, in bytes.
pub const ENVELOPE_BYTES_MAX: usize = FRAME_BYTES_MAX - OVERHEAD_BYTES;

/// What a frame is. The envelope is sealed for it, so that altering it breaks the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 01: a device's frame.
    Frame,
    /// 02: a device's frame that asks for an acknowledgement.
    ConfirmedFrame,
    /// 03: the box's acknowledgement.
    Acknowledgement,
}

/// A byte that is no [`Kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("kind {0:02x} is unknown: use 01 for a frame, 02 for one to be acknowledged")]
pub struct UnknownKind(pub u8);

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Kind::Frame => 1,
            Kind::ConfirmedFrame => 2,
            Kind::Acknowledgement => 3,
        }
    }
}

impl TryFrom<u8> for Kind {
    type Error = UnknownKind;
    fn try_from(byte: u8) -> Result<Kind, UnknownKind> {
        match byte {
            1 => Ok(Kind::Frame),
            2 => Ok(Kind::ConfirmedFrame),
            3 => Ok(Kind::Acknowledgement),
            other => Err(UnknownKind(other)),
        }
    }
}

/// A whole frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// The envelope's bytes, 1 to [`ENVELOPE_BYTES_MAX`].
    pub envelope: Vec<u8>,
    /// Whether the CRC agrees. If not, the frame was most probably altered on the way; the MAC decides.
    pub crc_agrees: bool,
}

/// Why an envelope cannot be a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an envelope on a serial line has 1 to {ENVELOPE_BYTES_MAX} bytes, this one has {bytes}: split the payload")]
pub struct EncodeError {
    /// Its length.
    pub bytes: usize,
}

/// The bytes of a frame on the line, with both of its zero bytes.
///
/// # Errors
/// [`EncodeError`] if the envelope is empty or longer than [`ENVELOPE_BYTES_MAX`].
pub fn encode(kind: Kind, envelope: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let bytes = envelope.len();
    let length = u8::try_from(bytes).ok().filter(|_| (1..=ENVELOPE_BYTES_MAX).contains(&bytes));
    let mut content = vec![kind.byte(), length.ok_or(EncodeError { bytes })?];
    content.extend(envelope);
    content.extend(crc::crc16(&content).to_be_bytes());
    let mut line = Vec::with_capacity(content.len() + 3);
    line.push(0);
    cobs::stuff(&content, &mut line);
    line.push(0);
    Ok(line)
}
