//! The counters of the frames that we send.

use minicbor::{Decode, Encode};

use crate::SessionKeys;

/// The next FCntDown of a session, durable before a frame that uses it leaves: a counter used twice gives its key stream
/// away, and devices refuse it.
///
/// A 1.0.x session has one counter. A 1.1 session has two: AFCntDown for frames with application payload (FPort 1 to
/// 255), NFCntDown for all others (LoRaWAN 1.1 §4.3.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub struct DownCounters {
    /// The next NFCntDown; 1.0's FCntDown.
    #[n(0)]
    pub n_f_cnt_down: u32,
    /// The next AFCntDown; unused in 1.0.
    #[n(1)]
    pub a_f_cnt_down: u32,
}

impl DownCounters {
    /// Uses up a counter for a frame on `f_port`. None once the counter is at its end: send nothing, the device must join
    /// anew.
    pub fn take(&mut self, keys: &SessionKeys, f_port: Option<u8>) -> Option<u32> {
        let next = self.of(keys, f_port);
        let f_cnt = *next;
        *next = f_cnt.checked_add(1)?;
        Some(f_cnt)
    }

    /// Leaves a gap of `frames`: for a session that moves to another box while the old one may still have sent some.
    pub fn jump(&mut self, frames: u16) {
        self.n_f_cnt_down = self.n_f_cnt_down.saturating_add(frames.into());
        self.a_f_cnt_down = self.a_f_cnt_down.saturating_add(frames.into());
    }

    /// Goes on where the one that is further ahead stands: of the same session on another box.
    pub fn absorb(&mut self, other: &DownCounters) {
        self.n_f_cnt_down = self.n_f_cnt_down.max(other.n_f_cnt_down);
        self.a_f_cnt_down = self.a_f_cnt_down.max(other.a_f_cnt_down);
    }

    /// The counter of a frame on `f_port`.
    pub(crate) fn of(&mut self, keys: &SessionKeys, f_port: Option<u8>) -> &mut u32 {
        if is_application(keys, f_port) { &mut self.a_f_cnt_down } else { &mut self.n_f_cnt_down }
    }
}

/// AFCntDown numbers a frame on `f_port`.
pub(crate) fn is_application(keys: &SessionKeys, f_port: Option<u8>) -> bool {
    keys.is_v1_1() && f_port.is_some_and(|f_port| f_port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{keys, keys_1_1};

    #[test]
    fn each_counter_is_used_once() {
        let mut down = DownCounters::default();
        let used: Vec<_> = [None, Some(0), Some(7)].map(|f_port| down.take(&keys(), f_port).unwrap()).into();
        assert_eq!((used, down.a_f_cnt_down), (vec![0, 1, 2], 0));
        let used: Vec<_> = [None, Some(0), Some(7), Some(8)].map(|port| down.take(&keys_1_1(), port).unwrap()).into();
        assert_eq!(used, [3, 4, 0, 1]);
        down.jump(1000);
        assert_eq!(down, DownCounters { n_f_cnt_down: 1005, a_f_cnt_down: 1002 });
        let mut ahead = DownCounters { n_f_cnt_down: 7, a_f_cnt_down: 2000 };
        ahead.absorb(&down);
        assert_eq!(ahead, DownCounters { n_f_cnt_down: 1005, a_f_cnt_down: 2000 });
        assert_eq!(minicbor::decode::<DownCounters>(&minicbor::to_vec(down).unwrap()).unwrap(), down);
        down.n_f_cnt_down = u32::MAX;
        assert_eq!(down.take(&keys(), None), None);
        assert_eq!(down.take(&keys(), None), None);
    }
}
