//! Journal and outbox, by a short look: `weir journal check` and `weir verify` read everything.

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::{Facts, Unseen};
use crate::lang::Lang;

/// A write-ahead log that nobody can empty grows beyond this. Bytes.
const WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The newest signed head may be so many times behind what the configuration says: a flood fills the time between two.
const UNSIGNED_MAX: u64 = 3;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "journal.opens",
        title: words("journal can be read", "日志可读"),
        cause: words("it is not there, damaged, or of another version", "不存在、已损坏或版本不符"),
        cure: words("start the gateway, which saves what can be read", "启动采集服务，它会抢救可读数据"),
        command: "sudo systemctl restart weir-gateway; weir journal check",
        look: opens,
    },
    Check {
        id: "journal.storing",
        title: words("frames are stored", "数据帧正常落盘"),
        cause: words("the disk does not take what sensors send: it is not acknowledged", "磁盘无法写入，数据未被确认"),
        cure: words("see to room and card; sensors send again", "检查空间和存储卡，传感器会重发"),
        command: "df -h /var/lib/weir; journalctl -k -g 'I/O error' -n 20",
        look: storing,
    },
    Check {
        id: "journal.upkeep",
        title: words("upkeep of the journal", "日志维护"),
        cause: words("old data is not thinned and put away as it should", "旧数据未按计划抽稀和归档"),
        cure: words("see what it says", "按提示处理"),
        command: "journalctl -u weir-gateway -p warning -n 20",
        look: upkeep,
    },
    Check {
        id: "journal.salvaged",
        title: words("journal was not damaged", "日志未曾损坏"),
        cause: words(
            "the database was damaged at the last start, and saved as far as it can be read",
            "上次启动时数据库损坏，已抢救",
        ),
        cure: words("see what is lost, then see to the card", "查看损失情况并检查存储卡"),
        command: "weir journal check; weir verify",
        look: salvaged,
    },
    Check {
        id: "journal.quarantine",
        title: words("no damaged files were put aside", "没有隔离的损坏文件"),
        cause: words("they were damaged once; they are kept because they are evidence", "曾经损坏，作为证据保留"),
        cure: words("take a copy to who can read them, then remove them", "复制后交由技术人员处理，再删除"),
        command: "sudo ls -l /var/lib/weir/journal/quarantine",
        look: quarantine,
    },
    Check {
        id: "journal.head",
        title: words("newest signed tree head", "最新签名树头"),
        cause: words(
            "it is not signed with a key of this box: another box's journal, or somebody altered it",
            "签名不属于本站密钥：日志属于他站或被篡改",
        ),
        cure: words("verify everything, and keep a copy", "完整验证并留存副本"),
        command: "weir verify",
        look: head,
    },
    Check {
        id: "journal.signed",
        title: words("newest records are signed", "最新记录已签名"),
        cause: words("no tree head was signed for long", "长时间未生成签名树头"),
        cure: words("see whether the gateway gets on", "检查采集服务是否正常"),
        command: "weir status; journalctl -u weir-gateway -p warning -n 20",
        look: signed,
    },
    Check {
        id: "journal.block",
        title: words("newest block gives its root", "最新数据块校验"),
        cause: words(
            "stored records are not what was stored: a failing card, or somebody altered them",
            "存储的记录与原始不符：存储卡故障或被篡改",
        ),
        cure: words("read everything, back it up, exchange the card", "完整检查并备份，更换存储卡"),
        command: "weir journal check",
        look: block,
    },
    Check {
        id: "journal.wal",
        title: words("write-ahead log of the journal", "日志预写文件"),
        cause: words("some reader holds it open and it cannot be emptied", "有读取者长期占用，无法清空"),
        cure: words("end long exports; the gateway empties it when it starts", "结束长时间导出；重启采集服务可清空"),
        command: "sudo systemctl restart weir-gateway",
        look: wal,
    },
    Check {
        id: "outbox.opens",
        title: words("outbox can be read", "发件箱可读"),
        cause: words("it is damaged or of another version", "已损坏或版本不符"),
        cure: words("start the upload daemon again: what platforms hold is asked for", "重新启动上传服务"),
        command: "sudo systemctl restart weir-sync; journalctl -u weir-sync -n 20",
        look: outbox,
    },
    Check {
        id: "outbox.wal",
        title: words("write-ahead log of the outbox", "发件箱预写文件"),
        cause: words("some reader holds it open and it cannot be emptied", "有读取者长期占用，无法清空"),
        cure: words("the upload daemon empties it when it starts", "重启上传服务可清空"),
        command: "sudo systemctl restart weir-sync",
        look: outbox_wal,
    },
];

