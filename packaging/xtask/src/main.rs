//! `cargo xtask`: what developers do with Weir beside building and testing it.
//!
//! **In:** the repository, a built `weir` or a compiler, Debian's `dpkg-deb`. **Out:** `weir_VERSION_ARCH.deb`, whose path is
//! printed.
//!
//! **Deliberately does not know:** what is in Weir. What a package holds is said in [`package`], what its scripts do in
//! `packaging/debian`.

mod architecture;
mod changelog;
mod command;
mod error;
mod package;
mod program;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use architecture::Architecture;
use error::PackageError;
use package::Order;

const USAGE: &str = "\
cargo xtask package [--arch amd64|arm64] [--program FILE] [--version VERSION] [--out DIR] [--uncompressed]

Builds weir_VERSION_ARCH.deb and prints its path. Packed again, the same program makes the same bytes, wherever and whenever;
its time is SOURCE_DATE_EPOCH, or without it that of the last commit.

  --arch ARCH        for what; without it, for this machine. arm64 on amd64 wants, of Debian, gcc-aarch64-linux-gnu,
                     libc6-dev-arm64-cross and qemu-user-static, and Rust's std for aarch64-unknown-linux-gnu
  --program FILE     put this built `weir` in instead of building one
  --version VERSION  another version than the workspace's, with -1 behind it
  --out DIR          where the package goes; without it, target/package
  --uncompressed     sooner made, three times as large: to try it";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                eprintln!("  · {cause}");
                source = cause.source();
            }
            ExitCode::from(if matches!(error, PackageError::Usage(_)) { 2 } else { 1 })
        }
    }
}

#[expect(clippy::print_stdout, reason = "the path is what was asked for")]
fn run() -> Result<(), PackageError> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("package") => {
            println!("{}", package::build(&order(arguments)?)?.display());
            Ok(())
        }
        Some("-h" | "--help") => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(PackageError::Usage(USAGE)),
    }
}

fn order(mut arguments: impl Iterator<Item = String>) -> Result<Order, PackageError> {
    let mut order =
        Order { architecture: Architecture::here(), program: None, version: None, out: None, compressed: true };
    while let Some(name) = arguments.next() {
        if name == "--uncompressed" {
            order.compressed = false;
            continue;
        }
        let value = arguments.next().ok_or(PackageError::Usage(USAGE))?;
        match name.as_str() {
            "--arch" => order.architecture = Architecture::named(&value).ok_or(PackageError::Usage(USAGE))?,
            "--program" => order.program = Some(PathBuf::from(value)),
            "--version" => order.version = Some(value),
            "--out" => order.out = Some(PathBuf::from(value)),
            _ => return Err(PackageError::Usage(USAGE)),
        }
    }
    Ok(order)
}
