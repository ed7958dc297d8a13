//! From a frame to its part of a transaction: at once, or by way of the decoders.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use ingest::{Arrival, Judgement, Verdict};
use mqtt::Outcome;
use record::{Record, SourceId, Stamp};

use super::decoders::{Decoded, Job};
use super::uplink_events::uplink_event;
use super::waiting::{Sender, part};
use super::{Committer, Draft};
use crate::error::StartError;
use crate::job::LostCounts;
use crate::tallies;

impl Committer {
    /// Judges a frame, unless an earlier one of its device is with the decoders: then it waits behind that one. On the
    /// last of the disk only devices that a rule minds are judged: what is left is for alarms.
    pub(super) fn judge(&mut self, arrival: Arrival, sender: Sender, draft: &mut Draft) -> Result<(), StartError> {
        if self.parts.scarce.load(Ordering::Relaxed)
            && let Some(device) = self.restored.ingest.sender(&arrival)
            && !self.parts.rules.iter().any(|rule| rule.devices.covers(&device))
        {
            self.shed(device, sender);
            return Ok(());
        }
        if !self.lanes.is_empty()
            && let Some(device) = self.restored.ingest.sender(&arrival)
            && self.lanes.is_busy(&device)
        {
            self.hold_back(&device, arrival, sender);
            return Ok(());
        }
        self.judge_now(arrival, sender, draft)
    }

    /// Takes what the decoders have done. What waited for a frame is judged behind it.
    pub(super) fn take_decoded(&mut self, decoded: Decoded, draft: &mut Draft) -> Result<(), StartError> {
        match decoded {
            Decoded::Frame { device, arrival, sender } => {
                let waiting = self.lanes.leave(&device);
                self.judge_now(*arrival, sender, draft)?;
                for (arrival, sender) in waiting {
                    self.judge(arrival, sender, draft)?;
                }
                Ok(())
            }
            Decoded::History { codec, outcomes } => {
                self.take_history(&codec, outcomes, draft);
                Ok(())
            }
            Decoded::Broken => Err(StartError::DecodingDied),
        }
    }

    fn judge_now(&mut self, arrival: Arrival, sender: Sender, draft: &mut Draft) -> Result<(), StartError> {
        let stamp = self.stamp_into(draft);
        match self.restored.ingest.judge(arrival, stamp) {
            Judgement::Verdict(verdict) => self.note(verdict, sender, stamp, draft),
            Judgement::Undecoded(undecoded) => {
                self.lanes.enter(undecoded.device().clone());
                let job = Job::Frame { undecoded: Box::new(undecoded), sender, at: stamp.wall_ms };
                draft.prompt += usize::from(self.decoders.hand_over(job, &self.parts.devices)?);
            }
        }
        Ok(())
    }

    fn note(&mut self, verdict: Verdict, sender: Sender, stamp: Stamp, draft: &mut Draft) {
        self.restored.note(&verdict, &mut draft.transaction, &mut draft.touched);
        if self.parts.chirpstack.publish {
            let (config, region) = (&self.parts.chirpstack, self.parts.network.region);
            draft.events.extend(uplink_event(config, region, &self.parts.devices, &verdict, stamp));
        }
        let (body, waiting) = part(verdict, sender);
        draft.waiting.push(waiting);
        if let Some(body) = body {
            self.append(Record { stamp, body }, &mut draft.transaction);
        }
    }

    /// Lets a frame wait for an earlier one of its device. Without room it is shed: counted, and not acknowledged (A2).
    fn hold_back(&mut self, device: &SourceId, arrival: Arrival, sender: Sender) {
        let bytes = arrival.bytes();
        let Err((_, sender)) = self.lanes.wait(device, (arrival, sender), bytes) else { return };
        log::warn!(source:% = device; "its codec is too slow for its frames, one is left out");
        self.shed(device.clone(), sender);
    }

    /// Lets a frame go: counted, and not acknowledged (A2, A3).
    fn shed(&self, device: SourceId, sender: Sender) {
        let mut lost = self.parts.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.entry(Some(device)).or_default().add(LostCounts { shed: 1, rejected: 0 });
        drop(lost);
        match sender {
            Sender::Mqtt(reply) | Sender::Chirpstack(reply) => reply.settle(Outcome::Failed),
            Sender::Lora(heard) => self.parts.tallies.settle(&heard, tallies::Outcome::Shed),
            Sender::Serial(_) => {}
        }
    }
}
