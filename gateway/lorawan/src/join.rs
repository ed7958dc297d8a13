//! Joins: a device asks to be admitted, and gets a session.

mod accept;
mod cf_list;

use lrwn::PhyPayload;

use crate::{DevEui, JoinEui, RootKeys};

pub use accept::{Accept, JoinAccept};
pub use cf_list::{CfList, ChannelBlock, ChannelBlockError};

/// Bytes of a join-request.
const JOIN_REQUEST_BYTES: usize = 23;

/// A join-request in canonical form: parsed, but not yet believed.
///
/// ```text
/// offset  bytes  field
/// 0       1      MHDR: 00; the RFU bits 2..4 are zero
/// 1       8      JoinEUI, least significant byte first
/// 9       8      DevEUI, least significant byte first
/// 17      2      DevNonce, little-endian
/// 19      4      MIC: AES-CMAC by AppKey (1.0.x) or NwkKey (1.1)
/// ```
/// The Milesight sensor's `0001002a00c024e1247383458c5324e124d533a10435b7` comes from DevEUI 24e124538c458373.
///
/// **Canonical bytes** as in [`Uplink`](crate::Uplink): what re-serialising would change is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    frame: PhyPayload,
    join_eui: JoinEui,
    dev_eui: DevEui,
    dev_nonce: u16,
}

/// Which rejoin-request a 1.1 device sent (LoRaWAN 1.1 §6.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejoinType {
    /// 0: to reset its radio parameters or its session while in use.
    Type0,
    /// 1: to restore a session that the network lost; as a join-request, but encrypted with other keys.
    Type1,
    /// 2: to get new session keys.
    Type2,
}

/// Why received bytes are no join-request that is served. None of these is answered over the air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// No join at all: read it as an [`Uplink`](crate::Uplink).
    #[error("frame is no join: read it as a data uplink")]
    NotAJoin,
    /// A rejoin-request: not served. The device stays in its session, or starts a join by itself.
    #[error("rejoin-request of {0:?} is not served: leave it, the device keeps its session or sends a join-request")]
    Rejoin(RejoinType),
    /// A join by its first byte, but not by its length or version.
    #[error("frame of {bytes} bytes is neither a join-request of 23 bytes nor a rejoin-request: refuse it")]
    Malformed {
        /// Bytes received.
        bytes: usize,
    },
    /// It parses, but has bits which the MIC would not cover (reserved ones that are not zero).
    #[error("join is not in canonical form: a reserved bit is set; refuse it, the MIC would not cover it")]
    NotCanonical,
}

impl JoinRequest {
    /// Takes a PHYPayload as the radio received it.
    ///
    /// # Errors
    /// [`JoinError`], by what the bytes are instead.
    pub fn parse(phy: &[u8]) -> Result<JoinRequest, JoinError> {
        let bytes = phy.len();
        // MType, LoRaWAN 1.0.4 §4.2.1: 000 join-request, 110 rejoin-request.
        if !matches!(phy.first().map(|mhdr| mhdr >> 5), Some(0 | 6)) {
            return Err(JoinError::NotAJoin);
        }
        let frame = PhyPayload::from_slice(phy).map_err(|_| JoinError::Malformed { bytes })?;
        if !frame.to_vec().is_ok_and(|canonical| canonical == phy) {
            return Err(JoinError::NotCanonical);
        }
        match &frame.payload {
            lrwn::Payload::JoinRequest(request) if bytes == JOIN_REQUEST_BYTES => Ok(JoinRequest {
                join_eui: JoinEui(request.join_eui.to_be_bytes()),
                dev_eui: DevEui(request.dev_eui.to_be_bytes()),
                dev_nonce: request.dev_nonce,
                frame,
            }),
            lrwn::Payload::RejoinRequestType02(rejoin) if rejoin.rejoin_type == lrwn::JoinType::RejoinType0 => {
                Err(JoinError::Rejoin(RejoinType::Type0))
            }
            lrwn::Payload::RejoinRequestType02(_) => Err(JoinError::Rejoin(RejoinType::Type2)),
            lrwn::Payload::RejoinRequestType1(_) => Err(JoinError::Rejoin(RejoinType::Type1)),
            _ => Err(JoinError::Malformed { bytes }),
        }
    }

    /// The join server that the device was made for.
    pub fn join_eui(&self) -> JoinEui {
        self.join_eui
    }

    /// Who says to have sent it.
    pub fn dev_eui(&self) -> DevEui {
        self.dev_eui
    }

    /// The device's half of the randomness; see [`DevNonces`](crate::DevNonces).
    pub fn dev_nonce(&self) -> u16 {
        self.dev_nonce
    }

    /// Whether the device with these keys sent it (LoRaWAN 1.0.4 §6.2.5; 1.1 §6.2.2: NwkKey).
    pub fn verify(&self, keys: &RootKeys) -> bool {
        self.frame.validate_join_request_mic(&keys.join_key().to_lrwn()).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests;
