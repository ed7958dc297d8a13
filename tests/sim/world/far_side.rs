//! The upload daemon, the links, and the platforms.

use batch::{BatchId, Row};
use delivery::Transient;
use record::{Record, Seq};
use syncd::Raw;

use super::{Event, NAMES, World, identity};
use crate::broken::Fault;
use crate::delivering::{Order, Sync};
use crate::filter::{Filters, is_part, quantities};
use crate::invariants::{Checked, demand};
use crate::link::LinkState;

/// A link that is cut says so after this. ms.
const UNREACHABLE_MS: u64 = 20;
/// An answer that could not be stored is stored again after this. ms.
const STORE_AGAIN_MS: u64 = 1_000;
/// systemd starts a service that could not start again after so long. ms.
const RESTART_MS: u64 = 5_000;
/// How long a box that lets platforms wait for each other lets them wait. ms.
const WAIT_MS: u64 = 5_000;

impl World {
    pub(super) fn kill_sync(&mut self, for_ms: u64) {
        if self.sync.take().is_some() {
            self.deaths += 1;
        }
        self.sync_life += 1;
        self.foresee(self.booted_ms.max(self.now + for_ms), Event::SyncStarts(self.sync_life));
    }

    pub(super) fn start_sync(&mut self, life: u64) -> Checked {
        if life != self.sync_life {
            return Ok(());
        }
        let changes =
            self.filters.iter_mut().map(crate::filter::Filters::draw).filter(|is_another| *is_another).count();
        if changes > 0 {
            self.seen.insert("a filter changed");
        }
        let platforms = [0, 1].map(|nth| (NAMES[nth], &self.platforms[nth].key, self.filters[nth].now()));
        let (seed, fault) = (self.settings.seed, self.settings.fault);
        let Some(sync) = Sync::start(identity(), &self.disk, seed, platforms, fault) else {
            self.foresee(self.now + RESTART_MS, Event::SyncStarts(self.sync_life));
            return Ok(());
        };
        self.trace.tell(self.now, format_args!("the upload daemon starts"));
        self.sync = Some(sync);
        self.poll()?;
        let now = self.mono();
        self.sync.iter_mut().flat_map(|sync| &mut sync.lines).for_each(|lines| lines.tick(now));
        self.poll()
    }

    /// Looks whether the journal grew.
    pub(super) fn poll(&mut self) -> Checked {
        (0..NAMES.len()).try_for_each(|nth| self.work(nth))
    }

    pub(super) fn tick(&mut self, nth: usize) -> Checked {
        let (now, at) = (self.mono(), self.now);
        let lines = self.sync.as_mut().map(|sync| &mut sync.lines[nth]);
        // The timer was set anew since.
        let Some(lines) = lines.filter(|lines| lines.tick_ms == Some(at)) else { return Ok(()) };
        lines.tick_ms = None;
        self.work(nth)?;
        self.sync.iter_mut().for_each(|sync| sync.lines[nth].tick(now));
        self.work(nth)
    }

    /// One turn of a destination's task: hear, then do what the core orders. Events come after such a turn, and before
    /// another one, as in the daemon.
    pub(super) fn work(&mut self, nth: usize) -> Checked {
        let (now, at) = (self.mono(), self.now);
        let Some(sync) = &mut self.sync else { return Ok(()) };
        let Sync { files, lines } = sync;
        lines[nth].obey_commands(files, now);
        lines[nth].hear(files, now);
        let orders = lines[nth].work(files, now, &self.onlooker.alarms)?;
        self.platforms[nth].divided.append(&mut lines[nth].divided);
        let others_wait = self.settings.fault == Some(Fault::WaitsForOthers) && nth == 0 && lines[1].is_sending();
        let lines = &mut lines[nth];
        let due = lines.due().map(|due| at + due.0.saturating_sub(now.0).max(1));
        let tick = due.filter(|due| lines.tick_ms != Some(*due));
        if let Some(due) = tick {
            lines.tick_ms = Some(due);
            self.foresee(due, Event::Tick(nth));
        }
        for order in orders {
            match order {
                Order::Put { id, turn, bytes, timeout_ms } => {
                    self.put(nth, id, turn, bytes, timeout_ms, others_wait);
                }
                Order::StoreAgain => self.foresee(at + STORE_AGAIN_MS, Event::StoreAgain(nth)),
            }
        }
        Ok(())
    }

    fn put(&mut self, nth: usize, id: BatchId, turn: u64, bytes: Vec<u8>, timeout_ms: u64, waits: bool) {
        let (at, life) = (self.now + if waits { WAIT_MS } else { 0 }, self.sync_life);
        self.trace.tell(self.now, format_args!("{} put {:.8} try {turn}", NAMES[nth], id.to_string()));
        self.tell_story(nth, at, "put", id);
        let timed_out = Event::AtSync { nth, life, id, turn, ended: Err(Transient::TimedOut) };
        self.foresee(at + timeout_ms, timed_out);
        let link = &mut self.links[nth];
        if link.state == LinkState::Cut {
            let unreachable = Event::AtSync { nth, life, id, turn, ended: Err(Transient::Unreachable) };
            return self.foresee(at + UNREACHABLE_MS, unreachable);
        }
        for arrival in link.datagram(at, bytes.len()) {
            self.foresee(arrival, Event::AtPlatform { nth, life, id, turn, bytes: bytes.clone() });
        }
    }

