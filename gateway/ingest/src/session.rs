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
        let session = LoraSession { counters, next_down: stored.next_down, reacknowledged: stored.reacknowledged };
        if session.to_bytes() != bytes {
            let source = minicbor::decode::Error::message("the session is not in its one form");
            return Err(SessionError { device: device.clone(), source });
        }
        Ok(session)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source() -> SourceId {
        SourceId::new("flow-1").unwrap()
    }

    fn session() -> impl Strategy<Value = LoraSession> {
        let last = proptest::option::of((any::<u32>(), proptest::collection::vec(any::<u8>(), 0..=255)));
        (any::<u32>(), any::<u32>(), any::<u8>(), last).prop_map(|(next_up, next_down, reacknowledged, last)| {
            let last = last.map(|(f_cnt, phy)| LastUplink { f_cnt, phy });
            LoraSession { counters: Counters { next_up, last }, next_down, reacknowledged }
        })
    }

    proptest! {
        #[test]
        fn comes_back_as_it_was_stored(session in session()) {
            prop_assert_eq!(LoraSession::from_bytes(&source(), &session.to_bytes()).unwrap(), session);
        }

        #[test]
        fn a_cut_or_longer_one_is_refused(session in session(), cut in 0usize..300, more in any::<u8>()) {
            let mut bytes = session.to_bytes();
            prop_assert!(LoraSession::from_bytes(&source(), &bytes[..cut % bytes.len()]).is_err());
            bytes.push(more);
            prop_assert!(LoraSession::from_bytes(&source(), &bytes).is_err());
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(session) = LoraSession::from_bytes(&source(), &bytes) {
                prop_assert_eq!(session.to_bytes(), bytes);
            }
        }
    }
}
