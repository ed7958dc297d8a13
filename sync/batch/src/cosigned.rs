//! A platform's word about a box's history, for whoever compares notes: a checkpoint of C2SP.
//!
//! ```text
//! weir/box/outfall-1                                  origin: whose log
//! 20852163                                            records
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=        root
//!
//! — weir/platform/city Abc…                           key id | time | Ed25519, in base 64
//! ```
//! Standards: C2SP `tlog-checkpoint`, `signed-note` and `tlog-cosignature` (`cosignature/v1`, algorithm byte 04). Lines by
//! others may stand below it and are passed over. What the platform says: that is the largest checkpoint of that box that
//! it had by that time, and it continues every other one that it cosigned under this origin.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::merkle::{Hash, TreeHead};
use sha2::{Digest, Sha256};

use crate::{BoxId, IdError, PlatformId, PublicKey, SigningKey};

/// Longest note that is read: one cosignature needs 200 bytes, and others may stand beside it.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;
/// How `tlog-cosignature` tells its Ed25519 keys apart from others of the same bytes.
const ALGORITHM: u8 = 0x04;

/// What a platform cosigns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignedCheckpoint {
    /// Who cosigns.
    pub platform: PlatformId,
    /// Whose log.
    pub box_id: BoxId,
    /// Where the box could not prove that its log went on, as after a restored backup, it is another log since this size.
    pub since: Option<u64>,
    /// Its tree.
    pub head: TreeHead,
    /// When, by the platform's clock. Seconds since 1970-01-01T00:00:00Z.
    pub time_s: u64,
}

/// Why a note is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Beyond the bound.
    #[error("the note has {size} bytes, at most {NOTE_BYTES_MAX} are read")]
    TooLarge {
        /// Its bytes.
        size: usize,
    },
    /// Not a checkpoint in the form above.
    #[error("this is no checkpoint of a box as a platform cosigns it: {0} · try: GET /v1/boxes/BOX/checkpoint")]
    Form(&'static str),
    /// A name in it is none.
    #[error("a name in the note is none")]
    Name(#[source] IdError),
    /// Nobody signed it whose key is known.
    #[error("no line of the note is signed by this key · try: the public key of the platform that it is from")]
    OtherKey,
    /// The signature is about something else.
    #[error("the cosignature of `{platform}` does not fit the note; keep it as evidence")]
    BadSignature {
        /// Who is said to have signed.
        platform: PlatformId,
    },
}

impl CosignedCheckpoint {
    /// The note, ending with the platform's line; the same for the same content and key.
    pub fn sign(&self, key: &SigningKey) -> String {
        let signature = key.sign(self.message().as_bytes());
        let id = key_id(&self.platform, &key.public());
        let signed = [&id[..], &self.time_s.to_be_bytes(), &signature].concat();
        format!("{}\n— {} {}\n", self.text(), key_name(&self.platform), STANDARD.encode(signed))
    }

    /// Reads a note and believes the line that is signed by `key`.
    ///
    /// # Errors
    /// [`NoteError`] by cause.
    pub fn verify(note: &str, key: &PublicKey) -> Result<CosignedCheckpoint, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge { size: note.len() });
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Form("no empty line before the signatures"))?;
        let mut unsigned = unsigned(text)?;
        for line in lines.split_terminator('\n') {
            let Some((platform, signed)) = cosignature(line)? else { continue };
            let (id, rest) = signed.split_at(4);
            if id != key_id(&platform, key) {
                continue;
            }
            let (time, signature) = rest.split_at(8);
            let wrong = NoteError::Form("a cosignature has 4 + 8 + 64 bytes");
            let time = <[u8; 8]>::try_from(time).map_err(|_| wrong.clone())?;
            let signature = <[u8; 64]>::try_from(signature).map_err(|_| wrong)?;
            (unsigned.platform, unsigned.time_s) = (platform.clone(), u64::from_be_bytes(time));
            // Written anew from its meaning, it must be the same text.
            let is_it =
                unsigned.text() == format!("{text}\n") && key.verifies(unsigned.message().as_bytes(), &signature);
            return if is_it { Ok(unsigned) } else { Err(NoteError::BadSignature { platform }) };
        }
        Err(NoteError::OtherKey)
    }

    /// The three lines.
    fn text(&self) -> String {
        let TreeHead { size, root } = self.head;
        format!("{}\n{size}\n{}\n", self.origin(), STANDARD.encode(root.0))
    }

    /// What is signed.
    fn message(&self) -> String {
        format!("cosignature/v1\ntime {}\n{}", self.time_s, self.text())
    }

    fn origin(&self) -> Origin<'_> {
        Origin { box_id: &self.box_id, since: self.since }
    }
}

struct Origin<'a> {
    box_id: &'a BoxId,
    since: Option<u64>,
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "weir/box/{}", self.box_id)?;
        self.since.map_or(Ok(()), |since| write!(f, "/since/{since}"))
    }
}

