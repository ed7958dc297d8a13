//! The last upgrade in words, as status, doctor and `weir upgrade` have them.

use record::UnixMs;

use super::state::{Phase, Upgrade};
use crate::lang::Lang;
use crate::output;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Worth knowing.
    Note,
    /// Somebody has to look at the new version before it is installed again.
    Warning,
    /// The box does not do its work.
    Fault,
}

/// What there is to know of it, with the next command.
pub(crate) fn told(upgrade: &Upgrade, lang: Lang) -> (Weight, String) {
    let Upgrade { from, to, .. } = upgrade;
    let at = |ms: &i64| output::time(UnixMs(*ms));
    match (&upgrade.phase, lang) {
        (Phase::Waiting, Lang::En) => (
            Weight::Note,
            format!(
                "version {to} is on trial: if it does not work in time, {from} comes back by itself · try: weir upgrade"
            ),
        ),
        (Phase::Waiting, Lang::Zh) => {
            (Weight::Note, format!("新版本 {to} 试运行中：若未按时正常工作，将自动回退到 {from} · try: weir upgrade"))
        }
        (Phase::RollingBack { why, .. }, Lang::En) => (
            Weight::Warning,
            format!("version {from} takes the place of {to} again: {why} · try: journalctl -u weir-upgraded"),
        ),
        (Phase::RollingBack { why, .. }, Lang::Zh) => {
            (Weight::Warning, format!("正在从 {to} 回退到 {from}：{why} · try: journalctl -u weir-upgraded"))
        }
        (Phase::Kept { at_ms }, Lang::En) => {
            (Weight::Note, format!("version {to} took the place of {from} and has proved itself, {}", at(at_ms)))
        }
        (Phase::Kept { at_ms }, Lang::Zh) => (Weight::Note, format!("{to} 已取代 {from}，试运行合格，{}", at(at_ms))),
        (Phase::Accepted { at_ms, reason, .. }, Lang::En) => (
            Weight::Note,
            format!("version {to} took the place of {from} and was accepted by hand, {}: {reason}", at(at_ms)),
        ),
        (Phase::Accepted { at_ms, reason, .. }, Lang::Zh) => {
            (Weight::Note, format!("{to} 已取代 {from}，由人工确认保留，{}：{reason}", at(at_ms)))
        }
        (Phase::RolledBack { at_ms, why, by }, _) => {
            let weight = if by.is_some() { Weight::Note } else { Weight::Warning };
            (weight, rolled_back(upgrade, &at(at_ms), why, lang))
        }
        (Phase::Stuck { why, hinders, .. }, Lang::En) => (
            Weight::Fault,
            format!(
                "version {to} does not work ({why}), and {from} cannot take its place: {hinders} · try: journalctl -u \
                 weir-upgraded, sudo apt install a newer weir"
            ),
        ),
        (Phase::Stuck { why, hinders, .. }, Lang::Zh) => (
            Weight::Fault,
            format!(
                "新版本 {to} 未正常工作（{why}），且无法回退到 {from}：{hinders} · try: journalctl -u weir-upgraded, sudo apt \
                 install a newer weir"
            ),
        ),
    }
}

fn rolled_back(Upgrade { from, to, .. }: &Upgrade, at: &str, why: &str, lang: Lang) -> String {
    match lang {
        Lang::En => format!(
            "version {to} was taken back, {from} works again since {at}: {why} · apt leaves {to} alone; to try it once more: sudo apt \
             install weir={to}"
        ),
        Lang::Zh => format!(
            "版本 {to} 已被撤回，{at} 起恢复使用 {from}：{why} · apt 不会自动再装 {to}；如需重试 try: sudo apt install weir={to}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn every_phase_is_told_in_both_languages() {
        let (at_ms, why) = (1_800_000_000_000, "gateway: it does not answer".to_owned());
        let mut shown = String::new();
        for phase in [
            Phase::Waiting,
            Phase::RollingBack { why: why.clone(), by: None },
            Phase::Kept { at_ms },
            Phase::Accepted { at_ms, by: 0, reason: "seen".into() },
            Phase::RolledBack { at_ms, why: why.clone(), by: None },
            Phase::RolledBack { at_ms, why: "too slow".into(), by: Some(0) },
            Phase::Stuck { at_ms, why, hinders: "schema 9".into() },
        ] {
            let (from, to) = ("0.1.0-1".into(), "0.2.0-1".into());
            let upgrade = Upgrade { from, to, judged: Vec::new(), tested: true, begun_ms: at_ms, phase };
            for lang in [Lang::En, Lang::Zh] {
                let (weight, text) = told(&upgrade, lang);
                shown += &format!("{weight:?} {text}\n");
            }
        }
        expect![[r#"
            Note version 0.2.0-1 is on trial: if it does not work in time, 0.1.0-1 comes back by itself · try: weir upgrade
            Note 新版本 0.2.0-1 试运行中：若未按时正常工作，将自动回退到 0.1.0-1 · try: weir upgrade
            Warning version 0.1.0-1 takes the place of 0.2.0-1 again: gateway: it does not answer · try: journalctl -u weir-upgraded
            Warning 正在从 0.2.0-1 回退到 0.1.0-1：gateway: it does not answer · try: journalctl -u weir-upgraded
            Note version 0.2.0-1 took the place of 0.1.0-1 and has proved itself, 2027-01-15T08:00:00.000Z
            Note 0.2.0-1 已取代 0.1.0-1，试运行合格，2027-01-15T08:00:00.000Z
            Note version 0.2.0-1 took the place of 0.1.0-1 and was accepted by hand, 2027-01-15T08:00:00.000Z: seen
            Note 0.2.0-1 已取代 0.1.0-1，由人工确认保留，2027-01-15T08:00:00.000Z：seen
            Warning version 0.2.0-1 was taken back, 0.1.0-1 works again since 2027-01-15T08:00:00.000Z: gateway: it does not answer · apt leaves 0.2.0-1 alone; to try it once more: sudo apt install weir=0.2.0-1
            Warning 版本 0.2.0-1 已被撤回，2027-01-15T08:00:00.000Z 起恢复使用 0.1.0-1：gateway: it does not answer · apt 不会自动再装 0.2.0-1；如需重试 try: sudo apt install weir=0.2.0-1
            Note version 0.2.0-1 was taken back, 0.1.0-1 works again since 2027-01-15T08:00:00.000Z: too slow · apt leaves 0.2.0-1 alone; to try it once more: sudo apt install weir=0.2.0-1
            Note 版本 0.2.0-1 已被撤回，2027-01-15T08:00:00.000Z 起恢复使用 0.1.0-1：too slow · apt 不会自动再装 0.2.0-1；如需重试 try: sudo apt install weir=0.2.0-1
            Fault version 0.2.0-1 does not work (gateway: it does not answer), and 0.1.0-1 cannot take its place: schema 9 · try: journalctl -u weir-upgraded, sudo apt install a newer weir
            Fault 新版本 0.2.0-1 未正常工作（gateway: it does not answer），且无法回退到 0.1.0-1：schema 9 · try: journalctl -u weir-upgraded, sudo apt install a newer weir
        "#]].assert_eq(&shown);
    }
}
