//! `[version, body]` in deterministic CBOR (RFC 8949 §4.2): what all envelopes carry.

use minicbor::{Decode, Encode};

use crate::wire::Entries;
use crate::{Artifact, OpenError};

/// The version of all payloads. Another one is another format; nothing is guessed.
const VERSION: u64 = 1;

/// The bytes of a body.
pub(crate) fn encode(body: &impl Encode<Entries>) -> Vec<u8> {
    // Writing to a Vec cannot fail, and no field's encoder refuses a value of its type.
    match minicbor::to_vec_with((VERSION, body), &mut Entries::new()) {
        Ok(bytes) => bytes,
        Err(never) => unreachable!("encoding into memory failed: {never}"),
    }
}

/// The body of these bytes, if they are the ones that [`encode`] would give.
pub(crate) fn decode<T>(artifact: Artifact, bytes: &[u8]) -> Result<T, OpenError>
where
    T: Encode<Entries> + for<'b> Decode<'b, Entries>,
{
    let malformed = |source| OpenError::Payload { artifact, source };
    let body: T = body(artifact, bytes)?.decode_with(&mut Entries::new()).map_err(malformed)?;
    if encode(&body) != bytes {
        return Err(OpenError::NotCanonical { artifact });
    }
    Ok(body)
}

/// Where the body of these bytes begins.
pub(crate) fn body(artifact: Artifact, bytes: &[u8]) -> Result<minicbor::Decoder<'_>, OpenError> {
    let malformed = |source| OpenError::Payload { artifact, source };
    let mut decoder = minicbor::Decoder::new(bytes);
    if decoder.array().map_err(malformed)? != Some(2) {
        return Err(malformed(minicbor::decode::Error::message("a payload is [version, body]")));
    }
    let version = decoder.u64().map_err(malformed)?;
    if version != VERSION {
        return Err(OpenError::UnsupportedVersion { artifact, version });
    }
    Ok(decoder)
}
