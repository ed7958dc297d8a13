//! The field and the gateway.

use gatewayd::upkeep::UpkeepError;
use journal::Stage;
use record::{BootNo, MonoMs, Record, Seq, SeqRange, SourceId, UnixMs};

use super::{Event, World, identity, stamp, truth};
use crate::broken::Fault;
use crate::clock::BoxClock;
use crate::field::{Downlink, Uplink, devices};
use crate::gateway::{Gateway, Judged, Waiting, setup};
use crate::invariants::{Checked, demand, violation};
use crate::keeping::{self, Surroundings};

/// After a frame came the gateway takes what waits within this. ms.
const COMMIT_MS: (u64, u64) = (1, 30);
/// Of a hundred transactions so many find a card that is busy with itself, and for how long. ms.
const SLOW_PERCENT: u64 = 3;
const SLOW_MS: (u64, u64) = (500, 4_000);
/// systemd starts a service that could not start again after so long. ms.
const RESTART_MS: u64 = 5_000;
/// Of a hundred transactions so many kill the process just before they are stored, and as many just after.
const DEATH_PERCENT: u64 = 1;
/// A device hears an answer this long after its transmission: in RX1.
const RX1_MS: u64 = 1_000;
/// The upload daemon asks this often whether the journal grew. ms.
const POLL_MS: u64 = 100;

/// The keeper looks this often whether there is something to do; sooner while there is more of it. ms.
const KEEP_MS: u64 = 4_000;
const KEEP_SOON_MS: u64 = 200;

impl World {
    pub(super) fn wake(&mut self, nth: usize) {
        let producing = self.producing();
        let (uplinks, next) = self.devices[nth].wake(self.now, producing);
        for uplink in uplinks {
            if self.devices[nth].is_mote() {
                self.devices.iter_mut().for_each(|device| device.overhear(&uplink.bytes));
            }
            let device = &mut self.devices[nth];
            let arrivals: Vec<u64> = match device.is_client() {
                true => device.way.stream(self.now).into_iter().collect(),
                false => device.way.datagram(self.now, 0),
            };
            if arrivals.is_empty() {
                device.lose();
            }
            for at in arrivals {
                self.foresee(at, Event::AtGateway(nth, uplink.clone()));
            }
        }
        self.foresee(next, Event::Wakes(nth));
    }

    pub(super) fn at_gateway(&mut self, nth: usize, uplink: Uplink) {
        let device = &self.devices[nth];
        // What was written to a connection that broke meanwhile never arrives.
        let (Some(gateway), Some(clock)) = (&mut self.gateway, &self.clock) else {
            return self.devices[nth].lose();
        };
        if !device.is_on(uplink.turn) {
            return;
        }
        let mono = clock.mono(self.now);
        let arrival = device.arrival(&uplink, &gateway.devices(), mono, UnixMs(0));
        let Uplink { turn, sent_ms, packet_id, bytes, .. } = uplink;
        let waiting = Waiting { device: nth, turn, sent_ms, packet_id, bytes, arrival };
        let source: Option<SourceId> = device.is_client().then(|| device.name.clone());
        if !gateway.receive(waiting, source.clone()) {
            *self.unsettled.entry(source).or_default() += 1;
            // An acknowledgement that never comes is the end of a connection, too.
            self.devices[nth].lose();
        }
        self.foresee_commit();
    }

    fn foresee_commit(&mut self) {
        if !self.commit_foreseen {
            self.commit_foreseen = true;
            let (low, high) = if self.death.percent(SLOW_PERCENT) { SLOW_MS } else { COMMIT_MS };
            let at = self.now + self.death.between(low, high);
            self.foresee(at, Event::Commit);
        }
    }

    /// One transaction: judged, stored, answered, in this order.
    pub(super) fn commit(&mut self) -> Checked {
        self.commit_foreseen = false;
        let (now, fault) = (self.now, self.settings.fault);
        let (Some(gateway), Some(clock)) = (&mut self.gateway, &mut self.clock) else { return Ok(()) };
        let first = stamp(clock, now, fault);
        let news = clock.news(&first);
        let draft = gateway.judge(news.clone().map(|set| (first, set)), || stamp(clock, now, fault));
        if fault == Some(Fault::AcknowledgesEarly) {
            self.answer(&draft.judged, true)?;
        }
        let (dies_before, dies_after) = (self.death.percent(DEATH_PERCENT), self.death.percent(DEATH_PERCENT));
        if dies_before && self.producing() {
            self.trace.tell(self.now, format_args!("the gateway dies before it stores {} frames", draft.judged.len()));
            self.kill_gateway(RESTART_MS);
            return Ok(());
        }
        let Some(gateway) = &mut self.gateway else { return Ok(()) };
        let stored = gateway.commit(&draft);
        let boots = &self.boots;
        self.onlooker.look(&gateway.reader, |stamp| truth(boots, stamp))?;
        let (end, known) = (gateway.end(), self.onlooker.end());
        demand!("J2", end == known, "the gateway ends at {end}, the journal at {known}");
        let received = draft.judged.iter().map(|judged| judged.source.clone());
        received.for_each(|source| *self.unsettled.entry(source).or_default() += 1);
        if !stored {
            // What it believed is read back, as after a start.
            self.onlooker.look_at_rules(gateway)?;
        }
        if stored {
            self.clock.iter_mut().zip(&news).for_each(|(clock, told)| clock.told(told, now));
            self.onlooker.count(std::mem::take(&mut self.unsettled), &gateway.reader)?;
        }
        let what = if stored { "stored" } else { "not stored" };
        self.trace.tell(now, format_args!("{} frames {what}, {} records, end {end}", draft.judged.len(), known.0));
        if dies_after && self.producing() {
            self.trace.tell(self.now, format_args!("the gateway dies before it answers"));
            self.kill_gateway(RESTART_MS);
            return Ok(());
        }
        self.settle(&draft.judged, stored)
    }

