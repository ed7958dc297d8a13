//! The one thread that judges, stores and only then acknowledges (A1, A2).
//!
//! It takes what is waiting as one transaction: while one is being synced the next one gathers, so the group grows with
//! the load and nothing waits when there is none. Alarms that a frame causes are stored in the transaction of that frame.
//! When a commit fails, everything derived from its frames is forgotten and rebuilt from what is stored, exactly as a
//! restart does it; nobody is acknowledged.
//!
//! No codec runs here. A frame that needs its codec goes to the [`decoders`] and is judged again when it is back, behind
//! nothing but earlier frames of its own device ([`lanes`]). Meanwhile nothing of it is believed and nothing stored, so
//! that a failed commit, an order or a SIGKILL in between has nothing to undo.

mod acting;
mod anew;
mod audits;
mod commanded;
mod complaints;
mod damage;
mod decoders;
mod evidence_window;
mod files_trial;
mod intake;
mod judging;
mod keys;
mod lanes;
mod manual;
mod noting;
mod orders;
mod pace;
mod parts;
mod platforms;
mod redecode;
mod registering;
mod reload;
mod restore;
mod samples;
mod schedule;
mod self_tests;
mod settle;
mod signing;
#[cfg(test)]
pub(crate) mod tests;
mod thread;
mod time;
mod trial;
mod uplink_events;
pub(crate) mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use control::chain;
use ingest::Arrival;
use journal::{Journal, Pins, Transaction};
use mqtt::{Reply, StoredSession};
use record::{ClockSet, MonoMs, Record, RelayId};
use relay::{Pulse, Samplers, Signal};
use rules::RuleSet;
use tokio::sync::oneshot;

use crate::clock::{Clock, mono_ms};
use crate::commands::EdgeCommand;
use crate::config::Relay;
use crate::error::StartError;
use crate::job::{Downlink, Lost};
use crate::ledger::{Ledger, Touched};
use crate::order::Done;
use decoders::Decoders;
pub(crate) use files_trial::ordered_files;
use intake::{Gathering, Intake, Taken};
use lanes::Lanes;
use pace::Pace;
pub(crate) use parts::Parts;
pub(crate) use platforms::Platforms;
use redecode::Redecoding;
use schedule::Schedule;
pub(crate) use thread::RunningCommitter;
use trial::{Step, Trial};
pub(crate) use uplink_events::{EVENTS_MAX, UplinkEvent};
use waiting::{FromMqtt, Sender, Waiting, from_lora, from_mqtt, from_serial};

/// How often rules and aggregates are told the time while nothing comes, if they depend on it: an alarm of silence is so much
/// late at most.
const WATCH_EVERY: Duration = Duration::from_secs(5);

/// How long a transaction waits for frames of its own that were handed to the prompt decoder: a quick codec needs
/// microseconds, the commit that they would miss milliseconds, and a script that takes longer costs no more than this.
const DECODED_WAIT: Duration = Duration::from_millis(2);

/// The committer's state.
pub(crate) struct Committer {
    parts: Parts,
    journal: Journal,
    clock: Arc<Mutex<Clock>>,
    /// Derived from the journal and nothing else.
    restored: Ledger,
    checkpoints: Schedule,
    pace: Pace,
    /// History on its way through today's codecs.
    redecoding: VecDeque<Redecoding>,
    decoders: Decoders,
    lanes: Lanes<(Arrival, Sender)>,
    /// As far as they were read; the journal has them all.
    pins: Pins,
    window: Option<evidence_window::Window>,
    complaints: complaints::Complaints,
    platforms: Platforms,
    /// When platforms commanded something, within the last hour.
    commanded: Vec<MonoMs>,
    /// The rules in force: those of rules.toml, or a platform's.
    rules: RuleSet,
    trial: Option<Trial>,
    /// When the newest frame was accepted.
    accepted: Option<MonoMs>,
    samplers: Samplers,
    signals: Vec<Signal>,
    /// Which of them are on, as the relays were told last.
    lit: BTreeMap<RelayId, bool>,
    /// A statement about keys may lie beside the key that no record tells of.
    keys_untold: bool,
    /// A key is another one: the tree head is signed anew, so that the record of it stands under one.
    sign_soon: bool,
    /// Where the journal was read it is damaged: this committer ends.
    damaged: bool,
}

/// What the journal keeps for the MQTT edge.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) sessions: Vec<StoredSession>,
    pub(crate) commands: Vec<EdgeCommand>,
}

