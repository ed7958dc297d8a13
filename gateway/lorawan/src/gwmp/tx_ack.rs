//! TX_ACK: what became of a downlink. It means queued, never radiated.

use serde::{Deserialize, Serialize};

use super::{GwmpError, Kind, Token};
use crate::Eui64;

/// A TX_ACK. Match it to its PULL_RESP by gateway and token: some forwarders send it from the other socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxAck {
    /// The token of the PULL_RESP.
    pub token: Token,
    /// Which gateway says to have sent it.
    pub eui: Eui64,
    /// Queued or not.
    pub outcome: TxOutcome,
}

/// Whether the gateway took the downlink into its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxOutcome {
    /// Queued as asked: no body, an empty one, or `"error":"NONE"`.
    Queued,
    /// Queued with another power than asked: `"warn":"TX_POWER"`, of old forwarders `"error":"TX_POWER"`. A success.
    QueuedAtOtherPower {
        /// The power that is used, dBm, if the gateway says it.
        power_dbm: Option<i8>,
    },
    /// Not queued.
    Refused(TxError),
}

/// Why a gateway refused a downlink (`txpk_ack.error`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TxError {
    /// `TOO_LATE`: less than 42.5 ms ahead.
    TooLate,
    /// `TOO_EARLY`: more than 512 s ahead, or already past, which reads the same because the counter wraps.
    TooEarly,
    /// `COLLISION_PACKET`: another downlink is queued at that time.
    CollisionPacket,
    /// `COLLISION_BEACON`: a beacon is due at that time.
    CollisionBeacon,
    /// `TX_FREQ`: the radio cannot send there; wrong HAT for the region.
    TxFreq,
    /// `GPS_UNLOCKED`: a GPS time was asked for and there is none.
    GpsUnlocked,
    /// A code that is not in the protocol.
    Unknown,
}

impl TxError {
    /// All, in the order of [`TxError::index`].
    pub const ALL: [TxError; 7] = [
        TxError::TooLate,
        TxError::TooEarly,
        TxError::CollisionPacket,
        TxError::CollisionBeacon,
        TxError::TxFreq,
        TxError::GpsUnlocked,
        TxError::Unknown,
    ];

    /// Its place in [`TxError::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The protocol's code; `UNKNOWN` for what has none.
    pub fn code(self) -> &'static str {
        match self {
            TxError::TooLate => "TOO_LATE",
            TxError::TooEarly => "TOO_EARLY",
            TxError::CollisionPacket => "COLLISION_PACKET",
            TxError::CollisionBeacon => "COLLISION_BEACON",
            TxError::TxFreq => "TX_FREQ",
            TxError::GpsUnlocked => "GPS_UNLOCKED",
            TxError::Unknown => "UNKNOWN",
        }
    }

    /// Whether the time was the matter, so that another one may do.
    pub fn is_timing(self) -> bool {
        use TxError::{CollisionBeacon, CollisionPacket, TooEarly, TooLate};
        matches!(self, TooLate | TooEarly | CollisionPacket | CollisionBeacon)
    }

    fn from_code(code: &str) -> TxError {
        TxError::ALL.into_iter().find(|error| error.code() == code).unwrap_or(TxError::Unknown)
    }
}

/// The one code that is a warning.
const TX_POWER: &str = "TX_POWER";

#[derive(Deserialize, Serialize)]
struct Body {
    #[serde(default)]
    txpk_ack: Option<Object>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Object {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

impl TxAck {
    pub(super) fn parse(token: Token, eui: Eui64, body: &[u8]) -> Result<TxAck, GwmpError> {
        let body = body.trim_ascii();
        let object = if body.is_empty() || body == [0] {
            // Some forwarders send the empty C string with its end.
            Object::default()
        } else {
            let body: Body = super::object(body).map_err(|source| GwmpError::Json { kind: Kind::TxAck, source })?;
            body.txpk_ack.unwrap_or_default()
        };
        let outcome = match (object.error.as_deref(), object.warn.as_deref()) {
            (None | Some("" | "NONE"), None | Some("" | "NONE")) => TxOutcome::Queued,
            (None | Some("" | "NONE"), Some(_)) => {
                TxOutcome::QueuedAtOtherPower { power_dbm: object.value.and_then(dbm) }
            }
            (Some(TX_POWER), _) => TxOutcome::QueuedAtOtherPower { power_dbm: object.value.and_then(dbm) },
            (Some(code), _) => TxOutcome::Refused(TxError::from_code(code)),
        };
        Ok(TxAck { token, eui, outcome })
    }

    /// The body as a forwarder writes it; empty if it has nothing to say.
    pub(super) fn to_json(self) -> Option<impl Serialize> {
        let object = match self.outcome {
            TxOutcome::Queued => return None,
            TxOutcome::QueuedAtOtherPower { power_dbm } => {
                Object { error: None, warn: Some(TX_POWER.to_owned()), value: power_dbm.map(f64::from) }
            }
            TxOutcome::Refused(error) => Object { error: Some(error.code().to_owned()), ..Object::default() },
        };
        Some(Body { txpk_ack: Some(object) })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to lie within ±100 dBm")]
fn dbm(value: f64) -> Option<i8> {
    (value.abs() <= 100.0).then(|| value.round() as i8)
}
