//! Records of one commit in one row.
//!
//! Neighbouring records say nearly the same, and what is written twice, to the log and to the table, is best small: forty
//! frames of a sensor take a tenth of their rows. A pack holds records with consecutive numbers of one table. Its row has
//! the number of the first of them, minus their count in place of a kind, and one zstd frame (RFC 8878) with a checksum:
//! that number again, 8 bytes, so that a row whose own number rots is not believed, then of each record the length of its
//! canonical bytes, 4 bytes, and those bytes; numbers are big-endian. What rots costs its pack. (A kind of -1 is a number
//! whose record was lost, its bytes are empty.)

use std::borrow::Cow;
use std::io::Read;

use record::{Seq, SeqRange};
use rusqlite::{Transaction, params};

use crate::database::to_sql;
use crate::segment::table;

/// The kind of a row that has the number of a record that was lost.
pub(crate) const LOST: i64 = -1;
/// Most records of a pack: reading one of them unpacks all.
pub(crate) const PACK_RECORDS_MAX: usize = 256;
/// A pack is full with so many canonical bytes in it. A record that is larger stands alone.
pub(crate) const PACK_BYTES_MAX: usize = 256 * 1024;
/// Every commit waits for it, and more gains next to nothing here.
const LEVEL: i32 = 1;
/// Of the number before all records.
const NUMBER_BYTES: usize = 8;
/// Of the length before each record.
const LENGTH_BYTES: usize = 4;
/// Of a frame's header, the most that zstd needs to tell the length of what is packed.
pub(crate) const HEADER_BYTES_MAX: usize = 18;

/// Records on their way into one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pack {
    /// Of the first record.
    first: Option<(Seq, i64)>,
    records: usize,
    bytes: Vec<u8>,
}

impl Pack {
    /// Whether a record of so many bytes still fits.
    pub(crate) fn fits(&self, length: usize) -> bool {
        self.records < PACK_RECORDS_MAX && self.bytes.len() + LENGTH_BYTES + length <= PACK_BYTES_MAX
    }

    /// Adds the next record. `kind` is the number that its row has if it stays alone.
    pub(crate) fn push(&mut self, seq: Seq, kind: i64, body: &[u8]) {
        if self.first.is_none() {
            self.first = Some((seq, kind));
            self.bytes.extend_from_slice(&seq.0.to_be_bytes());
        }
        self.records += 1;
        self.bytes.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.bytes.extend_from_slice(body);
    }

    /// Stores what is in it, in the table that begins with record `table_first`, and empties it.
    pub(crate) fn write(&mut self, transaction: &Transaction<'_>, table_first: Seq) -> rusqlite::Result<()> {
        let Some((seq, kind)) = self.first.take() else { return Ok(()) };
        let (records, bytes) = (std::mem::take(&mut self.records), std::mem::take(&mut self.bytes));
        let insert = format!("INSERT INTO {} VALUES (?1, ?2, ?3)", table(table_first));
        let mut insert = transaction.prepare_cached(&insert)?;
        if records == 1 {
            return insert.execute(params![to_sql(seq.0), kind, &bytes[NUMBER_BYTES + LENGTH_BYTES..]]).map(|_| ());
        }
        let packed = pack(&bytes).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        insert.execute(params![to_sql(seq.0), count_to_kind(records), packed]).map(|_| ())
    }
}

fn pack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.compress(bytes)
}

fn count_to_kind(records: usize) -> i64 {
    -i64::try_from(records).unwrap_or(i64::MAX)
}

/// Whether a row with this kind is a pack.
pub(crate) fn is_pack(kind: i64) -> bool {
    kind < LOST
}

/// The numbers of the records of a row.
pub(crate) fn range(seq: Seq, kind: i64) -> SeqRange {
    let more = if is_pack(kind) { kind.unsigned_abs() - 1 } else { 0 };
    SeqRange { first: seq, last: Seq(seq.0.saturating_add(more)) }
}

