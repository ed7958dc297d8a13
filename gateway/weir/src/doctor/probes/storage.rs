//! The file system of the state directory, and the card below it.

use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::board::{entries, text};
use crate::doctor::check::words;
use crate::doctor::facts::{Card, Fact, Space, Storage, Unseen};

/// Looks; `root` is where /sys is.
pub(super) fn look(root: &Path, state_dir: &Path) -> Storage {
    Storage { space: space(state_dir), cards: cards(root), ext4_errors: ext4_errors(root) }
}

fn space(state_dir: &Path) -> Fact<Space> {
    let what = state_dir.display().to_string();
    let stat = statvfs(state_dir).map_err(|error| Unseen::of(&error.into(), &what))?;
    Ok(Space {
        bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        inodes: stat.f_files,
        free_inodes: stat.f_favail,
        read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

/// `life_time` is `0x01 0x02`, `pre_eol_info` is `0x01`; SD cards mostly have neither.
fn cards(root: &Path) -> Fact<Vec<Card>> {
    let blocks = root.join("sys/block");
    let hex = |text: &str| u8::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let card = |name: String| {
        let device = blocks.join(&name).join("device");
        let life = text(&device.join("life_time")).ok()?;
        let life_tenths = life.split_whitespace().filter_map(hex).max()?;
        let pre_eol = text(&device.join("pre_eol_info")).ok().and_then(|text| hex(&text)).unwrap_or(0);
        Some(Card { name, life_tenths, pre_eol })
    };
    let cards: Vec<Card> =
        entries(&blocks).into_iter().filter(|name| name.starts_with("mmcblk")).filter_map(card).collect();
    match cards.is_empty() {
        true => Err(Unseen::Absent(words("no card tells of its wear", "存储卡未提供磨损信息"))),
        false => Ok(cards),
    }
}

fn ext4_errors(root: &Path) -> Fact<Vec<(String, u64)>> {
    let folder = root.join("sys/fs/ext4");
    let counted =
        |name: String| Some((name.clone(), text(&folder.join(name).join("errors_count")).ok()?.parse().ok()?));
    let all: Vec<(String, u64)> = entries(&folder).into_iter().filter_map(counted).collect();
    match all.is_empty() {
        true => Err(Unseen::Absent(words("there is no ext4 file system", "没有 ext4 文件系统"))),
        false => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn cards_and_file_systems_tell_of_their_health() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert!(matches!(cards(root), Err(Unseen::Absent(_))));
        write("sys/block/mmcblk0/device/life_time", "0x03 0x0b\n");
        write("sys/block/mmcblk0/device/pre_eol_info", "0x02\n");
        write("sys/block/mmcblk1/device/name", "an SD card tells nothing");
        assert_eq!(cards(root), Ok(vec![Card { name: "mmcblk0".into(), life_tenths: 11, pre_eol: 2 }]));
        write("sys/fs/ext4/mmcblk0p2/errors_count", "7\n");
        write("sys/fs/ext4/features/batched_discard", "supported\n");
        assert_eq!(ext4_errors(root), Ok(vec![("mmcblk0p2".to_owned(), 7)]));
    }

    #[test]
    fn the_room_of_a_folder_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let space = space(dir.path()).unwrap();
        assert!(space.bytes >= space.free_bytes && !space.read_only, "{space:?}");
        assert!(matches!(super::space(&dir.path().join("nowhere")), Err(Unseen::Missing(_))));
    }
}
