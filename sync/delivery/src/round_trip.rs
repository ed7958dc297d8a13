//! How long an answer usually takes, apart from the time that the bytes need.

/// So many answers are needed before anything is derived from them.
const SAMPLES_MIN: u32 = 5;

/// Smoothed mean and deviation, with the weights of RFC 6298 §2.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoundTrip {
    smoothed_ms: u64,
    deviation_ms: u64,
    samples: u32,
}

impl RoundTrip {
    pub(crate) fn measured(&mut self, ms: u64) {
        if self.samples == 0 {
            (self.smoothed_ms, self.deviation_ms) = (ms, ms / 2);
        } else {
            self.deviation_ms = (3 * self.deviation_ms).saturating_add(self.smoothed_ms.abs_diff(ms)) / 4;
            self.smoothed_ms = (7 * self.smoothed_ms).saturating_add(ms) / 8;
        }
        self.samples = self.samples.saturating_add(1);
    }

    /// What nearly all answers keep within: the mean and four deviations. ms.
    pub(crate) fn usual_ms(&self) -> Option<u64> {
        (self.samples >= SAMPLES_MIN).then(|| self.smoothed_ms.saturating_add(self.deviation_ms.saturating_mul(4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn follows_the_standard() {
        // RFC 6298 §2.2 and §2.3 by hand: 100 gives (100, 50); 180 then (3*50 + 80) / 4 and (7*100 + 180) / 8.
        let mut round_trip = RoundTrip::default();
        round_trip.measured(100);
        round_trip.measured(180);
        assert_eq!((round_trip.smoothed_ms, round_trip.deviation_ms), (110, 57));
        assert_eq!(round_trip.usual_ms(), None);
    }

    proptest! {
        #[test]
        fn even_answers_lead_to_themselves_and_jumpy_ones_above(ms in 1u64..100_000, jump in 0u64..50_000) {
            let mut round_trip = RoundTrip::default();
            (0..100).for_each(|nth| round_trip.measured(ms + if nth % 2 == 0 { jump } else { 0 }));
            let usual_ms = round_trip.usual_ms().unwrap();
            prop_assert!(usual_ms + 64 >= ms + jump, "{usual_ms}");
            prop_assert!(usual_ms <= ms + 4 * jump + 64, "{usual_ms}");
        }
    }
}
