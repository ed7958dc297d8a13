//! The newest receipt of each platform, verified here: this process believes neither the daemon nor the outbox, but the key that
//! stands in `sync.toml`.

use std::path::Path;

use batch::{KeyStatement, PublicKey, Receipt, platform_keys};
use journal::{Outbox, ReceiptAt};
use record::UnixMs;
use syncd::{ConfigError, SyncConfig};

/// What is known of one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformReceipt {
    /// Its name.
    pub name: String,
    /// The key that `sync.toml` names.
    pub key: String,
    /// Its word.
    pub word: Word,
}

/// What the newest receipt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// There is none yet.
    None,
    /// It is the platform's, about this box.
    Proven(Proven),
    /// It is there and proves nothing, for this reason.
    Unproven(String),
    /// It could not be read, for this reason.
    Unread(String),
}

/// What a verified receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The key that signed it.
    pub signed_by: String,
    /// SHA-256 of the batch that it answers, in hex.
    pub batch: String,
    /// Records before the tree head that stood in the batch.
    pub tree_size: u64,
    /// The root of that tree, in hex.
    pub tree_root: String,
    /// How many records the platform says that it holds.
    pub holds: u64,
    /// When, by the platform's clock.
    pub received: UnixMs,
}

/// Each platform of `sync.toml`, in its order. Without that file there is none.
///
/// # Errors
/// [`ConfigError`] if it is there and refused.
pub fn read(sync_file: &Path, state_dir: &Path, box_id: &str) -> Result<Vec<PlatformReceipt>, ConfigError> {
    if !sync_file.exists() {
        return Ok(Vec::new());
    }
    let config = SyncConfig::load(sync_file)?;
    let outbox = Outbox::open_read_only(&state_dir.join("outbox/outbox.db"));
    // Without them a platform that changed its key is believed no more, which is said.
    let kept = identity::statements(&identity::statements_of(&state_dir.join("identity/box.key"))).unwrap_or_default();
    let statements: Vec<KeyStatement> = kept.into_iter().map(|(_, statement)| statement).collect();
    let enabled = config.destinations.iter().filter(|destination| destination.enabled);
    let receipts = enabled.map(|destination| {
        let name = destination.name.as_str();
        let newest = match &outbox {
            Err(error) => Err(control::chain(error)),
            Ok(outbox) => outbox.newest_receipts(name, 1).map_err(|error| control::chain(&error)),
        };
        let word = match newest.map(|mut found| found.pop()) {
            Err(why) => Word::Unread(why),
            Ok(None) => Word::None,
            Ok(Some(stored)) => verify(&stored, (name, box_id), &platform_keys(destination.key, &statements)),
        };
        PlatformReceipt { name: name.to_owned(), key: destination.key.to_string(), word }
    });
    Ok(receipts.collect())
}

/// Whether a receipt is by one of these keys, of this platform, about this box, and about the batch that it is kept for.
fn verify(stored: &ReceiptAt, (platform, box_id): (&str, &str), keys: &[PublicKey]) -> Word {
    let receipt = match Receipt::verify_by(&stored.cose, keys) {
        Ok(receipt) => receipt,
        Err(error) => return Word::Unproven(control::chain(&error)),
    };
    let about = [
        (receipt.platform.as_str() == platform, "it is another platform's"),
        (receipt.box_id.as_str() == box_id, "it is about another box"),
        (receipt.batch.0 == stored.id, "it is about another batch"),
    ];
    if let Some((_, why)) = about.iter().find(|(holds, _)| !holds) {
        return Word::Unproven((*why).to_owned());
    }
    // Several keys may be a platform's, one after the other.
    let signed_by = keys.iter().find(|key| Receipt::verify(&stored.cose, key).is_ok());
    Word::Proven(Proven {
        signed_by: signed_by.map(ToString::to_string).unwrap_or_default(),
        batch: receipt.batch.to_string(),
        tree_size: receipt.head.size,
        tree_root: receipt.head.root.to_string(),
        holds: receipt.held().len(),
        received: receipt.received_ms,
    })
}

#[cfg(test)]
mod tests {
    use batch::{BatchId, BoxId, PlatformId, SigningKey, TreeHead};
    use record::merkle::Hash;
    use record::{Seq, SeqRange, SeqRanges};

    use super::*;

    fn signed(platform: &str, box_id: &str, key: &SigningKey) -> Vec<u8> {
        let holds: SeqRanges = [SeqRange { first: Seq(0), last: Seq(41) }].into_iter().collect();
        let receipt = Receipt {
            platform: PlatformId::new(platform).unwrap(),
            box_id: BoxId::new(box_id).unwrap(),
            batch: BatchId([7; 32]),
            holds,
            head: TreeHead { size: 42, root: Hash([9; 32]) },
            received_ms: UnixMs(1_796_020_260_000),
            command: None,
            left_out: SeqRanges::new(),
        };
        receipt.sign(key)
    }

    #[test]
    fn only_the_platforms_own_word_about_this_box_is_believed() {
        let (own, other) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
        let word =
            |cose: Vec<u8>, id: [u8; 32]| verify(&ReceiptAt { id, cose }, ("city", "outfall-1"), &[own.public()]);
        let Word::Proven(proven) = word(signed("city", "outfall-1", &own), [7; 32]) else { panic!("it is well") };
        assert_eq!((proven.tree_size, proven.holds, proven.signed_by), (42, 42, own.public().to_string()));
        let mut altered = signed("city", "outfall-1", &own);
        *altered.last_mut().unwrap() ^= 1;
        for (cose, id) in [
            (signed("city", "outfall-1", &other), [7; 32]),
            (signed("town", "outfall-1", &own), [7; 32]),
            (signed("city", "outfall-2", &own), [7; 32]),
            (signed("city", "outfall-1", &own), [8; 32]),
            (altered, [7; 32]),
            (Vec::new(), [7; 32]),
        ] {
            assert!(matches!(word(cose, id), Word::Unproven(_)));
        }
    }
}
