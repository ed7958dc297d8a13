//! What somebody ordered, in words.

use record::{Act, Actor, Audit, SeqRange};

use crate::lang::Lang;

/// Who ordered what, and why.
pub(super) fn show(audit: &Audit, lang: Lang) -> String {
    let by = match (&audit.by, lang) {
        (Actor::User(uid), Lang::En) => format!("user {uid}"),
        (Actor::User(uid), Lang::Zh) => format!("用户 {uid}"),
        (Actor::Platform(platform), Lang::En) => format!("platform {platform}"),
        (Actor::Platform(platform), Lang::Zh) => format!("平台 {platform}"),
    };
    let act = act(&audit.act, lang);
    match (audit.reason.as_str(), lang) {
        ("", Lang::En) => format!("AUDIT by {by}: {act}"),
        ("", Lang::Zh) => format!("审计 {by}：{act}"),
        (reason, Lang::En) => format!("AUDIT by {by}: {act} · reason: {reason}"),
        (reason, Lang::Zh) => format!("审计 {by}：{act} · 理由：{reason}"),
    }
}

fn act(act: &Act, lang: Lang) -> String {
    match (act, lang) {
        (Act::Dropped { platform, records }, Lang::En) => {
            format!("{} not sent to {platform} any more, which refused them", span(*records))
        }
        (Act::Dropped { platform, records }, Lang::Zh) => {
            format!("记录 {} 被 {platform} 拒收，不再发送", span(*records))
        }
        (Act::Pinned { records }, Lang::En) => format!("{} kept until they are released", span(*records)),
        (Act::Pinned { records }, Lang::Zh) => format!("记录 {} 锁定保存，解除前不删除", span(*records)),
        (Act::Released { pin }, Lang::En) => format!("pin {pin} released"),
        (Act::Released { pin }, Lang::Zh) => format!("锁定 {pin} 已解除"),
        (Act::Enrolled { platform, key }, Lang::En) => format!("{platform} enrolled, its key {}", hex::encode(key)),
        (Act::Acknowledged { rule, source }, Lang::En) => format!("alarm {rule} of {source} acknowledged"),
        (Act::Acknowledged { rule, source }, Lang::Zh) => format!("已确认 {source} 的报警 {rule}"),
        (Act::Enrolled { platform, key }, Lang::Zh) => format!("已登记平台 {platform}，其公钥 {}", hex::encode(key)),
    }
}

fn span(records: SeqRange) -> String {
    format!("{records:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::{RuleId, Seq, SourceId};

    #[test]
    fn an_order_is_told_with_who_what_and_why() {
        let check = |by: Actor, act: Act, reason: &str, en: &str, zh: &str| {
            let audit = Audit { by, act, reason: reason.into() };
            assert_eq!((show(&audit, Lang::En).as_str(), show(&audit, Lang::Zh).as_str()), (en, zh));
        };
        let records = SeqRange { first: Seq(3), last: Seq(5) };
        check(
            Actor::User(1_000),
            Act::Dropped { platform: "municipal".into(), records },
            "wrong box",
            "AUDIT by user 1000: 3-5 not sent to municipal any more, which refused them · reason: wrong box",
            "审计 用户 1000：记录 3-5 被 municipal 拒收，不再发送 · 理由：wrong box",
        );
        check(
            Actor::Platform("province".into()),
            Act::Pinned { records },
            "",
            "AUDIT by platform province: 3-5 kept until they are released",
            "审计 平台 province：记录 3-5 锁定保存，解除前不删除",
        );
        check(
            Actor::User(0),
            Act::Released { pin: Seq(9) },
            "",
            "AUDIT by user 0: pin 9 released",
            "审计 用户 0：锁定 9 已解除",
        );
        check(
            Actor::User(0),
            Act::Acknowledged { rule: RuleId::new("cod-high").unwrap(), source: SourceId::new("cod-1").unwrap() },
            "on the way",
            "AUDIT by user 0: alarm cod-high of cod-1 acknowledged · reason: on the way",
            "审计 用户 0：已确认 cod-1 的报警 cod-high · 理由：on the way",
        );
        check(
            Actor::User(0),
            Act::Enrolled { platform: "municipal".into(), key: [0xab; 32] },
            "",
            &format!("AUDIT by user 0: municipal enrolled, its key {}", "ab".repeat(32)),
            &format!("审计 用户 0：已登记平台 municipal，其公钥 {}", "ab".repeat(32)),
        );
    }
}
