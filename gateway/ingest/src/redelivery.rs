//! Which MQTT frames and events of a ChirpStack were stored lately, so that one sent again after a lost acknowledgement is
//! stored once.

use std::collections::{HashMap, VecDeque};

use chirpstack::DeduplicationId;
use record::{Link, SourceId};
use sha2::{Digest, Sha256};

/// Frames remembered per device. A connection must not have more unacknowledged, so that every frame that its client
/// may rightly send again is among them.
pub const REDELIVERIES_MAX: u16 = 64;

/// The last QoS 1 and 2 frames of each device, by packet identifier and content.
///
/// MQTT has no message identity beyond the packet identifier, which is reused. A frame counts as sent again only if DUP
/// is set *and* identifier and bytes equal a remembered frame; two equal readings sent on purpose have DUP clear. What
/// MQTT cannot tell apart: a client that uses one identifier for every frame, and whose reading, equal to an earlier one,
/// got lost before it came here and is sent again.
///
/// An event of a ChirpStack has an identity of its own, whatever packet it comes in.
#[derive(Debug, Default)]
pub(crate) struct Redelivery {
    frames: HashMap<SourceId, VecDeque<Fingerprint>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fingerprint {
    /// Packet identifier, and half a SHA-256 of the message: 2^-128 for two messages of one device to look alike.
    Publish(u16, [u8; 16]),
    Event(DeduplicationId),
}

impl Redelivery {
    pub(crate) fn remember(&mut self, device: &SourceId, link: &Link, raw: &[u8]) {
        let Some(fingerprint) = fingerprint(link, raw) else { return };
        let frames = match self.frames.get_mut(device) {
            Some(frames) => frames,
            None => self.frames.entry(device.clone()).or_default(),
        };
        if frames.len() == usize::from(REDELIVERIES_MAX) {
            frames.pop_front();
        }
        frames.push_back(fingerprint);
    }

    pub(crate) fn knows(&self, device: &SourceId, link: &Link, raw: &[u8]) -> bool {
        let known = |wanted| self.frames.get(device).is_some_and(|frames| frames.contains(&wanted));
        fingerprint(link, raw).is_some_and(known)
    }
}

fn fingerprint(link: &Link, raw: &[u8]) -> Option<Fingerprint> {
    if let Link::Chirpstack { .. } = link {
        return DeduplicationId::of(raw).map(Fingerprint::Event);
    }
    let Link::Mqtt { topic, packet_id: Some(packet_id), .. } = link else { return None };
    let digest: [u8; 32] = Sha256::new().chain_update(topic).chain_update([0]).chain_update(raw).finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    Some(Fingerprint::Publish(*packet_id, half))
}
