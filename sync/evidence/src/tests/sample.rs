//! A small box with a discharge: 16 records, of which the last is not asked for.

use std::collections::BTreeMap;

use batch::weirlog::Writer;
use batch::{Asked, BatchId, BoxId, Checkpoint, EvidenceSeal, MemberDigest, PlatformId, Receipt, SigningKey, TreeHead};
use record::merkle::{Block, Frontier, Hash, Node, leaf_hash};
use record::{
    AlarmState, AlarmTransition, Body, Boot, BootNo, ClockQuality, ClockSet, ClockSource, CodecId, CodecText, Decimal,
    Frame, Gap, GapReason, LimitSide, Link, MonoMs, Quality, Quantity, Reading, Reason, Record, Redecoded, Rejected,
    RuleId, Seq, SeqRange, SeqRanges, SourceId, Stamp, Unit, UnixMs,
};
use sha2::{Digest, Sha256};

use crate::{Draft, Keys, REPORT_VERSION, ReceiptFile};

/// Numbers of the journal.
pub(super) const SIZE: u64 = 16;
/// When the boot began.
const BEGAN_MS: i64 = 1_777_888_800_000;
/// Those that go into the file; 2, 3, 14 and 15 do not.
pub(super) const CHOSEN: [u64; 12] = [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

pub(super) struct Sample {
    pub(super) box_id: BoxId,
    pub(super) key: SigningKey,
    pub(super) platforms: [(PlatformId, SigningKey); 2],
    pub(super) records: Vec<Record>,
    pub(super) asked: Asked,
}

pub(super) fn stamp(seq: u64) -> Stamp {
    let mono = seq * 1_000;
    // Nobody had told the time before record 1.
    let clock = match seq {
        0 => ClockQuality::Unset,
        7 => ClockQuality::Holdover { error_ms: 40 },
        _ => ClockQuality::Synchronised,
    };
    let wall_ms = if seq == 0 { 5 } else { BEGAN_MS + mono.cast_signed() };
    Stamp { boot: BootNo(3), mono_ms: MonoMs(mono), wall_ms: UnixMs(wall_ms), clock }
}

/// When a platform answered its n-th batch.
pub(super) fn received(nth: i64) -> UnixMs {
    UnixMs(BEGAN_MS + 60_000 * nth)
}

fn reading(value: &str, unit: &str) -> Reading {
    let value = Decimal::parse(value).ok();
    let quality = if value.is_some() { Quality::Good } else { Quality::Missing };
    Reading { quantity: Quantity::new("cod").unwrap(), unit: Unit::new(unit).unwrap(), value, quality, at_ms: None }
}

fn frame(value: &str) -> Body {
    Body::Frame(Frame {
        source: SourceId::new("cod-1").unwrap(),
        link: Link::Mqtt { topic: "d/<cod-1>/up".into(), qos: 1, packet_id: Some(7), level: 4, seal: None },
        raw: format!("{{\"cod\":{value}}}").into_bytes(),
        readings: vec![reading(value, "mg/L")],
        codec: Some(CodecId::of("first")),
        texts: Vec::new(),
    })
}

fn body(seq: u64) -> Body {
    let source = SourceId::new("cod-1").unwrap();
    let link = Link::Serial { port: "lora".into(), seal: None };
    match seq {
        0 => Body::Boot(Boot { boot_id: "b".into(), version: "1".into() }),
        1 => Body::Clock(ClockSet { source: ClockSource::Ntp, before: ClockQuality::Unset, step_ms: 9, error_ms: 10 }),
        4 => Body::Codec(CodecText { id: CodecId::of("first"), text: "first".into() }),
        8 => {
            let (raw, detail) = (vec![1, 2, 3], "<script>".to_owned());
            Body::Rejected(Rejected { source: Some(source), link, raw, why: Reason::BadMic, detail })
        }
        9 => {
            let ranges = [SeqRange { first: Seq(2), last: Seq(3) }].into_iter().collect();
            Body::Gap(Gap { why: GapReason::Damaged, ranges, frames: 2, rejected: 0, other: 0, bytes: 90 })
        }
        12 => Body::Alarm(AlarmTransition {
            rule: RuleId::new("cod-high").unwrap(),
            source,
            quantity: Quantity::new("cod").unwrap(),
            from: AlarmState::Normal,
            to: AlarmState::Unacknowledged,
            limit: Decimal::from(80),
            side: LimitSide::High,
            value: Some(Decimal::from(95)),
            cause: Seq(11),
            grounds: None,
            suppression: None,
        }),
        13 => Body::Redecoded(Redecoded {
            source,
            of: Seq(7),
            codec: CodecId::of("first"),
            readings: vec![reading("41", "a,\"<b>\"")],
            texts: Vec::new(),
        }),
        _ => frame(&format!("{}", 40 + 5 * seq)),
    }
}

impl Sample {
    pub(super) fn new() -> Sample {
        let platform = |name: &str, seed| (PlatformId::new(name).unwrap(), SigningKey::from_seed(&[seed; 32]));
        Sample {
            box_id: BoxId::new("outfall-1").unwrap(),
            key: SigningKey::from_seed(&[1; 32]),
            platforms: [platform("city", 2), platform("province", 3)],
            records: (0..SIZE).map(|seq| Record { stamp: stamp(seq), body: body(seq) }).collect(),
            asked: Asked {
                sources: Vec::new(),
                from_ms: UnixMs(BEGAN_MS + 4_500),
                to_ms: UnixMs(BEGAN_MS + 12_500),
                reason: "clue <7>".into(),
                alarm: Some(Seq(12)),
            },
        }
    }

    pub(super) fn keys(&self) -> Keys {
        let platforms = self.platforms.iter().map(|(name, key)| (name.clone(), key.public()));
        Keys { box_key: Some(self.key.public()), platforms: platforms.collect::<BTreeMap<_, _>>(), ..Keys::default() }
    }

    /// The tree over the first records.
    pub(super) fn head(&self, size: u64) -> TreeHead {
        let mut tree = Frontier::new();
        self.records.iter().take(usize::try_from(size).unwrap()).for_each(|record| tree.push(record.leaf()));
        TreeHead { size, root: tree.root() }
    }

    /// The records that are chosen, with the roots of the others.
    pub(super) fn weirlog(&self) -> Vec<u8> {
        let mut block = Block::new(Seq(0), self.records.iter().map(Record::to_canonical)).unwrap();
        block.prune(|seq| CHOSEN.contains(&seq.0));
        let mut writer = Writer::new(Vec::new(), &self.box_id, &self.key.public()).unwrap();
        for node in block.nodes() {
            // Its last two are one root; the receipts' head of 15 ends between them.
            let apart = |seq: u64| Node::Pruned {
                level: 0,
                root: leaf_hash(&self.records[usize::try_from(seq).unwrap()].to_canonical()),
            };
            let nodes = if writer.next() == Seq(14) { vec![apart(14), apart(15)] } else { vec![node.clone()] };
            for node in nodes {
                writer.node(&node).unwrap();
                if [SIZE - 2, SIZE].contains(&writer.next().0) {
                    let head = self.head(writer.next().0);
                    let checkpoint = Checkpoint { box_id: self.box_id.clone(), head, stamp: stamp(head.size) };
                    writer.checkpoint(&checkpoint.sign(&self.key)).unwrap();
                }
            }
        }
        writer.finish().unwrap()
    }

    /// A receipt of a platform for its n-th batch.
    pub(super) fn receipt(&self, platform: usize, nth: u8, holds: &[(u64, u64)], size: u64) -> ReceiptFile {
        self.receipt_lacking(platform, nth, [holds, &[]], size)
    }

    /// The same, with parts of what it holds in which records were left out.
    pub(super) fn receipt_lacking(
        &self,
        platform: usize,
        nth: u8,
        spans: [&[(u64, u64)]; 2],
        size: u64,
    ) -> ReceiptFile {
        let (name, key) = &self.platforms[platform];
        let range = |(first, last): &(u64, u64)| SeqRange { first: Seq(*first), last: Seq(*last) };
        let [holds, left_out] = spans.map(|spans| spans.iter().map(range).collect::<SeqRanges>());
        let receipt = Receipt {
            platform: name.clone(),
            box_id: self.box_id.clone(),
            batch: BatchId([nth; 32]),
            holds,
            head: self.head(size),
            command: None,
            received_ms: received(nth.into()),
            left_out,
        };
        ReceiptFile { platform: name.clone(), batch: receipt.batch, cose: receipt.sign(key) }
    }

    pub(super) fn receipts(&self) -> Vec<ReceiptFile> {
        vec![self.receipt(0, 1, &[(0, 9)], 10), self.receipt(0, 2, &[(0, 14)], 15), self.receipt(1, 1, &[(4, 5)], 9)]
    }

    pub(super) fn sealed(&self, weirlog: Vec<u8>, receipts: Vec<ReceiptFile>) -> Vec<u8> {
        let draft = Draft::new((&self.box_id, &self.key.public()), &self.asked, weirlog, receipts).unwrap();
        let members = draft.digests();
        draft.seal(self.seal(members))
    }

    pub(super) fn seal(&self, members: Vec<MemberDigest>) -> Vec<u8> {
        self.signed(REPORT_VERSION, members)
    }

    /// A seal of these parts that says of the report that another rule made it.
    pub(super) fn seal_of_report(&self, report_version: u32, members: &[(&str, &[u8])]) -> Vec<u8> {
        let digest = |(name, bytes): &(&str, &[u8])| {
            let sha256 = Hash(Sha256::digest(bytes).into());
            MemberDigest { name: (*name).to_owned(), sha256 }
        };
        self.signed(report_version, members.iter().map(digest).collect())
    }

    fn signed(&self, report_version: u32, members: Vec<MemberDigest>) -> Vec<u8> {
        let (box_id, asked) = (self.box_id.clone(), self.asked.clone());
        EvidenceSeal { box_id, asked, report_version, members, stamp: stamp(SIZE) }.sign(&self.key).unwrap()
    }

    pub(super) fn file(&self) -> Vec<u8> {
        self.sealed(self.weirlog(), self.receipts())
    }
}
