//! Links that carry little, for seconds, again and again.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use batch::BatchId;
use proptest::prelude::*;
use record::{MonoMs, Seq, SeqRanges};

use crate::destination::Restored;
use crate::{Action, BATCH_BYTES_MIN, Config, Destination, Input, RestoredBatch, Transient};

/// Bytes of a record on the wire; canonical ones are three times as many.
const RECORD_BYTES: u64 = 30;
const CONTENT_BYTES: u64 = 3 * RECORD_BYTES;
/// Round trip, and what a connection costs before the first byte of a batch. ms.
const ROUND_TRIP_MS: u64 = 600;
/// Steps of the world. ms.
const STEP_MS: u64 = 20;

/// A link that is open for `holds_ms` out of every `every_ms`, and shares what it carries among all that is under way.
#[derive(Debug, Clone, Copy)]
struct Link {
    bytes_per_s: u64,
    holds_ms: u64,
    every_ms: u64,
    /// Whether the box sees the link close and open, as one that is unplugged; else only silence tells.
    says_so: bool,
}

impl Link {
    fn is_open(&self, now: u64) -> bool {
        now % self.every_ms < self.holds_ms
    }
}

/// A request under way.
struct Try {
    began: u64,
    /// Thousandths of a byte left to carry.
    left: u64,
    /// When the last one of them had passed.
    passed: Option<u64>,
    gives_up: u64,
}

struct World {
    core: Destination,
    link: Link,
    /// So long the destination takes to store a batch, and says so. ms.
    stores_ms: u64,
    now: u64,
    outbox: BTreeMap<BatchId, (SeqRanges, u64)>,
    tries: BTreeMap<BatchId, Try>,
    hedged: Vec<BatchId>,
    cuts: u64,
    sizes: Vec<u64>,
}

impl World {
    fn new(link: Link, restored: Restored, config: Config) -> World {
        let known = |batch: &RestoredBatch| (batch.id, (batch.ranges.clone(), batch.bytes_len));
        let outbox = restored.outstanding.iter().map(known).collect();
        let core = Destination::new(config, 7, restored);
        let tries = BTreeMap::new();
        World { core, link, stores_ms: 0, now: 0, outbox, tries, hedged: Vec::new(), cuts: 0, sizes: Vec::new() }
    }

    fn feed(&mut self, input: Input) {
        self.core.handle(MonoMs(self.now), input);
        while let Some(action) = self.core.poll() {
            match action {
                Action::Cut { lane, ranges, bytes_max } => {
                    let room = (bytes_max / CONTENT_BYTES).max(1);
                    let seqs = ranges.iter().flat_map(|range| (range.first.0..=range.last.0).map(Seq));
                    let seqs = seqs.take(usize::try_from(room).unwrap());
                    let ranges: SeqRanges = seqs.map(|seq| record::SeqRange { first: seq, last: seq }).collect();
                    self.cuts += 1;
                    let mut id = BatchId([0; 32]);
                    id.0[..8].copy_from_slice(&self.cuts.to_be_bytes());
                    let (bytes_len, content_len) = (ranges.len() * RECORD_BYTES, ranges.len() * CONTENT_BYTES);
                    self.outbox.insert(id, (ranges.clone(), bytes_len));
                    self.sizes.push(bytes_len);
                    self.core.handle(MonoMs(self.now), Input::Cut { lane, id, ranges, bytes_len, content_len });
                }
                Action::Send { id, timeout_ms } => {
                    let left = self.outbox[&id].1 * 1_000;
                    self.tries.insert(id, Try { began: self.now, left, passed: None, gives_up: self.now + timeout_ms });
                }
                Action::Advance { id } | Action::Split { id, reason: None } => {
                    self.outbox.remove(&id).unwrap();
                    self.tries.remove(&id);
                }
                // Two shares of one link: the second try takes from the first.
                Action::Hedge { id, .. } => self.hedged.push(id),
                Action::Split { .. } | Action::Park { .. } | Action::Note { .. } => panic!("nothing was refused"),
            }
        }
    }

    /// One step of time; returns what ended in it.
    fn step(&mut self) {
        let was_open = self.link.is_open(self.now);
        self.now += STEP_MS;
        let open = self.link.is_open(self.now);
        let Link { bytes_per_s, says_so, .. } = self.link;
        let connected = |one: &Try, now: u64| now >= one.began + ROUND_TRIP_MS;
        let shares = |one: &&Try| connected(one, self.now) && one.passed.is_none();
        let sharing = self.tries.values().filter(shares).count().max(1);
        let share = bytes_per_s * STEP_MS / u64::try_from(sharing).unwrap();
        let mut ended = Vec::new();
        for (id, one) in &mut self.tries {
            if open && connected(one, self.now) {
                one.left = one.left.saturating_sub(share);
                one.passed = one.passed.or((one.left == 0).then_some(self.now));
            }
            let is_stored = one.passed.is_some_and(|at| at + self.stores_ms <= self.now);
            match () {
                () if open && is_stored => ended.push((*id, None)),
                () if !open && says_so => {
                    let why = if connected(one, self.now) { Transient::Broken } else { Transient::Unreachable };
                    ended.push((*id, Some(why)));
                }
                () if self.now >= one.gives_up => ended.push((*id, Some(Transient::TimedOut))),
                () => {}
            }
        }
        for (id, why) in ended {
            self.tries.remove(&id);
            match why {
                None => {
                    let holds = self.outbox[&id].0.clone();
                    self.feed(Input::Acked { id, holds, own_ms: self.stores_ms });
                }
                Some(why) => self.feed(Input::Failed { id, retry_after_ms: None, why }),
            }
        }
        if says_so && open && !was_open {
            self.feed(Input::LinkUp);
        }
        if self.core.next_timeout().is_some_and(|due| due.0 <= self.now) {
            self.feed(Input::Tick);
        }
    }

