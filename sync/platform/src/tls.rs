//! TLS 1.3 with the configured certificate, or with one made at the first start.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Config;
use crate::state_dir::{PUBLIC, SECRET, StateDir, write_whole};

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A name of `tls_names` cannot stand in a certificate.
    #[error("failed to make a certificate; check that tls_names has host names and addresses only")]
    Generate(#[source] rcgen::Error),
    /// A file cannot be written.
    #[error("failed to write `{path}`; give the user of this service write access to the folder, or free some space")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is no PEM certificate or key.
    #[error("failed to read `{path}`; it must be a PEM file that the user of this service may read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// Certificate and key do not belong together, or are of a kind that TLS 1.3 does not take.
    #[error(
        "failed to use certificate `{cert}`; check that its key belongs to it (remove tls.crt and tls.key to make both anew)"
    )]
    Pair {
        /// The certificate.
        cert: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// The server's side of TLS.
pub(crate) fn server_config(config: &Config, state: &StateDir) -> Result<Arc<ServerConfig>, TlsError> {
    let (cert, key) = match &config.tls {
        Some(files) => (files.cert.clone(), files.key.clone()),
        None => {
            if !state.tls_cert().exists() || !state.tls_key().exists() {
                self_sign(config, state)?;
            }
            (state.tls_cert(), state.tls_key())
        }
    };
    let read = |path: &PathBuf| {
        let path = path.clone();
        move |source| TlsError::Read { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&cert).and_then(Iterator::collect).map_err(read(&cert))?;
    let private = PrivateKeyDer::from_pem_file(&key).map_err(read(&key))?;
    // The provider is named, not the process's default: this crate must not depend on who was first to set one.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(chain, private))
        .map_err(|source| TlsError::Pair { cert, source })?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}

/// The certificate, DER, that boxes pin: the last of the chain's file, which signs the others or is the only one.
pub(crate) fn pinned(config: &Config, state: &StateDir) -> Result<Vec<u8>, TlsError> {
    let path = config.tls.as_ref().map_or_else(|| state.tls_cert(), |files| files.cert.clone());
    let read = |source| TlsError::Read { path: path.clone(), source };
    let last = CertificateDer::pem_file_iter(&path).map_err(read)?.last();
    let last = last.unwrap_or(Err(pem::Error::NoItemsFound)).map_err(read)?;
    Ok(last.to_vec())
}

/// Makes `tls.crt` and `tls.key`. The certificate is written last: with it, the pair is whole.
fn self_sign(config: &Config, state: &StateDir) -> Result<(), TlsError> {
    let mut names = config.tls_names.clone();
    let listen = config.listen.ip();
    if listen.is_unspecified() || listen.is_loopback() {
        names.extend(["localhost".to_owned(), IpAddr::from([127, 0, 0, 1]).to_string()]);
    }
    if !listen.is_unspecified() {
        names.push(listen.to_string());
    }
    names.sort();
    names.dedup();
    let mut params = CertificateParams::new(names).map_err(TlsError::Generate)?;
    params.distinguished_name.push(DnType::CommonName, config.name.as_str());
    let key = KeyPair::generate().map_err(TlsError::Generate)?;
    let cert = params.self_signed(&key).map_err(TlsError::Generate)?;
    let write = |path: PathBuf, text: String, mode| {
        write_whole(&path, text.as_bytes(), mode).map_err(|source| TlsError::Write { path, source })
    };
    write(state.tls_key(), key.serialize_pem(), SECRET)?;
    write(state.tls_cert(), cert.pem(), PUBLIC)
}
