//! The signed envelope of all artifacts: COSE_Sign1 (RFC 9052 §4.2) in one exact form.
//!
//! ```text
//! 18([ << {1: -8, 3: content type, 4: kid} >>, {}, payload, signature ])
//! ```
//! All headers are protected, the external data is empty, and the content type must be the expected one, so that no
//! artifact can pass for another (RFC 9052 §3.1).

use std::fmt;

use coset::iana::Algorithm;
use coset::{ContentType, CoseSign1, CoseSign1Builder, Header, HeaderBuilder, TaggedCborSerializable};

use crate::{KeyId, OpenError, PublicKey, SigningKey};

/// Longest protected header taken: ours have 32 to 60 bytes.
const PROTECTED_BYTES_MAX: usize = 128;

/// What a signed envelope is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Artifact {
    /// Records on their way: [`crate::Batch`].
    Batch,
    /// A platform's word that it holds them: [`crate::Receipt`].
    Receipt,
    /// A box's word about its journal: [`crate::Checkpoint`].
    Checkpoint,
    /// A box's wish to be known: [`crate::Enrolment`].
    Enrolment,
    /// A platform's answer to it: [`crate::Enrolled`].
    Enrolled,
    /// A box's word about an evidence file: [`crate::EvidenceSeal`].
    Evidence,
    /// A platform's order to a box: [`crate::Command`].
    Command,
    /// A key's word that another one takes its place: [`crate::KeyChange`].
    KeyChange,
    /// The other one's, inside of that.
    NewKey,
    /// A platform's word that another machine took a box's place: [`crate::Succession`].
    Succession,
    /// A platform's word that a key proves nothing any more: [`crate::Revocation`].
    Revocation,
}

impl Artifact {
    /// The COSE content type (header parameter 3).
    pub fn content_type(self) -> &'static str {
        match self {
            Artifact::Batch => "application/vnd.weir.batch",
            Artifact::Receipt => "application/vnd.weir.receipt",
            Artifact::Checkpoint => "application/vnd.weir.checkpoint",
            Artifact::Enrolment => "application/vnd.weir.enrolment",
            Artifact::Enrolled => "application/vnd.weir.enrolled",
            Artifact::Evidence => "application/vnd.weir.evidence",
            Artifact::Command => "application/vnd.weir.command",
            Artifact::KeyChange => "application/vnd.weir.key-change",
            Artifact::NewKey => "application/vnd.weir.new-key",
            Artifact::Succession => "application/vnd.weir.succession",
            Artifact::Revocation => "application/vnd.weir.revocation",
        }
    }

    /// Most bytes that are looked at.
    pub fn bytes_max(self) -> usize {
        match self {
            Artifact::Batch => crate::BATCH_BYTES_MAX,
            Artifact::Receipt => crate::RECEIPT_BYTES_MAX,
            Artifact::Checkpoint => crate::CHECKPOINT_BYTES_MAX,
            Artifact::Enrolment | Artifact::Enrolled => crate::ENROLMENT_BYTES_MAX,
            Artifact::Evidence => crate::EVIDENCE_SEAL_BYTES_MAX,
            Artifact::Command => crate::COMMAND_BYTES_MAX,
            Artifact::KeyChange | Artifact::NewKey | Artifact::Succession | Artifact::Revocation => {
                crate::STATEMENT_BYTES_MAX
            }
        }
    }
}

impl fmt::Display for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Artifact::Batch => "batch",
            Artifact::Receipt => "receipt",
            Artifact::Checkpoint => "checkpoint",
            Artifact::Enrolment => "request to enrol",
            Artifact::Enrolled => "reply to a request to enrol",
            Artifact::Evidence => "seal of evidence",
            Artifact::Command => "command",
            Artifact::KeyChange => "change of a key",
            Artifact::NewKey => "word of a new key",
            Artifact::Succession => "word about a box that was replaced",
            Artifact::Revocation => "revocation of a key",
        })
    }
}

/// Wraps and signs a payload.
pub(crate) fn sign(artifact: Artifact, payload: Vec<u8>, key: &SigningKey) -> Vec<u8> {
    let sign1 = CoseSign1Builder::new()
        .protected(header(artifact, key.id()))
        .payload(payload)
        .create_signature(&[], |message| key.sign(message).to_vec())
        .build();
    to_bytes(sign1)
}

/// An envelope of the one form, whoever signed it.
pub(crate) struct Outline {
    /// The key that it names.
    pub(crate) kid: KeyId,
    pub(crate) payload: Vec<u8>,
    message: Vec<u8>,
    signature: [u8; 64],
}

