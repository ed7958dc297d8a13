//! `weir identity enroll`, and `weir platform invite`, which makes the code for it.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use batch::{BoxId, CodeError, Enrolled, EnrolmentCode, PlatformId, PublicKey, SigningKey};
use journal::Reader;
use layers::Spot;
use record::{Act, UnixMs};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as UrlError;
use serde_json::json;
use syncd::enrolment::{self, EnrolError};
use syncd::{BaseUrl, BestTime, ConfigError, SyncConfig, TlsError, Transport};
use toml_edit::{ArrayOfTables, Item, Table, value};
use versions::folder_of;

use crate::audit;
use crate::cli::{EnrollArgs, InviteArgs, PinArgs};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};
use crate::toml_file::{TomlFile, TomlFileError};

/// Certificates and `sync.toml` hold no secret.
const MODE: u32 = 0o640;

/// Why the box is not enrolled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnrollError {
    /// What was typed is no code.
    #[error("the code cannot be read")]
    Code(#[source] CodeError),
    /// What was typed is no URL.
    #[error("the URL cannot be used: {0} · try: https://platform.example/")]
    Url(UrlError),
    /// The box's key, which the gateway's user and root may read.
    #[error("the box's key cannot be read · try: sudo; it is made at the gateway's first start")]
    Key(#[source] identity::IdentityError),
    /// The platform.
    #[error("the box was not enrolled")]
    Platform(#[source] EnrolError),
    /// `sync.toml`.
    #[error("the platform knows the box, but sync.toml was not changed")]
    File(#[source] TomlFileError),
    /// What the box should believe does not count.
    #[error(
        "the platform knows the box, but sync.toml was not changed: {at}: `{key}` of destination {name} stands over what would be \
         written · try: take that line out there, then the same again"
    )]
    Overridden {
        /// Where.
        at: Spot,
        /// The key.
        key: &'static str,
        /// The destination.
        name: String,
    },
    /// `destination` is something else than a list of tables.
    #[error("`{0}`: `destination` is no list of [[destination]] tables · try: weir config check {0}")]
    NotAList(PathBuf),
    /// `sync.toml` would be refused.
    #[error("the platform knows the box, but sync.toml would be refused, and was not changed")]
    Config(#[source] ConfigError),
    /// The certificate.
    #[error("the platform knows the box, but its certificate cannot be used")]
    Tls(#[source] TlsError),
    /// The certificate could not be written.
    #[error("failed to write `{path}` · try: sudo, df -h")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// No code was made.
    #[error("no code was made")]
    Invite(#[source] platform::EnrolmentError),
    /// No name of a box.
    #[error("this is no name of a box")]
    Name(#[source] batch::IdError),
}

/// Enrols the box by a code, and writes whom to trust from now on.
pub(crate) fn enroll(
    args: &EnrollArgs,
    (state_dir, run_dir): (&Path, &Path),
    lang: Lang,
) -> Result<Exit, CommandError> {
    let code: EnrolmentCode = args.code.join("").parse().map_err(EnrollError::Code)?;
    let invited = Invited {
        url: base_url(&args.url)?,
        code,
        name: args.name.clone(),
        proxy: args.proxy.as_deref().map(base_url).transpose()?,
    };
    let Known { box_id, platform, key, destination: name } = invited.enroll(&args.config, (state_dir, run_dir))?;
    let mut out = output::stdout();
    let text = match args.json {
        true => json!({
            "box": box_id, "platform": platform, "key": key, "destination": name, "config": args.config,
        })
        .to_string(),
        false => format!(
            "{box_id}: {} {} · {} {}\n{} {} · try: sudo systemctl enable --now weir-sync && sudo systemctl restart weir-sync",
            lang.pick("enrolled at", "已登记到平台"),
            platform,
            lang.pick("its key:", "平台公钥："),
            key,
            lang.pick("written to", "已写入"),
            args.config.display()
        ),
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// What a box needs to come to know a platform.
pub(crate) struct Invited {
    /// Where the platform is.
    pub(crate) url: BaseUrl,
    /// What it gave for this box.
    pub(crate) code: EnrolmentCode,
    /// Under which name it is to stand in `sync.toml`; none: its own.
    pub(crate) name: Option<String>,
    /// A proxy to go through.
    pub(crate) proxy: Option<BaseUrl>,
}

/// A box and a platform that know each other.
pub(crate) struct Known {
    /// The box.
    pub(crate) box_id: BoxId,
    /// The platform's own name.
    pub(crate) platform: PlatformId,
    /// Its key.
    pub(crate) key: PublicKey,
    /// Its name in `sync.toml`.
    pub(crate) destination: String,
}

impl Invited {
    /// Makes both known to each other, and writes whom to trust into `config`. The same again does no harm: the code goes on
    /// letting in the key that used it.
    pub(crate) fn enroll(&self, config: &Path, (state_dir, run_dir): (&Path, &Path)) -> Result<Known, CommandError> {
        let Invited { url, code, name, proxy } = self;
        let (key, box_id) = (own_key(state_dir)?, own_name(state_dir)?);
        // Before the code is used up: whom the box believes is journaled, and nobody but the gateway can do that.
        control::ask(&run_dir.join("gateway.sock"), &json!({"do": "status"})).map_err(CommandError::Control)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(CommandError::Runtime)?;
        let asked = runtime.block_on(enrolment::enrol(url, proxy.as_ref(), code, &box_id, &key));
        let enrolled = asked.map_err(EnrollError::Platform)?;
        let name = name.clone().unwrap_or_else(|| enrolled.platform.to_string());
        let act = Act::Enrolled { platform: enrolled.platform.to_string(), key: enrolled.key.to_bytes() };
        audit::order(run_dir, &act, &url.to_string())?;
        pin(config, &name, url, proxy.as_ref(), &enrolled)?;
        // Where this machine took the place of another one, the platform's word of it is what proves it later.
        for statement in runtime.block_on(enrolment::key_statements(url, proxy.as_ref(), &enrolled)) {
            audit::order(run_dir, &Act::KeyChanged { statement }, &url.to_string())?;
        }
        Ok(Known { box_id, platform: enrolled.platform, key: enrolled.key, destination: name })
    }
}

fn own_key(state_dir: &Path) -> Result<SigningKey, CommandError> {
    Ok(identity::load(&state_dir.join("identity/box.key")).map_err(EnrollError::Key)?)
}

/// The name of the box, which belongs to its journal for good.
pub(crate) fn own_name(state_dir: &Path) -> Result<BoxId, CommandError> {
    let position = Reader::open(&state_dir.join("journal/journal.db")).and_then(|reader| reader.position());
    Ok(BoxId::new(&position.map_err(CommandError::Store)?.box_id).map_err(EnrollError::Name)?)
}

/// The certificate first, then the destination that names it; nothing is written that would be refused.
fn pin(
    config: &Path,
    name: &str,
    url: &BaseUrl,
    proxy: Option<&BaseUrl>,
    enrolled: &Enrolled,
) -> Result<(), EnrollError> {
    let mut file = TomlFile::read(config, MODE).map_err(EnrollError::File)?;
    let ca_name = format!("{name}-ca.pem");
    let item = file.document.entry("destination").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let Item::ArrayOfTables(destinations) = item else { return Err(EnrollError::NotAList(config.into())) };
    let is_it = |table: &Table| table.get("name").and_then(Item::as_str) == Some(name);
    let found = destinations.iter().position(is_it);
    if found.is_none() {
        let mut table = Table::new();
        table.insert("name", value(name));
        destinations.push(table);
    }
    let at = found.unwrap_or(destinations.len() - 1);
    if let Some(table) = destinations.get_mut(at) {
        let settings = [("url", url.to_string()), ("ca_file", ca_name.clone()), ("key", enrolled.key.to_string())];
        for (key, text) in settings.into_iter().chain(proxy.map(|proxy| ("proxy", proxy.to_string()))) {
            table.insert(key, value(text));
        }
    }
    // Its own name goes into a file's name.
    let typed = syncd::layered_with(config, file.document.to_string()).map_err(EnrollError::Config)?;
    let parsed = SyncConfig::of(&typed).map_err(EnrollError::Config)?;
    let path = config.with_file_name(&ca_name);
    let mut named = parsed.destinations.iter().enumerate();
    if let Some((nth, counts)) = named.find(|(_, destination)| destination.name.as_str() == name) {
        let is_ours = [
            ("url", counts.url.to_string() == url.to_string()),
            ("ca_file", counts.ca_file == path),
            ("key", counts.key == enrolled.key),
            (
                "proxy",
                proxy.is_none_or(|proxy| counts.proxy.as_ref().is_some_and(|is| is.to_string() == proxy.to_string())),
            ),
        ];
        if let Some((key, _)) = is_ours.into_iter().find(|(_, is_ours)| !is_ours) {
            let at = typed.spot_in("destination", nth, key);
            return Err(EnrollError::Overridden { at, key, name: name.to_owned() });
        }
    }
    write_certificate(&path, config, &enrolment::pem(&enrolled.certificate))
        .map_err(|source| EnrollError::Certificate { path, source })?;
    let ours = parsed.destinations.iter().find(|destination| destination.name.as_str() == name);
    ours.map(|destination| Transport::new(destination, BestTime::default())).transpose().map_err(EnrollError::Tls)?;
    file.write().map_err(EnrollError::File)
}

/// Whole or not at all, and for those who may read `sync.toml`.
fn write_certificate(path: &Path, like: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("pem.new");
    // Nobody may have prepared a file or a link of this name.
    let _ = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    if let Ok(facts) = fs::metadata(like) {
        fchown(&file, Some(facts.uid()), Some(facts.gid()))?;
    }
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    // Before the file that names it.
    File::open(folder_of(path))?.sync_all()
}

/// An address as people type it.
pub(crate) fn base_url(text: &str) -> Result<BaseUrl, EnrollError> {
    BaseUrl::deserialize(text.into_deserializer()).map_err(EnrollError::Url)
}

/// Has it journaled by which key a platform is believed that was set up by hand.
pub(crate) fn believe(args: &PinArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let PinArgs { platform, key, reason, json } = args;
    let act = Act::Enrolled { platform: platform.to_string(), key: key.to_bytes() };
    let seq = audit::order(run_dir, &act, reason)?;
    let mut out = output::stdout();
    let text = match (json, lang) {
        (true, _) => json!({ "platform": platform, "key": key, "seq": seq }).to_string(),
        (false, Lang::En) => {
            format!(
                "{platform} is believed by this key, journaled as record {seq}; [commands] in gateway.toml says what it may order"
            )
        }
        (false, Lang::Zh) => {
            format!("已登记平台 {platform} 的公钥，记录号 {seq}；允许其下达的指令见 gateway.toml 的 [commands]")
        }
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// Makes a code for a box, beside the running platform.
pub(crate) fn invite(args: &InviteArgs, lang: Lang) -> Result<Exit, CommandError> {
    let config = platform::Config::load(&args.config).map_err(CommandError::PlatformConfig)?;
    let box_id = BoxId::new(&args.box_id).map_err(EnrollError::Name)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = UnixMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    let code = platform::invite(&config, &box_id, args.hours, now).map_err(EnrollError::Invite)?;
    let mut out = output::stdout();
    let text = match args.json {
        true => json!({ "box": box_id, "code": code.to_string(), "hours": args.hours }).to_string(),
        false => format!(
            "{}\n# {} {}\nsudo weir identity enroll https://{}/ {code}",
            code,
            lang.pick("on the box, within hours:", "在站点设备上执行，有效小时数："),
            args.hours,
            lang.pick("PLATFORM", "平台地址"),
        ),
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}
