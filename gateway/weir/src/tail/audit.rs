//! What somebody ordered, in words.

use batch::{KeyStatement, Whose};
use record::{
    Act, Actor, Audit, ConfigFile, Configuring, Notification, RelayId, SampleStep, Seq, SeqRange, Settlement, TestPort,
};

use crate::lang::Lang;
use crate::output;

/// Bytes of a digest that are shown: as many as tell versions of a file apart.
const DIGEST_SHOWN: usize = 8;

/// Who ordered what, and why.
pub(super) fn show(audit: &Audit, lang: Lang) -> String {
    let by = actor(&audit.by, lang);
    let act = act(&audit.act, lang);
    match (audit.reason.as_str(), lang) {
        ("", Lang::En) => format!("AUDIT by {by}: {act}"),
        ("", Lang::Zh) => format!("审计 {by}：{act}"),
        (reason, Lang::En) => format!("AUDIT by {by}: {act} · reason: {reason}"),
        (reason, Lang::Zh) => format!("审计 {by}：{act} · 理由：{reason}"),
    }
}

/// Who.
pub(crate) fn actor(by: &Actor, lang: Lang) -> String {
    match (by, lang) {
        (Actor::User(uid), Lang::En) => format!("user {uid}"),
        (Actor::User(uid), Lang::Zh) => format!("用户 {uid}"),
        (Actor::Platform(platform), Lang::En) => format!("platform {platform}"),
        (Actor::Platform(platform), Lang::Zh) => format!("平台 {platform}"),
        (Actor::Box, _) => lang.pick("the box itself", "本机").to_owned(),
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
        (Act::Commanded { number, order, refused, .. }, _) => commanded(*number, order, refused.as_deref(), lang),
        (Act::Settled { command, outcome }, _) => settled(*command, *outcome, lang),
        (Act::Acknowledged { rule, source }, Lang::En) => format!("alarm {rule} of {source} acknowledged"),
        (Act::Acknowledged { rule, source }, Lang::Zh) => format!("已确认 {source} 的报警 {rule}"),
        (Act::Shelved { rule, source, until_ms: Some(until) }, Lang::En) => {
            format!("alarm {rule} of {source} shelved until {}", output::time(*until))
        }
        (Act::Shelved { rule, source, until_ms: Some(until) }, Lang::Zh) => {
            format!("搁置 {source} 的报警 {rule}，至 {}", output::time(*until))
        }
        (Act::Shelved { rule, source, until_ms: None }, Lang::En) => {
            format!("alarm {rule} of {source} is shelved no more")
        }
        (Act::Shelved { rule, source, until_ms: None }, Lang::Zh) => format!("取消搁置 {source} 的报警 {rule}"),
        (Act::Reset { rule, source }, Lang::En) => format!("alarm {rule} of {source} reset"),
        (Act::Reset { rule, source }, Lang::Zh) => format!("已复位 {source} 的报警 {rule}"),
        (Act::Notified { alarm, level, outcome, channel }, _) => {
            notified(*alarm, level, *outcome, channel.as_deref(), lang)
        }
        (Act::Sampled { sampler, step, bottle, bottles, alarm }, _) => {
            sampled(sampler, *step, (*bottle, *bottles), *alarm, lang)
        }
        (Act::Refilled { sampler, bottles }, Lang::En) => {
            format!("{bottles} empty bottles put into sampler {sampler}")
        }
        (Act::Refilled { sampler, bottles }, Lang::Zh) => format!("采样器 {sampler} 已换上 {bottles} 个空瓶"),
        (Act::SelfTested { port, frame }, _) => self_tested(*port, frame.len(), lang),
        (Act::Enrolled { platform, key }, Lang::Zh) => format!("已登记平台 {platform}，其公钥 {}", hex::encode(key)),
        (Act::KeyChanged { statement }, lang) => key_changed(statement, lang),
        (Act::Configured { file, sha256, how }, _) => configured(*file, sha256, *how, lang),
    }
}

