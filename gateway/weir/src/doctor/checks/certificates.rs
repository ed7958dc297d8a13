//! Certificates towards platforms and sensors, by the best known time.

use record::UnixMs;
use syncd::Known;

use super::super::check::{Check, Looked, Seen, Trouble, Verdict, say, words};
use super::super::facts::{Certificate, Facts, Unseen, Whose};
use crate::lang::Lang;
use crate::output::time;

/// A certificate should be exchanged so long before it ends. ms.
const ENDS_SOON_MS: i64 = 30 * 86_400_000;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "platforms.certificates",
        title: words("certificates towards platforms", "平台证书有效期"),
        cause: words(
            "it ended, ends soon, or cannot be read: no connection is made with it",
            "已过期、即将过期或无法读取，将无法连接",
        ),
        cure: words(
            "ask the platform's operator for the new one, and put it in its place",
            "向平台运维索取新证书并替换",
        ),
        command: "openssl x509 -noout -dates -in {}",
        look: certificates,
    },
    Check {
        id: "mqtt.certificate",
        title: words("certificate towards sensors", "MQTT 证书有效期"),
        cause: words(
            "it ended, ends soon, or cannot be read: sensors do not connect",
            "已过期、即将过期或无法读取，传感器无法连接",
        ),
        cure: words(
            "have a new one signed, put it in its place, start the gateway again",
            "签发新证书替换后重启采集服务",
        ),
        command: "openssl x509 -noout -dates -in {}; sudo systemctl restart weir-gateway",
        look: mqtt_certificate,
    },
];

fn certificates(facts: &Facts, lang: Lang) -> Looked {
    let all: Vec<&Certificate> = facts.certificates.as_ref()?.iter().filter(|one| one.whose != Whose::Mqtt).collect();
    judge_certificates(&all, known(facts), lang)
}

fn mqtt_certificate(facts: &Facts, lang: Lang) -> Looked {
    let all: Vec<&Certificate> = facts.certificates.as_ref()?.iter().filter(|one| one.whose == Whose::Mqtt).collect();
    judge_certificates(&all, known(facts), lang)
}

/// The time by which the upload daemon judges certificates too: the journal's word, else no more than when this was built.
fn known(facts: &Facts) -> Known {
    let told = facts.clock.as_ref().ok().and_then(|clock| clock.known.as_ref().ok());
    told.copied().unwrap_or(Known::NotBefore(record::BUILD_FLOOR))
}

fn judge_certificates(all: &[&Certificate], known: Known, lang: Lang) -> Looked {
    if all.is_empty() {
        return Err(Unseen::Absent(words("no certificate is set up", "未配置证书")));
    }
    let denied = all.iter().find_map(|one| one.valid.as_ref().err().filter(|why| matches!(why, Unseen::Denied(_))));
    if let Some(denied) = denied {
        return Err(denied.clone());
    }
    let mut shown = Vec::new();
    let mut troubles = Vec::new();
    for certificate in all {
        let path = certificate.path.display().to_string();
        match &certificate.valid {
            Err(unseen) => troubles.push(Trouble::fault(path.clone(), format!("{path}: {}", unseen.told(lang)))),
            Ok((from, until)) => match judge_validity(*from, *until, known) {
                Some(verdict) => {
                    let (from, until) = (time(*from), time(*until));
                    let evidence =
                        say!(lang, "{path}: valid from {from} to {until}", "{path}：有效期 {from} 至 {until}");
                    troubles.push(Trouble::new(verdict, path, evidence));
                }
                None => shown.push(format!("{path}: {}", time(*until))),
            },
        }
    }
    Ok(Seen::unless(troubles, shown.join(", ")))
}

/// As the upload daemon judges them: where only a bound of the time is known, one that begins later may well be valid by now.
fn judge_validity(from: UnixMs, until: UnixMs, known: Known) -> Option<Verdict> {
    let (now, is_sure) = match known {
        Known::Is(now) => (now, true),
        Known::NotBefore(now) => (now, false),
    };
    let soon = UnixMs(now.0.saturating_add(ENDS_SOON_MS));
    match (now > until, is_sure && now < from, soon > until) {
        (true, _, _) | (_, true, _) => Some(Verdict::Fault),
        (_, _, true) => Some(Verdict::Warning),
        _ => None,
    }
}
