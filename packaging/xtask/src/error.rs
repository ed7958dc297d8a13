//! Why there is no package.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why a package was not built.
#[derive(Debug)]
pub(crate) enum PackageError {
    /// Wrong arguments; how it is called.
    Usage(&'static str),
    /// A program does not start.
    Start {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// A program did not do it; it has said why.
    Ended {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// A file or folder.
    File {
        /// What was done to it.
        act: &'static str,
        /// Which one.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// No time to give the files.
    Epoch(String),
    /// The program is linked with something that the package does not ask for.
    Linked {
        /// The library.
        library: String,
    },
    /// A changelog fragment that is of no kind.
    Fragment(PathBuf),
    /// A version that Debian does not take, or none at all.
    Version(String),
}

impl std::fmt::Display for PackageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PackageError::Usage(usage) => write!(f, "wrong usage\n\n{usage}"),
            PackageError::Start { program, .. } => write!(f, "failed to start `{program}` · try: apt-get install it"),
            PackageError::Ended { program, status } => {
                write!(f, "`{program}` ended with {status} · try: what it says above")
            }
            PackageError::File { act, path, .. } => {
                write!(f, "failed to {act} `{}` · try: ls -ld, df -h", path.display())
            }
            PackageError::Epoch(found) => write!(
                f,
                "SOURCE_DATE_EPOCH is `{found}`, no number of seconds since 1970 · try: a git clone, or SOURCE_DATE_EPOCH=$(date +%s)"
            ),
            PackageError::Linked { library } => write!(
                f,
                "the program needs `{library}`, and the package does not say which package has it · try: name it in packaging/xtask/src/program.rs"
            ),
            PackageError::Fragment(path) => write!(
                f,
                "`{}` is no changelog fragment · try: a name that ends in .feature.md, .change.md or .fix.md",
                path.display()
            ),
            PackageError::Version(found) => {
                write!(f, "`{found}` is no version of a package · try: a digit first, then letters, digits, . + ~")
            }
        }
    }
}

impl std::error::Error for PackageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PackageError::Start { source, .. } | PackageError::File { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What was done to which file, for a failure of it.
pub(crate) fn file(act: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> PackageError {
    let path = path.into();
    move |source| PackageError::File { act, path, source }
}
