//! Sessions on their way from box to box: encrypted under a passphrase.
//!
//! ```text
//! offset  bytes  field
//! 0       8      "WEIRSESS"
//! 8       1      version, 1
//! 9       4      Argon2id memory in KiB, big-endian
//! 13      4      Argon2id passes, big-endian
//! 17      16     salt
//! 33      24     nonce
//! 57      ..     XChaCha20-Poly1305 of the content; everything before it is authenticated as associated data
//! ```
//! The content is pages of sessions: 4 bytes of length, big-endian, and a page of it, as the gateway gave them.
//!
//! Source: RFC 9106 (Argon2id, one lane), draft-irtf-cfrg-xchacha (XChaCha20-Poly1305).

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

const MAGIC: &[u8; 9] = b"WEIRSESS\x01";
/// 64 MiB, three passes: RFC 9106's second recommended option; about a second on a Raspberry Pi.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// A file cannot ask for more than this: the box has it to spare.
const MEMORY_KIB_MAX: u32 = 256 * 1024;
const PASSES_MAX: u32 = 10;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
const HEADER_BYTES: usize = MAGIC.len() + 8 + SALT_BYTES + NONCE_BYTES;
/// Fewest bytes of a passphrase: the file may be tried offline for years.
const PASSPHRASE_BYTES_MIN: usize = 12;

/// Why sessions could not be sealed or opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealedError {
    /// Too short.
    #[error("the passphrase has {bytes} bytes, at least {PASSPHRASE_BYTES_MIN} are needed · try: four words")]
    Passphrase {
        /// Its length.
        bytes: usize,
    },
    /// The kernel gave no randomness.
    #[error("failed to get randomness from the kernel · try: again")]
    Random,
    /// Not such a file.
    #[error(
        "the file holds no sessions of this version · try: weir device export-sessions on the old box, same version"
    )]
    Form,
    /// The key could not be derived.
    #[error("failed to derive the key: too little memory is free · try: again when the box is idle")]
    Derive,
    /// Wrong passphrase, or changed bytes.
    #[error("the passphrase is wrong, or the file was changed · try: type it again, copy the file again")]
    Open,
}

/// Whether a passphrase will do.
pub(crate) fn check(passphrase: &[u8]) -> Result<(), SealedError> {
    match passphrase.len() {
        0..PASSPHRASE_BYTES_MIN => Err(SealedError::Passphrase { bytes: passphrase.len() }),
        _ => Ok(()),
    }
}

/// Encrypts `content`.
pub(crate) fn seal(content: &[u8], passphrase: &[u8]) -> Result<Vec<u8>, SealedError> {
    check(passphrase)?;
    let mut random = [0; SALT_BYTES + NONCE_BYTES];
    getrandom::fill(&mut random).map_err(|_| SealedError::Random)?;
    let mut sealed = Vec::with_capacity(HEADER_BYTES + content.len() + 16);
    sealed.extend_from_slice(MAGIC);
    sealed.extend_from_slice(&MEMORY_KIB.to_be_bytes());
    sealed.extend_from_slice(&PASSES.to_be_bytes());
    sealed.extend_from_slice(&random);
    let (cipher, nonce) = cipher(&sealed, passphrase)?;
    let body = cipher.encrypt(&nonce, Payload { msg: content, aad: &sealed }).map_err(|_| SealedError::Derive)?;
    sealed.extend_from_slice(&body);
    Ok(sealed)
}

/// Decrypts what [`seal`] made.
pub(crate) fn open(sealed: &[u8], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    let (header, body) = sealed.split_at_checked(HEADER_BYTES).ok_or(SealedError::Form)?;
    if !header.starts_with(MAGIC) {
        return Err(SealedError::Form);
    }
    let (cipher, nonce) = cipher(header, passphrase)?;
    let content = cipher.decrypt(&nonce, Payload { msg: body, aad: header }).map_err(|_| SealedError::Open)?;
    Ok(Zeroizing::new(content))
}

/// Cipher and nonce as a header says.
fn cipher(header: &[u8], passphrase: &[u8]) -> Result<(XChaCha20Poly1305, XNonce), SealedError> {
    let number = |at: usize| -> Option<u32> { Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?)) };
    let (memory, passes) = (number(9).ok_or(SealedError::Form)?, number(13).ok_or(SealedError::Form)?);
    if memory > MEMORY_KIB_MAX || passes > PASSES_MAX {
        return Err(SealedError::Form);
    }
    let salt = header.get(17..17 + SALT_BYTES).ok_or(SealedError::Form)?;
    let nonce: [u8; NONCE_BYTES] =
        header.get(33..HEADER_BYTES).and_then(|nonce| nonce.try_into().ok()).ok_or(SealedError::Form)?;
    let params = Params::new(memory, passes, 1, Some(32)).map_err(|_| SealedError::Form)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, &mut *key)
        .map_err(|_| SealedError::Derive)?;
    Ok((XChaCha20Poly1305::new((&*key).into()), XNonce::from(nonce)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_passphrase_and_bytes_open_it() {
        let sealed = seal(b"sessions", b"otter weir river mud").unwrap();
        assert_eq!(open(&sealed, b"otter weir river mud").unwrap().as_slice(), b"sessions");
        assert_eq!(open(&sealed, b"otter weir river mut").unwrap_err(), SealedError::Open);
        // One byte of the magic, salt, nonce, ciphertext and tag; the costs are tried below.
        for at in [0, 20, 40, HEADER_BYTES, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&changed, b"otter weir river mud").is_err(), "byte {at}");
        }
        assert_eq!(open(&sealed[..HEADER_BYTES - 1], b"x").unwrap_err(), SealedError::Form);
        assert_ne!(sealed, seal(b"sessions", b"otter weir river mud").unwrap(), "salt and nonce are fresh");
    }

    #[test]
    fn a_file_cannot_ask_for_absurd_costs() {
        let mut sealed = seal(b"sessions", b"otter weir river mud").unwrap();
        sealed[9] = 0xff;
        assert_eq!(open(&sealed, b"otter weir river mud").unwrap_err(), SealedError::Form);
        assert_eq!(seal(b"", b"short").unwrap_err(), SealedError::Passphrase { bytes: 5 });
    }
}
