//! Whether a line is for this login: clap reads it as it does for everybody, and what it read is held against the table.

use std::ffi::OsString;
use std::path::Path;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::Places;
use super::allowed::{Allowed, Takes, allowed, excluded};
use super::refusal::Refusal;
use crate::lang::Lang;
use crate::{check, help};

/// Where the box's own files are: given by sshd's configuration, and by nobody who types.
const PLACES: [&str; 3] = ["config", "sync_config", "config_dir"];
/// What every verb has.
const EVERYWHERE: [&str; 3] = ["lang", "help", "version"];

/// What clap made of a line.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Help, a version, or a mistake, in clap's own words.
    Said(clap::Error),
    /// It may be carried out.
    Granted(Granted),
}

/// A verb that may be carried out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Granted {
    /// Its words.
    pub(super) verb: String,
    /// Names of files that it reads in the inbox.
    pub(super) files: Vec<String>,
    /// Names of files that it makes there.
    pub(super) new_files: Vec<String>,
    /// Options that were not typed: the places, where they are not as installed.
    pub(super) places: Vec<OsString>,
}

/// The command line's definition with all that clap adds to it: options that hold for every verb, and help.
pub(super) fn built(lang: Lang) -> Command {
    let mut command = help::command(lang);
    command.build();
    command
}

/// Reads the words, without the leading `weir`.
///
/// # Errors
/// [`Refusal`], where what clap understood is not for this login.
pub(super) fn judge(command: &Command, words: &[String], places: &Places) -> Result<Verdict, Refusal> {
    if words.iter().any(|word| word == "--") {
        return Err(Refusal::Dashes);
    }
    let read = command.clone().try_get_matches_from(std::iter::once("weir").chain(words.iter().map(String::as_str)));
    let matches = match read {
        Ok(matches) => matches,
        Err(error) => return Ok(Verdict::Said(error)),
    };
    let line = words.join(" ");
    let mut levels: Vec<(&Command, &ArgMatches)> = vec![(command, &matches)];
    let mut verb = Vec::new();
    while let Some((name, below)) = levels.last().copied().and_then(|(_, matches)| matches.subcommand()) {
        let found = levels.last().copied().and_then(|(command, _)| command.find_subcommand(name));
        levels.push((found.ok_or_else(|| Refusal::Verb { line: line.clone(), why: excluded(name) })?, below));
        verb.push(name);
    }
    let verb = verb.join(" ");
    let Some(table) = allowed(&verb) else {
        let why = excluded(&verb);
        return Err(Refusal::Verb { line, why });
    };
    let mut granted = Granted { verb, ..Granted::default() };
    for (command, matches) in &levels {
        for argument in command.get_arguments().filter(|argument| is_typed(argument, matches)) {
            granted.take(table, argument, matches, &line)?;
        }
    }
    if let Some((command, matches)) = levels.last() {
        granted.places = placed(command, matches, places);
    }
    Ok(Verdict::Granted(granted))
}

fn is_typed(argument: &Arg, matches: &ArgMatches) -> bool {
    matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
}

impl Granted {
    /// One argument that was typed.
    fn take(&mut self, table: &Allowed, argument: &Arg, matches: &ArgMatches, line: &str) -> Result<(), Refusal> {
        let id = argument.get_id().as_str();
        if EVERYWHERE.contains(&id) {
            return Ok(());
        }
        let Some((_, takes)) = table.takes.iter().find(|(name, _)| *name == id) else {
            let option = argument.get_long().map_or_else(|| id.to_owned(), |long| format!("--{long}"));
            return Err(Refusal::Option { line: line.to_owned(), option });
        };
        let values = matches.get_raw(id).into_iter().flatten().map(|value| value.to_string_lossy().into_owned());
        match takes {
            Takes::Text => {}
            Takes::File => self.files.extend(values),
            Takes::NewFile => self.new_files.extend(values),
            Takes::FileAlone => {
                for name in values {
                    if !check::stands_alone(Path::new(&name)) {
                        return Err(Refusal::Kind { name });
                    }
                    self.files.push(name);
                }
            }
        }
        Ok(())
    }
}

