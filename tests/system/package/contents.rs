//! The Debian package as Debian's own tools see it: built twice it is the same, lintian finds nothing, and everything that
//! README promises is in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use system_tests::{Answer, build_package, tools};

/// Bytes of the compressed package; README states what it has.
const BYTES_MAX: u64 = 12 * 1024 * 1024;

/// As it is released; built once.
fn released() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build_package(&tools("").join("packages"), &[]))
}

fn dpkg(arguments: &[&str], package: &Path) -> String {
    Answer::of(Command::new("dpkg-deb").args(arguments).arg(package)).exits(0).out
}

/// Rights and owner of each file by its path.
fn contents(package: &Path) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let rights = format!("{} {}", words.next()?, words.next()?);
        Some((words.nth(3)?.trim_start_matches('.').to_owned(), rights))
    };
    dpkg(&["--contents"], package).lines().filter_map(line).collect()
}

#[test]
fn it_is_the_same_whenever_and_wherever_it_is_built() {
    let (one, second) = (released(), tools("").join("packages/again"));
    // Another time, another folder, other rights by default, another language.
    let mut again = Command::new("sh");
    again
        .args(["-c", "umask 077; exec \"$0\" \"$@\""])
        .arg(env!("CARGO"))
        .args(["xtask", "package", "--out"])
        .arg(&second);
    again.arg("--program").arg(system_tests::weir_binary()).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    again.env("LC_ALL", "C").env("TZ", "Asia/Shanghai").env("WEIR_STATE_DIR", "/elsewhere");
    let two = Answer::of(&mut again).exits(0).out;
    assert!(std::fs::read(one).unwrap() == std::fs::read(two.trim()).unwrap(), "try: diffoscope {one:?} {two}");
}

#[test]
fn lintian_finds_nothing() {
    let package = released();
    // Information and pedantry as well; what is overridden says why, in packaging/debian/lintian-overrides.
    let mut lintian = Command::new("lintian");
    lintian.args([
        "--display-info",
        "--pedantic",
        "--fail-on",
        "error,warning",
        "--tag-display-limit",
        "0",
        "--allow-root",
    ]);
    let said = Answer::of(lintian.arg(package).env("LC_ALL", "C.UTF-8"));
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{said:?}");
}

#[test]
fn everything_is_in_its_place() {
    let package = released();
    assert!(package.metadata().unwrap().len() < BYTES_MAX, "{package:?}");
    let found = contents(package);
    let is =
        |path: &str, rights: &str| assert_eq!(found.get(path).map(String::as_str), Some(rights), "{path}: {found:#?}");
    is("/usr/bin/weir", "-rwxr-xr-x root/root");
    for file in [
        "/usr/lib/systemd/system/weir-gateway.service",
        "/usr/lib/systemd/system/weir-gateway.socket",
        "/usr/lib/systemd/system/weir-gateway-mqtt.socket",
        "/usr/lib/systemd/system/weir-sync.service",
        "/usr/lib/systemd/system/weir-page.service",
        "/usr/lib/systemd/system/weir-upgraded.service",
        "/usr/lib/sysusers.d/weir.conf",
        "/usr/lib/tmpfiles.d/weir.conf",
        "/usr/share/polkit-1/rules.d/weir-sms.rules",
        "/usr/share/man/man1/weir.1.gz",
        "/usr/share/man/man1/weir-device-add.1.gz",
        "/usr/share/man/man1/weir-upgrade.1.gz",
        "/usr/share/bash-completion/completions/weir",
        "/usr/share/zsh/vendor-completions/_weir",
        "/usr/share/fish/vendor_completions.d/weir.fish",
        "/usr/share/doc/weir/copyright",
        "/usr/share/doc/weir/changelog.Debian.gz",
        "/usr/share/doc/weir/crates.txt.gz",
        "/usr/share/doc/weir/examples/setup.toml",
        "/usr/share/doc/weir/examples/sshd-technicians.conf",
        "/usr/share/doc/weir/examples/page.toml",
        "/usr/share/doc/weir/examples/upgrade.toml",
        "/usr/share/doc/weir/examples/sync.toml",
        "/usr/share/weir/config/gateway.toml",
    ] {
        is(file, "-rw-r--r-- root/root");
    }
    let stray: Vec<&String> = found.keys().filter(|path| !path.starts_with("/usr/") && path.as_str() != "/").collect();
    assert!(stray.is_empty(), "the rest is made on the box: {stray:?}");
    assert!(found.values().all(|rights| !rights.starts_with("-rw-rw") && rights.ends_with("root/root")), "{found:#?}");

    let depends = dpkg(&["--field"], package);
    let glibc =
        depends.lines().find_map(|line| line.strip_prefix("Depends: libc6 (>= 2.")?.split(')').next()?.parse().ok());
    let glibc: u32 = glibc.unwrap_or_else(|| panic!("{depends}"));
    assert!((17..=36).contains(&glibc), "Debian 12 and Raspberry Pi OS 12 have 2.36: {depends}");
}

#[test]
fn its_pages_and_completions_work() {
    let folder = tempfile::tempdir().unwrap();
    let package = released();
    let extract = Command::new("dpkg-deb").arg("--extract").arg(package).arg(folder.path()).status().unwrap();
    assert!(extract.success());
    let at = |path: &str| folder.path().join(path).display().to_string();
    let page = Answer::of(
        Command::new("man").args(["--warnings", "-l", &at("usr/share/man/man1/weir-tail.1.gz")]).env("MANWIDTH", "80"),
    );
    assert!(page.out.contains("--follow") && page.err.is_empty(), "{page:?}");
    // What bash itself would offer after `weir tail --f`.
    let ask = "source \"$0\"; COMP_WORDS=(weir tail --f); COMP_CWORD=2; _weir weir --f tail; echo \"${COMPREPLY[@]}\"";
    let offered =
        Answer::of(Command::new("bash").args(["-c", ask, &at("usr/share/bash-completion/completions/weir")])).exits(0);
    assert_eq!(offered.out.trim(), "--follow");
}
