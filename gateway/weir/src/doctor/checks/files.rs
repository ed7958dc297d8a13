//! Whose files are whose, and who may read them.

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::{Duty, Facts, Unseen, WatchedFile};
use crate::lang::Lang;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "files.rights",
        title: words("rights of folders and databases", "目录和数据库权限"),
        cause: words("others than the two daemons may read or change them", "守护进程以外的用户可读取或修改"),
        cure: words("take the rights away", "收回多余权限"),
        command: "sudo chmod {}",
        look: rights,
    },
    Check {
        id: "files.secrets",
        title: words("rights of keys", "密钥权限"),
        cause: words(
            "others can read a key: who did can speak as this box or as its devices",
            "密钥可被他人读取，读取者可冒充本站或设备",
        ),
        cure: words("close it, and exchange the key if a stranger may have read it", "收回权限；若可能泄露则更换密钥"),
        command: "sudo chmod {}",
        look: secrets,
    },
    Check {
        id: "files.owners",
        title: words("owners of folders and databases", "目录和数据库属主"),
        cause: words(
            "somebody made or copied them as another user, so that a daemon cannot write them",
            "由其他用户创建或复制，守护进程无法写入",
        ),
        cure: words("give them back", "恢复属主"),
        command: "sudo chown {}",
        look: owners,
    },
    Check {
        id: "files.identity",
        title: words("key of the box", "本站密钥"),
        cause: words("the gateway has not started yet, or its key is gone", "采集服务尚未启动过，或密钥丢失"),
        cure: words("start the gateway, which makes it; or put the backup back", "启动采集服务即可生成；或恢复备份"),
        command: "sudo systemctl start weir-gateway",
        look: identity,
    },
];

fn rights(facts: &Facts, lang: Lang) -> Looked {
    judge_rights(facts, Duty::State, lang)
}

fn secrets(facts: &Facts, lang: Lang) -> Looked {
    judge_rights(facts, Duty::Secret, lang)
}

/// The files that are there. That none could be looked at is told as the first of them tells it.
fn there(files: &[WatchedFile]) -> Result<impl Iterator<Item = (&WatchedFile, u32)>, Unseen> {
    let denied = files.iter().find_map(|file| match &file.found {
        Err(unseen @ Unseen::Denied(_)) => Some(unseen.clone()),
        _ => None,
    });
    denied.map_or(Ok(()), Err)?;
    Ok(files.iter().filter_map(|file| Some((file, file.found.as_ref().ok()?.mode))))
}

fn judge_rights(facts: &Facts, duty: Duty, lang: Lang) -> Looked {
    let of_duty: Vec<WatchedFile> = facts.files.as_ref()?.iter().filter(|file| file.duty == duty).cloned().collect();
    let mut troubles = Vec::new();
    let mut count = 0;
    for (file, mode) in there(&of_duty)? {
        count += 1;
        let (path, widest) = (file.path.display(), file.widest);
        if mode & !widest & 0o777 == 0 {
            continue;
        }
        let evidence =
            say!(lang, "{path} has {mode:04o}, at most {widest:04o}", "{path} 为 {mode:04o}，上限 {widest:04o}");
        let about = format!("{widest:04o} {path}");
        troubles.push(match duty {
            Duty::State => Trouble::warning(about, evidence),
            Duty::Secret => Trouble::fault(about, evidence),
        });
    }
    Ok(Seen::unless(troubles, say!(lang, "{count} looked at", "已检查 {count} 项")))
}

fn owners(facts: &Facts, lang: Lang) -> Looked {
    let files = facts.files.as_ref()?;
    if files.iter().all(|file| file.belongs_to.is_none()) {
        return Err(Unseen::Absent(words(
            "there is no user weir: not installed by the package",
            "没有 weir 用户，非软件包安装",
        )));
    }
    let mut troubles = Vec::new();
    let mut count = 0;
    for (file, _) in there(files)? {
        let (Some((user, group)), Ok(found)) = (file.belongs_to, &file.found) else { continue };
        count += 1;
        if found.user == user && found.group == group {
            continue;
        }
        let (path, is_user, is_group) = (file.path.display(), &found.user, &found.group);
        let evidence = say!(
            lang,
            "{path} is {is_user}:{is_group}'s, should be {user}:{group}'s",
            "{path} 属于 {is_user}:{is_group}，应为 {user}:{group}"
        );
        troubles.push(Trouble::fault(format!("{user}:{group} {path}"), evidence));
    }
    Ok(Seen::unless(troubles, say!(lang, "{count} looked at", "已检查 {count} 项")))
}

fn identity(facts: &Facts, _: Lang) -> Looked {
    let files = facts.files.as_ref()?;
    let key = files.iter().find(|file| file.path.ends_with("identity/box.key"));
    let path = facts.places.state_dir.join("identity/box.key").display().to_string();
    match key.map(|key| &key.found) {
        Some(Ok(_)) => Ok(Seen::well(path)),
        Some(Err(unseen @ Unseen::Denied(_))) => Err(unseen.clone()),
        _ => Ok(Seen::unless([Trouble::fault(path.clone(), path)], "")),
    }
}
