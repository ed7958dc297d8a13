//! The file of answers: one for a hundred boxes, read and checked whole before anything is done.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use batch::{BoxId, EnrolmentCode, PlatformId};
use clap::ValueEnum;
use record::{Dossier, OutfallCode, SourceId};
use serde::{Deserialize, Deserializer};
use syncd::BaseUrl;

use crate::device::{AddArgs, LinkKind};
use crate::error::CommandError;
use crate::outfall;

/// Longest file: a hundred boxes with ten devices each have a quarter of it.
const BYTES_MAX: u64 = 1024 * 1024;
/// Most platforms of a box, as sync.toml takes them.
const PLATFORMS_MAX: usize = 16;
/// Why a dossier is registered, unless the file says.
pub(super) const REASON: &str = "weir setup";

/// Why a file of answers cannot be used. No line of it is repeated: it holds codes and keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswersError {
    /// It cannot be read.
    #[error("failed to read `{path}` · try: sudo, or check the path")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It is longer than such a file is.
    #[error("`{path}` has more than {BYTES_MAX} bytes · try: weir config template setup")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is no TOML, or has a key that is none.
    #[error("`{path}`, line {line}: {why} · try: weir config template setup")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What.
        why: String,
    },
    /// Nothing says which box this is.
    #[error("which box this is cannot be told: {why} · try: --box NAME, or a table [box.NAME] called as this machine")]
    NoBox {
        /// What was looked at.
        why: String,
    },
    /// A code is none.
    #[error("the code for platform `{platform}` cannot be read · try: copy it again, or ask for a new one")]
    Code {
        /// The platform.
        platform: String,
        /// The cause.
        source: batch::CodeError,
    },
    /// Codes for platforms that the file does not have.
    #[error("[box.{name}.codes] has `{platform}`, and no [[platform]] has this name · try: weir config template setup")]
    CodeForNobody {
        /// The box.
        name: BoxId,
        /// The platform.
        platform: String,
    },
    /// More than sync.toml takes.
    #[error("{0} platforms are more than the {PLATFORMS_MAX} of one box · try: fewer [[platform]]")]
    TooManyPlatforms(usize),
    /// A device's QR code.
    #[error("device `{device}`: {why}")]
    Qr {
        /// The device.
        device: SourceId,
        /// What is wrong.
        why: String,
    },
}

/// What must not be shown. It can be compared with nothing and printed nowhere.
#[derive(Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswersFile {
    name: Option<BoxId>,
    #[serde(default)]
    platform: Vec<PlatformAnswer>,
    #[serde(default)]
    device: Vec<DeviceAnswer>,
    outfall: Option<OutfallAnswer>,
    #[serde(default, rename = "box")]
    boxes: BTreeMap<BoxId, BoxAnswers>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlatformAnswer {
    name: PlatformId,
    url: BaseUrl,
    proxy: Option<BaseUrl>,
    code: Option<Secret>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoxAnswers {
    #[serde(default)]
    codes: BTreeMap<PlatformId, Secret>,
    #[serde(default)]
    device: Vec<DeviceAnswer>,
    outfall: Option<OutfallAnswer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceAnswer {
    name: SourceId,
    #[serde(deserialize_with = "link")]
    link: LinkKind,
    codec: String,
    outfall: Option<OutfallCode>,
    topic: Option<String>,
    version: Option<String>,
    class: Option<String>,
    qr: Option<Secret>,
    dev_eui: Option<String>,
    join_eui: Option<String>,
    dev_addr: Option<String>,
    id: Option<u16>,
    #[serde(default)]
    keys: BTreeMap<String, Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutfallAnswer {
    file: PathBuf,
    reason: Option<String>,
}

fn link<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LinkKind, D::Error> {
    let text = String::deserialize(deserializer)?;
    LinkKind::from_str(&text, false)
        .map_err(|_| serde::de::Error::custom("link is mqtt, lorawan, serial or chirpstack"))
}

/// Everything that is to become of one box.
pub(super) struct Answers {
    pub(super) name: BoxId,
    pub(super) platforms: Vec<Invitation>,
    pub(super) devices: Vec<NewDevice>,
    pub(super) outfall: Option<NewOutfall>,
}

/// A platform, and what lets the box in; none where it is in already.
pub(super) struct Invitation {
    pub(super) name: Option<String>,
    pub(super) url: BaseUrl,
    pub(super) proxy: Option<BaseUrl>,
    pub(super) code: Option<EnrolmentCode>,
}

/// A device, the text of its keys, and where its codec's file is looked for.
pub(super) struct NewDevice {
    pub(super) add: AddArgs,
    pub(super) keys: Option<String>,
    pub(super) outfall: Option<OutfallCode>,
    pub(super) base: PathBuf,
}

/// An outfall.
pub(super) struct NewOutfall {
    pub(super) dossier: Dossier,
    pub(super) reason: String,
}

/// Reads the answers for one box: the one called so; else the file's only one; else the one that is called as this machine.
pub(super) fn read(path: &Path, asked: Option<&BoxId>, machine: &str) -> Result<Answers, CommandError> {
    let text = text(path).map_err(super::SetupError::from)?;
    let file: AnswersFile = toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(text.len(), |span| span.start);
        let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        super::SetupError::from(AnswersError::Toml { path: path.into(), line, why: error.message().to_owned() })
    })?;
    let base = path.parent().unwrap_or(Path::new("."));
    let (answers, dossier) = resolve(file, asked, machine, base).map_err(super::SetupError::from)?;
    let outfall = dossier.map(|OutfallAnswer { file, reason }| {
        let reason = reason.unwrap_or_else(|| REASON.to_owned());
        outfall::one(&base.join(file)).map(|dossier| NewOutfall { dossier, reason })
    });
    Ok(Answers { outfall: outfall.transpose()?, ..answers })
}

fn text(path: &Path) -> Result<String, AnswersError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text));
    read.map_err(|source| AnswersError::Read { path: path.into(), source })?;
    match u64::try_from(text.len()) {
        Ok(0..=BYTES_MAX) => Ok(text),
        _ => Err(AnswersError::TooLong { path: path.into() }),
    }
}

