//! TLS on a listener: the box's certificate, and what a client's certificate says about it.
//!
//! TLS 1.3 and 1.2 (the modems of many sensors know no other). The files are read once, at start.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Names of one certificate that are looked at; one of them has to be the client id.
const NAMES_MAX: usize = 16;

/// The certificate files of a TLS listener, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The box's certificate, followed by the intermediates if there are any.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who signs devices' certificates. Without it no client certificate is asked for.
    pub client_ca: Option<PathBuf>,
    /// Refuse a client without a certificate; needs `client_ca`. Else such a client needs user name and password.
    pub require_client_cert: bool,
}

/// What a TLS listener needs, ready to serve.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read, or does not hold what it should.
    #[error("failed to read `{path}` · try: ls -l {path}, and openssl x509 -text -noout -in {path}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: pem::Error,
    },
    /// A certificate file without a certificate.
    #[error("`{path}` holds no certificate · try: openssl x509 -text -noout -in {path}")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A client certificate is required and nobody is named who could sign one.
    #[error("`require_client_cert` needs `client_ca`: name the file with the certificate that signs the devices'")]
    NoClientCa,
    /// A certificate of `client_ca` cannot be a trust anchor.
    #[error("failed to trust the client CA `{path}` · try: openssl x509 -text -noout -in {path}")]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Certificate and key do not belong together, or are of an unknown kind.
    #[error("failed to serve TLS with `{cert}` and `{key}`: do they belong together?")]
    Pair {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
}

impl Tls {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// [`TlsError`] for the first file that does not serve.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let chain = certificates(&files.cert)?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|source| TlsError::Pem { path: files.key.clone(), source })?;
        let pair = |source| TlsError::Pair { cert: files.cert.clone(), key: files.key.clone(), source };
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(pair)?;
        let builder = match client_verifier(files)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let config = builder.with_single_cert(chain, key).map_err(pair)?;
        Ok(Self { acceptor: Arc::new(config).into() })
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

fn client_verifier(files: &TlsFiles) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let Some(path) = &files.client_ca else {
        return if files.require_client_cert { Err(TlsError::NoClientCa) } else { Ok(None) };
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|source| TlsError::ClientCa { path: path.clone(), source: source.into() })?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
    let builder = if files.require_client_cert { builder } else { builder.allow_unauthenticated() };
    match builder.build() {
        Ok(verifier) => Ok(Some(verifier)),
        Err(source) => Err(TlsError::ClientCa { path: path.clone(), source: source.into() }),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::Pem { path: path.into(), source };
    let all = CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if all.is_empty() { Err(TlsError::NoCertificate { path: path.into() }) } else { Ok(all) }
}

/// The names of a client's certificate: DNS names of its subjectAltName (RFC 5280 §4.2.1.6), else the common names of
/// its subject. Its chain was verified in the handshake; a certificate that cannot be read names nobody.
pub(crate) fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let alternative: Vec<String> = match certificate.subject_alternative_name() {
        Ok(Some(extension)) => extension.value.general_names.iter().filter_map(dns_name).take(NAMES_MAX).collect(),
        _ => Vec::new(),
    };
    if !alternative.is_empty() {
        return alternative;
    }
    let common = certificate.subject().iter_common_name();
    common.filter_map(|name| name.as_str().ok()).take(NAMES_MAX).map(str::to_owned).collect()
}

fn dns_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn check(common: Option<&str>, alternative: &[&str], expected: &[&str]) {
        let alternative: Vec<String> = alternative.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(alternative).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(names(certificate.der()), expected);
    }

    #[test]
    fn a_certificate_names_its_device() {
        check(Some("cod-1"), &[], &["cod-1"]);
        check(Some("cod_1.a"), &["cod-1", "cod-2"], &["cod-1", "cod-2"]);
        // An address is no device's name, so the common name holds.
        check(Some("cod-1"), &["127.0.0.1"], &["cod-1"]);
        check(None, &[], &[]);
    }

    proptest! {
        #[test]
        fn any_bytes_name_somebody_or_nobody(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(names(&CertificateDer::from(bytes)).is_empty());
        }
    }
}
