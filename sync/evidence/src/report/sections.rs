//! The sections of the report, in their order.

use std::collections::BTreeMap;

use batch::{Asked, BoxId, KeyStatement, Receipt};
use record::merkle::Hash;
use record::{
    Act, Actor, AlarmState, Body, Configuring, DossierVersion, GapReason, Grounds, LimitSide, Outfall, RecordAt,
    RelayId, SampleStep, Seq, SeqRanges, Settlement, SourceId, Suppression, TrueTime, UnixMs,
};
use sha2::{Digest, Sha256};

use super::chart;
use super::html::{both, escape, facts, heading, paragraph, table};
use super::local_time;
use super::series::collect;
use crate::container::Member;
use crate::log::Log;
use crate::parts::{MIMETYPE, RECEIPTS, REPORT, SEAL};
use crate::readings::Decoded;
use crate::verifier::{complete, times as clock_times};

/// Most rows of a table; all of it is in the records.
pub(super) const ROWS_MAX: usize = 100;
/// Most charts.
const CHARTS_MAX: usize = 48;
/// Columns of detail in all charts together, each at most two points of some 12 bytes, and in one of them.
const COLUMNS_ALL: i64 = 24_000;
const COLUMNS_MAX: i64 = 700;

pub(super) fn head(box_id: &BoxId, asked: &Asked, log: &Log) -> String {
    let sources = match asked.sources.as_slice() {
        [] => "全部 all".to_owned(),
        named => named.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let readings = log.records.iter().filter_map(|at| Decoded::of(&at.record.body)).map(|of| of.readings.len());
    let mut rows = vec![
        (("站点", "box"), box_id.to_string()),
        (("起始（北京时间）", "from (Beijing time)"), local_time(asked.from_ms)),
        (("截止（不含）", "to (not included)"), local_time(asked.to_ms)),
        (("设备", "devices"), sources),
    ];
    rows.extend(asked.alarm.map(|seq| (("报警记录编号", "record of the alarm"), seq.to_string())));
    rows.extend((!asked.reason.is_empty()).then(|| (("用途说明", "reason given"), asked.reason.clone())));
    rows.push((("文件内记录", "records in this file"), log.records.len().to_string()));
    rows.push((("其中监测值", "readings among them"), readings.sum::<usize>().to_string()));
    if let Some(head) = log.covering() {
        rows.push((("本站签名树头（记录数）", "signed by the box over records"), head.head.size.to_string()));
        rows.push((("树头签名时间", "tree head signed at"), local_time(head.stamp.wall_ms)));
        rows.push((("默克尔树根", "Merkle root"), head.head.root.to_string()));
    }
    let note = paragraph(
        "本页由文件内的签名记录自动生成，校验程序会重新生成并逐字节比对。所有时间为北京时间（UTC+08:00）。",
        "This page is made of the signed records in this file; a verifier makes it anew and compares every byte. All times \
         are Beijing time (UTC+08:00).",
    );
    format!("<h1>{}</h1>\n{}{note}", both("监测数据证据报告", "Evidence report"), facts(&rows))
}

pub(super) fn alarms(log: &Log) -> String {
    let mut rows = Vec::new();
    for (at, time) in log.timed() {
        let Body::Alarm(alarm) = &at.record.body else { continue };
        rows.push(vec![
            at.seq.to_string(),
            shown_time(at, time),
            alarm.source.to_string(),
            match &alarm.grounds {
                Some(Grounds { measure, span_s, .. }) => {
                    format!("{} · {} ({span_s} s)", alarm.quantity, measure.chinese())
                }
                None => alarm.quantity.to_string(),
            },
            match &alarm.grounds {
                Some(Grounds { tier, .. }) => format!("{} · {}", alarm.rule, tier.chinese()),
                None => alarm.rule.to_string(),
            },
            match alarm.suppression {
                Some(Suppression::ByDesign) => format!("{} · 按设计抑制 suppressed by design", state(alarm.to)),
                None => state(alarm.to).to_owned(),
            },
            alarm.value.map_or_else(|| "–".into(), |value| value.to_string()),
            format!("{} {}", if alarm.side == LimitSide::High { "≤" } else { "≥" }, alarm.limit),
            alarm.cause.to_string(),
        ]);
    }
    let head = [
        ("编号", "record"),
        ("时间", "time"),
        ("设备", "device"),
        ("监测项目", "quantity"),
        ("规则", "rule"),
        ("状态", "state"),
        ("数值", "value"),
        ("限值", "limit"),
        ("依据记录", "cause"),
    ];
    heading("报警", "Alarms")
        + &match rows.is_empty() {
            true => paragraph("此时段内没有报警。", "No alarm in this time."),
            false => table(&head, &rows, ROWS_MAX) + &doubt(log),
        }
}

/// What a question mark before a time means, where there is one.
fn doubt(log: &Log) -> String {
    match log.timed().any(|(_, time)| matches!(time, TrueTime::Unknown { .. })) {
        false => String::new(),
        true => paragraph(
            "时间前的“?”：当时站点时钟未经校准，事后也无法校正，所列为站点当时的时钟读数。",
            "A ? before a time: nobody had told the box the time, and nothing later corrects it; what stands there is what its \
             clock said.",
        ),
    }
}

fn state(state: AlarmState) -> &'static str {
    match state {
        AlarmState::Normal => "恢复正常 normal",
        AlarmState::Unacknowledged => "报警，未确认 unacknowledged",
        AlarmState::Acknowledged => "报警，已确认 acknowledged",
        AlarmState::ReturnedUnacknowledged => "已恢复，未确认 returned, unacknowledged",
    }
}