/// A test frame, which nobody may take for a measurement.
fn self_tested(port: TestPort, bytes: usize, lang: Lang) -> String {
    match (port, lang) {
        (TestPort::Mqtt, Lang::En) => format!("SELF-TEST, no measurement: a test frame of {bytes} bytes came by MQTT"),
        (TestPort::Mqtt, Lang::Zh) => format!("自检测试，非监测数据：经 MQTT 收到 {bytes} 字节测试帧"),
        (TestPort::Control, Lang::En) => {
            format!("SELF-TEST, no measurement: a test frame of {bytes} bytes came by the control socket")
        }
        (TestPort::Control, Lang::Zh) => format!("自检测试，非监测数据：经控制套接字收到 {bytes} 字节测试帧"),
    }
}

/// Which file gets which text.
fn configured(file: ConfigFile, sha256: &[u8; 32], how: Configuring, lang: Lang) -> String {
    let digest = hex::encode(&sha256[..DIGEST_SHOWN]);
    match (how, lang) {
        (Configuring::Applied, Lang::En) => format!("{file} is changed, its text now {digest}…"),
        (Configuring::Applied, Lang::Zh) => format!("修改 {file}，新文本 {digest}…"),
        (Configuring::RolledBack, Lang::En) => format!("{file} is as before again, its text now {digest}…"),
        (Configuring::RolledBack, Lang::Zh) => format!("恢复 {file} 的旧版本，文本 {digest}…"),
    }
}

/// Whose key took the place of which, by whose word.
fn key_changed(statement: &[u8], lang: Lang) -> String {
    let Ok(read) = KeyStatement::read(statement) else {
        return lang.pick("a key changed, by a statement that cannot be read", "密钥已更换，其声明无法读取").to_owned();
    };
    let ((former, key), whose) = (read.keys(), read.whose());
    let (former, key) = (former.id(), key.id());
    match (&read, &whose, lang) {
        (KeyStatement::Succession { says, .. }, _, Lang::En) => {
            format!("{} let in another machine for {}: key {key} for {former}", says.platform, says.box_id)
        }
        (KeyStatement::Succession { says, .. }, _, Lang::Zh) => {
            format!("平台 {} 准许新设备接替 {}：密钥 {key} 接替 {former}", says.platform, says.box_id)
        }
        (_, Whose::Box(_), Lang::En) => format!("key {former} of this box handed over to {key}"),
        (_, Whose::Box(_), Lang::Zh) => format!("本站密钥 {former} 已更换为 {key}"),
        (_, Whose::Platform(name), Lang::En) => format!("key {former} of platform {name} handed over to {key}"),
        (_, Whose::Platform(name), Lang::Zh) => format!("平台 {name} 的密钥 {former} 已更换为 {key}"),
    }
}

fn commanded(number: u64, order: &str, refused: Option<&str>, lang: Lang) -> String {
    let what = match (order, lang) {
        ("resend", Lang::Zh) => "重新发送",
        ("sampling", Lang::Zh) => "采样周期",
        ("rules", Lang::Zh) => "报警规则",
        ("configuration", Lang::Zh) => "配置文件",
        ("retained_sample", Lang::Zh) => "留样",
        (order, _) => order,
    };
    match (refused, lang) {
        (None, Lang::En) => format!("command {number} ({what}) is carried out"),
        (None, Lang::Zh) => format!("执行指令 {number}（{what}）"),
        (Some(why), Lang::En) => format!("command {number} ({what}) is refused: {why}"),
        (Some(why), Lang::Zh) => format!("拒绝指令 {number}（{what}）：{why}"),
    }
}

fn settled(command: Seq, outcome: Settlement, lang: Lang) -> String {
    match (outcome, lang) {
        (Settlement::Kept, Lang::En) => {
            format!("what record {command} ordered stays, the platform gets data under it")
        }
        (Settlement::Kept, Lang::Zh) => format!("记录 {command} 的指令内容已保留：平台在其下收到数据"),
        (Settlement::RolledBack, Lang::En) => format!("what record {command} ordered is out of force again"),
        (Settlement::RolledBack, Lang::Zh) => format!("记录 {command} 的指令内容已回退"),
        (Settlement::Superseded, Lang::En) => {
            format!("what record {command} ordered counts no more, the box's own was changed by hand")
        }
        (Settlement::Superseded, Lang::Zh) => format!("记录 {command} 的指令内容不再有效：本机文件已被人工修改"),
    }
}

