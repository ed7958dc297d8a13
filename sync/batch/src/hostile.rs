//! Tests of what only the holder of a known key can send: correctly signed nonsense.

use minicbor::bytes::ByteVec;
use proptest::prelude::*;
use record::dossier::{Few, Words};
use record::merkle::{ConsistencyProof, leaf_hash};
use record::{
    Actor, Aggregate, AggregateValue, BootNo, ClockQuality, CodecId, CodecText, Decimal, Entry, Gap, GapReason, Manual,
    MonoMs, OutfallCode, Patrol, Quality, Quantity, Reading, Seq, SeqRange, SourceId, Stamp, Unit, UnixMs,
};

use crate::pack::pack;
use crate::wire::{AggregateRow, Body, Filter, GapRow, List, ManualRow, Proof, QuantityRef, Runs, Text};
use crate::{
    Artifact, Batch, BoxId, Content, Continuation, Filtered, Lane, OpenError, Row, SigningKey, TreeHead, payload,
};

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

fn open_packed(packed: Vec<u8>) -> Result<Batch, OpenError> {
    let bytes = crate::envelope::sign(Artifact::Batch, packed, &key());
    Batch::open(&bytes, None, |_| Some(key().public()))
}

fn open_plain(plain: &[u8]) -> Result<Batch, OpenError> {
    open_packed(zstd::bulk::compress(plain, 3).unwrap())
}

fn example() -> Batch {
    let row = |seq: u64| {
        let reading = |name: &str, value: u64| Reading {
            quantity: Quantity::new(name).unwrap(),
            unit: Unit::new("mg/L").unwrap(),
            value: Decimal::new(value.cast_signed(), -1),
            quality: if seq == 7 { Quality::OutOfRange } else { Quality::Good },
            at_ms: Some(UnixMs(3)),
        };
        let readings = vec![reading("cod", 401 + seq), reading("silt", 7)];
        let source = SourceId::new(if seq.is_multiple_of(2) { "even" } else { "odd" }).unwrap();
        let (mono_ms, wall_ms) = (MonoMs(seq * 1000), UnixMs(5));
        let stamp = Stamp { boot: BootNo(0), mono_ms, wall_ms, clock: ClockQuality::Unset };
        Row { seq: Seq(seq), stamp, content: Content::Readings { source, codec: None, readings, texts: Vec::new() } }
    };
    Batch {
        box_id: BoxId::new("box-1").unwrap(),
        lane: Lane::Backlog,
        ranges: SeqRange::new(Seq(0), Seq(9)).into_iter().collect(),
        head: TreeHead { size: 10, root: leaf_hash(b"") },
        checkpoints: vec![vec![1, 2]],
        filtered: Filtered::default(),
        proofs: vec![Continuation { size: 9, proof: ConsistencyProof { path: Vec::new() } }],
        rows: (0..10).map(row).collect(),
    }
}

fn aggregate(values: usize) -> AggregateRow {
    let value = |place: usize| AggregateValue {
        quantity: Quantity::new(&format!("q{place:03}")).unwrap(),
        unit: Unit::new("1").unwrap(),
        good: 0,
        doubtful: 1,
        parts: 0,
        statistics: None,
    };
    let (source, values) = (SourceId::new("a").unwrap(), (0..values).map(value).collect());
    AggregateRow(Aggregate { source, outfall: None, from_ms: UnixMs(0), period: "1h".parse().unwrap(), values })
}

fn patrol() -> ManualRow {
    let entry = Entry {
        outfall: OutfallCode::new("A-1").unwrap(),
        at_ms: UnixMs(0),
        person: Words::new("王工").unwrap(),
        by: Actor::User(0),
        files: Few::default(),
        replaces: None,
    };
    ManualRow(Manual::Patrol(Box::new(Patrol { entry, finding: Words::new(&"x".repeat(900)).unwrap(), state: None })))
}

