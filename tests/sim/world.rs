//! Events in the order of their time, and who they happen to. Nothing here waits, and nothing is drawn but from the
//! seed: the same seed is the same world.

mod box_side;
mod far_side;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use batch::{BatchId, BoxId, SigningKey};
use delivery::Transient;
use record::{BootNo, SourceId, Stamp, UnixMs};
use rules::Engine;
use syncd::Raw;

use crate::broken::Fault;
use crate::clock::{BoxClock, true_ms};
use crate::delivering::Sync;
use crate::disk::Disk;
use crate::field::{Device, Downlink, Uplink};
use crate::filter::Filters;
use crate::gateway::{Gateway, rules};
use crate::invariants::{Checked, Onlooker, demand, violation};
use crate::link::Link;
use crate::platform::Platform;
use crate::seed::Chance;
use crate::trace::Trace;
use crate::troubles::{self, Trouble};

/// So long anything may befall the world; then it heals. ms.
pub(crate) const FAULTS_MS: u64 = 240_000;
/// So long after that everything must have drained: several of the longest waits after a failure. ms.
const DRAIN_MS_MAX: u64 = 300_000;
/// While it drains the world is looked at this often. ms.
const LOOK_MS: u64 = 1_000;
/// Events of one world: more means that something goes round in a circle.
const EVENTS_MAX: u64 = 200_000;

/// Of a hundred worlds so many are busy, and how much busier than others: they fill several tables.
const BUSY_PERCENT: u64 = 60;
const HASTE: u64 = 16;
/// Of a hundred worlds in so many frames get old.
const AGEING_PERCENT: u64 = 30;

/// The names of the platforms.
const NAMES: [&str; 2] = ["city", "province"];

/// What makes a world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// Nothing befalls the second platform and its link.
    pub(crate) second_is_well: bool,
    /// What destinations share befalls them: a full disk of the outbox, and frames that go once all of them have them.
    pub(crate) shares: bool,
    pub(crate) fault: Option<Fault>,
}

impl Settings {
    /// A sound box among everything that may befall it.
    pub(crate) fn of(seed: u64) -> Settings {
        Settings { seed, second_is_well: false, shares: true, fault: None }
    }
}

/// Something that happens at its time.
#[derive(Debug)]
enum Event {
    Wakes(usize),
    AtGateway(usize, Uplink),
    AtDevice(usize, Downlink),
    Commit,
    GatewayStarts(u64),
    SyncStarts(u64),
    Keeps(u64),
    Poll,
    Tick(usize),
    StoreAgain(usize),
    AtPlatform { nth: usize, life: u64, id: BatchId, turn: u64, bytes: Vec<u8> },
    AtSync { nth: usize, life: u64, id: BatchId, turn: u64, ended: Result<Raw, Transient> },
    Befalls(Trouble),
    Heals,
    Looks,
}

/// An event in the heap: by time, then in the order in which it was foreseen.
#[derive(Debug)]
struct Due {
    at: u64,
    nth: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        (self.at, self.nth) == (other.at, other.nth)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.at, self.nth).cmp(&(other.at, other.nth))
    }
}

/// What happened to the first platform's lines: what D4 compares.
pub(crate) type Story = Vec<(u64, &'static str, BatchId)>;

/// A world that ended well.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) hash: u64,
    pub(crate) records: u64,
    pub(crate) alarms: u64,
    /// Deaths of a process, and transactions that the disk did not take.
    pub(crate) deaths: u64,
    pub(crate) unstored: u64,
    pub(crate) parked: u64,
    /// What befell it, by name.
    pub(crate) seen: BTreeSet<&'static str>,
    /// How long it took from healing until all had drained. ms.
    pub(crate) drained_ms: u64,
    pub(crate) story: Story,
}

