//! Room, and the card below it.

use super::super::check::{Check, Looked, Seen, Trouble, Verdict, say, words};
use super::super::facts::Facts;
use crate::lang::Lang;

/// Less room than this, in percent, is soon none.
const FREE_PERCENT_MIN: u64 = 5;
/// With less than this nothing is stored for long.
const FREE_PERCENT_FAULT: u64 = 1;
/// A card that is worn so far should be exchanged at the next visit, tenths.
const LIFE_TENTHS_MAX: u8 = 8;
/// The value of `pre_eol_info` that means normal; 0 is not told.
const PRE_EOL_NORMAL: u8 = 1;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "disk.space",
        title: words("room on the disk", "磁盘空间"),
        cause: words("the disk is nearly full", "磁盘将满"),
        cure: words("see what takes the room, and remove it", "查看占用空间的内容并清理"),
        command: "sudo du -xh -d 3 / | sort -h | tail -n 20",
        look: space,
    },
    Check {
        id: "disk.inodes",
        title: words("inodes", "索引节点"),
        cause: words("too many small files", "小文件过多"),
        cure: words("see which folder has them, and remove them", "查看所在目录并清理"),
        command: "sudo du -x --inodes -d 3 / | sort -n | tail -n 20",
        look: inodes,
    },
    Check {
        id: "disk.writable",
        title: words("file system takes writes", "文件系统可写"),
        cause: words(
            "the kernel mounted it read-only, mostly after an error of the card",
            "文件系统被挂载为只读，通常因存储卡出错",
        ),
        cure: words("look for errors, save the data, exchange the card", "查看错误、备份数据并更换存储卡"),
        command: "journalctl -k -g 'I/O error|EXT4-fs' -n 20",
        look: writable,
    },
    Check {
        id: "disk.budget",
        title: words("room for what the journal may become", "日志预算与磁盘空间"),
        cause: words(
            "journal.bytes_max is more than the disk has: the disk would be full before the budget is",
            "journal.bytes_max 超出磁盘容量，磁盘会先于预算用尽",
        ),
        cure: words("set a smaller journal.bytes_max", "调小 journal.bytes_max"),
        command: "sudoedit /etc/weir/gateway.toml && sudo systemctl restart weir-gateway",
        look: budget,
    },
    Check {
        id: "disk.card_life",
        title: words("wear of the card", "存储卡磨损"),
        cause: words("the card's cells are used up", "存储单元寿命将尽"),
        cure: words("back the box up and exchange the card", "备份后更换存储卡"),
        command: "sudo weir backup /media/stick",
        look: card_life,
    },
    Check {
        id: "disk.errors",
        title: words("errors of the file system", "文件系统错误"),
        cause: words("ext4 has met damaged structures since it was checked last", "自上次检查以来 ext4 发现损坏"),
        cure: words("back the box up, then have it checked at the next start", "备份后在下次启动时检查"),
        command: "sudo touch /forcefsck && sudo reboot",
        look: errors,
    },
];

fn space(facts: &Facts, lang: Lang) -> Looked {
    let space = *facts.storage.as_ref()?.space.as_ref()?;
    let (mb, of_mb) = (space.free_bytes / 1_000_000, space.bytes / 1_000_000);
    let shown = say!(lang, "{mb} of {of_mb} MB are free", "剩余 {mb} MB，共 {of_mb} MB");
    let is_scarce = facts
        .gateway
        .as_ref()
        .is_ok_and(|gateway| gateway.status.journal.keeping.as_ref().is_some_and(|keeping| keeping.scarce));
    let verdict = match space.free_bytes.saturating_mul(100) / space.bytes.max(1) {
        _ if is_scarce => Some(Verdict::Fault),
        0..FREE_PERCENT_FAULT => Some(Verdict::Fault),
        FREE_PERCENT_FAULT..FREE_PERCENT_MIN => Some(Verdict::Warning),
        _ => None,
    };
    let about = facts.places.state_dir.display().to_string();
    Ok(Seen::unless(verdict.map(|verdict| Trouble::new(verdict, about, shown.clone())), shown))
}

