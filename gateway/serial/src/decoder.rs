//! From a stream of bytes to frames.

use crate::frame::{Frame, Kind};
use crate::{FRAME_BYTES_MAX, cobs, crc};

/// Most bytes between two zero bytes that can be a frame.
const STUFFED_BYTES_MAX: usize = FRAME_BYTES_MAX - 2;

/// What stood in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A whole frame.
    Frame(Frame),
    /// A piece that is none.
    Damaged {
        /// What is wrong with it.
        damage: Damage,
        /// How many bytes it has.
        bytes: u64,
    },
}

/// Why a piece between two zero bytes is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Damage {
    /// It begins as no frame does: noise, or something else that speaks on this line.
    Noise,
    /// Bytes are missing or too many: a half frame, or two that ran into each other.
    Length,
    /// Longer than any frame, for example another protocol or a wrong baud rate.
    TooLong,
}

/// Finds frames in bytes that come in pieces. It holds one frame at most.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    piece: Vec<u8>,
    /// Bytes of this piece beyond the longest frame, counted and not kept.
    beyond: u64,
}

impl Decoder {
    /// Takes the next bytes; gives what became whole by them, in the order in which it came.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for byte in bytes {
            match byte {
                0 => events.extend(self.end()),
                _ if self.piece.len() < STUFFED_BYTES_MAX => self.piece.push(*byte),
                _ => self.beyond = self.beyond.saturating_add(1),
            }
        }
        events
    }

    /// Gives up what was begun, because the line was interrupted.
    pub fn reset(&mut self) -> Option<Event> {
        let bytes = self.bytes();
        self.piece.clear();
        self.beyond = 0;
        (bytes > 0).then_some(Event::Damaged { damage: Damage::Length, bytes })
    }

    fn bytes(&self) -> u64 {
        self.beyond.saturating_add(self.piece.len() as u64)
    }

    /// A zero byte: the piece before it ends. Between two frames there is an empty one.
    fn end(&mut self) -> Option<Event> {
        let bytes = self.bytes();
        let event = match (bytes, self.beyond) {
            (0, _) => return None,
            (_, 0) => match read(&self.piece) {
                Ok(frame) => Event::Frame(frame),
                Err(damage) => Event::Damaged { damage, bytes },
            },
            _ => Event::Damaged { damage: Damage::TooLong, bytes },
        };
        self.piece.clear();
        self.beyond = 0;
        Some(event)
    }
}

fn read(piece: &[u8]) -> Result<Frame, Damage> {
    // No kind is zero, so in a frame it stands behind the first byte of COBS, also in half of one.
    if piece.get(1).is_none_or(|byte| Kind::try_from(*byte).is_err()) {
        return Err(Damage::Noise);
    }
    let content = cobs::unstuff(piece).ok_or(Damage::Length)?;
    let [kind, length, rest @ ..] = content.as_slice() else { return Err(Damage::Length) };
    let kind = Kind::try_from(*kind).map_err(|_| Damage::Noise)?;
    let (envelope, crc) = rest.split_last_chunk::<2>().ok_or(Damage::Length)?;
    if envelope.is_empty() || envelope.len() != usize::from(*length) {
        return Err(Damage::Length);
    }
    let crc_agrees = crc::crc16(&content[..content.len() - 2]) == u16::from_be_bytes(*crc);
    Ok(Frame { kind, envelope: envelope.to_vec(), crc_agrees })
}
