//! `notify.toml`: text to a validated configuration in one step.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::text::Language;
use notify::{CHANNELS_MAX, Ladder, LadderError, Level, Name, Person, QuietHours, Start};
use serde::Deserialize;

use crate::config::UtcOffset;
use crate::{Backoff, Within};

/// Longest file that is read: five levels with twenty people and sixteen channels need 16 kB.
const FILE_BYTES_MAX: u64 = 128 * 1024;

/// Whom to tell, how, and how patiently.
#[derive(Debug, Clone)]
pub struct NotifyConfig {
    /// Who is told first, who next.
    pub ladder: Ladder,
    /// By what.
    pub channels: Vec<ChannelConfig>,
    /// In which language.
    pub language: Language,
    pub(crate) utc_offset: UtcOffset,
}

/// One `[[channel]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    /// Its name in levels, logs and status.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
    /// Where a webhook is; its query is made from the secret.
    #[serde(default)]
    pub url: Option<String>,
    /// A file with the webhook's secrets, readable by its owner alone.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// The certificates, PEM, that the webhook's one must be signed by.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The program, by its whole path.
    #[serde(default)]
    pub program: Option<PathBuf>,
    /// The topic of an MQTT broker.
    #[serde(default)]
    pub topic: Option<String>,
    /// The modem for SMS, by its IMEI, where there are several.
    #[serde(default)]
    pub modem: Option<String>,
}

/// What a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// 企业微信群机器人。
    Wecom,
    /// 钉钉自定义机器人。
    Dingtalk,
    /// A receiver of JSON.
    Json,
    /// A program of the box.
    Exec,
    /// A broker: the object of `Json`, published.
    Mqtt,
    /// 短信，by the box's modem.
    Sms,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum NotifyConfigError {
    /// The file cannot be read.
    #[error("failed to read `{path}` · try: check notify_file in sync.toml, and that weir-sync may read the file")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is no configuration by its size.
    #[error("`{path}` has more than {FILE_BYTES_MAX} bytes · try: check notify_file in sync.toml")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A key is unknown, missing or has a value that does not fit.
    #[error("`{path}` does not say whom to tell · try: correct the line below, then weir config check")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column, key and cause.
        source: toml::de::Error,
    },
    /// The levels do not make a ladder.
    #[error("`{path}` has no ladder that can be climbed · try: correct it, then weir config check")]
    Ladder {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: LadderError,
    },
    /// A level or a start names something that is not there.
    #[error("`{path}` names `{name}`, which is not there · try: add the [[level]] or [[channel]], or correct the name")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name.
        name: Name,
    },
    /// A level is told by SMS and has nobody to send it to, or somebody whose number is none.
    #[error("`{path}`: level `{level}` is told by SMS, and {who} · try: add mobile = \"…\" in digits to its people")]
    Number {
        /// The file.
        path: PathBuf,
        /// The level.
        level: Name,
        /// Who has none.
        who: String,
    },
    /// Two channels, or a channel and a level, have one name.
    #[error("`{path}` has `{name}` twice · try: give each level and channel its own name")]
    NameTwice {
        /// The file.
        path: PathBuf,
        /// The name.
        name: Name,
    },
    /// More channels than one box has.
    #[error("`{path}` has {count} [[channel]] entries, at most {CHANNELS_MAX} are served · try: remove some")]
    TooMany {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
}

/// The file as it stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    language: Language,
    #[serde(default)]
    utc_offset_minutes: UtcOffset,
    quiet_hours: Option<QuietHours>,
    #[serde(default = "repeat_default")]
    repeat_s: Within<1, 86_400>,
    #[serde(default = "repeats_default")]
    repeats_a_day_max: Within<0, 1_000>,
    #[serde(default = "messages_default")]
    messages_a_minute_max: Within<1, 100>,
    #[serde(default = "timeout_default")]
    timeout_s: Within<1, 60>,
    #[serde(default)]
    backoff: Backoff,
    #[serde(default)]
    start: StartNames,
    #[serde(default)]
    level: Vec<LevelConfig>,
    #[serde(default)]
    channel: Vec<ChannelConfig>,
}

/// `[start]`: at which level an alarm begins; without a name at the first.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StartNames {
    low: Option<Name>,
    medium: Option<Name>,
    high: Option<Name>,
    critical: Option<Name>,
}

