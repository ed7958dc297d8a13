//! What this login may do: each verb with each of its options, and each verb that it may not, with the reason. A test goes through
//! the whole command line and fails where a verb is in neither list, so that a new one is a decision. An option that is not here is
//! not for this login.
//!
//! In are all that looks, and what somebody at the box must be able to order, as far as another order takes it back or it only adds
//! something. Out is what needs more rights than those of the group `weir`, what cannot be taken back, what may show a secret, and what
//! would run code or follow paths that the technician wrote.

use crate::lang::Lang;

/// What the words of an option may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// A name, a number, a text: no file, whatever is written.
    Text,
    /// A file of the inbox.
    File,
    /// The same, and one that is looked at alone.
    FileAlone,
    /// A file that is not in the inbox yet.
    NewFile,
}

use Takes::{File, FileAlone, NewFile, Text};

/// A verb and what it may be given: the names of clap's arguments.
#[derive(Debug)]
pub(super) struct Allowed {
    /// The words of the verb.
    pub(super) verb: &'static str,
    /// Its options and arguments, beside `--lang`, `--help` and `--version`.
    pub(super) takes: &'static [(&'static str, Takes)],
}

const fn verb(verb: &'static str, takes: &'static [(&'static str, Takes)]) -> Allowed {
    Allowed { verb, takes }
}

const JSON: (&str, Takes) = ("json", Text);
const REASON: (&str, Takes) = ("reason", Text);
const ALARM: &[(&str, Takes)] = &[("rule", Text), ("device", Text), REASON, JSON];
const FROM: (&str, Takes) = ("from", Text);
const TO: (&str, Takes) = ("to", Text);
const OF_ALARM: (&str, Takes) = ("alarm", Text);
const BEFORE: (&str, Takes) = ("before", Text);
const AFTER: (&str, Takes) = ("after", Text);
const OUTFALL: (&str, Takes) = ("outfall", Text);
const BY: (&str, Takes) = ("by", Text);
const REPLACES: (&str, Takes) = ("replaces", Text);

/// The screen, then the verbs as `weir --help` has them.
pub(super) const ALLOWED: &[Allowed] = &[
    verb("", &[]),
    verb("sync parked", &[JSON]),
    verb("sync retry", &[("platform", Text), ("batch", Text), JSON]),
    verb("status", &[JSON]),
    verb("metrics", &[("list", Text)]),
    verb("doctor", &[("all", Text), ("list", Text), JSON]),
    verb("bundle", &[("file", NewFile), ("verify", File), ("key", Text), JSON]),
    verb("self-test", &[REASON, ("wait", Text), JSON]),
    verb("tail", &[("lines", Text), ("follow", Text), ("source", Text), JSON]),
    verb(
        "export",
        &[
            ("format", Text),
            JSON,
            ("source", Text),
            ("quantity", Text),
            FROM,
            TO,
            ("aggregates", Text),
            ("manual", Text),
            ("patrols", Text),
            ("journal", Text),
        ],
    ),
    verb(
        "evidence export",
        &[FROM, TO, OF_ALARM, BEFORE, AFTER, OUTFALL, ("source", Text), REASON, ("out", NewFile), JSON],
    ),
    verb("evidence pin", &[FROM, TO, OF_ALARM, BEFORE, AFTER, OUTFALL, REASON, JSON]),
    verb("evidence pins", &[JSON]),
    verb("verify", &[("file", File), ("key", Text), ("platforms", Text), ("revoked", File), JSON]),
    verb("journal check", &[JSON]),
    verb("identity", &[JSON]),
    verb("config check", &[("files", FileAlone), JSON]),
    verb("config history", &[JSON]),
    verb("config template", &[("template", Text)]),
    verb("upgrade", &[JSON]),
    verb("alarm list", &[("all", Text), JSON]),
    verb("alarm shelve", &[("rule", Text), ("device", Text), REASON, ("hours", Text), JSON]),
    verb("alarm unshelve", ALARM),
    verb("alarm reset", ALARM),
    verb("alarm ack", ALARM),
    verb("notify list", &[JSON]),
    verb("notify test", &[("target", Text), JSON]),
    verb("sampler list", &[JSON]),
    verb("sampler take", &[("sampler", Text), REASON, JSON]),
    verb("sampler refill", &[("sampler", Text), ("bottles", Text), REASON, JSON]),
    verb("outfall add", &[("file", File), REASON, JSON]),
    verb("outfall edit", &[("file", File), REASON, ("based_on", Text), JSON]),
    verb("outfall show", &[("code", Text), ("number", Text), ("toml", Text), JSON]),
    verb("outfall history", &[("code", Text), JSON]),
    verb("outfall list", &[JSON]),
    verb("outfall import", &[("file", File), ("format", Text), REASON, JSON]),
    verb("outfall export", &[("codes", Text), ("format", Text), ("public", Text)]),
    verb(
        "manual add",
        &[
            OUTFALL,
            BY,
            REPLACES,
            REASON,
            JSON,
            ("taken", Text),
            ("value", Text),
            ("method", Text),
            ("lab", Text),
            ("number", Text),
            ("note", Text),
        ],
    ),
    verb("manual list", &[OUTFALL, JSON]),
    verb("patrol add", &[OUTFALL, BY, REPLACES, REASON, JSON, ("at", Text), ("finding", Text), ("state", Text)]),
    verb("patrol list", &[OUTFALL, JSON]),
    verb("rules check", &[("rules", File), JSON]),
    verb("rules show", &[JSON]),
    verb("rules reload", &[REASON, JSON]),
    verb("rules test", &[("tests", File), ("rules", File), JSON]),
    verb("rules backtest", &[("rules", File), FROM, TO, JSON]),
    verb("rules explain", &[("seq", Text), JSON]),
    verb("device strangers", &[JSON]),
    verb("device redecode", &[("name", Text), FROM, TO]),
    verb("device sample", &[("name", Text), ("period_s", Text)]),
];

/// Why a verb is not for this login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// systemd does.
    Service,
    /// Root's, or the daemons' own files are written.
    Rights,
    /// No other order takes it back.
    ForGood,
    /// Who is believed, and who the box is.
    Keys,
    /// It reads what the account may not.
    Closed,
    /// It runs code, or sends bytes, as they are given.
    Code,
    /// It shows a text that may have a password in it.
    Secrets,
    /// No box does it.
    Elsewhere,
}

impl Why {
    /// For who typed it.
    pub(super) fn told(self, lang: Lang) -> &'static str {
        match self {
            Why::Service => lang.pick("systemd runs this", "由 systemd 运行"),
            Why::Rights => lang.pick("this writes files of the box", "会写入站内文件"),
            Why::ForGood => lang.pick("nothing takes this back", "无法撤回"),
            Why::Keys => lang.pick("this changes whom the box trusts, or who it is", "会改变本站的信任关系或身份"),
            Why::Closed => {
                lang.pick("this reads keys.toml, which the services alone may", "会读取仅服务可读的 keys.toml")
            }
            Why::Code => lang.pick("this runs or sends whatever it is given", "会执行或发送任意内容"),
            Why::Secrets => lang.pick("this may show a password, as that of a proxy", "可能显示密码，例如代理密码"),
            Why::Elsewhere => lang.pick("this is no work of a box", "不属于本站的工作"),
        }
    }
}

