//! `weir bundle`: one small file for whoever helps from afar: what the doctor found, how both daemons are, the configuration, the
//! last of the logs and records. Secrets are cut out, and it says which; the box signs what every part is.
//!
//! ```text
//! doctor, daemons, files, journalctl, journal ─► parts ─► Redaction ─► within 200 kB ─► seal of the gateway ─► tar.gz
//! ```
//! Keys are never read into it: `keys.toml` and the key of the box are no part. What a plain user may not see is left out.

mod archive;
mod gather;
mod part;
mod redaction;
mod seal;

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use batch::PublicKey;
use clap::Args;
use serde_json::json;

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};
use part::BUNDLE_BYTES_MAX;

/// `weir bundle`
#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// The file to make; without it, `weir-BOX-TIME.tar.gz` here. It must not exist yet.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Instead of making a bundle, see whether this one is as a box has made it.
    #[arg(long, value_name = "BUNDLE", conflicts_with = "file")]
    verify: Option<PathBuf>,
    /// The box's public key, 64 hex digits; without it, the one that the bundle names.
    #[arg(long, value_name = "HEX", requires = "verify")]
    key: Option<PublicKey>,
    /// The gateway's configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/weir/gateway.toml")]
    config: PathBuf,
    /// The upload daemon's configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/weir/sync.toml")]
    sync_config: PathBuf,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// Why there is no bundle, or none that can be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleError {
    /// It cannot be put together.
    #[error("failed to pack the bundle")]
    Pack(#[source] io::Error),
    /// It cannot be written.
    #[error("failed to write `{path}` · try: another name, or df -h")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It cannot be read.
    #[error("failed to read `{path}` · try: ls -l {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is no bundle.
    #[error("`{path}` is no bundle of this program: {why} · try: weir bundle FILE makes one")]
    NoBundle {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// A text without what looks like a secret or somebody's number.
pub(crate) fn redacted(text: &str) -> String {
    redaction::Redaction::default().text(text)
}

/// A value without the same, given the names on the way to it.
pub(crate) fn redacted_value(names: &[String], value: toml::Value) -> toml::Value {
    let nest = |inner: toml::Value, name: &String| toml::Table::from_iter([(name.clone(), inner)]).into();
    let clear = redaction::Redaction::default().value(names.iter().rev().fold(value, nest));
    // What is cut out whole has nothing below.
    names.iter().fold(clear, |clear, name| match clear {
        toml::Value::Table(mut table) => table.remove(name).unwrap_or(toml::Value::Table(table)),
        cut => cut,
    })
}

/// Makes a bundle, or verifies one.
pub(crate) fn run(args: &BundleArgs, (state_dir, run_dir): (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    match &args.verify {
        Some(path) => verify(path, args, lang),
        None => make(args, (state_dir, run_dir), lang),
    }
}

/// [`Exit::NotWell`] if it is not signed, because the gateway does not run.
fn make(args: &BundleArgs, (state_dir, run_dir): (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let places = gather::Places { config: &args.config, sync_config: &args.sync_config, state_dir, run_dir };
    let gathered = gather::gather(&places);
    let sealed = part::within(gathered.parts, |members| seal::ask(members, run_dir)).map_err(BundleError::Pack)?;
    let name = gathered.file_name;
    let path = args.file.clone().unwrap_or_else(|| PathBuf::from(name));
    write(&path, &sealed.file)?;
    let bytes = sealed.file.len();
    let mut out = output::stdout();
    if args.json {
        let shown = json!({
            "file": path, "bytes": bytes, "signed": sealed.unsigned.is_none(), "cut": sealed.cut, "redacted": gathered.redacted,
        });
        line(&mut out, &shown.to_string())?;
    } else {
        line(&mut out, &format!("{}  {bytes} B", path.display()))?;
        for (what, count) in &gathered.redacted {
            line(&mut out, &format!("  {} {what}: {count}", lang.pick("cut out", "已删除")))?;
        }
        for name in &sealed.cut {
            line(&mut out, &format!("  {} {name}", lang.pick("shortened", "已截短")))?;
        }
        if let Some(why) = &sealed.unsigned {
            let text = lang.pick("not signed: the gateway does not answer", "未签名：采集服务无应答");
            let why = lang.told(why);
            line(&mut out, &format!("! {text}: {why} · try: systemctl status weir-gateway"))?;
        }
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if sealed.unsigned.is_none() { Exit::Good } else { Exit::NotWell })
}

/// Readable by who made it alone.
fn write(path: &Path, bytes: &[u8]) -> Result<(), BundleError> {
    let failed = |source| BundleError::Write { path: path.into(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|source| {
        // What is half written is no bundle.
        let _ = std::fs::remove_file(path);
        failed(source)
    })
}

/// [`Exit::NotWell`] if it is not as a box has made it, or not signed.
fn verify(path: &Path, args: &BundleArgs, lang: Lang) -> Result<Exit, CommandError> {
    let failed = |source| BundleError::Read { path: path.into(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let bytes_max = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX);
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    let no_bundle = |why: String| BundleError::NoBundle { path: path.into(), why };
    if bytes.len() > BUNDLE_BYTES_MAX {
        return Err(no_bundle(format!("it has more than {BUNDLE_BYTES_MAX} bytes")).into());
    }
    let members = archive::unpack(&bytes).map_err(|error| no_bundle(error.to_string()))?;
    let verdict = seal::verify(&members, args.key);
    let mut out = output::stdout();
    if args.json {
        line(&mut out, &json!({"well": verdict.is_well(), "verdict": verdict}).to_string())?;
    } else {
        line(&mut out, &verdict.told(lang))?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if verdict.is_well() { Exit::Good } else { Exit::NotWell })
}