    fn settle(&mut self, judged: &[Judged], stored: bool) -> Checked {
        if stored || self.settings.fault == Some(Fault::AcknowledgesTheUnstored) {
            self.answer(judged, stored)?;
        } else {
            self.unstored += 1;
            for judged in judged {
                self.close(judged);
            }
        }
        let stamp = self.stamp();
        let Some(gateway) = &mut self.gateway else { return Ok(()) };
        self.onlooker.look_at_board(&gateway.ledger.engine.alarms(&stamp))?;
        gateway.checkpoint(stamp);
        if !gateway.queue.is_empty() {
            self.foresee_commit();
        }
        let poll = self.now.next_multiple_of(POLL_MS).max(self.now + 1);
        self.foresee(poll, Event::Poll);
        Ok(())
    }

    /// Acknowledges what was kept. What a frame's record is, the journal says, not the gateway.
    fn answer(&mut self, judged: &[Judged], stored: bool) -> Checked {
        for judged in judged {
            let Judged { waiting, kept, downlink, .. } = judged;
            let is_client = self.devices[waiting.device].is_client();
            if !kept || (!is_client && downlink.is_none()) {
                self.close(judged);
                continue;
            }
            let holds = ingest::invariant::a2_unstored_is_unanswered(stored, true);
            demand!("A2", holds, "a frame of {:?} is acknowledged, the disk did not take it", judged.source);
            let end = self.onlooker.end();
            let record = self.onlooker.record_of(&waiting.bytes).unwrap_or(end);
            let holds = ingest::invariant::a1_durable_before_answer(record, end);
            demand!("A1", holds, "a frame of {:?} is acknowledged, the journal has none such", judged.source);
            let answer = match downlink {
                Some(phy) => Downlink::Radio { turn: waiting.turn, phy: phy.clone() },
                None => Downlink::Acknowledge { connection: waiting.turn, packet_id: waiting.packet_id },
            };
            self.send_down(waiting.device, waiting.sent_ms, answer);
        }
        Ok(())
    }

    fn close(&mut self, judged: &Judged) {
        let waiting = &judged.waiting;
        if self.devices[waiting.device].is_client() {
            self.send_down(waiting.device, waiting.sent_ms, Downlink::Close { connection: waiting.turn });
        }
    }

    fn send_down(&mut self, nth: usize, sent_ms: u64, answer: Downlink) {
        let way = &mut self.devices[nth].way;
        let at = match answer {
            // A window that is over is missed, and a radio that lost the frame may lose the answer.
            Downlink::Radio { .. } => {
                way.datagram(self.now, 0).first().map(|_| sent_ms + RX1_MS).filter(|at| *at > self.now)
            }
            Downlink::Acknowledge { .. } | Downlink::Close { .. } => way.stream(self.now),
        };
        match at {
            Some(at) => self.foresee(at, Event::AtDevice(nth, answer)),
            None => self.devices[nth].lose(),
        }
    }

    pub(super) fn kill_gateway(&mut self, for_ms: u64) {
        if self.gateway.take().is_some() {
            self.deaths += 1;
        }
        // What was not durable was never counted.
        self.unsettled.clear();
        self.devices.iter_mut().for_each(crate::field::Device::disconnect);
        self.gateway_life += 1;
        // Without power nothing starts.
        self.foresee(self.booted_ms.max(self.now + for_ms), Event::GatewayStarts(self.gateway_life));
    }

