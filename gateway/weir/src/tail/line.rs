//! One record in one line.

use record::{
    Body, ClockQuality, ClockSet, CodecText, Decimal, Frame, Gap, GapReason, Quality, Reading, RecordAt, Redecoded,
    SourceId, Suppression, TextValue, TimeLine, TrueTime,
};
use serde::Serialize;

use super::{aggregate, audit, link, manual, outfall, terms};
use crate::lang::Lang;
use crate::{grounds, output, times};

/// The record as JSON, with the time at which it really was.
#[derive(Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    record: &'a RecordAt,
    true_time: TrueTime,
}

/// The record for people, or as JSON.
pub(crate) fn show(record: &RecordAt, times: &TimeLine, json: bool, lang: Lang) -> String {
    let stamp = &record.record.stamp;
    let true_time = times.time(stamp);
    if json {
        let timed = Timed { record, true_time };
        return serde_json::to_string(&timed).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    }
    let doubt = match stamp.clock {
        ClockQuality::Synchronised => "",
        _ => "?",
    };
    let (at, really) = (output::time(stamp.wall_ms), times::show(true_time, lang));
    format!("{:>8}  {at}{doubt}{really}  {}", record.seq.0, body(&record.record.body, lang))
}

fn body(body: &Body, lang: Lang) -> String {
    match body {
        Body::Boot(boot) => format!("{} {} weir {}", lang.pick("boot", "启动"), boot.boot_id, boot.version),
        Body::Frame(Frame { source, link, readings: of_frame, texts, codec, .. }) => {
            let codec = codec.map_or_else(String::new, |codec| format!("  {} {codec}", lang.pick("codec", "解码")));
            format!("{source}  {}{}{codec}", readings(of_frame, texts, lang), link::show(link, lang))
        }
        Body::Rejected(rejected) => {
            let source = rejected.source.as_ref().map_or("?", SourceId::as_str);
            let (why, bytes) = (terms::reason(rejected.why, lang), rejected.raw.len());
            let (link, refused) = (link::show(&rejected.link, lang), lang.pick("REJECTED", "拒收"));
            format!("{source}  {refused} {why}: {} ({bytes} B)  {link}", lang.told(&rejected.detail))
        }
        Body::Alarm(step) => {
            let at = lang.pick("at", "数值");
            let value = step.value.map_or_else(String::new, |value: Decimal| format!(" {at} {value}"));
            let (from, to) = (terms::state(step.from, lang), terms::state(step.to, lang));
            let (alarm, limit) = (lang.pick("ALARM", "报警"), lang.pick("limit", "限值"));
            let (rule, quantity) = (&step.rule, &step.quantity);
            let of = grounds::show(step.grounds.as_ref(), lang);
            let unit = step.grounds.as_ref().map_or_else(String::new, |grounds| format!(" {}", grounds.unit));
            let hidden = match step.suppression {
                Some(Suppression::ByDesign) => lang.pick(", suppressed by design", "，按设计抑制"),
                None => "",
            };
            format!(
                "{}  {alarm} {rule} {quantity}{of}: {from} -> {to}{value}, {limit} {}{unit}{hidden}",
                step.source, step.limit
            )
        }
        Body::Codec(CodecText { id, text }) => {
            let (codec, came) = (lang.pick("codec", "解码"), lang.pick("came into use", "开始使用"));
            format!("{codec} {id} {came} ({} B)", text.len())
        }
        Body::Redecoded(Redecoded { source, of, codec, readings: anew, texts }) => {
            let says = lang.pick("REDECODED, replaces the readings of record", "重新解码，取代记录的读数");
            format!("{source}  {says} {of}  {}{} {codec}", readings(anew, texts, lang), lang.pick("codec", "解码"))
        }
        Body::Clock(set) => clock_set(set, lang),
        Body::Gap(gap) => self::gap(gap, lang),
        Body::Audit(audit) => audit::show(audit, lang),
        Body::Outfall(outfall) => outfall::show(outfall, lang),
        Body::Aggregate(of) => aggregate::show(of, lang),
        Body::Manual(of) => manual::show(of, lang),
    }
}

/// What set the clock, by how much, and how far that can be believed.
fn clock_set(set: &ClockSet, lang: Lang) -> String {
    let sign = if set.step_ms < 0 { '-' } else { '+' };
    let step = format!("{sign}{}", output::age(set.step_ms.unsigned_abs()));
    let (was, by) = (terms::clock(set.before, lang), set.source.as_str());
    match lang {
        Lang::En => format!("CLOCK set by {by}: {step}, was {was}, now right to ±{} ms", set.error_ms),
        Lang::Zh => format!("时钟已校准（来源 {by}）：{step}，此前 {was}，现误差 ±{} ms", set.error_ms),
    }
}

