//! The configuration, as the daemons would read it.

use record::ConfigFile;

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::{Changed, Facts, Unseen};
use crate::lang::Lang;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "config.gateway",
        title: words("configuration of the gateway", "采集服务配置"),
        cause: words("the gateway does not start with it", "采集服务无法以此配置启动"),
        cure: words("mend the line that is named", "按提示修改"),
        command: "sudo weir config check {}",
        look: gateway,
    },
    Check {
        id: "config.sync",
        title: words("configuration of the upload daemon", "上传服务配置"),
        cause: words(
            "the upload daemon does not start with it, or there is none",
            "上传服务无法以此配置启动，或尚无配置",
        ),
        cure: words("mend the line that is named; or enroll the box", "按提示修改；或登记本站"),
        command: "sudo weir config check {}",
        look: sync,
    },
    Check {
        id: "config.folders",
        title: words("folders in both files are the same", "两份配置的目录一致"),
        cause: words(
            "the upload daemon or this command looks elsewhere than where the gateway writes",
            "上传服务或本命令使用的目录与采集服务不同",
        ),
        cure: words(
            "give both files one state_dir, or say it with --state-dir",
            "统一 state_dir，或用 --state-dir 指定",
        ),
        command: "weir doctor --state-dir {}",
        look: folders,
    },
    Check {
        id: "config.in_force",
        title: words("files are as the daemons read them", "配置文件均已生效"),
        cause: words("the file was changed, and its daemon has not read it since", "文件修改后服务尚未读取"),
        cure: words("have it read, or take the change back", "使其生效，或撤回修改"),
        command: "weir config diff",
        look: in_force,
    },
    Check {
        id: "config.page",
        title: words("configuration of the page", "页面配置"),
        cause: words("the page does not start with it", "页面无法以此配置启动"),
        cure: words("mend the line that is named", "按提示修改"),
        command: "sudo weir config check {}",
        look: page,
    },
];

fn gateway(facts: &Facts, _: Lang) -> Looked {
    let path = facts.places.config.display().to_string();
    match &facts.setup {
        Ok(_) => Ok(Seen::well(path)),
        Err(Unseen::Failed(why)) => Ok(Seen::unless([Trouble::fault(path, why.clone())], "")),
        Err(Unseen::Missing(_)) => Ok(Seen::unless([Trouble::fault(path.clone(), path)], "")),
        Err(unseen) => Err(unseen.clone()),
    }
}

fn sync(facts: &Facts, lang: Lang) -> Looked {
    let path = facts.places.sync_config.display().to_string();
    match &facts.upload {
        Ok(_) => Ok(Seen::well(path)),
        Err(Unseen::Failed(why)) => Ok(Seen::unless([Trouble::fault(path, why.clone())], "")),
        Err(Unseen::Missing(_)) => {
            let evidence = say!(lang, "there is no {path}: nothing is delivered", "没有 {path}，数据不会上传");
            let command = "sudo weir identity enroll https://PLATFORM/ CODE";
            Ok(Seen::unless([Trouble::note(path, evidence).mended_by(command)], ""))
        }
        Err(unseen) => Err(unseen.clone()),
    }
}

/// Files of a platform that are in force are no change of the box's own.
fn in_force(facts: &Facts, lang: Lang) -> Looked {
    let ordered = facts.gateway.as_ref().is_ok_and(|answered| answered.status.config_of.is_some());
    let changed = facts.changed.as_ref()?.iter().filter(|changed| !ordered || changed.file == ConfigFile::Sync);
    let troubles = changed.map(|Changed { file, path, in_force }| {
        let path = path.display().to_string();
        let evidence = say!(
            lang,
            "{path} was changed, and version {in_force} is in force",
            "{path} 已修改，当前生效的是版本 {in_force}"
        );
        let command = match file {
            ConfigFile::Rules => "sudo weir rules reload --reason TEXT",
            ConfigFile::Gateway | ConfigFile::Devices => "sudo systemctl restart weir-gateway",
            ConfigFile::Sync => "sudo systemctl restart weir-sync",
        };
        Trouble::warning(path, evidence).mended_by(command)
    });
    Ok(Seen::unless(troubles, lang.pick("no file was changed since", "文件此后没有变化")))
}

fn page(facts: &Facts, _: Lang) -> Looked {
    let path = facts.places.config.with_file_name("page.toml").display().to_string();
    match &facts.page {
        Ok(()) => Ok(Seen::well(path)),
        Err(Unseen::Failed(why)) => Ok(Seen::unless([Trouble::warning(path, why.clone())], "")),
        Err(unseen) => Err(unseen.clone()),
    }
}

/// Paths are compared as the file system sees them, where it can.
fn folders(facts: &Facts, lang: Lang) -> Looked {
    let setup = facts.setup.as_ref()?;
    let looked_at = &facts.places.state_dir;
    let wanted = setup.state_dir.display().to_string();
    let others = [Some(looked_at), facts.upload.as_ref().ok().map(|upload| &upload.state_dir)];
    let other = others.into_iter().flatten().find(|other| **other != setup.state_dir);
    let found = other.map(|other| {
        let other = other.display();
        Trouble::warning(
            wanted.clone(),
            say!(
                lang,
                "the gateway writes {wanted}, but {other} is looked at",
                "采集服务写入 {wanted}，但查看的是 {other}"
            ),
        )
    });
    Ok(Seen::unless(found, wanted.clone()))
}