/// The options that tell the verb where the box's files are. One that goes with nothing that was typed is left out: who looks at a
/// file needs none of the box's.
fn placed(command: &Command, matches: &ArgMatches, places: &Places) -> Vec<OsString> {
    let Some(config_dir) = &places.config_dir else { return Vec::new() };
    let mut options = Vec::new();
    for argument in command.get_arguments().filter(|argument| PLACES.contains(&argument.get_id().as_str())) {
        let is_at_odds = |other: &Arg| {
            let conflicts = command.get_arg_conflicts_with(other);
            is_typed(other, matches) && conflicts.iter().any(|against| against.get_id() == argument.get_id())
        };
        if command.get_arguments().any(is_at_odds) {
            continue;
        }
        let place = match argument.get_id().as_str() {
            "config" => config_dir.join("gateway.toml"),
            "sync_config" => config_dir.join("sync.toml"),
            _ => config_dir.clone(),
        };
        options.extend(argument.get_long().map(|long| format!("--{long}").into()));
        options.push(place.into_os_string());
    }
    options
}

#[cfg(test)]
mod tests {
    use super::super::line::split;
    use super::*;

    fn judged(line: &str) -> Result<Verdict, Refusal> {
        judge(&built(Lang::En), &split(line).unwrap(), &Places::default())
    }

    fn granted(line: &str) -> Granted {
        match judged(line) {
            Ok(Verdict::Granted(granted)) => granted,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn verbs_are_granted_with_the_files_that_they_read_and_make() {
        let check = |line: &str, verb: &str, files: &[&str], new_files: &[&str]| {
            let granted = granted(line);
            assert_eq!(granted.verb, verb);
            assert_eq!((granted.files.join(" "), granted.new_files.join(" ")), (files.join(" "), new_files.join(" ")));
        };
        check("", "", &[], &[]);
        check("status --json --lang zh", "status", &[], &[]);
        check("--lang=zh tail -fn5", "tail", &[], &[]);
        check("config check rules.toml outfall-2.json", "config check", &["rules.toml", "outfall-2.json"], &[]);
        check(
            "rules test a.test.toml --rules b.toml --rules=../c",
            "rules test",
            &["a.test.toml", "b.toml", "../c"],
            &[],
        );
        check("evidence export --alarm 7 -ox.evidence", "evidence export", &[], &["x.evidence"]);
        check("bundle --verify b.tar.gz", "bundle", &["b.tar.gz"], &[]);
    }

    #[test]
    fn places_and_excluded_verbs_are_refused() {
        for line in [
            "--state-dir /x status",
            "status --run-dir=/x",
            "config --config-dir /x check",
            "doctor --config /x",
            "export -o x",
            "metrics --to x",
            "verify --sync-config /x",
        ] {
            assert!(matches!(judged(line), Err(Refusal::Option { .. })), "{line}: {:?}", judged(line));
        }
        for line in [
            "demo",
            "gateway run --config x",
            "device send cod-1 00",
            "device list",
            "login",
            "config apply rules.toml --reason x",
            "device run-codec --within 1 x 00",
        ] {
            assert!(matches!(judged(line), Err(Refusal::Verb { .. })), "{line}: {:?}", judged(line));
        }
        for line in
            ["config check gateway.toml", "config check keys.toml", "config check rules-gateway.toml", "config check x"]
        {
            assert!(matches!(judged(line), Err(Refusal::Kind { .. })), "{line}: {:?}", judged(line));
        }
        assert!(matches!(judged("rules check -- x"), Err(Refusal::Dashes)));
        for line in ["sh", "status --conf /x", "stat", "status x", "help status", "--version"] {
            assert!(matches!(judged(line), Ok(Verdict::Said(_))), "{line}: {:?}", judged(line));
        }
    }

    #[test]
    fn places_are_those_of_the_configuration_of_sshd() {
        let places = Places { config_dir: Some("/srv/weir".into()), ..Places::default() };
        let options = |line: &str| match judge(&built(Lang::En), &split(line).unwrap(), &places) {
            Ok(Verdict::Granted(granted)) => {
                granted.places.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
            }
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(options("status"), "");
        assert_eq!(options("doctor"), "--config /srv/weir/gateway.toml --sync-config /srv/weir/sync.toml");
        assert_eq!(options("config history"), "--config-dir /srv/weir");
        assert_eq!(options("verify"), "--sync-config /srv/weir/sync.toml");
        assert_eq!(options("verify x.evidence"), "", "they conflict");
    }
}
