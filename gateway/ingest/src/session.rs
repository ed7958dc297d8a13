//! What must survive a restart of a LoRaWAN session, stored in the transaction of the record that changed it.

use lorawan::fcnt::{Counters, LastUplink};
use minicbor::{Decode, Encode};
use record::SourceId;

/// Counters of an activated device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LoraSession {
    /// FCntUp expected next, and the last frame.
    pub(crate) counters: Counters,
    /// FCntDown to use next.
    pub(crate) next_down: u32,
    /// How often the last frame was acknowledged again.
    pub(crate) reacknowledged: u8,
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
    next_up: u32,
    #[n(1)]
    next_down: u32,
    #[n(2)]
    reacknowledged: u8,
    #[n(3)]
    last_f_cnt: Option<u32>,
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    last_phy: Vec<u8>,
}

impl LoraSession {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let last = self.counters.last.as_ref();
        let stored = Stored {
            next_up: self.counters.next_up,
            next_down: self.next_down,
            reacknowledged: self.reacknowledged,
            last_f_cnt: last.map(|last| last.f_cnt),
            last_phy: last.map(|last| last.phy.clone()).unwrap_or_default(),
        };
        let mut bytes = Vec::with_capacity(64);
        match minicbor::encode(&stored, &mut bytes) {
            Ok(()) => bytes,
            Err(never) => unreachable!("encoding into memory failed: {never}"),
        }
    }

    pub(crate) fn from_bytes(device: &SourceId, bytes: &[u8]) -> Result<LoraSession, SessionError> {
        let stored: Stored =
            minicbor::decode(bytes).map_err(|source| SessionError { device: device.clone(), source })?;
        let last = stored.last_f_cnt.map(|f_cnt| LastUplink { f_cnt, phy: stored.last_phy });
        let counters = Counters { next_up: stored.next_up, last };
        Ok(LoraSession { counters, next_down: stored.next_down, reacknowledged: stored.reacknowledged })
    }
}
