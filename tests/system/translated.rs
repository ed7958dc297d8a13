//! What people read in Chinese has no English sentence left in it.

use std::collections::BTreeSet;

use super::answers::{VERBS, ask, station};

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
        let english = words(&answer.out);
        if !english.is_empty() {
            found += &format!("{}: {}\n", verb, english.into_iter().collect::<Vec<_>>().join(" "));
        }
    }
    assert_eq!(found, "", "translate these, or add a name to translated.txt");
}
