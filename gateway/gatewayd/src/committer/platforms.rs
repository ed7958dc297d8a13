//! What the journal says of platforms: by which key each is believed, what it commanded last, and whose rules are in force.
//!
//! All of it follows from orders in the journal, which are read through once; from then on it is a state, stored with each
//! order that changes it, so that it outlives the records.

use std::collections::BTreeMap;

use batch::{Command, KeyChange, KeyStatement, Order, OrderedFile, PublicKey, Whose};
use journal::{Reader, StoreError};
use minicbor::{Decode, Encode};
use record::merkle::Hash;
use record::{Act, Actor, Audit, ConfigFile, Seq, SeqRange};
use rules::RuleSet;

/// Where the journal keeps it.
pub(super) const STATE: &str = "platforms";
/// Most platforms that a box ever knows.
const PLATFORMS_MAX: usize = 64;

/// See the module's head.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Platforms {
    #[n(0)]
    known: BTreeMap<String, Known>,
    /// Rules that have not proved themselves yet.
    #[n(1)]
    pub(super) trial: Option<OnTrial>,
    /// Rules that did.
    #[n(2)]
    pub(super) rules: Option<KeptRules>,
    /// Configuration files that have not proved themselves yet.
    #[n(3)]
    pub(crate) files_trial: Option<FilesOnTrial>,
    /// Configuration files that did.
    #[n(4)]
    pub(crate) files: Option<KeptFiles>,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Known {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    key: Option<[u8; 32]>,
    /// The number of its newest command; 0: none yet.
    #[n(1)]
    newest: u64,
}

/// Rules of a platform, before they have proved themselves.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct OnTrial {
    /// The record with the command.
    #[n(0)]
    pub(super) command: Seq,
    /// Whose they are.
    #[n(1)]
    pub(super) platform: String,
}

/// Rules of a platform that are in force.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct KeptRules {
    /// The record with the command.
    #[n(0)]
    pub(super) command: Seq,
    /// Whose they are.
    #[n(1)]
    pub(super) platform: String,
    /// Of the text of `rules.toml` whose place they took: once that is another one, they count no more.
    #[n(2)]
    pub(super) replaced: Hash,
    /// Their text.
    #[n(3)]
    pub(super) toml: String,
}

/// Configuration files of a platform, before they have proved themselves. They are tried by the next start of the daemon,
/// and by no other.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct FilesOnTrial {
    /// The record with the command.
    #[n(0)]
    pub(crate) command: Seq,
    /// Whose they are.
    #[n(1)]
    pub(crate) platform: String,
    /// Devices were heard shortly before: they must be heard under them as well.
    #[n(2)]
    pub(crate) heard: bool,
    /// The daemon was started with them.
    #[n(3)]
    pub(crate) begun: bool,
}

/// Configuration files of platforms that are in force.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct KeptFiles {
    /// The record with the newest command.
    #[n(0)]
    pub(crate) command: Seq,
    /// Whose it is.
    #[n(1)]
    pub(crate) platform: String,
    /// One of each file at most.
    #[n(2)]
    pub(crate) files: Vec<KeptFile>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct KeptFile {
    /// Which.
    #[n(0)]
    pub(crate) file: ConfigFile,
    /// Of the text whose place it took: once that is another one, none of the platform's files counts any more.
    #[n(1)]
    pub(crate) replaced: Hash,
    /// Its text.
    #[n(2)]
    pub(crate) toml: String,
}

impl Platforms {
    /// As the journal has it.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Archive`].
    pub(crate) fn open(reader: &Reader) -> Result<Platforms, StoreError> {
        let stored = reader.states()?.remove(STATE);
        if let Some(platforms) = stored.and_then(|bytes| minicbor::decode(&bytes).ok()) {
            return Ok(platforms);
        }
        let mut platforms = Platforms::default();
        let Some(last) = reader.position()?.end.0.checked_sub(1).map(Seq) else { return Ok(platforms) };
        reader.audits(SeqRange { first: Seq(0), last }, |_, audit| {
            platforms.note(&audit);
        })?;
        Ok(platforms)
    }

    /// As the journal keeps it.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match minicbor::to_vec(self) {
            Ok(bytes) => bytes,
            Err(never) => unreachable!("encoding into memory failed: {never}"),
        }
    }

    /// Takes in an order that is journaled. Whether it changed anything.
    pub(super) fn note(&mut self, audit: &Audit) -> bool {
        match (&audit.act, &audit.by) {
            (Act::Enrolled { platform, key }, _) => self.known(platform).is_some_and(|known| {
                known.key = Some(*key);
                true
            }),
            (Act::Commanded { number, .. }, Actor::Platform(platform)) => self.known(platform).is_some_and(|known| {
                known.newest = known.newest.max(*number);
                true
            }),
            (Act::KeyChanged { statement }, _) => self.follow(statement),
            _ => false,
        }
    }

    /// A platform's key has signed for another one, by which the platform is believed from now on.
    fn follow(&mut self, statement: &[u8]) -> bool {
        let Ok(KeyStatement::Change(KeyChange { whose: Whose::Platform(name), old, new, .. })) =
            KeyStatement::read(statement)
        else {
            return false;
        };
        let known = self.known.get_mut(name.as_str()).filter(|known| known.key == Some(old.to_bytes()));
        known.is_some_and(|known| {
            known.key = Some(new.to_bytes());
            true
        })
    }

    fn known(&mut self, platform: &str) -> Option<&mut Known> {
        let has_room = self.known.len() < PLATFORMS_MAX || self.known.contains_key(platform);
        has_room.then(|| self.known.entry(platform.to_owned()).or_default())
    }

    /// The key by which a platform is believed.
    pub(super) fn key(&self, platform: &str) -> Option<PublicKey> {
        PublicKey::from_bytes(&self.known.get(platform)?.key?).ok()
    }

    /// The number of its newest command.
    pub(super) fn newest(&self, platform: &str) -> u64 {
        self.known.get(platform).map_or(0, |known| known.newest)
    }

    /// The rules of a platform that count in the place of a `rules.toml` of this hash; none where it was changed since, or
    /// where this program does not read them any more.
    pub(super) fn rules_instead_of(&self, own: Hash) -> Option<RuleSet> {
        let kept = self.rules.as_ref().filter(|kept| kept.replaced == own)?;
        RuleSet::from_toml(&kept.toml).ok()
    }
}

/// The text of commanded rules.
pub(super) fn rules_text(command: &[u8]) -> Option<String> {
    match Command::claimed(command).ok()?.order {
        Order::Rules { toml } => Some(toml),
        Order::Resend { .. } | Order::Sampling { .. } | Order::Configuration { .. } | Order::RetainedSample { .. } => {
            None
        }
    }
}

/// Commanded configuration files.
pub(super) fn files_of(command: &[u8]) -> Option<Vec<OrderedFile>> {
    match Command::claimed(command).ok()?.order {
        Order::Configuration { files } => Some(files),
        Order::Resend { .. } | Order::Sampling { .. } | Order::Rules { .. } | Order::RetainedSample { .. } => None,
    }
}
