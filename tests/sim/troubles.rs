//! What befalls a world, drawn before it begins.

use crate::link::LinkState;
use crate::platform::Mood;
use crate::seed::Chance;
use crate::world::{FAULTS_MS, Settings};

/// Something that befalls the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The process dies and is started again after a while.
    GatewayDies {
        for_ms: u64,
    },
    SyncDies {
        for_ms: u64,
    },
    /// Both die, and the next boot begins with a wall clock that is wrong by this.
    PowerCut {
        for_ms: u64,
        clock_error_ms: i64,
    },
    JournalFull(bool),
    OutboxFull(bool),
    /// The way to a platform.
    Link(usize, LinkState),
    Platform(usize, Mood),
    /// The way of a device to the box.
    Field(usize, LinkState),
    /// A time source answers.
    Synchronised,
    /// It answers no more.
    NoTimeSource,
    /// Somebody sets the clock, and is wrong by this.
    SetByHand {
        error_ms: i64,
    },
    /// A platform has records sent once more: so many, from this part of the journal on.
    Commands {
        platform: usize,
        from_permille: u64,
        records: u64,
    },
    /// What others leave of the card for files of sealed records. Bytes.
    Room(u64),
}

impl Trouble {
    /// What it is counted as; none for what ends one.
    pub(crate) fn name(&self) -> Option<&'static str> {
        Some(match self {
            Trouble::GatewayDies { .. } => "gateway dies",
            Trouble::SyncDies { .. } => "upload daemon dies",
            Trouble::PowerCut { .. } => "power cut",
            Trouble::JournalFull(true) => "journal's disk full",
            Trouble::OutboxFull(true) => "outbox's disk full",
            Trouble::Link(_, LinkState::Cut) => "link cut",
            Trouble::Link(_, LinkState::HalfOpen) => "link half-open",
            Trouble::Link(_, LinkState::Lossy { .. }) => "link lossy",
            Trouble::Link(_, LinkState::Thin { .. }) => "link thin",
            Trouble::Platform(_, mood) => mood.name()?,
            Trouble::Field(_, LinkState::Cut) => "field cut",
            Trouble::Field(_, LinkState::HalfOpen) => "field half-open",
            Trouble::Field(_, LinkState::Lossy { .. }) => "field lossy",
            Trouble::Synchronised => "time source found",
            Trouble::NoTimeSource => "time source lost",
            Trouble::SetByHand { .. } => "clock set by hand",
            Trouble::Commands { .. } => "records sent once more by order",
            Trouble::Room(bytes) if *bytes < ROOM_BYTES => "card taken by others",
            Trouble::JournalFull(false)
            | Trouble::OutboxFull(false)
            | Trouble::Link(_, LinkState::Up)
            | Trouble::Field(_, LinkState::Up | LinkState::Thin { .. })
            | Trouble::Room(_) => return None,
        })
    }
}

/// More than any world fills.
pub(crate) const ROOM_BYTES: u64 = 1 << 30;
/// What others leave when they take the card: some of the files of a busy world.
const ROOMS_BYTES: [u64; 3] = [5_500, 8_000, 11_000];
/// What somebody who sets a clock is wrong by.
const HANDS_MS: [i64; 5] = [-3_600_000, -4_000, 0, 300, 90_000];

const DAY_MS: i64 = 86_400_000;
/// Boots at 1970, three days back, ten years ahead, and right.
const CLOCK_ERRORS_MS: [i64; 4] = [-1_794_700_800_000, -3 * DAY_MS, 3_650 * DAY_MS, 0];
/// How often a link that flaps changes its mind. ms.
const FLAP_MS: u64 = 700;

/// In so many of a hundred worlds platforms have records sent once more, and so many at a time.
const COMMANDED_PERCENT: u64 = 40;
const COMMANDED_RECORDS_MAX: u64 = 400;

