//! A codec: its source, and the two things it can do.

use sha2::{Digest, Sha256};

use crate::engine::Engine;
use crate::error::{DecodeError, EncodeError, ScriptError};
use crate::value::Value;
use crate::{SOURCE_BYTES_MAX, big_int, scan};

/// A source that has been loaded once and defines a decoder. Cheap to keep: the engine lives only during a call.
#[derive(Clone, PartialEq, Eq)]
pub struct Script {
    source: String,
    sha256: [u8; 32],
    entry: Entry,
    encodes: bool,
}

/// The function that decodes, in the order in which they are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// `decodeUplink({ bytes, fPort, recvTime })`: TS013.
    DecodeUplink,
    /// `Decode(fPort, bytes, variables)`: ChirpStack before version 4.
    Decode,
    /// `Decoder(bytes, port)`: The Things Network before version 3.
    Decoder,
}

/// What came over the air.
#[derive(Debug, Clone, Copy)]
pub struct Uplink<'a> {
    /// FRMPayload, decrypted.
    pub bytes: &'a [u8],
    /// FPort; 0 where there is none, as over MQTT.
    pub f_port: u8,
    /// Receipt, in milliseconds since 1970 UTC: `recvTime`, and what the codec takes for now.
    pub recv_time_ms: i64,
}

/// What a codec read in an uplink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// `data`: a [`Value::Object`], or a [`Value::Array`] of the older forms.
    pub data: Value,
    /// TS013 `warnings`.
    pub warnings: Vec<String>,
    /// Which function was called.
    pub entry: Entry,
}

/// What a codec made of data for the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downlink {
    /// FPort, 1 to 223.
    pub f_port: u8,
    /// FRMPayload, at most 242 bytes.
    pub bytes: Vec<u8>,
    /// TS013 `warnings`.
    pub warnings: Vec<String>,
}

impl Entry {
    /// Every form, in the order in which they are looked for.
    pub(crate) const ALL: [Entry; 3] = [Entry::DecodeUplink, Entry::Decode, Entry::Decoder];

    /// The function's name.
    pub fn name(self) -> &'static str {
        match self {
            Entry::DecodeUplink => "decodeUplink",
            Entry::Decode => "Decode",
            Entry::Decoder => "Decoder",
        }
    }
}

impl Script {
    /// Loads a source once, within the limits of a call, and looks for its functions.
    ///
    /// # Errors
    /// [`ScriptError`] if it is too long, no sloppy script, has a `BigInt`, fails while it is loaded, or defines no decoder.
    pub fn compile(source: &str) -> Result<Script, ScriptError> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(ScriptError::TooLong { bytes: source.len() });
        }
        big_int::refuse(source)?;
        let found = Engine::new(0).map_err(ScriptError::Load)?.load(source)?;
        let entry = found.entry.ok_or(ScriptError::NoDecoder)?;
        let sha256 = Sha256::digest(source.as_bytes()).into();
        Ok(Script { source: source.to_owned(), sha256, entry, encodes: found.encodes })
    }

    /// As it was given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// SHA-256 of the source (FIPS 180-4).
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// The function that decodes.
    pub fn entry(&self) -> Entry {
        self.entry
    }

    /// Whether there is an `encodeDownlink`.
    pub fn encodes(&self) -> bool {
        self.encodes
    }

    /// Decodes one payload in a fresh engine.
    ///
    /// # Errors
    /// [`DecodeError`] if the run fails, the codec reports errors, or its result is no object.
    pub fn decode_uplink(&self, uplink: &Uplink<'_>) -> Result<Output, DecodeError> {
        let engine = Engine::new(uplink.recv_time_ms)?;
        let returned = engine.decode(&self.source, self.entry, uplink)?;
        scan::output(returned, self.entry)
    }

    /// Encodes data for the device in a fresh engine; its clock reads `now_ms` (milliseconds since 1970 UTC).
    ///
    /// # Errors
    /// [`EncodeError`] if the run fails, the codec reports errors, or its result is no downlink.
    pub fn encode_downlink(&self, data: &Value, now_ms: i64) -> Result<Downlink, EncodeError> {
        if !self.encodes {
            return Err(EncodeError::NoEncoder);
        }
        let returned = Engine::new(now_ms)?.encode(&self.source, data)?;
        scan::downlink(returned)
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Script { source, entry, .. } = self;
        f.debug_struct("Script").field("entry", entry).field("source_bytes", &source.len()).finish_non_exhaustive()
    }
}
