//! Whether every promise was kept.

use std::time::{Duration, Instant};

use journal::Reader;
use platform::store::Archive;
use record::AlarmState;

use super::alarm_watch::Seen;
use super::console::Console;
use super::error::DemoError;
use super::evidence::{self, ByRecord, BySource};
use super::logbook::{Entry, Logbook};
use super::proof::{self, Proved};
use super::script::{Kill, Reason, Told};
use super::sensors::Source;
use super::settings::ALARM_SOURCE;
use super::tally::{Holding, Sent, SourceTally};
use super::wait::Clock;
use super::world::{PROVINCE, World};
use crate::exit::Exit;

/// All that the table shows.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// By source, in the order of the table.
    pub(crate) sources: Vec<(&'static str, SourceTally)>,
    /// By platform.
    pub(crate) platforms: Vec<PlatformVerdict>,
    /// Every SIGKILL.
    pub(crate) kills: Vec<Kill>,
    /// Messages that were sent again.
    pub(crate) repeated: u64,
    /// How long the province's link was cut.
    pub(crate) cut: Duration,
    /// What was proved beside.
    pub(crate) proved: Proved,
    /// Since the demo's start.
    pub(crate) elapsed: Duration,
    /// What is not well; empty if all is.
    pub(crate) reasons: Vec<Reason>,
}

/// One platform.
#[derive(Debug)]
pub(crate) struct PlatformVerdict {
    /// Its name.
    pub(crate) name: &'static str,
    /// All sources together.
    pub(crate) all: Holding,
    /// The alarm's way to it.
    pub(crate) alarm: AlarmWay,
}

/// How long an alarm took: from handing the publish that it names as its cause to the sensor's socket, until the
/// platform's database has it committed. The on-delay is over at that publish.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AlarmWay {
    /// Raised.
    pub(crate) raised: Option<Duration>,
    /// Cleared.
    pub(crate) cleared: Option<Duration>,
    /// Raised, counted from the moment at which a cut link was whole again.
    pub(crate) raised_after_heal: Option<Duration>,
}

impl Verdict {
    /// How soon the first platform knew of this source's alarm, if it raised one.
    pub(crate) fn first_alarm(&self, source: &str) -> Option<Duration> {
        let raised = self.platforms.iter().filter_map(|platform| platform.alarm.raised);
        raised.min().filter(|_| source == ALARM_SOURCE)
    }

    /// The exit status.
    pub(crate) fn exit(&self) -> Exit {
        if self.reasons.is_empty() { Exit::Good } else { Exit::NotWell }
    }
}

/// Compares what was sent with what is stored, everywhere.
pub(crate) fn judge(world: &World, told: &Told, console: &Console, clock: Clock) -> Result<Verdict, DemoError> {
    let mut reasons = told.reasons.clone();
    let reader = Reader::open(&world.journal()).map_err(DemoError::Store)?;
    let (journaled, messages) = evidence::of_journal(&reader)?;
    let stored: Vec<BySource> = world
        .platforms
        .iter()
        .map(|platform| {
            let read = evidence::of_platform(&Archive::new(&platform.state.database()), &world.box_id);
            read.map_err(|source| DemoError::Platform { platform: platform.name, source })
        })
        .collect::<Result<_, _>>()?;
    let empty = Vec::new();
    let sources: Vec<_> = told
        .sources
        .iter()
        .map(|source| {
            let of = |by_source: &BySource| by_source.get(source.name).unwrap_or(&empty).clone();
            let platforms: Vec<_> = stored.iter().map(of).collect();
            (source.name, SourceTally::of(&sent(&source.logbook), &of(&journaled), &platforms))
        })
        .collect();
    let mut platforms = Vec::new();
    for (place, platform) in world.platforms.iter().enumerate() {
        let holdings = sources.iter().filter_map(|(_, tally)| tally.platforms.get(place));
        let all = holdings.fold(Holding::default(), |sum, holding| sum.plus(*holding));
        let healed = (place == PROVINCE).then_some(told.cut.1);
        let seen = told.alarms.get(place).map(Vec::as_slice).unwrap_or_default();
        let alarm = alarm_way(seen, &told.sources, &messages, healed);
        judge_alarm(platform.name, seen, &alarm, &mut reasons);
        platforms.push(PlatformVerdict { name: platform.name, all, alarm });
    }
    judge_tallies(&sources, told, &mut reasons);
    let proved = proof::look(world, &reader, &mut reasons)?;
    if !clock.in_time() {
        reasons.push(Reason::new("the demo took longer than 90 s", "演示超过了 90 秒"));
    }
    for reason in &reasons {
        console.say(&format!("not well: {}", reason.en), &format!("未通过：{}", reason.zh));
    }
    let repeated = told.sources.iter().map(|source| source.logbook.lock().repeated).sum();
    let (cut, kills) = (told.cut.1 - told.cut.0, told.kills.clone());
    Ok(Verdict { sources, platforms, kills, repeated, cut, proved, elapsed: clock.elapsed(), reasons })
}

fn sent(logbook: &Logbook) -> Vec<Sent> {
    let sent = |entry: &Entry| Sent {
        readings: entry.readings.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect(),
        raw: entry.raw.clone(),
        acknowledged: entry.acknowledged,
    };
    logbook.lock().entries.iter().map(sent).collect()
}

