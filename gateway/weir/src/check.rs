//! `weir config check`: whether the daemons would accept these files.

mod filter;

use std::io::Write;
use std::path::{Path, PathBuf};

use control::chain;
use gatewayd::GatewayConfig;
use serde_json::json;
use syncd::{BestTime, SyncConfig, Transport};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};

/// The kinds of file, by name.
const KINDS: [&str; 6] = ["gateway", "sync", "platform", "devices", "keys", "rules"];

/// Checks each file as the daemon that reads it does. [`Exit::Config`] if one is refused.
pub(crate) fn run(files: &[PathBuf], json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let installed = ["/etc/weir/gateway.toml", "/etc/weir/sync.toml"].map(PathBuf::from);
    let files = if files.is_empty() { &installed[..] } else { files };
    let mut out = output::stdout();
    let mut refused = false;
    let mut answers = Vec::new();
    for path in files {
        let verdict = check(path);
        refused |= verdict.is_err();
        if json {
            answers.push(json!({"file": path, "ok": verdict.is_ok(), "error": verdict.err()}));
            continue;
        }
        let text = match verdict {
            Ok(()) => format!("{}  {}", lang.pick("ok     ", "通过"), path.display()),
            Err(why) => format!("{}  {}\n  {why}", lang.pick("refused", "拒绝"), path.display()),
        };
        line(&mut out, &text)?;
    }
    if json {
        line(&mut out, &json!({"ok": !refused, "files": answers}).to_string())?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if refused { Exit::Config } else { Exit::Good })
}

fn check(path: &Path) -> Result<(), String> {
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let kind = KINDS.into_iter().find(|kind| name.contains(kind));
    match kind {
        Some("gateway") => GatewayConfig::load(path).map(drop).map_err(|error| chain(&error)),
        Some("sync") => check_sync(path),
        Some("platform") => platform::Config::load(path).map(drop).map_err(|error| chain(&error)),
        Some("devices") => check_devices(path, &path.with_file_name("keys.toml")),
        Some("keys") => check_devices(&path.with_file_name("devices.toml"), path),
        Some("rules") if name.ends_with(".test") => check_tests(path),
        Some("rules") => gatewayd::config::load_rules(path).map(drop).map_err(|error| chain(&error)),
        _ => Err(format!("what `{name}` is cannot be told · try: a name with one of {}", KINDS.join(", "))),
    }
}

/// Tests of rules; whether they pass, `weir rules test` says.
fn check_tests(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("failed to read it: {error}"))?;
    ::rules::Scenarios::from_toml(&text).map(drop).map_err(|error| chain(&error))
}

/// Neither says anything without the other.
fn check_devices(devices: &Path, keys: &Path) -> Result<(), String> {
    gatewayd::config::load_devices(devices, keys).map(drop).map_err(|error| chain(&error))
}

/// Beside the file also what it names: a certificate that cannot be read stops the daemon just as well, and a filter that
/// names nobody withholds in silence.
fn check_sync(path: &Path) -> Result<(), String> {
    let config = SyncConfig::load(path).map_err(|error| chain(&error))?;
    for destination in config.destinations.iter().filter(|destination| destination.enabled) {
        Transport::new(destination, BestTime::default())
            .map_err(|error| format!("destination `{}`: {}", destination.name, chain(&error)))?;
        filter::check(path, destination.name.as_str(), &destination.filter)?;
    }
    Ok(())
}
