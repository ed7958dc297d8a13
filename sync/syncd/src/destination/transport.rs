//! HTTPS to one platform: one `PUT` in, one [`Answer`] out.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use batch::{BatchId, BoxId};
use delivery::Transient;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Proxy, Response, redirect};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};

use super::answer::{Answer, Expected, Raw};
use crate::{BaseUrl, DestinationConfig};

/// Longest answer that is read: four times the longest receipt.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that nobody acknowledges for this long mean a half-open connection (`TCP_USER_TIMEOUT`).
const HALF_OPEN: Duration = Duration::from_secs(20);
/// An idle connection is probed this often, so that a carrier's NAT does not drop it silently.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// The media type of a batch (RFC 9052 §10.2).
const COSE: &str = "application/cose; cose-type=\"cose-sign1\"";

/// Why a destination's TLS or proxy settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read or is no PEM.
    #[error("failed to read ca_file `{path}` · try: put the platform's CA certificate there, as PEM")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: pem::Error,
    },
    /// The file has no certificate.
    #[error("ca_file `{path}` has no certificate · try: put the platform's CA certificate there, as PEM")]
    Empty {
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
    /// TLS 1.3 cannot be set up.
    #[error("failed to set up TLS 1.3 · try: report this as a bug")]
    Setup(#[source] rustls::Error),
    /// The HTTP client refused its settings.
    #[error("failed to set up HTTPS to `{url}` · try: correct url and proxy in sync.toml")]
    Client {
        /// Where it should lead.
        url: BaseUrl,
        /// The cause.
        source: reqwest::Error,
    },
}

/// Connections to one platform, and whom to trust there.
#[derive(Debug, Clone)]
pub struct Transport {
    client: Client,
    base: BaseUrl,
}

impl Transport {
    /// Reads the pinned certificates and prepares connections; nothing is sent. `weir config check` does the same.
    ///
    /// # Errors
    /// [`TlsError`] by cause.
    pub fn new(config: &DestinationConfig) -> Result<Transport, TlsError> {
        let failed = |source| TlsError::Client { url: config.url.clone(), source };
        let ms = Duration::from_millis;
        let builder = Client::builder()
            .tls_backend_preconfigured(tls(&config.ca_file)?)
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(ms(config.timeouts.connect_ms.get()))
            .pool_idle_timeout(ms(config.timeouts.idle_ms.get()))
            .tcp_nodelay(true)
            .tcp_keepalive(KEEPALIVE)
            .tcp_user_timeout(HALF_OPEN)
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")));
        let builder = match &config.proxy {
            None => builder,
            Some(proxy) => builder.proxy(Proxy::https(proxy.url().clone()).map_err(failed)?),
        };
        Ok(Transport { client: builder.build().map_err(failed)?, base: config.url.clone() })
    }

    /// Sends a batch and judges the answer. Cancelling it closes the connection.
    pub(crate) async fn put(&self, expected: &Expected, id: BatchId, bytes: Vec<u8>, timeout: Duration) -> Answer {
        let path = self.path(&expected.box_id, id);
        let request = self.client.put(path).header(CONTENT_TYPE, COSE).timeout(timeout).body(bytes);
        let read = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after = retry_after.map(str::to_owned);
            Ok((status, retry_after, body(response).await?))
        };
        match read.await {
            Ok((status, retry_after, Some(body))) => expected.judge(id, Raw { status, retry_after, body }),
            Ok((status, _, None)) => Answer::Failed {
                why: Transient::Faulty,
                retry_after_ms: None,
                what: format!("HTTP {status} with more than {ANSWER_BYTES_MAX} bytes"),
            },
            Err(error) => {
                let error: reqwest::Error = error;
                Answer::Failed { why: cause(&error), retry_after_ms: None, what: control::chain(&error.without_url()) }
            }
        }
    }

    fn path(&self, box_id: &BoxId, id: BatchId) -> reqwest::Url {
        let mut url = self.base.url().clone();
        // Box names and ids have no character that a path would escape.
        let path = format!("{}v1/boxes/{box_id}/batches/{id}", url.path());
        url.set_path(&path);
        url
    }
}

/// TLS 1.3 with the ring provider, named here and not taken from the process; sessions are resumed by default.
fn tls(ca_file: &Path) -> Result<ClientConfig, TlsError> {
    let path = || ca_file.to_owned();
    let read = |source| TlsError::Read { path: path(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file).map_err(read)? {
        let unusable = |source| TlsError::Certificate { path: path(), source };
        roots.add(certificate.map_err(read)?).map_err(unusable)?;
    }
    if roots.is_empty() {
        return Err(TlsError::Empty { path: path() });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Setup)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The body, or nothing if it is longer than is read.
async fn body(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        if part.len() > ANSWER_BYTES_MAX - body.len() {
            return Ok(None);
        }
        body.extend_from_slice(&part);
    }
    Ok(Some(body))
}

/// Whom to blame.
fn cause(error: &reqwest::Error) -> Transient {
    match error {
        error if has_tls_cause(error) => Transient::Untrusted,
        error if error.is_connect() => Transient::Unreachable,
        error if error.is_timeout() => Transient::TimedOut,
        _ => Transient::Broken,
    }
}

fn has_tls_cause(error: &(dyn Error + 'static)) -> bool {
    // An `io::Error` hides the error it carries from `source`, and here one carries another.
    let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let next = carried.map(|carried| carried as &(dyn Error + 'static)).or_else(|| error.source());
    error.is::<rustls::Error>() || next.is_some_and(has_tls_cause)
}
