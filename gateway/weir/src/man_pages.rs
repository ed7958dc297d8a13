//! Man pages and completions, out of the command line's own definition, so that they cannot say anything else than `--help`.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::CommandError;
use crate::exit::Exit;

/// As the programs of Debian's box have it; who uses another shell completes nothing.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// `weir man-pages DIR`: `weir.1` and a page for each verb that is shown, `weir.bash`, `_weir`, `weir.fish`.
///
/// # Errors
/// [`CommandError::Write`].
pub(crate) fn write(to: &Path) -> Result<Exit, CommandError> {
    let failed = |source| CommandError::Write { path: to.into(), source };
    std::fs::create_dir_all(to).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), to).map_err(failed)?;
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut Cli::command(), "weir", to).map_err(failed)?;
    }
    Ok(Exit::Good)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_verb_has_its_page_and_each_shell_its_file() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(folder.path()).unwrap(), Exit::Good);
        let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        let mut pages = 1;
        for verb in Cli::command().get_subcommands() {
            let page = folder.path().join(format!("weir-{}.1", verb.get_name()));
            assert_eq!(page.exists(), !verb.is_hide_set(), "{}", page.display());
            pages += usize::from(page.exists());
        }
        assert!(pages > 10 && text("weir.1").contains("weir\\-tail(1)"), "{}", text("weir.1"));
        assert!(text("weir-identity-enroll.1").contains("sync.toml"));
        for completion in ["weir.bash", "_weir", "weir.fish"] {
            assert!(text(completion).contains("follow"), "{completion} knows the options of weir tail");
        }
    }
}