fn opens(facts: &Facts, lang: Lang) -> Looked {
    match &facts.journal {
        Ok(journal) => {
            let end = journal.end;
            Ok(Seen::well(say!(lang, "{end} records", "记录 {end} 条")))
        }
        Err(unseen @ (Unseen::Denied(_) | Unseen::Late)) => Err(unseen.clone()),
        Err(unseen) => Ok(Seen::unless([Trouble::fault("", unseen.told(lang))], "")),
    }
}

fn storing(facts: &Facts, lang: Lang) -> Looked {
    let journal = &facts.gateway.as_ref()?.status.journal;
    let commits = journal.commits;
    let found = journal.failing.clone().map(|why| Trouble::fault("", why));
    Ok(Seen::unless(found, say!(lang, "{commits} transactions", "事务 {commits} 次")))
}

fn upkeep(facts: &Facts, lang: Lang) -> Looked {
    let Some(keeping) = &facts.gateway.as_ref()?.status.journal.keeping else {
        return Ok(Seen::well(lang.pick("its first turn has not come yet", "尚未到首次维护时间")));
    };
    let found = keeping.trouble.clone().map(|why| Trouble::warning("", why));
    let (mb, of_mb) = (keeping.bytes / 1_000_000, keeping.bytes_max / 1_000_000);
    Ok(Seen::unless(found, say!(lang, "{mb} of {of_mb} MB", "已用 {mb} MB，上限 {of_mb} MB")))
}

fn salvaged(facts: &Facts, lang: Lang) -> Looked {
    let salvaged = facts.gateway.as_ref()?.status.journal.salvaged.clone();
    Ok(Seen::unless(
        salvaged.map(|what| Trouble::warning("", what)),
        lang.pick("not since the last start", "本次启动以来未损坏"),
    ))
}

fn quarantine(facts: &Facts, lang: Lang) -> Looked {
    let files = facts.journal.as_ref()?.quarantine.as_ref()?;
    let found = (!files.is_empty()).then(|| Trouble::note("", files.join(", ")));
    Ok(Seen::unless(found, lang.pick("none", "没有")))
}

fn head(facts: &Facts, lang: Lang) -> Looked {
    let head = facts.journal.as_ref()?.head.as_ref()?;
    let size = head.size;
    let found = (!head.is_ours).then(|| {
        Trouble::fault("", say!(lang, "the head over {size} records is not ours", "{size} 条记录的树头签名不属于本站"))
    });
    Ok(Seen::unless(found, say!(lang, "over {size} records", "覆盖 {size} 条记录")))
}

fn signed(facts: &Facts, lang: Lang) -> Looked {
    let journal = facts.journal.as_ref()?;
    let signed = journal.head.as_ref().map_or(0, |head| head.size);
    let unsigned = journal.end.saturating_sub(signed);
    let shown = say!(lang, "{unsigned} records since the newest head", "最新树头之后 {unsigned} 条记录");
    let many = unsigned > facts.setup.as_ref()?.checkpoint_records_max.saturating_mul(UNSIGNED_MAX);
    Ok(Seen::unless(many.then(|| Trouble::warning("", shown.clone())), shown))
}

fn block(facts: &Facts, lang: Lang) -> Looked {
    Ok(match facts.journal.as_ref()?.block_holds.as_ref()? {
        None => Seen::well(lang.pick("there is no whole block of 256 records yet", "尚无完整的 256 条数据块")),
        Some(true) => Seen::well(lang.pick("it does", "通过")),
        Some(false) => Seen::unless([Trouble::fault("", lang.pick("another root", "校验根不符"))], ""),
    })
}

fn wal(facts: &Facts, _: Lang) -> Looked {
    Ok(judge_wal(facts.journal.as_ref()?.wal_bytes))
}

fn outbox(facts: &Facts, lang: Lang) -> Looked {
    match &facts.outbox {
        Ok(outbox) => {
            let platforms = outbox.waiting_since_ms.len();
            Ok(Seen::well(say!(lang, "{platforms} platforms lack records", "{platforms} 个平台有待传记录")))
        }
        Err(Unseen::Failed(why)) => Ok(Seen::unless([Trouble::fault("", why.clone())], "")),
        Err(unseen) => Err(unseen.clone()),
    }
}

fn outbox_wal(facts: &Facts, _: Lang) -> Looked {
    Ok(judge_wal(facts.outbox.as_ref()?.wal_bytes))
}

fn judge_wal(bytes: u64) -> Seen {
    let shown = format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
    Seen::unless((bytes > WAL_BYTES_MAX).then(|| Trouble::warning("", shown.clone())), shown)
}
