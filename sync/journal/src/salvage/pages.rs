//! The pages of a database file and its write-ahead log, as they stand on the disk, whatever is wrong with them (pure).
//!
//! Source: "Database File Format" of sqlite.org, §1.3 (header), §1.6 (b-tree pages), §4.1 and §4.2 (WAL).

use std::collections::HashMap;

const WAL_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// The two magic numbers; the last bit tells in which byte order checksums are computed.
const WAL_MAGIC: u32 = 0x377f_0682;

/// What a write-ahead log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct WalState {
    /// Frames that SQLite will take, up to the last commit.
    pub(crate) good: usize,
    /// Frames that SQLite will not take although they were synced: they stand behind a damaged frame, and a whole transaction
    /// follows. What nothing follows is the transaction that was being written when the power went: of it any part may be
    /// there, and none counts.
    pub(crate) behind_damage: usize,
}

/// The newest image of every page.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    page_bytes: usize,
    file: &'a [u8],
    /// Pages of the log in its order: an older image may hold what a damaged newer one lost.
    log: Vec<(u32, &'a [u8])>,
    /// Where in `log` the newest image of a page is.
    newest: HashMap<u32, usize>,
}

impl<'a> Pages<'a> {
    /// From the bytes of both files. Pages are `page_bytes` long where the header does not tell.
    pub(crate) fn new(file: &'a [u8], wal: &'a [u8], page_bytes: usize) -> Pages<'a> {
        let told = file.get(16..18).map_or(0, |bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
        let known = told.is_power_of_two() && (512..=32_768).contains(&told);
        let page_bytes = if known { told } else { page_bytes };
        let whole = frames(wal, page_bytes).into_iter().filter(|frame| frame.whole);
        let log: Vec<_> = whole.map(|frame| (frame.page, frame.bytes)).collect();
        let newest = log.iter().enumerate().map(|(at, (page, _))| (*page, at)).collect();
        Pages { page_bytes, file, log, newest }
    }

    /// Bytes of a page.
    pub(crate) fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    /// Every image of every page, the newest last.
    pub(crate) fn images(&self) -> impl Iterator<Item = (u32, &'a [u8])> + '_ {
        (1u32..).zip(self.file.chunks_exact(self.page_bytes)).chain(self.log.iter().copied())
    }

    /// The newest image of a page.
    pub(crate) fn newest(&self, page: u32) -> Option<&'a [u8]> {
        if let Some(at) = self.newest.get(&page) {
            return self.log.get(*at).map(|(_, image)| *image);
        }
        let at = usize::try_from(page.checked_sub(1)?).ok()?.checked_mul(self.page_bytes)?;
        self.file.get(at..at.checked_add(self.page_bytes)?)
    }
}

/// Reads what a log holds, without taking anything from it.
pub(crate) fn wal_state(wal: &[u8]) -> WalState {
    let Some(told) = wal.get(8..12) else { return WalState::default() };
    let told = u32::from_be_bytes([told[0], told[1], told[2], told[3]]);
    let Ok(page_bytes) = usize::try_from(told) else { return WalState::default() };
    if !page_bytes.is_power_of_two() || !(512..=65_536).contains(&page_bytes) {
        return WalState::default();
    }
    let frames = frames(wal, page_bytes);
    let good = frames.iter().filter(|frame| frame.whole && frame.taken).count();
    let all = frames.iter().filter(|frame| frame.whole).count();
    WalState { good, behind_damage: all - good }
}

struct Frame<'a> {
    page: u32,
    bytes: &'a [u8],
    /// SQLite takes it: nothing up to the end of its transaction is damaged.
    taken: bool,
    /// It was synced: a whole transaction ends with it or behind it.
    whole: bool,
}

/// The frames of the log's present generation that have the right checksum. A frame's checksum continues the one that its
/// predecessor states, so frames behind a damaged one can still be judged.
fn frames(wal: &[u8], page_bytes: usize) -> Vec<Frame<'_>> {
    let Some((header, rest)) = wal.split_at_checked(WAL_HEADER_BYTES) else { return Vec::new() };
    let magic = word(header, 0);
    if magic & !1 != WAL_MAGIC {
        return Vec::new();
    }
    let big_endian = magic & 1 == 1;
    let mut before = (word(header, 24), word(header, 28));
    let mut chained = checksum(big_endian, (0, 0), &header[..24]) == before;
    // A header that is damaged says nothing; then the first frame tells the generation.
    let salts = if chained { (word(header, 16), word(header, 20)) } else { (word(rest, 8), word(rest, 12)) };
    let mut found: Vec<Frame<'_>> = Vec::new();
    // Where the present transaction begins, whether it is damaged, and how many frames are known to be synced: a
    // transaction begins once the one before it is.
    let (mut open, mut damaged, mut synced) = (0, false, 0);
    for frame in rest.chunks_exact(FRAME_HEADER_BYTES + page_bytes) {
        let (head, bytes) = frame.split_at(FRAME_HEADER_BYTES);
        let stated = (word(head, 16), word(head, 20));
        let ours = (word(head, 8), word(head, 12)) == salts;
        let right = ours && checksum(big_endian, checksum(big_endian, before, &head[..8]), bytes) == stated;
        before = stated;
        if right {
            found.push(Frame { page: word(head, 0), bytes, taken: false, whole: false });
        } else {
            // Of an earlier generation, torn, or damaged later.
            (chained, damaged) = (false, true);
        }
        if !ours || word(head, 4) == 0 {
            continue;
        }
        found[open..].iter_mut().for_each(|frame| frame.taken = chained);
        if !damaged {
            synced = found.len();
        }
        (open, damaged) = (found.len(), false);
    }
    found[..synced].iter_mut().for_each(|frame| frame.whole = true);
    found
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
}

/// §4.2: two sums over pairs of 32-bit words.
fn checksum(big_endian: bool, start: (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let number = |word: &[u8]| match big_endian {
        true => u32::from_be_bytes([word[0], word[1], word[2], word[3]]),
        false => u32::from_le_bytes([word[0], word[1], word[2], word[3]]),
    };
    bytes.chunks_exact(8).fold(start, |(first, second), pair| {
        let first = first.wrapping_add(number(&pair[..4])).wrapping_add(second);
        (first, second.wrapping_add(number(&pair[4..])).wrapping_add(first))
    })
}
