//! The power is cut at thousands of instants of two busy stories, and each time the disk holds all that was promised.
//!
//! ```text
//! story:  gateway, uploader, two platforms, MQTT and LoRaWAN devices, restarts, a technician ─┐
//! upkeep: migration, backup, restore, salvage, seals, retention, and sensors all the while ───┴─► Log of the disk, Truth
//! for each seed: an instant, a law of the disk, blocks by chance ─► Image ─► open with the real crates ─► breaches
//! ```
//! `WEIR_CUTS` and `WEIR_SEED` set how many cuts, half of them of each story, and from which seed on; `tests/run cuts` does
//! so. Cut n of a story is that of seed `WEIR_SEED` + n, and repeats within the same recording; what an image that breaks a
//! promise held is kept.
#![allow(clippy::print_stdout, reason = "how many cuts were made, and where, is the result")]

mod check;
mod copies;
mod phase;
mod story;
mod truth;
mod upkeep;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;

use system_tests::disk::{Chance, Change, Image, Law, Log, Platter};
use tempfile::TempDir;

use check::{Breach, check};
use phase::Phase;
use story::Story;
use truth::Truth;

/// Cuts of an ordinary run.
const CUTS: u64 = 300;
/// Cuts that show that a broken box is found.
const CUTS_OF_CONTROLS: u64 = 60;
/// Breaches told in full.
const BREACHES_SHOWN: usize = 20;

/// What is wrong with the world, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Control {
    /// Nothing.
    None,
    /// The disk says it synced and did not.
    SyncDoesNothing,
    /// What is acknowledged after the next sync counts as acknowledged before it.
    AcknowledgedBeforeSync,
}

/// One cut: its seed, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    /// After so many changes.
    at: usize,
    seed: u64,
}

/// What all cuts came to.
#[derive(Debug, Default)]
struct Tally {
    cuts: u64,
    phases: BTreeMap<Phase, u64>,
    /// Cuts after which something acknowledged was there to be missed.
    promised: u64,
    breaches: Vec<(Cut, Breach, PathBuf)>,
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text}")))
}

/// Where images are opened: in memory if there is such a folder, for nobody here cuts *its* power.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::with_prefix_in("weir-cut-", memory) } else { TempDir::with_prefix("weir-cut-") }
        .unwrap()
}

/// When each cut is: the phases take turns, so that the rare ones are hit too; within one, by the seed.
fn plan(log: &Log, first_seed: u64, cuts: u64) -> Vec<Cut> {
    let mut instants: BTreeMap<Phase, Vec<usize>> = BTreeMap::new();
    for (at, entry) in log.entries().iter().enumerate() {
        if let Some(phase) = Phase::of(entry) {
            instants.entry(phase).or_default().push(at + 1);
        }
    }
    let phases: Vec<&Vec<usize>> = instants.values().collect();
    let cut = |nth: u64| {
        let seed = first_seed.wrapping_add(nth);
        let among = phases[usize::try_from(nth).unwrap() % phases.len()];
        Cut { at: among[Chance::new(seed).below(among.len())], seed }
    };
    let mut planned: Vec<Cut> = (0..cuts).map(cut).collect();
    planned.sort();
    planned
}

/// Plays the log once for each law and cuts where planned. Odd seeds are for one law, even ones for the other.
fn run(story: &Story, control: Control, first_seed: u64, cuts: u64) -> Tally {
    let planned = plan(&story.log, first_seed, cuts);
    let workers = [Law::Ordered, Law::Posix].map(|law| {
        let own =
            planned.iter().copied().filter(|cut| (cut.seed % 2 == 0) == (law == Law::Ordered)).collect::<Vec<_>>();
        (law, own)
    });
    thread::scope(|scope| {
        let running = workers.map(|(law, own)| scope.spawn(move || play(story, control, law, &own)));
        running.into_iter().map(|worker| worker.join().unwrap()).fold(Tally::default(), Tally::with)
    })
}