/// One `[[level]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelConfig {
    name: Name,
    #[serde(default = "wait_default")]
    wait_s: Within<1, 86_400>,
    channels: Vec<Name>,
    #[serde(default)]
    people: Vec<Person>,
}

fn repeat_default() -> Within<1, 86_400> {
    Within::nearest(1_800)
}

fn repeats_default() -> Within<0, 1_000> {
    Within::nearest(12)
}

fn messages_default() -> Within<1, 100> {
    Within::nearest(10)
}

fn timeout_default() -> Within<1, 60> {
    Within::nearest(15)
}

fn wait_default() -> Within<1, 86_400> {
    Within::nearest(900)
}

impl NotifyConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`NotifyConfigError`] by cause.
    pub fn load(path: &Path) -> Result<NotifyConfig, NotifyConfigError> {
        let failed = |source| NotifyConfigError::Read { path: path.into(), source };
        if std::fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
            return Err(NotifyConfigError::TooLarge { path: path.into() });
        }
        NotifyConfig::parse(&std::fs::read_to_string(path).map_err(failed)?, path)
    }

    /// Checks a text; `path` is where it came from, for errors and for relative paths.
    ///
    /// # Errors
    /// As [`NotifyConfig::load`], without the reading.
    pub fn parse(text: &str, path: &Path) -> Result<NotifyConfig, NotifyConfigError> {
        let mut file: File =
            toml::from_str(text).map_err(|source| NotifyConfigError::Parse { path: path.into(), source })?;
        let count = file.channel.len();
        if count > CHANNELS_MAX {
            return Err(NotifyConfigError::TooMany { path: path.into(), count });
        }
        let mut names: BTreeSet<&Name> = file.level.iter().map(|level| &level.name).collect();
        if let Some(twice) = file.channel.iter().find(|channel| !names.insert(&channel.name)) {
            return Err(NotifyConfigError::NameTwice { path: path.into(), name: twice.name.clone() });
        }
        let is_channel = |name: &Name| file.channel.iter().any(|channel| channel.name == *name);
        if let Some(name) = file.level.iter().flat_map(|level| &level.channels).find(|name| !is_channel(name)) {
            return Err(NotifyConfigError::Unknown { path: path.into(), name: name.clone() });
        }
        let level = &file.level;
        if let Some((level, who)) =
            level.iter().find_map(|level| Some((&level.name, unreachable(level, &file.channel)?)))
        {
            return Err(NotifyConfigError::Number { path: path.into(), level: level.clone(), who });
        }
        let ladder = ladder(&mut file, path)?;
        let ladder = ladder.checked().map_err(|source| NotifyConfigError::Ladder { path: path.into(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for channel in &mut file.channel {
            for file in [&mut channel.secret_file, &mut channel.ca_file].into_iter().flatten() {
                *file = folder.join(&*file);
            }
        }
        let File { channel: channels, language, utc_offset_minutes: utc_offset, .. } = file;
        Ok(NotifyConfig { ladder, channels, language, utc_offset })
    }

    /// The people of a level, by its name, and its channels; those of a channel are nobody in particular.
    pub(super) fn target(&self, name: &Name) -> Option<(Vec<Person>, Vec<Name>)> {
        let level = self.ladder.levels.iter().find(|level| level.name == *name);
        let channel = self.channels.iter().find(|channel| channel.name == *name);
        let of_level = level.map(|level| (level.people.clone(), level.channels.clone()));
        of_level.or_else(|| channel.map(|channel| (Vec::new(), vec![channel.name.clone()])))
    }
}

/// Who of a level that is told by SMS has no number that a modem takes.
fn unreachable(level: &LevelConfig, channels: &[ChannelConfig]) -> Option<String> {
    let is_sms = |name: &Name| channels.iter().any(|channel| channel.name == *name && channel.kind == Kind::Sms);
    if !level.channels.iter().any(is_sms) {
        return None;
    }
    let wrong = level.people.iter().find(|person| person.mobile.is_some() && notify::sms::number(person).is_none());
    let nobody = || "nobody in it has a number".to_owned();
    match wrong {
        Some(person) => Some(format!("the mobile of `{}` is no number", person.name)),
        None => level.people.iter().all(|person| person.mobile.is_none()).then(nobody),
    }
}

fn ladder(file: &mut File, path: &Path) -> Result<Ladder, NotifyConfigError> {
    let place = |name: &Option<Name>| match name {
        None => Ok(0),
        Some(name) => {
            let unknown = || NotifyConfigError::Unknown { path: path.into(), name: name.clone() };
            file.level.iter().position(|level| level.name == *name).ok_or_else(unknown)
        }
    };
    let StartNames { low, medium, high, critical } = &file.start;
    let start = Start { low: place(low)?, medium: place(medium)?, high: place(high)?, critical: place(critical)? };
    let level = |LevelConfig { name, wait_s, channels, people }| Level {
        name,
        channels,
        people,
        wait_ms: Within::get(wait_s) * 1_000,
    };
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Ladder {
        levels: std::mem::take(&mut file.level).into_iter().map(level).collect(),
        start,
        repeat_ms: file.repeat_s.get() * 1_000,
        repeats_a_day_max: number(file.repeats_a_day_max.get()),
        quiet: file.quiet_hours,
        messages_a_minute_max: number(file.messages_a_minute_max.get()),
        answer_timeout_ms: file.timeout_s.get() * 1_000,
        backoff: delivery::Backoff { base_ms: file.backoff.base_ms.get(), ceiling_ms: file.backoff.ceiling_ms.get() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str =
        "[[level]]\nname = \"village\"\nchannels = [\"robot\"]\n[[channel]]\nname = \"robot\"\nkind = \"wecom\"\n";

    fn refused(text: &str) -> String {
        let error = NotifyConfig::parse(text, Path::new("/etc/weir/notify.toml")).unwrap_err();
        control::chain(&error)
    }

    #[test]
    fn the_shipped_example_is_valid_and_states_the_defaults() {
        let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/notify.toml"));
        let shipped = NotifyConfig::load(example).unwrap();
        let least = NotifyConfig::parse(LEAST, example).unwrap();
        let of = |config: &NotifyConfig| Ladder {
            levels: Vec::new(),
            start: Start::default(),
            quiet: None,
            ..config.ladder.clone()
        };
        assert_eq!(of(&shipped), of(&least));
        assert_eq!((shipped.language, shipped.utc_offset), (least.language, least.utc_offset));
        assert_eq!(shipped.ladder.levels[0].wait_ms, least.ladder.levels[0].wait_ms);
        assert_eq!(shipped.ladder.levels.len(), 3);
        assert!(
            shipped.channels.iter().all(|channel| channel.secret_file.as_ref().is_none_or(|file| file.is_absolute()))
        );
    }

    #[test]
    fn a_wrong_line_is_named_with_its_cause() {
        for (text, cause) in [
            (format!("colour = 1\n{LEAST}"), "unknown field `colour`"),
            (LEAST.replace("[\"robot\"]", "[\"phone\"]"), "names `phone`"),
            (format!("[start]\nhigh = \"town\"\n{LEAST}"), "names `town`"),
            (LEAST.replace("\"village\"", "\"robot\""), "`robot` twice"),
            (format!("{LEAST}[[channel]]\nname = \"robot\"\nkind = \"json\"\n"), "`robot` twice"),
            (String::new(), "0 levels"),
            (LEAST.replace("[\"robot\"]", "[]"), "0 channels"),
            (format!("quiet_hours = \"22:00\"\n{LEAST}"), "22:00-06:30"),
            (format!("repeat_s = 0\n{LEAST}"), "1 to 86400"),
            (LEAST.replace("wecom", "fax"), "unknown variant `fax`"),
            (LEAST.replace("wecom", "sms"), "`village` is told by SMS, and nobody in it has a number"),
            (
                LEAST.replace("wecom", "sms").replace(
                    "[[channel]]",
                    "people = [{ name = \"Li\", mobile = \"1380000\" }, { name = \"Wang\", mobile = \"1380000 ext 3\" }]\n[[channel]]",
                ),
                "the mobile of `Wang` is no number",
            ),
            (
                (0..17)
                    .fold(LEAST.to_owned(), |text, n| format!("{text}[[channel]]\nname = \"c{n}\"\nkind = \"json\"\n")),
                "at most 16",
            ),
        ] {
            let told = refused(&text);
            assert!(told.contains(cause), "{told}");
        }
    }
}