/// What people and platforms ordered on the box meanwhile.
pub(super) fn orders(log: &Log) -> String {
    let mut rows = Vec::new();
    for (at, time) in log.timed() {
        let Body::Audit(audit) = &at.record.body else { continue };
        rows.push(vec![
            at.seq.to_string(),
            shown_time(at, time),
            actor(&audit.by),
            order(&audit.act),
            audit.reason.clone(),
        ]);
    }
    if rows.is_empty() {
        return String::new();
    }
    let head = [("编号", "record"), ("时间", "time"), ("操作人", "by"), ("操作", "order"), ("理由", "reason")];
    heading("操作记录", "Orders") + &table(&head, &rows, ROWS_MAX)
}

pub(super) fn actor(by: &Actor) -> String {
    match by {
        Actor::User(uid) => format!("本机用户 user {uid}"),
        Actor::Platform(platform) => format!("平台 platform {platform}"),
        Actor::Box => "本机 the box itself".to_owned(),
    }
}

fn order(act: &Act) -> String {
    match act {
        Act::Dropped { platform, records } => format!("不再发送 {records:?} 至 {platform} not sent any more"),
        Act::Pinned { records } => format!("锁定保存 {records:?} kept"),
        Act::Released { pin } => format!("解除锁定 {pin} released"),
        Act::Enrolled { platform, .. } => format!("登记平台 {platform} enrolled"),
        Act::Commanded { number, order, refused: None, .. } => {
            format!("执行指令 command {number} ({order}) carried out")
        }
        Act::Commanded { number, order, refused: Some(why), .. } => {
            format!("拒绝指令 command {number} ({order}) refused: {why}")
        }
        Act::Settled { command, outcome } => match outcome {
            Settlement::Kept => format!("指令 {command} 的规则保留 rules kept"),
            Settlement::RolledBack => format!("指令 {command} 的规则回退 rules rolled back"),
            Settlement::Superseded => format!("指令 {command} 的规则被人工修改取代 rules superseded by hand"),
        },
        Act::KeyChanged { statement } => key_changed(statement),
        Act::Acknowledged { rule, source } => format!("确认报警 {rule} {source} acknowledged"),
        Act::Shelved { rule, source, until_ms: Some(until) } => {
            format!("搁置报警 {rule} {source} shelved until {}", local_time(*until))
        }
        Act::Shelved { rule, source, until_ms: None } => format!("取消搁置报警 {rule} {source} no longer shelved"),
        Act::Reset { rule, source } => format!("复位报警 {rule} {source} reset"),
        Act::Configured { file, sha256, how } => {
            let how = match how {
                Configuring::Applied => "修改配置 configured",
                Configuring::RolledBack => "恢复配置 configured as before",
            };
            format!("{how} {file} SHA-256 {}", Hash(*sha256))
        }
        Act::Notified { alarm, level, outcome, channel } => {
            let channel = channel.as_deref().map(|channel| format!(" ({channel})")).unwrap_or_default();
            format!("报警 {alarm} 通知 {level}{channel} {}", outcome.as_str())
        }
        Act::Sampled { sampler, step, bottle, bottles, alarm } => sampled(sampler, *step, (*bottle, *bottles), *alarm),
        Act::Refilled { sampler, bottles } => format!("采样器 {sampler} 换瓶 {bottles} empty bottles"),
        Act::SelfTested { port, frame } => {
            format!("自检测试帧（非监测数据）self-test frame, no measurement: {}, {} bytes", port.as_str(), frame.len())
        }
    }
}

