//! PUSH_DATA: what the gateway heard, and how it is.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{GwmpError, Kind, RXPK_MAX, Rxpk, RxpkError, Stat, Token, object};
use crate::Eui64;

/// A PUSH_DATA: uplinks in the order of the datagram, a status report, either or both.
#[derive(Debug, Clone, PartialEq)]
pub struct PushData {
    /// To be repeated in PUSH_ACK.
    pub token: Token,
    /// Which gateway says to have sent it.
    pub eui: Eui64,
    /// What could be read of `rxpk`; at most 255.
    pub rxpk: Vec<Rxpk>,
    /// What could not be read of `rxpk`.
    pub skipped: Vec<Skipped>,
    /// The status report, which comes every 30 s; none if it is missing or cannot be read.
    pub stat: Option<Stat>,
}

/// An `rxpk` that cannot be used. The others of its datagram are not affected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in the datagram, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub why: RxpkError,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    rxpk: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    stat: Option<&'a RawValue>,
}

impl PushData {
    pub(super) fn parse(token: Token, eui: Eui64, body: &[u8]) -> Result<PushData, GwmpError> {
        // One damaged text must not cost the other frames: its bytes become U+FFFD, and only its rxpk is refused.
        let body = String::from_utf8_lossy(body);
        let body: Body<'_> =
            object(body.as_bytes()).map_err(|source| GwmpError::Json { kind: Kind::PushData, source })?;
        let objects = body.rxpk.unwrap_or_default();
        if objects.len() > RXPK_MAX {
            return Err(GwmpError::TooManyRxpk { count: objects.len() });
        }
        let stat = body.stat.and_then(|stat| Stat::parse(stat.get()));
        let mut push = PushData { token, eui, rxpk: Vec::with_capacity(objects.len()), skipped: Vec::new(), stat };
        for (index, object) in objects.into_iter().enumerate() {
            match Rxpk::parse(object.get()) {
                Ok(rxpk) => push.rxpk.push(rxpk),
                Err(why) => push.skipped.push(Skipped { index, why }),
            }
        }
        Ok(push)
    }
}