    pub(super) fn at_platform(&mut self, nth: usize, life: u64, id: BatchId, turn: u64, bytes: &[u8]) -> Checked {
        let Some(reply) = self.platforms[nth].put(id, bytes, self.now)? else { return Ok(()) };
        self.trace.tell(self.now, format_args!("{} answers {:.8} with {}", NAMES[nth], id.to_string(), reply.status));
        let left = self.now + reply.after_ms;
        let link = &mut self.links[nth];
        if link.state == LinkState::Cut {
            let broken = Event::AtSync { nth, life, id, turn, ended: Err(Transient::Broken) };
            self.foresee(left, broken);
            return Ok(());
        }
        for at in link.datagram(left, reply.body.len()) {
            let raw = Raw { status: reply.status, retry_after: None, server_timing: None, body: reply.body.clone() };
            self.foresee(at, Event::AtSync { nth, life, id, turn, ended: Ok(raw) });
        }
        Ok(())
    }

    pub(super) fn at_sync(&mut self, nth: usize, id: BatchId, turn: u64, ended: Result<Raw, Transient>) -> Checked {
        self.work(nth)?;
        let Some(lines) = self.sync.as_mut().map(|sync| &mut sync.lines[nth]) else { return Ok(()) };
        let what = match &ended {
            Ok(_) => "answer",
            Err(why) => why.as_str(),
        };
        if lines.answered(id, turn, ended) {
            self.trace.tell(self.now, format_args!("{} {what} for {:.8}", NAMES[nth], id.to_string()));
            self.tell_story(nth, self.now, what, id);
        }
        self.work(nth)
    }

    fn tell_story(&mut self, nth: usize, at: u64, what: &'static str, id: BatchId) {
        if nth == 0 {
            self.story.push((at, what, id));
        }
    }

    /// At the end: every record that a platform holds is the journal's own, and it holds what the box believes.
    pub(super) fn look_at_platforms(&self) -> Checked {
        let lines = self.sync.iter().flat_map(|sync| &sync.lines);
        for ((lines, platform), filters) in lines.zip(&self.platforms).zip(&self.filters) {
            for (seq, (row, id)) in platform.rows() {
                let record = self.onlooker.record(*seq);
                let same = |record: &Record| is_part(row, *seq, record, &quantities(&row.content));
                demand!(
                    "J1",
                    record.as_ref().is_some_and(same),
                    "{} holds another record {seq}, from {id}",
                    lines.name
                );
            }
            let (covered, parked, gone) = (lines.core.covered(), lines.core.parked(), lines.core.gone());
            for seq in (0..self.onlooker.end().0).map(Seq) {
                let held = platform.rows().get(&seq).map(|(row, _)| row);
                let settled = [covered, parked, gone].into_iter().any(|ranges| ranges.contains(seq));
                demand!("D1", held.is_none() || settled, "{} holds record {seq}, the box does not know it", lines.name);
                let is_told = held.is_some() || platform.left_out.contains(seq);
                demand!(
                    "D1",
                    !covered.contains(seq) || is_told,
                    "{} has no record {seq}, the box believes it",
                    lines.name
                );
                if covered.contains(seq) {
                    self.look_at_part(lines.name, seq, held, filters)?;
                }
            }
        }
        Ok(())
    }

    /// It has what its filter lets through now, and nothing that no filter ever did.
    fn look_at_part(&self, name: &str, seq: Seq, held: Option<&Row>, filters: &Filters) -> Checked {
        let Some(record) = self.onlooker.record(seq) else { return Ok(()) };
        let has = held.map(|row| quantities(&row.content));
        let [may, must] = filters.parts(seq, &record, &self.onlooker.places);
        // What is gone comes no more.
        let must = must.filter(|_| !self.onlooker.told.contains(seq));
        let holds = delivery::invariant::d3_has_what_passes(has.as_ref(), must.as_ref());
        demand!("D3", holds, "{name} has {has:?} of record {seq}, and is to have {must:?}");
        let holds = delivery::invariant::d6_withheld(has.as_ref(), may.as_ref());
        demand!("D6", holds, "{name} has {has:?} of record {seq}, and may have {may:?}");
        Ok(())
    }

    /// What was not told to be worth a batch is withheld indeed.
    pub(super) fn look_at_quiet(&self) -> Checked {
        let lines = self.sync.iter().flat_map(|sync| &sync.lines);
        for (lines, filters) in lines.zip(&self.filters) {
            let untold = (lines.core.told().0..self.onlooker.end().0).map(Seq);
            let wanted = untold.filter_map(|seq| Some((seq, self.onlooker.record(seq)?)));
            let wants = |(seq, record): &(Seq, Record)| filters.wants(*seq, record, &self.onlooker.places);
            let wanted = wanted.filter(wants).map(|(seq, _)| seq).next();
            demand!("D3", wanted.is_none(), "{} was never told of record {wanted:?}, which passes", lines.name);
        }
        Ok(())
    }
}