/// A retained sample, or why there is none.
fn sampled(sampler: &RelayId, step: SampleStep, (bottle, bottles): (u16, u16), alarm: Option<Seq>) -> String {
    let what = match step {
        SampleStep::Started => "开始留样 sample started",
        SampleStep::Taken => "留样完成 sample taken",
        SampleStep::Failed => "留样失败，瓶仍空 sample failed, bottle still empty",
        SampleStep::Uncertain => "留样不确定 sample uncertain",
        SampleStep::CoolingDown => "未留样：间隔未到 no sample, cooling down",
        SampleStep::NoBottle => "未留样：无空瓶 no sample, no bottle left",
        SampleStep::Busy => "未留样：正在留样 no sample, sampler at work",
        SampleStep::Unavailable => "未留样：采样器不可用 no sample, sampler unavailable",
        SampleStep::Shelved => "未留样：报警已搁置或被抑制 no sample, alarm shelved or suppressed",
    };
    let because = alarm.map(|seq| format!(" 报警 alarm {seq}")).unwrap_or_default();
    format!("{what} {sampler} {bottle}/{bottles}{because}")
}

/// What was registered of the outfalls: each version that is in the file, and which devices stood where.
pub(super) fn dossiers(log: &Log) -> String {
    let mut html = String::new();
    let mut rows = Vec::new();
    for (at, time) in log.timed() {
        match &at.record.body {
            Body::Outfall(Outfall::Dossier(version)) => {
                let title = format!("{} · 第 {v} 版 version {v}", version.dossier.code, v = version.version);
                html.push_str(&format!("<h3>{}</h3>\n", escape(&title)));
                html.push_str(&dossier(at, time, version));
            }
            Body::Outfall(Outfall::Devices(standing)) => {
                let devices: Vec<&str> = standing.devices.iter().map(SourceId::as_str).collect();
                let cells = [shown_time(at, time), standing.outfall.to_string(), devices.join(", ")];
                rows.push([at.seq.to_string()].into_iter().chain(cells).collect());
            }
            _ => {}
        }
    }
    if html.is_empty() && rows.is_empty() {
        return String::new();
    }
    let head = [("编号", "record"), ("时间", "time"), ("排污口", "outfall"), ("监测设备", "devices")];
    let standing = if rows.is_empty() { String::new() } else { table(&head, &rows, ROWS_MAX) };
    heading("排污口档案（一口一档）", "Dossiers of the outfalls") + &html + &standing
}

fn dossier(at: &RecordAt, time: TrueTime, version: &DossierVersion) -> String {
    let told = match version.told {
        None => shown_time(at, time),
        Some(told) => format!("{} ({})", local_time(told.wall_ms), told.seq),
    };
    let mut rows = vec![
        (("记录编号", "record"), at.seq.to_string()),
        (("登记时间", "registered at"), told),
        (("登记人", "by"), actor(&version.by)),
        (("理由", "reason"), version.reason.clone()),
    ];
    rows.extend(crate::dossier::facts(&version.dossier).into_iter().map(|fact| {
        let [english, chinese] = fact.value;
        let value = if english == chinese { chinese } else { format!("{chinese} {english}") };
        ((fact.chinese, fact.english), value)
    }));
    facts(&rows)
}

fn key_changed(statement: &[u8]) -> String {
    match KeyStatement::read(statement).map(|read| (read.whose(), read.keys())) {
        Ok((whose, (former, key))) => {
            format!("更换密钥 {whose}: {} → {} key changed", former.id(), key.id())
        }
        Err(_) => "更换密钥 key changed".to_owned(),
    }
}

pub(super) fn charts(log: &Log) -> String {
    let all = collect(log);
    let points = || all.values().flat_map(|series| series.good.iter().chain(&series.doubtful)).map(|point| point.at_ms);
    let (Some(first_ms), Some(last_ms)) = (points().min(), points().max()) else { return String::new() };
    let shown = i64::try_from(all.len().clamp(1, CHARTS_MAX)).unwrap_or(1);
    let columns = (COLUMNS_ALL / shown).min(COLUMNS_MAX);
    let mut html = heading("监测曲线", "Charts");
    html.push_str(&paragraph(
        "虚线为报警限值；曲线中断处没有数据；空心圆为质量存疑的数值。",
        "Dashed: the limit of an alarm. Where a line is broken, no data came. Circles: values of doubtful quality.",
    ));
    // What an alarm is about comes first.
    let mut order: Vec<_> = all.iter().collect();
    order.sort_by_key(|(_, series)| series.limits.is_empty());
    for ((source, quantity, unit), series) in order.iter().take(CHARTS_MAX) {
        let Some(svg) = chart::svg(series, (first_ms, last_ms), columns) else { continue };
        let count = series.good.len() + series.doubtful.len();
        let more = match series.without {
            0 => String::new(),
            without => format!(" · {}", both(&format!("无数值：{without}"), &format!("without a value: {without}"))),
        };
        html.push_str(&format!(
            "<figure>\n<h3>{} · {} ({}) · {count}{more}</h3>\n{svg}</figure>\n",
            escape(source),
            escape(quantity),
            escape(unit)
        ));
    }
    if let Some(more) = order.len().checked_sub(CHARTS_MAX).filter(|more| *more > 0) {
        html.push_str(&paragraph(
            &format!("另有 {more} 条曲线未绘出，数据见 readings.csv。"),
            &format!("{more} more charts are not drawn; their values are in readings.csv."),
        ));
    }
    html
}

