//! History on its way through the codecs of today, a piece at a time.

use std::sync::Arc;

use ingest::{Codec, DecodeError, RedecodeError, Reopened};
use record::{Body, Record, Redecoded, Seq, SeqRange, SourceId};
use serde_json::json;
use tokio::sync::oneshot;

use super::decoders::Job;
use super::{Committer, Draft};
use crate::error::StartError;
use crate::order::Done;

/// Bytes of stored records that are read again at one time: some hundred frames, so that others wait for milliseconds.
const REDECODE_BYTES_MAX: usize = 256 * 1024;

/// What was ordered, and how far it is.
#[derive(Debug)]
pub(super) struct Redecoding {
    device: SourceId,
    /// With its own count of failures: old frames stop no codec that serves new ones. None of a device that is gone.
    codec: Option<Arc<Codec>>,
    next: Seq,
    last: Seq,
    redecoded: u64,
    failed: u64,
    unreadable: u64,
    /// A piece is with the decoders.
    decoding: bool,
    answer: oneshot::Sender<Done>,
}

impl Redecoding {
    /// Whether there is nothing to do before a decoder has answered.
    pub(super) fn is_decoding(&self) -> bool {
        self.decoding
    }

    pub(super) fn answer(self, done: Done, draft: &mut Draft) {
        draft.answers.push((self.answer, done));
    }
}

impl Committer {
    /// Takes an order; it is answered when all of it is stored.
    pub(super) fn queue_history(
        &mut self,
        device: SourceId,
        from: Seq,
        to: Option<Seq>,
        answer: oneshot::Sender<Done>,
    ) {
        let end = self.journal.end();
        let last = Seq(to.map_or(end.0, |to| to.0.saturating_add(1).min(end.0)).saturating_sub(1));
        let codec = self.parts.devices.by_name(&device).map(|device| Arc::new(device.codec.anew()));
        let (redecoded, failed, unreadable, decoding) = (0, 0, 0, false);
        let work = Redecoding { device, codec, next: from, last, redecoded, failed, unreadable, decoding, answer };
        self.redecoding.push_back(work);
    }

    /// Opens a piece of history and hands it to the decoders, if some is to be.
    pub(super) fn redecode(&mut self, draft: &mut Draft) -> Result<(), StartError> {
        if self.redecoding.front().is_none_or(Redecoding::is_decoding) {
            return Ok(());
        }
        let Some(mut work) = self.redecoding.pop_front() else { return Ok(()) };
        let range = SeqRange { first: work.next, last: work.last };
        let records = match work.next <= work.last && self.journal.end() > work.next {
            true => self.journal.read(range, REDECODE_BYTES_MAX),
            false => Ok(Vec::new()),
        };
        let records = match records {
            Ok(records) => records,
            Err(error) => {
                work.answer(Err(control::chain(&error)), draft);
                return Ok(());
            }
        };
        let mut frames: Vec<Reopened> = Vec::new();
        for at in &records {
            work.next = at.seq.next();
            let Body::Frame(frame) = &at.record.body else { continue };
            if frame.source != work.device {
                continue;
            }
            match self.restored.ingest.reopen(at.seq, frame, at.record.stamp) {
                Ok(reopened) => frames.push(reopened),
                Err(RedecodeError::NoPayload | RedecodeError::SameCodec) => {}
                Err(RedecodeError::NoKeys | RedecodeError::NoDevice | RedecodeError::Seal(_)) => work.unreadable += 1,
            }
        }
        match &work.codec {
            Some(codec) if !frames.is_empty() => {
                let job = Job::History { codec: codec.clone(), frames };
                self.decoders.hand_over(job, &self.parts.devices)?;
                work.decoding = true;
                self.redecoding.push_front(work);
            }
            _ if records.is_empty() => self.finish_history(work, draft),
            _ => self.proceed(work, draft),
        }
        Ok(())
    }

    /// Stores what a decoder made of a piece.
    pub(super) fn take_history(
        &mut self,
        codec: &Arc<Codec>,
        outcomes: Vec<Result<Redecoded, DecodeError>>,
        draft: &mut Draft,
    ) {
        // An order that was given up meanwhile is not there any more.
        let is_ours = |work: &Redecoding| work.codec.as_ref().is_some_and(|own| Arc::ptr_eq(own, codec));
        if !self.redecoding.front().is_some_and(is_ours) {
            return;
        }
        let Some(mut work) = self.redecoding.pop_front() else { return };
        work.decoding = false;
        for outcome in outcomes {
            match outcome {
                Ok(redecoded) => {
                    work.redecoded += 1;
                    draft.redecoded = true;
                    let record = Record { stamp: self.stamp(), body: Body::Redecoded(redecoded) };
                    self.append(record, &mut draft.transaction);
                }
                Err(_) => work.failed += 1,
            }
        }
        self.proceed(work, draft);
    }

    fn proceed(&mut self, work: Redecoding, draft: &mut Draft) {
        match work.next <= work.last {
            true => self.redecoding.push_front(work),
            false => self.finish_history(work, draft),
        }
    }

    fn finish_history(&mut self, work: Redecoding, draft: &mut Draft) {
        let Redecoding { redecoded, failed, unreadable, .. } = work;
        let answer = json!({ "redecoded": redecoded, "failed": failed, "unreadable": unreadable });
        log::info!(source:% = work.device, redecoded, failed, unreadable; "history decoded anew");
        work.answer(Ok(answer), draft);
    }
}
