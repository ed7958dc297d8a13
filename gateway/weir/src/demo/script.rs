//! What happens, one thing after the other. Every wait is for an event and has its deadline; one that does not come is
//! noted, and the rest goes on, so that the table can show what came of it.

use std::time::{Duration, Instant};

use journal::Reader;
use platform::store::Archive;
use record::{Seq, SeqRange, SeqRanges};

use super::alarm_watch::{AlarmWatch, Seen};
use super::console::Console;
use super::devices::OWN;
use super::error::DemoError;
use super::message::Water;
use super::sensors::{Field, Source};
use super::settings::ON_DELAY_S;
use super::wait::Clock;
use super::world::{CITY, FarEnd, PROVINCE, World};

/// The pace of MQTT sensors in the calm parts; under load it is what their windows let through.
const CALM: Duration = Duration::from_millis(25);
const LOAD: Duration = Duration::ZERO;
/// How often the gateway is killed.
const KILLS: usize = 3;
/// Messages of each MQTT sensor that must pass before the next thing happens.
const SOME: u64 = 100;
/// Unacknowledged messages of MQTT sensors at which the gateway is killed; all windows together are 24.
const UNDER_WAY: u64 = 12;
/// Messages of all sensors that must pass under load before that.
const LOADED: u64 = 200;
/// How long one event may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Something that was promised and did not happen.
#[derive(Debug, Clone)]
pub(crate) struct Reason {
    /// In English.
    pub(crate) en: String,
    /// 中文。
    pub(crate) zh: String,
}

impl Reason {
    /// Both texts.
    pub(crate) fn new(en: impl Into<String>, zh: impl Into<String>) -> Reason {
        Reason { en: en.into(), zh: zh.into() }
    }
}

/// One SIGKILL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kill {
    /// Messages that were sent and not acknowledged at that moment.
    pub(crate) unacknowledged: u64,
    /// From the start of the new process until it served.
    pub(crate) ready: Duration,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Told {
    /// The sensors' own word.
    pub(crate) sources: Vec<Source>,
    /// Alarm transitions, by platform.
    pub(crate) alarms: Vec<Vec<Seen>>,
    /// When the link to the province was cut, and when it was whole again.
    pub(crate) cut: (Instant, Instant),
    /// Every SIGKILL.
    pub(crate) kills: Vec<Kill>,
    /// What did not happen in time.
    pub(crate) reasons: Vec<Reason>,
}

/// Plays it all.
pub(crate) async fn play(world: &mut World, console: &Console, clock: Clock) -> Result<Told, DemoError> {
    let field = Field::start(world).await?;
    let watch = |platform: &FarEnd| AlarmWatch::start(&platform.state.database(), world.box_id.clone());
    let watches = world.platforms.iter().map(watch).collect::<Result<_, _>>()?;
    let mut stage = Stage { world, console, clock, field, watches, kills: Vec::new(), reasons: Vec::new() };
    stage.deliver().await?;
    let cut_at = stage.cut().await?;
    for _ in 0..KILLS {
        stage.kill().await?;
    }
    stage.alarm().await?;
    let healed_at = stage.heal().await?;
    stage.drain().await?;
    stage.world.check()?;
    let Stage { field, watches, kills, reasons, .. } = stage;
    let alarms = watches.iter().map(AlarmWatch::seen).collect();
    Ok(Told { sources: field.end().await, alarms, cut: (cut_at, healed_at), kills, reasons })
}

struct Stage<'a> {
    world: &'a mut World,
    console: &'a Console,
    clock: Clock,
    field: Field,
    watches: Vec<AlarmWatch>,
    kills: Vec<Kill>,
    reasons: Vec<Reason>,
}

