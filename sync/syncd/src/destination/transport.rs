//! HTTPS to one platform: one `PUT` in, one [`Answer`] out.

use std::error::Error;
use std::io;
use std::time::Duration;

use batch::{BatchId, BoxId};
use delivery::Transient;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Proxy, Response, redirect};
use rustls::CertificateError;

use super::answer::{Answer, Expected, Raw};
use super::tls::{TlsError, tls};
use crate::best_time::BestTime;
use crate::clock::mono_ms;
use crate::{BaseUrl, DestinationConfig};

/// Longest answer that is read: four times the longest receipt.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that nobody acknowledges for this long mean a half-open connection (`TCP_USER_TIMEOUT`).
const HALF_OPEN: Duration = Duration::from_secs(20);
/// An idle connection is probed this often, so that a carrier's NAT does not drop it silently.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// The media type of a batch (RFC 9052 §10.2).
const COSE: &str = "application/cose; cose-type=\"cose-sign1\"";

/// Connections to one platform, and whom to trust there.
#[derive(Debug, Clone)]
pub struct Transport {
    client: Client,
    base: BaseUrl,
    time: BestTime,
}

impl Transport {
    /// Reads the pinned certificates and prepares connections; nothing is sent. `weir config check` does the same. The
    /// platform's certificate is judged at `time`.
    ///
    /// # Errors
    /// [`TlsError`] by cause.
    pub fn new(config: &DestinationConfig, time: BestTime) -> Result<Transport, TlsError> {
        let failed = |source| TlsError::Http { url: config.url.clone(), source };
        let ms = Duration::from_millis;
        let builder = Client::builder()
            .tls_backend_preconfigured(tls(config, time.clone())?)
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
        Ok(Transport { client: builder.build().map_err(failed)?, base: config.url.clone(), time })
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
                let why = cause(&error);
                let known = is_about_dates(&error).then(|| self.time.now(mono_ms()).to_string());
                let what = control::chain(&error.without_url());
                let what = known.into_iter().fold(what, |what, known| format!("{what}; to the box {known}"));
                Answer::Failed { why, retry_after_ms: None, what }
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
    tls_cause(error).is_some()
}

/// Whether a certificate was refused for its dates.
fn is_about_dates(error: &(dyn Error + 'static)) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    let dated = |cause: &CertificateError| {
        matches!(cause, Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
    };
    matches!(tls_cause(error), Some(rustls::Error::InvalidCertificate(cause)) if dated(cause))
}

fn tls_cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    // An `io::Error` hides the error it carries from `source`, and here one carries another.
    let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let next = carried.map(|carried| carried as &(dyn Error + 'static)).or_else(|| error.source());
    error.downcast_ref().or_else(|| next.and_then(tls_cause))
}
