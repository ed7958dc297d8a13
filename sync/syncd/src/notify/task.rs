//! The task: waits for one event, hands it to the core, does what the core orders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use control::chain;
use journal::{Register, StoreError};
use notify::text::{self, Speaker};
use notify::{Action, AlarmKey, Episode, Input, Local, Message, Name, Notifier, Outcome, Restored};
use record::{AlarmState, MonoMs, Seq};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};

use super::board::{Tested, View, view};
use super::channel::Channels;
use super::config::NotifyConfig;
use super::journaled::{self, Shown, Standing};
use super::steps::{self, StepAt};
use crate::best_time::Known;
use crate::clock::mono_ms;
use crate::destination::Signals;
use crate::files::{FileThread, FileThreadEnded, Files};

/// The core is told day and minute this often, and the gateway asked what stands every second time.
const CALENDAR_MS: u64 = 30_000;
/// What cannot be stored is tried again after this long; until then nothing is sent.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// The gateway shows an alarm a moment after it is journaled: it is asked again so often for its priority,
const PRIORITY_TRIES: u32 = 5;
/// this far apart.
const PRIORITY_PAUSE: Duration = Duration::from_millis(100);

/// A person's wish to see whether a level or a channel works.
pub(crate) struct TestOrder {
    pub(crate) target: Name,
    pub(crate) answer: oneshot::Sender<Result<Vec<Tested>, String>>,
}

/// The ladder at work.
pub(crate) struct Task {
    config: Arc<NotifyConfig>,
    channels: Channels,
    box_id: Arc<str>,
    boot: Arc<str>,
    files: FileThread,
    core: Notifier,
    register: Register,
    /// Nothing was ever stored: what stands is told.
    is_first: bool,
    requests: JoinSet<(Name, Outcome)>,
    journaling: JoinSet<Result<bool, FileThreadEnded>>,
    asking: JoinSet<Option<(Seq, BTreeMap<AlarmKey, Shown>)>>,
    tests: JoinSet<()>,
    standing: Standing,
    calendar_at: MonoMs,
    board: watch::Sender<View>,
    signals: Signals,
    orders: mpsc::Receiver<TestOrder>,
}

/// What the task waits for.
enum Event {
    Stop,
    Answered(Result<(Name, Outcome), JoinError>),
    Journaled(Result<Result<bool, FileThreadEnded>, JoinError>),
    Standing(Option<(Seq, BTreeMap<AlarmKey, Shown>)>),
    Grew,
    LinkUp,
    Test(TestOrder),
    Time,
}

/// What of the outbox the core goes on from; none if nothing was ever stored.
pub(super) fn restore(files: &Files, boot: &str) -> Result<Option<Restored>, StoreError> {
    let Some(stored) = files.outbox.notified()? else { return Ok(None) };
    let read = |(alarm, body): (String, Vec<u8>)| match serde_json::from_slice::<Episode>(&body) {
        Ok(episode) => Some(episode),
        Err(error) => {
            log::error!(alarm = alarm.as_str(), error:%; "who was told of this alarm cannot be read and is forgotten");
            None
        }
    };
    let episodes = stored.rows.into_iter().filter_map(read).collect();
    Ok(Some(Restored { next: stored.next, episodes, is_same_boot: stored.boot == boot }))
}

impl Task {
    /// Goes on where the outbox ends.
    ///
    /// # Errors
    /// [`StoreError`] of the outbox, or the file thread's end.
    pub(crate) async fn start(
        (config, channels): (Arc<NotifyConfig>, Channels),
        (box_id, boot): (Arc<str>, Arc<str>),
        files: FileThread,
        seed: u64,
        (signals, orders): (Signals, mpsc::Receiver<TestOrder>),
    ) -> Result<Result<(Task, watch::Receiver<View>), StoreError>, FileThreadEnded> {
        let asked = boot.clone();
        let restored = match files.run(move |files| restore(files, &asked)).await? {
            Ok(restored) => restored,
            Err(error) => return Ok(Err(error)),
        };
        let is_first = restored.is_none();
        let core = Notifier::new(config.ladder.clone(), seed, restored.unwrap_or_default(), mono_ms());
        let (board, shown) = watch::channel(View::default());
        let task = Task {
            config,
            channels,
            box_id,
            boot,
            files,
            core,
            register: Register::default(),
            is_first,
            requests: JoinSet::new(),
            journaling: JoinSet::new(),
            asking: JoinSet::new(),
            tests: JoinSet::new(),
            standing: Standing::default(),
            calendar_at: MonoMs(0),
            board,
            signals,
            orders,
        };
        Ok(Ok((task, shown)))
    }

