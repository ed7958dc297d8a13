//! The program: built for the architecture, stripped, and what it needs of the system.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::architecture::Architecture;
use crate::command::{output, run};
use crate::error::PackageError;

/// Builds `weir` in `target/package`, apart from other builds, with no path of this machine in it: the same bytes come from
/// every folder.
pub(crate) fn build(root: &Path, architecture: Architecture) -> Result<PathBuf, PackageError> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let target = root.join("target/package");
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")))
        .unwrap_or_default();
    // The later one wins: the target folder lies in the root.
    let remapped =
        [(root.display().to_string(), "/weir"), (target.display().to_string(), "/weir/target"), (home, "/cargo")];
    let flags: Vec<String> = remapped.iter().map(|(from, to)| format!("--remap-path-prefix={from}={to}")).collect();
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["build", "--release", "--locked", "--package", "weir"]);
    command.args(["--target", architecture.target(), "--target-dir"]).arg(&target);
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    let triple = architecture.target().to_uppercase().replace('-', "_");
    let compiler = architecture.tool("gcc");
    command.env(format!("CARGO_TARGET_{triple}_LINKER"), &compiler);
    for (name, tool) in [("CC", compiler), ("AR", architecture.tool("ar"))] {
        command.env(format!("{name}_{}", architecture.target().replace('-', "_")), tool);
    }
    // C, too, writes the names of its files into what it asserts.
    let mapped: Vec<String> = remapped.iter().map(|(from, to)| format!("-ffile-prefix-map={from}={to}")).collect();
    command.env(format!("CFLAGS_{}", architecture.target().replace('-', "_")), mapped.join(" "));
    run(&mut command)?;
    Ok(target.join(architecture.target()).join("release/weir"))
}

/// Copies the program without its symbols.
pub(crate) fn strip(program: &Path, to: &Path, architecture: Architecture) -> Result<(), PackageError> {
    let mut command = Command::new(architecture.tool("strip"));
    run(command.args(["--strip-all", "--remove-section=.comment", "--remove-section=.note", "-o"]).arg(to).arg(program))
}

/// Man pages and completions, which the program itself writes.
pub(crate) fn write_manual(program: &Path, to: &Path, architecture: Architecture) -> Result<(), PackageError> {
    let mut command = match architecture.emulator() {
        None => Command::new(program),
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.arg(program);
            command
        }
    };
    // What is set here must not become a default that a man page tells.
    run(command.arg("man-pages").arg(to).env_remove("WEIR_STATE_DIR").env_remove("WEIR_RUN_DIR"))
}

/// The packages that have the libraries which the program is linked with, as `Depends` says it: glibc by the newest version
/// of it that a symbol is of.
pub(crate) fn libraries(program: &Path) -> Result<String, PackageError> {
    let said = output(
        Command::new("readelf").args(["--dynamic", "--version-info", "--wide"]).arg(program).env("LC_ALL", "C"),
    )?;
    let mut needs_gcc = false;
    for line in said.lines().filter(|line| line.contains("(NEEDED)")) {
        let library = line.split(['[', ']']).nth(1).unwrap_or(line);
        match library {
            "libgcc_s.so.1" => needs_gcc = true,
            "libc.so.6" | "libm.so.6" => {}
            loader if loader.starts_with("ld-linux") => {}
            other => return Err(PackageError::Linked { library: other.into() }),
        }
    }
    let versions = said.split("GLIBC_").skip(1).filter_map(|rest| {
        let version = rest.split(|c: char| c != '.' && !c.is_ascii_digit()).next()?;
        let (major, minor) = version.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.split('.').next()?.parse::<u32>().ok()?))
    });
    let (major, minor) = versions.max().ok_or(PackageError::Linked { library: "no glibc".into() })?;
    let gcc = if needs_gcc { ", libgcc-s1" } else { "" };
    Ok(format!("libc6 (>= {major}.{minor}){gcc}"))
}

/// Every crate that is linked in: name, version, licence; one a line, as Cargo.lock holds them.
pub(crate) fn crates(root: &Path, architecture: Architecture) -> Result<String, PackageError> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["tree", "--offline", "--locked", "--package", "weir", "--edges", "normal"]);
    command.args(["--target", architecture.target(), "--prefix", "none", "--format", "{p} · {l}"]);
    let said = output(&mut command)?;
    // Our own have a path behind the version.
    let mut lines: Vec<&str> =
        said.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.contains("(/")).collect();
    lines.sort_unstable();
    lines.dedup();
    Ok(lines.join("\n") + "\n")
}
