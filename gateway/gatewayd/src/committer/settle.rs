//! Behind the commit: everybody is answered, or nobody is.

use std::sync::PoisonError;

use control::chain;
use journal::{Reader, StoreError, Transaction, salvage};
use mqtt::Outcome;
use record::{Act, Body, SourceId};
use tokio::sync::oneshot;

use super::platforms::Platforms;
use super::waiting::{Answer, Judged, Waiting};
use super::{Committer, Draft};
use crate::clock::mono_ms;
use crate::error::StartError;
use crate::job::{Downlink, LostCounts};
use crate::ledger::Ledger;
use crate::order::Done;
use crate::relays::Command;
use crate::tallies;

/// What an order is answered whose transaction failed.
const NOT_STORED: &str = "the journal did not take it, nothing has changed · try: weir status, then the same again";

impl Committer {
    /// Answers those who ordered something.
    pub(super) fn tell(&self, answers: Vec<(oneshot::Sender<Done>, Done)>) {
        for (answer, done) in answers {
            // Whoever hung up does not want to know.
            let _ = answer.send(done);
        }
    }

    /// Everything of the transaction is durable: acknowledge, then note it.
    pub(super) fn settle(&self, draft: Draft) {
        let Draft { transaction, waiting, tests, answers, pushes, commands, pulses, events, clock, .. } = draft;
        for pulse in pulses {
            let id = pulse.id.clone();
            if !self.parts.relays.command(Command::Pulse(pulse)) {
                log::error!(relay:% = id; "the relays take no command, the sample is journaled as uncertain at the next start");
            }
        }
        self.note_clock(clock.as_ref(), &transaction);
        for command in commands {
            if self.parts.commands.try_send(command).is_err() {
                log::warn!("the edge takes no command now, it will have it after the next start");
            }
        }
        for push in pushes {
            if self.parts.downlinks.try_send(push).is_err() {
                log::warn!("downlink queue is full, a command is left out");
            }
        }
        self.tell(answers);
        tests.into_iter().for_each(|reply| reply.settle(Outcome::Stored));
        let told: Vec<(Option<SourceId>, Judged)> = waiting
            .into_iter()
            .map(|Waiting { source, judged, answer }| {
                self.answer(&judged, answer);
                (source, judged)
            })
            .collect();
        for event in events {
            if self.parts.events.try_send(event).is_err() {
                log::warn!("the edge is behind, nobody is told of an uplink");
            }
        }
        let mut board = self.board();
        board.committed(&transaction, mono_ms());
        for source in transaction.devices.keys().flatten() {
            if let Some(quality) = self.restored.ingest.link_quality(source) {
                board.delivery(source, quality);
            }
        }
        for (source, judged) in &told {
            board.judged(source.as_ref(), judged);
        }
        let is_shown = |body: &Body| match body {
            Body::Alarm(_) => true,
            Body::Audit(audit) => matches!(audit.act, Act::Shelved { .. }),
            _ => false,
        };
        if board.samplers != self.samplers {
            board.samplers = self.samplers.clone();
        }
        drop(board);
        if transaction.records.iter().any(|record| is_shown(&record.body)) || self.rules.change_what_is_shown() {
            self.show_alarms();
        }
        self.note_journal();
        log_alarms(&transaction);
    }

    /// Shows the alarms that stand, as of now.
    pub(super) fn show_alarms(&self) {
        let engine = &self.restored.engine;
        let (alarms, faults) = (engine.alarms(&self.stamp()), engine.expression_faults().collect());
        let mut board = self.board();
        board.alarms(alarms, &self.restored.shelf);
        board.expression_faults = faults;
    }

    fn answer(&self, judged: &Judged, answer: Answer) {
        match answer {
            Answer::Mqtt(reply) => reply.settle(judged.outcome()),
            Answer::Chirpstack(reply) => reply.settle(judged.outcome_of_event()),
            Answer::Serial(None) => {}
            Answer::Serial(Some((port, envelope))) => {
                // A full channel means a port that is gone or a line that is stuck; the device repeats its frame.
                if port.try_send(envelope).is_err() {
                    log::warn!("the queue of a serial port is full, an acknowledgement is left out");
                }
            }
            Answer::Lora(heard, downlink) => {
                self.parts.tallies.settle(&heard, judged.into());
                let Some(ingest::Downlink { phy, windows }) = downlink else { return };
                // A full channel means a socket that does not take our answers; the device repeats its frame.
                if self.parts.downlinks.try_send(Downlink::answer(heard, windows, phy)).is_err() {
                    log::warn!("downlink queue is full, a LoRaWAN acknowledgement is left out");
                }
            }
        }
    }

    /// Nothing of the transaction is stored: acknowledge nobody, and forget what was believed.
    pub(super) fn give_up(&mut self, mut draft: Draft, error: &StoreError) -> Result<(), StartError> {
        let why = chain(error);
        if draft.redecoded
            && let Some(work) = self.redecoding.pop_front()
        {
            work.answer(Err(NOT_STORED.to_owned()), &mut draft);
        }
        if let Some(frames) = self.complaints.add(draft.waiting.len(), mono_ms()) {
            log::error!(frames, error = why.as_str(); "frames are not stored and not acknowledged");
        }
        {
            let mut lost = self.parts.lost.lock().unwrap_or_else(PoisonError::into_inner);
            for (source, counts) in draft.lost {
                lost.entry(source).or_default().add(counts);
            }
            for waiting in &draft.waiting {
                // It was received and came to nothing: that much is kept, with the next transaction that is stored (A3).
                lost.entry(waiting.source.clone()).or_default().add(LostCounts { shed: 1, rejected: 0 });
            }
        }
        {
            let mut board = self.board();
            board.journal.commits_failed += 1;
            board.journal.failing = Some(why);
        }
        for waiting in draft.waiting {
            match waiting.answer {
                Answer::Mqtt(reply) | Answer::Chirpstack(reply) => reply.settle(Outcome::Failed),
                Answer::Lora(heard, _) => self.parts.tallies.settle(&heard, tallies::Outcome::Shed),
                Answer::Serial(_) => {}
            }
        }
        self.tell(draft.answers.into_iter().map(|(answer, _)| (answer, Err(NOT_STORED.to_owned()))).collect());
        if error.is_damage() {
            // Nothing more can be stored here. The next start opens what can be saved.
            let _ = salvage::mark(&self.parts.journal_path);
            return Err(StartError::JournalDamaged);
        }
        let reader = Reader::open(&self.parts.journal_path).map_err(StartError::Journal)?;
        self.platforms = Platforms::open(&reader).map_err(StartError::Journal)?;
        self.restore_again(&reader)
    }

    /// Forgets what was derived, and derives it from what is stored.
    pub(super) fn restore_again(&mut self, reader: &Reader) -> Result<(), StartError> {
        let mut restored = Ledger::restore(&self.parts.setup(self.rules.clone()), reader)?;
        restored.ingest.take_strangers(&mut self.restored.ingest);
        self.restored = restored;
        self.window = super::evidence_window::Window::restore(reader).map_err(StartError::Journal)?;
        self.samplers = super::samples::restore(&self.parts.relays_configured, reader).map_err(StartError::Journal)?;
        Ok(())
    }
}

fn log_alarms(transaction: &Transaction) {
    for record in &transaction.records {
        let Body::Alarm(step) = &record.body else { continue };
        log::warn!(
            rule:% = step.rule, source:% = step.source, from = step.from.as_str(), to = step.to.as_str(),
            value:? = step.value; "alarm"
        );
    }
}
