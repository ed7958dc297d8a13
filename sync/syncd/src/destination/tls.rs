//! Whom to trust at the other end, and what to show of this one. TLS 1.3 alone, with the ring provider, named here and not
//! taken from the process; sessions are resumed by default.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use record::UnixMs;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme,
};

use crate::DestinationConfig;
use crate::best_time::{BestTime, Known};
use crate::clock::mono_ms;

/// Certificates of one chain whose beginning may lie ahead of what the box knows of the time.
const CHAIN_MAX: usize = 8;

/// Why a destination's TLS or proxy settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read or is no PEM.
    #[error("failed to read {key} `{path}` · try: put the PEM file there that {key} in sync.toml asks for")]
    Read {
        /// The key of `sync.toml`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: pem::Error,
    },
    /// The file has no certificate.
    #[error("{key} `{path}` has no certificate · try: put the certificate there, as PEM")]
    Empty {
        /// The key of `sync.toml`.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A certificate in it cannot be trusted.
    #[error("ca_file `{path}` has a certificate that cannot be used · try: ask the platform's operator for it again")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
    /// One of two settings that belong together is missing.
    #[error("client_cert and client_key of `{name}` belong together · try: name both in sync.toml, or none")]
    ClientPair {
        /// The destination.
        name: String,
    },
    /// The box's own certificate does not fit its key.
    #[error(
        "client_cert `{path}` cannot be used with its client_key · try: ask the platform's operator for both again"
    )]
    Client {
        /// The certificate.
        path: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
    /// TLS 1.3 cannot be set up.
    #[error("failed to set up TLS 1.3 · try: report this as a bug")]
    Setup(#[source] rustls::Error),
    /// Nothing can be verified by these certificates.
    #[error("ca_file `{path}` cannot be used · try: ask the platform's operator for it again")]
    Verifier {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rustls::client::VerifierBuilderError,
    },
    /// The HTTP client refused its settings.
    #[error("failed to set up HTTPS to `{url}` · try: correct url and proxy in sync.toml")]
    Http {
        /// Where it should lead.
        url: crate::BaseUrl,
        /// The cause.
        source: reqwest::Error,
    },
}

/// What connections to a destination are made with.
pub(super) fn tls(config: &DestinationConfig, time: BestTime) -> Result<ClientConfig, TlsError> {
    let (path, ca_file) = (|| config.ca_file.clone(), "ca_file");
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca_file, &config.ca_file)? {
        roots.add(certificate).map_err(|source| TlsError::Certificate { path: path(), source })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let judge = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .map_err(|source| TlsError::Verifier { path: path(), source })?;
    // "Dangerous" is what rustls calls every judge but its own; this one asks that, and gives it the time.
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(JudgeInTime { judge, time }));
    let (certificate, key) = match (&config.client_cert, &config.client_key) {
        (None, None) => return Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => return Err(TlsError::ClientPair { name: config.name.to_string() }),
    };
    let chain = certificates("client_cert", certificate)?;
    let read = |source| TlsError::Read { key: "client_key", path: key.clone(), source };
    let key = PrivateKeyDer::from_pem_file(key).map_err(read)?;
    let unfit = |source| TlsError::Client { path: certificate.clone(), source };
    builder.with_client_auth_cert(chain, key).map_err(unfit)
}

/// What connections to anybody are made with whose certificate is signed by one in this file, many as they may be: whoever
/// is told of alarms has no platform's care. TLS 1.2 as well.
pub(crate) fn trusting(ca_file: &Path, time: BestTime) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    // Among those that everybody trusts are always some that cannot be used.
    let (usable, _) = roots.add_parsable_certificates(certificates("ca_file", ca_file)?);
    if usable == 0 {
        return Err(TlsError::Empty { key: "ca_file", path: ca_file.into() });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let judge = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .map_err(|source| TlsError::Verifier { path: ca_file.into(), source })?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let judge = Arc::new(JudgeInTime { judge, time });
    let builder = builder.map_err(TlsError::Setup)?.dangerous().with_custom_certificate_verifier(judge);
    Ok(builder.with_no_client_auth())
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |source| TlsError::Read { key, path: path.into(), source };
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(read)?.collect();
    let all = all.map_err(read)?;
    if all.is_empty() { Err(TlsError::Empty { key, path: path.into() }) } else { Ok(all) }
}

/// Judges certificates as WebPKI does, at the best known time. Where only a bound of that is known, a certificate that is
/// not valid yet may well be valid now, and one that ended before the bound has ended.
#[derive(Debug)]
struct JudgeInTime {
    judge: Arc<WebPkiServerVerifier>,
    time: BestTime,
}

impl ServerCertVerifier for JudgeInTime {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _system_time: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let (mut at, is_sure) = match self.time.now(mono_ms()) {
            Known::Is(ms) => (unix_time(ms), true),
            Known::NotBefore(ms) => (unix_time(ms), false),
        };
        let judge = |at| self.judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at);
        for _ in 0..CHAIN_MAX {
            match judge(at) {
                Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }))
                    if !is_sure && not_before > at =>
                {
                    at = not_before;
                }
                judged => return judged,
            }
        }
        judge(at)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.judge.root_hint_subjects()
    }
}

fn unix_time(ms: UnixMs) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(ms.0).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    const DAY: i64 = 86_400_000;
    /// 2030-01-01 and 2031-01-01, between which the certificate is valid.
    const BEGINS: i64 = 1_893_456_000_000;
    const ENDS: i64 = 1_924_992_000_000;

    #[test]
    fn a_certificate_is_judged_by_the_best_known_time() {
        let mut params = CertificateParams::new(vec!["platform.example".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2030, 1, 1), date_time_ymd(2031, 1, 1));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let judge = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        let time = BestTime::default();
        let judge = JudgeInTime { judge, time: time.clone() };
        let name = ServerName::try_from("platform.example").unwrap();
        let judged = || match judge.verify_server_cert(certificate.der(), &[], &name, &[], UnixTime::now()) {
            Ok(_) => "valid",
            Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { .. })) => "not yet",
            Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. })) => "expired",
            Err(error) => panic!("{error}"),
        };
        assert_eq!(judged(), "valid", "of the time only that the program was written is known");
        let sure = |ms| Known::Is(UnixMs(ms));
        let bound = |ms| Known::NotBefore(UnixMs(ms));
        for (known, expected) in [
            (sure(0), "not yet"),
            (sure(BEGINS - DAY), "not yet"),
            (sure(BEGINS + DAY), "valid"),
            (sure(ENDS + DAY), "expired"),
            (bound(0), "valid"),
            (bound(BEGINS - DAY), "valid"),
            (bound(BEGINS + DAY), "valid"),
            (bound(ENDS + DAY), "expired"),
        ] {
            time.tell(known, mono_ms());
            assert_eq!(judged(), expected, "{known:?}");
        }
    }
}