type Resolved = (Answers, Option<OutfallAnswer>);

fn resolve(file: AnswersFile, asked: Option<&BoxId>, machine: &str, base: &Path) -> Result<Resolved, AnswersError> {
    let AnswersFile { name, platform, device, outfall, mut boxes } = file;
    if platform.len() > PLATFORMS_MAX {
        return Err(AnswersError::TooManyPlatforms(platform.len()));
    }
    let name = which(name, &boxes, asked, machine)?;
    let own = boxes.remove(&name).unwrap_or_default();
    if let Some(stray) = own.codes.keys().find(|code| !platform.iter().any(|platform| platform.name == **code)) {
        return Err(AnswersError::CodeForNobody { name, platform: stray.to_string() });
    }
    let mut codes = own.codes;
    let platforms = platform.into_iter().map(|PlatformAnswer { name, url, proxy, code }| {
        let code = codes.remove(&name).or(code).map(|Secret(text)| text.parse());
        let wrong = |source| AnswersError::Code { platform: name.to_string(), source };
        Ok(Invitation { url, proxy, code: code.transpose().map_err(wrong)?, name: Some(name.to_string()) })
    });
    let platforms = platforms.collect::<Result<_, _>>()?;
    let devices = device.into_iter().chain(own.device).map(|device| device.into_new(base));
    let devices = devices.collect::<Result<_, _>>()?;
    Ok((Answers { name, platforms, devices, outfall: None }, own.outfall.or(outfall)))
}

/// Which box this is.
fn which(
    name: Option<BoxId>,
    boxes: &BTreeMap<BoxId, BoxAnswers>,
    asked: Option<&BoxId>,
    machine: &str,
) -> Result<BoxId, AnswersError> {
    let known = || boxes.keys().map(BoxId::to_string).collect::<Vec<_>>().join(", ");
    if let Some(asked) = asked {
        // A typing error must not become a box of its own.
        return match boxes.contains_key(asked) || (boxes.is_empty() && name.as_ref().is_none_or(|name| name == asked)) {
            true => Ok(asked.clone()),
            false => Err(AnswersError::NoBox { why: format!("there is no [box.{asked}], but {}", known()) }),
        };
    }
    let called = BoxId::new(machine).ok().filter(|called| boxes.contains_key(called));
    name.or(called).ok_or_else(|| {
        let why = format!("this machine is called `{machine}`, and the file has no name and the boxes: {}", known());
        AnswersError::NoBox { why }
    })
}

