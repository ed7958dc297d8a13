//! Which frames wait for an earlier frame of their device.
//!
//! One frame of a device is with the decoders at a time. Those that come after it wait, because judged first they would
//! make it a replay; frames of other devices overtake.

use std::collections::{BTreeMap, VecDeque};

use record::SourceId;

use crate::job::QUEUE_FRAMES_MAX;

/// Frames of one device that may wait (B1): all of a datagram of 64 KiB, which a forwarder that was cut off may fill with
/// one device's frames, and of the queue that they came through.
pub(super) const LANE_FRAMES_MAX: usize = QUEUE_FRAMES_MAX;

/// Bytes of all frames that wait (B1): a full lane of 30 devices at 4 KiB a frame.
pub(super) const LANES_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The devices of which a frame is being decoded, each with those behind it, oldest first.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    lanes: BTreeMap<SourceId, VecDeque<(T, usize)>>,
    bytes: usize,
}

impl<T> Default for Lanes<T> {
    fn default() -> Lanes<T> {
        Lanes { lanes: BTreeMap::new(), bytes: 0 }
    }
}

impl<T> Lanes<T> {
    /// Whether nothing is being decoded.
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Whether a frame of this device is being decoded.
    pub(super) fn is_busy(&self, device: &SourceId) -> bool {
        self.lanes.contains_key(device)
    }

    /// A frame of this device goes to the decoders.
    pub(super) fn enter(&mut self, device: SourceId) {
        let before = self.lanes.insert(device, VecDeque::new());
        debug_assert!(before.is_none(), "one frame of a device at a time");
    }

    /// Lets a frame of so many bytes wait for the one that is being decoded.
    ///
    /// # Errors
    /// The frame itself, if there is no room.
    pub(super) fn wait(&mut self, device: &SourceId, frame: T, bytes: usize) -> Result<(), T> {
        match self.lanes.get_mut(device) {
            Some(lane) if lane.len() < LANE_FRAMES_MAX && self.bytes + bytes <= LANES_BYTES_MAX => {
                lane.push_back((frame, bytes));
                self.bytes += bytes;
                Ok(())
            }
            _ => Err(frame),
        }
    }

    /// The frame of this device is back: those that waited for it.
    pub(super) fn leave(&mut self, device: &SourceId) -> impl Iterator<Item = T> + use<T> {
        let lane = self.lanes.remove(device).unwrap_or_default();
        self.bytes -= lane.iter().map(|(_, bytes)| bytes).sum::<usize>();
        lane.into_iter().map(|(frame, _)| frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str) -> SourceId {
        SourceId::new(name).unwrap()
    }

    #[test]
    fn frames_wait_in_order_for_their_own_device_only() {
        let mut lanes = Lanes::default();
        lanes.enter(device("a"));
        assert!(lanes.is_busy(&device("a")) && !lanes.is_busy(&device("b")));
        assert_eq!(lanes.wait(&device("b"), 0, 1), Err(0), "nothing of it is being decoded");
        (1..4).for_each(|frame| lanes.wait(&device("a"), frame, 1).unwrap());
        assert_eq!(lanes.leave(&device("a")).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(lanes.is_empty());
    }

    #[test]
    fn a_lane_and_all_of_them_are_bounded() {
        let mut lanes = Lanes::default();
        lanes.enter(device("a"));
        (0..LANE_FRAMES_MAX).for_each(|frame| lanes.wait(&device("a"), frame, 1).unwrap());
        assert!(lanes.wait(&device("a"), 0, 1).is_err());
        lanes.enter(device("b"));
        assert!(lanes.wait(&device("b"), 0, LANES_BYTES_MAX).is_err());
        assert_eq!(lanes.leave(&device("a")).count(), LANE_FRAMES_MAX);
        assert!(lanes.wait(&device("b"), 0, LANES_BYTES_MAX).is_ok(), "room is given back");
    }
}
