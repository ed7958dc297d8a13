//! The invariants of notifying as predicates: one definition for the core, its tests and the simulation.

use crate::ladder::CHANNELS_MAX;
use crate::{CLOSED_MAX, EPISODES_MAX};

/// **N1** of an alarm that nobody has seen: each channel of every level that it reached has got it.
pub fn n1_told<T: PartialEq>(reached: &[T], told: &[T]) -> bool {
    reached.iter().all(|channel| told.contains(channel))
}

/// **N1** of an alarm that is over: whoever was told that it stands has been told since that it does not.
pub fn n1_all_clear(told_last_it_stands: bool) -> bool {
    !told_last_it_stands
}

/// **N2**: how often one step arrived at one channel, and how often before that nobody could know whether it had.
pub fn n2_once(arrived: u32, in_doubt: u32) -> bool {
    arrived <= 1 + in_doubt
}

/// **N2** of the words: what arrives again says that it may be a repetition.
pub fn n2_says_so(arrived_before: u32, may_be_repeated: bool) -> bool {
    arrived_before == 0 || may_be_repeated
}

/// **N3**: nothing is sent as an alarm of which the core knows that somebody has seen it.
pub fn n3_seen_is_quiet(is_seen: bool, says_alarm: bool) -> bool {
    !(is_seen && says_alarm)
}

/// **B1** of the stored episodes and of the notices of one of them.
pub fn b1_held(episodes: usize, closed: usize, notices: usize) -> bool {
    episodes <= EPISODES_MAX && closed <= CLOSED_MAX && notices <= CHANNELS_MAX
}

/// **B1** of repetitions: told at the top beside the first time, in one day.
pub fn b1_repeats(repeats: u32, repeats_a_day_max: u32) -> bool {
    repeats <= repeats_a_day_max
}