/// Everything that befalls a world until it heals, by time.
pub(crate) fn draw(settings: &Settings, devices: usize) -> Vec<(u64, Trouble)> {
    let mut drawn = Vec::new();
    let chance = &mut Chance::new(settings.seed, "troubles");
    deaths(chance, &mut drawn);
    spells(chance, 2, (3_000, 40_000), &mut drawn, |_| (Trouble::JournalFull(true), Trouble::JournalFull(false)));
    if settings.shares {
        let chance = &mut Chance::new(settings.seed, "outbox");
        spells(chance, 2, (3_000, 40_000), &mut drawn, |_| (Trouble::OutboxFull(true), Trouble::OutboxFull(false)));
        // What the first platform orders is nothing to the second; who compares their stories has neither.
        commands(&mut Chance::new(settings.seed, "commands"), &mut drawn);
    }
    clocks(chance, &mut drawn);
    let chance = &mut Chance::new(settings.seed, "hand");
    for _ in 0..chance.between(0, 3) {
        let error_ms = *chance.pick(&HANDS_MS);
        drawn.push((chance.between(0, FAULTS_MS), Trouble::SetByHand { error_ms }));
    }
    let chance = &mut Chance::new(settings.seed, "room");
    spells(chance, 3, (20_000, 90_000), &mut drawn, |chance| {
        (Trouble::Room(*chance.pick(&ROOMS_BYTES)), Trouble::Room(ROOM_BYTES))
    });
    for device in 0..devices {
        spells(chance, 2, (2_000, 50_000), &mut drawn, |chance| {
            (Trouble::Field(device, bad_link(chance)), Trouble::Field(device, LinkState::Up))
        });
    }
    for platform in 0..2 {
        if platform == 1 && settings.second_is_well {
            continue;
        }
        let chance = &mut Chance::new(settings.seed, ["city", "province"][platform]);
        spells(chance, 4, (2_000, 90_000), &mut drawn, |chance| {
            (Trouble::Link(platform, bad_way(chance)), Trouble::Link(platform, LinkState::Up))
        });
        spells(chance, 3, (2_000, 60_000), &mut drawn, |chance| {
            (Trouble::Platform(platform, *chance.pick(&Mood::BAD)), Trouble::Platform(platform, Mood::Well))
        });
        if chance.percent(40) {
            let from = chance.between(0, FAULTS_MS);
            for nth in 0..chance.between(6, 30) {
                let state = if nth % 2 == 0 { LinkState::Cut } else { LinkState::Up };
                drawn.push((from + nth * FLAP_MS, Trouble::Link(platform, state)));
            }
        }
    }
    drawn.retain(|(at, _)| *at < FAULTS_MS);
    drawn
}

/// Whatever lasts ends when the world heals.
pub(crate) fn healed(devices: usize) -> Vec<Trouble> {
    let mut healed =
        vec![Trouble::JournalFull(false), Trouble::OutboxFull(false), Trouble::Synchronised, Trouble::Room(ROOM_BYTES)];
    healed.extend((0..devices).map(|device| Trouble::Field(device, LinkState::Up)));
    for platform in 0..2 {
        healed.extend([Trouble::Link(platform, LinkState::Up), Trouble::Platform(platform, Mood::Well)]);
    }
    healed
}

fn deaths(chance: &mut Chance, drawn: &mut Vec<(u64, Trouble)>) {
    for _ in 0..chance.between(0, 4) {
        let for_ms = chance.between(200, 8_000);
        drawn.push((chance.between(0, FAULTS_MS), Trouble::GatewayDies { for_ms }));
    }
    for _ in 0..chance.between(0, 4) {
        let for_ms = chance.between(200, 8_000);
        drawn.push((chance.between(0, FAULTS_MS), Trouble::SyncDies { for_ms }));
    }
    for _ in 0..chance.between(0, 3) {
        let (for_ms, clock_error_ms) = (chance.between(3_000, 20_000), *chance.pick(&CLOCK_ERRORS_MS));
        drawn.push((chance.between(0, FAULTS_MS), Trouble::PowerCut { for_ms, clock_error_ms }));
    }
}

fn clocks(chance: &mut Chance, drawn: &mut Vec<(u64, Trouble)>) {
    for _ in 0..chance.between(0, 4) {
        drawn.push((chance.between(0, FAULTS_MS), Trouble::Synchronised));
        drawn.push((chance.between(0, FAULTS_MS), Trouble::NoTimeSource));
    }
}

fn commands(chance: &mut Chance, drawn: &mut Vec<(u64, Trouble)>) {
    if !chance.percent(COMMANDED_PERCENT) {
        return;
    }
    for _ in 0..chance.between(1, 4) {
        let (platform, from_permille) = (usize::from(chance.percent(50)), chance.between(0, 1_000));
        let records = chance.between(1, COMMANDED_RECORDS_MAX);
        drawn.push((chance.between(0, FAULTS_MS), Trouble::Commands { platform, from_permille, records }));
    }
}

fn bad_link(chance: &mut Chance) -> LinkState {
    *chance.pick(&[LinkState::Cut, LinkState::HalfOpen, LinkState::POOR])
}

/// As [`bad_link`], or one that carries little.
fn bad_way(chance: &mut Chance) -> LinkState {
    *chance.pick(&[LinkState::Cut, LinkState::HalfOpen, LinkState::POOR, LinkState::VILLAGE])
}

/// Up to so many spells of something, each of a length within `ms`.
fn spells(
    chance: &mut Chance,
    most: u64,
    ms: (u64, u64),
    drawn: &mut Vec<(u64, Trouble)>,
    mut each: impl FnMut(&mut Chance) -> (Trouble, Trouble),
) {
    for _ in 0..chance.between(0, most + 1) {
        let from = chance.between(0, FAULTS_MS);
        let until = from + chance.between(ms.0, ms.1);
        let (begins, ends) = each(chance);
        drawn.extend([(from, begins), (until, ends)]);
    }
}