fn notified(alarm: Seq, level: &str, outcome: Notification, channel: Option<&str>, lang: Lang) -> String {
    let by = channel.unwrap_or("-");
    match (outcome, lang) {
        (Notification::Delivered, Lang::En) => {
            format!("{level} was told of alarm {alarm} by {by}, the first to hear of it")
        }
        (Notification::Delivered, Lang::Zh) => format!("已通过 {by} 将报警 {alarm} 首次通知 {level}"),
        (Notification::Escalated, Lang::En) => {
            format!("alarm {alarm} escalated to {level}: nobody acknowledged it in time")
        }
        (Notification::Escalated, Lang::Zh) => format!("报警 {alarm} 无人及时确认，升级通知 {level}"),
        (Notification::Unreached, Lang::En) => {
            format!("alarm {alarm} reached nobody up to {level}: no channel took a message")
        }
        (Notification::Unreached, Lang::Zh) => format!("报警 {alarm} 直至 {level} 均未能通知到人：所有渠道发送失败"),
    }
}

/// A retained sample, or why there is none.
fn sampled(
    sampler: &RelayId,
    step: SampleStep,
    (bottle, bottles): (u16, u16),
    alarm: Option<Seq>,
    lang: Lang,
) -> String {
    let because = match (alarm, lang) {
        (None, _) => String::new(),
        (Some(alarm), Lang::En) => format!(" because of alarm {alarm}"),
        (Some(alarm), Lang::Zh) => format!("，因报警 {alarm}"),
    };
    if step.is_refusal() {
        let why = refusal(step, lang);
        return match lang {
            Lang::En => format!("no sample is taken by {sampler}{because}: {why}, {bottle} of {bottles} bottles used"),
            Lang::Zh => format!("{sampler} 未留样{because}：{why}，已用 {bottle}/{bottles} 瓶"),
        };
    }
    let what = match step {
        SampleStep::Started => lang.pick("a sample is taken by", "开始留样"),
        SampleStep::Taken => lang.pick("a sample was taken by", "留样完成"),
        SampleStep::Failed => lang.pick("no sample was taken, the relay did not switch:", "留样失败，继电器未动作"),
        _ => lang.pick("a sample may be incomplete, of", "留样不确定"),
    };
    match lang {
        Lang::En => format!("{what} {sampler}, bottle {bottle} of {bottles}{because}"),
        Lang::Zh => format!("{what}：{sampler} 第 {bottle}/{bottles} 瓶{because}"),
    }
}

/// Why none is taken.
pub(crate) fn refusal(step: SampleStep, lang: Lang) -> &'static str {
    match step {
        SampleStep::CoolingDown => lang.pick("the last one is too short a time ago", "距上次留样间隔未到"),
        SampleStep::NoBottle => lang.pick("no bottle is left", "已无空瓶"),
        SampleStep::Busy => lang.pick("it is at work", "正在留样"),
        SampleStep::Shelved => lang.pick("the alarm is shelved or suppressed", "该报警已搁置或被抑制"),
        _ => lang.pick("it cannot be used", "采样器不可用"),
    }
}