    /// Seconds until `records` are covered, or none if that takes longer than `seconds_max`.
    fn drains(&mut self, records: u64, seconds_max: u64) -> Option<u64> {
        self.feed(Input::Journaled { end: Seq(records), alarms: Vec::new() });
        while self.now < seconds_max * 1_000 {
            self.step();
            if self.core.covered().len() == records {
                return Some(self.now / 1_000);
            }
        }
        None
    }
}

/// A box whose batches could be as large as is ever configured.
fn greedy() -> Config {
    Config {
        records_max: NonZeroU32::new(100_000).unwrap(),
        bytes_max: NonZeroU64::new(2_097_152).unwrap(),
        ..Config::default()
    }
}

/// Five seconds in each minute, as a village has them.
const MINUTELY: Link = Link { bytes_per_s: 2_000, holds_ms: 5_000, every_ms: 60_000, says_so: true };

#[test]
fn five_seconds_a_minute_at_two_kilobytes_a_second_drain() {
    for says_so in [false, true] {
        let mut world = World::new(Link { says_so, ..MINUTELY }, Restored::default(), greedy());
        // 60 kB are seven minutes of such a link without a single try in vain.
        assert!(world.drains(2_000, 15 * 60).is_some(), "{:?}", world.core.standing());
    }
}

#[test]
fn what_was_cut_for_a_better_link_comes_in_halves() {
    // A run on a good link cut two batches of 150 kB; then the link became what it is.
    let ranges = |first, last| record::SeqRange::new(Seq(first), Seq(last)).into_iter().collect::<SeqRanges>();
    let lane = batch::Lane::Backlog;
    let large = |byte, ranges| RestoredBatch { id: BatchId([byte; 32]), lane, ranges, bytes_len: 150_000 };
    let outstanding = vec![large(1, ranges(0, 4_999)), large(2, ranges(5_000, 9_999))];
    let restored = Restored { outstanding, ..Restored::default() };
    for says_so in [false, true] {
        let mut world = World::new(Link { says_so, ..MINUTELY }, restored.clone(), greedy());
        assert!(world.drains(10_100, 6 * 3_600).is_some(), "{:?}", world.core.standing());
        assert!(world.core.counters().divided >= 2);
    }
}

#[test]
fn a_good_link_is_soon_used_whole() {
    let link = Link { bytes_per_s: 1_000_000, holds_ms: 1, every_ms: 1, says_so: true };
    let mut world = World::new(link, Restored::default(), greedy());
    assert!(world.drains(200_000, 60).is_some_and(|seconds| seconds < 25), "{:?}", world.core.standing());
}

#[test]
fn a_destination_that_takes_its_time_leaves_no_link_idle() {
    // 1.8 MB in 225 s, and half as long again to store each batch if the link waited for that.
    let link = Link { bytes_per_s: 8_000, holds_ms: 1, every_ms: 1, says_so: true };
    let mut world =
        World::new(link, Restored::default(), Config { records_max: NonZeroU32::new(1_000).unwrap(), ..greedy() });
    world.stores_ms = 1_900;
    let took = world.drains(60_000, 600);
    assert!(took.is_some_and(|seconds| seconds <= 225 * 100 / 85), "{took:?} {:?}", world.core.standing());
}

#[test]
fn an_alarm_in_the_middle_of_a_drain_is_receipted_within_five_seconds_at_two_kilobytes_a_second() {
    let link = Link { bytes_per_s: 2_000, holds_ms: 1, every_ms: 1, says_so: true };
    for after_s in [3, 10, 31, 60, 100] {
        let mut world = World::new(link, Restored::default(), greedy());
        assert!(world.drains(10_000, after_s).is_none(), "the drain is not over");
        let alarm = Seq(10_000);
        world.feed(Input::Journaled { end: alarm.next(), alarms: vec![alarm] });
        let raised = world.now;
        while !world.core.covered().contains(alarm) {
            world.step();
            assert!(world.now - raised <= 5_000, "{:?}", world.core.standing());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// However a link is, as long as it carries the smallest batch while it is open: all arrives, and no batch is cut
    /// that takes much more of it than half of its usual life.
    #[test]
    fn every_link_drains(
        bytes_per_s in 1_500u64..60_000, holds_s in 4u64..60, closed_s in 0u64..90, says_so: bool, records in 1u64..3_000,
    ) {
        let (holds_ms, every_ms) = (holds_s * 1_000, (holds_s + closed_s) * 1_000);
        let link = Link { bytes_per_s, holds_ms, every_ms, says_so };
        let mut world = World::new(link, Restored::default(), greedy());
        prop_assert!(world.drains(records, 8 * 3_600).is_some(), "{:?}", world.core.standing());
        let bound = (bytes_per_s * 10).max(4 * 8_192);
        prop_assert!(world.sizes.iter().all(|size| *size <= bound.max(2 * BATCH_BYTES_MIN)), "{:?}", world.sizes);
    }
}