/// The canonical bytes in a row, as far as its first bytes tell: its own length, or what a pack says of itself.
pub(crate) fn canonical_bytes(kind: i64, length: u64, head: &[u8]) -> u64 {
    let packed = is_pack(kind).then(|| zstd::zstd_safe::get_frame_content_size(head).ok().flatten()).flatten();
    packed.unwrap_or(length)
}

/// The canonical bytes of each record of a row, in order; none if it is a damaged pack.
pub(crate) fn bodies(seq: Seq, kind: i64, body: &[u8]) -> Option<Vec<Cow<'_, [u8]>>> {
    if !is_pack(kind) {
        return Some(vec![Cow::Borrowed(body)]);
    }
    let (_, bodies) = unpack(kind, body).filter(|(first, _)| *first == seq)?;
    Some(bodies.into_iter().map(Cow::Owned).collect())
}

/// The first number and the records of a pack, whatever its row says of its number.
pub(crate) fn unpack(kind: i64, packed: &[u8]) -> Option<(Seq, Vec<Vec<u8>>)> {
    let records = usize::try_from(kind.unsigned_abs()).ok().filter(|records| *records <= PACK_RECORDS_MAX)?;
    let mut bytes = Vec::new();
    let bytes_max = u64::try_from(NUMBER_BYTES + PACK_BYTES_MAX).unwrap_or(u64::MAX);
    zstd::Decoder::new(packed).ok()?.take(bytes_max + 1).read_to_end(&mut bytes).ok()?;
    let mut bodies = Vec::with_capacity(records);
    let (first, mut rest) = bytes.split_first_chunk::<NUMBER_BYTES>()?;
    while let Some((length, behind)) = rest.split_first_chunk::<LENGTH_BYTES>() {
        let (body, behind) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        bodies.push(body.to_vec());
        rest = behind;
    }
    (rest.is_empty() && bodies.len() == records).then_some((Seq(u64::from_be_bytes(*first)), bodies))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed(bodies: &[Vec<u8>]) -> Pack {
        let mut pack = Pack::default();
        bodies.iter().zip(7..).for_each(|(body, seq)| pack.push(Seq(seq), 1, body));
        pack
    }

    #[test]
    fn it_is_full_by_count_and_by_bytes() {
        let mut pack = Pack::default();
        assert!(pack.fits(PACK_BYTES_MAX - LENGTH_BYTES) && !pack.fits(PACK_BYTES_MAX - LENGTH_BYTES + 1));
        for _ in 0..PACK_RECORDS_MAX {
            assert!(pack.fits(1));
            pack.push(Seq(0), 1, &[0]);
        }
        assert!(!pack.fits(0));
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 2..40)) {
            let packed = pack(&framed(&bodies).bytes).unwrap();
            let kind = count_to_kind(bodies.len());
            prop_assert_eq!(canonical_bytes(kind, 0, &packed[..packed.len().min(HEADER_BYTES_MAX)]),
                            8 + bodies.iter().map(|body| body.len() as u64 + 4).sum::<u64>());
            prop_assert_eq!(super::bodies(Seq(8), kind, &packed), None, "its row has another number");
            prop_assert_eq!(unpack(kind - 1, &packed), None);
            prop_assert_eq!(unpack(kind, &packed), Some((Seq(7), bodies)));
        }

        #[test]
        fn no_changed_byte_is_believed(at in any::<prop::sample::Index>(), change in 1u8..) {
            let bodies: Vec<Vec<u8>> = (0u8..40).map(|n| vec![n; 50]).collect();
            let mut packed = pack(&framed(&bodies).bytes).unwrap();
            let at = at.index(packed.len());
            packed[at] ^= change;
            // The reserved bit of the header means nothing to zstd; everything else does.
            prop_assert!(unpack(-40, &packed).is_none_or(|read| read == (Seq(7), bodies)));
        }

        #[test]
        fn noise_is_no_pack(kind in -300i64..-1, noise in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(unpack(kind, &noise), None);
        }
    }
}