/// One transaction while its frames are judged.
#[derive(Default)]
struct Draft {
    transaction: Transaction,
    waiting: Vec<Waiting>,
    /// Test frames that wait for their acknowledgement.
    tests: Vec<Reply>,
    touched: Touched,
    /// What was taken over from the sockets' counts.
    lost: Lost,
    /// Who ordered something, and what it came to.
    answers: Vec<(oneshot::Sender<Done>, Done)>,
    /// Commands for devices that listen all the time.
    pushes: Vec<Downlink>,
    /// Commands for MQTT clients.
    commands: Vec<EdgeCommand>,
    /// Samples to be taken once it is durable.
    pulses: Vec<Pulse>,
    /// What to tell of our own uplinks.
    events: Vec<UplinkEvent>,
    /// Frames that the prompt decoder got meanwhile.
    prompt: usize,
    /// It has history that was decoded again.
    redecoded: bool,
    /// What it tells of the clock.
    clock: Option<ClockSet>,
    /// What it does to rules on trial.
    trial: Option<Step>,
}

impl Committer {
    /// Opens the journal, notes a new boot, and reads back what judging must remember.
    fn open(parts: Parts, decoders: Decoders) -> Result<Committer, StartError> {
        let damage::Opened { journal, reader, clock, platforms, rules, restored, salvaged } = damage::open(&parts)?;
        let clock = Arc::new(Mutex::new(clock));
        let signed = journal.checkpoint_size().map_err(StartError::Journal)?;
        let checkpoints = Schedule::new(parts.checkpoint, signed, journal.end().0);
        let pace = Pace::new(parts.commit.linger_ms);
        let (redecoding, lanes, pins, damaged) = (VecDeque::new(), Lanes::default(), Pins::default(), false);
        let samplers = samples::restore(&parts.relays_configured, &reader).map_err(StartError::Journal)?;
        let enabled = parts.relays_configured.iter().filter(|relay| relay.enabled);
        let (signals, lit) = (enabled.filter_map(Relay::signal).collect(), BTreeMap::new());
        let mut committer = Committer {
            parts,
            journal,
            clock,
            restored,
            checkpoints,
            pace,
            redecoding,
            decoders,
            lanes,
            pins,
            window: evidence_window::Window::restore(&reader).map_err(StartError::Journal)?,
            complaints: complaints::Complaints::default(),
            platforms,
            commanded: Vec::new(),
            rules,
            trial: None,
            accepted: None,
            samplers,
            signals,
            lit,
            keys_untold: true,
            sign_soon: false,
            damaged,
        };
        if let Some(salvaged) = salvaged {
            committer.journal_salvage(salvaged).map_err(StartError::Journal)?;
        }
        committer.settle_restored()?;
        committer.settle_platform_rules()?;
        committer.settle_platform_files()?;
        committer.journal_outstanding()?;
        let mut draft = Draft::default();
        committer.tell_keys(&mut draft);
        committer.tell_cut_short(&mut draft);
        if !draft.transaction.is_empty() {
            committer.journal.commit(&draft.transaction).map_err(StartError::Journal)?;
        }
        committer.note_restored(&reader)?;
        Ok(committer)
    }

    /// What the edge must be given back: the sessions of its clients, and the commands that were not acknowledged.
    pub(crate) fn kept(&self) -> Result<Kept, StartError> {
        let rows = self.restored.rows.iter();
        let clients = rows.filter_map(|(source, row)| Some((source.as_ref()?, &row.client)));
        let sessions = clients
            .filter(|(_, client)| !client.is_empty())
            .map(|(source, client)| StoredSession { device: source.as_str().into(), state: client.clone() });
        let commands = self.journal.commands().map_err(StartError::Journal)?.into_iter();
        let commands = commands.filter_map(|stored| self.for_edge(stored.command).ok());
        Ok(Kept { sessions: sessions.collect(), commands: commands.collect() })
    }

    /// The box's clock, for whoever shows it.
    pub(crate) fn clock(&self) -> Arc<Mutex<Clock>> {
        self.clock.clone()
    }

    /// Serves until the field's queues are closed and everything in them is stored, or until the journal cannot be read
    /// back after a failure.
    async fn run(mut self, mut intake: Intake) {
        let mut open = true;
        self.light();
        while open {
            self.checkpoint_if_due();
            // One more turn after the end takes what the sockets let go since.
            open = intake.gather(self.wait()).await;
            if let Err(error) = self.serve(&mut intake).await {
                // What is believed no longer equals what is stored, so nothing may be judged by it.
                log::error!(error = chain(&error).as_str(); "the committer cannot go on, ending to be restarted");
                return;
            }
            if self.damaged {
                log::error!(error = chain(&StartError::JournalDamaged).as_str(); "ending to be restarted");
                return;
            }
        }
        self.keep_clock();
        self.sign_checkpoint();
        log::info!(records = self.journal.end().0; "committer stopped");
    }