    /// Works until the daemon stops. What is on its way then counts as in doubt at the next start.
    ///
    /// # Errors
    /// [`FileThreadEnded`].
    pub(crate) async fn run(mut self) -> Result<(), FileThreadEnded> {
        self.look_at_time().await?;
        self.read_journal().await?;
        loop {
            match self.event().await {
                Event::Stop => return Ok(()),
                Event::Answered(Ok((channel, outcome))) => {
                    log_outcome(&channel, &outcome);
                    self.hand(Input::Answered { channel, outcome }).await?;
                }
                Event::Journaled(Ok(is_journaled)) => {
                    self.hand(Input::Journaled { is_journaled: is_journaled? }).await?;
                }
                // A bug broke it; the service starts again, and knows what may have left.
                Event::Answered(Err(_)) | Event::Journaled(Err(_)) => return Err(FileThreadEnded),
                Event::Standing(None) => {}
                Event::Standing(Some((end, alarms))) => {
                    self.hand(Input::Shelved { alarms: shelved(&alarms) }).await?;
                    if let Some((end, alarms)) = self.standing.take(end, alarms.into_keys().collect()) {
                        self.hand(Input::Standing { end, alarms }).await?;
                    }
                }
                Event::Grew => self.read_journal().await?,
                Event::LinkUp => self.hand(Input::LinkUp).await?,
                Event::Test(order) => self.test(order),
                Event::Time => self.look_at_time().await?,
            }
            let ladder = &self.config.ladder;
            let level =
                |level: usize| ladder.levels.get(level).map_or_else(String::new, |level| level.name.to_string());
            self.board.send_replace(view(&self.core, level));
        }
    }

    async fn event(&mut self) -> Event {
        let now = mono_ms();
        let calendar = MonoMs(self.calendar_at.0.saturating_add(CALENDAR_MS));
        let wake = self.core.next_timeout(now).into_iter().chain([calendar]).min().unwrap_or(calendar);
        let sleep = Duration::from_millis(wake.0.saturating_sub(now.0));
        tokio::select! {
            biased;
            _ = self.signals.stop.wait_for(|stop| *stop) => Event::Stop,
            Some(answered) = self.requests.join_next() => Event::Answered(answered),
            Some(journaled) = self.journaling.join_next() => Event::Journaled(journaled),
            Some(asked) = self.asking.join_next() => Event::Standing(asked.unwrap_or_default()),
            Some(_) = self.tests.join_next() => Event::Time,
            () = self.signals.link_up.notified() => Event::LinkUp,
            Ok(()) = self.signals.end.changed() => Event::Grew,
            Some(order) = self.orders.recv() => Event::Test(order),
            () = tokio::time::sleep(sleep) => Event::Time,
        }
    }

    /// Tells the core the time of the day now and then, and that time has passed.
    async fn look_at_time(&mut self) -> Result<(), FileThreadEnded> {
        let now = mono_ms();
        if now.0 < self.calendar_at.0.saturating_add(CALENDAR_MS) && self.calendar_at != MonoMs(0) {
            return self.hand(Input::Tick).await;
        }
        self.calendar_at = now;
        let at = match self.signals.time.now(now) {
            Known::Is(ms) => self.config.utc_offset.local(ms).map(|(day, minute)| Local { day, minute }),
            Known::NotBefore(_) => None,
        };
        if self.asking.is_empty() {
            let (files, gateway) = (self.files.clone(), self.signals.gateway.clone());
            self.asking.spawn(async move {
                let end = files.run(|files| files.reader.position()).await.ok()?.ok()?.end;
                Some((end, journaled::ask_alarms(&gateway).await?))
            });
        }
        self.hand(Input::Calendar { at }).await
    }

    /// Hands the steps of alarms that came to the core.
    async fn read_journal(&mut self) -> Result<(), FileThreadEnded> {
        loop {
            let (mut register, next, is_first) = (std::mem::take(&mut self.register), self.core.next(), self.is_first);
            let read = move |files: &mut Files| {
                let read = if is_first {
                    steps::standing(&files.reader, &mut register)
                } else {
                    steps::read(&files.reader, &mut register, next)
                };
                (read, register)
            };
            let (read, register) = self.files.run(read).await?;
            self.register = register;
            let (steps, known) = match read {
                Ok(read) => read,
                Err(error) => {
                    // The next record brings it here again.
                    log::error!(error = chain(&error).as_str(); "failed to read alarms, tried again");
                    return Ok(());
                }
            };
            self.is_first = false;
            let is_all = steps.is_empty() || is_first;
            self.take(steps).await;
            if is_all {
                return self.hand(Input::Read { next: known }).await;
            }
        }
    }

