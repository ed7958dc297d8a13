//! `weir config check`: whether the daemons would accept these files.

pub(crate) mod filter;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use batch::{KeyStatement, PublicKey, platform_keys};
use control::chain;
use gatewayd::GatewayConfig;
use journal::{Reader, Register, StoreError};
use layers::Layered;
use record::OutfallCode;
use serde_json::json;
use syncd::{BestTime, Channels, DestinationConfig, NotifyConfig, SyncConfig, Transport};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::outfall;
use crate::output::{self, line};
use crate::upgrade;

/// Files that drop-ins count over.
const LAYERED: [&str; 4] = ["gateway", "sync", "page", "platform"];
/// The kinds of file, by name.
const KINDS: [&str; 10] =
    ["gateway", "sync", "notify", "platform", "page", "devices", "keys", "rules", "outfall", "upgrade"];

/// Checks each file as the daemon that reads it does. [`Exit::Config`] if one is refused.
pub(crate) fn run(config_dir: &Path, files: &[PathBuf], json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let installed = ["gateway.toml", "sync.toml"].map(|name| config_dir.join(name));
    let files = if files.is_empty() { &installed[..] } else { files };
    let mut out = output::stdout();
    let mut refused = false;
    let mut answers = Vec::new();
    for path in files {
        let whole = whole_of(path);
        let verdict = check(&whole);
        refused |= verdict.is_err();
        let unregistered = if verdict.is_ok() { unregistered(&whole) } else { Vec::new() };
        if json {
            let notes: Vec<String> = verdict.iter().flatten().map(|note| note.told(lang)).collect();
            let (ok, error) = (verdict.is_ok(), verdict.err());
            answers.push(
                json!({"file": path, "ok": ok, "error": error, "outfalls_without_dossier": unregistered, "notes": notes}),
            );
            continue;
        }
        let text = match verdict {
            Ok(notes) => {
                let notes: String = notes.iter().map(|note| format!("\n  {}", note.told(lang))).collect();
                format!("{}  {}{notes}", lang.pick("ok     ", "通过"), path.display())
            }
            Err(why) => format!("{}  {}\n  {}", lang.pick("refused", "拒绝"), path.display(), lang.told(&why)),
        };
        line(&mut out, &text)?;
        for code in unregistered {
            let text =
                lang.pick("has no dossier: data of its devices will be refused", "尚未建档，其设备的数据将被拒收");
            line(&mut out, &format!("! {code} {text} · try: weir outfall add FILE --reason TEXT"))?;
        }
    }
    if json {
        line(&mut out, &json!({"ok": !refused, "files": answers}).to_string())?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if refused { Exit::Config } else { Exit::Good })
}

/// What a file is accepted with, and its author may not have meant.
enum Note {
    /// The pinned key of a destination has signed for another one.
    Successor { destination: String, key: PublicKey },
    /// A destination is to get aggregates that the gateway does not make.
    NotMade { destination: String, lacking: String },
    /// Other files count over it.
    DropIns { folder: String, names: String },
}

impl Note {
    fn told(&self, lang: Lang) -> String {
        match (self, lang) {
            (Note::Successor { destination, key }, Lang::En) => format!(
                "destination `{destination}`: its key is the predecessor of {key}, which it signed for; both are well"
            ),
            (Note::Successor { destination, key }, Lang::Zh) => {
                format!("目的地 `{destination}`：所填公钥是 {key} 的前任，并已为其签名；两者均可")
            }
            (Note::DropIns { folder, names }, Lang::En) => format!("with {names} of {folder}"),
            (Note::DropIns { folder, names }, Lang::Zh) => format!("连同 {folder} 中的 {names}"),
            (Note::NotMade { destination, lacking }, Lang::En) => format!(
                "destination `{destination}`: its filter asks for aggregates ({lacking}) that the gateway does not make · try: \
                 periods under [aggregates] in gateway.toml"
            ),
            (Note::NotMade { destination, lacking }, Lang::Zh) => format!(
                "目的地 `{destination}`：过滤器要求的统计值（{lacking}）网关未计算 · 请在 gateway.toml 的 [aggregates] 中设置 periods"
            ),
        }
    }
}

/// Why a file would not be accepted as it stands.
pub(crate) fn refused(path: &Path) -> Option<String> {
    check(path).err()
}

/// Whether the check of such a file reads nothing else; one of the others is read together with all the files that it names.
pub(crate) fn stands_alone(path: &Path) -> bool {
    matches!(kind(path), Some("rules" | "outfall"))
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

/// What a file is, by its name.
fn kind(path: &Path) -> Option<&'static str> {
    let is_example = path.parent().is_some_and(|folder| folder.ends_with("rules.d"));
    if is_example { Some("rules") } else { KINDS.into_iter().find(|kind| stem(path).contains(kind)) }
}

/// A drop-in says nothing alone: it is checked with the file over which it counts.
fn whole_of(path: &Path) -> PathBuf {
    let main = layers::main_of(path).filter(|main| kind(main).is_some_and(|kind| LAYERED.contains(&kind)));
    main.unwrap_or_else(|| path.to_owned())
}

fn drop_ins(path: &Path) -> Option<Note> {
    let found = layers::drop_ins(path).ok().filter(|found| !found.is_empty())?;
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<String> = found.iter().map(|path| name(path)).collect();
    Some(Note::DropIns { folder: name(&layers::folder_of(path)), names: names.join(", ") })
}

