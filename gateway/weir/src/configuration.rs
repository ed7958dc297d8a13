//! `weir config`: what is in force, what was, and changing it so that it can be taken back.

mod args;
mod change;
mod error;
mod kept;
mod shown;
mod template;

use std::io::Write;
use std::path::Path;

use record::{Actor, ConfigFile, Configuring, UnixMs};
use serde_json::json;
use similar::TextDiff;
use versions::{How, Version, VersionId, sha256};

pub(crate) use args::{ConfigArgs, ConfigCommand};
use change::{Change, Changed};
pub(crate) use error::ConfigurationError;
use kept::{Kept, read};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line, table};
use crate::tail::actor;
use crate::{check, rules};

/// Lines around a difference.
const CONTEXT_LINES: usize = 3;

/// `weir config …`
pub(crate) fn run(args: &ConfigArgs, (state_dir, run_dir): (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let kept = Kept::new(&args.config_dir, state_dir);
    match &args.command {
        ConfigCommand::Check { files, json } => check::run(&args.config_dir, files, *json, lang),
        ConfigCommand::Template { template } => template::print(*template),
        ConfigCommand::History { json } => history(&kept, *json, lang),
        ConfigCommand::Show { which, json } => shown::run(&args.config_dir, &kept, *which, *json, lang),
        ConfigCommand::Diff { version } => diff(&kept, *version, lang),
        ConfigCommand::Apply { file, reason } => {
            let (kind, text) = (kind(file)?, read(file)?);
            let change = Change { file: kind, text: &text, how: Configuring::Applied, reason };
            told(&change.carry_out(&kept, run_dir)?, run_dir, lang)
        }
        ConfigCommand::Rollback { version, reason } => {
            let (_, text) = kept.version(*version)?;
            let change = Change { file: version.file, text: &text, how: Configuring::RolledBack, reason };
            told(&change.carry_out(&kept, run_dir)?, run_dir, lang)
        }
    }
}

/// What a file is, by its name.
fn kind(path: &Path) -> Result<ConfigFile, ConfigurationError> {
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let kind = ConfigFile::ALL.into_iter().find(|file| name.contains(file.as_str()));
    // Tests of rules are no rules.
    let kind = kind.filter(|_| !name.ends_with(".test"));
    kind.ok_or_else(|| ConfigurationError::Kind { path: path.to_owned() })
}

/// Says what became of a change, and who has to be started again for it. Rules count at once.
fn told(changed: &Changed, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let Changed { version, seq, put_aside, drop_ins_aside, over } = changed;
    let file = version.file;
    let unit = match file {
        ConfigFile::Gateway | ConfigFile::Devices | ConfigFile::Rules => "weir-gateway",
        ConfigFile::Sync => "weir-sync",
    };
    let reloaded = (file == ConfigFile::Rules).then(|| rules::reload_after(run_dir, *seq));
    let text = match (&reloaded, lang) {
        (Some(Ok(())), Lang::En) => format!("{file} is {version} now, journaled as record {seq}; it is in force"),
        (Some(Ok(())), Lang::Zh) => format!("{file} 已更新为版本 {version}（记录 {seq}），现已生效"),
        (_, Lang::En) => format!(
            "{file} is {version} now, journaled as record {seq}; it counts once {unit} is started again · try: sudo systemctl \
             restart {unit}"
        ),
        (_, Lang::Zh) => format!(
            "{file} 已更新为版本 {version}（记录 {seq}），重启 {unit} 后生效 · try: sudo systemctl restart {unit}"
        ),
    };
    let mut out = output::stdout();
    line(&mut out, &text)?;
    if let Some(Err(error)) = &reloaded {
        let what = lang.pick("it is not in force yet", "尚未生效");
        line(&mut out, &format!("{what}: {}", lang.told(&control::chain(error))))?;
    }
    if let Some(aside) = put_aside {
        let what = lang.pick("what stood there would be refused, and is now in", "原文件会被拒绝，已另存为");
        line(&mut out, &format!("{what} {}", aside.display()))?;
    }
    if let Some(aside) = drop_ins_aside {
        let what = lang.pick(
            "its drop-ins are set aside, so that what runs is this version:",
            "其附加配置已移开，实际运行的即此版本：",
        );
        line(&mut out, &format!("{what} {}", aside.display()))?;
    }
    for drop_in in over {
        let what = lang.pick("this counts over it, as before:", "以下附加配置仍优先生效：");
        line(&mut out, &format!("{what} {} · try: weir config show", drop_in.display()))?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// Lists the kept versions, the newest last; what stands in its file now is marked.
fn history(kept: &Kept, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let mut all: Vec<(Version, bool)> = Vec::new();
    for file in ConfigFile::ALL {
        let stands = kept.text(file)?.map(|text| sha256(&text));
        let versions = kept.versions(file)?;
        let newest = versions.iter().rev().find(|version| version.file == file && Some(version.sha256) == stands);
        let newest = newest.map(Version::id);
        let of_file = versions.iter().filter(|version| version.file == file);
        all.extend(of_file.map(|version| (version.clone(), newest == Some(version.id()))));
    }
    all.sort_by_key(|(version, _)| version.at_ms);
    let mut out = output::stdout();
    if json {
        let shown = all.iter().map(|(version, stands)| {
            json!({
                "version": version.id().to_string(), "sha256": hex::encode(version.sha256), "at_ms": version.at_ms,
                "by": version.by, "reason": version.reason, "how": version.how, "in_place": stands,
            })
        });
        line(&mut out, &json!({ "versions": shown.collect::<Vec<_>>() }).to_string())?;
    } else if all.is_empty() {
        let none = lang.pick(
            "no version is kept yet: each daemon keeps its files once it works",
            "尚无保存的版本：服务正常运行后自动保存",
        );
        line(&mut out, none)?;
    } else {
        let heading = match lang {
            Lang::En => ["version", "kept", "by", "how", "reason"],
            Lang::Zh => ["版本", "保存时间", "操作人", "方式", "理由"],
        };
        let rows = all.iter().map(|(version, stands)| row(version, *stands, lang));
        let rows: Vec<Vec<String>> = [heading.map(str::to_owned).to_vec()].into_iter().chain(rows).collect();
        table(&mut out, &rows)?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

fn row(version: &Version, stands: bool, lang: Lang) -> Vec<String> {
    let how = match version.how {
        How::Found => lang.pick("found at a start", "启动时发现"),
        How::Applied => lang.pick("applied", "应用"),
        How::RolledBack => lang.pick("rolled back", "回退"),
    };
    let mark = if stands { lang.pick(" (in place)", "（当前文件）") } else { "" };
    vec![
        format!("{}{mark}", version.id()),
        output::time(UnixMs(version.at_ms)),
        version.by.map_or_else(|| "-".to_owned(), |uid| actor(&Actor::User(uid), lang)),
        how.to_owned(),
        version.reason.clone(),
    ]
}

/// What changed since this version; without one, since those by which the daemons work.
fn diff(kept: &Kept, version: Option<VersionId>, lang: Lang) -> Result<Exit, CommandError> {
    let mut bases = Vec::new();
    match version {
        Some(id) => bases.push(kept.version(id)?),
        None => {
            for file in ConfigFile::ALL {
                let versions = kept.versions(file)?;
                if let Some(good) = versions.good_of(file) {
                    bases.push((good.clone(), versions.text(good).map_err(ConfigurationError::from)?));
                }
            }
        }
    }
    let mut out = output::stdout();
    let mut is_same = true;
    for (version, base) in bases {
        let stands = kept.text(version.file)?.unwrap_or_default();
        if stands == base {
            continue;
        }
        is_same = false;
        let path = kept.shown_place(version.file);
        let diff = TextDiff::from_lines(&base, &stands);
        let shown =
            diff.unified_diff().context_radius(CONTEXT_LINES).header(&version.id().to_string(), &path).to_string();
        write!(out, "{shown}").map_err(CommandError::output)?;
    }
    if is_same {
        line(&mut out, lang.pick("nothing is different", "没有差异"))?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}