pub(super) fn completeness(asked: &Asked, log: &Log) -> String {
    let complete = complete(log, &(asked.from_ms..asked.to_ms));
    let counts = facts(&[
        (("时段内编号数", "numbers of this time"), complete.numbers.to_string()),
        (("文件内", "records here"), complete.here.to_string()),
        (("站点声明已缺失", "told as lost or let go"), complete.gone.to_string()),
        (("未收录（其他设备或未说明）", "not included (other devices, or unexplained)"), complete.untold().to_string()),
    ]);
    let mut rows = Vec::new();
    for (at, time) in log.timed() {
        let Body::Gap(gap) = &at.record.body else { continue };
        let ranges: Vec<String> = gap.ranges.iter().take(8).map(|range| format!("{range:?}")).collect();
        let why = match gap.why {
            GapReason::Full => "存储已满 full",
            GapReason::Age => "超过保存期 age",
            GapReason::Thinned => "抽稀 thinned",
            GapReason::Damaged => "存储损坏 damaged",
            GapReason::Restored => "由备份恢复 restored",
        };
        rows.push(vec![
            at.seq.to_string(),
            shown_time(at, time),
            why.into(),
            ranges.join(", "),
            gap.ranges.len().to_string(),
        ]);
    }
    let head = [("编号", "record"), ("时间", "time"), ("原因", "reason"), ("范围", "numbers"), ("数量", "count")];
    let told = if rows.is_empty() { String::new() } else { table(&head, &rows, ROWS_MAX) };
    heading("完整性", "Completeness") + &counts + &told
}

pub(super) fn times(asked: &Asked, log: &Log) -> String {
    let times = clock_times(log, &(asked.from_ms..asked.to_ms));
    let counts = facts(&[
        (("时钟已同步时记录", "recorded while synchronised"), times.synchronised.to_string()),
        (("守时状态下记录", "in holdover"), times.holdover.to_string()),
        (("时钟未设定时记录", "before the clock was set"), times.unset.to_string()),
        (("其中事后校正", "of these corrected afterwards"), times.corrected.to_string()),
        (("时间未知", "time unknown"), times.unknown.to_string()),
        (("最大误差", "largest error"), format!("±{} ms", times.error_ms_max)),
    ]);
    let mut rows = Vec::new();
    for at in &log.records {
        let (what, detail) = match &at.record.body {
            Body::Boot(boot) => ("启动 boot", boot.version.clone()),
            Body::Clock(set) => {
                ("对时 clock set", format!("{} · {:+} ms · ±{} ms", set.source.as_str(), set.step_ms, set.error_ms))
            }
            _ => continue,
        };
        let stamp = at.record.stamp;
        rows.push(vec![
            at.seq.to_string(),
            stamp.boot.to_string(),
            local_time(stamp.wall_ms),
            stamp.clock.as_str().into(),
            what.into(),
            detail,
        ]);
    }
    let head = [
        ("编号", "record"),
        ("启动序号", "boot"),
        ("记录时间", "stamped"),
        ("时钟", "clock"),
        ("事件", "event"),
        ("说明", "detail"),
    ];
    heading("时间质量", "Time quality") + &counts + &table(&head, &rows, ROWS_MAX)
}

/// What one platform said.
#[derive(Default)]
struct Said {
    receipts: u64,
    first_ms: Option<UnixMs>,
    last_ms: Option<UnixMs>,
    holds: SeqRanges,
}