fn inodes(facts: &Facts, lang: Lang) -> Looked {
    let space = *facts.storage.as_ref()?.space.as_ref()?;
    if space.inodes == 0 {
        return Ok(Seen::well(lang.pick("as many as there is room", "不限")));
    }
    let (free, all) = (space.free_inodes, space.inodes);
    let shown = say!(lang, "{free} of {all} are free", "剩余 {free}，共 {all}");
    let few = free.saturating_mul(100) / all < FREE_PERCENT_MIN;
    Ok(Seen::unless(few.then(|| Trouble::warning("", shown.clone())), shown))
}

fn writable(facts: &Facts, lang: Lang) -> Looked {
    let space = facts.storage.as_ref()?.space.as_ref()?;
    let about = facts.places.state_dir.display().to_string();
    let found = space.read_only.then(|| Trouble::fault(about, lang.pick("mounted read-only", "以只读方式挂载")));
    Ok(Seen::unless(found, lang.pick("mounted for writing", "可写")))
}

fn budget(facts: &Facts, lang: Lang) -> Looked {
    let space = facts.storage.as_ref()?.space.as_ref()?;
    let setup = facts.setup.as_ref()?;
    let taken = facts.gateway.as_ref().ok().and_then(|gateway| gateway.status.journal.keeping.as_ref());
    let taken_bytes = taken.map_or(0, |keeping| keeping.bytes);
    let (may, has) = (
        setup.journal_bytes_max,
        taken_bytes.saturating_add(space.free_bytes).saturating_sub(setup.disk_reserve_bytes),
    );
    let (may_mb, has_mb) = (may / 1_000_000, has / 1_000_000);
    let shown = say!(lang, "{may_mb} MB allowed, room for {has_mb} MB", "预算 {may_mb} MB，可用 {has_mb} MB");
    Ok(Seen::unless((may > has).then(|| Trouble::note("", shown.clone())), shown))
}

fn card_life(facts: &Facts, lang: Lang) -> Looked {
    let cards = facts.storage.as_ref()?.cards.as_ref()?;
    let shown = |name: &str, tenths: u8, eol: u8| {
        let used = u32::from(tenths) * 10;
        say!(
            lang,
            "{name}: up to {used} % of its life used, spare blocks at stage {eol} of 3",
            "{name}：寿命已用至多 {used}%，备用块等级 {eol}/3"
        )
    };
    let worn = cards.iter().filter(|card| card.life_tenths >= LIFE_TENTHS_MAX || card.pre_eol > PRE_EOL_NORMAL);
    let troubles = worn.map(|card| {
        let verdict = if card.life_tenths > 10 || card.pre_eol > 2 { Verdict::Fault } else { Verdict::Warning };
        Trouble::new(verdict, card.name.clone(), shown(&card.name, card.life_tenths, card.pre_eol))
    });
    let all: Vec<String> = cards.iter().map(|card| shown(&card.name, card.life_tenths, card.pre_eol)).collect();
    Ok(Seen::unless(troubles, all.join("; ")))
}

fn errors(facts: &Facts, lang: Lang) -> Looked {
    let counted = facts.storage.as_ref()?.ext4_errors.as_ref()?;
    let bad = counted.iter().filter(|(_, errors)| *errors > 0);
    let troubles = bad.map(|(device, errors)| {
        Trouble::warning(device.clone(), say!(lang, "{device}: {errors} errors", "{device}：错误 {errors} 次"))
    });
    let devices: Vec<&str> = counted.iter().map(|(device, _)| device.as_str()).collect();
    let names = devices.join(", ");
    Ok(Seen::unless(troubles, say!(lang, "none on {names}", "{names} 无错误")))
}
