//! The statements about an evidence file in words.

use batch::{Heir, PublicKey};
use evidence::{Complete, ReceiptFault, Receipts, RecordsFault, Revoked, Sealed, State, Times, What};
use record::UnixMs;

use crate::lang::Lang;
use crate::output;
use crate::verify::file;

/// One statement.
pub(super) fn of(what: &What, state: State, lang: Lang) -> String {
    let wrong = state == State::Wrong;
    match what {
        What::Container { parts, altered } => container(*parts, altered.as_deref(), wrong, lang),
        What::Seal { sealed: Some(sealed), other: None } => seal(sealed, lang),
        What::Seal { sealed, other } => {
            let text = match sealed {
                None => lang.pick("the seal is not the word of this key", "封印不是该公钥所签"),
                Some(_) => lang.pick("this part is not the one that the box sealed", "该部分与站点封印的不一致"),
            };
            format!("{text}: {}", other.as_deref().unwrap_or("-"))
        }
        What::Key { key, given } => key_of(key, *given, lang),
        What::Keys { keys, unvouched } => keys_of(keys, *unvouched, lang),
        What::Revoked(revoked) => revoked_of(revoked, lang),
        What::Records { fault: Some(fault), .. } => records_fault(fault, lang),
        What::Records { records, covering, .. } => {
            let text = lang.pick("records, each as the box signed it", "记录，均与站点签名一致");
            let head = covering.as_ref().map(|head| {
                let signed = lang.pick("tree head signed", "树头签名时间");
                format!(" · {signed} {} · {} · {}", output::time(head.stamp.wall_ms), head.head.size, head.head.root)
            });
            format!("{text}: {records}{}", head.unwrap_or_default())
        }
        What::Readings if wrong => {
            lang.pick("readings.csv says something else than the records", "readings.csv 与记录不符").into()
        }
        What::Readings => lang.pick("readings.csv is what the records say", "readings.csv 与记录一致").into(),
        What::Report { version } => match state {
            State::Proven => lang.pick("report.html is what the records say", "report.html 与记录一致").into(),
            State::Wrong => {
                lang.pick("report.html says something else than the records", "report.html 与记录不符").into()
            }
            State::Open => {
                let text = lang.pick(
                    "report.html is made by another rule and is not compared, version",
                    "report.html 由其他版本规则生成，未比对，版本",
                );
                format!("{text} {version}")
            }
        },
        What::Receipts(receipts) => of_platform(receipts, lang),
        What::Codecs { used, untold } => {
            let text = lang.pick("codecs that decoded the readings", "解码所用编解码器");
            let missing = lang.pick("whose text is not in the file", "其中文本不在文件内");
            format!("{text}: {used}{}", if *untold > 0 { format!(" · {missing}: {untold}") } else { String::new() })
        }
        What::Stated { samples, patrols } => match lang {
            Lang::En => format!(
                "entered by people, and their word: {samples} manual samples, {patrols} patrols; proven is only that they were \
                 entered then"
            ),
            Lang::Zh => {
                format!(
                    "人工录入，属录入人陈述：手工监测 {samples} 条，巡查 {patrols} 条；只证明当时已录入，不证明内容"
                )
            }
        },
        What::Alarm { seq } => {
            let text = match state {
                State::Proven => lang.pick(
                    "the alarm is here with the reading that caused it: record",
                    "报警及其依据的监测值均在文件内：记录",
                ),
                _ => {
                    lang.pick("the alarm or what caused it is not in the file: record", "报警或其依据不在文件内：记录")
                }
            };
            format!("{text} {seq}")
        }
        What::Complete(complete) => complete_of(complete, state, lang),
        What::Times(times) => times_of(times, lang),
    }
}

fn container(parts: usize, altered: Option<&str>, wrong: bool, lang: Lang) -> String {
    if !wrong {
        let text = lang.pick("the file is exactly what its parts make", "文件与其组成部分完全一致");
        return format!("{text}: {parts}");
    }
    let text = lang.pick("the file is not as it was made", "文件不是原样");
    let part = altered.map(|name| format!(" · {}: {name}", lang.pick("altered part", "被改动的部分")));
    format!("{text}{}", part.unwrap_or_default())
}

fn seal(Sealed { box_id, asked, stamp }: &Sealed, lang: Lang) -> String {
    let (sealed, at) = (lang.pick("sealed by", "封印站点"), output::time(stamp.wall_ms));
    let (from, to) = (output::time(asked.from_ms), output::time(asked.to_ms));
    let sources: Vec<&str> = asked.sources.iter().map(|source| source.as_str()).collect();
    let of = match sources.is_empty() {
        true => lang.pick("all devices", "全部设备").to_owned(),
        false => sources.join(", "),
    };
    let reason = match asked.reason.as_str() {
        "" => String::new(),
        // Somebody wrote it: no control character reaches the terminal.
        reason => format!(" · {:?}", reason),
    };
    format!("{sealed} {box_id} · {at} · {from} – {to} · {of}{reason}")
}

fn key_of(key: &PublicKey, given: bool, lang: Lang) -> String {
    let text = match given {
        true => lang.pick("verified with the given key", "以给定公钥验证"),
        false => lang.pick(
            "verified only with the key that the file itself names; compare it, or give --key",
            "仅以文件自带公钥验证，请核对或使用 --key",
        ),
    };
    format!("{text}: {key}")
}

fn keys_of(keys: &[Heir], unvouched: u64, lang: Lang) -> String {
    let shown: Vec<String> =
        keys.iter().skip(1).map(|heir| format!("{}: {}", file::voucher(heir, lang), heir.key)).collect();
    let passed = lang.pick("tree heads of others, which prove nothing", "其他密钥签名、不作证明的树头");
    let passed = if unvouched > 0 { format!(" · {passed}: {unvouched}") } else { String::new() };
    format!("{}{passed}", shown.join(" · "))
}

