//! The kinds of machine that a box may be, as Debian, Rust and GNU spell them.

/// For what a package is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    /// 64-bit PCs.
    Amd64,
    /// Raspberry Pi 3 and newer, with a 64-bit system.
    Arm64,
}

impl Architecture {
    /// Of the machine that this runs on.
    pub(crate) fn here() -> Architecture {
        if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::Amd64 }
    }

    /// By Debian's name.
    pub(crate) fn named(name: &str) -> Option<Architecture> {
        [Architecture::Amd64, Architecture::Arm64].into_iter().find(|architecture| architecture.debian() == name)
    }

    /// As `dpkg --print-architecture` says it.
    pub(crate) fn debian(self) -> &'static str {
        match self {
            Architecture::Amd64 => "amd64",
            Architecture::Arm64 => "arm64",
        }
    }

    /// Rust's target.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Architecture::Amd64 => "x86_64-unknown-linux-gnu",
            Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// A tool of GNU's, `gcc` or `strip`, for this kind of machine; by its plain name where that is the machine at hand.
    pub(crate) fn tool(self, name: &str) -> String {
        match self {
            here if here == Architecture::here() => name.to_owned(),
            Architecture::Amd64 => format!("x86_64-linux-gnu-{name}"),
            Architecture::Arm64 => format!("aarch64-linux-gnu-{name}"),
        }
    }

    /// What runs a program of this kind here, if the machine itself does not.
    pub(crate) fn emulator(self) -> Option<&'static str> {
        match self {
            here if here == Architecture::here() => None,
            Architecture::Amd64 => Some("qemu-x86_64-static"),
            Architecture::Arm64 => Some("qemu-aarch64-static"),
        }
    }
}