impl DeviceAnswer {
    fn into_new(self, base: &Path) -> Result<NewDevice, AnswersError> {
        let DeviceAnswer { name, link, codec, outfall, topic, version, class, qr, .. } = self;
        let wrong = |why: crate::device::QrCodeError| AnswersError::Qr { device: name.clone(), why: why.to_string() };
        let qr = qr.map(|Secret(text)| text.parse()).transpose().map_err(wrong)?;
        let keys = (!self.keys.is_empty()).then(|| {
            let table: toml::Table = self.keys.into_iter().map(|(key, Secret(text))| (key, text.into())).collect();
            table.to_string()
        });
        let add = AddArgs {
            name: name.to_string(),
            link,
            codec,
            keys: None,
            qr,
            dev_eui: self.dev_eui,
            join_eui: self.join_eui,
            dev_addr: self.dev_addr,
            version,
            class,
            adr: false,
            topic,
            id: self.id,
        };
        Ok(NewDevice { add, keys, outfall, base: base.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = include_str!("../../../../config/setup.toml");
    const BOXES: &str = "[[platform]]\nname = \"city\"\nurl = \"https://city.example/\"\n\
                         [[device]]\nname = \"cod-1\"\nlink = \"mqtt\"\ncodec = \"senml_json\"\nkeys = { password = \"river-otter-7\" }\n\
                         [box.outfall-1]\n[box.outfall-2]\n[[box.outfall-2.device]]\nname = \"level-1\"\nlink = \"lorawan\"\n\
                         codec = \"cayenne_lpp\"\ndev_eui = \"0011223344556677\"\n";

    fn answers(text: &str, asked: Option<&str>, machine: &str) -> Result<Answers, String> {
        let asked = asked.map(|name| BoxId::new(name).unwrap());
        let file = toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())?;
        let resolved = resolve(file, asked.as_ref(), machine, Path::new("/answers"));
        resolved.map(|(answers, _)| answers).map_err(|error| control::chain(&error))
    }

    #[test]
    fn one_file_serves_many_boxes() {
        let check =
            |asked, machine, expected: Result<(&str, usize), &str>| match (answers(BOXES, asked, machine), expected) {
                (Ok(found), Ok((name, devices))) => {
                    assert_eq!((found.name.to_string().as_str(), found.devices.len()), (name, devices));
                    let keys = found.devices[0].keys.clone().unwrap();
                    assert_eq!(keys, "password = \"river-otter-7\"\n");
                }
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
                (found, _) => panic!("{asked:?} {machine}: {:?}", found.map(|found| found.name)),
            };
        check(Some("outfall-2"), "debian", Ok(("outfall-2", 2)));
        check(None, "outfall-1", Ok(("outfall-1", 1)));
        check(Some("outfall-3"), "outfall-1", Err("there is no [box.outfall-3], but outfall-1, outfall-2"));
        check(None, "debian", Err("this machine is called `debian`"));
    }

    #[test]
    fn what_is_no_answer_is_refused_and_no_secret_repeated() {
        let check = |text: &str, expected: &str| {
            let why = answers(text, None, "x").map(|found| found.name).unwrap_err();
            assert!(why.contains(expected) && !why.contains("otter"), "{why}");
        };
        check("name = \"a\"\nplatfrom = 1\n", "unknown field `platfrom`");
        check("name = \"a b\"\n", "a b");
        let platform =
            "name = \"a\"\n[[platform]]\nname = \"city\"\nurl = \"https://city.example/\"\ncode = \"OTTER-otter\"\n";
        check(platform, "the code for platform `city` cannot be read");
        check("[box.x.codes]\ncity = \"otter\"\n", "no [[platform]] has this name");
        let device = "name = \"a\"\n[[device]]\nname = \"b\"\nlink = \"carrier pigeon\"\ncodec = \"c\"\n";
        check(device, "link is mqtt, lorawan, serial or chirpstack");
    }

    #[test]
    fn the_example_can_be_used() {
        let file: AnswersFile = toml::from_str(FILE).unwrap();
        assert!(file.boxes.len() > 1 && !file.platform.is_empty() && !file.device.is_empty());
        // Its codes are none: they would be somebody's.
        let with = FILE.lines().filter(|line| !line.contains("REPLACE-ME")).collect::<Vec<_>>().join("\n");
        let found = answers(&with, Some("outfall-7"), "debian").unwrap();
        assert_eq!(found.platforms.len(), 2);
    }
}