fn judge_tallies(sources: &[(&'static str, SourceTally)], told: &Told, reasons: &mut Vec<Reason>) {
    for (name, tally) in sources {
        let Holding { missing, doubled, altered, .. } = tally.all();
        if !tally.all().is_whole() {
            reasons.push(Reason::new(
                format!("{name}: {missing} missing, {doubled} doubled, {altered} altered, in journal and platforms"),
                format!("{name}：缺失 {missing}，重复 {doubled}，不符 {altered}（记录库与各平台合计）"),
            ));
        }
        if tally.sent == 0 {
            reasons.push(Reason::new(format!("{name} sent nothing"), format!("{name} 没有发送任何消息")));
        }
        if tally.acknowledged != tally.sent {
            let open = tally.sent - tally.acknowledged;
            reasons.push(Reason::new(
                format!("{name}: {open} messages were never acknowledged"),
                format!("{name}：{open} 条消息始终未得到确认"),
            ));
        }
    }
    for source in &told.sources {
        let refused = source.logbook.lock().refused;
        if refused > 0 {
            reasons.push(Reason::new(
                format!("{}: the box refused {refused} messages", source.name),
                format!("{}：{refused} 条消息被拒绝", source.name),
            ));
        }
    }
}

/// Exactly one alarm: raised, then cleared.
fn judge_alarm(platform: &str, seen: &[Seen], way: &AlarmWay, reasons: &mut Vec<Reason>) {
    let steps: Vec<&str> = seen.iter().map(|seen| seen.line.to.as_str()).collect();
    if steps != [AlarmState::Unacknowledged.as_str(), AlarmState::ReturnedUnacknowledged.as_str()] {
        let steps = steps.join(", ");
        reasons.push(Reason::new(
            format!("{platform} saw the alarm as [{steps}] instead of raised and cleared once"),
            format!("{platform} 收到的报警过程为 [{steps}]，应为触发、解除各一次"),
        ));
    } else if way.raised.is_none() || way.cleared.is_none() {
        reasons.push(Reason::new(
            format!("the alarm at {platform} names a record as its cause that is no message of a sensor"),
            format!("{platform} 收到的报警所指的起因不是传感器消息"),
        ));
    }
}

fn alarm_way(seen: &[Seen], sources: &[Source], messages: &ByRecord, healed: Option<Instant>) -> AlarmWay {
    let of = |state: AlarmState| seen.iter().find(|seen| seen.line.to == state.as_str());
    let way = |seen: &Seen| {
        let (name, n) = messages.get(&seen.line.cause)?;
        let logbook = &sources.iter().find(|source| source.name == name)?.logbook;
        let place = usize::try_from(*n).ok()?.checked_sub(1)?;
        let sent_at = logbook.lock().entries.get(place)?.sent_at;
        Some(seen.at.saturating_duration_since(sent_at))
    };
    let raised = of(AlarmState::Unacknowledged);
    AlarmWay {
        raised: raised.and_then(way),
        cleared: of(AlarmState::ReturnedUnacknowledged).and_then(way),
        raised_after_heal: raised.and_then(|seen| Some(seen.at.saturating_duration_since(healed?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::message::{Instrument, Water};
    use platform::store::AlarmLine;

    fn seen(to: AlarmState, cause: u64) -> Seen {
        let line = AlarmLine {
            seq: cause + 1,
            source: "cod-1".into(),
            rule: "cod-high".into(),
            quantity: "cod".into(),
            from: String::new(),
            to: to.as_str().into(),
            side: "high".into(),
            limit: "80".into(),
            value: None,
            cause,
            wall_ms: 0,
            clock: String::new(),
            measure: None,
            unit: None,
            span_s: None,
            tier: None,
            suppression: None,
        };
        Seen { at: Instant::now() + Duration::from_secs(1), line }
    }

    /// The reasons, if the alarm came so and record 7 is the sensor's first message.
    fn check(alarms: &[Seen], expected: usize) {
        let logbook = Logbook::default();
        logbook.send(Instrument::Cod.readings(1, 1, Water::Discharge), Vec::new());
        let sources = [Source { name: "cod-1", is_lora: false, logbook }];
        let messages = ByRecord::from([(7, ("cod-1".to_owned(), 1))]);
        let mut reasons = Vec::new();
        judge_alarm("city", alarms, &alarm_way(alarms, &sources, &messages, None), &mut reasons);
        assert_eq!(reasons.len(), expected, "{reasons:?}");
    }

    #[test]
    fn an_alarm_is_raised_and_cleared_once() {
        use AlarmState::{ReturnedUnacknowledged, Unacknowledged};
        check(&[seen(Unacknowledged, 7), seen(ReturnedUnacknowledged, 7)], 0);
        check(&[seen(Unacknowledged, 7)], 1);
        check(&[], 1);
        check(&[seen(Unacknowledged, 7), seen(Unacknowledged, 7), seen(ReturnedUnacknowledged, 7)], 1);
        check(&[seen(Unacknowledged, 8), seen(ReturnedUnacknowledged, 7)], 1);
    }

    #[test]
    fn a_lost_a_doubled_and_an_unacknowledged_message_are_not_well() {
        let told = Told {
            sources: Vec::new(),
            alarms: Vec::new(),
            cut: (Instant::now(), Instant::now()),
            kills: Vec::new(),
            reasons: Vec::new(),
        };
        let whole = Holding { held: 3, ..Holding::default() };
        let judge = |acknowledged, journal, platform| {
            let tally = SourceTally { sent: 3, acknowledged, journal, platforms: vec![whole, platform] };
            let mut reasons = Vec::new();
            judge_tallies(&[("cod-1", tally)], &told, &mut reasons);
            reasons.len()
        };
        assert_eq!(judge(3, whole, whole), 0);
        assert_eq!(judge(3, whole, Holding { missing: 1, ..whole }), 1);
        assert_eq!(judge(3, Holding { missing: 1, ..whole }, whole), 1);
        assert_eq!(judge(3, whole, Holding { doubled: 1, ..whole }), 1);
        assert_eq!(judge(3, Holding { altered: 1, ..whole }, whole), 1);
        assert_eq!(judge(2, whole, whole), 1);
    }
}
