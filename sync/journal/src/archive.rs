//! Files of sealed records.
//!
//! A file is a run of blocks, each by itself:
//!
//! | Offset | Bytes | Meaning |
//! |---|---|---|
//! | 0 | 4 | `WBLK` |
//! | 4 | 8 | number of the first record of the block, big-endian |
//! | 12 | 4 | length of what follows the head, big-endian |
//! | 16 | 32 | root of the block's Merkle subtree |
//! | 48 | length | one zstd frame (RFC 8878) of a [`Block`]'s bytes |
//!
//! A file is written under another name, synced, renamed and its directory synced: it is whole, or it is not there. What
//! rots later is found because every block computes its own root anew, and costs that block alone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use record::Seq;
use record::merkle::{Block, Hash};

use crate::database::{DIRECTORY_MODE, FILE_MODE};

const MAGIC: [u8; 4] = *b"WBLK";
const HEAD_BYTES: usize = 48;
/// zstd's own default.
const LEVEL: i32 = 3;
/// A block in memory: 256 records of a frame of 1 MiB, the most that an edge takes, with what is decoded of it. A block beyond
/// it is not written, so that its table stays.
const BLOCK_BYTES_MAX: usize = 512 * 1024 * 1024;

/// What is wrong with a file or one of its blocks.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The system did not do it.
    #[error("failed to {doing} `{path}`")]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A block has more bytes than can be read back.
    #[error("the block of record {first} has {bytes} bytes and is not sealed; report this as a bug")]
    TooLarge {
        /// The block's first record.
        first: Seq,
        /// Its bytes.
        bytes: usize,
    },
    /// The bytes of a block are not what was written.
    #[error("the block of record {first} in `{path}` is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The block's first record.
        first: Seq,
        /// How it shows.
        what: &'static str,
    },
}

/// Where a block stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its first record.
    pub(crate) first: Seq,
    /// The root that the file states.
    pub(crate) root: Hash,
    offset: u64,
    length: usize,
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Archive {
    path: PathBuf,
    file: File,
    bytes: u64,
    places: Vec<Place>,
}

impl Archive {
    /// Opens a file and finds its blocks. Bytes between them that are no block are passed over.
    pub(crate) fn open(path: &Path) -> Result<Archive, ArchiveError> {
        let failed = |doing| move |source| ArchiveError::File { doing, path: path.into(), source };
        let mut file = File::open(path).map_err(failed("open"))?;
        let mut places = Vec::new();
        let size = file.metadata().map_err(failed("look at"))?.len();
        let mut offset = 0;
        while offset < size {
            let mut head = [0; HEAD_BYTES];
            match file.read_exact_at(&mut head, offset) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(failed("read")(error)),
            }
            match place(&head, offset, size) {
                Some(place) => {
                    offset += to_u64(HEAD_BYTES + place.length);
                    places.push(place);
                }
                None => match next_magic(&mut file, offset + 1).map_err(failed("read"))? {
                    Some(next) => offset = next,
                    None => break,
                },
            }
        }
        Ok(Archive { path: path.into(), file, bytes: size, places })
    }

    /// Of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its blocks, as their heads tell.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// The block that begins with record `first`.
    pub(crate) fn block(&self, first: Seq) -> Result<Block, ArchiveError> {
        let damaged = |what| ArchiveError::Damaged { path: self.path.clone(), first, what };
        let place = self.places.iter().find(|place| place.first == first).ok_or_else(|| damaged("it is not there"))?;
        let mut packed = vec![0; place.length];
        let read = self.file.read_exact_at(&mut packed, place.offset + to_u64(HEAD_BYTES));
        read.map_err(|source| ArchiveError::File { doing: "read", path: self.path.clone(), source })?;
        let bytes = unpack(&packed).map_err(|_| damaged("it does not unpack"))?;
        let block = Block::from_bytes(&bytes).map_err(|_| damaged("it is no block"))?;
        if block.first() != first || block.root() != place.root {
            return Err(damaged("its root is another"));
        }
        Ok(block)
    }
}

/// Writes a file whole, durable when this returns. Returns its bytes.
pub(crate) fn write<'a>(path: &Path, blocks: impl IntoIterator<Item = &'a Block>) -> Result<u64, ArchiveError> {
    let failed = |doing| move |source| ArchiveError::File { doing, path: path.into(), source };
    let directory = path.parent().unwrap_or(Path::new("."));
    if !directory.is_dir() {
        DirBuilder::new().mode(DIRECTORY_MODE).create(directory).map_err(failed("make the directory of"))?;
        sync_directory(directory.parent().unwrap_or(directory)).map_err(failed("make the directory of"))?;
    }
    let draft = path.with_extension("draft");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&draft);
    let mut writer = BufWriter::new(file.map_err(failed("create"))?);
    let mut size = 0;
    for block in blocks {
        let bytes = block.to_bytes();
        if bytes.len() > BLOCK_BYTES_MAX {
            return Err(ArchiveError::TooLarge { first: block.first(), bytes: bytes.len() });
        }
        let packed = zstd::bulk::compress(&bytes, LEVEL).map_err(failed("pack a block of"))?;
        let head = head(block.first(), packed.len(), block.root());
        writer.write_all(&head).and_then(|()| writer.write_all(&packed)).map_err(failed("write"))?;
        size += to_u64(head.len() + packed.len());
    }
    let file = writer.into_inner().map_err(|error| failed("write")(error.into_error()))?;
    file.sync_all().map_err(failed("sync"))?;
    std::fs::rename(&draft, path).map_err(failed("put in place"))?;
    sync_directory(directory).map_err(failed("sync the directory of"))?;
    Ok(size)
}

/// Takes a file away, durably; one that is not there is taken away already.
pub(crate) fn remove(path: &Path) -> Result<(), ArchiveError> {
    let failed = |doing| move |source| ArchiveError::File { doing, path: path.into(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("remove")(error)),
        Ok(()) => sync_directory(path.parent().unwrap_or(Path::new("."))).map_err(failed("sync the directory of")),
    }
}

/// Makes names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// As far as the bound: memory grows with what there is.
fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    zstd::Decoder::new(packed)?.take(to_u64(BLOCK_BYTES_MAX)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn head(first: Seq, length: usize, root: Hash) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(&MAGIC);
    head[4..12].copy_from_slice(&first.0.to_be_bytes());
    head[12..16].copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    head[16..].copy_from_slice(&root.0);
    head
}

/// What a head says, if it is one and its block fits the file.
fn place(head: &[u8; HEAD_BYTES], offset: u64, size: u64) -> Option<Place> {
    let (magic, rest) = head.split_first_chunk::<4>()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let (length, root) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let ends = offset.checked_add(to_u64(HEAD_BYTES + length))?;
    let first = Seq(u64::from_be_bytes(*first));
    let fits = *magic == MAGIC && ends <= size && length <= BLOCK_BYTES_MAX;
    fits.then_some(Place { first, root: Hash(root.try_into().ok()?), offset, length })
}

/// Where the next head may begin. Only damaged files are read in this way, and they are small.
fn next_magic(file: &mut File, from: u64) -> io::Result<Option<u64>> {
    let mut rest = Vec::new();
    io::Seek::seek(file, io::SeekFrom::Start(from))?;
    file.read_to_end(&mut rest)?;
    Ok(rest.windows(MAGIC.len()).position(|window| window == MAGIC).map(|at| from + to_u64(at)))
}

fn to_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
