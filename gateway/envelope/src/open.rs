//! The opening half: from bytes to what a device stated and proved.

use minicbor::Decoder;
use minicbor::data::Int;

use crate::seal::{COUNTER, DEVICE_TIME, message, protected, tagged};
use crate::{Alg, DeviceKey, FrameDigest, Header, Kid, OpenError, ParseError, Purpose};

/// Longest envelope, in bytes: 16 KiB of payload, the most that a codec takes, and 256 for all around it.
pub const ENVELOPE_BYTES_MAX: usize = 16 * 1024 + 256;

/// An envelope as it stands. Nothing in it is proved yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    alg: Alg,
    header: Header,
    protected: &'a [u8],
    payload: &'a [u8],
    proof: &'a [u8],
    bytes: &'a [u8],
}

/// What was proved to come from the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened<'a> {
    /// What the codec reads.
    pub payload: &'a [u8],
    /// The device's counter, to be shown to its [`crate::ReplayWindow`].
    pub counter: u64,
    /// Milliseconds since 1970 UTC by the device's clock, if it stated them.
    pub device_ms: Option<i64>,
    /// With what it was sealed.
    pub alg: Alg,
    /// Stands for the whole envelope in the replay window.
    pub digest: FrameDigest,
}

impl<'a> Envelope<'a> {
    /// Reads an envelope that fills `bytes` wholly and is spelled in the one accepted way.
    ///
    /// # Errors
    /// [`ParseError`] by what is not as it must be.
    pub fn parse(bytes: &'a [u8]) -> Result<Envelope<'a>, ParseError> {
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return Err(ParseError::TooLong { bytes: bytes.len() });
        }
        let what = |what| move |_| ParseError::Outline { what };
        let mut d = Decoder::new(bytes);
        let tag = d.tag().map_err(what("the tag"))?.as_u64();
        if d.array().map_err(what("the array"))? != Some(4) {
            return Err(ParseError::Outline { what: "the array" });
        }
        let header_bytes = d.bytes().map_err(what("the protected header"))?;
        if d.map().map_err(what("the unprotected header"))? != Some(0) {
            return Err(ParseError::Outline { what: "the unprotected header, which must be empty," });
        }
        let payload = d.bytes().map_err(what("the payload"))?;
        let proof = d.bytes().map_err(what("the signature or tag"))?;
        if d.position() != bytes.len() {
            return Err(ParseError::Outline { what: "what follows the array" });
        }
        let (number, header) = parse_header(header_bytes).map_err(what("the protected header"))?;
        let alg = Alg::from_number(number).filter(|alg| alg.tag() == tag);
        let alg = alg.ok_or(ParseError::Algorithm { number, tag })?;
        if proof.len() != alg.proof_bytes() {
            return Err(ParseError::Outline { what: "the length of the signature or tag" });
        }
        // Written again from its meaning it must be the same bytes: no other order, length or number is taken.
        if protected(alg, &header) != header_bytes || tagged(alg, header_bytes, payload, proof) != bytes {
            return Err(ParseError::NotCanonical);
        }
        Ok(Envelope { alg, header, protected: header_bytes, payload, proof, bytes })
    }

    /// With what it says that it is sealed.
    pub fn alg(&self) -> Alg {
        self.alg
    }

    /// What it states, not proved: enough to find the key, and to describe a frame that is refused.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Proves that `device` sealed it for `purpose`. A `kid` is not compared: who looks the key up by it has done so.
    ///
    /// # Errors
    /// [`OpenError`] if the key is of the other kind or the proof does not verify.
    pub fn open(&self, key: &DeviceKey, device: &str, purpose: Purpose) -> Result<Opened<'a>, OpenError> {
        let message = message(self.alg, self.protected, &purpose.external_aad(device), self.payload);
        let verified = match (self.alg, key) {
            (Alg::EdDsa, DeviceKey::Ed25519(key)) => {
                <&[u8; 64]>::try_from(self.proof).is_ok_and(|signature| key.verifies(&message, signature))
            }
            (Alg::Hmac256 | Alg::Hmac256Short, DeviceKey::Hmac(key)) => key.verifies(&message, self.proof),
            (alg, key) => return Err(OpenError::OtherKey { alg, key: key.kind() }),
        };
        if !verified {
            return Err(OpenError::BadProof { alg: self.alg });
        }
        Ok(Opened {
            payload: self.payload,
            counter: self.header.counter,
            device_ms: self.header.device_ms,
            alg: self.alg,
            digest: FrameDigest::of(self.bytes),
        })
    }
}

/// The algorithm and the rest of a protected header; that its labels rise and none is missing or unknown is ensured by
/// writing it again.
fn parse_header(bytes: &[u8]) -> Result<(i32, Header), minicbor::decode::Error> {
    let wrong = minicbor::decode::Error::message;
    let mut d = Decoder::new(bytes);
    let pairs = d.map()?.ok_or_else(|| wrong("indefinite length"))?;
    let (mut number, mut counter, mut kid, mut device_ms) = (None, None, None, None);
    // A label that stands twice counts twice here and once when written again, so it is refused there.
    for _ in 0..pairs {
        match i64::try_from(d.decode::<Int>()?).map_err(|_| wrong("label"))? {
            1 => number = Some(d.i32()?),
            4 => kid = Some(Kid::new(d.bytes()?).map_err(|_| wrong("kid"))?),
            COUNTER => counter = Some(d.u64()?),
            DEVICE_TIME => device_ms = Some(d.i64()?),
            _ => return Err(wrong("label")),
        }
    }
    match (number, counter) {
        (Some(number), Some(counter)) => Ok((number, Header { kid, counter, device_ms })),
        _ => Err(wrong("alg or counter is missing")),
    }
}