/// Ranges named in a line before the rest is only counted.
const GAP_RANGES_SHOWN: usize = 3;

/// Which numbers are gone, why, and what they were.
fn gap(gap: &Gap, lang: Lang) -> String {
    let named: Vec<String> = gap.ranges.iter().take(GAP_RANGES_SHOWN).map(|range| format!("{range:?}")).collect();
    let named = named.join(lang.pick(", ", "、"));
    let more = gap.ranges.iter().len().saturating_sub(GAP_RANGES_SHOWN);
    let more = match (more, lang) {
        (0, _) => String::new(),
        (more, Lang::En) => format!(" and {more} ranges more"),
        (more, Lang::Zh) => format!(" 等（另有 {more} 段）"),
    };
    let (why, count) = (gap_reason(gap.why, lang), gap.ranges.len());
    let Gap { frames, rejected, other, bytes, .. } = gap;
    match lang {
        Lang::En => format!(
            "GAP of {count} records, {why}: {named}{more} ({frames} frames, {rejected} rejected, {other} other, {bytes} B)"
        ),
        Lang::Zh => format!(
            "缺失 {count} 条记录，{why}：{named}{more}（数据帧 {frames}，拒收 {rejected}，其他 {other}，{bytes} B）"
        ),
    }
}

fn gap_reason(why: GapReason, lang: Lang) -> &'static str {
    match why {
        GapReason::Full => lang.pick("dropped for room", "空间不足而删除"),
        GapReason::Age => lang.pick("dropped by age", "超过保存期限而删除"),
        GapReason::Thinned => lang.pick("thinned for room", "空间不足而抽稀"),
        GapReason::Damaged => lang.pick("damaged on the disk", "存储介质损坏"),
        GapReason::Restored => lang.pick("void after a restore", "恢复备份后作废"),
    }
}

/// `cod 40.1 mg/L  `, each followed by two spaces.
fn readings(readings: &[Reading], texts: &[TextValue], lang: Lang) -> String {
    readings.iter().map(|reading| format!("{}  ", self::reading(reading, texts, lang))).collect()
}