/// The key of a platform as C2SP writes it (`vkey`), for other verifiers of notes.
pub fn verifier_key(platform: &PlatformId, key: &PublicKey) -> String {
    let bytes = [&[ALGORITHM][..], &key.to_bytes()].concat();
    format!("{}+{}+{}", key_name(platform), hex::encode(key_id(platform, key)), STANDARD.encode(bytes))
}

fn key_name(platform: &PlatformId) -> String {
    format!("weir/platform/{platform}")
}

fn key_id(platform: &PlatformId, key: &PublicKey) -> [u8; 4] {
    let digest = Sha256::new().chain_update(key_name(platform)).chain_update(b"\n").chain_update([ALGORITHM]);
    let digest: [u8; 32] = digest.chain_update(key.to_bytes()).finalize().into();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// What the three lines say, by nobody and at no time.
fn unsigned(text: &str) -> Result<CosignedCheckpoint, NoteError> {
    let lines: Vec<&str> = text.split('\n').collect();
    let [origin, size, root] = lines[..] else { return Err(NoteError::Form("it has not three lines")) };
    let origin = origin.strip_prefix("weir/box/").ok_or(NoteError::Form("its origin is no box"))?;
    let (box_id, since) = match origin.split_once("/since/") {
        None => (origin, None),
        Some((box_id, since)) => (box_id, Some(since.parse().map_err(|_| NoteError::Form("its origin is no box"))?)),
    };
    let size = size.parse().map_err(|_| NoteError::Form("its size is no number"))?;
    let root = STANDARD.decode(root).ok().and_then(|root| <[u8; 32]>::try_from(root).ok());
    Ok(CosignedCheckpoint {
        platform: PlatformId::new("nobody").map_err(NoteError::Name)?,
        box_id: BoxId::new(box_id).map_err(NoteError::Name)?,
        since,
        head: TreeHead { size, root: Hash(root.ok_or(NoteError::Form("its root has not 32 bytes"))?) },
        time_s: 0,
    })
}

/// The platform and the bytes of a line that a platform may have signed; none of any other signer.
fn cosignature(line: &str) -> Result<Option<(PlatformId, Vec<u8>)>, NoteError> {
    let signed = line.strip_prefix("— ").and_then(|rest| rest.split_once(' '));
    let (name, signature) = signed.ok_or(NoteError::Form("a signature line is no such line"))?;
    let Some(platform) = name.strip_prefix("weir/platform/") else { return Ok(None) };
    let platform = PlatformId::new(platform).map_err(NoteError::Name)?;
    let signature = STANDARD.decode(signature).map_err(|_| NoteError::Form("a signature is not in base 64"))?;
    Ok((signature.len() == 4 + 8 + 64).then_some((platform, signature)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn key() -> SigningKey {
        SigningKey::from_seed(&[7; 32])
    }

    fn example() -> CosignedCheckpoint {
        CosignedCheckpoint {
            platform: PlatformId::new("city").unwrap(),
            box_id: BoxId::new("outfall-1").unwrap(),
            since: None,
            head: TreeHead { size: 20_852_163, root: Hash([0xab; 32]) },
            time_s: 1_679_315_147,
        }
    }

    #[test]
    fn the_form() {
        expect![[r#"
            weir/box/outfall-1
            20852163
            q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=

            — weir/platform/city 2fkKMgAAAABkGFDLVxLfEpklfQqq6GcrZc44JQxcNbuNurbkRRWOnnWU+BvH4XxKL7ctkzfQljO9lDQp8WB6jr7A6Lej/zQVBW7fBw==
        "#]].assert_eq(&example().sign(&key()));
        expect!["weir/platform/city+d9f90a32+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"]
            .assert_eq(&verifier_key(&example().platform, &key().public()));
    }

    #[test]
    fn a_note_comes_back_beside_lines_of_others() {
        let another = CosignedCheckpoint { platform: PlatformId::new("province").unwrap(), ..example() };
        let other = SigningKey::from_seed(&[8; 32]);
        let line = another.sign(&other).lines().last().unwrap().to_owned();
        let note = format!("{}{line}\n— example.com/log az3grlgt\n", example().sign(&key()));
        assert_eq!(CosignedCheckpoint::verify(&note, &key().public()), Ok(example()));
        assert_eq!(CosignedCheckpoint::verify(&note, &other.public()), Ok(another));
        let nobody = SigningKey::from_seed(&[9; 32]).public();
        assert_eq!(CosignedCheckpoint::verify(&note, &nobody), Err(NoteError::OtherKey));
        let since = CosignedCheckpoint { since: Some(77), ..example() };
        assert_eq!(CosignedCheckpoint::verify(&since.sign(&key()), &key().public()), Ok(since));
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let note = example().sign(&key());
        for at in 0..note.len() {
            for change in [1, 0x20, 0x80] {
                let mut bytes = note.clone().into_bytes();
                bytes[at] ^= change;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                let verified = CosignedCheckpoint::verify(&changed, &key().public());
                assert!(verified.is_err(), "byte {at} by {change}: {verified:?}");
            }
        }
        let long = "x".repeat(NOTE_BYTES_MAX + 1);
        assert!(matches!(CosignedCheckpoint::verify(&long, &key().public()), Err(NoteError::TooLarge { .. })));
    }
}
