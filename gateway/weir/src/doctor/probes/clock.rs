//! Who tells the time here.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use journal::Reader;
use record::MonoMs;
use rustix::time::{ClockId, clock_gettime};
use syncd::Known;

use super::board::{entries, text};
use crate::doctor::check::words;
use crate::doctor::facts::{Clock, Fact, Unseen};

/// Files that a time service touches when it has set the clock, or learned how far it runs ahead.
const SET_FILES: [&str; 4] = [
    "run/systemd/timesync/synchronized",
    "var/lib/systemd/timesync/clock",
    "var/lib/chrony/chrony.drift",
    "var/lib/chrony/drift",
];

/// Looks; `root` is where /sys, /run and /etc are.
pub(super) fn look(root: &Path, state_dir: &Path) -> Clock {
    Clock {
        kernel: kernel(),
        rtc: rtc(root),
        set_ms_ago: set_ms_ago(root),
        zone: zone(root),
        known: known(root, state_dir),
    }
}

fn kernel() -> Fact<(bool, u64)> {
    let asked = gatewayd::discipline().ok_or_else(|| Unseen::Denied("adjtimex".into()))?;
    Ok((asked.synchronised, asked.error_ms.into()))
}

fn rtc(root: &Path) -> Fact<String> {
    let folder = root.join("sys/class/rtc");
    let first = entries(&folder).into_iter().find(|name| name.starts_with("rtc"));
    let first = first.ok_or(Unseen::Absent(words("there is none", "没有")))?;
    Ok(text(&folder.join(&first).join("name")).unwrap_or(first))
}

fn set_ms_ago(root: &Path) -> Fact<u64> {
    let age = |path: &&str| {
        let modified = fs::metadata(root.join(path)).ok()?.modified().ok()?;
        // The clock may have been set back since: then it was just now.
        let age = SystemTime::now().duration_since(modified).unwrap_or_default();
        u64::try_from(age.as_millis()).ok()
    };
    let newest = SET_FILES.iter().filter_map(age).min();
    newest.ok_or(Unseen::Absent(words("no time service leaves word of it", "没有时间服务记录校时")))
}

/// Without the link the system is in UTC.
fn zone(root: &Path) -> Fact<String> {
    match fs::read_link(root.join("etc/localtime")) {
        Ok(target) => {
            let target = target.display().to_string();
            Ok(target.split_once("zoneinfo/").map_or(target.clone(), |(_, zone)| zone.to_owned()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(Unseen::of(&error, "/etc/localtime")),
        Err(_) => Ok("UTC".to_owned()),
    }
}

/// The word of the journal, by which the upload daemon judges certificates.
fn known(root: &Path, state_dir: &Path) -> Fact<Known> {
    let boot_id = text(&root.join("proc/sys/kernel/random/boot_id"))?;
    let now = clock_gettime(ClockId::Boottime);
    let mono_ms = now.tv_sec.saturating_mul(1_000).saturating_add(now.tv_nsec / 1_000_000);
    let reader = Reader::open(&state_dir.join("journal/journal.db"));
    let told =
        reader.and_then(|reader| syncd::known_time(&reader, &boot_id, MonoMs(u64::try_from(mono_ms).unwrap_or(0))));
    told.map_err(|error| super::journal::unseen(&error, &state_dir.join("journal/journal.db")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_is_that_of_the_link() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(zone(dir.path()), Ok("UTC".to_owned()));
        fs::create_dir(dir.path().join("etc")).unwrap();
        std::os::unix::fs::symlink("/usr/share/zoneinfo/Asia/Shanghai", dir.path().join("etc/localtime")).unwrap();
        assert_eq!(zone(dir.path()), Ok("Asia/Shanghai".to_owned()));
    }

    #[test]
    fn the_first_hardware_clock_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(rtc(dir.path()), Err(Unseen::Absent(_))));
        let chip = dir.path().join("sys/class/rtc/rtc0");
        fs::create_dir_all(&chip).unwrap();
        fs::write(chip.join("name"), "rtc-ds1307 1-0068\n").unwrap();
        assert_eq!(rtc(dir.path()), Ok("rtc-ds1307 1-0068".to_owned()));
    }
}
