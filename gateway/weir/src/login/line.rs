//! A line into words, as a shell would quote them, and without anything else that a shell does.

use crate::lang::Lang;

/// Bytes of one line.
pub(super) const LINE_BYTES_MAX: usize = 4_096;
/// Words of one line.
const WORDS_MAX: usize = 64;
/// What a shell would act upon, outside of quotes.
const SHELL: &str = "|&;<>()$`*?[]{}!#~";
/// The same between double quotes.
const SHELL_IN_QUOTES: &str = "$`!";

/// Why a line is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LineError {
    /// Nothing was asked for, and there is no terminal to ask at.
    Empty,
    /// It is no UTF-8.
    NotText,
    /// It has more than [`LINE_BYTES_MAX`].
    TooLong,
    /// It has more than [`WORDS_MAX`].
    TooManyWords,
    /// A byte that moves a cursor or ends a line.
    Control,
    /// A shell would act upon this.
    Shell(char),
    /// A quote that does not end.
    Open,
}

impl LineError {
    /// For who typed it.
    pub(super) fn told(&self, lang: Lang) -> String {
        let text = match self {
            LineError::Empty => lang.pick(
                "there is no terminal, and no command · try: ssh HOST help",
                "没有终端，也没有命令 · 请执行：ssh HOST help",
            ),
            LineError::NotText => lang.pick("the line is not UTF-8", "命令行不是 UTF-8 文本"),
            LineError::TooLong => {
                return match lang {
                    Lang::En => format!("the line has more than {LINE_BYTES_MAX} bytes"),
                    Lang::Zh => format!("命令行超过 {LINE_BYTES_MAX} 字节"),
                };
            }
            LineError::TooManyWords => {
                return match lang {
                    Lang::En => format!("the line has more than {WORDS_MAX} words"),
                    Lang::Zh => format!("命令行超过 {WORDS_MAX} 个词"),
                };
            }
            LineError::Control => lang.pick("the line has a control character", "命令行含有控制字符"),
            LineError::Shell(sign) => {
                return match lang {
                    Lang::En => format!("this is no shell: `{sign}` may only stand in 'single quotes' · try: help"),
                    Lang::Zh => format!("此处不是 shell：`{sign}` 只能写在 '单引号' 内 · 请执行：help"),
                };
            }
            LineError::Open => lang.pick("a quote does not end", "引号没有结束"),
        };
        text.to_owned()
    }
}

/// The words, without their quotes. `\` takes away the meaning of the character behind it.
///
/// # Errors
/// [`LineError`].
pub(super) fn split(line: &str) -> Result<Vec<String>, LineError> {
    if line.len() > LINE_BYTES_MAX {
        return Err(LineError::TooLong);
    }
    if line.chars().any(|letter| letter.is_control() && letter != '\t') {
        return Err(LineError::Control);
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => quoted(letter, &mut letters, word.get_or_insert_default())?,
            '\\' => word.get_or_insert_default().push(letters.next().ok_or(LineError::Open)?),
            _ if SHELL.contains(letter) => return Err(LineError::Shell(letter)),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    if words.len() > WORDS_MAX { Err(LineError::TooManyWords) } else { Ok(words) }
}

/// What stands to the end of the quote.
fn quoted(quote: char, letters: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), LineError> {
    loop {
        match letters.next().ok_or(LineError::Open)? {
            end if end == quote => return Ok(()),
            '\\' if quote == '"' => word.push(letters.next().ok_or(LineError::Open)?),
            letter if quote == '"' && SHELL_IN_QUOTES.contains(letter) => return Err(LineError::Shell(letter)),
            letter => word.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        let check = |line: &str, expected: &[&str]| assert_eq!(split(line).unwrap(), expected, "{line}");
        check("", &[]);
        check("  status \t --json ", &["status", "--json"]);
        check(
            "alarm ack a b --reason 'pump; cleaned (twice)'",
            &["alarm", "ack", "a", "b", "--reason", "pump; cleaned (twice)"],
        );
        check(r#"x "a \"b\" c"'d' e\ f ''"#, &["x", "a \"b\" cd", "e f", ""]);
        check("--reason 水泵已清理。", &["--reason", "水泵已清理。"]);
    }

    #[test]
    fn what_only_a_shell_understands_is_refused() {
        for sign in SHELL.chars() {
            assert_eq!(split(&format!("status{sign}id")), Err(LineError::Shell(sign)));
        }
        assert_eq!(split("x \"$(id)\""), Err(LineError::Shell('$')));
        assert_eq!(split("x \"`id`\""), Err(LineError::Shell('`')));
        for (line, why) in [("x 'y", LineError::Open), ("x \"y\\", LineError::Open), ("x \\", LineError::Open)] {
            assert_eq!(split(line), Err(why));
        }
        for control in ["status\nid", "status\0id", "status\rid", "status \u{1b}[2J", "status\u{7f}", "status\u{9b}m"] {
            assert_eq!(split(control), Err(LineError::Control), "{control:?}");
        }
        assert!(split(&"x".repeat(LINE_BYTES_MAX)).is_ok());
        assert_eq!(split(&"x".repeat(LINE_BYTES_MAX + 1)), Err(LineError::TooLong));
        assert!(split(&"x ".repeat(WORDS_MAX)).is_ok());
        assert_eq!(split(&"x ".repeat(WORDS_MAX + 1)), Err(LineError::TooManyWords));
    }
}
