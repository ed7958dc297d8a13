//! systemd, asked once, for as long as it may take.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::doctor::check::words;
use crate::doctor::facts::{Fact, Services, Unit, Unseen};
use crate::subprocess::{self, SubprocessError};

/// Ours.
const UNITS: [&str; 5] = [
    "weir-gateway.service",
    "weir-sync.service",
    "weir-page.service",
    "weir-gateway.socket",
    "weir-gateway-mqtt.socket",
];
/// Those that set the clock.
const TIME_SERVICES: [&str; 6] = [
    "systemd-timesyncd.service",
    "chrony.service",
    "chronyd.service",
    "ntp.service",
    "ntpsec.service",
    "ptp4l.service",
];
const PROPERTIES: &str = "Id,LoadState,ActiveState,UnitFileState,NRestarts,WatchdogUSec,Result";
/// How long systemd may take to answer. ms.
const ANSWER_MS_MAX: u64 = 1_500;
/// A few kB are expected.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Asks; `root` is where /run is.
pub(super) fn look(root: &Path) -> Fact<Services> {
    if !root.join("run/systemd/system").is_dir() {
        return Err(Unseen::Absent(words("there is no systemd", "没有 systemd")));
    }
    let mut command = Command::new("systemctl");
    command.arg("show").args(UNITS).args(TIME_SERVICES).args(["-p", PROPERTIES]);
    let said = subprocess::output(command, Duration::from_millis(ANSWER_MS_MAX), ANSWER_BYTES_MAX);
    said.map(|text| read(&text)).map_err(|error| match &error {
        SubprocessError::Start(source) => Unseen::of(source, "systemctl"),
        SubprocessError::Late => Unseen::Late,
    })
}

/// Blocks of `Key=value`, an empty line between two units.
fn read(text: &str) -> Services {
    let mut services = Services::default();
    for block in text.split("\n\n") {
        let value = |key: &str| {
            block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default().to_owned()
        };
        if value("LoadState") != "loaded" {
            continue;
        }
        let unit = Unit {
            id: value("Id"),
            unit_file_state: value("UnitFileState"),
            active_state: value("ActiveState"),
            result: value("Result"),
            restarts: value("NRestarts").parse().unwrap_or(0),
            watchdog: !matches!(value("WatchdogUSec").as_str(), "" | "0" | "infinity"),
        };
        if UNITS.contains(&unit.id.as_str()) {
            services.units.push(unit);
        } else if unit.active_state == "active" {
            services.time_services.push(unit.id);
        }
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemctl_shows_is_read() {
        let text = "\
Id=weir-gateway.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNRestarts=7\nWatchdogUSec=1min\nResult=success\n\n\
Id=weir-sync.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\nNRestarts=0\nWatchdogUSec=0\nResult=success\n\n\
Id=weir-gateway.socket\nLoadState=loaded\nActiveState=failed\nUnitFileState=disabled\nResult=resources\n\n\
Id=chrony.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNRestarts=0\nWatchdogUSec=0\nResult=success\n\n\
Id=systemd-timesyncd.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\nNRestarts=0\n";
        let services = read(text);
        assert_eq!(services.time_services, ["chrony.service"]);
        let [gateway, socket] = &services.units[..] else { panic!("{services:?}") };
        assert_eq!((gateway.restarts, gateway.watchdog), (7, true));
        assert_eq!((socket.active_state.as_str(), socket.unit_file_state.as_str()), ("failed", "disabled"));
        assert_eq!((socket.result.as_str(), socket.watchdog), ("resources", false));
    }

    #[test]
    fn without_systemd_nothing_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(look(dir.path()), Err(Unseen::Absent(_))));
    }
}
