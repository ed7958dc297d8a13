//! Whether every error of the sources has a pair, and every pair an error: what cannot be seen by looking at one file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::template::Template;
use super::{FILES, FOREIGN, LETTERS_MIN, pairs};

/// The folders of all crates that `weir` consists of, by name.
fn crates() -> BTreeMap<String, PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = ["gateway", "sync"].map(|half| fs::read_dir(root.join(half)).unwrap());
    let folders = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let named = folders.filter(|path| path.join("Cargo.toml").is_file());
    let named = named.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    named.collect()
}

/// The texts of all source files below a folder.
fn sources(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// The string literal with which a text begins: a `"`, what it says, and its end.
fn literal(text: &str) -> String {
    let mut said = String::new();
    let mut letters = text.strip_prefix('"').unwrap_or_else(|| panic!("no plain string: {text:.60}")).chars();
    loop {
        match letters.next().expect("a string ends") {
            '"' => return said,
            '\\' => match letters.next().expect("a string ends") {
                'n' => said.push('\n'),
                // The line goes on in the next one.
                '\n' => letters = letters.as_str().trim_start().chars(),
                quoted @ ('"' | '\\') => said.push(quoted),
                other => panic!("how is \\{other} read in {text:.60}"),
            },
            letter => said.push(letter),
        }
    }
}

/// What begins an error's template; in two pieces, so that this file has none.
const ATTRIBUTE: &str = concat!("#[", "error(");

/// The templates of the attributes in a source, whatever stands behind the string.
fn templates(source: &str) -> Vec<String> {
    let attributes = source.split(ATTRIBUTE).skip(1).map(str::trim_start);
    attributes.filter(|inside| !inside.starts_with("transparent")).map(literal).collect()
}

/// Those that say something: `{0}` alone is another's sentence.
fn says_something(template: &str) -> bool {
    Template::parse(template).unwrap().letters() >= LETTERS_MIN
}

fn folded(text: &str) -> String {
    text.replace('\n', "⏎")
}

#[test]
fn every_error_is_there_in_chinese_and_no_other() {
    let mut missing = String::new();
    let mut all = BTreeSet::new();
    for (name, folder) in crates() {
        let mut texts = Vec::new();
        sources(&folder.join("src"), &mut texts);
        let said: BTreeSet<String> = texts.iter().flat_map(|text| templates(text)).map(|text| folded(&text)).collect();
        let own = FILES.iter().find(|(of, _)| *of == name).map_or("", |(_, text)| *text);
        let paired: BTreeSet<&str> = pairs(own).map(|(english, _)| english).collect();
        for text in said.iter().filter(|text| says_something(text) && !paired.contains(text.as_str())) {
            missing += &format!("{name}.zh.txt lacks\nen {text}\n");
        }
        for text in paired.into_iter().filter(|text| !said.contains(*text)) {
            missing += &format!("{name}.zh.txt has what {name} says no more\nen {text}\n");
        }
        all.extend(said);
    }
    assert!(all.len() > 700, "all attributes are read: {}", all.len());
    assert_eq!(missing, "");
}

#[test]
fn every_word_in_a_hole_stands_in_a_source() {
    let mut texts = Vec::new();
    crates().values().for_each(|folder| sources(&folder.join("src"), &mut texts));
    // As the compiler reads a string that goes on in the next line.
    let joined = |text: &str| {
        let mut pieces = text.split("\\\n");
        let first = pieces.next().unwrap_or_default().to_owned();
        pieces.fold(first, |text, piece| text + piece.trim_start())
    };
    let all: String = texts.iter().map(|text| joined(text).replace("\\\"", "\"")).collect();
    let (_, words) = FILES.iter().find(|(name, _)| *name == "words").unwrap();
    let gone: Vec<&str> =
        pairs(words).map(|(english, _)| english).filter(|english| !all.contains(&format!("\"{english}\""))).collect();
    assert_eq!(gone, Vec::<&str>::new(), "nothing says these");
}

#[test]
fn both_sides_of_a_pair_have_the_same_holes_and_one_is_chinese() {
    let mut wrong = String::new();
    for (file, text) in FILES.iter().chain([&("foreign", FOREIGN)]) {
        let mut seen = BTreeSet::new();
        for (english, chinese) in pairs(text) {
            let [Some(of), Some(to)] = [english, chinese].map(Template::parse) else {
                wrong += &format!("{file}: a brace is open\nen {english}\nzh {chinese}\n");
                continue;
            };
            let is_chinese = chinese.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
            if of.names() != to.names() || of.has_neighbours() || !is_chinese || !seen.insert(english) {
                wrong += &format!("{file}\nen {english}\nzh {chinese}\n");
            }
        }
        let begun = text.lines().filter(|line| line.starts_with("en ")).count();
        if pairs(text).count() != begun {
            wrong += &format!("{file}: not every `en` has a `zh` in the next line\n");
        }
    }
    assert_eq!(wrong, "");
}

/// What is to be typed stays as it is: each command behind `try:` that the English has.
#[test]
fn commands_are_the_same_in_both_languages() {
    let commands = |text: &str| {
        let behind = text.split_once("try: ").map(|(_, behind)| behind.to_owned()).unwrap_or_default();
        let parted = behind.split([',', ';', ':', '(', ')']).map(str::trim).map(str::to_owned);
        let is_command = |text: &String| {
            let program = text.split(' ').next().unwrap_or_default();
            matches!(program, "weir" | "systemctl" | "journalctl" | "df" | "ls" | "chmod" | "curl" | "mmcli" | "sudo")
        };
        parted.filter(is_command).collect::<Vec<String>>()
    };
    let mut wrong = String::new();
    for (english, chinese) in FILES.iter().flat_map(|(_, text)| pairs(text)) {
        // Prose may follow a command; its words up to there are the same.
        for command in commands(english) {
            let words: Vec<&str> = command.split(' ').take(2).collect();
            if !chinese.contains(&words.join(" ")) {
                wrong += &format!("{command}\nen {english}\nzh {chinese}\n");
            }
        }
    }
    assert_eq!(wrong, "");
}

#[test]
fn attributes_are_read_whatever_their_form() {
    let source = r#"
        @error("plain {path}")] A, @error(transparent)] B(#[from] C),
        @error(
            "on two \
             lines \"quoted\""
        )] D,
        @error("with {} arguments {max}", .0.len(), max = 3)] E, @error("an end\nof a line")] F,
    "#;
    let expected = ["plain {path}", "on two lines \"quoted\"", "with {} arguments {max}", "an end\nof a line"];
    assert_eq!(templates(&source.replace("@error(", ATTRIBUTE)), expected);
}
