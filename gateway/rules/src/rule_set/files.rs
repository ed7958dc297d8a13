//! One rule set in several files: `rules.toml`, and one file for each concern in `rules.d`.
//!
//! What counts is the text of all of them behind one another, which is a `rules.toml` of its own: that one text is in force,
//! has a version and a hash, and can be kept, compared and sent like any other.

use toml::de::DeTable;

use super::{RuleSet, RuleSetError};

/// Most files of one rule set.
pub const FILES_MAX: usize = 64;

/// A file of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesFile {
    /// Its path, as errors tell it; in the joined text its last part stands above the file's own.
    pub name: String,
    /// As it stands there.
    pub text: String,
}

/// Why files are no [`RuleSet`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rules `{file}` are refused")]
pub struct RulesFileError {
    /// Which file.
    pub file: String,
    /// What is wrong in it.
    pub source: RuleSetError,
}

impl RuleSet {
    /// Reads and checks the rules of several files together. What holds for all rules (`utc_offset`, `late_s`) stands in the
    /// first one.
    ///
    /// # Errors
    /// [`RulesFileError`] for the first fault, with its file and line.
    pub fn from_files(files: &[RulesFile]) -> Result<RuleSet, RulesFileError> {
        for (nth, file) in files.iter().enumerate() {
            let checked = check_alone(&file.text, nth == 0);
            checked.map_err(|source| RulesFileError { file: file.name.clone(), source })?;
        }
        RuleSet::from_toml(&joined(files)).map_err(|error| placed(files, error))
    }
}

/// The text of all files behind one another, each below its name. Of a single file it is that file's text.
pub fn joined(files: &[RulesFile]) -> String {
    files.iter().enumerate().map(part).collect()
}

