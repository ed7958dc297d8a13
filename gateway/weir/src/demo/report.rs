//! The end: a table for people, or one object for programs.

use std::time::Duration;

use platform::export::Exported;
use serde_json::{Value, json};

use super::access;
use super::alarm_file::AlarmFile;
use super::console::Console;
use super::error::DemoError;
use super::settings::ON_DELAY_S;
use super::tally::{Holding, SourceTally};
use super::verdict::{PlatformVerdict, Verdict};
use super::world::{PLATFORMS, World};
use crate::output;

/// All that is to be told.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// The judgement.
    pub(crate) verdict: &'a Verdict,
    /// The world that is held, or whose folder is kept.
    pub(crate) kept: Option<&'a World>,
    /// Whether it goes on running.
    pub(crate) held: bool,
    /// What was written as files, by platform.
    pub(crate) artifacts: Option<&'a [Exported]>,
    /// The evidence of the alarm.
    pub(crate) alarm_file: Option<&'a AlarmFile>,
}

impl Report<'_> {
    /// Prints it.
    pub(crate) fn print(&self, console: &Console) -> Result<(), DemoError> {
        if console.json() {
            return console.answer(format!("{}\n", self.object()).as_bytes());
        }
        let mut out = Vec::new();
        // Writing to memory does not fail.
        let _ = output::table(&mut out, &self.rows(console));
        let text = String::from_utf8_lossy(&out);
        let all = format!(
            "\n{text}\n{}{}",
            self.facts(console),
            access::next_steps(self.kept, self.held, self.alarm_file, console)
        );
        console.answer(all.as_bytes())
    }

    /// One row a source, one a platform.
    fn rows(&self, console: &Console) -> Vec<Vec<String>> {
        let heading = [
            ("source / platform", "数据源 / 平台"),
            ("sent", "已发送"),
            ("acknowledged", "已确认"),
            ("journaled", "已记录"),
            ("delivered", "已送达"),
            ("missing", "缺失"),
            ("doubled", "重复"),
            ("alarm latency", "报警时延"),
        ];
        let mut rows = vec![heading.map(|(en, zh)| console.pick(en, zh).to_owned()).to_vec()];
        for (name, tally) in &self.verdict.sources {
            let all = tally.all();
            let latency = latency(self.verdict.first_alarm(name));
            rows.push(row(name, tally.sent, tally.acknowledged, tally, tally.delivered(), &all, latency));
        }
        let sum = self.sum();
        for PlatformVerdict { name, all, alarm } in &self.verdict.platforms {
            let mut latency = latency(alarm.raised);
            if let Some(after) = alarm.raised_after_heal {
                let text = console.pick("of which after healing", "其中链路恢复后");
                latency.push_str(&format!(" ({text}: {} ms)", after.as_millis()));
            }
            let name = format!("→ {name}");
            rows.push(row(&name, sum.sent, sum.acknowledged, &sum, all.held, all, latency));
        }
        rows
    }

    /// All sources together.
    fn sum(&self) -> SourceTally {
        let zero = SourceTally { sent: 0, acknowledged: 0, journal: Holding::default(), platforms: Vec::new() };
        self.verdict.sources.iter().fold(zero, |sum, (_, tally)| SourceTally {
            sent: sum.sent + tally.sent,
            acknowledged: sum.acknowledged + tally.acknowledged,
            journal: sum.journal.plus(tally.journal),
            platforms: Vec::new(),
        })
    }

    fn facts(&self, console: &Console) -> String {
        let Verdict { kills, repeated, cut, proved, elapsed, reasons, .. } = self.verdict;
        let under_way: u64 = kills.iter().map(|kill| kill.unacknowledged).sum();
        let en = format!(
            "The gateway was killed {} times with {under_way} messages under way; {repeated} were sent again.\n\
             The link to province was cut for {:.1} s. Alarm latency: from the publish with which COD had been over its\n\
             limit for the on-delay of {ON_DELAY_S} s, until the alarm was committed at the platform.\n\
             Proved: {} signed tree heads, {} heads in batches, {} receipts.\n",
            kills.len(),
            cut.as_secs_f64(),
            proved.checkpoints,
            proved.heads,
            proved.receipts
        );
        let zh = format!(
            "网关被杀死 {} 次，当时共有 {under_way} 条消息未确认；重发 {repeated} 次。\n\
             到 province 的链路断开 {:.1} 秒。报警时延：从 COD 超限满 {ON_DELAY_S} 秒的那次发布，到平台写入报警为止。\n\
             已验证：{} 个签名树头，{} 个批次树头，{} 份回执。\n",
            kills.len(),
            cut.as_secs_f64(),
            proved.checkpoints,
            proved.heads,
            proved.receipts
        );
        let seconds = elapsed.as_secs_f64();
        let (end_en, end_zh) = match reasons.as_slice() {
            [] => (format!("All is well, after {seconds:.1} s.\n"), format!("全部通过，用时 {seconds:.1} 秒。\n")),
            broken => (
                broken.iter().fold("NOT WELL:\n".to_owned(), |text, reason| format!("{text}  · {}\n", reason.en)),
                broken.iter().fold("未通过：\n".to_owned(), |text, reason| format!("{text}  · {}\n", reason.zh)),
            ),
        };
        console.pick(&format!("{en}{end_en}"), &format!("{zh}{end_zh}")).to_owned()
    }

    /// The same as one object.
    fn object(&self) -> Value {
        let Verdict { sources, platforms, kills, repeated, cut, proved, elapsed, reasons } = self.verdict;
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let sum = self.sum();
        let source = |(name, tally): &(&str, SourceTally)| {
            let all = tally.all();
            let at = PLATFORMS.into_iter().zip(&tally.platforms);
            let at: serde_json::Map<_, _> = at.map(|(name, holding)| (name.to_owned(), stored(holding))).collect();
            json!({
                "source": name, "sent": tally.sent, "acknowledged": tally.acknowledged,
                "journaled": tally.journal.held, "delivered": tally.delivered(),
                "missing": all.missing, "doubled": all.doubled, "altered": all.altered,
                "alarm_latency_ms": self.verdict.first_alarm(name).map(ms), "journal": stored(&tally.journal), "platforms": at,
            })
        };
        let platform = |platform: &PlatformVerdict| {
            let PlatformVerdict { name, all, alarm } = platform;
            json!({
                "platform": name, "sent": sum.sent, "acknowledged": sum.acknowledged, "journaled": sum.journal.held,
                "delivered": all.held, "missing": all.missing, "doubled": all.doubled, "altered": all.altered,
                "alarm_latency_ms": alarm.raised.map(ms), "alarm_cleared_latency_ms": alarm.cleared.map(ms),
                "alarm_latency_after_heal_ms": alarm.raised_after_heal.map(ms),
            })
        };
        let kill =
            |kill: &super::script::Kill| json!({"unacknowledged": kill.unacknowledged, "ready_ms": ms(kill.ready)});
        let files = |exported: &Exported| json!({"batches": exported.batches, "checkpoints": exported.checkpoints});
        let artifacts = self.artifacts.map(|all| {
            let named = PLATFORMS.into_iter().zip(all);
            named.map(|(name, exported)| (name.to_owned(), files(exported))).collect::<serde_json::Map<_, _>>()
        });
        json!({
            "ok": reasons.is_empty(),
            "seconds": (elapsed.as_secs_f64() * 1_000.0).round() / 1_000.0,
            "sources": sources.iter().map(source).collect::<Vec<_>>(),
            "platforms": platforms.iter().map(platform).collect::<Vec<_>>(),
            "kills": kills.iter().map(kill).collect::<Vec<_>>(),
            "sent_again": repeated,
            "link_cut_ms": ms(*cut),
            "on_delay_ms": ON_DELAY_S * 1_000,
            "proved": {"checkpoints": proved.checkpoints, "heads": proved.heads, "receipts": proved.receipts},
            "reasons": reasons.iter().map(|reason| reason.en.as_str()).collect::<Vec<_>>(),
            "dir": self.kept.map(|world| world.path().display().to_string()),
            "artifacts": artifacts,
            "evidence": self.alarm_file.map(|left| {
                json!({"file": left.path.display().to_string(), "records": left.records, "receipts": left.receipts})
            }),
            "access": self.kept.filter(|_| self.held).map(|world| access::path(world).display().to_string()),
        })
    }
}

fn latency(raised: Option<Duration>) -> String {
    raised.map_or("-".to_owned(), |raised| format!("{} ms", raised.as_millis()))
}

fn stored(holding: &Holding) -> Value {
    let Holding { held, missing, doubled, altered } = holding;
    json!({"delivered": held, "missing": missing, "doubled": doubled, "altered": altered})
}

fn row(
    name: &str,
    sent: u64,
    acknowledged: u64,
    tally: &SourceTally,
    delivered: u64,
    all: &Holding,
    latency: String,
) -> Vec<String> {
    let numbers = [sent, acknowledged, tally.journal.held, delivered, all.missing, all.doubled];
    let numbers = numbers.map(|number| number.to_string());
    std::iter::once(name.to_owned()).chain(numbers).chain([latency]).collect()
}
