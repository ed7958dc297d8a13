//! Full jitter from a seed.

use crate::Backoff;

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): two boxes with
/// different seeds spread; nothing secret depends on it.
#[derive(Debug, Clone)]
pub struct Jitter {
    state: u64,
}

impl Jitter {
    /// Waits from this seed.
    pub fn new(seed: u64) -> Jitter {
        Jitter { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The wait before try number `failures + 1`, in ms.
    pub fn wait_ms(&mut self, backoff: Backoff, failures: u32) -> u64 {
        let doubled = 1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
        let longest = backoff.base_ms.saturating_mul(doubled).min(backoff.ceiling_ms).max(1);
        // The bias of the remainder is below 2^-37 for waits up to a day.
        1 + self.next() % longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn agrees_with_the_published_generator() {
        // First outputs for seed 1234567, as in the test data of Rosetta Code "Pseudo-random numbers/Splitmix64".
        let mut jitter = Jitter::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| jitter.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_nothing_and_never_above_the_ceiling(
            seed: u64, failures: u32, base_ms in 0u64..10_000, ceiling_ms in 1u64..100_000,
        ) {
            let wait_ms = Jitter::new(seed).wait_ms(Backoff { base_ms, ceiling_ms }, failures);
            prop_assert!((1..=ceiling_ms).contains(&wait_ms));
        }

        #[test]
        fn the_first_wait_is_below_the_base(seed: u64) {
            prop_assert!(Jitter::new(seed).wait_ms(Backoff::default(), 1) <= 500);
        }
    }
}
