//! `weir device add` and `weir device import`.

use std::io::Read;
use std::path::Path;

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use ingest::Finding;
use toml_edit::value;

use super::args::{AddArgs, LinkKind};
use super::error::DeviceError;
use super::files::{Change, DeviceFiles};
use super::section::{self, Section};
use super::{Place, import};
use crate::exit::Exit;

/// Bytes of a new password's randomness: 96 bits, as 24 hex digits that a person can type into a sensor.
const PASSWORD_BYTES: usize = 12;

/// Adds one device. A new MQTT device without keys gets a password, of which the box keeps only the hash.
pub(super) fn add(place: Place<'_>, args: &AddArgs) -> Result<Exit, DeviceError> {
    let keys_text = match args.keys.as_deref() {
        Some("-") => Some(stdin()?),
        Some(path) => Some(section::read(Path::new(path))?),
        None => None,
    };
    let ready = Ready::new(place, args, keys_text.as_deref(), (None, Path::new(".")))?;
    let findings = ready.write()?;
    let Ready { place, password, .. } = ready;
    place.say_findings(&findings)?;
    if let Some(password) = password {
        let text = place.lang.pick("password (shown only now)", "密码（仅显示这一次）");
        place.say(&format!("{text}: {password}"))?;
    }
    place.say_saved(&format!("{} {}", args.name, place.lang.pick("added", "已添加")))
}

/// A device that is put together and not written yet.
pub(crate) struct Ready<'a> {
    place: Place<'a>,
    name: String,
    files: DeviceFiles,
    /// The new password of an MQTT device that came without keys; the box keeps its hash alone.
    pub(crate) password: Option<String>,
}

impl<'a> Ready<'a> {
    /// With the text of its keys, its outfall, and the folder of its codec's file.
    pub(super) fn new(
        place: Place<'a>,
        args: &AddArgs,
        keys_text: Option<&str>,
        (outfall, base): (Option<&str>, &Path),
    ) -> Result<Ready<'a>, DeviceError> {
        let mut section = Section::from_args(args, keys_text)?;
        let password = match section.link == LinkKind::Mqtt && section.keys.is_empty() {
            true => Some(give_password(&mut section)?),
            false => None,
        };
        let mut files = place.open()?;
        section.add_to(&mut files, base)?;
        if let Some(outfall) = outfall {
            files.device(&args.name)?.insert("outfall", value(outfall));
        }
        Ok(Ready { place, name: args.name.clone(), files, password })
    }

    /// Checks the whole table and writes it. Gives what will not work as the device's owner may think.
    pub(crate) fn write(&self) -> Result<Vec<Finding>, DeviceError> {
        self.place.save_new(&self.files, Change::Adds, std::slice::from_ref(&self.name))
    }
}

/// Adds the devices of a CSV file, or none. Codec files are looked for beside it.
pub(super) fn import(place: &Place<'_>, file: &Path) -> Result<Exit, DeviceError> {
    let sections = import::read(file)?;
    let names: Vec<String> = sections.iter().map(|section| section.name.clone()).collect();
    let mut files = place.open()?;
    for section in sections {
        section.add_to(&mut files, file.parent().unwrap_or(Path::new(".")))?;
    }
    let findings = place.save_new(&files, Change::Adds, &names)?;
    place.say_findings(&findings)?;
    place.say_saved(&format!("{} {}", names.len(), place.lang.pick("devices added", "台设备已添加")))
}

fn give_password(section: &mut Section) -> Result<String, DeviceError> {
    let mut random = [0; PASSWORD_BYTES];
    getrandom::fill(&mut random).map_err(DeviceError::Random)?;
    let password = hex::encode(random);
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(DeviceError::Random)?;
    let hashed = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    let hashed = hashed.map_err(|error| DeviceError::Hash { why: error.to_string() })?;
    section.keys.insert("password", value(hashed.to_string()));
    Ok(password)
}

fn stdin() -> Result<String, DeviceError> {
    let mut text = String::new();
    let read = std::io::stdin().take(64 * 1024).read_to_string(&mut text);
    read.map_err(|source| DeviceError::Read { path: "standard input".into(), source })?;
    Ok(text)
}