/// Verbs that are left out on purpose; with what stands below each.
pub(super) const EXCLUDED: &[(&str, Why)] = &[
    ("gateway", Why::Service),
    ("sync run", Why::Service),
    // It writes the box's files and enrols it.
    ("setup", Why::Rights),
    ("sync drop", Why::ForGood),
    ("page", Why::Service),
    ("platform", Why::Elsewhere),
    ("evidence release", Why::ForGood),
    ("backup", Why::Rights),
    ("restore", Why::Rights),
    ("journal salvage", Why::ForGood),
    ("identity pin", Why::Keys),
    ("identity enroll", Why::Keys),
    ("identity rotate", Why::Keys),
    // They need root, and a rule of sudo for one of them would give its file arguments as well.
    ("upgrade accept", Why::Rights),
    ("upgrade rollback", Why::Rights),
    ("upgrade keep", Why::Service),
    ("upgrade judge", Why::Service),
    ("config apply", Why::Rights),
    ("config rollback", Why::Rights),
    ("config show", Why::Secrets),
    ("config diff", Why::Secrets),
    ("sampler off", Why::Service),
    // They read the devices' keys with the rest of their table; `status` shows how each device is.
    ("device list", Why::Closed),
    ("device show", Why::Closed),
    ("device test", Why::Closed),
    ("device add", Why::Rights),
    ("device import", Why::Rights),
    ("device disable", Why::Rights),
    ("device enable", Why::Rights),
    ("device remove", Why::Rights),
    ("device test-codec", Why::Code),
    ("device run-codec", Why::Code),
    ("device send", Why::Code),
    // Whoever recorded frames could send them again.
    ("device flush-nonces", Why::ForGood),
    ("device reset-counter", Why::ForGood),
    ("device export-sessions", Why::Keys),
    ("device import-sessions", Why::Keys),
    ("demo", Why::Elsewhere),
    ("login", Why::Service),
    ("man-pages", Why::Elsewhere),
];