fn check(path: &Path) -> Result<Vec<Note>, String> {
    let name = stem(path);
    let with = kind(path).filter(|kind| LAYERED.contains(kind)).and_then(|_| drop_ins(path));
    let checked = match kind(path) {
        Some("sync") => return check_sync(path).map(|notes| with.into_iter().chain(notes).collect()),
        Some("notify") => check_notify(path),
        Some("gateway") => GatewayConfig::load(path).map(drop).map_err(|error| chain(&error)),
        Some("platform") => platform::Config::load(path).map(drop).map_err(|error| chain(&error)),
        Some("page") => page::Config::load(path).map(drop).map_err(|error| chain(&error)),
        Some("devices") => check_devices(path, &path.with_file_name("keys.toml")),
        Some("keys") => check_devices(&path.with_file_name("devices.toml"), path),
        Some("upgrade") => upgrade::Settings::load(path).map(drop).map_err(|error| chain(&error)),
        Some("outfall") => outfall::check(path).map_err(|error| error.to_string()),
        Some("rules") if name.ends_with(".test") => check_tests(path),
        Some("rules") if path.is_dir() => check_folder(path),
        Some("rules") => check_rules(path),
        _ => Err(format!("what `{name}` is cannot be told · try: a name with one of {}", KINDS.join(", "))),
    };
    checked.map(|()| with.into_iter().collect())
}

/// Outfalls at which devices stand and that the journal has no dossier of. Not refused: the gateway that is to take the
/// dossiers has to start first. Without a journal, or the right to read it, nothing is said.
fn unregistered(path: &Path) -> Vec<OutfallCode> {
    let Ok(config) = GatewayConfig::load(path) else { return Vec::new() };
    let Ok(register) = register(&config.journal_path()) else { return Vec::new() };
    let named = config.devices.by_outfall();
    let lacks = |code: &&&OutfallCode| register.dossier(code).is_none();
    named.keys().filter(lacks).map(|code| (*code).clone()).collect()
}

fn register(journal: &Path) -> Result<Register, StoreError> {
    let mut register = Register::default();
    register.catch_up(&Reader::open(journal)?)?;
    Ok(register)
}

fn check_rules(path: &Path) -> Result<(), String> {
    gatewayd::config::load_rules(&[path.to_owned()]).map(drop).map_err(|error| chain(&error))
}

/// Rules in several files, and the tests beside them.
fn check_folder(path: &Path) -> Result<(), String> {
    check_rules(path)?;
    let tests = gatewayd::config::rules_tests(path).map_err(|error| chain(&error))?;
    tests.iter().try_for_each(|tests| check_tests(tests).map_err(|why| format!("{}: {why}", tests.display())))
}

/// Tests of rules; whether they pass, `weir rules test` says.
fn check_tests(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("failed to read it: {error}"))?;
    ::rules::Scenarios::from_toml(&text).map(drop).map_err(|error| chain(&error))
}

/// Beside the file also its secrets and programs.
fn check_notify(path: &Path) -> Result<(), String> {
    let config = NotifyConfig::load(path).map_err(|error| chain(&error))?;
    Channels::open(&config.channels, &BestTime::default()).map(drop).map_err(|error| chain(&error))
}

/// Neither says anything without the other.
fn check_devices(devices: &Path, keys: &Path) -> Result<(), String> {
    gatewayd::config::load_devices(devices, keys).map(drop).map_err(|error| chain(&error))
}

/// Beside the file also what it names: a certificate that cannot be read stops the daemon just as well, and a filter that
/// names nobody withholds in silence.
fn check_sync(path: &Path) -> Result<Vec<Note>, String> {
    names_what_there_is(path, &SyncConfig::load(path).map_err(|error| chain(&error))?)
}

/// The same of what is to stand in a sync.toml.
pub(crate) fn sync_text(typed: &Layered) -> Result<(), String> {
    names_what_there_is(typed.main(), &SyncConfig::of(typed).map_err(|error| chain(&error))?).map(drop)
}

fn names_what_there_is(path: &Path, config: &SyncConfig) -> Result<Vec<Note>, String> {
    let journaled = register(&config.journal_path()).unwrap_or_default();
    let journaled: BTreeSet<OutfallCode> = journaled.iter().map(|(code, _)| code.clone()).collect();
    for destination in config.destinations.iter().filter(|destination| destination.enabled) {
        Transport::new(destination, BestTime::default())
            .map_err(|error| format!("destination `{}`: {}", destination.name, chain(&error)))?;
        filter::check(path, destination.name.as_str(), &destination.filter, &journaled)?;
    }
    if let Some(file) = &config.notify_file {
        check_notify(file)?;
    }
    // What the gateway has kept, where this is the box's own machine.
    let kept = identity::statements(&identity::statements_of(&config.key_path())).unwrap_or_default();
    let statements: Vec<KeyStatement> = kept.into_iter().map(|(_, statement)| statement).collect();
    let successor = |destination: &DestinationConfig| {
        let keys = platform_keys(destination.key, &statements);
        let key = keys.get(1..).and_then(<[PublicKey]>::last).copied()?;
        Some(Note::Successor { destination: destination.name.to_string(), key })
    };
    let successors = config.destinations.iter().filter_map(successor);
    Ok(successors.chain(not_made(path, &config.destinations)).collect())
}

/// Destinations that wait for aggregates which the gateway.toml beside this file does not name.
fn not_made(sync: &Path, destinations: &[DestinationConfig]) -> Vec<Note> {
    let Ok(gateway) = GatewayConfig::load(&sync.with_file_name("gateway.toml")) else { return Vec::new() };
    let made = &gateway.file.aggregates.periods;
    let note = |destination: &DestinationConfig| {
        let lacking = filter::lacking(&destination.filter, made)?;
        Some(Note::NotMade { destination: destination.name.to_string(), lacking })
    };
    destinations.iter().filter(|destination| destination.enabled).filter_map(note).collect()
}
