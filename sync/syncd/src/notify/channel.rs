//! The channels, ready to be used: a webhook, a broker, a modem, a program.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use control::chain;
use notify::text::Worded;
use notify::webhook::{self, Form, Secret};
use notify::{Message, Name, Outcome};
use record::UnixMs;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};

use super::config::ChannelConfig;
use super::mqtt::Broker;
use super::sms::Sms;
use super::{exec, kinds};
use crate::best_time::{BestTime, Known};
use crate::clock::mono_ms;
use crate::destination::TlsError;

/// Longest answer that is read. Bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Why a channel cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// What its kind needs is missing, or something stands there that its kind has no use for.
    #[error("channel `{name}`: {what} · try: compare it with the example in /usr/share/doc/weir/examples/notify.toml")]
    Keys {
        /// The channel.
        name: Name,
        /// What.
        what: &'static str,
    },
    /// No URL of a webhook.
    #[error(
        "channel `{name}`: `url` must be https:// without query, user and fragment; what is secret in it belongs into secret_file"
    )]
    Url {
        /// The channel.
        name: Name,
    },
    /// No URL of a broker that may be told.
    #[error(
        "channel `{name}`: `url` must be mqtts://HOST or mqtts://HOST:PORT, or mqtt:// for a broker on the box itself"
    )]
    Broker {
        /// The channel.
        name: Name,
    },
    /// The secrets cannot be read.
    #[error("failed to read secret_file `{path}` · try: check that it is there and belongs to weir-sync")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Others may read it.
    #[error("secret_file `{path}` is readable by others (mode {mode:o}) · try: chmod 600 it, and get new secrets")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It has something else than secrets; nothing of it is told.
    #[error(
        "secret_file `{path}` is not `key = \"…\"` with, for DingTalk, `sign = \"SEC…\"` or, for a broker, `user = \"…\"` · try: write it anew"
    )]
    Secret {
        /// The file.
        path: PathBuf,
    },
    /// Whom to trust is not clear.
    #[error("channel `{name}` cannot be reached safely")]
    Tls {
        /// The channel.
        name: Name,
        /// The cause.
        source: TlsError,
    },
    /// The HTTP client refused its settings.
    #[error("channel `{name}`: failed to set up HTTPS · try: report this as a bug")]
    Http {
        /// The channel.
        name: Name,
        /// The cause.
        source: reqwest::Error,
    },
    /// The program is none.
    #[error("channel `{name}`: `{path}` is no program · try: its whole path, and chmod +x")]
    Program {
        /// The channel.
        name: Name,
        /// The path.
        path: PathBuf,
    },
}

/// All channels, by name.
#[derive(Debug, Clone)]
pub struct Channels {
    channels: Arc<BTreeMap<Name, Channel>>,
    time: BestTime,
}

#[derive(Debug)]
pub(super) enum Channel {
    Webhook { client: Client, url: Url, form: Form, secret: Secret },
    Program(PathBuf),
    Broker(Broker),
    Sms(Arc<Sms>),
}

impl Channels {
    /// Reads secrets and certificates; nothing is sent. `weir config check` does the same.
    ///
    /// # Errors
    /// [`ChannelError`] by cause.
    pub fn open(configs: &[ChannelConfig], time: &BestTime) -> Result<Channels, ChannelError> {
        let open = |config: &ChannelConfig| Ok((config.name.clone(), kinds::open(config, time)?));
        let channels = configs.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Channels { channels: Arc::new(channels), time: time.clone() })
    }

    /// Sends; without a message it is a test.
    pub(super) async fn deliver(
        &self,
        name: &Name,
        (worded, message): (&Worded, Option<&Message>),
        box_id: &str,
        timeout: Duration,
    ) -> Outcome {
        match self.channels.get(name) {
            None => Outcome::Failed { why: "there is no such channel".to_owned() },
            Some(Channel::Program(program)) => {
                exec::run(program.clone(), webhook::object(worded, message, box_id), timeout).await
            }
            Some(Channel::Broker(broker)) => {
                let object = webhook::object(worded, message, box_id).to_string();
                broker.tell((box_id, name.as_str()), object.as_bytes(), timeout).await
            }
            Some(Channel::Sms(sms)) => {
                let (sms, worded, message) = (sms.clone(), worded.clone(), message.cloned());
                let sent = tokio::task::spawn_blocking(move || sms.deliver(&worded, message.as_ref(), timeout)).await;
                sent.unwrap_or_else(|broke| Outcome::InDoubt { why: broke.to_string() })
            }
            Some(Channel::Webhook { client, url, form, secret }) => {
                let now = now(&self.time);
                let request = webhook::request(*form, worded, message, box_id, secret, now);
                post(client, url.clone(), *form, secret, request, timeout).await
            }
        }
    }
}

/// The best guess, for DingTalk, which takes nothing an hour off: where the box only knows a bound its clock may still be right.
fn now(time: &BestTime) -> UnixMs {
    match time.now(mono_ms()) {
        Known::Is(ms) => ms,
        Known::NotBefore(ms) => {
            let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            ms.max(UnixMs(i64::try_from(clock).unwrap_or(i64::MAX)))
        }
    }
}

async fn post(
    client: &Client,
    mut url: Url,
    form: Form,
    secret: &Secret,
    request: webhook::Request,
    timeout: Duration,
) -> Outcome {
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&request.query);
    }
    let mut post = client.post(url).timeout(timeout).header(CONTENT_TYPE, "application/json; charset=utf-8");
    if let Some(key) = &request.bearer {
        post = post.bearer_auth(key);
    }
    let answered = async {
        let mut response = post.body(request.body.to_string()).send().await?;
        let (status, mut body) = (response.status().as_u16(), Vec::new());
        while let Some(part) = response.chunk().await? {
            body.extend_from_slice(&part);
            if body.len() > ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok::<_, reqwest::Error>((status, body))
    };
    match answered.await {
        Ok((status, body)) => hide(webhook::outcome(form, status, &body), secret),
        Err(error) => {
            let never_left = error.is_connect() || error.is_builder();
            // The URL has the key.
            let why = secret.hidden_in(&chain(&error.without_url()));
            if never_left { Outcome::Failed { why } } else { Outcome::InDoubt { why } }
        }
    }
}

fn hide(outcome: Outcome, secret: &Secret) -> Outcome {
    match outcome {
        Outcome::Failed { why } => Outcome::Failed { why: secret.hidden_in(&why) },
        other => other,
    }
}
