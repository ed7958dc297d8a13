//! HTTPS to one platform: one `PUT` in, one [`Answer`] out.

use std::error::Error;
use std::io;
use std::time::Duration;

use batch::{BatchId, BoxId, KeyChange, KeyStatement, Whose};
use delivery::Transient;
use reqwest::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use reqwest::{Client, Proxy, Response, redirect};
use rustls::{CertificateError, ClientConfig};

use super::answer::{self, Answer, Expected, Raw};
use super::progress::{Parts, Progress};
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
/// What of the time was the platform's own (W3C Server Timing).
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// The media type of a batch (RFC 9052 §10.2).
const COSE: &str = "application/cose; cose-type=\"cose-sign1\"";

/// Connections to one platform, and whom to trust there.
#[derive(Debug, Clone)]
pub struct Transport {
    client: Client,
    /// Keeps no connection.
    fresh: Client,
    base: BaseUrl,
    config: DestinationConfig,
    tls: ClientConfig,
    time: BestTime,
}

/// Over which connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// One that is kept, or a new one.
    Kept,
    /// One of its own.
    Fresh,
}

impl Transport {
    /// Reads the pinned certificates and prepares connections; nothing is sent. `weir config check` does the same. The
    /// platform's certificate is judged at `time`.
    ///
    /// # Errors
    /// [`TlsError`] by cause.
    pub fn new(config: &DestinationConfig, time: BestTime) -> Result<Transport, TlsError> {
        let tls = tls(config, time.clone())?;
        let client = |idle_max| client(config, tls.clone(), idle_max);
        let (client, fresh) = (client(usize::MAX)?, client(0)?);
        Ok(Transport { client, fresh, base: config.url.clone(), config: config.clone(), tls, time })
    }

    /// Keeps no connection of before: they led over a link that may be another one now. Tries under way go on.
    pub(crate) fn renew(&mut self) {
        if let Ok(client) = client(&self.config, self.tls.clone(), usize::MAX) {
            self.client = client;
        }
    }

    /// For a request of its own.
    pub(crate) fn progress(&self) -> Progress {
        Progress::new(Duration::from_millis(self.config.timeouts.progress_ms.get()))
    }

    /// Sends a batch and judges the answer. Cancelling it closes the connection.
    pub(crate) async fn put(
        &self,
        way: Way,
        progress: Progress,
        expected: &Expected,
        id: BatchId,
        bytes: Vec<u8>,
        timeout: Duration,
    ) -> Answer {
        let path = self.path(&expected.box_id, id);
        let body = reqwest::Body::wrap(Parts::new(bytes, progress.clone()));
        let client = if way == Way::Fresh { &self.fresh } else { &self.client };
        let request = client.put(path).header(CONTENT_TYPE, COSE).timeout(timeout).body(body);
        let read = async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            let header = |name: &HeaderName| {
                response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            };
            let (retry_after, server_timing) = (header(&RETRY_AFTER), header(&SERVER_TIMING));
            let body = answer_body(response, &progress).await?;
            Ok((status, body.map(|body| Raw { status, retry_after, server_timing, body })))
        };
        let read = tokio::select! {
            read = read => read,
            () = progress.stalled() => {
                let what = format!("no byte passed for {} ms", self.config.timeouts.progress_ms.get());
                return Answer::Failed { why: Transient::TimedOut, retry_after_ms: None, what };
            }
        };
        match read {
            Ok((_, Some(raw))) => expected.judge(id, raw),
            Ok((status, None)) => Answer::Failed {
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

    /// Tells the platform how the box's keys took each other's places, the oldest first; what it said to the last one that it
    /// did not take.
    pub(crate) async fn tell_keys(&self, box_id: &BoxId, changes: Vec<Vec<u8>>, timeout: Duration) -> Option<String> {
        let path = self.at(&format!("v1/boxes/{box_id}/keys"));
        let mut refused = None;
        for change in changes {
            let request = self.fresh.post(path.clone()).header(CONTENT_TYPE, COSE).timeout(timeout).body(change);
            let progress = self.progress();
            let told = async {
                let response = request.send().await?;
                let status = response.status().as_u16();
                Ok::<_, reqwest::Error>((status, answer_body(response, &progress).await?))
            };
            refused = match told.await {
                Ok((200, _)) => None,
                Ok((status, body)) => Some(answer::words_of(status, &body.unwrap_or_default())),
                Err(error) => Some(control::chain(&error.without_url())),
            };
        }
        refused
    }

    /// How the platform's own keys took each other's places, as it tells it; each statement has been verified by the keys that it
    /// names, and nothing more. Empty from a platform that tells nothing of it.
    pub(crate) async fn platform_changes(&self, timeout: Duration) -> Vec<(Vec<u8>, KeyStatement)> {
        #[derive(serde::Deserialize)]
        struct Told {
            changes: Vec<String>,
        }
        let progress = self.progress();
        let told = async {
            let response = self.fresh.get(self.at("v1/key")).timeout(timeout).send().await.ok()?;
            let body = answer_body(response, &progress).await.ok()??;
            serde_json::from_slice::<Told>(&body).ok()
        };
        let changes = told.await.map(|told| told.changes).unwrap_or_default();
        let read = |text: &String| {
            let cose = hex::decode(text).ok()?;
            let statement = KeyStatement::read(&cose).ok()?;
            matches!(statement.whose(), Whose::Platform(_)).then_some((cose, statement))
        };
        changes.iter().take(KeyChange::CHANGES_MAX).filter_map(read).collect()
    }

    fn path(&self, box_id: &BoxId, id: BatchId) -> reqwest::Url {
        self.at(&format!("v1/boxes/{box_id}/batches/{id}"))
    }

    /// Box names and ids have no character that a path would escape.
    fn at(&self, path: &str) -> reqwest::Url {
        let mut url = self.base.url().clone();
        let path = format!("{}{path}", url.path());
        url.set_path(&path);
        url
    }
}

/// Connections for one destination, at most so many of them kept while idle.
fn client(config: &DestinationConfig, tls: ClientConfig, idle_max: usize) -> Result<Client, TlsError> {
    let failed = |source| TlsError::Http { url: config.url.clone(), source };
    let ms = Duration::from_millis;
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .pool_max_idle_per_host(idle_max)
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
    builder.build().map_err(failed)
}

/// The body, or nothing if it is longer than is read.
async fn answer_body(mut response: Response, progress: &Progress) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    progress.moved();
    while let Some(part) = response.chunk().await? {
        progress.moved();
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
