//! The body of a batch as it stands in CBOR; `batch.cddl` says the same for other languages.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use record::{
    Aggregate, AlarmTransition, Audit, Boot, ClockSet, CodecId, CodecText, GapReason, Manual, Outfall, Quantity,
    Reason, SeqRange, SourceId, Unit,
};

use crate::{BoxId, Lane, TreeHead};

/// Most entries of all lists of a batch together. A column costs no memory before it is read, but an entry of four
/// bytes becomes one of a hundred: this keeps a hostile batch below some 50 MB.
pub(crate) const ENTRIES_MAX: usize = 400_000;

/// Row kinds below this are no shapes: 0 boot, 1 rejected, 2 alarm, 3 codec, 4 clock, 5 gap.
pub(crate) const SHAPE_FIRST: i64 = 6;

/// Below all of these, because every number above 5 is a shape's since the first batch.
pub(crate) const KIND_AUDIT: i64 = -1;
/// Likewise.
pub(crate) const KIND_OUTFALL: i64 = -2;
/// Likewise.
pub(crate) const KIND_AGGREGATE: i64 = -3;
/// Likewise.
pub(crate) const KIND_MANUAL: i64 = -4;

#[derive(Encode, Decode)]
#[cbor(array, context_bound = "AsMut<Entries>")]
pub(crate) struct Body {
    #[n(0)]
    pub(crate) box_id: BoxId,
    #[n(1)]
    pub(crate) lane: Lane,
    #[n(2)]
    pub(crate) ranges: List<SeqRange>,
    #[n(3)]
    pub(crate) head: TreeHead,
    /// Per row: -4 manual entry, -3 aggregate, -2 outfall, -1 order, 0 boot, 1 rejected, 2 alarm, 3 codec, 4 clock, 5 gap, 6 +
    /// number of the shape.
    #[n(4)]
    pub(crate) kinds: ByteVec,
    /// Per row: milliseconds since the boot.
    #[n(5)]
    pub(crate) mono: ByteVec,
    /// Per row: wall time minus `mono`, in milliseconds.
    #[n(6)]
    pub(crate) offset: ByteVec,
    /// Per row: the boot's number.
    #[n(7)]
    pub(crate) boot: ByteVec,
    /// Per row: 0 synchronised, 1 unset, 2 + error in milliseconds.
    #[n(8)]
    pub(crate) clock: ByteVec,
    #[n(9)]
    pub(crate) groups: Option<List<Group>>,
    #[n(10)]
    pub(crate) alarms: Option<List<AlarmTransition>>,
    #[n(11)]
    pub(crate) boots: Option<List<Boot>>,
    #[n(12)]
    pub(crate) rejected: Option<List<RejectedFrame>>,
    #[n(13)]
    pub(crate) codecs: Option<List<CodecText>>,
    /// By ascending row.
    #[n(14)]
    pub(crate) texts: Option<List<Text>>,
    #[n(15)]
    pub(crate) checkpoints: Option<List<ByteVec>>,
    #[n(16)]
    pub(crate) clocks: Option<List<ClockSet>>,
    #[n(17)]
    pub(crate) gaps: Option<List<GapRow>>,
    #[n(18)]
    pub(crate) audits: Option<List<Audit>>,
    #[n(19)]
    pub(crate) filtered: Option<Filter>,
    /// By ascending size.
    #[n(20)]
    pub(crate) proofs: Option<List<Proof>>,
    #[n(21)]
    pub(crate) outfalls: Option<List<OutfallRow>>,
    #[n(22)]
    pub(crate) aggregates: Option<List<AggregateRow>>,
    #[n(23)]
    pub(crate) manual: Option<List<ManualRow>>,
}

impl Body {
    /// How many entries all its lists have.
    pub(crate) fn entries(&self) -> usize {
        fn len<T>(list: Option<&List<T>>) -> usize {
            list.map_or(0, |list| list.0.len())
        }
        let groups = self.groups.iter().flat_map(|list| &list.0);
        let in_groups: usize = groups.map(|group| group.shapes.0.len() + len(group.fields.as_ref())).sum();
        let rare = len(self.alarms.as_ref()) + len(self.boots.as_ref()) + len(self.rejected.as_ref());
        let rare = rare + len(self.codecs.as_ref()) + len(self.texts.as_ref());
        let gaps = self.gaps.iter().flat_map(|list| &list.0);
        let in_gaps: usize = gaps.map(|gap| gap.ranges.0.len()).sum();
        let rare = rare + len(self.clocks.as_ref()) + len(self.gaps.as_ref()) + in_gaps + len(self.audits.as_ref());
        let rare = rare + len(self.filtered.as_ref().and_then(|filter| filter.quantities.as_ref()));
        let heads = len(self.checkpoints.as_ref()) + len(self.proofs.as_ref());
        let of_outfalls: usize = self.outfalls.iter().flat_map(|list| &list.0).map(|row| 1 + row.entries()).sum();
        let of_aggregates: usize = self.aggregates.iter().flat_map(|list| &list.0).map(|row| 1 + row.entries()).sum();
        let of_manual: usize = self.manual.iter().flat_map(|list| &list.0).map(|row| 1 + row.entries()).sum();
        let told = of_outfalls + of_aggregates + of_manual;
        self.ranges.0.len() + len(self.groups.as_ref()) + in_groups + rare + heads + told
    }
}