/// A box, its field, its platforms, and all between them.
#[derive(Debug)]
pub(crate) struct World {
    settings: Settings,
    pub(crate) trace: Trace,
    now: u64,
    foreseen: u64,
    heap: BinaryHeap<Reverse<Due>>,
    disk: Disk,
    /// The clock of this boot; none between a power cut and the next start.
    clock: Option<BoxClock>,
    /// What the next boot's wall clock is wrong by.
    clock_error_ms: i64,
    /// When each boot was.
    boots: BTreeMap<BootNo, u64>,
    booted_ms: u64,
    gateway: Option<Gateway>,
    /// How often the gateway started, and the upload daemon: what belongs to an earlier life is over.
    gateway_life: u64,
    commit_foreseen: bool,
    sync: Option<Sync>,
    sync_life: u64,
    devices: Vec<Device>,
    platforms: [Platform; 2],
    filters: [Filters; 2],
    /// Where devices stand from the next start on.
    places: Chance,
    links: [Link; 2],
    death: Chance,
    onlooker: Onlooker,
    /// Frames that came to nothing and are not yet counted durably (A3).
    unsettled: BTreeMap<Option<SourceId>, u64>,
    healed_at: Option<u64>,
    /// What others leave for files of sealed records.
    room_bytes: u64,
    /// Frames get old.
    ages: bool,
    keeper: Chance,
    seen: BTreeSet<&'static str>,
    deaths: u64,
    unstored: u64,
    story: Story,
}

impl World {
    pub(crate) fn new(settings: Settings) -> World {
        let seed = settings.seed;
        let enrolled = || (identity().0, identity().1.public());
        let mut taste = Chance::new(seed, "taste");
        let platform = |name, key| Platform::new(name, key, enrolled(), Chance::new(seed, &format!("mood {name}")));
        let mut platforms = [platform(NAMES[0], 1), platform(NAMES[1], 2)];
        // The second one is particular in half of the worlds.
        platforms[1].poison_in = if taste.percent(50) { 83 } else { 0 };
        let mut devices = Device::all(seed);
        let mut tempo = Chance::new(seed, "tempo");
        if tempo.percent(BUSY_PERCENT) {
            devices.iter_mut().for_each(|device| device.haste = HASTE);
        }
        let mut world = World {
            settings,
            trace: Trace::new(),
            now: 0,
            foreseen: 0,
            heap: BinaryHeap::new(),
            disk: Disk::new(),
            clock: None,
            clock_error_ms: if taste.percent(50) { 0 } else { -1_794_700_800_000 },
            boots: BTreeMap::new(),
            booted_ms: 0,
            gateway: None,
            gateway_life: 0,
            commit_foreseen: false,
            sync: None,
            sync_life: 0,
            links: [0, 1].map(|nth| Link::new(Chance::new(seed, &format!("link {nth}")))),
            // The first one gets everything: what the second gets, and when, is nothing to it (D4).
            filters: [0, 1].map(|nth| {
                let may_filter = nth == 1 && settings.fault.is_none_or(Fault::is_of_a_filter);
                Filters::new(Chance::new(seed, &format!("filter {nth}")), may_filter)
            }),
            places: Chance::new(seed, "places"),
            death: Chance::new(seed, "death"),
            onlooker: Onlooker::new(Engine::new(rules()), settings.fault),
            unsettled: BTreeMap::new(),
            healed_at: None,
            room_bytes: troubles::ROOM_BYTES,
            ages: settings.shares && tempo.percent(AGEING_PERCENT),
            keeper: Chance::new(seed, "keeper"),
            seen: BTreeSet::new(),
            deaths: 0,
            unstored: 0,
            story: Story::new(),
            platforms,
            devices,
        };
        world.foresee_all();
        world
    }

    fn foresee_all(&mut self) {
        self.foresee(1, Event::GatewayStarts(0));
        self.foresee(2, Event::SyncStarts(0));
        for nth in 0..self.devices.len() {
            self.foresee(100 + nth as u64, Event::Wakes(nth));
        }
        for (at, trouble) in troubles::draw(&self.settings, self.devices.len()) {
            self.foresee(at, Event::Befalls(trouble));
        }
        self.foresee(FAULTS_MS, Event::Heals);
    }

    fn foresee(&mut self, at: u64, event: Event) {
        self.foreseen += 1;
        self.heap.push(Reverse(Due { at: at.max(self.now), nth: self.foreseen, event }));
    }