fn span(records: SeqRange) -> String {
    format!("{records:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::{RuleId, SourceId};

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
            Act::Configured { file: ConfigFile::Devices, sha256: [0xab; 32], how: Configuring::RolledBack },
            "wrong unit",
            "AUDIT by user 0: devices.toml is as before again, its text now abababababababab… · reason: wrong unit",
            "审计 用户 0：恢复 devices.toml 的旧版本，文本 abababababababab… · 理由：wrong unit",
        );
        let notified = |outcome, channel: Option<&str>| {
            let channel = channel.map(str::to_owned);
            Act::Notified { alarm: Seq(4), level: "镇".into(), outcome, channel }
        };
        check(
            Actor::User(9),
            notified(Notification::Delivered, Some("robot")),
            "",
            "AUDIT by user 9: 镇 was told of alarm 4 by robot, the first to hear of it",
            "审计 用户 9：已通过 robot 将报警 4 首次通知 镇",
        );
        check(
            Actor::User(9),
            notified(Notification::Unreached, None),
            "",
            "AUDIT by user 9: alarm 4 reached nobody up to 镇: no channel took a message",
            "审计 用户 9：报警 4 直至 镇 均未能通知到人：所有渠道发送失败",
        );
        let sampled = |step, alarm| {
            let sampler = RelayId::new("east").unwrap();
            Act::Sampled { sampler, step, bottle: 3, bottles: 24, alarm }
        };
        check(
            Actor::Box,
            sampled(SampleStep::Started, Some(Seq(27))),
            "",
            "AUDIT by the box itself: a sample is taken by east, bottle 3 of 24 because of alarm 27",
            "审计 本机：开始留样：east 第 3/24 瓶，因报警 27",
        );
        check(
            Actor::User(9),
            sampled(SampleStep::CoolingDown, None),
            "clue 7",
            "AUDIT by user 9: no sample is taken by east: the last one is too short a time ago, 3 of 24 bottles used \
             · reason: clue 7",
            "审计 用户 9：east 未留样：距上次留样间隔未到，已用 3/24 瓶 · 理由：clue 7",
        );
        check(
            Actor::User(9),
            Act::Refilled { sampler: RelayId::new("east").unwrap(), bottles: 24 },
            "",
            "AUDIT by user 9: 24 empty bottles put into sampler east",
            "审计 用户 9：采样器 east 已换上 24 个空瓶",
        );
        let tested = |port| Act::SelfTested { port, frame: vec![7; 30] };
        check(
            Actor::User(0),
            tested(TestPort::Mqtt),
            "pump replaced",
            "AUDIT by user 0: SELF-TEST, no measurement: a test frame of 30 bytes came by MQTT · reason: pump replaced",
            "审计 用户 0：自检测试，非监测数据：经 MQTT 收到 30 字节测试帧 · 理由：pump replaced",
        );
        check(
            Actor::User(0),
            tested(TestPort::Control),
            "",
            "AUDIT by user 0: SELF-TEST, no measurement: a test frame of 30 bytes came by the control socket",
            "审计 用户 0：自检测试，非监测数据：经控制套接字收到 30 字节测试帧",
        );
        let commanded = |refused: Option<&str>| Act::Commanded {
            number: 7,
            order: "resend".into(),
            command: vec![1],
            refused: refused.map(str::to_owned),
        };
        check(
            Actor::Platform("city".into()),
            commanded(None),
            "restored",
            "AUDIT by platform city: command 7 (resend) is carried out · reason: restored",
            "审计 平台 city：执行指令 7（重新发送） · 理由：restored",
        );
        check(
            Actor::Platform("city".into()),
            commanded(Some("too late")),
            "",
            "AUDIT by platform city: command 7 (resend) is refused: too late",
            "审计 平台 city：拒绝指令 7（重新发送）：too late",
        );
        check(
            Actor::Box,
            Act::Settled { command: Seq(9), outcome: Settlement::RolledBack },
            "no receipt in 900 s",
            "AUDIT by the box itself: what record 9 ordered is out of force again · reason: no receipt in 900 s",
            "审计 本机：记录 9 的指令内容已回退 · 理由：no receipt in 900 s",
        );
        check(
            Actor::User(0),
            Act::Enrolled { platform: "municipal".into(), key: [0xab; 32] },
            "",
            &format!("AUDIT by user 0: municipal enrolled, its key {}", "ab".repeat(32)),
            &format!("审计 用户 0：已登记平台 municipal，其公钥 {}", "ab".repeat(32)),
        );
        let [old, new] = [1, 2].map(|seed| batch::SigningKey::from_seed(&[seed; 32]));
        let change = batch::KeyChange {
            whose: Whose::Box(batch::BoxId::new("box-1").unwrap()),
            old: old.public(),
            new: new.public(),
            number: 1,
            at_ms: record::UnixMs(0),
            clock: None,
            reason: "yearly".into(),
        };
        let [former, key] = [&old, &new].map(|key| key.id().to_string());
        check(
            Actor::User(0),
            Act::KeyChanged { statement: change.sign(&old, &new) },
            "yearly",
            &format!("AUDIT by user 0: key {former} of this box handed over to {key} · reason: yearly"),
            &format!("审计 用户 0：本站密钥 {former} 已更换为 {key} · 理由：yearly"),
        );
    }
}
