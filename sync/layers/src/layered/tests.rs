//! Faults and values lead to the file in which they stand.

use std::collections::BTreeMap;
use std::fs;

use expect_test::{Expect, expect};
use serde::Deserialize;

use super::*;

const BYTES_MAX: u64 = 4_096;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read counts")]
struct File {
    #[serde(rename = "box")]
    name: String,
    #[serde(default)]
    limits: BTreeMap<String, Vec<u8>>,
    #[serde(default)]
    port: Vec<Port>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read counts")]
struct Port {
    name: String,
    baud: u32,
}

const MAIN: &str = "box = \"a\"\n[[port]]\nname = \"one\"\nbaud = 9600\n";

fn folder(drop_ins: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let main = dir.path().join("x.toml");
    fs::write(&main, MAIN).unwrap();
    fs::create_dir(folder_of(&main)).unwrap();
    drop_ins.iter().for_each(|(name, text)| fs::write(folder_of(&main).join(name), text).unwrap());
    (dir, main)
}

fn check(drop_ins: &[(&str, &str)], expected: Expect) {
    let (dir, main) = folder(drop_ins);
    let read = Layered::read(&main, BYTES_MAX).and_then(|layered| layered.parse::<File>());
    let shown = match read {
        Ok(file) => format!("{file:?}"),
        Err(error) => match std::error::Error::source(&error) {
            Some(source) => format!("{error}\n{}", source.to_string().trim_end()),
            None => error.to_string(),
        },
    };
    expected.assert_eq(&shown.replace(&dir.path().display().to_string(), "/etc"));
}

#[test]
fn a_fault_names_the_file_and_line_in_which_it_was_typed() {
    check(
        &[("10.toml", "# first\nbox = \"b\"\n"), ("20.toml", "\n\nlimits.cod = [\n  1,\n  300,\n]\n")],
        expect![[r#"
            configuration `/etc/x.toml.d/20.toml` is refused · try: correct the line below, then weir config check /etc/x.toml.d/20.toml
            TOML error in line 5
              |
            5 |   300,
              |
            invalid value: integer `300`, expected u8"#]],
    );
    check(
        &[("10.toml", "[[port]]\nname = \"one\"\nbuad = 1\n")],
        expect![[r#"
            configuration `/etc/x.toml.d/10.toml` is refused · try: correct the line below, then weir config check /etc/x.toml.d/10.toml
            TOML error in line 3
              |
            3 | buad = 1
              |
            unknown field `buad`, expected `name` or `baud`"#]],
    );
    check(
        &[("10.toml", "\n[[port]]\nname = \"two\"\n")],
        expect![[r#"
            configuration `/etc/x.toml.d/10.toml` is refused · try: correct the line below, then weir config check /etc/x.toml.d/10.toml
            TOML error in line 2
              |
            2 | [[port]]
              |
            missing field `baud`"#]],
    );
    check(
        &[("10.toml", "limits = 3\n"), ("20.toml", "box = \"b\"\nlimits = [\n")],
        expect![[r#"
            configuration `/etc/x.toml.d/20.toml` is refused · try: correct the line below, then weir config check /etc/x.toml.d/20.toml
            TOML parse error at line 2, column 11
              |
            2 | limits = [
              |           ^
            unclosed array, expected `]`"#]],
    );
    check(
        &[("10.toml", "[port]\n")],
        expect![[r#"
        configuration `/etc/x.toml.d/10.toml` is refused · try: correct the line below, then weir config check /etc/x.toml.d/10.toml
        TOML error in line 1
          |
        1 | [port]
          |
        invalid type: map, expected a sequence"#]],
    );
}

#[test]
fn what_is_missing_everywhere_is_missing_in_the_main_file() {
    let (dir, main) = folder(&[("10.toml", "limits.a = [1]\n")]);
    fs::write(&main, "\n").unwrap();
    let error = Layered::read(&main, BYTES_MAX).unwrap().parse::<File>().unwrap_err();
    assert!(error.to_string().contains("x.toml`"), "{error}");
    drop(dir);
}

#[test]
fn where_a_key_stands_is_told_of_drop_ins() {
    let (dir, main) = folder(&[
        ("10.toml", "box = \"b\"\nlimits.cod = [1]\n"),
        ("20.toml", "[[port]]\nname = \"one\"\nbaud = 1\n[[port]]\nname = \"two\"\nbaud = 2\n"),
    ]);
    let layered = Layered::read(&main, BYTES_MAX).unwrap();
    let shown = |spot: Spot| spot.to_string().replace(&dir.path().display().to_string(), "");
    assert_eq!(shown(layered.spot("box")), "`/x.toml.d/10.toml`, line 1");
    assert_eq!(shown(layered.spot("limits.cod")), "`/x.toml.d/10.toml`, line 2");
    assert_eq!(shown(layered.spot("limits.nh3_n")), "`/x.toml`");
    assert_eq!(shown(layered.spot_in("port", 0, "baud")), "`/x.toml.d/20.toml`, line 3");
    assert_eq!(shown(layered.spot_in("port", 1, "parity")), "`/x.toml.d/20.toml`, line 4");
    let settings: Vec<String> = layered
        .settings()
        .unwrap()
        .iter()
        .map(|one| format!("{} = {} {}:{}", one.key, one.value, one.path.file_name().unwrap().display(), one.line))
        .collect();
    expect![[r#"
        box = "b" 10.toml:1
        port[one].name = "one" 20.toml:2
        port[one].baud = 1 20.toml:3
        port[two].name = "two" 20.toml:5
        port[two].baud = 2 20.toml:6
        limits.cod = [1] 10.toml:2"#]]
    .assert_eq(&settings.join("\n"));
    assert_eq!(layered.drop_ins().count(), 2);
}

#[test]
fn a_file_alone_is_itself_and_knows_its_lines() {
    let dir = tempfile::tempdir().unwrap();
    let main = dir.path().join("x.toml");
    for odd in ["a=1 # x\n\n\n[b]\nc =  2", "no toml", ""] {
        fs::write(&main, odd).unwrap();
        let layered = Layered::read(&main, BYTES_MAX).unwrap();
        assert_eq!(layered.text(), odd);
        let settings = layered.settings().map(|all| all.into_iter().map(|one| (one.key, one.line)).collect::<Vec<_>>());
        assert_eq!(settings.is_ok(), odd != "no toml");
        if odd.starts_with('a') {
            assert_eq!(settings.unwrap(), [("a".to_owned(), 1), ("b.c".to_owned(), 5)]);
        }
    }
}

#[test]
fn all_files_together_are_bounded() {
    let long = format!("# {}\n", "x".repeat(1_500));
    let (dir, main) = folder(&[("1.toml", &long), ("2.toml", &long), ("3.toml", &long)]);
    let error = Layered::read(&main, BYTES_MAX).unwrap_err();
    assert!(matches!(&error, LayersError::TooLong { path, .. } if path.ends_with("3.toml")), "{error}");
    assert!(matches!(Layered::read(&main, 10), Err(LayersError::TooLong { path, .. }) if path == main));
    assert_eq!(readable(&main, BYTES_MAX).len(), 4);
    drop(dir);
}