    fn wait(&self) -> Gathering {
        let (linger, enough, rows_max) = (self.pace.linger(mono_ms()), self.pace.enough(), self.parts.commit.rows_max);
        let idle = match self.redecoding.front().is_none_or(Redecoding::is_decoding) {
            true => Duration::from_millis(self.checkpoints.wait_ms(mono_ms())),
            // There is more to do; frames that came meanwhile go first.
            false => Duration::ZERO,
        };
        let watches = self.rules.watch_time() || self.restored.aggregates.is_on() || !self.signals.is_empty();
        let idle = if watches { idle.min(WATCH_EVERY) } else { idle };
        let idle = self.trial.as_ref().map_or(idle, |trial| idle.min(trial.rest()));
        Gathering { linger, enough, rows_max, idle, decoding: !self.lanes.is_empty() }
    }

    /// One transaction of what was gathered, and of what quick codecs make of it.
    async fn serve(&mut self, intake: &mut Intake) -> Result<(), StartError> {
        let mut draft = Draft::default();
        self.begin(intake.taken(), &mut draft)?;
        intake.gather_decoded(draft.prompt, DECODED_WAIT).await;
        for decoded in intake.taken().decoded.drain(..) {
            self.take_decoded(decoded, &mut draft)?;
        }
        self.finish(draft)?;
        self.light();
        let (frames, to_the_end) = intake.gathered();
        self.pace.committed(frames, to_the_end, mono_ms());
        Ok(())
    }

    /// Judges everything gathered.
    fn begin(&mut self, taken: Taken<'_>, draft: &mut Draft) -> Result<(), StartError> {
        let Taken { published, heard, serial, orders, decoded } = taken;
        let now = self.stamp_into(draft);
        self.restored.pass_time(now, self.journal.end(), &mut draft.transaction);
        self.end_trial_if_due(draft);
        self.pin_if_due(&now, draft);
        if self.keys_untold {
            self.tell_keys(draft);
        }
        for decoded in decoded.drain(..) {
            self.take_decoded(decoded, draft)?;
        }
        for published in published.drain(..) {
            match from_mqtt(published) {
                FromMqtt::Frame(arrival, sender) => self.judge(arrival, sender, draft)?,
                FromMqtt::Test(frame, reply) => self.take_test(frame, reply, draft),
            }
        }
        for (arrival, sender) in serial.drain(..).map(from_serial) {
            self.judge(arrival, sender, draft)?;
        }
        for (arrival, sender) in heard.drain(..).map(from_lora) {
            self.judge(arrival, sender, draft)?;
        }
        for ordered in orders.drain(..) {
            self.obey(ordered, draft);
        }
        self.redecode(draft)
    }

    /// Stores what was judged, then answers.
    ///
    /// # Errors
    /// If it could not be stored and the journal cannot be read back either.
    fn finish(&mut self, mut draft: Draft) -> Result<(), StartError> {
        self.take_lost(&mut draft);
        self.act(&mut draft);
        self.open_evidence_window(&mut draft);
        self.restored.close(std::mem::take(&mut draft.touched), &mut draft.transaction);
        self.save_clock(&mut draft.transaction);
        if draft.transaction.is_empty() {
            if self.rules.change_what_is_shown() {
                self.show_alarms();
            }
            self.tell(draft.answers);
            return draft.trial.map_or(Ok(()), |step| self.step_trial(step));
        }
        match self.journal.commit(&draft.transaction) {
            Ok(_) => {
                let step = draft.trial.take();
                self.count_for_trial(&draft.transaction);
                self.keys_untold = false;
                if std::mem::take(&mut self.sign_soon) {
                    self.sign_checkpoint();
                }
                self.settle(draft);
                step.map_or(Ok(()), |step| self.step_trial(step))
            }
            Err(error) => {
                self.keys_untold = true;
                self.give_up(draft, &error)
            }
        }
    }

    /// Appends a record and the alarm transitions that it causes (R1: journaled before anyone sees them).
    fn append(&mut self, record: Record, transaction: &mut Transaction) {
        self.restored.append(record, self.journal.end(), transaction);
    }

    /// Journals what the rules found while reading back (a rule that was changed judges the last hours anew), and each
    /// codec that is new, before the first frame that it decodes.
    fn journal_outstanding(&mut self) -> Result<(), StartError> {
        let (stamp, end) = (self.stamp(), self.journal.end());
        let known = self.journal.codecs().map_err(StartError::Journal)?;
        let transaction = self.restored.outstanding(&self.parts.devices, &known, stamp, end);
        if !transaction.is_empty() {
            self.journal.commit(&transaction).map_err(StartError::Journal)?;
        }
        Ok(())
    }

    /// Takes over what the sockets had to let go, so that it is counted for ever (A3).
    fn take_lost(&mut self, draft: &mut Draft) {
        draft.lost = std::mem::take(&mut *self.parts.lost.lock().unwrap_or_else(PoisonError::into_inner));
        for (source, counts) in &draft.lost {
            self.restored.note_lost(source.clone(), counts.shed, counts.rejected, &mut draft.touched);
        }
    }
}