/// Frames with the same list of quantities and units, all decoded as they came or all anew. Shapes count on through
/// all groups.
#[derive(Encode, Decode)]
#[cbor(array, context_bound = "AsMut<Entries>")]
pub(crate) struct Group {
    #[n(0)]
    pub(crate) shapes: List<Shape>,
    /// None: frames without readings.
    #[n(1)]
    pub(crate) fields: Option<List<Field>>,
    /// Per frame: device time of all its readings minus the row's wall time, in milliseconds.
    #[n(2)]
    pub(crate) at: Option<ByteVec>,
    /// Per frame: the number of the record whose readings these replace. None: no frame was decoded before.
    #[n(3)]
    pub(crate) of: Option<ByteVec>,
}

/// Who sent the frames, and what decoded them.
#[derive(Clone, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Shape {
    #[n(0)]
    pub(crate) source: SourceId,
    #[n(1)]
    pub(crate) codec: Option<CodecId>,
}

/// What a sensor sent where a number belongs.
#[derive(Encode, Decode)]
#[cbor(array)]
pub(crate) struct Text {
    /// The row's place in the batch, from 0.
    #[n(0)]
    pub(crate) row: u64,
    #[n(1)]
    pub(crate) quantity: QuantityRef,
    #[n(2)]
    pub(crate) text: String,
}

/// One reading of each frame of the group: its columns run through the first shape's frames, then the second's, …
#[derive(Encode, Decode)]
#[cbor(array)]
pub(crate) struct Field {
    #[n(0)]
    pub(crate) quantity: QuantityRef,
    /// Per reading that has a value: its mantissa at `exponent`.
    #[n(1)]
    pub(crate) mantissas: ByteVec,
    #[n(2)]
    pub(crate) exponent: i8,
    /// None: the usual one of a registered quantity.
    #[n(3)]
    pub(crate) unit: Option<Unit>,
    /// Per reading: twice the quality's number, plus one if there is no value. None: all good.
    #[n(4)]
    pub(crate) quality: Option<ByteVec>,
    /// Per reading that has a value: its exponent minus `exponent`, where no common one fits 64 bits.
    #[n(5)]
    pub(crate) exponents: Option<ByteVec>,
    /// Per reading: device time minus the row's wall time, where the readings of a frame differ.
    #[n(6)]
    pub(crate) at: Option<ByteVec>,
    /// How far `mantissas` are smoothed, as [`crate::entropy`] has them. None: as [`crate::bits`] has them.
    #[n(7)]
    pub(crate) smoothing: Option<u8>,
}

#[derive(Encode, Decode)]
#[cbor(array)]
pub(crate) struct RejectedFrame {
    #[n(0)]
    pub(crate) source: Option<SourceId>,
    #[n(1)]
    pub(crate) why: Reason,
    #[n(2)]
    pub(crate) detail: String,
    #[n(3)]
    pub(crate) raw_len: u64,
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub(crate) raw_sha256: [u8; 32],
}

/// Records that can no longer be read.
#[derive(Encode, Decode)]
#[cbor(array, context_bound = "AsMut<Entries>")]
pub(crate) struct GapRow {
    #[n(0)]
    pub(crate) why: GapReason,
    #[n(1)]
    pub(crate) ranges: List<SeqRange>,
    #[n(2)]
    pub(crate) frames: u64,
    #[n(3)]
    pub(crate) rejected: u64,
    #[n(4)]
    pub(crate) other: u64,
    #[n(5)]
    pub(crate) bytes: u64,
}

/// What has lists and texts of its own, so that its bytes count as entries: one for each [`BYTES_PER_ENTRY`] that are begun.
macro_rules! told_row {
    ($(#[$doc:meta])* $row:ident($told:ident)) => {
        $(#[$doc])*
        pub(crate) struct $row(pub(crate) $told);

        impl $row {
            fn entries(&self) -> usize {
                minicbor::to_vec(&self.0).map_or(ENTRIES_MAX, |bytes| bytes.len().div_ceil(BYTES_PER_ENTRY))
            }
        }

        impl<C> Encode<C> for $row {
            fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
                self.0.encode(e, ctx)
            }
        }

        impl<'b, C: AsMut<Entries>> Decode<'b, C> for $row {
            fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
                let begin = d.position();
                let told = $told::decode(d, ctx)?;
                ctx.as_mut().take((d.position() - begin).div_ceil(BYTES_PER_ENTRY))?;
                Ok($row(told))
            }
        }
    };
}