impl Stage<'_> {
    async fn deliver(&mut self) -> Result<(), DemoError> {
        self.field.order(Some(CALM), Water::Usual);
        let goal = self.goal(&[0; OWN.len()]);
        let arrived = self.clock.until(PATIENCE, || {
            let all = [CITY, PROVINCE].iter().all(|platform| self.arrived(*platform, &goal));
            all.then_some(())
        });
        let arrived = arrived.await.is_some();
        self.note(
            arrived,
            "three MQTT sensors and two LoRa devices speak; both platforms receive all of them",
            "三个 MQTT 传感器和两个 LoRa 设备正在发送，两个平台均已收到",
        )
    }

    /// Cuts the province off and sees that the city goes on.
    async fn cut(&mut self) -> Result<Instant, DemoError> {
        self.world.link.cut();
        let at = Instant::now();
        self.console.say("the link to province is cut", "已切断到 province 的链路");
        let first = self.goal(&self.held(CITY));
        let went_on = self.clock.until(PATIENCE, || self.arrived(CITY, &first).then_some(())).await.is_some();
        // What was on its way when the link broke has landed by now.
        let before: u64 = self.held(PROVINCE).iter().sum();
        let second = self.goal(&self.held(CITY));
        let went_on =
            went_on && self.clock.until(PATIENCE, || self.arrived(CITY, &second).then_some(())).await.is_some();
        let after: u64 = self.held(PROVINCE).iter().sum();
        self.note(went_on, "city goes on receiving while province is cut off", "province 断开期间 city 继续接收")?;
        self.note(before == after, "nothing reaches province over the cut link", "链路断开时 province 收不到数据")?;
        Ok(at)
    }

    /// SIGKILL under load, a new start, and everything that was under way is acknowledged in the end.
    async fn kill(&mut self) -> Result<(), DemoError> {
        let before = self.sent();
        self.field.order(Some(LOAD), Water::Usual);
        // On a disk so fast that there are never so many at once, it is killed with fewer.
        let under_load = self.clock.until(Duration::from_secs(2), || {
            (self.sent() >= before + LOADED && self.mqtt_under_way() >= UNDER_WAY).then_some(())
        });
        let _ = under_load.await;
        self.world.kill_gateway();
        let sent: Vec<u64> = self.field.sources.iter().map(|source| source.logbook.counts().0).collect();
        let unacknowledged = self.field.unacknowledged();
        let ready = self.world.start_gateway(self.clock).await?;
        self.field.order(Some(CALM), Water::Usual);
        self.kills.push(Kill { unacknowledged, ready });
        let settled = self.clock.until(PATIENCE, || {
            let caught_up = |(source, sent): (&Source, &u64)| source.logbook.counts().1 >= *sent;
            self.field.sources.iter().zip(&sent).all(caught_up).then_some(())
        });
        let settled = settled.await.is_some();
        let ms = ready.as_millis();
        self.note(
            settled,
            &format!("gateway killed (SIGKILL) with {unacknowledged} messages under way; back after {ms} ms, it took them all"),
            &format!("网关被 SIGKILL 杀死，当时有 {unacknowledged} 条未确认；{ms} ms 后恢复，并全部接收"),
        )?;
        Ok(())
    }

    /// Raises and clears an alarm; the city must know although the province cannot be told.
    async fn alarm(&mut self) -> Result<(), DemoError> {
        self.field.order(Some(CALM), Water::Discharge);
        let raised = self.clock.until(PATIENCE, || self.watches[CITY].is_raised().then_some(()));
        let raised = raised.await.is_some();
        self.note(
            raised,
            &format!("COD over 80 mg/L for {ON_DELAY_S} s: the alarm is at city"),
            &format!("COD 超过 80 mg/L 持续 {ON_DELAY_S} 秒：报警已到达 city"),
        )?;
        self.field.order(Some(CALM), Water::Usual);
        let cleared = self.clock.until(PATIENCE, || self.watches[CITY].is_over().then_some(())).await.is_some();
        self.note(
            cleared,
            "COD is back below 75 mg/L: city knows that the alarm is cleared",
            "COD 回落到 75 mg/L 以下：city 已收到报警解除",
        )
    }

    async fn heal(&mut self) -> Result<Instant, DemoError> {
        self.world.link.heal();
        let at = Instant::now();
        let caught_up = self.clock.until(PATIENCE, || self.watches[PROVINCE].is_over().then_some(())).await.is_some();
        self.note(
            caught_up,
            &format!("the link is back; province has the alarm after {} ms", at.elapsed().as_millis()),
            &format!("链路恢复；province 在 {} ms 后收到报警", at.elapsed().as_millis()),
        )?;
        Ok(at)
    }

    /// Silence, until every promise is kept and both platforms have what the journal has.
    async fn drain(&mut self) -> Result<(), DemoError> {
        self.field.order(None, Water::Usual);
        let settled = self.clock.until(PATIENCE, || (self.field.unacknowledged() == 0).then_some(())).await.is_some();
        self.note(
            settled,
            "the sensors are silent, every message is acknowledged",
            "传感器停止发送，所有消息均已确认",
        )?;
        let reader = Reader::open(&self.world.journal()).map_err(DemoError::Store)?;
        let end = reader.position().map_err(DemoError::Store)?.end;
        let all: SeqRanges =
            end.0.checked_sub(1).map(|last| SeqRange { first: Seq(0), last: Seq(last) }).into_iter().collect();
        let archives: Vec<Archive> =
            self.world.platforms.iter().map(|platform| Archive::new(&platform.state.database())).collect();
        let box_id = self.world.box_id.clone();
        let covered = self.clock.until(2 * PATIENCE, || {
            let covers = |archive: &Archive| archive.coverage(&box_id).is_ok_and(|held| held.covers(&all));
            archives.iter().all(covers).then_some(())
        });
        let covered = covered.await.is_some();
        self.note(
            covered,
            &format!("both platforms hold all {end} records of the journal; now every message is compared"),
            &format!("两个平台都拥有记录库的全部 {end} 条记录；开始逐条核对"),
        )?;
        Ok(())
    }

    /// Messages that were sent so far.
    fn sent(&self) -> u64 {
        self.field.sources.iter().map(|source| source.logbook.counts().0).sum()
    }

    fn mqtt_under_way(&self) -> u64 {
        let mqtt = self.field.sources.iter().filter(|source| !source.is_lora);
        mqtt.map(|source| source.logbook.counts()).map(|(sent, acknowledged)| sent - acknowledged).sum()
    }

    /// Messages that a platform holds, by source.
    fn held(&self, platform: usize) -> Vec<u64> {
        let tallies = Archive::new(&self.world.platforms[platform].state.database()).tallies().unwrap_or_default();
        let of = |source: &Source| {
            let found = tallies.iter().find(|tally| tally.source == source.name && tally.kind == "readings");
            found.map_or(0, |tally| tally.records)
        };
        self.field.sources.iter().map(of).collect()
    }

    /// Some more than that of every source; a radio device says one thing in a second.
    fn goal(&self, held: &[u64]) -> Vec<u64> {
        let more = |(source, held): (&Source, &u64)| held + if source.is_lora { 1 } else { SOME };
        self.field.sources.iter().zip(held).map(more).collect()
    }

    fn arrived(&self, platform: usize, goal: &[u64]) -> bool {
        self.held(platform).iter().zip(goal).all(|(held, goal)| held >= goal)
    }

    /// Says what happened, or notes that it did not; a daemon that has ended is the better explanation.
    fn note(&mut self, happened: bool, en: &str, zh: &str) -> Result<(), DemoError> {
        if happened {
            self.console.say(en, zh);
            return Ok(());
        }
        self.world.check()?;
        let reason = Reason::new(format!("did not happen in time: {en}"), format!("未按时发生：{zh}"));
        self.console.say(&reason.en, &reason.zh);
        self.reasons.push(reason);
        Ok(())
    }
}
