use std::io;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn check(english: &str, expected: Expect) {
    expected.assert_eq(&chinese(english));
}

#[test]
fn a_sentence_is_found_by_its_template_and_its_causes_behind_it() {
    check(
        "device `cod-9` is not in `/etc/weir/devices.toml` · try: weir device list",
        expect!["`/etc/weir/devices.toml` 中没有设备 `cod-9` · try: weir device list"],
    );
    check(
        "rules `r.toml` are refused: line 7: unknown field `device`, expected `utc_offset` or `late_s`",
        expect!["规则 `r.toml` 被拒绝：第 7 行：未知的键 `device`，可用：`utc_offset` 或 `late_s`"],
    );
    check(
        "the daemon at `/run/weir/sync.sock` refused: nobody is told of alarms",
        expect!["`/run/weir/sync.sock` 的服务拒绝：报警不通知任何人"],
    );
    check(
        "gateway: no daemon answers at `/run/weir/x` · try: systemctl status weir-gateway weir-sync",
        expect!["gateway：`/run/weir/x` 没有服务应答 · try: systemctl status weir-gateway weir-sync"],
    );
    check("failed to read `a`", expect!["无法读取 `a`"]);
    check(
        "error: invalid value 'LW' for '--qr <TEXT>': the QR code's JoinEUI is not 16 hex digits · try: scan it again\n\nUsage: weir\n",
        expect![[r#"
            错误：'--qr <TEXT>' 的值 'LW' 无效：二维码中的 JoinEUI 不是 16 位十六进制 · try: 重新扫描

            用法：weir
        "#]],
    );
}

#[test]
fn what_a_reader_of_toml_draws_is_told_on_one_line_too() {
    check(
        "TOML parse error at line 1, column 1 | 1 | colour = 1 | ^^^^^^ unknown field `colour`, expected one of `a`, `b` · try: \
         weir config check",
        expect![
            "TOML 第 1 行第 1 列有误 | 1 | colour = 1 | ^^^^^^ 未知的键 `colour`，应为：`a`, `b` 之一 · try: weir config check"
        ],
    );
    check("EOF while parsing at line 1 column 9", expect!["第 1 行第 9 列：EOF while parsing"]);
}

#[test]
fn names_in_quotes_are_never_translated() {
    check(
        "there is no device `the committer is gone` · try: weir device list",
        expect!["没有设备 `the committer is gone` · try: weir device list"],
    );
    check(
        "failed to read `/a: Permission denied (os error 13)`",
        expect!["无法读取 `/a: Permission denied (os error 13)`"],
    );
    check(
        "`a` is odd: `b` holds no public key · try: report this as a bug",
        expect!["`a` is odd：`b` 中没有公钥 · try: 请作为缺陷上报"],
    );
}

#[test]
fn what_the_system_says_is_known_too() {
    for code in [1, 2, 13, 17, 20, 21, 22, 28, 30, 98, 99, 101, 104, 110, 111, 113] {
        let english = io::Error::from_raw_os_error(code).to_string();
        let told = chinese(&english);
        assert!(told != english && told.ends_with(&format!("（系统错误 {code}）")), "{told}");
    }
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only how it is read matters")]
struct Section {
    seconds: u8,
    name: String,
}

#[test]
fn what_is_wrong_in_a_toml_file_is_told_in_chinese() {
    let check = |toml: &str, expected: Expect| {
        let error = toml::from_str::<Section>(toml).unwrap_err().to_string();
        expected.assert_eq(&chinese(&error));
    };
    check(
        "seconds = 1\nnames = 2\n",
        expect![[r#"
            TOML 第 2 行第 1 列有误
              |
            2 | names = 2
              | ^^^^^
            未知的键 `names`，可用：`seconds` 或 `name`
        "#]],
    );
    check(
        "seconds = \"1\"\nname = \"\"\n",
        expect![[r#"
            TOML 第 1 行第 11 列有误
              |
            1 | seconds = "1"
              |           ^^^
            类型错误：文本 "1"，应为：0 至 255 的整数（u8）
        "#]],
    );
    check(
        "seconds = 1\n",
        expect![[r#"
            TOML 第 1 行第 1 列有误
              |
            1 | seconds = 1
              | ^
            缺少 `name`
        "#]],
    );
    check(
        "seconds = 300\n",
        expect![[r#"
            TOML 第 1 行第 11 列有误
              |
            1 | seconds = 300
              |           ^^^
            取值错误：整数 `300`，应为：0 至 255 的整数（u8）
        "#]],
    );
    check(
        "seconds = \n",
        expect![[r#"
            TOML 第 1 行第 11 列有误
              |
            1 | seconds = 
              |           ^
            文本须加引号，应为：带引号的文本
        "#]],
    );
    check(
        "seconds = 1\nseconds = 1\n",
        expect![[r#"
            TOML 第 2 行第 1 列有误
              |
            2 | seconds = 1
              | ^^^^^^^
            键重复
        "#]],
    );
    check(
        "[seconds\n",
        expect![[r#"
            TOML 第 1 行第 9 列有误
              |
            1 | [seconds
              |         ^
            表头没有闭合，应为：`]`
        "#]],
    );
}

#[test]
fn what_nobody_has_translated_stays_as_it_is() {
    for text in ["", ": ", "·", "nonsense", "a: b: c", "{0}", "`", "报警 cod-high: 30", &"x: ".repeat(TEXT_BYTES_MAX)]
    {
        assert_eq!(chinese(text), *text);
    }
}

/// Texts for the holes of a template, by name.
fn fillings(template: &Template, words: &[String]) -> Vec<(String, String)> {
    let names = template.names().into_iter().zip(words.iter().cycle());
    let fitting =
        |name: &str, word: &String| if template.is_place(name) { word.len().to_string() } else { word.clone() };
    names.map(|(name, word)| (name.to_owned(), fitting(name, word))).collect()
}

proptest! {
    #[test]
    fn what_a_template_made_comes_back_with_the_same_holes(
        nth in 0..PAIRS.len(),
        words in prop::collection::vec("[A-Z0-9][A-Z0-9/_]{0,11}", 8),
    ) {
        let template = &PAIRS[nth].english;
        let given = fillings(template, &words);
        let text = template.filled(|name| given.iter().find(|(of, _)| of == name).map(|(_, word)| word.clone()));
        let found = template.find(&text).expect("it made the text");
        prop_assert_eq!(found.rest, None);
        for hole in &found.holes {
            let is_same = given.iter().any(|(name, word)| name == hole.name && word == hole.text);
            prop_assert!(is_same, "{:?} of {}", hole, text);
        }
        prop_assert!(chinese(&text) != text, "{}", text);
    }

    #[test]
    fn whatever_a_message_holds_it_is_told(text in "(\\PC|\n|: |`|failed to read `|line ){0,60}") {
        chinese(&text);
    }
}

/// Others decide what a message holds: as long as it may be, made of what every template asks for.
#[test]
fn the_worst_message_is_told_soon() {
    let mut worst = "line 1: `a`: failed to read `b`: ".repeat(TEXT_BYTES_MAX / 33);
    worst.truncate(TEXT_BYTES_MAX);
    let begun = std::time::Instant::now();
    for text in [worst, "`".repeat(TEXT_BYTES_MAX), "\n".repeat(TEXT_BYTES_MAX), ": ".repeat(TEXT_BYTES_MAX / 2)] {
        chinese(&text);
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}
