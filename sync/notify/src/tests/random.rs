//! Any order of alarms, acknowledgements, troubles and power cuts.

use super::world::{Make, World, ladder};
use crate::Notifier;

/// Seeds of a run.
const SEEDS: u64 = 300;

/// A story of 200 events, and its end once all is well again.
pub(super) fn story(seed: u64, make: Make<'_>) {
    let mut world = World::new(seed, make);
    (0..200).for_each(|_| world.happen());
    world.heal();
}

#[test]
fn nobody_is_forgotten_nor_told_twice_whatever_happens() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        story(seed, &|restored, now| Box::new(Notifier::new(ladder(), seed, restored, now)));
    }
}
