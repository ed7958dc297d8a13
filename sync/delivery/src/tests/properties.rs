//! Safety under any faults, then liveness once they heal.

use proptest::prelude::*;
use record::Seq;

use super::world::{Answer, Event, World, sound};
use crate::Transient;

pub(super) fn event() -> impl Strategy<Value = Event> {
    let answer = prop_oneof![
        4 => Just(Answer::Stored),
        2 => Just(Answer::Lost),
        1 => Just(Answer::Short),
        1 => Just(Answer::Refused),
        3 => proptest::sample::select(&Transient::ALL[..]).prop_map(Answer::Fails),
    ];
    prop_oneof![
        5 => (1u64..12, prop::bool::weighted(0.3)).prop_map(|(records, alarm)| Event::Journal { records, alarm }),
        6 => (any::<usize>(), answer).prop_map(|(which, how)| Event::Answer { which, how }),
        4 => (1u64..4_000).prop_map(|ms| Event::Pass { ms }),
        1 => Just(Event::LinkUp),
        1 => Just(Event::Restart),
        1 => (0u64..120, 0u64..20, any::<bool>()).prop_map(|(first, len, told)| Event::Lose { first, len, told }),
        1 => any::<bool>().prop_map(|full| Event::Disk { full }),
        1 => any::<bool>().prop_map(|tight| Event::Bytes { tight }),
        1 => any::<usize>().prop_map(|which| Event::Retry { which }),
        1 => (0u64..120, 0u64..20).prop_map(|(first, len)| Event::Reopen { first, len }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn anytime_d1_d2_d5_and_finally_d3(events in prop::collection::vec(event(), 0..80)) {
        World::new(sound).run(&events).map_err(TestCaseError::fail)?;
    }

    /// However many records a platform cannot take: those are parked, and all others arrive.
    #[test]
    fn poison_costs_nothing_but_itself(
        events in prop::collection::vec(event(), 0..60),
        poison in prop::collection::btree_set((0u64..200).prop_map(Seq), 0..6),
    ) {
        World::with_poison(sound, poison).run(&events).map_err(TestCaseError::fail)?;
    }
}