fn part((nth, file): (usize, &RulesFile)) -> String {
    let text = &file.text;
    if nth == 0 {
        return text.clone();
    }
    // A byte order mark may stand only at the beginning of a text.
    let name = file.name.rsplit('/').next().unwrap_or_default().escape_debug();
    format!("\n# {name}\n{}", text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// What stands before the first `[[rule]]` of a later file would belong to the last rule of the file before.
fn check_alone(text: &str, is_first: bool) -> Result<(), RuleSetError> {
    let table = DeTable::parse(text).map_err(|error| RuleSetError::of_toml(text, &error))?;
    let other = table.get_ref().iter().find(|(key, _)| !is_first && key.get_ref() != "rule");
    let Some((key, _)) = other else { return Ok(()) };
    Err(RuleSetError::Toml {
        line: line_of(text, key.span().start),
        why: format!(
            "`{}` stands outside of a [[rule]]: what holds for all rules stands in the first file, rules.toml",
            key.get_ref()
        ),
    })
}

/// The fault in its own file, with the line there.
fn placed(files: &[RulesFile], mut error: RuleSetError) -> RulesFileError {
    let first_lines = files.iter().enumerate().scan(1, |line, file| {
        let text = part(file);
        let own = *line + if file.0 == 0 { 0 } else { 2 };
        *line += text.matches('\n').count();
        Some(own)
    });
    let first_lines: Vec<usize> = first_lines.collect();
    let place = |line: usize| {
        let nth = first_lines.iter().rposition(|first| *first <= line).unwrap_or(0);
        (nth, line - first_lines.get(nth).map_or(0, |first| first - 1))
    };
    let last = files.len().saturating_sub(1);
    let nth = match &mut error {
        RuleSetError::Toml { line, .. } | RuleSetError::Rule { line, .. } => {
            let (nth, own) = place(*line);
            *line = own;
            nth
        }
        RuleSetError::Duplicate { line, first, .. } => {
            let (nth, own) = place(*line);
            let (other, other_line) = place(first.line);
            *line = own;
            first.line = other_line;
            first.file = (other != nth).then(|| files[other].name.clone());
            nth
        }
        RuleSetError::TooMany { .. } => last,
    };
    RulesFileError { file: files.get(nth).map(|file| file.name.clone()).unwrap_or_default(), source: error }
}

/// The line of a place in a text, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn rule(id: &str) -> String {
        format!(
            "[[rule]]\nid = \"{id}\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 80"
        )
    }

    fn check(texts: &[&str], expected: Expect) {
        let file = |(nth, text): (usize, &&str)| RulesFile { name: format!("{nth}.toml"), text: (*text).to_owned() };
        let files: Vec<RulesFile> = texts.iter().enumerate().map(file).collect();
        let shown = match RuleSet::from_files(&files) {
            Ok(rules) => rules.iter().map(|rule| rule.id.to_string()).collect::<Vec<_>>().join(" "),
            Err(RulesFileError { file, source }) => match std::error::Error::source(&source) {
                Some(why) => format!("{file}: {source}: {why}"),
                None => format!("{file}: {source}"),
            },
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn files_are_one_set_and_a_fault_is_placed_in_its_own() {
        let (a, b) = (rule("a"), rule("b"));
        check(&[&a, "# nothing yet", &b], expect!["a b"]);
        check(&[&format!("late_s = 60\n{a}"), &format!("\u{feff}{b}\n")], expect!["a b"]);
        check(&[], expect![""]);
        check(
            &[&a, "", &format!("\n{a}")],
            expect!["2.toml: line 2: rule `a` stands twice, first at line 1 of `0.toml`: give each its own id"],
        );
        check(
            &[&format!("{a}\n{a}")],
            expect!["0.toml: line 8: rule `a` stands twice, first at line 1: give each its own id"],
        );
        check(
            &[&a, "# who\nlate_s = 60\n"],
            expect![
                "1.toml: line 2: `late_s` stands outside of a [[rule]]: what holds for all rules stands in the first file, rules.toml"
            ],
        );
        // It would be the priority of rule `a`.
        check(
            &[&a, &format!("priority = \"low\"\n{b}")],
            expect![
                "1.toml: line 1: `priority` stands outside of a [[rule]]: what holds for all rules stands in the first file, rules.toml"
            ],
        );
        check(
            &[&a, &b.replace("high", "hihg")],
            expect![
                "1.toml: line 7: unknown key `hihg` of a rule of kind `limit`: it has `id`, `kind`, `devices`, `quantity`, `unit`, `priority`, `tier`, `hours`, `weekdays`, `holidays`, `latched`, `suppress_while`, `sampling`, `sample`, `keep`, `high`, `low`, `deadband`, `on_delay_s`, `off_delay_s`, `cold`"
            ],
        );
        check(
            &[&a, "", &b.replace("high = 80", "")],
            expect![
                "2.toml: line 1: rule `b`: it has neither of `high` and `low`: write one; for both, write two rules"
            ],
        );
        // Open to its end, it would swallow the file behind it.
        check(&["x = '''", &a], expect!["0.toml: line 1: invalid multi-line literal string, expected `'`"]);
    }

    proptest! {
        /// The text of the whole set says the same as its files, wherever it is cut.
        #[test]
        fn the_joined_text_is_the_set(cuts in proptest::collection::vec(0..4_usize, 1..6), ends in any::<bool>()) {
            let mut ids = (0..).map(|n| rule(&format!("r{n}")));
            let end = if ends { "\n" } else { "" };
            let text = |(nth, count): (usize, &usize)| RulesFile {
                name: format!("{nth}.toml"),
                text: format!("# {count}\n{}{end}", ids.by_ref().take(*count).collect::<Vec<_>>().join("\n")),
            };
            let files: Vec<RulesFile> = cuts.iter().enumerate().map(text).collect();
            let set = RuleSet::from_files(&files).unwrap();
            prop_assert_eq!(set.iter().len(), cuts.iter().sum::<usize>());
            prop_assert_eq!(RuleSet::from_toml(&joined(&files)).unwrap(), set);
        }
    }
}
