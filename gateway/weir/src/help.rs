//! `--help` in Chinese: the texts of the command line's own definition, each by its English one.
//!
//! `help.zh.txt` has them as pairs of lines, `en` and `zh`; a paragraph's end inside a text is written as `¶`. What is missing
//! there stays English, and a test says so.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::LazyLock;

use clap::{Arg, Command, CommandFactory, FromArgMatches};

use crate::cli::Cli;
use crate::lang::Lang;
use crate::translation;

const TEXTS: &str = include_str!("help.zh.txt");

static CHINESE: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let unfolded = |text: &str| text.replace('¶', "\n\n");
    translation::pairs(TEXTS).map(|(en, zh)| (unfolded(en), unfolded(zh))).collect()
});

/// The command line as it was typed, or help and errors in the language that it, or the locale, asks for.
pub(crate) fn parse(arguments: Vec<OsString>) -> Cli {
    let lang = Lang::choose(named(&arguments));
    let parsed = command(lang).try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.unwrap_or_else(|error| refuse(&error, lang))
}

/// Says what is wrong with the command line, or shows the help that was asked for, and ends.
fn refuse(error: &clap::Error, lang: Lang) -> ! {
    if error.use_stderr() && lang == Lang::Zh {
        eprint!("{}", lang.told(&error.to_string()));
        std::process::exit(error.exit_code())
    }
    error.exit()
}

/// The command line's definition, with all that it says in this language.
pub(crate) fn command(lang: Lang) -> Command {
    match lang {
        Lang::En => Cli::command(),
        Lang::Zh => chinese(Cli::command()),
    }
}

/// What `--lang` says, before anything else is understood.
fn named(arguments: &[OsString]) -> Option<Lang> {
    let texts: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    let after = texts.windows(2).find(|pair| pair[0] == "--lang").map(|pair| pair[1]);
    match after.or_else(|| texts.iter().find_map(|text| text.strip_prefix("--lang=")))? {
        "zh" => Some(Lang::Zh),
        "en" => Some(Lang::En),
        _ => None,
    }
}

fn chinese(mut command: Command) -> Command {
    command.build();
    translated(command)
}

fn translated(command: Command) -> Command {
    let (about, long) = (command.get_about().map(zh), command.get_long_about().map(zh));
    let names: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let template = template(&command);
    let mut command = command.help_template(template).mut_args(translated_argument);
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(long) = long {
        command = command.long_about(long);
    }
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, translated))
}

/// The sections that a command has, under Chinese headings.
fn template(command: &Command) -> String {
    let mut template = "{about-with-newline}\n用法：{usage}\n\n".to_owned();
    if command.get_positionals().next().is_some() {
        template += "参数：\n{positionals}\n\n";
    }
    if command.has_subcommands() {
        template += "命令：\n{subcommands}\n\n";
    }
    template + "选项：\n{options}{after-help}"
}

fn translated_argument(mut argument: Arg) -> Arg {
    let (help, long) = (argument.get_help().map(zh), argument.get_long_help().map(zh));
    if let Some(help) = help {
        argument = argument.help(help);
    }
    if let Some(long) = long {
        argument = argument.long_help(long);
    }
    argument
}

fn zh(english: &clap::builder::StyledStr) -> String {
    let english = english.to_string();
    CHINESE.get(&english).cloned().unwrap_or(english)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every text of the command line that is shown to anybody.
    fn texts(command: &Command, into: &mut BTreeSet<String>) {
        let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
        let of_arguments = shown.flat_map(|argument| [argument.get_help(), argument.get_long_help()]);
        let all = [command.get_about(), command.get_long_about()].into_iter().chain(of_arguments);
        into.extend(all.flatten().map(ToString::to_string));
        command.get_subcommands().filter(|verb| !verb.is_hide_set()).for_each(|verb| texts(verb, into));
    }

    #[test]
    fn every_text_of_help_is_there_in_chinese() {
        let mut command = Cli::command();
        command.build();
        let mut all = BTreeSet::new();
        texts(&command, &mut all);
        let missing: Vec<String> =
            all.iter().filter(|text| !CHINESE.contains_key(*text)).map(|text| text.replace("\n\n", "¶")).collect();
        assert_eq!(missing.join("\n"), "", "help.zh.txt lacks these");
        let unused: Vec<&String> = CHINESE.keys().filter(|text| !all.contains(*text)).collect();
        assert_eq!(unused, Vec::<&String>::new(), "nothing says these any more");
        let is_chinese = |text: &String| text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
        let english: Vec<&String> = CHINESE.values().filter(|text| !is_chinese(text)).collect();
        assert_eq!(english, Vec::<&String>::new());
        assert_eq!(CHINESE.len(), TEXTS.lines().filter(|line| line.starts_with("en ")).count(), "each once");
    }

    #[test]
    fn the_language_is_known_before_the_rest() {
        let check = |line: &str, expected: Option<Lang>| {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(named(&arguments), expected, "{line}");
        };
        check("weir --lang zh --help", Some(Lang::Zh));
        check("weir status --lang=en", Some(Lang::En));
        check("weir --lang", None);
        check("weir --lang fr", None);
    }

    #[test]
    fn help_is_chinese_from_the_headings_to_the_options() {
        let mut command = chinese(Cli::command());
        let help = command.render_help().to_string();
        assert!(help.contains("用法：weir") && help.contains("命令") && help.contains("选项"), "{help}");
        assert!(!help.contains("Usage") && !help.contains("Print help"), "{help}");
        let shelve = command.find_subcommand_mut("alarm").and_then(|alarm| alarm.find_subcommand_mut("shelve"));
        let help = shelve.unwrap().render_help().to_string();
        let (rule, device) = (help.find("规则，见").unwrap(), help.find("  设备\n").unwrap());
        assert!(rule < device && help.contains("参数："), "in the order in which they are typed: {help}");
    }
}
