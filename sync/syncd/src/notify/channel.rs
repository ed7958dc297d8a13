//! One channel: a webhook or a program, ready to be used.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use control::chain;
use notify::text::Worded;
use notify::webhook::{self, Form, Secret};
use notify::{Message, Name, Outcome};
use record::UnixMs;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url, redirect};

use super::config::{ChannelConfig, Kind};
use super::sms::Sms;
use super::{exec, modem};
use crate::best_time::{BestTime, Known};
use crate::clock::mono_ms;
use crate::destination::{TlsError, trusting};

/// What Debian's ca-certificates keeps: whom everybody trusts.
const CA_FILE_DEFAULT: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Robots of the two makers, where no other URL is named.
const WECOM: &str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send";
const DINGTALK: &str = "https://oapi.dingtalk.com/robot/send";
/// Longest secret file and longest answer that are read. Bytes.
const SECRET_BYTES_MAX: u64 = 4 * 1024;
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Rights of others on a secret.
const OTHERS_MODE: u32 = 0o077;

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
    #[error("secret_file `{path}` is not `key = \"…\"` and, for DingTalk, `sign = \"SEC…\"` · try: write it anew")]
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
enum Channel {
    Webhook { client: Client, url: Url, form: Form, secret: Secret },
    Program(PathBuf),
    Sms(Arc<Sms>),
}

impl Channels {
    /// Reads secrets and certificates; nothing is sent. `weir config check` does the same.
    ///
    /// # Errors
    /// [`ChannelError`] by cause.
    pub fn open(configs: &[ChannelConfig], time: &BestTime) -> Result<Channels, ChannelError> {
        let open = |config: &ChannelConfig| Ok((config.name.clone(), channel(config, time)?));
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

fn channel(config: &ChannelConfig, time: &BestTime) -> Result<Channel, ChannelError> {
    let name = || config.name.clone();
    let keys = |what| ChannelError::Keys { name: name(), what };
    if config.modem.is_some() && config.kind != Kind::Sms {
        return Err(keys("`modem` is for kind = \"sms\""));
    }
    if config.program.is_some() && config.kind != Kind::Exec {
        return Err(keys("`program` is for kind = \"exec\""));
    }
    let Some(form) = config.kind.form() else {
        if config.url.is_some() || config.secret_file.is_some() || config.ca_file.is_some() {
            return Err(keys("url, secret_file and ca_file are for webhooks"));
        }
        if config.kind == Kind::Sms {
            let busctl = program(PathBuf::from(modem::BUSCTL));
            return busctl
                .map(|_| Channel::Sms(Arc::new(Sms::by(config.modem.clone()))))
                .map_err(|path| ChannelError::Program { name: name(), path });
        }
        let path = config.program.clone().ok_or_else(|| keys("`program` is missing"))?;
        return program(path).map(Channel::Program).map_err(|path| ChannelError::Program { name: name(), path });
    };
    let text = match (&config.url, config.kind) {
        (Some(url), _) => url.as_str(),
        (None, Kind::Wecom) => WECOM,
        (None, Kind::Dingtalk) => DINGTALK,
        (None, _) => return Err(keys("`url` is missing")),
    };
    let is_bare = |url: &Url| {
        url.scheme() == "https" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
    };
    let url = Url::parse(text).ok().filter(is_bare).ok_or_else(|| ChannelError::Url { name: name() })?;
    let secret = match &config.secret_file {
        Some(path) => secret(path)?,
        None if form == Form::Json => Secret::default(),
        None => return Err(keys("`secret_file` is missing: the robot's key belongs there")),
    };
    if form != Form::Json && secret.key.is_none() {
        return Err(keys("secret_file has no `key`"));
    }
    let ca_file = config.ca_file.as_deref().unwrap_or(Path::new(CA_FILE_DEFAULT));
    let tls = trusting(ca_file, time.clone()).map_err(|source| ChannelError::Tls { name: name(), source })?;
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(true)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        // A message a minute needs no kept connection, and an old one may lead nowhere.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|source| ChannelError::Http { name: name(), source })?;
    Ok(Channel::Webhook { client, url, form, secret })
}

/// The path, if a program that may be run is there.
fn program(path: PathBuf) -> Result<PathBuf, PathBuf> {
    let may_run = |file: &std::fs::Metadata| file.is_file() && file.permissions().mode() & 0o111 != 0;
    if path.is_absolute() && path.metadata().is_ok_and(|file| may_run(&file)) { Ok(path) } else { Err(path) }
}

fn secret(path: &Path) -> Result<Secret, ChannelError> {
    let failed = |source| ChannelError::Read { path: path.into(), source };
    let file = path.metadata().map_err(failed)?;
    let mode = file.permissions().mode() & 0o777;
    if mode & OTHERS_MODE != 0 {
        return Err(ChannelError::Exposed { path: path.into(), mode });
    }
    if file.len() > SECRET_BYTES_MAX {
        return Err(ChannelError::Secret { path: path.into() });
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    // What is wrong would show a part of it.
    toml::from_str(&text).map_err(|_| ChannelError::Secret { path: path.into() })
}
