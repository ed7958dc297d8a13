//! Tree heads, signed when the schedule says so and kept beside the records.

use batch::{Checkpoint, TreeHead};
use control::chain;

use super::Committer;
use crate::clock::mono_ms;

impl Committer {
    pub(super) fn checkpoint_if_due(&mut self) {
        let (size, now) = (self.journal.end().0, mono_ms());
        self.checkpoints.grown(size, now);
        if self.checkpoints.is_due(size, now) {
            self.sign_checkpoint();
        }
    }

    /// Signs the tree head, unless it is signed already.
    pub(super) fn sign_checkpoint(&mut self) {
        let size = self.journal.end().0;
        if size <= self.checkpoints.size() {
            return;
        }
        let head = TreeHead { size, root: self.journal.frontier().root() };
        let checkpoint = Checkpoint { box_id: self.parts.box_id.clone(), head, stamp: self.stamp() };
        match self.journal.keep_checkpoint(size, &checkpoint.sign(&self.parts.key)) {
            Ok(()) => self.checkpoints.signed(size),
            Err(error) => {
                self.checkpoints.failed(mono_ms());
                log::warn!(error = chain(&error).as_str(); "checkpoint is not stored, will be tried again");
            }
        }
        self.note_journal();
    }
}
