//! Running other programs.

use std::process::{Command, Stdio};

use crate::error::PackageError;

/// Runs it to its end; what it says goes to standard error, so that standard output is ours alone.
pub(crate) fn run(command: &mut Command) -> Result<(), PackageError> {
    output(command).map(|said| eprint!("{said}"))
}

/// The same, and what it said on standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, PackageError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let ended = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let ended = ended.map_err(|source| PackageError::Start { program: program.clone(), source })?;
    match ended.status.success() {
        true => Ok(String::from_utf8_lossy(&ended.stdout).into_owned()),
        false => Err(PackageError::Ended { program, status: ended.status }),
    }
}
