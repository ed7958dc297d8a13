//! History on its way through the codecs of today, a piece at a time.
//!
//! Whoever orders it twice, or a part of it again, gets each frame decoded anew once for each change of its codec: first
//! it is seen what was decoded anew before, then the frames are read for which that is not the codec of today.

use std::sync::Arc;

use ingest::{Codec, DecodeError, RedecodeError, Reopened};
use journal::StoreError;
use record::{Body, CodecId, Record, RecordAt, Redecoded, Seq, SeqRange, SourceId};
use serde_json::json;
use tokio::sync::oneshot;

use super::anew::Anew;
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
    /// With its own count of failures: old frames stop no codec that serves new ones.
    codec: Arc<Codec>,
    today: CodecId,
    /// What is left; none when all was read.
    left: Option<SeqRange>,
    part: Option<Part>,
    redecoded: u64,
    failed: u64,
    unreadable: u64,
    /// A piece is with the decoders.
    decoding: bool,
    answer: oneshot::Sender<Done>,
}

/// What is worked through now.
#[derive(Debug)]
struct Part {
    anew: Anew,
    /// Where it is still to be seen what was decoded anew before.
    unseen: Option<SeqRange>,
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

impl Part {
    /// Takes note of what was decoded anew before.
    fn see(&mut self, unseen: SeqRange, records: &[RecordAt], device: &SourceId, today: CodecId) {
        for at in records {
            if let Body::Redecoded(redecoded) = &at.record.body
                && redecoded.source == *device
            {
                self.anew.note(redecoded, today);
            }
        }
        self.unseen = after(unseen, records);
    }
}

/// What is left of `range` behind these, which were read from its beginning on.
fn after(range: SeqRange, read: &[RecordAt]) -> Option<SeqRange> {
    SeqRange::new(read.last()?.seq.next(), range.last)
}

impl Committer {
    /// Takes an order; it is answered when all of it is stored.
    pub(super) fn queue_history(
        &mut self,
        device: SourceId,
        from: Seq,
        to: Option<Seq>,
        answer: oneshot::Sender<Done>,
        draft: &mut Draft,
    ) {
        let Some(known) = self.parts.devices.by_name(&device) else {
            let why = format!("there is no device `{device}` · try: weir device list");
            return draft.answers.push((answer, Err(why)));
        };
        let (codec, today) = (Arc::new(known.codec.anew()), known.codec_text.id);
        let left = self.newest().and_then(|newest| SeqRange::new(from, to.map_or(newest, |to| to.min(newest))));
        let (part, redecoded, failed, unreadable, decoding) = (None, 0, 0, 0, false);
        let work = Redecoding { device, codec, today, left, part, redecoded, failed, unreadable, decoding, answer };
        self.redecoding.push_back(work);
    }

    fn newest(&self) -> Option<Seq> {
        self.journal.end().0.checked_sub(1).map(Seq)
    }

    /// Does a piece of what was ordered, if anything is to be done: looks through it, or hands it to the decoders.
    pub(super) fn redecode(&mut self, draft: &mut Draft) -> Result<(), StartError> {
        if self.redecoding.front().is_none_or(Redecoding::is_decoding) {
            return Ok(());
        }
        let Some(mut work) = self.redecoding.pop_front() else { return Ok(()) };
        let Some(left) = work.left else {
            self.finish_history(work, draft);
            return Ok(());
        };
        if work.part.is_none() && draft.redecoded {
            // What an earlier order made in this transaction cannot be seen yet.
            self.redecoding.push_front(work);
            return Ok(());
        }
        if work.part.is_none() {
            match self.part_of(left) {
                Ok(Some(part)) => (work.left, work.part) = (SeqRange::new(part.anew.first(), left.last), Some(part)),
                Ok(None) => work.left = None,
                Err(error) => {
                    work.answer(Err(control::chain(&error)), draft);
                    return Ok(());
                }
            }
        }
        let (Some(left), Some(part)) = (work.left, &mut work.part) else {
            self.finish_history(work, draft);
            return Ok(());
        };
        let range = part.unseen.unwrap_or(SeqRange { first: left.first, last: part.anew.last() });
        let records = match self.journal.read(range, REDECODE_BYTES_MAX) {
            Ok(records) => records,
            Err(error) => {
                work.answer(Err(control::chain(&error)), draft);
                return Ok(());
            }
        };
        if let Some(unseen) = part.unseen {
            part.see(unseen, &records, &work.device, work.today);
            self.redecoding.push_front(work);
            return Ok(());
        }
        self.hand_over_history(work, left, &records, draft)
    }

    /// The next part of what is left, from the first record that there is: a restored journal has jumped over 2^32 numbers.
    fn part_of(&self, left: SeqRange) -> Result<Option<Part>, StoreError> {
        let first = self.journal.read(left, 1)?.first().map(|first| first.seq);
        let left = first.and_then(|first| SeqRange::new(first, left.last));
        let newest = self.newest();
        Ok(left.map(|left| Part {
            anew: Anew::of(left),
            unseen: newest.and_then(|newest| SeqRange::new(left.first, newest)),
        }))
    }

    /// Opens those of the records that are to be decoded anew, the first of what is left, and hands them to the decoders.
    fn hand_over_history(
        &mut self,
        mut work: Redecoding,
        left: SeqRange,
        records: &[RecordAt],
        draft: &mut Draft,
    ) -> Result<(), StartError> {
        let Some(part) = &work.part else { return Ok(()) };
        let mut frames: Vec<Reopened> = Vec::new();
        for at in records {
            let Body::Frame(frame) = &at.record.body else { continue };
            if frame.source != work.device || part.anew.is_current(at.seq, frame.codec, work.today) {
                continue;
            }
            match self.restored.ingest.reopen(at.seq, frame, at.record.stamp) {
                Ok(reopened) => frames.push(reopened),
                Err(RedecodeError::NoPayload) => {}
                Err(RedecodeError::NoKeys | RedecodeError::NoDevice | RedecodeError::Seal(_)) => work.unreadable += 1,
            }
        }
        let last = part.anew.last();
        match after(SeqRange { first: left.first, last }, records) {
            Some(rest) => work.left = Some(SeqRange { first: rest.first, last: left.last }),
            None => (work.left, work.part) = (SeqRange::new(last.next(), left.last), None),
        }
        if frames.is_empty() {
            self.proceed(work, draft);
            return Ok(());
        }
        self.decoders.hand_over(Job::History { codec: work.codec.clone(), frames }, &self.parts.devices)?;
        work.decoding = true;
        self.redecoding.push_front(work);
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
        if !self.redecoding.front().is_some_and(|work| Arc::ptr_eq(&work.codec, codec)) {
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
        match work.left {
            Some(_) => self.redecoding.push_front(work),
            None => self.finish_history(work, draft),
        }
    }

    fn finish_history(&mut self, work: Redecoding, draft: &mut Draft) {
        let Redecoding { redecoded, failed, unreadable, .. } = work;
        let answer = json!({ "redecoded": redecoded, "failed": failed, "unreadable": unreadable });
        log::info!(source:% = work.device, redecoded, failed, unreadable; "history decoded anew");
        work.answer(Ok(answer), draft);
    }
}
