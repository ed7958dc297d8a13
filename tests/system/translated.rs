//! What people read in Chinese has no English sentence left in it.

use std::collections::BTreeSet;
use std::process::Command;

use system_tests::{Answer, weir_binary};

use super::answers::{VERBS, WRONG, ask, silent_box, station};

/// Names that are the same in Chinese: of things, protocols, units and files.
const NAMES: &str = include_str!("translated.txt");

/// Words of a text that look English: letters alone, three at least, and no part of a name with digits, dots, dashes or slashes.
/// What stands behind `try:` is to be typed.
fn words(text: &str) -> BTreeSet<String> {
    let names: BTreeSet<&str> = NAMES.split_whitespace().collect();
    let typed = |line: &str| line.split("try:").next().unwrap_or_default().to_owned();
    let lines: Vec<String> = text.lines().map(typed).collect();
    let is_between =
        |letter: char| letter.is_whitespace() || "，。：；（）「」、,;()[]\"'|".contains(letter) || !letter.is_ascii();
    let pieces = lines.iter().flat_map(|line| line.split(is_between));
    let pieces = pieces.map(|piece| piece.trim_matches(|letter: char| ".:!?·-".contains(letter)));
    let is_word = |piece: &&str| piece.len() >= 3 && piece.bytes().all(|byte| byte.is_ascii_alphabetic());
    pieces.filter(is_word).filter(|piece| !names.contains(piece)).map(str::to_owned).collect()
}

#[test]
fn no_verb_answers_in_english_where_chinese_is_asked_for() {
    let world = station();
    let mut found = String::new();
    for verb in VERBS.iter().chain(&["doctor --all", "tail -n 100"]) {
        let answer = ask(&world, "zh", verb);
        let english = &words(&answer.out) | &words(&prose(&answer.err));
        if !english.is_empty() {
            found += &format!("{}: {}\n", verb, english.into_iter().collect::<Vec<_>>().join(" "));
        }
    }
    assert_eq!(found, "", "translate these, or add a name to translated.txt");
}

/// What of a refusal is told and not quoted: without the lines of the file that is wrong, without what was typed or can be
/// typed, and without the names that would be known.
fn prose(text: &str) -> String {
    let is_quoted =
        |line: &&str| line.contains("| ") || ["用法：", "[可用的值："].iter().any(|begin| line.starts_with(begin));
    let told = |line: &str| {
        let outside = line.split('\'').step_by(2).collect::<Vec<_>>().join(" ");
        let known = outside.split("已知：").next().unwrap_or_default().to_owned();
        known.split(' ').filter(|word| !word.starts_with("--")).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(str::trim_start).filter(|line| !is_quoted(line)).map(told).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_mistake_is_told_in_english_where_chinese_is_asked_for() {
    let world = silent_box();
    let mut found = String::new();
    for verb in WRONG {
        let answer = ask(&world, "zh", verb);
        assert_ne!(answer.code, Some(0), "{verb} is a mistake");
        let english = words(&prose(&(answer.out + &answer.err)));
        if !english.is_empty() {
            found += &format!("{}: {}\n", verb, english.into_iter().collect::<Vec<_>>().join(" "));
        }
    }
    assert_eq!(found, "", "translate these, or add a name to translated.txt");
}

/// Logs are read by programs: what a daemon says last stays English where nobody asked it for another language, whatever the
/// locale of the machine, and so does what a program is told.
#[test]
fn what_programs_read_stays_english_in_a_chinese_locale() {
    let world = silent_box();
    let chinese = |arguments: &[&str]| {
        let mut command = Command::new(weir_binary());
        command.env("LC_ALL", "zh_CN.UTF-8").args(["--state-dir", &world.config_dir()]).args(arguments);
        Answer::of(&mut command)
    };
    let is_ascii = |text: &str| text.chars().all(|letter| letter.is_ascii() || letter == '·');
    let broken = world.path("broken-gateway.toml").display().to_string();
    let run = chinese(&["gateway", "run", "--config", &broken]).exits(255);
    assert!(is_ascii(&run.err) && run.err.contains("is refused"), "{}", run.err);
    let checked = chinese(&["config", "check", "--json", &broken]).exits(255);
    let why = checked.json()["files"][0]["error"].as_str().unwrap_or_default().to_owned();
    assert!(is_ascii(&why) && why.contains("unknown field"), "{why}");
    let told = chinese(&["config", "check", &broken]).exits(255).out;
    assert!(told.contains("未知的键 `mqqt`"), "{told}");
}
