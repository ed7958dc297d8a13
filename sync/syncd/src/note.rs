//! A platform's note about a box, fetched over a connection that nobody has to trust: the note is signed.

use std::sync::Arc;

use batch::NOTE_BYTES_MAX;
use reqwest::{Response, StatusCode, Url};
use rustls::crypto::ring;

use crate::enrolment::{Anybody, EnrolError, client, tls13};

/// Why there is no note.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// What was typed is no URL of a note.
    #[error("`{0}` is no URL of a note · try: https://platform.example/v1/boxes/BOX/checkpoint")]
    Url(String),
    /// TLS or HTTP cannot be set up.
    #[error("failed to set up HTTPS")]
    Setup(#[source] EnrolError),
    /// The other platform is not there.
    #[error("failed to ask `{url}` · try: curl -k {url}")]
    Ask {
        /// Where.
        url: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// It does not give a note.
    #[error("`{url}` answered HTTP {status} · try: curl -k {url}")]
    Refused {
        /// Where.
        url: String,
        /// HTTP.
        status: u16,
    },
    /// It answered something longer.
    #[error("`{url}` answered more than {NOTE_BYTES_MAX} bytes, or no text; a note is none such")]
    NoNote {
        /// Where.
        url: String,
    },
}

/// The note at this URL, of the checkpoint with so many records, else of the newest; none if there is no such checkpoint.
///
/// # Errors
/// [`FetchError`] by cause.
pub async fn fetch(url: &str, size: Option<u64>) -> Result<Option<String>, FetchError> {
    let wrong = || FetchError::Url(url.to_owned());
    let mut at: Url = url.parse().map_err(|_| wrong())?;
    if at.scheme() != "https" {
        return Err(wrong());
    }
    at.set_query(size.map(|size| format!("size={size}")).as_deref());
    let shown = at.to_string();
    let provider = Arc::new(ring::default_provider());
    let anybody = tls13(&provider).map_err(FetchError::Setup)?.dangerous();
    let anybody = anybody.with_custom_certificate_verifier(Arc::new(Anybody(provider.clone())));
    let client = client(anybody.with_no_client_auth(), None).map_err(FetchError::Setup)?;
    let ask = |source: reqwest::Error| FetchError::Ask { url: shown.clone(), source: source.without_url() };
    let response = client.get(at).send().await.map_err(ask)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        status => return Err(FetchError::Refused { url: shown, status: status.as_u16() }),
    }
    let body = body(response).await.map_err(ask)?;
    let note = body.and_then(|body| String::from_utf8(body).ok());
    note.map(Some).ok_or(FetchError::NoNote { url: shown.clone() })
}

/// As much as a note may have; none of what is longer.
async fn body(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        if part.len() > NOTE_BYTES_MAX - body.len() {
            return Ok(None);
        }
        body.extend_from_slice(&part);
    }
    Ok(Some(body))
}
