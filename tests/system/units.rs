//! The units of systemd, as systemd itself judges them: nothing in them is unknown to it, and little is left open.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Tenths; 0 is nothing, 100 everything.
const EXPOSURE_MAX: &str = "15";
/// Of what has dpkg put a package in the place of another one, as root; it listens to nobody.
const UPGRADED_EXPOSURE_MAX: &str = "68";

fn units() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd");
    let mut all: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    assert_eq!(all.len(), 6, "{all:?}");
    all
}

fn analyze(arguments: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze").args(arguments).arg(unit).output().expect("systemd-analyze runs")
}

#[test]
fn no_unit_has_a_setting_that_systemd_does_not_know() {
    for unit in units() {
        let said = String::from_utf8(analyze(&["verify", "--man=no"], &unit).stderr).unwrap();
        // The binary is installed nowhere here.
        let wrong: Vec<&str> = said.lines().filter(|line| !line.contains("/weir is not executable")).collect();
        let ours: Vec<&&str> = wrong.iter().filter(|line| line.contains("weir")).collect();
        assert!(ours.is_empty(), "{}: {ours:#?}", unit.display());
    }
}

#[test]
fn the_services_are_exposed_to_little() {
    let security = |threshold: &str, unit: &Path| {
        let threshold = format!("--threshold={threshold}");
        analyze(&["security", "--offline=true", "--no-pager", &threshold], unit)
    };
    for unit in units().iter().filter(|unit| unit.extension().is_some_and(|kind| kind == "service")) {
        let bound = if unit.ends_with("weir-upgraded.service") { UPGRADED_EXPOSURE_MAX } else { EXPOSURE_MAX };
        let judged = security(bound, unit);
        let text = String::from_utf8_lossy(&judged.stdout);
        assert!(judged.status.success() && text.contains("Overall exposure level"), "{text}");
        assert!(!security("5", unit).status.success(), "it judges");
    }
}

#[test]
fn the_gateway_is_exposed_to_little_with_relays_too() {
    let folder = tempfile::tempdir().unwrap();
    let unit = units().into_iter().find(|unit| unit.ends_with("weir-gateway.service")).unwrap();
    let drop_in = unit.with_file_name("../relays/weir-gateway-relays.conf");
    let both = [&unit, &drop_in].map(|file| std::fs::read_to_string(file).unwrap()).concat();
    let with_relays = folder.path().join("weir-gateway.service");
    std::fs::write(&with_relays, both).unwrap();
    let said = String::from_utf8(analyze(&["verify", "--man=no"], &with_relays).stderr).unwrap();
    let wrong: Vec<&str> =
        said.lines().filter(|line| line.contains("weir") && !line.contains("not executable")).collect();
    assert_eq!(wrong, [] as [&str; 0]);
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let judged = analyze(&["security", "--offline=true", "--no-pager", &threshold], &with_relays);
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
}

#[test]
fn the_gateway_and_the_page_have_no_way_out_of_the_site() {
    for name in ["weir-gateway.service", "weir-page.service"] {
        let unit = units().into_iter().find(|unit| unit.ends_with(name)).unwrap();
        let text = std::fs::read_to_string(unit).unwrap();
        let values = |key: &str| -> Vec<&str> { text.lines().filter_map(|line| line.strip_prefix(key)).collect() };
        assert_eq!(values("IPAddressDeny="), ["any"], "{name}");
        let site = "localhost link-local 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7";
        assert_eq!(values("IPAddressAllow="), [site], "{name}");
    }
}

#[test]
fn the_page_may_write_nowhere() {
    let unit = units().into_iter().find(|unit| unit.ends_with("weir-page.service")).unwrap();
    let text = std::fs::read_to_string(unit).unwrap();
    for key in ["ReadWritePaths=", "StateDirectory=", "RuntimeDirectory=", "CacheDirectory=", "LogsDirectory="] {
        assert!(!text.contains(key), "{key}");
    }
    assert!(text.contains("\nProtectSystem=strict\n") && text.contains("\nUser=weir-page\n"));
}
