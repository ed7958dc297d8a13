//! A box introduces itself to a platform by a code, and learns whom to trust there.
//!
//! No connection has to be trusted for it: what the platform answers is signed by the key that the code names. Then it is
//! tried whether the certificate that it told opens a connection as every later one will be.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use batch::{
    BoxId, ENROLMENT_BYTES_MAX, Enrolled, Enrolment, EnrolmentCode, KeyStatement, OpenError, SigningKey, Succession,
    Whose,
};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Proxy, Response, redirect};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier};
use serde::Deserialize;

use crate::BaseUrl;

/// Longest answer about keys that is read: 256 statements of the longest form, in hex.
const TOLD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest time for one question.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the box is not enrolled. Nothing was changed on it.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// TLS or HTTP cannot be set up.
    #[error("failed to set up HTTPS · try: check url and proxy")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The platform is not there.
    #[error("failed to ask `{url}` · try: curl -kv {url}v1/key, then this again: the code stays good")]
    Ask {
        /// Where.
        url: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// It does not want this box.
    #[error("the platform refused, HTTP {status}: {message} · try: {next}")]
    Refused {
        /// HTTP.
        status: u16,
        /// What it said.
        message: String,
        /// What it said to do.
        next: String,
    },
    /// It answered something else.
    #[error(
        "what `{url}` answered is no answer of the platform that made the code · try: check the url, or ask for a new code"
    )]
    Answer {
        /// Where.
        url: String,
        /// The cause.
        source: OpenError,
    },
    /// It answered for another box or key.
    #[error("the platform enrolled box {found} under another name or key · try: report this as a bug of the platform")]
    Other {
        /// Whom.
        found: BoxId,
    },
    /// Its own certificate does not open a connection to it.
    #[error("the platform's certificate does not fit `{url}` · try: ask its operator to add this name to tls_names")]
    Unfit {
        /// Where.
        url: String,
        /// The cause.
        source: reqwest::Error,
    },
}

/// Asks the platform at `url` to enrol this box by `code`.
///
/// # Errors
/// [`EnrolError`] by cause.
pub async fn enrol(
    url: &BaseUrl,
    proxy: Option<&BaseUrl>,
    code: &EnrolmentCode,
    box_id: &BoxId,
    key: &SigningKey,
) -> Result<Enrolled, EnrolError> {
    let shown = url.to_string();
    let provider = Arc::new(ring::default_provider());
    let anybody = tls13(&provider)?.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider.clone())));
    let client = client(anybody.with_no_client_auth(), proxy)?;
    let wish = Enrolment::new(box_id.clone(), key.public(), code).sign(key);
    let ask = |source| EnrolError::Ask { url: shown.clone(), source };
    let request = client.post(at(url, "v1/enrolments")).header(CONTENT_TYPE, "application/cose").body(wish);
    let response = request.send().await.map_err(|error| ask(error.without_url()))?;
    let status = response.status().as_u16();
    let body = body(response).await.map_err(|error| ask(error.without_url()))?;
    if status != 200 {
        return Err(refused(status, &body));
    }
    let enrolled = Enrolled::verify(&body, code).map_err(|source| EnrolError::Answer { url: shown.clone(), source })?;
    if (&enrolled.box_id, enrolled.box_key) != (box_id, key.public()) {
        return Err(EnrolError::Other { found: enrolled.box_id });
    }
    try_certificate(url, proxy, &enrolled, provider).await?;
    Ok(enrolled)
}

