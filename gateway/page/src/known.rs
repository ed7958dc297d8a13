//! Everything that a page is made of, as this process knows it at a moment.

use gatewayd::status::Status as Gateway;
use journal::{Register, Registered};
use record::{OutfallCode, SourceId, UnixMs};
use syncd::status::Status as Sync;

use crate::Config;
use crate::alarms::{AlarmBook, Standing};
use crate::receipts::PlatformReceipt;
use crate::tally::Tally;

/// What a daemon told of itself, and whether it still does.
#[derive(Debug, Clone)]
pub struct Told<T> {
    /// Its newest answer, and when it came. None if it never answered this process.
    pub answer: Option<(UnixMs, T)>,
    /// Why it does not answer now.
    pub trouble: Option<String>,
}

impl<T> Default for Told<T> {
    fn default() -> Told<T> {
        Told { answer: None, trouble: None }
    }
}

impl<T> Told<T> {
    /// What it says now; none while it does not answer.
    pub fn now(&self) -> Option<&T> {
        self.trouble.is_none().then_some(self.answer.as_ref().map(|(_, answer)| answer)).flatten()
    }
}

/// How far the journal was read.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The box's name; empty before anything was read.
    pub box_id: String,
    /// How many records it has.
    pub records: u64,
    /// When the newest one was made; none where nobody knew the time.
    pub newest: Option<UnixMs>,
    /// When it was last looked into.
    pub looked: Option<UnixMs>,
    /// The charts begin here for now: what is older is being read. None once the month is whole.
    pub back_to: Option<UnixMs>,
    /// Why it cannot be read, or what of it.
    pub trouble: Option<String>,
}

/// All of it.
#[derive(Debug)]
pub struct Known {
    /// The field daemon.
    pub gateway: Told<Gateway>,
    /// The upload daemon.
    pub sync: Told<Sync>,
    /// The journal.
    pub progress: Progress,
    /// Dossiers, and what stands where.
    pub register: Register,
    /// What was measured.
    pub tally: Tally,
    /// Alarms by the journal.
    pub alarms: AlarmBook,
    /// What the platforms confirmed, or why that cannot be told.
    pub receipts: Result<Vec<PlatformReceipt>, String>,
}

impl Default for Known {
    /// Nothing yet.
    fn default() -> Known {
        Known {
            gateway: Told::default(),
            sync: Told::default(),
            progress: Progress::default(),
            register: Register::default(),
            tally: Tally::default(),
            alarms: AlarmBook::default(),
            receipts: Ok(Vec::new()),
        }
    }
}

impl Known {
    /// The time now: this machine's, but never before the newest record, for a box without a clock module starts in the past.
    pub fn now(&self, machine: UnixMs) -> UnixMs {
        self.progress.newest.map_or(machine, |newest| newest.max(machine))
    }

    /// Where a device stands.
    pub fn outfall_of(&self, source: &str) -> Option<&OutfallCode> {
        self.register.outfall_of(&SourceId::new(source).ok()?)
    }

    /// Whether a device is shown.
    pub fn shows(&self, config: &Config, source: &str) -> bool {
        config.shows(self.outfall_of(source))
    }

    /// The outfalls that are shown, by code.
    pub fn outfalls<'a>(&'a self, config: &'a Config) -> impl Iterator<Item = (&'a OutfallCode, &'a Registered)> {
        self.register.iter().filter(|(code, _)| config.shows(Some(code)))
    }

    /// The devices that are shown: of the gateway's table, and those that measured something; by name.
    pub fn devices(&self, config: &Config) -> Vec<SourceId> {
        let table = self.gateway.answer.iter().flat_map(|(_, status)| status.devices.keys());
        let named = table.filter_map(|name| SourceId::new(name).ok());
        let mut all: Vec<SourceId> = named.chain(self.tally.devices().map(|(source, _)| source.clone())).collect();
        all.sort();
        all.dedup();
        all.retain(|source| config.shows(self.register.outfall_of(source)));
        all
    }

    /// The alarms that stand, those that want somebody first, and whether the gateway itself says so now.
    pub fn standing(&self, config: &Config) -> (Vec<Standing>, bool) {
        let told = self.gateway.now();
        let mut all = match told {
            Some(status) => status.alarms.iter().filter_map(Standing::told).collect(),
            None => self.alarms.standing(),
        };
        all.retain(|alarm| self.shows(config, &alarm.source));
        all.sort_by_key(|alarm| (!alarm.is_urgent(), std::cmp::Reverse(alarm.since)));
        (all, told.is_some())
    }
}
