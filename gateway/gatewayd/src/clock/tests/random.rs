//! Everything that can happen to a clock, in any order.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{DAY_MS, World};

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Steer(i64),
    Coast,
    Lose,
    Refuse,
    Hand(i64),
    Restart,
    Reboot {
        off_ms: u64,
        wrong_by_ms: i64,
    },
    /// A real-time clock ran on, as wrong as a cheap one becomes.
    Rtc {
        off_ms: u64,
        ppm: i64,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    let day = DAY_MS.cast_signed();
    let wrong = prop_oneof![Just(0), Just(-20_789 * day), Just(-3 * day), Just(3_650 * day), -60_000i64..60_000];
    let passed = prop_oneof![1u64..1_500, 1u64..DAY_MS, 1u64..20 * DAY_MS];
    prop_oneof![
        4 => passed.prop_map(Step::Pass),
        2 => (-1_400i64..1_400).prop_map(Step::Steer),
        1 => Just(Step::Coast),
        1 => Just(Step::Lose),
        1 => Just(Step::Refuse),
        1 => prop_oneof![wrong.clone(), -60i64..60].prop_map(Step::Hand),
        1 => Just(Step::Restart),
        1 => (1u64..DAY_MS, wrong).prop_map(|(off_ms, wrong_by_ms)| Step::Reboot { off_ms, wrong_by_ms }),
        1 => (1u64..DAY_MS, -80i64..80).prop_map(|(off_ms, ppm)| Step::Rtc { off_ms, ppm }),
    ]
}

fn apply(world: &mut World, step: &Step) {
    match *step {
        Step::Pass(ms) => world.pass(ms),
        Step::Steer(wrong_by_ms) => world.steer(wrong_by_ms, 1_400),
        Step::Coast => world.coast(),
        Step::Lose => world.lose(),
        Step::Refuse => world.refuse(),
        Step::Hand(by_ms) => world.hand(by_ms),
        Step::Restart => world.restart(),
        Step::Reboot { off_ms, wrong_by_ms } => world.reboot(off_ms, wrong_by_ms, false),
        Step::Rtc { off_ms, ppm } => {
            // It was set from the wall clock, and took over its error.
            let wrong = world.wall().0 - world.truth().0 + off_ms.cast_signed() * ppm / 1_000_000;
            world.reboot(off_ms, wrong, true);
        }
    }
}

proptest! {
    /// T1 for stamps and for readers, the order of records, and wall time that runs back only where a record says so.
    #[test]
    fn no_history_makes_it_lie(steps in vec(any_step(), 1..40), drift_ppm in -450i64..450) {
        let mut world = World::boot(0, drift_ppm);
        for step in &steps {
            apply(&mut world, step);
            world.record();
        }
        world.check();
    }
}