fn play(story: &Story, control: Control, law: Law, cuts: &[Cut]) -> Tally {
    let (mut platter, mut played, mut tally) = (Platter::new(law), 0, Tally::default());
    let entries = story.log.entries();
    for cut in cuts {
        for entry in &entries[played..cut.at] {
            match entry.change {
                Change::Sync { .. } if control == Control::SyncDoesNothing => {}
                _ => platter.play(&entry.change),
            }
        }
        played = cut.at;
        let witness = match control {
            Control::AcknowledgedBeforeSync => story.after_the_next_commit(cut.at),
            _ => &entries[cut.at - 1],
        };
        // Not the chance that chose the instant.
        let image = platter.cut(&mut Chance::new(!cut.seed));
        tally.cuts += 1;
        *tally.phases.entry(Phase::of(&entries[cut.at - 1]).expect("planned in a phase")).or_default() += 1;
        tally.promised += u64::from(story.truth.promises(&witness.witnessed));
        if let Err(breach) = examine(&image, &story.truth, &witness.witnessed) {
            tally.breaches.push((*cut, breach, keep(&image, control)));
        }
    }
    tally
}

fn examine(image: &Image, truth: &Truth, witnessed: &[u64]) -> Result<(), Breach> {
    let folder = scratch();
    image.write_to(folder.path());
    check(folder.path(), truth, witnessed)
}

/// A disk that broke a promise is evidence; those of the controls are not.
fn keep(image: &Image, control: Control) -> PathBuf {
    if control != Control::None {
        return PathBuf::new();
    }
    let folder = TempDir::with_prefix("weir-breach-").unwrap().keep();
    image.write_to(&folder);
    folder
}

impl Tally {
    fn with(mut self, other: Tally) -> Tally {
        self.cuts += other.cuts;
        self.promised += other.promised;
        other.phases.into_iter().for_each(|(phase, cuts)| *self.phases.entry(phase).or_default() += cuts);
        self.breaches.extend(other.breaches);
        self.breaches.sort_by_key(|(cut, ..)| *cut);
        self
    }

    fn tell(&self, story: &Story, first_seed: u64) {
        let last = first_seed.wrapping_add(self.cuts - 1);
        println!(
            "{} cuts, seeds {first_seed} to {last}; {} of them after an acknowledgement",
            self.cuts, self.promised
        );
        println!("the story: {}", story.tell());
        for (phase, cuts) in &self.phases {
            println!("  {phase:<12} {cuts:>6}");
        }
        println!("breaches: {}", self.breaches.len());
        for (cut, breach, folder) in self.breaches.iter().take(BREACHES_SHOWN) {
            let entry = &story.log.entries()[cut.at - 1];
            println!("  seed {} after change {} ({} {}): {breach}", cut.seed, cut.at, entry.step, entry.path);
            println!("    {}", folder.display());
        }
    }
}

/// Cuts a story and tells what it came to; every promise must hold, and every phase of the story be cut in.
fn cut(story: &Story) {
    let (cuts, seed) = (number("WEIR_CUTS", CUTS) / 2, number("WEIR_SEED", 1));
    let tally = run(story, Control::None, seed, cuts);
    tally.tell(story, seed);
    assert!(tally.breaches.is_empty(), "{} of {} cuts broke a promise", tally.breaches.len(), tally.cuts);
    let never: Vec<&Phase> = story.phases.iter().filter(|phase| !tally.phases.contains_key(phase)).collect();
    assert!(cuts < CUTS / 2 || never.is_empty(), "never cut in {never:?}");
}

#[test]
fn whatever_the_instant_of_the_cut_all_promises_hold_and_a_broken_box_is_found() {
    let story = Story::record();
    cut(&story);
    for control in [Control::SyncDoesNothing, Control::AcknowledgedBeforeSync] {
        let tally = run(&story, control, number("WEIR_SEED", 1), CUTS_OF_CONTROLS);
        let lost = tally.breaches.iter().filter(|(_, breach, _)| matches!(breach, Breach::Lost { .. })).count();
        println!("{control:?}: {} of {} cuts broke a promise, {lost} of them A1", tally.breaches.len(), tally.cuts);
        assert!(lost > 0, "{control:?} must be found out by what is lost: {:?}", tally.breaches.first());
    }
}

#[test]
fn whatever_is_done_to_the_journal_a_cut_leaves_it_whole_and_the_step_can_be_done_again() {
    cut(&Story::record_upkeep());
}
