//! `changelog.Debian`, out of the fragments in `packaging/changelog.d`.

use std::path::{Path, PathBuf};

use crate::error::{PackageError, file};

/// What a reader wants to know first stands first.
const KINDS: [&str; 3] = [".feature.md", ".change.md", ".fix.md"];
/// Columns, as Debian's tools expect (deb-changelog(5)).
const COLUMNS_MAX: usize = 78;

/// One entry that tells all of them.
///
/// # Errors
/// A fragment that cannot be read, or is of no kind.
pub(crate) fn entry(fragments: &Path, version: &str, maintainer: &str, date: &str) -> Result<String, PackageError> {
    let listed = fragments.read_dir().map_err(file("list", fragments))?;
    let mut paths = listed
        .map(|one| one.map(|one| one.path()))
        .collect::<Result<Vec<PathBuf>, _>>()
        .map_err(file("list", fragments))?;
    paths.sort();
    let mut told = vec![Vec::new(); KINDS.len()];
    for path in paths {
        let kind = KINDS.iter().position(|kind| path.to_string_lossy().ends_with(kind));
        let Some(kind) = kind else { return Err(PackageError::Fragment(path)) };
        told[kind].push(std::fs::read_to_string(&path).map_err(file("read", &path))?);
    }
    let items: String = told.iter().flatten().map(|text| item(text)).collect();
    Ok(format!("weir ({version}) stable; urgency=medium\n\n{items}\n -- {maintainer}  {date}\n"))
}

/// A fragment as one bullet, each paragraph on lines of its own.
fn item(text: &str) -> String {
    let words = |paragraph: &str| paragraph.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<String> = text.trim().split("\n\n").flat_map(|paragraph| wrap(&words(paragraph))).collect();
    lines.iter().enumerate().map(|(nth, line)| format!("  {} {line}\n", if nth == 0 { "*" } else { " " })).collect()
}

/// Lines of at most so many columns, as far as words allow; Chinese has no spaces and stays whole.
fn wrap(words: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= COLUMNS_MAX - 4 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.clone()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_come_first_and_every_fragment_is_told_in_lines_that_fit() {
        let folder = std::env::temp_dir().join(format!("weir-changelog-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let long = "A box that was killed goes on where it was. ".repeat(5);
        std::fs::write(folder.join("a.fix.md"), format!("{long}\n\n断电后继续。\n")).unwrap();
        std::fs::write(folder.join("b.feature.md"), "It is a package.\n").unwrap();
        let told = entry(&folder, "1.0-1", "Weir <weir@weir>", "Thu, 01 Jan 1970 00:00:00 +0000").unwrap();
        assert!(
            told.starts_with("weir (1.0-1) stable; urgency=medium\n\n  * It is a package.\n  * A box that"),
            "{told}"
        );
        assert!(
            told.ends_with("\n    断电后继续。\n\n -- Weir <weir@weir>  Thu, 01 Jan 1970 00:00:00 +0000\n"),
            "{told}"
        );
        assert!(told.lines().all(|line| line.chars().count() <= COLUMNS_MAX && line.trim_end() == line), "{told}");
        std::fs::write(folder.join("c.md"), "?").unwrap();
        assert!(matches!(entry(&folder, "1", "", ""), Err(PackageError::Fragment(_))));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
