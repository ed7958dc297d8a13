//! Why something is not done in this login.

use super::allowed::Why;
use super::inbox::InboxError;
use super::line::LineError;
use crate::lang::Lang;

/// Characters of a command that are shown to who has to type it.
const SHOWN_CHARACTERS_MAX: usize = 200;

/// Why a line is not carried out.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is no line of words.
    Line(LineError),
    /// A verb that is not for this login.
    Verb {
        /// All that was typed.
        line: String,
        why: Why,
    },
    /// An option that is not for this login.
    Option {
        /// All that was typed.
        line: String,
        /// As it is written.
        option: String,
    },
    /// The options end here, and nothing behind it could be told from a file.
    Dashes,
    /// A file that may name others.
    Kind { name: String },
    /// The inbox.
    Inbox(InboxError),
}

impl From<LineError> for Refusal {
    fn from(error: LineError) -> Refusal {
        Refusal::Line(error)
    }
}

impl From<InboxError> for Refusal {
    fn from(error: InboxError) -> Refusal {
        Refusal::Inbox(error)
    }
}

impl Refusal {
    /// For who typed it: why, and what to do instead.
    pub(super) fn told(&self, lang: Lang) -> String {
        let ask = lang.pick("ask the administrator to run: weir", "请管理员执行：weir");
        match (self, lang) {
            (Refusal::Line(error), _) => error.told(lang),
            (Refusal::Verb { line, why }, Lang::En) => {
                format!("not for this login: {} · {ask} {}", why.told(lang), shown(line))
            }
            (Refusal::Verb { line, why }, Lang::Zh) => {
                format!("此登录不可执行：{} · {ask} {}", why.told(lang), shown(line))
            }
            (Refusal::Option { line, option }, Lang::En) => {
                format!("`{option}` is not for this login: it names a place of the box · {ask} {}", shown(line))
            }
            (Refusal::Option { line, option }, Lang::Zh) => {
                format!("此登录不可使用 `{option}`：它指定站内的位置 · {ask} {}", shown(line))
            }
            (Refusal::Dashes, Lang::En) => "`--` is not for this login · try: leave it out".to_owned(),
            (Refusal::Dashes, Lang::Zh) => "此登录不可使用 `--` · 请去掉".to_owned(),
            (Refusal::Kind { name }, Lang::En) => format!(
                "`{name}` is a file that names others of the box; rules and dossiers of outfalls can be checked here · ask the \
                 administrator to run: weir config check"
            ),
            (Refusal::Kind { name }, Lang::Zh) => {
                format!("`{name}` 会引用站内其他文件；此处只能检查规则与排口档案 · 请管理员执行：weir config check")
            }
            (Refusal::Inbox(error), _) => error.told(lang),
        }
    }
}

fn shown(line: &str) -> String {
    line.chars().take(SHOWN_CHARACTERS_MAX).collect()
}