    /// Lets everything happen; the invariants hold at any time, and finally everything drains.
    pub(crate) fn run(&mut self) -> Checked<Passed> {
        for _ in 0..EVENTS_MAX {
            let Some(Reverse(Due { at, event, .. })) = self.heap.pop() else { break };
            self.now = at;
            if matches!(event, Event::Looks) {
                if self.is_drained() {
                    return self.passed();
                }
                if self.now > FAULTS_MS + DRAIN_MS_MAX {
                    return self.still_waiting();
                }
                self.foresee(self.now + LOOK_MS, Event::Looks);
                continue;
            }
            self.happen(event)?;
            self.check()?;
        }
        violation("B1", format!("{EVENTS_MAX} events and no end"))
    }

    fn happen(&mut self, event: Event) -> Checked {
        match event {
            Event::Wakes(nth) => self.wake(nth),
            Event::AtGateway(nth, uplink) => self.at_gateway(nth, uplink),
            Event::AtDevice(nth, answer) => self.devices[nth].hear(self.now, &answer),
            Event::Commit => self.commit()?,
            Event::GatewayStarts(life) => self.start_gateway(life)?,
            Event::SyncStarts(life) => self.start_sync(life)?,
            Event::Keeps(life) => self.keeps(life)?,
            Event::Poll => self.poll()?,
            Event::Tick(nth) => self.tick(nth)?,
            Event::StoreAgain(nth) => {
                self.sync.iter_mut().for_each(|sync| sync.lines[nth].stores_again());
                self.work(nth)?;
                // What the journal got meanwhile is heard once that is stored.
                self.work(nth)?;
            }
            Event::AtPlatform { nth, life, id, turn, bytes } => self.at_platform(nth, life, id, turn, &bytes)?,
            Event::AtSync { nth, life, id, turn, ended } if life == self.sync_life => {
                self.at_sync(nth, id, turn, ended)?;
            }
            Event::AtSync { .. } | Event::Looks => {}
            Event::Befalls(trouble) => self.befall(trouble)?,
            Event::Heals => self.heal()?,
        }
        Ok(())
    }

    fn befall(&mut self, trouble: Trouble) -> Checked {
        self.trace.tell(self.now, format_args!("{trouble:?}"));
        // Healing is no trouble.
        self.seen.extend(trouble.name().filter(|_| self.producing()));
        match trouble {
            Trouble::GatewayDies { for_ms } => self.kill_gateway(for_ms),
            Trouble::SyncDies { for_ms } => self.kill_sync(for_ms),
            Trouble::PowerCut { for_ms, clock_error_ms } => {
                (self.clock, self.clock_error_ms) = (None, clock_error_ms);
                self.booted_ms = self.now + for_ms;
                self.kill_gateway(for_ms);
                self.kill_sync(for_ms);
            }
            Trouble::JournalFull(full) => {
                self.disk.journal_full = full;
                self.gateway.iter().for_each(|gateway| gateway.fill(full));
            }
            Trouble::OutboxFull(full) => {
                self.disk.outbox_full = full;
                self.sync.iter().for_each(|sync| sync.fill(full));
            }
            Trouble::Link(nth, state) => self.links[nth].state = state,
            Trouble::Platform(nth, mood) => self.platforms[nth].mood = mood,
            Trouble::Field(nth, state) => self.devices[nth].way.state = state,
            Trouble::Synchronised => self.clock.iter_mut().for_each(BoxClock::synchronise),
            Trouble::NoTimeSource => {
                let now = self.now;
                self.clock.iter_mut().for_each(|clock| clock.let_go(now));
            }
            Trouble::SetByHand { error_ms } => {
                self.clock.iter_mut().for_each(|clock| clock.set_by_hand(error_ms));
            }
            Trouble::Commands { platform, from_permille, records } => {
                self.command(platform, from_permille, records)?;
            }
            Trouble::Room(bytes) => self.room_bytes = bytes,
        }
        Ok(())
    }

    fn heal(&mut self) -> Checked {
        self.healed_at = Some(self.now);
        for trouble in troubles::healed(self.devices.len()) {
            self.befall(trouble)?;
        }
        self.foresee(self.now + LOOK_MS, Event::Looks);
        Ok(())
    }

    fn producing(&self) -> bool {
        self.healed_at.is_none()
    }

