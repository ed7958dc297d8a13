//! What the committer writes on the board, for whoever asks how the box is.

use std::sync::{MutexGuard, PoisonError};

use journal::Reader;

use super::Committer;
use crate::board::Board;
use crate::error::StartError;
use crate::ledger::read_one;

impl Committer {
    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        self.parts.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_journal(&self) {
        let root = self.journal.frontier().root().to_string();
        let mut board = self.board();
        board.journal.records = self.journal.end().0;
        board.journal.root = root;
        board.journal.checkpoint = self.checkpoints.size();
        board.journal.aggregates_refused = self.restored.aggregates.refused();
    }

    pub(super) fn note_restored(&self, reader: &Reader) -> Result<(), StartError> {
        self.note_journal();
        let now = self.stamp();
        let mut board = self.board();
        for (source, row) in &self.restored.rows {
            board.tally(source, row);
            let quality = source.as_ref().and_then(|source| Some((source, self.restored.ingest.link_quality(source)?)));
            quality.into_iter().for_each(|(source, quality)| board.delivery(source, quality));
        }
        for (source, seq) in &self.restored.newest {
            if let Some(newest) = read_one(reader, *seq).map_err(StartError::Journal)? {
                board.restored(source, &newest.record, now);
            }
        }
        board.samplers = self.samplers.clone();
        drop(board);
        self.show_alarms();
        Ok(())
    }
}