const BYTES_PER_ENTRY: usize = 8;

told_row! {
    /// What is told of an outfall.
    OutfallRow(Outfall)
}

told_row! {
    /// What a person entered.
    ManualRow(Manual)
}

/// What readings came to. Each of its values, of eight bytes at least and some three hundred in memory, counts as
/// [`AggregateRow::ENTRIES_PER_VALUE`].
pub(crate) struct AggregateRow(pub(crate) Aggregate);

impl AggregateRow {
    const ENTRIES_PER_VALUE: usize = 3;

    fn entries(&self) -> usize {
        self.0.values.len().saturating_mul(AggregateRow::ENTRIES_PER_VALUE)
    }
}

impl<C> Encode<C> for AggregateRow {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C: AsMut<Entries>> Decode<'b, C> for AggregateRow {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        let row = AggregateRow(Aggregate::decode(d, ctx)?);
        ctx.as_mut().take(row.entries())?;
        Ok(row)
    }
}

/// What a platform does not get because the box was told so.
#[derive(Encode, Decode)]
#[cbor(array, context_bound = "AsMut<Entries>")]
pub(crate) struct Filter {
    #[n(0)]
    pub(crate) left_out: Option<Runs>,
    /// By ascending name.
    #[n(1)]
    pub(crate) quantities: Option<List<QuantityRef>>,
}

/// How many numbers of the ranges have a row, then how many have none, and so on.
#[derive(Encode, Decode)]
#[cbor(array)]
pub(crate) struct Runs {
    #[n(0)]
    pub(crate) count: u64,
    #[n(1)]
    pub(crate) lengths: ByteVec,
}

/// That the head continues an older tree.
#[derive(Encode, Decode)]
#[cbor(array)]
pub(crate) struct Proof {
    /// Of the older tree.
    #[n(0)]
    pub(crate) size: u64,
    /// The hashes, 32 bytes each.
    #[n(1)]
    pub(crate) path: ByteVec,
}

/// A quantity by its registered number, else by name.
pub(crate) struct QuantityRef(pub(crate) Quantity);

impl<C> Encode<C> for QuantityRef {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        match self.0.code() {
            Some(code) => e.u64(code)?.ok(),
            None => e.str(self.0.as_str())?.ok(),
        }
    }
}

impl<'b, C> Decode<'b, C> for QuantityRef {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        if d.datatype()? == minicbor::data::Type::String {
            return Quantity::decode(d, ctx).map(QuantityRef);
        }
        let (quantity, _) = Quantity::from_code(d.u64()?)
            .ok_or_else(|| decode::Error::message("a quantity number nobody registered"))?;
        Ok(QuantityRef(quantity))
    }
}

/// How many list entries may still be decoded.
pub(crate) struct Entries(usize);

impl Entries {
    pub(crate) fn new() -> Entries {
        Entries(ENTRIES_MAX)
    }

    fn take(&mut self, entries: usize) -> Result<(), decode::Error> {
        let left = self.0.checked_sub(entries);
        self.0 = left.ok_or_else(|| decode::Error::message("more list entries than are taken"))?;
        Ok(())
    }
}

impl AsMut<Entries> for Entries {
    fn as_mut(&mut self) -> &mut Entries {
        self
    }
}

/// A list of known length, never empty: an empty one is left out.
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> List<T> {
    /// The list, if there is anything in it.
    pub(crate) fn some(entries: Vec<T>) -> Option<List<T>> {
        (!entries.is_empty()).then_some(List(entries))
    }
}

impl<C, T: Encode<C>> Encode<C> for List<T> {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        self.0.encode(e, ctx)
    }
}

impl<'b, C: AsMut<Entries>, T: Decode<'b, C>> Decode<'b, C> for List<T> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        let len = d.array()?.filter(|len| *len > 0);
        let len = len.ok_or_else(|| decode::Error::message("a list must state its length and have an entry"))?;
        ctx.as_mut().take(usize::try_from(len).unwrap_or(usize::MAX))?;
        // Not reserved at once: the length is only a claim until the entries are there.
        let entries: Result<Vec<T>, decode::Error> = (0..len).map(|_| T::decode(d, ctx)).collect();
        entries.map(List)
    }
}