fn check(spoil: impl FnOnce(&mut Body), expected: &str) {
    let mut body = pack(&example());
    spoil(&mut body);
    match open_plain(&payload::encode(&body)) {
        Err(OpenError::Inconsistent(why)) => assert_eq!(why.to_string(), expected),
        other => panic!("{other:?}"),
    }
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let all = SeqRange { first: Seq(0), last: Seq(u64::MAX) };
    check(|b| b.ranges.0 = vec![all], "ranges: they have more numbers than a batch may have rows");
    check(|b| b.ranges.0.push(SeqRange { first: Seq(10), last: Seq(11) }), "the ranges are not sorted and apart");
    check(|b| (b.groups, b.kinds) = (None, ByteVec::from(vec![1])), "audits: fewer than rows of that kind");
    check(|b| (b.groups, b.kinds) = (None, ByteVec::from(vec![3])), "outfalls: fewer than rows of that kind");
    check(|b| (b.groups, b.kinds) = (None, ByteVec::from(vec![5])), "aggregates: fewer than rows of that kind");
    check(|b| (b.groups, b.kinds) = (None, ByteVec::from(vec![7])), "manual: fewer than rows of that kind");
    check(|b| (b.groups, b.kinds) = (None, ByteVec::from(vec![9])), "kinds: a number below -4");
    check(|b| b.kinds = ByteVec::from(vec![126]), "kinds: a number that no shape has");
    check(|b| b.kinds = ByteVec::from(vec![12]), "groups: a shape without a frame");
    check(|b| b.kinds = ByteVec::from(vec![2; 11]), "kinds: it has more values than rows");
    let filter = |count, lengths: Vec<u8>| {
        Some(Filter { left_out: Some(Runs { count, lengths: lengths.into() }), quantities: None })
    };
    check(|b| b.filtered = filter(2, vec![2, 2]), "filtered: its runs do not fill the ranges");
    check(|b| b.filtered = filter(u64::MAX, vec![18, 15]), "filtered: its runs do not fill the ranges");
    check(|b| b.filtered = filter(2, vec![18, 15]), "kinds: it has more values than rows");
    let names = |names: [&str; 2]| {
        let quantities = names.map(|name| QuantityRef(Quantity::new(name).unwrap()));
        Some(Filter { left_out: None, quantities: Some(List(quantities.into())) })
    };
    check(|b| b.filtered = names(["cod", "cod"]), "filtered: the quantities do not ascend by name");
    check(|b| b.clock = ByteVec::from(vec![1]), "clock: an error beyond 32 bits");
    check(|b| b.boot = ByteVec::from(vec![1]), "boot: a number beyond 32 bits");
    check(|b| b.groups.as_mut().unwrap().0[0].at.as_mut().unwrap().push(0), "at: not the one spelling of its values");
    check(|b| b.groups.as_mut().unwrap().0[0].fields.as_mut().unwrap().0[0].exponent = 127, "exponents: beyond 10^±40");
    check(|b| b.groups.as_mut().unwrap().0[0].of = Some(ByteVec::from(vec![])), "shapes: decoded anew by no codec");
    let text = |row| Text { row, quantity: QuantityRef(Quantity::new("cod").unwrap()), text: String::new() };
    check(|b| b.texts = Some(List(vec![text(10)])), "texts: for a row that is no frame");
    check(|b| b.texts = Some(List(vec![text(2), text(1)])), "texts: not by ascending row");
    let codec = CodecText { id: CodecId([0; 8]), text: String::new() };
    let more = "boots, rejected, alarms, codecs, clocks, gaps, audits, outfalls, aggregates, manual: more than rows of \
                that kind";
    check(|b| b.codecs = Some(List(vec![codec])), more);
    check(|b| b.aggregates = Some(List(vec![aggregate(1)])), more);
    check(|b| b.manual = Some(List(vec![patrol()])), more);
    check(|b| b.gaps = Some(List(vec![gap(&[(0, 1)])])), more);
    check(|b| *b = of_gap(&[(0, 1), (2, 3)]), "gaps: ranges not apart");
    let many: Vec<(u64, u64)> = (0..1025).map(|place| (2 * place, 2 * place)).collect();
    check(|b| *b = of_gap(&many), "gaps: more ranges than one gap may have");
    check(
        |b| {
            *b = of_gap(&[(0, 1)]);
            b.gaps = None;
        },
        "gaps: fewer than rows of that kind",
    );
    check(
        |b| b.groups.as_mut().unwrap().0[0].fields.as_mut().unwrap().0[1].unit = None,
        "unit: left out, and no usual one",
    );
}

#[test]
fn proofs_that_no_tree_can_have_are_refused() {
    let proof = |size, bytes| Proof { size, path: ByteVec::from(vec![7; bytes]) };
    let spoil = |proofs: Vec<Proof>, why: &str| {
        check(|b| b.proofs = Some(List(proofs)), &format!("proofs: {why}"));
    };
    spoil(vec![proof(9, 31)], "a path that is no list of hashes");
    spoil(vec![proof(9, 66 * 32)], "a path that is no list of hashes");
    spoil(vec![proof(0, 0)], "from a tree that the head cannot continue");
    spoil(vec![proof(10, 0)], "from a tree that the head cannot continue");
    spoil(vec![proof(9, 0), proof(9, 0)], "not by ascending size");
    spoil((0..65).map(|size| proof(size, 0)).collect(), "more than a batch may have");
}

#[test]
fn a_range_that_ends_before_it_begins_is_refused() {
    let mut body = pack(&example());
    body.ranges.0[0] = SeqRange { first: Seq(1), last: Seq(0) };
    assert!(matches!(open_plain(&payload::encode(&body)), Err(OpenError::Payload { .. })));
}

fn gap(bounds: &[(u64, u64)]) -> GapRow {
    let ranges = bounds.iter().map(|(first, last)| SeqRange { first: Seq(*first), last: Seq(*last) });
    GapRow { why: GapReason::Full, ranges: List(ranges.collect()), frames: 1, rejected: 0, other: 0, bytes: 1 }
}

