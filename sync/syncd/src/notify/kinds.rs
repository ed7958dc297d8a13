//! What each kind of channel needs, and what of it is refused.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::mqtt::is_topic;
use notify::webhook::{Form, Secret};
use reqwest::{Client, Url, redirect};
use rustls::ClientConfig;

use super::channel::{Channel, ChannelError};
use super::config::{ChannelConfig, Kind};
use super::modem;
use super::mqtt::{self, Broker};
use super::sms::Sms;
use crate::best_time::BestTime;
use crate::destination::trusting;

/// What Debian's ca-certificates keeps: whom everybody trusts.
const CA_FILE_DEFAULT: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Robots of the two makers, where no other URL is named.
const WECOM: &str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send";
const DINGTALK: &str = "https://oapi.dingtalk.com/robot/send";
/// Longest secret file that is read. Bytes.
const SECRET_BYTES_MAX: u64 = 4 * 1024;
/// Rights of others on a secret.
const OTHERS_MODE: u32 = 0o077;

/// Reads its secrets and certificates; nothing is sent.
pub(super) fn open(config: &ChannelConfig, time: &BestTime) -> Result<Channel, ChannelError> {
    let ChannelConfig { url, secret_file, ca_file, program, topic, modem, kind, .. } = config;
    let of_net = url.is_some() || secret_file.is_some() || ca_file.is_some();
    for (is_there, is_right, what) in [
        (modem.is_some(), *kind == Kind::Sms, "`modem` is for kind = \"sms\""),
        (topic.is_some(), *kind == Kind::Mqtt, "`topic` is for kind = \"mqtt\""),
        (program.is_some(), *kind == Kind::Exec, "`program` is for kind = \"exec\""),
        (of_net, !matches!(kind, Kind::Exec | Kind::Sms), "url, secret_file and ca_file are for webhooks and brokers"),
    ] {
        if is_there && !is_right {
            return Err(refused(config, what));
        }
    }
    match kind {
        Kind::Wecom => webhook(config, Form::Wecom, Some(WECOM), time),
        Kind::Dingtalk => webhook(config, Form::Dingtalk, Some(DINGTALK), time),
        Kind::Json => webhook(config, Form::Json, None, time),
        Kind::Mqtt => broker(config, time),
        Kind::Sms => {
            let sms = Channel::Sms(Arc::new(Sms::by(modem.clone())));
            executable(config, PathBuf::from(modem::BUSCTL)).map(|_| sms)
        }
        Kind::Exec => {
            let program = program.clone().ok_or_else(|| refused(config, "`program` is missing"))?;
            executable(config, program).map(Channel::Program)
        }
    }
}

fn refused(config: &ChannelConfig, what: &'static str) -> ChannelError {
    ChannelError::Keys { name: config.name.clone(), what }
}

fn webhook(config: &ChannelConfig, form: Form, url: Option<&str>, time: &BestTime) -> Result<Channel, ChannelError> {
    let name = || config.name.clone();
    let text = config.url.as_deref().or(url).ok_or_else(|| refused(config, "`url` is missing"))?;
    let is_bare = |url: &Url| {
        url.scheme() == "https" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
    };
    let url = Url::parse(text).ok().filter(is_bare).ok_or_else(|| ChannelError::Url { name: name() })?;
    let secret = match &config.secret_file {
        Some(path) => secret(path)?,
        None if form == Form::Json => Secret::default(),
        None => return Err(refused(config, "`secret_file` is missing: the robot's key belongs there")),
    };
    if form != Form::Json && secret.key.is_none() {
        return Err(refused(config, "secret_file has no `key`"));
    }
    if secret.user.is_some() {
        return Err(refused(config, "`user` in secret_file is for kind = \"mqtt\""));
    }
    let client = Client::builder()
        .tls_backend_preconfigured(tls(config, time)?)
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

fn broker(config: &ChannelConfig, time: &BestTime) -> Result<Channel, ChannelError> {
    let text = config.url.as_deref().ok_or_else(|| refused(config, "`url` is missing"))?;
    let address = Url::parse(text).ok().and_then(|url| mqtt::address(&url));
    let (host, port, is_tls) = address.ok_or_else(|| ChannelError::Broker { name: config.name.clone() })?;
    let topic = config.topic.clone().filter(|topic| is_topic(topic));
    let topic = topic.ok_or_else(|| refused(config, "`topic` is missing, or has + or # in it"))?;
    let secret = config.secret_file.as_deref().map(secret).transpose()?.unwrap_or_default();
    if secret.user.is_some() != secret.key.is_some() {
        return Err(refused(config, "secret_file needs both `user` and `key`, which is the password"));
    }
    let tls = is_tls.then(|| tls(config, time)).transpose()?.map(Arc::new);
    Ok(Channel::Broker(Broker { host, port, tls, topic, secret }))
}

fn tls(config: &ChannelConfig, time: &BestTime) -> Result<ClientConfig, ChannelError> {
    let ca_file = config.ca_file.as_deref().unwrap_or(Path::new(CA_FILE_DEFAULT));
    trusting(ca_file, time.clone()).map_err(|source| ChannelError::Tls { name: config.name.clone(), source })
}

/// The path, if a program that may be run is there.
fn executable(config: &ChannelConfig, path: PathBuf) -> Result<PathBuf, ChannelError> {
    let may_run = |file: &std::fs::Metadata| file.is_file() && file.permissions().mode() & 0o111 != 0;
    if path.is_absolute() && path.metadata().is_ok_and(|file| may_run(&file)) {
        Ok(path)
    } else {
        Err(ChannelError::Program { name: config.name.clone(), path })
    }
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