    pub(super) fn start_gateway(&mut self, life: u64) -> Checked {
        if life != self.gateway_life {
            return Ok(());
        }
        let World { clock, boots, booted_ms, clock_error_ms, now, settings, places, .. } = self;
        let (now, fault, is_new) = (*now, settings.fault, clock.is_none());
        let first_stamp = |reader: &journal::Reader| {
            let end = reader.position().expect("the journal's position").end;
            let newest =
                end.0.checked_sub(1).and_then(|last| record::SeqRange::new(record::Seq(last), record::Seq(last)));
            let newest = newest.and_then(|newest| reader.read(newest, 1).expect("a record").pop());
            let newest = newest.map(|at| at.record.stamp.wall_ms);
            let last_boot = reader.last_boot().expect("boots").map(|at| at.record.stamp.boot);
            let boot = last_boot.map_or(BootNo(0), |last| BootNo(last.0 + 1));
            match clock {
                Some(clock) => clock.restart(newest),
                None => {
                    boots.insert(boot, *booted_ms);
                    *clock = Some(BoxClock::boot(boot, *booted_ms, *clock_error_ms, newest));
                }
            }
            let clock = clock.as_mut().expect("it was made above");
            (stamp(clock, now, fault), is_new)
        };
        let started = Gateway::start(setup(devices(places)), identity(), &self.disk, first_stamp, fault);
        let Some(gateway) = started else {
            if is_new {
                // The boot was not journaled: the next start is its first one.
                self.clock = None;
            }
            self.trace.tell(self.now, format_args!("the gateway does not start"));
            self.foresee(self.now + RESTART_MS, Event::GatewayStarts(self.gateway_life));
            return Ok(());
        };
        let boots = &self.boots;
        self.onlooker.look_again(&gateway.reader)?;
        self.onlooker.look(&gateway.reader, |stamp| truth(boots, stamp))?;
        self.onlooker.look_at_rules(&gateway)?;
        let now = self.stamp();
        self.onlooker.look_at_board(&gateway.ledger.engine.alarms(&now))?;
        self.trace.tell(self.now, format_args!("the gateway starts at {}", gateway.end()));
        self.gateway = Some(gateway);
        self.foresee(self.now + POLL_MS, Event::Poll);
        self.foresee(self.now + KEEP_MS, Event::Keeps(life));
        Ok(())
    }

    /// A command of a platform came, was believed, and is journaled; then the upload daemon finds it there.
    pub(super) fn command(&mut self, nth: usize, from_permille: u64, records: u64) -> Checked {
        let Some(last) = self.onlooker.end().0.checked_sub(1) else { return Ok(()) };
        if self.gateway.is_none() {
            return Ok(());
        }
        let (stamp, first) = (self.stamp(), Seq(last * from_permille / 1_000));
        let range = SeqRange { first, last: Seq(first.0 + records) };
        let Some(gateway) = &mut self.gateway else { return Ok(()) };
        let record = Record { stamp, body: self.platforms[nth].command(self.now, range) };
        let stored = gateway.keep(std::iter::once(record), Vec::new());
        let boots = &self.boots;
        self.onlooker.look(&gateway.reader, |stamp| truth(boots, stamp))?;
        self.onlooker.look_at_rules(gateway)?;
        if stored {
            self.sync.iter_mut().for_each(|sync| sync.lines[nth].unobeyed = true);
            self.foresee(self.now + 1, Event::Poll);
        }
        Ok(())
    }

    /// A turn of the keeper.
    pub(super) fn keeps(&mut self, life: u64) -> Checked {
        if life != self.gateway_life || self.gateway.is_none() {
            return Ok(());
        }
        let around = Surroundings {
            stamp: self.stamp(),
            outbox: self.disk.outbox(),
            room_bytes: self.room_bytes,
            ages: self.ages,
            dies: keeping::death(&mut self.keeper).filter(|_| self.producing()),
        };
        let Some(gateway) = &mut self.gateway else { return Ok(()) };
        let turned = keeping::turn(gateway, around);
        let boots = &self.boots;
        self.onlooker.look(&gateway.reader, |stamp| truth(boots, stamp))?;
        self.onlooker.look_at_rules(gateway)?;
        let stages = gateway.segments().into_iter().map(|segment| segment.stage);
        self.seen.extend(stages.filter_map(|stage| match stage {
            Stage::Whole => Some("a table sealed"),
            Stage::Thinned => Some("a segment thinned"),
            Stage::Remnant => Some("the frames of a segment dropped"),
            _ => None,
        }));
        match turned {
            Err(UpkeepError::Stopped) => {
                self.trace.tell(self.now, format_args!("the gateway dies in a step of its keeper"));
                self.seen.insert("death in a step of the keeper");
                self.kill_gateway(RESTART_MS);
            }
            Err(error) => return violation("no error", format!("the keeper fails: {error:?}")),
            Ok(soon) => {
                let after = if soon { KEEP_SOON_MS } else { KEEP_MS };
                self.foresee(self.now + after, Event::Keeps(life));
                self.foresee(self.now + 1, Event::Poll);
            }
        }
        Ok(())
    }

    /// Time of the boot, for timers.
    pub(super) fn mono(&self) -> MonoMs {
        MonoMs(self.now.saturating_sub(self.booted_ms))
    }
}