/// A batch of one gap.
fn of_gap(bounds: &[(u64, u64)]) -> Body {
    let mut batch = example();
    let honest = SeqRange::new(Seq(0), Seq(0)).into_iter().collect();
    let content =
        Content::Gap(Gap { why: GapReason::Full, ranges: honest, frames: 1, rejected: 0, other: 0, bytes: 1 });
    batch.rows = vec![Row { content, ..batch.rows.remove(0) }];
    batch.ranges = SeqRange::new(Seq(0), Seq(0)).into_iter().collect();
    let mut body = pack(&batch);
    body.gaps = Some(List(vec![gap(bounds)]));
    body
}

/// Columns that leave everything out: a hundred bytes that would be 10^10 readings.
#[test]
fn a_small_batch_cannot_claim_very_much() {
    let spoil = |body: &mut Body| {
        body.ranges.0 = vec![SeqRange { first: Seq(0), last: Seq(199_999) }];
        (body.kinds, body.mono) = (ByteVec::from(vec![12]), ByteVec::from(vec![]));
        let group = &mut body.groups.as_mut().unwrap().0[0];
        group.shapes.0.truncate(1);
        let fields = &mut group.fields.as_mut().unwrap().0;
        while fields.len() < 50_000 {
            let next = pack(&example()).groups.unwrap().0.remove(0).fields.unwrap().0;
            fields.extend(next);
        }
    };
    check(spoil, "groups: more readings than a batch may have");
}

#[test]
fn lists_are_bounded_before_they_are_built() {
    let mut plain = payload::encode(&pack(&example()));
    // The list of proofs is the last: 81 82 09 40. Claim 2^32 of them.
    plain.truncate(plain.len() - 4);
    plain.extend([0x9a, 0xff, 0xff, 0xff, 0xff]);
    assert!(matches!(open_plain(&plain), Err(OpenError::Payload { .. })));
}

/// A value of an aggregate takes some three hundred bytes of memory, so that it counts as more than one entry.
#[test]
fn values_of_aggregates_are_counted() {
    let opened = |rows: usize| {
        let mut body = pack(&example());
        body.aggregates = Some(List((0..rows).map(|_| aggregate(Aggregate::VALUES_MAX)).collect()));
        open_plain(&payload::encode(&body))
    };
    let most = crate::wire::ENTRIES_MAX / (3 * Aggregate::VALUES_MAX);
    assert!(matches!(opened(most - 10), Err(OpenError::Inconsistent(_))), "read, and no row is of that kind");
    assert!(matches!(opened(most + 1), Err(OpenError::Payload { .. })), "more than is taken");
}

/// Likewise what people entered, by its bytes.
#[test]
fn manual_entries_are_counted() {
    let opened = |rows: usize| {
        let mut body = pack(&example());
        body.manual = Some(List((0..rows).map(|_| patrol()).collect()));
        open_plain(&payload::encode(&body))
    };
    let each = 1 + minicbor::to_vec(patrol().0).unwrap().len().div_ceil(8);
    let most = crate::wire::ENTRIES_MAX / each;
    assert!(matches!(opened(most - 10), Err(OpenError::Inconsistent(_))), "read, and no row is of that kind");
    assert!(matches!(opened(most + 1), Err(OpenError::Payload { .. })), "more than is taken");
}

#[test]
fn other_spellings_of_a_payload_are_refused() {
    let plain = payload::encode(&pack(&example()));
    assert!(open_plain(&plain).is_ok());
    assert!(matches!(open_plain(&[&plain[..], &[0]].concat()), Err(OpenError::NotCanonical { .. })));
    // The version in two bytes instead of one; then another version; then an indefinite array.
    let long = [&plain[..1], &[0x18, 0x01], &plain[2..]].concat();
    assert!(matches!(open_plain(&long), Err(OpenError::NotCanonical { .. })));
    let newer = [&plain[..1], &[2], &plain[2..]].concat();
    assert!(matches!(open_plain(&newer), Err(OpenError::UnsupportedVersion { version: 2, .. })));
    let indefinite = [&[0x9f], &plain[1..], &[0xff]].concat();
    assert!(matches!(open_plain(&indefinite), Err(OpenError::Payload { .. })));
}

#[test]
fn only_one_whole_zstd_frame_is_taken() {
    let plain = payload::encode(&pack(&example()));
    let packed = zstd::bulk::compress(&plain, 3).unwrap();
    let refused = |packed: Vec<u8>| assert!(matches!(open_packed(packed), Err(OpenError::Decompress { .. })));
    refused(vec![]);
    refused(plain);
    refused([&packed[..], &packed[..]].concat());
    refused(packed[..packed.len() - 1].to_vec());
    let bomb = zstd::bulk::compress(&vec![0; crate::PAYLOAD_BYTES_MAX + 1], 3).unwrap();
    assert!(matches!(open_packed(bomb), Err(OpenError::TooLarge { .. })));
}

proptest! {
    /// Signed, mutated real payloads: an answer, and if it is a batch, one that can be sealed again.
    #[test]
    fn mutations_are_answered(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut plain = payload::encode(&pack(&example()));
        for (at, byte) in changes {
            let place = at.index(plain.len());
            plain[place] = byte;
        }
        if let Ok(batch) = open_plain(&plain) {
            prop_assert!(batch.seal(&key()).is_ok());
        }
    }
}