    /// Now, as the box stamps it.
    fn stamp(&mut self) -> Stamp {
        let (now, fault) = (self.now, self.settings.fault);
        let clock = self.clock.as_mut().expect("a gateway at work has a clock");
        stamp(clock, now, fault)
    }

    fn is_drained(&self) -> bool {
        let (Some(gateway), Some(sync)) = (&self.gateway, &self.sync) else { return false };
        gateway.queue.is_empty()
            && self.devices.iter().all(|device| device.unacknowledged() == 0)
            && sync.lines.iter().all(|lines| !lines.is_waiting() && lines.is_drained(gateway.end()))
    }

    fn still_waiting<T>(&self) -> Checked<T> {
        let waiting: Vec<String> = self
            .sync
            .iter()
            .flat_map(|sync| &sync.lines)
            .map(|lines| format!("{}: {:?}", lines.name, lines.core.standing()))
            .collect();
        let unacknowledged: usize = self.devices.iter().map(Device::unacknowledged).sum();
        violation(
            "D3",
            format!(
                "{DRAIN_MS_MAX} ms after all healed {} records, {unacknowledged} unacknowledged, {waiting:?}",
                self.onlooker.end()
            ),
        )
    }

    fn passed(&mut self) -> Checked<Passed> {
        let Some(gateway) = &self.gateway else { return self.still_waiting() };
        self.onlooker.look_again(&gateway.reader)?;
        self.onlooker.look_at_rules(gateway)?;
        self.onlooker.look_at_aggregates()?;
        self.look_at_platforms()?;
        self.look_at_quiet()?;
        let lines = || self.sync.iter().flat_map(|sync| &sync.lines);
        let parked = lines().map(|lines| lines.core.parked().len()).sum();
        let outcomes = [
            ("a transaction refused by the disk", self.unstored > 0),
            ("a record parked", parked > 0),
            ("an alarm raised", !self.onlooker.alarms.is_empty()),
            ("an aggregate made", !self.onlooker.aggregated.is_empty()),
            ("a clock record", self.onlooker.clocks > 0),
            ("a history continued", self.platforms.iter().any(|platform| !platform.continued.is_empty())),
            ("a record withheld", self.platforms.iter().any(|platform| !platform.left_out.is_empty())),
            ("a frame cut to some quantities", self.platforms.iter().any(|platform| platform.cut > 0)),
            ("delivered around what is gone", lines().any(|lines| !lines.core.gone().is_empty())),
        ];
        self.seen.extend(outcomes.into_iter().filter(|(_, seen)| *seen).map(|(name, _)| name));
        Ok(Passed {
            hash: self.trace.hash(),
            records: self.onlooker.end().0,
            alarms: self.onlooker.alarms.len() as u64,
            deaths: self.deaths,
            unstored: self.unstored,
            parked,
            seen: std::mem::take(&mut self.seen),
            drained_ms: self.now - self.healed_at.unwrap_or(self.now),
            story: std::mem::take(&mut self.story),
        })
    }

    /// What holds at any time.
    fn check(&self) -> Checked {
        if let Some(gateway) = &self.gateway {
            let (len, max) = (gateway.queue.len(), crate::gateway::QUEUE_FRAMES_MAX);
            demand!("B1", record::invariant::b1_within(len, max), "{len} frames wait, at most {max} may");
        }
        let lines = self.sync.iter().flat_map(|sync| &sync.lines);
        lines
            .zip(&self.platforms)
            .try_for_each(|(lines, platform)| lines.check(platform.receipted(), &self.onlooker.told))
    }
}

fn identity() -> (BoxId, SigningKey) {
    (BoxId::new("outfall-1").expect("a box's name"), SigningKey::from_seed(&[7; 32]))
}

fn stamp(clock: &mut BoxClock, now: u64, fault: Option<Fault>) -> Stamp {
    let stamp = clock.stamp(now);
    match fault {
        Some(Fault::ClaimsGoodTime) => Stamp { clock: record::ClockQuality::Synchronised, ..stamp },
        _ => stamp,
    }
}

/// True time at a stamp: its boot's own, and the time since.
fn truth(boots: &BTreeMap<BootNo, u64>, stamp: &Stamp) -> UnixMs {
    true_ms(boots.get(&stamp.boot).copied().unwrap_or(0) + stamp.mono_ms.0)
}
