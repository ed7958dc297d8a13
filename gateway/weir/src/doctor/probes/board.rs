//! What the kernel shows of the machine in /proc and /sys.

use std::fs;
use std::path::Path;

use crate::doctor::check::words;
use crate::doctor::facts::{Board, Fact, Memory, Unseen};

/// Most entries of a folder of /sys that are looked at.
const ENTRIES_MAX: usize = 64;

/// Looks; `root` is where /proc and /sys are.
pub(super) fn look(root: &Path) -> Board {
    Board {
        throttled: throttled(root),
        temperature_mc: temperature(root),
        memory: memory(root),
        load_hundredths: load(root),
        processors: std::thread::available_parallelism().map_or(1, |count| u64::try_from(count.get()).unwrap_or(1)),
        oom_kills: field(&root.join("proc/vmstat"), "oom_kill"),
    }
}

/// The names in a folder, sorted; none if it is not there.
pub(super) fn entries(folder: &Path) -> Vec<String> {
    let found = fs::read_dir(folder).into_iter().flatten().take(ENTRIES_MAX).flatten();
    let mut names: Vec<String> = found.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// A small file of /proc or /sys.
pub(super) fn text(path: &Path) -> Fact<String> {
    fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .map_err(|error| Unseen::of(&error, &path.display().to_string()))
}

/// The number behind a word at the beginning of a line.
fn field(path: &Path, name: &str) -> Fact<u64> {
    let text = text(path)?;
    let of_line = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next()?.trim_end_matches(':') == name).then(|| words.next()?.parse().ok()).flatten()
    };
    text.lines().find_map(of_line).ok_or_else(|| Unseen::Failed(format!("{} has no {name}", path.display())))
}

/// By the firmware's own word, else by the alarm of its voltage sensor.
fn throttled(root: &Path) -> Fact<u32> {
    let model = text(&root.join("proc/device-tree/model")).unwrap_or_default();
    if !model.contains("Raspberry Pi") {
        return Err(Unseen::Absent(words("this is no Raspberry Pi", "不是树莓派")));
    }
    let of_firmware = [
        "sys/devices/platform/soc/soc:firmware/get_throttled",
        "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",
    ];
    let bits = of_firmware.iter().find_map(|path| {
        let text = text(&root.join(path)).ok()?;
        u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
    });
    if let Some(bits) = bits {
        return Ok(bits);
    }
    let sensors = root.join("sys/class/hwmon");
    for sensor in entries(&sensors).into_iter().map(|name| sensors.join(name)) {
        if text(&sensor.join("name")).as_deref() != Ok("rpi_volt") {
            continue;
        }
        let alarms = entries(&sensor).into_iter().filter(|name| name.ends_with("_lcrit_alarm"));
        let mut raised = alarms.filter_map(|alarm| text(&sensor.join(alarm)).ok());
        // The driver says once and for all that it was so.
        return Ok(if raised.any(|alarm| alarm == "1") { 1 << 16 } else { 0 });
    }
    Err(Unseen::Absent(words("the firmware does not tell", "固件未提供")))
}

fn temperature(root: &Path) -> Fact<i64> {
    let zones = root.join("sys/class/thermal");
    let of_zone = |name: String| text(&zones.join(name).join("temp")).ok()?.parse::<i64>().ok();
    let hottest = entries(&zones).into_iter().filter(|name| name.starts_with("thermal_zone")).filter_map(of_zone).max();
    hottest.ok_or(Unseen::Absent(words("there is no sensor", "没有温度传感器")))
}

fn memory(root: &Path) -> Fact<Memory> {
    let path = root.join("proc/meminfo");
    Ok(Memory { total_kb: field(&path, "MemTotal")?, available_kb: field(&path, "MemAvailable")? })
}

/// `0.52 0.58 0.59 1/391 12345`
fn load(root: &Path) -> Fact<u64> {
    let path = root.join("proc/loadavg");
    let text = text(&path)?;
    let of_word = |word: &str| {
        let (whole, rest) = word.split_once('.')?;
        Some(whole.parse::<u64>().ok()?.saturating_mul(100).saturating_add(rest.get(..2)?.parse().ok()?))
    };
    text.split(' ').nth(2).and_then(of_word).ok_or_else(|| Unseen::Failed(format!("{}: {text}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_pi_tells_of_its_supply() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert!(matches!(throttled(root), Err(Unseen::Absent(why)) if why.en == "this is no Raspberry Pi"));
        write(root, "proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0");
        assert!(matches!(throttled(root), Err(Unseen::Absent(why)) if why.en == "the firmware does not tell"));
        write(root, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n");
        write(root, "sys/class/hwmon/hwmon1/name", "rpi_volt\n");
        write(root, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n");
        assert_eq!(throttled(root), Ok(0));
        write(root, "sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
        assert_eq!(throttled(root), Ok(0x1_0000));
        write(root, "sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n");
        assert_eq!(throttled(root), Ok(0x5_0005), "the firmware knows more");
    }

    #[test]
    fn proc_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        write(root, "proc/meminfo", "MemTotal:        3884000 kB\nMemFree: 9 kB\nMemAvailable:    2000000 kB\n");
        write(root, "proc/loadavg", "0.52 0.58 12.07 1/391 12345\n");
        write(root, "proc/vmstat", "oom_kill_x 4\noom_kill 3\n");
        write(root, "sys/class/thermal/thermal_zone0/temp", "48312\n");
        write(root, "sys/class/thermal/thermal_zone1/temp", "51000\n");
        let board = look(root);
        assert_eq!(board.memory, Ok(Memory { total_kb: 3_884_000, available_kb: 2_000_000 }));
        assert_eq!((board.load_hundredths, board.oom_kills), (Ok(1_207), Ok(3)));
        assert_eq!(board.temperature_mc, Ok(51_000));
    }
}