pub(super) fn receipts(log: &Log, members: &[Member<'_>]) -> String {
    let mut by_platform: BTreeMap<String, Said> = BTreeMap::new();
    let mut unread = 0_u64;
    for (_, bytes) in members.iter().filter(|(name, _)| name.starts_with(RECEIPTS)) {
        let Ok(receipt) = Receipt::claimed(bytes) else {
            unread += 1;
            continue;
        };
        let said = by_platform.entry(receipt.platform.to_string()).or_default();
        said.receipts += 1;
        said.first_ms = said.first_ms.min(Some(receipt.received_ms)).or(Some(receipt.received_ms));
        said.last_ms = said.last_ms.max(Some(receipt.received_ms));
        receipt.held().iter().for_each(|range| said.holds.insert(range));
    }
    let row = |(platform, said): (String, Said)| {
        let held = log.records.iter().filter(|at| said.holds.contains(at.seq)).count();
        let time = |at: Option<UnixMs>| at.map_or_else(|| "–".to_owned(), local_time);
        let (first, last) = (time(said.first_ms), time(said.last_ms));
        vec![platform, said.receipts.to_string(), first, last, format!("{held} / {}", log.records.len())]
    };
    let mut rows: Vec<Vec<String>> = by_platform.into_iter().map(row).collect();
    rows.extend((unread > 0).then(|| vec!["无法读取 unreadable".to_owned(), unread.to_string()]));
    let head = [
        ("平台", "platform"),
        ("回执数", "receipts"),
        ("首次接收", "first received"),
        ("末次接收", "last received"),
        ("已持有本文件记录", "records held"),
    ];
    heading("平台回执", "Receipts of the platforms")
        + &match rows.is_empty() {
            true => paragraph("文件内没有平台回执。", "No receipt is in this file."),
            false => table(&head, &rows, ROWS_MAX),
        }
}

pub(super) fn codecs(log: &Log) -> String {
    let (used, untold) = log.codecs();
    if used.is_empty() {
        return String::new();
    }
    let mut rows = Vec::new();
    for at in &log.records {
        if let Body::Codec(codec) = &at.record.body {
            let digest = Hash(Sha256::digest(codec.text.as_bytes()).into());
            rows.push(vec![codec.id.to_string(), at.seq.to_string(), codec.text.len().to_string(), digest.to_string()]);
        }
    }
    rows.extend(
        untold.iter().map(|id| vec![id.to_string(), "–".into(), "–".into(), "文本不在文件内 not in this file".into()]),
    );
    let head = [("编解码器", "codec"), ("编号", "record"), ("字节", "bytes"), ("文本 SHA-256", "SHA-256 of its text")];
    heading("编解码器", "Codecs that decoded the readings") + &table(&head, &rows, ROWS_MAX)
}

pub(super) fn files(members: &[Member<'_>]) -> String {
    let (receipts, others): (Vec<_>, Vec<_>) = members
        .iter()
        .filter(|(name, _)| ![MIMETYPE, REPORT, SEAL].contains(name))
        .partition(|(name, _)| name.starts_with(RECEIPTS));
    let row = |(name, bytes): &Member<'_>| {
        vec![(*name).to_owned(), bytes.len().to_string(), Hash(Sha256::digest(bytes).into()).to_string()]
    };
    let mut rows: Vec<_> = others.into_iter().map(row).collect();
    let bytes: usize = receipts.iter().map(|(_, bytes)| bytes.len()).sum();
    let sealed = "各文件的摘要见封签 the digest of each is in seal.cose".to_owned();
    rows.extend(
        (!receipts.is_empty()).then(|| vec![format!("{RECEIPTS}* × {}", receipts.len()), bytes.to_string(), sealed]),
    );
    let head = [("文件", "part"), ("字节", "bytes"), ("SHA-256", "")];
    heading("文件组成", "Parts of the file") + &table(&head, &rows, ROWS_MAX)
}

pub(super) fn verifying() -> String {
    heading("如何验证", "How to verify")
        + &paragraph(
            "以下任一方式均可离线验证，只需公钥。公钥应从站点（weir identity）或平台另行取得，不可取自本文件。",
            "Either way works offline and needs public keys alone. Take them from the box (weir identity) or a platform, never \
             from this file.",
        )
        + "<pre>weir verify FILE --key HEX --platform NAME=HEX\n\
           python3 verify_evidence.py FILE --key HEX --platform NAME=HEX</pre>\n"
}

pub(super) fn shown_time(at: &RecordAt, time: TrueTime) -> String {
    match time {
        TrueTime::Stamped { at_ms, .. } => local_time(at_ms),
        TrueTime::Corrected { at_ms, error_ms } => format!("{} ±{error_ms} ms", local_time(at_ms)),
        TrueTime::Unknown { .. } => format!("? {}", local_time(UnixMs(at.record.stamp.wall_ms.0))),
    }
}