/// What a sensor sent instead of a number stands where the number would.
pub(crate) fn reading(reading: &Reading, texts: &[TextValue], lang: Lang) -> String {
    let text = || texts.iter().find(|text| text.quantity == reading.quantity).map(|text| format!("{:?}", text.text));
    let value = reading.value.map(|value| value.to_string()).or_else(text).unwrap_or_else(|| "-".to_owned());
    let doubt = match reading.quality {
        Quality::Good => String::new(),
        quality => format!(" ({})", terms::quality(quality, lang)),
    };
    format!("{} {value} {}{doubt}", reading.quantity, reading.unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use record::dossier::{Few, Words};
    use record::{
        Actor, Aggregate, AggregateValue, AttachedFile, Boot, BootNo, ClockSource, CodecId, Detection, Entry,
        GatewayEui, Link, Manual, ManualSample, ManualValue, MonoMs, OutfallCode, Patrol, PatrolState, Quantity,
        Record, Replaced, Seq, SeqRange, Stamp, Statistics, Unit, UnixMs,
    };

    fn check(body: Body, lang: Lang, expected: Expect) {
        let stamp = Stamp {
            boot: BootNo(0),
            mono_ms: MonoMs(5),
            wall_ms: UnixMs(1_777_888_800_000),
            clock: ClockQuality::Synchronised,
        };
        let record = RecordAt { seq: Seq(7), record: Record { stamp, body } };
        expected.assert_eq(&show(&record, &TimeLine::new(), false, lang));
    }

    #[test]
    fn a_stamp_is_corrected_beside_what_it_says() {
        let stamp = |mono_ms, wall_ms, clock| Stamp { boot: BootNo(3), mono_ms: MonoMs(mono_ms), wall_ms, clock };
        let boot = Body::Boot(Boot { boot_id: "b".into(), version: "1".into() });
        let early = Record { stamp: stamp(5_000, UnixMs(5_000), ClockQuality::Unset), body: boot };
        let early = RecordAt { seq: Seq(7), record: early };
        let mut times = TimeLine::new();
        let check = |times: &TimeLine, json, lang, expected: Expect| {
            expected.assert_eq(&show(&early, times, json, lang));
        };
        check(&times, false, Lang::Zh, expect!["       7  1970-01-01T00:00:05.000Z?  (时间未知)  启动 b weir 1"]);
        let set = ClockSet { source: ClockSource::Ntp, before: ClockQuality::Unset, step_ms: 9, error_ms: 20 };
        let at = stamp(86_405_000, UnixMs(1_777_888_800_000), ClockQuality::Synchronised);
        times.take(&Record { stamp: at, body: Body::Clock(set) });
        check(
            &times,
            false,
            Lang::En,
            expect!["       7  1970-01-01T00:00:05.000Z?  (2026-05-03T10:00:00.000Z ±43 s)  boot b weir 1"],
        );
        check(
            &times,
            true,
            Lang::En,
            expect![[
                r#"{"seq":7,"stamp":{"boot":3,"mono_ms":5000,"wall_ms":5000,"clock":{"state":"unset"}},"kind":"boot","boot_id":"b","version":"1","true_time":{"basis":"corrected","at_ms":1777802400000,"error_ms":43240}}"#
            ]],
        );
    }

    fn reading(value: Option<Decimal>) -> Reading {
        let quality = if value.is_some() { Quality::Good } else { Quality::NotANumber };
        let (quantity, unit) = (Quantity::new("cod").unwrap(), Unit::new("mg/L").unwrap());
        Reading { quantity, unit, value, quality, at_ms: None }
    }

    #[test]
    fn an_aggregate_has_its_line() {
        let value = |quantity: &str, unit: &str, statistics: Option<Statistics>| {
            let (quantity, unit) = (Quantity::new(quantity).unwrap(), Unit::new(unit).unwrap());
            let good = if statistics.is_some() { 6 } else { 0 };
            AggregateValue { quantity, unit, good, doubtful: 1, parts: good, statistics }
        };
        let decimal = |text: &str| Decimal::parse(text).unwrap();
        let (min, mean, max) = (decimal("16.4"), decimal("17.5"), decimal("20.1"));
        let flow = Statistics { min, mean, max, volume_m3: Some(decimal("63")) };
        let of = Aggregate {
            source: SourceId::new("flow-1").unwrap(),
            outfall: Some(OutfallCode::new("FA-1").unwrap()),
            from_ms: UnixMs(1_777_888_800_000),
            period: "1h".parse().unwrap(),
            values: vec![value("flow", "L/s", Some(flow)), value("ph", "[pH]", None)],
        };
        check(
            Body::Aggregate(of.clone()),
            Lang::En,
            expect![
                "       7  2026-05-04T10:00:00.000Z  flow-1 at FA-1  AGGREGATE 1h from 2026-05-04T10:00:00.000Z  flow mean 17.5 (16.4..20.1) L/s, 63 m3, 6 of 7 good, 6/6 parts;  ph no mean, 0 of 1 good, 0/6 parts;"
            ],
        );
        check(
            Body::Aggregate(of),
            Lang::Zh,
            expect![
                "       7  2026-05-04T10:00:00.000Z  flow-1（FA-1）  统计值 1h 自 2026-05-04T10:00:00.000Z  flow 均值 17.5（16.4..20.1）L/s，水量 63 m3，有效 6/7，时段 6/6；  ph 无均值，有效 0/1，时段 0/6；"
            ],
        );
    }

    #[test]
    fn what_people_entered_has_its_line() {
        let entry = |replaces| Entry {
            outfall: OutfallCode::new("FA-1").unwrap(),
            at_ms: UnixMs(1_777_888_800_000),
            person: Words::new("王工").unwrap(),
            by: Actor::User(1_000),
            files: Few::new(vec![AttachedFile { name: Words::new("a.pdf").unwrap(), sha256: [7; 32] }]).unwrap(),
            replaces,
        };
        let value = ManualValue {
            quantity: Quantity::new("nh3_n").unwrap(),
            unit: Unit::new("mg/L").unwrap(),
            value: Decimal::parse("0.025").unwrap(),
            detection: Detection::BelowLimit,
            method: Some(Words::new("HJ 535-2009").unwrap()),
        };
        let sample = Body::Manual(Manual::Sample(Box::new(ManualSample {
            entry: entry(Some(Replaced { seq: Seq(3), reason: Words::new("抄错").unwrap() })),
            values: vec![value],
            laboratory: Some(Words::new("监测站").unwrap()),
            number: Some(Words::new("S-1").unwrap()),
            note: None,
        })));
        check(
            sample.clone(),
            Lang::En,
            expect![
                "       7  2026-05-04T10:00:00.000Z  MANUAL sample at FA-1 taken 2026-05-04T10:00:00.000Z by 王工, typed by user 1000: nh3_n <0.025 mg/L (HJ 535-2009) · laboratory 监测站 · number S-1 · file a.pdf 07070707… · replaces record 3: 抄错"
            ],
        );
        check(
            sample,
            Lang::Zh,
            expect![
                "       7  2026-05-04T10:00:00.000Z  手工监测 FA-1，采样 2026-05-04T10:00:00.000Z 王工，录入 用户 1000：nh3_n <0.025 mg/L（HJ 535-2009） · 检测机构 监测站 · 样品编号 S-1 · 文件 a.pdf 07070707… · 取代记录 3：抄错"
            ],
        );
        let (finding, state) = (Words::new("口门无水").unwrap(), Some(PatrolState::Dry));
        let patrol = Body::Manual(Manual::Patrol(Box::new(Patrol { entry: entry(None), finding, state })));
        check(
            patrol.clone(),
            Lang::En,
            expect![
                "       7  2026-05-04T10:00:00.000Z  PATROL at FA-1 2026-05-04T10:00:00.000Z by 王工, typed by user 1000: dry: 口门无水 · file a.pdf 07070707…"
            ],
        );
        check(
            patrol,
            Lang::Zh,
            expect![
                "       7  2026-05-04T10:00:00.000Z  巡查 FA-1，2026-05-04T10:00:00.000Z 王工，录入 用户 1000：无排水：口门无水 · 文件 a.pdf 07070707…"
            ],
        );
    }

    #[test]
    fn clocks_and_gaps_have_their_lines() {
        let set = |step_ms| ClockSet { source: ClockSource::Ntp, before: ClockQuality::Unset, step_ms, error_ms: 12 };
        check(
            Body::Clock(set(1_781_999_000)),
            Lang::En,
            expect!["       7  2026-05-04T10:00:00.000Z  CLOCK set by ntp: +20 d, was unset, now right to ±12 ms"],
        );
        check(
            Body::Clock(set(-250)),
            Lang::Zh,
            expect!["       7  2026-05-04T10:00:00.000Z  时钟已校准（来源 ntp）：-0.2 s，此前 未校准，现误差 ±12 ms"],
        );
        let gap = |why, count| {
            let ranges = (0..count).map(|place| SeqRange { first: Seq(1_000 * place), last: Seq(1_000 * place + 255) });
            Gap { why, ranges: ranges.collect(), frames: 256 * count - 2, rejected: 1, other: 1, bytes: 40_000 * count }
        };
        check(
            Body::Gap(gap(GapReason::Age, 2)),
            Lang::En,
            expect![
                "       7  2026-05-04T10:00:00.000Z  GAP of 512 records, dropped by age: 0-255, 1000-1255 (510 frames, 1 rejected, 1 other, 80000 B)"
            ],
        );
        check(
            Body::Gap(gap(GapReason::Full, 7)),
            Lang::Zh,
            expect![
                "       7  2026-05-04T10:00:00.000Z  缺失 1792 条记录，空间不足而删除：0-255、1000-1255、2000-2255 等（另有 4 段）（数据帧 1790，拒收 1，其他 1，280000 B）"
            ],
        );
        check(
            Body::Gap(gap(GapReason::Damaged, 7)),
            Lang::En,
            expect![
                "       7  2026-05-04T10:00:00.000Z  GAP of 1792 records, damaged on the disk: 0-255, 1000-1255, 2000-2255 and 4 ranges more (1790 frames, 1 rejected, 1 other, 280000 B)"
            ],
        );
    }

    #[test]
    fn codecs_and_what_they_say_have_their_lines() {
        let source = SourceId::new("cod-1").unwrap();
        let (first, second) = (CodecId::of("first"), CodecId::of("second"));
        check(
            Body::Codec(CodecText { id: first, text: "first".into() }),
            Lang::En,
            expect!["       7  2026-05-04T10:00:00.000Z  codec a7937b64b8caa58f came into use (5 B)"],
        );
        let frame = Frame {
            source: source.clone(),
            link: Link::Lora {
                gateway: GatewayEui([0; 8]),
                dev_addr: 1,
                f_cnt: 3,
                f_port: Some(2),
                frequency_hz: 868_100_000,
                data_rate: "SF7BW125".into(),
                rssi_dbm: Some(-90),
                snr_ddb: None,
                tmst_us: 0,
                others: Vec::new(),
            },
            raw: vec![1],
            readings: vec![reading(None)],
            codec: Some(first),
            texts: vec![TextValue::new(Quantity::new("cod").unwrap(), "No Sensor")],
        };
        check(
            Body::Frame(frame),
            Lang::En,
            expect![[
                r#"       7  2026-05-04T10:00:00.000Z  cod-1  cod "No Sensor" mg/L (not_a_number)  [lora fcnt 3 gw 0000000000000000 -90 dBm]  codec a7937b64b8caa58f"#
            ]],
        );
        let value = Decimal::parse("40.1").ok();
        let anew = Redecoded { source, of: Seq(3), codec: second, readings: vec![reading(value)], texts: Vec::new() };
        check(
            Body::Redecoded(anew),
            Lang::Zh,
            expect![
                "       7  2026-05-04T10:00:00.000Z  cod-1  重新解码，取代记录的读数 3  cod 40.1 mg/L  解码 16367aacb67a4a01"
            ],
        );
    }
}