    /// Hands steps to the core, with how urgent each alarm is.
    async fn take(&mut self, steps: Vec<StepAt>) {
        let raises =
            |at: &StepAt| matches!(at.step.to, AlarmState::Unacknowledged | AlarmState::ReturnedUnacknowledged);
        let mut alarms = BTreeMap::new();
        let is_known = |alarms: &BTreeMap<AlarmKey, _>, at: &StepAt| alarms.contains_key(&key(at));
        for nth in 0..PRIORITY_TRIES {
            if steps.iter().filter(|at| raises(at)).all(|at| is_known(&alarms, at)) {
                break;
            }
            if nth > 0 {
                tokio::time::sleep(PRIORITY_PAUSE).await;
            }
            // Without an answer they count as urgent.
            let Some(answer) = journaled::ask_alarms(&self.signals.gateway).await else { break };
            alarms.extend(answer);
        }
        let is_told = !alarms.is_empty();
        let shelved = shelved(&alarms);
        for mut at in steps {
            at.facts.priority = alarms.get(&key(&at)).and_then(|shown| shown.priority);
            let StepAt { seq, step, facts } = at;
            self.core.handle(mono_ms(), Input::Alarm { seq, step, facts: Box::new(facts) });
        }
        if is_told {
            self.core.handle(mono_ms(), Input::Shelved { alarms: shelved });
        }
    }

    async fn hand(&mut self, input: Input) -> Result<(), FileThreadEnded> {
        self.core.handle(mono_ms(), input);
        while let Some(action) = self.core.poll() {
            match action {
                Action::Store { next, rows } => {
                    if !self.store(next, rows).await? {
                        return Ok(());
                    }
                }
                Action::Send { channel, message, timeout_ms } => self.send(channel, *message, timeout_ms),
                Action::Journal { evidence, in_doubt } => {
                    let (files, gateway) = (self.files.clone(), self.signals.gateway.clone());
                    self.journaling.spawn(journaled::journal(files, gateway, evidence, in_doubt));
                }
            }
        }
        Ok(())
    }

    /// Stores until it is stored: what is not remembered must not leave. False if the daemon stops before.
    async fn store(&self, next: Seq, rows: Vec<(AlarmKey, Option<Episode>)>) -> Result<bool, FileThreadEnded> {
        let row = |(key, episode): (AlarmKey, Option<Episode>)| {
            let body = episode.and_then(|episode| serde_json::to_vec(&episode).ok());
            (format!("{}/{}", key.rule, key.source), body)
        };
        let rows: Arc<[(String, Option<Vec<u8>>)]> = rows.into_iter().map(row).collect();
        let mut failures: u64 = 0;
        loop {
            let (rows, boot) = (rows.clone(), self.boot.clone());
            let Err(error) = self.files.run(move |files| files.outbox.note_notified(next, &boot, &rows)).await? else {
                return Ok(true);
            };
            failures += 1;
            if failures.is_power_of_two() {
                log::error!(failures, error = chain(&error).as_str(); "failed to store who is told, tried again");
            }
            let mut stop = self.signals.stop.clone();
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(false),
                () = tokio::time::sleep(STORE_RETRY) => {}
            }
        }
    }

    fn speaker(&self) -> Speaker<'_> {
        let (language, utc_offset_minutes) = (self.config.language, self.config.utc_offset.minutes());
        Speaker { box_id: &self.box_id, language, utc_offset_minutes }
    }

    fn send(&mut self, channel: Name, message: Message, timeout_ms: u64) {
        let worded = text::word(&message, self.speaker());
        let (channels, box_id) = (self.channels.clone(), self.box_id.clone());
        self.requests.spawn(async move {
            let timeout = Duration::from_millis(timeout_ms);
            let outcome = channels.deliver(&channel, (&worded, Some(&message)), &box_id, timeout).await;
            (channel, outcome)
        });
    }

    /// Tells each channel of a level, or one, that this is a test. The ladder does not move.
    fn test(&mut self, TestOrder { target, answer }: TestOrder) {
        let Some((people, names)) = self.config.target(&target) else {
            let unknown = format!("there is no level or channel `{target}` · try: weir notify list");
            drop(answer.send(Err(unknown)));
            return;
        };
        let worded = text::test(&target, self.speaker(), people);
        let (channels, box_id) = (self.channels.clone(), self.box_id.clone());
        let timeout = Duration::from_millis(self.config.ladder.answer_timeout_ms);
        self.tests.spawn(async move {
            let mut tested = Vec::new();
            for name in names {
                let outcome = channels.deliver(&name, (&worded, None), &box_id, timeout).await;
                tested.push(Tested::new(name.to_string(), outcome));
            }
            drop(answer.send(Ok(tested)));
        });
    }
}

/// Those that somebody has set aside.
fn shelved(alarms: &BTreeMap<AlarmKey, Shown>) -> BTreeSet<AlarmKey> {
    alarms.iter().filter(|(_, shown)| shown.is_shelved).map(|(key, _)| key.clone()).collect()
}

fn key(at: &StepAt) -> AlarmKey {
    AlarmKey { rule: at.step.rule.clone(), source: at.step.source.clone() }
}

fn log_outcome(channel: &Name, outcome: &Outcome) {
    match outcome {
        Outcome::Delivered => log::info!(channel:%; "people were told"),
        Outcome::Failed { why } => log::warn!(channel:%, why = why.as_str(); "people were not told, tried again"),
        Outcome::InDoubt { why } => log::warn!(channel:%, why = why.as_str(); "people may have been told, tried again"),
    }
}