/// What the platform has of how the box's keys took each other's places, its own word that this machine took the place of
/// another one among it. Empty from a platform that tells nothing of it; who tells something untrue is not believed by anybody.
pub async fn key_statements(url: &BaseUrl, proxy: Option<&BaseUrl>, enrolled: &Enrolled) -> Vec<Vec<u8>> {
    #[derive(Deserialize)]
    struct Told {
        statements: Vec<String>,
    }
    let provider = Arc::new(ring::default_provider());
    let path = format!("v1/boxes/{}/keys", enrolled.box_id);
    let told = async {
        let response = pinned(proxy, enrolled, &provider).ok()?.get(at(url, &path)).send().await.ok()?;
        let body = body_within(response, TOLD_BYTES_MAX).await.ok()?;
        serde_json::from_slice::<Told>(&body).ok()
    };
    let statements = told.await.map(|told| told.statements).unwrap_or_default();
    let is_believed = |cose: &Vec<u8>| match KeyStatement::read(cose) {
        Ok(KeyStatement::Change(change)) => change.whose == Whose::Box(enrolled.box_id.clone()),
        Ok(KeyStatement::Succession { .. }) => Succession::verify(cose, &enrolled.key).is_ok(),
        Err(_) => false,
    };
    statements.iter().filter_map(|text| hex::decode(text).ok()).filter(is_believed).collect()
}

/// The certificate as PEM (RFC 7468), for `ca_file`.
pub fn pem(certificate: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in STANDARD.encode(certificate).as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

async fn try_certificate(
    url: &BaseUrl,
    proxy: Option<&BaseUrl>,
    enrolled: &Enrolled,
    provider: Arc<CryptoProvider>,
) -> Result<(), EnrolError> {
    let asked = pinned(proxy, enrolled, &provider)?.get(at(url, "v1/key")).send().await;
    let unfit = |source: reqwest::Error| EnrolError::Unfit { url: url.to_string(), source: source.without_url() };
    asked.map(drop).map_err(unfit)
}

/// Connections to who has this certificate.
fn pinned(proxy: Option<&BaseUrl>, enrolled: &Enrolled, provider: &Arc<CryptoProvider>) -> Result<Client, EnrolError> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(enrolled.certificate.clone())).map_err(|error| EnrolError::Setup(error.into()))?;
    client(tls13(provider)?.with_root_certificates(roots).with_no_client_auth(), proxy)
}

pub(crate) fn tls13(provider: &Arc<CryptoProvider>) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, EnrolError> {
    let builder = ClientConfig::builder_with_provider(provider.clone());
    builder.with_protocol_versions(&[&rustls::version::TLS13]).map_err(|error| EnrolError::Setup(error.into()))
}

pub(crate) fn client(tls: ClientConfig, proxy: Option<&BaseUrl>) -> Result<Client, EnrolError> {
    let setup = |error: reqwest::Error| EnrolError::Setup(error.into());
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(true)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(PATIENCE)
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")));
    let builder = match proxy {
        None => builder,
        Some(proxy) => builder.proxy(Proxy::https(proxy.url().clone()).map_err(setup)?),
    };
    builder.build().map_err(setup)
}

fn at(url: &BaseUrl, path: &str) -> reqwest::Url {
    let mut at = url.url().clone();
    at.set_path(&format!("{}{path}", at.path()));
    at
}

/// As much of the answer as an answer has; what is longer is none, and its signature will say so.
async fn body(response: Response) -> Result<Vec<u8>, reqwest::Error> {
    body_within(response, ENROLMENT_BYTES_MAX).await
}

async fn body_within(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        let room = bytes_max - body.len();
        body.extend_from_slice(&part[..part.len().min(room)]);
        if part.len() > room {
            break;
        }
    }
    Ok(body)
}

fn refused(status: u16, body: &[u8]) -> EnrolError {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
        next: String,
    }
    // Whoever stands in the platform's place may say anything, at any length.
    let shown = |text: &str| text.chars().filter(|c| !c.is_control()).take(300).collect();
    match serde_json::from_slice(body) {
        Ok(Refusal { message, next }) => EnrolError::Refused { status, message: shown(&message), next: shown(&next) },
        Err(_) => {
            let (message, next) = ("without a reason that can be read", "check the url; is it the platform's?");
            EnrolError::Refused { status, message: message.into(), next: next.into() }
        }
    }
}

/// Takes any certificate whose key signs the connection: what is said over it is believed for its own signature.
#[derive(Debug)]
pub(crate) struct Anybody(pub(crate) Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
