//! A new device as the two files hold it: a section without secrets, and its keys.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, value};

use super::args::{AddArgs, LinkKind};
use super::files::{DeviceFiles, FilesError};
use super::shipped;

/// Names of keys, as `keys.toml` has them. Nothing else is taken into that file.
pub(super) const KEYS: [&str; 10] = [
    "password",
    "app_key",
    "nwk_key",
    "nwk_s_key",
    "app_s_key",
    "f_nwk_s_int_key",
    "s_nwk_s_int_key",
    "nwk_s_enc_key",
    "mac_key",
    "ed25519",
];
/// A codec or keys file of a device, in bytes; larger ones are something else. Twice what a codec may have, so that one
/// that is a little too long is told so.
const FILE_BYTES_MAX: u64 = 512 * 1024;

/// Why a new device could not be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SectionError {
    /// The codec's or keys' file cannot be read.
    #[error("failed to read `{path}` · try: check the path")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It is larger than any codec or key file.
    #[error("`{path}` is larger than {FILE_BYTES_MAX} bytes: is it the right file?")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is not TOML. The line itself is not repeated: it may hold a key.
    #[error("`{path}` is not TOML: {why}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A key of a name that `keys.toml` does not have.
    #[error("`{key}` is no key of a device · known: {}", KEYS.join(", "))]
    UnknownKey {
        /// As written.
        key: String,
    },
    /// `=NAME` names a device that has no codec or is not there.
    #[error("the codec of `{name}` cannot be copied · try: weir device list")]
    NoCodec {
        /// As written.
        name: String,
    },
    /// The files.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// What to add.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) link: LinkKind,
    /// Settings under `[device.LINK]`, in the order in which they are written.
    pub(super) settings: Vec<(&'static str, Item)>,
    /// A file, or `=NAME`.
    pub(super) codec: String,
    /// What goes into `keys.toml`.
    pub(super) keys: Table,
}

impl Section {
    /// As the command line says. `keys_text` is what `--keys` named.
    pub(super) fn from_args(args: &AddArgs, keys_text: Option<&str>) -> Result<Section, SectionError> {
        let mut settings = Vec::new();
        let mut set = |key, text: &Option<String>| settings.extend(text.as_deref().map(|text| (key, value(text))));
        set("version", &args.version);
        set("class", &args.class);
        let (dev_eui, join_eui) = match &args.qr {
            Some(code) => (Some(code.dev_eui.to_string()), Some(code.join_eui.to_string())),
            None => (args.dev_eui.clone(), args.join_eui.clone()),
        };
        set("dev_eui", &dev_eui);
        // ChirpStack alone needs to know where its devices join.
        let join_eui = join_eui.filter(|_| args.link != LinkKind::Chirpstack || args.qr.is_none());
        set("join_eui", &join_eui);
        set("dev_addr", &args.dev_addr);
        set("topic", &args.topic);
        settings.extend(args.id.map(|id| ("id", value(i64::from(id)))));
        if args.adr {
            settings.push(("adr", value(true)));
        }
        let keys = match keys_text {
            Some(text) => keys(Path::new(args.keys.as_deref().unwrap_or("-")), text)?,
            None => Table::new(),
        };
        Ok(Section { name: args.name.clone(), link: args.link, settings, codec: args.codec.clone(), keys })
    }

    /// Puts it into both files, in memory.
    pub(super) fn add_to(self, files: &mut DeviceFiles, base: &Path) -> Result<(), SectionError> {
        let codec = codec(&self.codec, files, base)?;
        let mut link = Table::new();
        self.settings.into_iter().for_each(|(key, item)| drop(link.insert(key, item)));
        let mut device = Table::new();
        device.insert("name", value(&self.name));
        device.insert(self.link.key(), Item::Table(link));
        device.insert("codec", Item::Table(codec));
        Ok(files.add(&self.name, device, self.keys)?)
    }
}

impl LinkKind {
    fn key(self) -> &'static str {
        match self {
            LinkKind::Mqtt => "mqtt",
            LinkKind::Lorawan => "lorawan",
            LinkKind::Serial => "serial",
            LinkKind::Chirpstack => "chirpstack",
        }
    }
}

/// Reads keys, refusing what is none.
fn keys(path: &Path, text: &str) -> Result<Table, SectionError> {
    let document = toml(path, text)?;
    for (key, _) in document.iter() {
        if !KEYS.contains(&key) {
            return Err(SectionError::UnknownKey { key: key.to_owned() });
        }
    }
    Ok(document.into_table())
}

/// The table under `[device.codec]`: of a file, or of another device.
fn codec(codec: &str, files: &mut DeviceFiles, base: &Path) -> Result<Table, SectionError> {
    let mut table = match codec.strip_prefix('=') {
        Some(name) => {
            let copied = files.device(name)?.get("codec").and_then(Item::as_table).cloned();
            copied.ok_or_else(|| SectionError::NoCodec { name: name.to_owned() })?
        }
        None => {
            let path = base.join(codec);
            match shipped::text(codec) {
                Some(text) => toml(&path, text)?.into_table(),
                None => toml(&path, &read(&path)?)?.into_table(),
            }
        }
    };
    forget_place(&mut table);
    Ok(table)
}

/// Whether this is the name of a codec that ships, or a file below `base`.
pub(crate) fn is_codec(codec: &str, base: &Path) -> bool {
    shipped::text(codec).is_some() || base.join(codec).is_file()
}

/// A table is written where it stood in the text that it was read from, unless it forgets that: `[[device.codec.fields]]`
/// would be written among those of the device that it was copied from.
pub(super) fn forget_place(table: &mut Table) {
    table.set_position(None);
    for (_, item) in table.iter_mut() {
        match item {
            Item::Table(inner) => forget_place(inner),
            Item::ArrayOfTables(list) => list.iter_mut().for_each(forget_place),
            Item::None | Item::Value(_) => {}
        }
    }
}

/// Reads a small text file.
pub(super) fn read(path: &Path) -> Result<String, SectionError> {
    let mut text = String::new();
    // Not by the size that the file claims: a device claims none and never ends.
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    read.map_err(|source| SectionError::Read { path: path.into(), source })?;
    match u64::try_from(text.len()) {
        Ok(0..=FILE_BYTES_MAX) => Ok(text),
        _ => Err(SectionError::TooLarge { path: path.into() }),
    }
}

fn toml(path: &Path, text: &str) -> Result<DocumentMut, SectionError> {
    text.parse().map_err(|error: toml_edit::TomlError| SectionError::Toml {
        path: path.into(),
        why: error.message().to_owned(),
    })
}
