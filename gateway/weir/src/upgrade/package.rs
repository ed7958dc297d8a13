//! What dpkg and systemd are asked, each for as long as it takes: an upgrade is no hurry, and half of one is none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::UpgradeError;

/// Longest part of a program's words that is repeated, in characters.
const SAID_CHARS_MAX: usize = 400;
/// What keeps apt from the version that was taken back: otherwise the next night's upgrade would bring it again.
const PIN: &str = "/etc/apt/preferences.d/weir-rolled-back";
const PIN_MODE: u32 = 0o644;

/// The version, whatever dpkg has done of it: in prerm it no longer calls the package installed.
pub(super) fn version() -> Result<String, UpgradeError> {
    output("dpkg-query", &["--show", "--showformat=${Version}", "weir"])
}

/// The installed version, if the package is there as a whole.
pub(super) fn installed() -> Result<Option<String>, UpgradeError> {
    let status = output("dpkg-query", &["--show", "--showformat=${db:Status-Status}", "weir"])?;
    if status == "installed" { version().map(Some) } else { Ok(None) }
}

/// Makes the installed package into a file again, out of what dpkg knows of it.
pub(super) fn pack(into: &Path) -> Result<(), UpgradeError> {
    let tree = into.with_extension("tree");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| UpgradeError::File { doing: "make", path, source }
    };
    remove_folder(&tree)?;
    let control = tree.join("DEBIAN");
    fs::create_dir_all(&control).map_err(failed(&control))?;
    // Files that an administrator took away, as some images do with documents, are not in the former package either.
    let listed = output("dpkg-query", &["--listfiles", "weir"])?;
    let is_file = |path: &&str| fs::symlink_metadata(path).is_ok_and(|facts| !facts.is_dir());
    let files: Vec<&str> = listed.lines().filter(is_file).collect();
    let to = tree.display().to_string();
    output("cp", &[&["--archive", "--parents", "--target-directory", &to, "--"], &files[..]].concat())?;
    let described = control.join("control");
    fs::write(&described, as_control(&output("dpkg-query", &["--status", "weir"])?)).map_err(failed(&described))?;
    for path in output("dpkg-query", &["--control-path", "weir"])?.lines().map(Path::new) {
        // As weir.postinst.
        let Some(name) = path.extension() else { continue };
        fs::copy(path, control.join(name)).map_err(failed(path))?;
    }
    let unnamed = into.with_extension("new");
    let (from, to) = (tree.display().to_string(), unnamed.display().to_string());
    output("dpkg-deb", &["--root-owner-group", "-Zzstd", "-z1", "--build", &from, &to])?;
    settle(&unnamed, into)?;
    remove_folder(&tree)
}

/// What dpkg says of a package, as it stood in the package.
fn as_control(status: &str) -> String {
    let ours = ["Status:", "Config-Version:"];
    let lines = status.lines().filter(|line| !line.is_empty() && !ours.iter().any(|field| line.starts_with(field)));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Gives a whole file its name; durable afterwards.
pub(super) fn settle(unnamed: &Path, path: &Path) -> Result<(), UpgradeError> {
    let failed = |source| UpgradeError::File { doing: "write", path: path.into(), source };
    fs::File::open(unnamed).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(unnamed, path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

pub(super) fn remove(path: &Path) -> Result<(), UpgradeError> {
    gone(fs::remove_file(path), path)
}

fn remove_folder(path: &Path) -> Result<(), UpgradeError> {
    gone(fs::remove_dir_all(path), path)
}

fn gone(done: io::Result<()>, path: &Path) -> Result<(), UpgradeError> {
    match done {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(UpgradeError::File { doing: "remove", path: path.into(), source })
        }
        _ => Ok(()),
    }
}

/// The program of a package.
pub(super) fn extract_program(package: &Path, to: &Path) -> Result<(), UpgradeError> {
    let scratch = to.with_extension("out");
    remove_folder(&scratch)?;
    let (package, folder) = (package.display().to_string(), scratch.display().to_string());
    output("dpkg-deb", &["--extract", &package, &folder])?;
    settle(&scratch.join("usr/bin/weir"), to)?;
    remove_folder(&scratch)
}

/// Puts its files in the place of those that are there; the daemons go on meanwhile.
pub(super) fn unpack(package: &Path) -> Result<(), UpgradeError> {
    dpkg(&["--force-downgrade", "--unpack", &package.display().to_string()])
}

/// Ends what [`unpack`] began, and starts the daemons again.
pub(super) fn configure() -> Result<(), UpgradeError> {
    dpkg(&["--configure", "weir"])
}

fn dpkg(words: &[&str]) -> Result<(), UpgradeError> {
    // Nobody is there to be asked.
    output("dpkg", &[&["--force-confold"], words].concat()).map(drop)
}

/// apt leaves this version alone until somebody asks for it by name, or installs another one.
pub(super) fn avoid(version: &str) -> Result<(), UpgradeError> {
    let text = format!(
        "# Version {version} was not well on this box and was taken back (weir upgrade). apt does not bring it again by itself;\n\
         # whoever wants it: sudo apt install weir={version}\n\
         Package: weir\nPin: version {version}\nPin-Priority: -1\n"
    );
    let path = PathBuf::from(PIN);
    versions::replace(&path, text.as_bytes(), PIN_MODE).map_err(|source| UpgradeError::File {
        doing: "write",
        path,
        source,
    })
}

/// Somebody installs a version: that ends what was avoided.
pub(super) fn avoid_none() -> Result<(), UpgradeError> {
    remove(Path::new(PIN))
}

pub(super) fn systemctl(words: &[&str]) -> Result<String, UpgradeError> {
    output("systemctl", words)
}

/// What a program says, if it does its work.
fn output(program: &'static str, words: &[&str]) -> Result<String, UpgradeError> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).env("LC_ALL", "C.UTF-8").env("DEBIAN_FRONTEND", "noninteractive");
    // Asked by prerm and postinst, which dpkg gives it to: this is no upgrade by somebody.
    command.env("WEIR_ROLLING_BACK", "1");
    let done = command.output().map_err(|source| UpgradeError::Start { program, source })?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    let skipped = said.chars().count().saturating_sub(SAID_CHARS_MAX);
    let words: String = words.join(" ").chars().take(SAID_CHARS_MAX).collect();
    Err(UpgradeError::Ended { program, words, said: said.chars().skip(skipped).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dpkg_knows_becomes_what_stood_in_the_package() {
        let status = "Package: weir\nStatus: install ok half-configured\nVersion: 1\nConfig-Version: 0\nDescription: a\n b\n .\n c\n\n";
        assert_eq!(as_control(status), "Package: weir\nVersion: 1\nDescription: a\n b\n .\n c\n");
    }

    #[test]
    fn who_does_not_do_it_is_named_with_the_end_of_its_words() {
        let error = output("sh", &["-c", "seq 500 >&2; exit 3"]).unwrap_err().to_string();
        assert!(error.contains("`sh -c") && error.contains(" 499 500 · try: sudo sh"), "{error}");
        assert!(matches!(output("/no/such", &[]), Err(UpgradeError::Start { .. })));
        assert_eq!(output("echo", &["well"]).unwrap(), "well\n");
    }
}