/// Checks form, content type, key and signature, in this order; gives the payload.
pub(crate) fn open(
    artifact: Artifact,
    bytes: &[u8],
    key_of: impl FnOnce(KeyId) -> Option<PublicKey>,
) -> Result<Vec<u8>, OpenError> {
    let Outline { kid, payload, message, signature } = outline(artifact, bytes)?;
    let key = key_of(kid).filter(|key| key.id() == kid).ok_or(OpenError::UnknownKey { artifact, kid })?;
    if !key.verifies(&message, &signature) {
        return Err(OpenError::BadSignature { artifact, kid });
    }
    Ok(payload)
}

/// Checks form and content type, not the signature.
pub(crate) fn outline(artifact: Artifact, bytes: &[u8]) -> Result<Outline, OpenError> {
    let wrong = |why| OpenError::Envelope { artifact, why };
    if bytes.len() > artifact.bytes_max() {
        let (size, max) = (bytes.len() as u64, artifact.bytes_max() as u64);
        return Err(OpenError::TooLarge { artifact, what: "its length in bytes", size, max });
    }
    check_form(bytes).map_err(|_| wrong("it is no array of header, no header, payload and 64-byte signature"))?;
    let sign1 = CoseSign1::from_tagged_slice(bytes).map_err(|_| wrong("its protected header is none"))?;

    let found = &sign1.protected.header;
    match &found.content_type {
        Some(ContentType::Text(text)) if text == artifact.content_type() => {}
        Some(ContentType::Text(text)) => {
            return Err(OpenError::WrongArtifact { artifact, found: text.chars().take(64).collect() });
        }
        _ => return Err(wrong("it has no textual content type")),
    }
    let kid = <[u8; KeyId::LEN]>::try_from(found.key_id.as_slice()).map_err(|_| wrong("its kid has not 8 bytes"))?;
    let kid = KeyId(kid);
    let expected = header(artifact, kid);
    // Rebuilt from its meaning, it must be the same bytes: no other header, algorithm, order or length of a number.
    let rebuilt = CoseSign1Builder::new().protected(expected).signature(sign1.signature.clone());
    let payload = sign1.payload.ok_or_else(|| wrong("it has no payload"))?;
    let rebuilt = rebuilt.payload(payload).build();
    let message = rebuilt.tbs_data(&[]);
    let signature = <[u8; 64]>::try_from(sign1.signature).map_err(|_| wrong("its signature has not 64 bytes"))?;
    if to_bytes(rebuilt.clone()) != bytes {
        return Err(wrong("it is not in canonical form"));
    }
    let payload = rebuilt.payload.ok_or_else(|| wrong("it has no payload"))?;
    Ok(Outline { kid, payload, message, signature })
}

/// The payload of what may be an artifact, believed by nobody yet: it names the key that it must be opened with.
pub(crate) fn unverified(artifact: Artifact, bytes: &[u8]) -> Result<&[u8], OpenError> {
    let wrong = |_| OpenError::Envelope { artifact, why: "it is no array of header, no header, payload and signature" };
    if bytes.len() > artifact.bytes_max() {
        let (size, max) = (bytes.len() as u64, artifact.bytes_max() as u64);
        return Err(OpenError::TooLarge { artifact, what: "its length in bytes", size, max });
    }
    let mut d = minicbor::Decoder::new(bytes);
    (|| {
        d.tag()?;
        d.array()?;
        d.bytes()?;
        d.map()?;
        d.bytes()
    })()
    .map_err(wrong)
}

/// The one header: algorithm EdDSA, content type, kid. Ascending labels, so deterministic CBOR.
fn header(artifact: Artifact, kid: KeyId) -> Header {
    HeaderBuilder::new()
        .algorithm(Algorithm::EdDSA)
        .content_type(artifact.content_type().to_owned())
        .key_id(kid.0.to_vec())
        .build()
}

fn to_bytes(sign1: CoseSign1) -> Vec<u8> {
    match sign1.to_tagged_vec() {
        Ok(bytes) => bytes,
        Err(never) => unreachable!("encoding into memory failed: {never}"),
    }
}

/// Looks at the outline without allocating: a general CBOR reader would build 30 bytes of tree from each byte of junk.
fn check_form(bytes: &[u8]) -> Result<(), minicbor::decode::Error> {
    let wrong = minicbor::decode::Error::message;
    let mut d = minicbor::Decoder::new(bytes);
    if d.tag()?.as_u64() != CoseSign1::TAG || d.array()? != Some(4) {
        return Err(wrong("no COSE_Sign1"));
    }
    if d.bytes()?.len() > PROTECTED_BYTES_MAX || d.map()? != Some(0) {
        return Err(wrong("headers"));
    }
    d.bytes()?;
    if d.bytes()?.len() != 64 || d.position() != bytes.len() {
        return Err(wrong("signature or trailing bytes"));
    }
    Ok(())
}
