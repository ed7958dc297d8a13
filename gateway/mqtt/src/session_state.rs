//! What of a session outlives its connection and the daemon (MQTT 3.1.1 §3.1.2.4, MQTT 5 §4.1).
//!
//! | bytes | what |
//! |---|---|
//! | 1 | format, 1 |
//! | 4 | Session Expiry Interval in seconds, big-endian |
//! | 1 | number of subscriptions |
//! | 1 | each: QoS granted |
//! | 2 | each: length of the filter in bytes, big-endian |
//! | n | each: the filter |
//!
//! Unreleased packet identifiers of QoS 2 are not in it: after a restart of the daemon DUP and the stored frames tell a
//! repeat. Nor are commands in flight: their owner sends them again.

use std::sync::Arc;
use std::time::Duration;

use crate::filter::matches;

/// Longest stored session in bytes.
pub const SESSION_BYTES_MAX: usize = 2 * 1024;
/// Most subscriptions of one session.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 8;
const FORMAT: u8 = 1;

/// The durable part of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SessionState {
    /// How long it lives on without a connection, in seconds, as granted; 0: it ends with its connection.
    pub(crate) expiry_s: u32,
    /// Subscribed filters and the QoS granted.
    pub(crate) subscriptions: Vec<(Arc<str>, u8)>,
}

impl SessionState {
    pub(crate) fn expiry(&self) -> Duration {
        Duration::from_secs(self.expiry_s.into())
    }

    /// The QoS at which a message on this topic goes to the client; none if it did not ask for it.
    pub(crate) fn granted(&self, topic: &str) -> Option<u8> {
        self.subscriptions.iter().filter(|(filter, _)| matches(filter, topic)).map(|(_, qos)| *qos).max()
    }

    /// Subscribes, or changes the QoS granted. False if there are too many.
    pub(crate) fn subscribe(&mut self, filter: &str, granted: u8) -> bool {
        match self.subscriptions.iter().position(|(f, _)| **f == *filter) {
            Some(at) => self.subscriptions[at].1 = granted,
            None if self.subscriptions.len() == SUBSCRIPTIONS_MAX => return false,
            None => self.subscriptions.push((filter.into(), granted)),
        }
        true
    }

    /// Unsubscribes; true if it was subscribed.
    pub(crate) fn unsubscribe(&mut self, filter: &str) -> bool {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|(f, _)| **f != *filter);
        self.subscriptions.len() < before
    }

    /// The bytes to be stored; none of a session that ends with its connection.
    pub(crate) fn encode(&self) -> Vec<u8> {
        if self.expiry_s == 0 {
            return Vec::new();
        }
        let mut bytes = vec![FORMAT];
        bytes.extend(self.expiry_s.to_be_bytes());
        bytes.push(u8::try_from(self.subscriptions.len()).unwrap_or(u8::MAX));
        for (topic, granted) in &self.subscriptions {
            bytes.push(*granted);
            bytes.extend(u16::try_from(topic.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend(topic.as_bytes());
        }
        bytes
    }

    /// Reads stored bytes; none if they are not of this format.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[FORMAT])?;
        let (expiry, rest) = rest.split_first_chunk()?;
        let (&count, mut rest) = rest.split_first()?;
        let mut state = Self { expiry_s: u32::from_be_bytes(*expiry), subscriptions: Vec::new() };
        for _ in 0..count {
            let (&[granted, high, low], tail) = rest.split_first_chunk()?;
            let (filter, tail) = tail.split_at_checked(u16::from_be_bytes([high, low]).into())?;
            rest = tail;
            if granted > 1 || !state.subscribe(std::str::from_utf8(filter).ok()?, granted) {
                return None;
            }
        }
        (rest.is_empty() && state.expiry_s > 0).then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_format_is_as_documented() {
        let state = SessionState { expiry_s: 604_800, subscriptions: vec![("d/a/down".into(), 1)] };
        let bytes = b"\x01\x00\x09\x3a\x80\x01\x01\x00\x08d/a/down";
        assert_eq!(state.encode(), bytes);
        assert_eq!(SessionState::decode(bytes), Some(state));
        assert_eq!(SessionState::default().encode(), b"");
        for broken in
            [&b""[..], b"\x02\x00\x09\x3a\x80\x00", b"\x01\x00\x00\x00\x00\x00", &bytes[..16], b"\x01\0\0\0\x01\0x"]
        {
            assert_eq!(SessionState::decode(broken), None, "{broken:02x?}");
        }
    }

    #[test]
    fn the_longest_session_fits() {
        let topic = |n: usize| format!("{n}{}", "t".repeat(127));
        let mut state = SessionState { expiry_s: u32::MAX, subscriptions: Vec::new() };
        assert!((0..SUBSCRIPTIONS_MAX).all(|n| state.subscribe(&topic(n), 1)));
        assert!(!state.subscribe(&topic(9), 1));
        assert!(state.subscribe(&topic(0), 0), "a known one is changed");
        assert!(state.encode().len() <= SESSION_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_again(bytes in prop::collection::vec(0..4_u8, 0..40)) {
            if let Some(state) = SessionState::decode(&bytes) {
                prop_assert_eq!(SessionState::decode(&state.encode()), Some(state));
            }
        }
    }
}
