//! An evidence file on its way: everything but the seal, which only the box can give.

use std::collections::{BTreeMap, BTreeSet};

use batch::weirlog::{self, Beliefs};
use batch::{Asked, BatchId, BoxId, MemberDigest, PlatformId, PublicKey};
use record::merkle::Hash;
use sha2::{Digest, Sha256};

use crate::container::{self, Member};
use crate::log::{Log, Strange};
use crate::parts::{MEDIA_TYPE, MIMETYPE, READINGS, RECEIPTS_MAX, RECORDS, REPORT, SEAL, receipt_name};
use crate::{EVIDENCE_BYTES_MAX, readings, report};

/// Why no file is made of what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// The records do not hold.
    #[error("the records do not prove themselves: {0} · try: weir journal check")]
    Records(weirlog::Fault),
    /// A record that this program cannot read.
    #[error("record {0} cannot be read by this program · try: a newer weir")]
    Strange(record::Seq),
    /// Too many receipts.
    #[error("{0} receipts do not fit, at most {RECEIPTS_MAX} do; report this as a bug")]
    Receipts(usize),
    /// Too large a file.
    #[error("the file would have {0} bytes, at most {EVIDENCE_BYTES_MAX} are made · try: a shorter time, or --source")]
    TooLarge(usize),
}

/// A receipt of the box's outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptFile {
    /// Whose.
    pub platform: PlatformId,
    /// The batch it answers.
    pub batch: BatchId,
    /// The signed bytes.
    pub cose: Vec<u8>,
}

/// All parts but the seal.
#[derive(Debug)]
pub struct Draft {
    members: Vec<(String, Vec<u8>)>,
}

impl Draft {
    /// Makes the parts of the records of this box and the receipts for them.
    ///
    /// # Errors
    /// [`DraftError`].
    pub fn new(
        (box_id, key): (&BoxId, &PublicKey),
        asked: &Asked,
        records: Vec<u8>,
        mut receipts: Vec<ReceiptFile>,
    ) -> Result<Draft, DraftError> {
        if receipts.len() > RECEIPTS_MAX {
            return Err(DraftError::Receipts(receipts.len()));
        }
        let beliefs = Beliefs::read(records.as_slice(), Some(*key), &BTreeMap::new());
        let told = beliefs.and_then(|beliefs| Ok((weirlog::verify_by(records.as_slice(), &beliefs)?, beliefs)));
        let (told, beliefs) = match told {
            Ok(told) => told,
            Err(never) => unreachable!("reading from memory failed: {never}"),
        };
        if let Some(fault) = told.first_bad {
            return Err(DraftError::Records(fault));
        }
        let log = Log::read(&records, &beliefs, &BTreeSet::new()).map_err(|Strange(seq)| DraftError::Strange(seq))?;
        receipts.sort_by_cached_key(|receipt| receipt_name(&receipt.platform, &receipt.batch));
        let receipts = receipts.into_iter().map(|one| (receipt_name(&one.platform, &one.batch), one.cose));
        let mut members = vec![
            (MIMETYPE.to_owned(), MEDIA_TYPE.as_bytes().to_vec()),
            (REPORT.to_owned(), Vec::new()),
            (READINGS.to_owned(), readings::csv(log.timed()).into_bytes()),
            (RECORDS.to_owned(), records),
        ];
        members.extend(receipts);
        members[1].1 = report::of(box_id, asked, &log, &borrowed(&members)).into_bytes();
        let bytes = members.iter().map(|(_, bytes)| bytes.len()).sum();
        if bytes > EVIDENCE_BYTES_MAX { Err(DraftError::TooLarge(bytes)) } else { Ok(Draft { members }) }
    }

    /// What the box is asked to sign.
    pub fn digests(&self) -> Vec<MemberDigest> {
        let digest = |(name, bytes): &(String, Vec<u8>)| {
            let sha256 = Hash(Sha256::digest(bytes).into());
            MemberDigest { name: name.clone(), sha256 }
        };
        self.members.iter().map(digest).collect()
    }

    /// The whole file, with the seal that the box gave.
    pub fn seal(mut self, cose: Vec<u8>) -> Vec<u8> {
        self.members.push((SEAL.to_owned(), cose));
        container::write(&borrowed(&self.members))
    }
}

fn borrowed(members: &[(String, Vec<u8>)]) -> Vec<Member<'_>> {
    members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
}