/// The verb, if it is for this login.
pub(super) fn allowed(verb: &str) -> Option<&'static Allowed> {
    ALLOWED.iter().find(|allowed| allowed.verb == verb)
}

/// Why it is not.
pub(super) fn excluded(verb: &str) -> Why {
    let is_below = |above: &str| verb == above || verb.strip_prefix(above).is_some_and(|rest| rest.starts_with(' '));
    // A test keeps every verb in one of the lists.
    EXCLUDED.iter().find(|(above, _)| is_below(above)).map_or(Why::Elsewhere, |(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use clap::Command;

    use super::super::verdict::built;
    use super::*;

    /// Every verb that can be carried out, by its words.
    fn leaves(command: &Command, above: &str, into: &mut Vec<(String, Command)>) {
        if !command.is_subcommand_required_set() {
            into.push((above.to_owned(), command.clone()));
        }
        for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
            leaves(verb, format!("{above} {}", verb.get_name()).trim(), into);
        }
    }

    fn all() -> Vec<(String, Command)> {
        let mut all = Vec::new();
        leaves(&built(Lang::En), "", &mut all);
        all
    }

    #[test]
    fn every_verb_is_decided_on() {
        let all = all();
        assert!(all.len() > 60, "{}", all.len());
        let is_excluded =
            |verb: &str| EXCLUDED.iter().any(|(above, _)| verb == *above || verb.starts_with(&format!("{above} ")));
        for (verb, _) in &all {
            assert_ne!(allowed(verb).is_some(), is_excluded(verb), "`{verb}` is in neither list, or in both");
        }
        let words: BTreeSet<&str> = all.iter().map(|(verb, _)| verb.as_str()).collect();
        for Allowed { verb, .. } in ALLOWED {
            assert!(words.contains(verb), "there is no `{verb}` any more");
        }
        for (verb, _) in EXCLUDED {
            assert!(words.iter().any(|word| word == verb || word.starts_with(&format!("{verb} "))), "no `{verb}`");
        }
        let once: BTreeSet<&str> = ALLOWED.iter().map(|allowed| allowed.verb).collect();
        assert_eq!(once.len(), ALLOWED.len());
    }

    #[test]
    fn what_names_a_file_is_one_of_the_inbox() {
        for (verb, command) in all() {
            let Some(allowed) = allowed(&verb) else { continue };
            for (id, takes) in allowed.takes {
                let argument = command.get_arguments().find(|argument| argument.get_id() == id);
                let argument = argument.unwrap_or_else(|| panic!("`{verb}` has no `{id}`"));
                let is_path = argument.get_value_parser().type_id() == TypeId::of::<PathBuf>();
                let is_file = matches!(takes, File | FileAlone | NewFile);
                assert_eq!(is_path, is_file, "`{verb}` `{id}` is a path, or is none");
                let says = format!("{:?} {:?}", argument.get_value_names(), argument.get_help()).to_lowercase();
                assert!(is_file || !says.contains("@file"), "`{verb}` `{id}`: {says}");
            }
        }
    }
}