fn revoked_of(revoked: &Revoked, lang: Lang) -> String {
    let Revoked { platform, key, from_ms, reason, before, after, sealed_after, confirmed } = revoked;
    let (Some(key), Some(from_ms), Some(reason)) = (key, from_ms, reason) else {
        let text = lang.pick(
            "a revocation is not believed: give the key of platform",
            "吊销声明未被采信：请用 --platform 给出公钥，平台",
        );
        return format!("{text} {platform}");
    };
    let (by, from) = (lang.pick("revoked by", "吊销平台"), lang.pick("from", "自"));
    let worth = match (*after > 0 || *sealed_after, *before, confirmed) {
        (true, ..) => {
            let text =
                lang.pick("signed here afterwards, proves nothing: tree heads", "吊销后在本文件中签名，不作证明：树头");
            let seal = if *sealed_after { lang.pick(", the seal", "、封印") } else { "" };
            format!("{text} {after}{seal}")
        }
        (_, 0, _) => lang.pick("it signed no tree head here", "本文件中无其签名的树头").to_owned(),
        (_, _, true) => lang
            .pick("what it signed here, a platform had before then", "其在本文件中的签名，平台在吊销时间之前已收到")
            .to_owned(),
        (_, _, false) => lang
            .pick(
                "what it signed here was before, by its own clock alone",
                "其在本文件中的签名早于吊销，但仅以其自身时钟为据",
            )
            .to_owned(),
    };
    format!("{key}: {by} {platform} {from} {} · {reason:?} · {worth}", output::time(*from_ms))
}

fn records_fault(fault: &RecordsFault, lang: Lang) -> String {
    match fault {
        RecordsFault::Log(fault) => file::words(fault, lang),
        RecordsFault::Strange(seq) => {
            let text = lang.pick("this program cannot read record", "本程序无法读取记录");
            format!("{text} {seq} · try: weir --version")
        }
        RecordsFault::OtherBox => {
            lang.pick("the records are of another box than the seal", "记录与封印不是同一站点").into()
        }
    }
}

fn of_platform(receipts: &Receipts, lang: Lang) -> String {
    let Receipts { platform, key_given, receipts: count, records, held, existed, fault, .. } = receipts;
    if let Some((name, why)) = fault {
        return format!("{platform}: {}: {name}", receipt_fault(*why, lang));
    }
    let before = |at: Option<UnixMs>| {
        at.map(|at| format!(" ({} {})", lang.pick("before", "不晚于"), output::time(at))).unwrap_or_default()
    };
    let word = match key_given {
        true => lang.pick("receipts verified with the given key", "以给定公钥验证回执"),
        false => lang.pick("receipts not verified: its key was not given", "未验证回执：未给定其公钥"),
    };
    let (held_word, seen_word) = (
        lang.pick("records it holds", "已持有记录"),
        lang.pick("records under a tree head it received", "已收到树头所覆盖的记录"),
    );
    format!(
        "{platform}: {word}: {count} · {seen_word}: {existed}/{records}{} · {held_word}: {held}/{records}{}",
        before(receipts.existed_before_ms),
        before(receipts.held_before_ms)
    )
}

fn receipt_fault(fault: ReceiptFault, lang: Lang) -> String {
    match (lang, fault) {
        (Lang::En, fault) => fault.to_string(),
        (Lang::Zh, ReceiptFault::Form) => "回执格式无效".into(),
        (Lang::Zh, ReceiptFault::Signature) => "回执不是该平台给定公钥所签".into(),
        (Lang::Zh, ReceiptFault::OtherBox) => "回执属于其他站点".into(),
        (Lang::Zh, ReceiptFault::Name) => "回执与其文件名不符".into(),
        (Lang::Zh, ReceiptFault::Head) => "回执所述的树与记录不符".into(),
    }
}

fn complete_of(complete: &Complete, state: State, lang: Lang) -> String {
    let Complete { numbers, here, gone, bounded } = complete;
    let text = match (state, numbers) {
        (State::Proven, _) => lang.pick("no record of that time is left out", "该时段记录无遗漏"),
        (_, 0) => lang.pick("no record of that time is here", "文件内没有该时段的记录"),
        _ => lang.pick("that no record of that time is left out is not proven", "未能证明该时段记录无遗漏"),
    };
    let (here_word, gone_word) = (lang.pick("here", "文件内"), lang.pick("told as gone", "已声明缺失"));
    let mut shown = format!("{text}: {here_word} {here}/{numbers} · {gone_word} {gone}");
    if complete.untold() > 0 {
        let text = lang.pick("of other devices, or unexplained", "其他设备或未说明");
        shown.push_str(&format!(" · {text}: {}", complete.untold()));
    }
    if !bounded && *numbers > 0 {
        shown.push_str(lang.pick(" · its ends are not shown", " · 未显示时段两端的相邻记录"));
    }
    shown
}

fn times_of(times: &Times, lang: Lang) -> String {
    let Times { synchronised, holdover, unset, corrected, unknown, error_ms_max, .. } = times;
    let counts = [
        (lang.pick("synchronised", "已同步"), synchronised),
        (lang.pick("holdover", "守时"), holdover),
        (lang.pick("unset", "未设定"), unset),
        (lang.pick("corrected since", "事后校正"), corrected),
        (lang.pick("unknown", "未知"), unknown),
    ];
    let shown: Vec<String> = counts.into_iter().map(|(word, count)| format!("{word} {count}")).collect();
    let text = lang.pick("clock of these records", "这些记录的时钟");
    format!("{text}: {} · ±{error_ms_max} ms", shown.join(" · "))
}
