//! `weir config show`: what counts, and from which file and line each value came.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use control::chain;
use layers::{Layered, Setting};
use serde_json::json;
use versions::VersionId;

use super::kept::Kept;
use super::template::Template;
use crate::bundle::{redacted, redacted_value};
use crate::check;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line, table};

/// A file over which drop-ins count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LayeredFile {
    Gateway,
    Sync,
    Page,
    Platform,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// A file as it counts.
    File(LayeredFile),
    /// The text of a kept version.
    Version(VersionId),
}

impl FromStr for Shown {
    type Err = <VersionId as FromStr>::Err;

    fn from_str(text: &str) -> Result<Shown, Self::Err> {
        let file = LayeredFile::ALL
            .into_iter()
            .find(|file| file.name() == text || file.name().strip_suffix(".toml") == Some(text));
        file.map_or_else(|| text.parse().map(Shown::Version), |file| Ok(Shown::File(file)))
    }
}

impl LayeredFile {
    const ALL: [LayeredFile; 4] = [LayeredFile::Gateway, LayeredFile::Sync, LayeredFile::Page, LayeredFile::Platform];

    fn name(self) -> &'static str {
        match self {
            LayeredFile::Gateway => "gateway.toml",
            LayeredFile::Sync => "sync.toml",
            LayeredFile::Page => "page.toml",
            LayeredFile::Platform => "platform.toml",
        }
    }

    fn read(self, path: &Path) -> Result<Layered, String> {
        match self {
            LayeredFile::Gateway => gatewayd::config::layered(path).map_err(|error| chain(&error)),
            LayeredFile::Sync => syncd::layered(path).map_err(|error| chain(&error)),
            LayeredFile::Page => page::layered(path).map_err(|error| chain(&error)),
            LayeredFile::Platform => platform::layered(path).map_err(|error| chain(&error)),
        }
    }

    /// What counts where no file says otherwise: the lowest layer, which is in the program. What stands in the shipped file as an
    /// example is none of it.
    fn defaults(self) -> Vec<Setting> {
        let (template, examples) = match self {
            LayeredFile::Gateway => (Template::Gateway, "box"),
            LayeredFile::Sync => (Template::Sync, "destination"),
            LayeredFile::Page => (Template::Page, ""),
            LayeredFile::Platform => return Vec::new(),
        };
        let settings = Layered::alone(Path::new(""), template.text().to_owned()).settings().unwrap_or_default();
        settings.into_iter().filter(|one| one.names.first().is_none_or(|name| name != examples)).collect()
    }
}

/// One file as it counts.
struct Counted {
    path: PathBuf,
    drop_ins: Vec<PathBuf>,
    values: Vec<(Setting, bool)>,
    refused: Option<String>,
}

/// [`Exit::Config`] if a file is refused.
pub(super) fn run(
    config_dir: &Path,
    kept: &Kept,
    which: Option<Shown>,
    json: bool,
    lang: Lang,
) -> Result<Exit, CommandError> {
    let files = match which {
        Some(Shown::Version(id)) => return version(kept, id, json),
        Some(Shown::File(file)) => vec![file],
        None => {
            let there = LayeredFile::ALL.into_iter().filter(|file| config_dir.join(file.name()).exists());
            let there: Vec<LayeredFile> = there.collect();
            // Without any, it is said which one is missed.
            if there.is_empty() { vec![LayeredFile::Gateway] } else { there }
        }
    };
    let counted: Vec<Counted> = files.into_iter().map(|file| count(file, &config_dir.join(file.name()))).collect();
    let mut out = output::stdout();
    if json {
        line(&mut out, &json!({ "files": counted.iter().map(Counted::json).collect::<Vec<_>>() }).to_string())?;
    } else {
        counted.iter().try_for_each(|file| file.print(&mut out, lang))?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if counted.iter().any(|file| file.refused.is_some()) { Exit::Config } else { Exit::Good })
}

fn version(kept: &Kept, id: VersionId, json: bool) -> Result<Exit, CommandError> {
    let (_, text) = kept.version(id)?;
    let mut out = output::stdout();
    match json {
        true => line(&mut out, &json!({ "version": id.to_string(), "text": text }).to_string())?,
        false => write!(out, "{text}").map_err(CommandError::output)?,
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

fn count(file: LayeredFile, path: &Path) -> Counted {
    let read = file.read(path).and_then(|typed| {
        let settings = typed.settings().map_err(|error| chain(&error))?;
        Ok((typed.drop_ins().map(Path::to_owned).collect(), settings))
    });
    let (drop_ins, settings) = match read {
        Ok(read) => read,
        Err(why) => {
            let refused = Some(redacted(&why));
            return Counted { path: path.to_owned(), drop_ins: Vec::new(), values: Vec::new(), refused };
        }
    };
    let is_set = |default: &Setting| settings.iter().any(|one| one.key == default.key);
    let defaults: Vec<(Setting, bool)> =
        file.defaults().into_iter().filter(|one| !is_set(one)).map(|one| (one, true)).collect();
    let mut values: Vec<(Setting, bool)> = settings.into_iter().map(|one| (one, false)).chain(defaults).collect();
    for (setting, _) in &mut values {
        setting.value = redacted_value(&setting.names, setting.value.clone());
    }
    values.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
    // A fault is told with its line, which may hold what is cut out above.
    Counted { path: path.to_owned(), drop_ins, values, refused: check::refused(path).map(|why| redacted(&why)) }
}

impl Counted {
    fn json(&self) -> serde_json::Value {
        let values = self.values.iter().map(|(one, is_default)| {
            let (file, at) = if *is_default { (None, None) } else { (Some(&one.path), Some(one.line)) };
            json!({ "key": one.key, "value": one.value, "file": file, "line": at })
        });
        json!({
            "file": self.path, "drop_ins": self.drop_ins, "refused": self.refused, "values": values.collect::<Vec<_>>(),
        })
    }

    fn print(&self, out: &mut impl Write, lang: Lang) -> Result<(), CommandError> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let near = |path: &Path| path.strip_prefix(folder).unwrap_or(path).display().to_string();
        let over: String = self.drop_ins.iter().map(|path| format!(" + {}", near(path))).collect();
        line(out, &format!("{}{over}", self.path.display()))?;
        let heading = match lang {
            Lang::En => ["key", "value", "from"],
            Lang::Zh => ["配置项", "值", "来源"],
        };
        let row = |(one, is_default): &(Setting, bool)| {
            let from = match is_default {
                true => lang.pick("default", "默认值").to_owned(),
                false => format!("{}:{}", near(&one.path), one.line),
            };
            vec![one.key.clone(), one.value.to_string(), from]
        };
        if !self.values.is_empty() {
            let rows: Vec<Vec<String>> =
                [heading.map(str::to_owned).to_vec()].into_iter().chain(self.values.iter().map(row)).collect();
            table(out, &rows)?;
        }
        match &self.refused {
            Some(why) => line(out, &format!("! {}: {}", lang.pick("refused", "拒绝"), lang.told(why))),
            None => Ok(()),
        }
    }
}
