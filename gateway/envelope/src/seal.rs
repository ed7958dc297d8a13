//! The sealing half: a device's frames in tests and the demo, the box's acknowledgements.

use crate::{Alg, HmacKey, Kid, Purpose, SigningKey, cbor};

/// Private header labels (RFC 9052 §11.1: below -65536).
pub(crate) const COUNTER: i64 = -65_537;
pub(crate) const DEVICE_TIME: i64 = -65_538;

/// What an envelope states beside its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Which key, where the link does not tell the device.
    pub kid: Option<Kid>,
    /// Grows with each frame.
    pub counter: u64,
    /// Milliseconds since 1970 UTC by the device's clock.
    pub device_ms: Option<i64>,
}

/// With what to seal.
#[derive(Debug, Clone, Copy)]
pub enum Sealer<'a> {
    /// COSE_Sign1.
    Ed25519(&'a SigningKey),
    /// COSE_Mac0 with a tag of 32 bytes.
    Hmac(&'a HmacKey),
    /// COSE_Mac0 with a tag of 8 bytes.
    HmacShort(&'a HmacKey),
}

impl Sealer<'_> {
    fn alg(self) -> Alg {
        match self {
            Sealer::Ed25519(_) => Alg::EdDsa,
            Sealer::Hmac(_) => Alg::Hmac256,
            Sealer::HmacShort(_) => Alg::Hmac256Short,
        }
    }

    fn proof(self, message: &[u8]) -> Vec<u8> {
        match self {
            Sealer::Ed25519(key) => key.sign(message),
            Sealer::Hmac(key) | Sealer::HmacShort(key) => key.tag(self.alg(), message),
        }
    }
}

/// Seals a payload as a frame of `device`: a tagged COSE_Sign1 or COSE_Mac0, the same bytes for the same arguments.
pub fn seal(with: Sealer<'_>, device: &str, purpose: Purpose, header: &Header, payload: &[u8]) -> Vec<u8> {
    let protected = protected(with.alg(), header);
    let proof = with.proof(&message(with.alg(), &protected, &purpose.external_aad(device), payload));
    tagged(with.alg(), &protected, payload, &proof)
}

/// The box's word to a serial device that its frame with this counter is stored: an empty payload under HMAC 256/64.
///
/// A device need not parse it: it computes the same bytes and compares.
pub fn acknowledgement(device: &str, key: &HmacKey, kid: Kid, counter: u64) -> Vec<u8> {
    let header = Header { kid: Some(kid), counter, device_ms: None };
    seal(Sealer::HmacShort(key), device, Purpose::Acknowledgement, &header, &[])
}

/// The protected header, deterministic: labels rise, numbers are short.
pub(crate) fn protected(alg: Alg, header: &Header) -> Vec<u8> {
    let pairs = 2 + u64::from(header.kid.is_some()) + u64::from(header.device_ms.is_some());
    let mut out = Vec::with_capacity(40);
    cbor::map(&mut out, pairs);
    cbor::integer(&mut out, 1);
    cbor::integer(&mut out, alg.number().into());
    if let Some(kid) = &header.kid {
        cbor::integer(&mut out, 4);
        cbor::bytes(&mut out, kid.as_bytes());
    }
    cbor::integer(&mut out, COUNTER);
    cbor::unsigned(&mut out, header.counter);
    if let Some(ms) = header.device_ms {
        cbor::integer(&mut out, DEVICE_TIME);
        cbor::integer(&mut out, ms);
    }
    out
}

/// What is signed or authenticated: Sig_structure (RFC 9052 §4.4) or MAC_structure (§6.3).
pub(crate) fn message(alg: Alg, protected: &[u8], external_aad: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(protected.len() + external_aad.len() + payload.len() + 32);
    cbor::array(&mut out, 4);
    cbor::text(&mut out, alg.context());
    cbor::bytes(&mut out, protected);
    cbor::bytes(&mut out, external_aad.as_bytes());
    cbor::bytes(&mut out, payload);
    out
}

pub(crate) fn tagged(alg: Alg, protected: &[u8], payload: &[u8], proof: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(protected.len() + payload.len() + proof.len() + 16);
    cbor::tag(&mut out, alg.tag());
    cbor::array(&mut out, 4);
    cbor::bytes(&mut out, protected);
    cbor::map(&mut out, 0);
    cbor::bytes(&mut out, payload);
    cbor::bytes(&mut out, proof);
    out
}
