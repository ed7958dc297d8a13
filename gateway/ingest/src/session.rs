//! What must survive a restart of a device's session, stored in the transaction of the frame that changed it.
//!
//! The bytes lie in the device's row of the journal's database and nowhere else. Those of a device that joined hold its
//! session keys, and so the database is as secret as keys.toml; no record, batch, export or status has any of them.
//! Keys of personalised devices stay in keys.toml: their sessions hold a fingerprint only.

pub(crate) mod lorawan;
mod merge;
pub(crate) mod transfer;

use envelope::ReplayWindow;
use minicbor::{Decode, Encode};
use record::SourceId;

use self::lorawan::LorawanState;

/// The first number of stored sessions. Another one is another version's.
const VERSION: u8 = 2;

/// What is remembered of a device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::large_enum_variant, reason = "at most 2,000 exist, and most of them are of the large kind")]
pub(crate) enum Session {
    /// A LoRaWAN device.
    #[n(0)]
    Lorawan(#[n(0)] LorawanState),
    /// Envelopes over MQTT or a serial line.
    #[n(1)]
    Sealed(#[n(0)] ReplayWindow),
    /// A device that a ChirpStack serves.
    #[n(2)]
    Chirpstack(#[n(0)] ChirpstackState),
}

/// What was heard of a device through a ChirpStack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct ChirpstackState {
    /// The session that the window is of.
    #[n(0)]
    pub(crate) dev_addr: u32,
    /// Its newest frames, by FCntUp.
    #[n(1)]
    pub(crate) window: ReplayWindow,
    /// The application that ChirpStack has it in: where its commands go.
    #[n(2)]
    pub(crate) application_id: String,
}

/// Stored bytes that are no session of this version.
#[derive(Debug, thiserror::Error)]
#[error("the stored session of device `{device}` cannot be read · try: weir verify")]
pub struct SessionError {
    device: SourceId,
    source: minicbor::decode::Error,
}

/// The stored form.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Stored {
    #[n(0)]
    version: u8,
    #[n(1)]
    session: Session,
}

impl Session {
    /// The one stored form.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        match minicbor::encode(Stored { version: VERSION, session: self.clone() }, &mut bytes) {
            Ok(()) => bytes,
            Err(never) => unreachable!("encoding into memory failed: {never}"),
        }
    }

    /// Reads what [`Session::to_bytes`] wrote, and nothing else.
    pub(crate) fn from_bytes(device: &SourceId, bytes: &[u8]) -> Result<Session, SessionError> {
        let failed = |source| SessionError { device: device.clone(), source };
        let Stored { version, session } = minicbor::decode(bytes).map_err(failed)?;
        if version != VERSION || session.to_bytes() != bytes {
            return Err(failed(minicbor::decode::Error::message("the session is not in its one form")));
        }
        Ok(session)
    }
}

#[cfg(test)]
mod tests;
