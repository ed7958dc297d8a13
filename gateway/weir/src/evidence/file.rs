//! Making an evidence file: read, put together, have it sealed, look whether it proves itself, write.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use batch::weirlog::Writer;
use batch::{Asked, BoxId, Checkpoint, PublicKey};
use evidence::{Draft, Keys, Part, REPORT_VERSION, State, cover};
use journal::{Reader, StoredCheckpoint};
use record::merkle::Node;
use record::{Seq, TimeLine};
use serde_json::json;

use super::choice::{Choice, clocks};
use super::receipts::{self, root};
use super::{EvidenceArgs, EvidenceError, window};
use crate::error::CommandError;
use crate::identity_card::public_key;

/// What was made.
#[derive(Debug)]
pub(crate) struct Made {
    /// Records in it.
    pub(crate) records: usize,
    /// Receipts in it.
    pub(crate) receipts: usize,
    /// Its length.
    pub(crate) bytes: usize,
    /// Newer records that could not be looked at, because no tree head covers them yet.
    pub(crate) unsigned: u64,
}

/// Makes and writes it.
pub(crate) fn make(args: &EvidenceArgs, state_dir: &Path, run_dir: &Path) -> Result<Made, CommandError> {
    let key = public_key(state_dir)?;
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let position = reader.position().map_err(CommandError::Store)?;
    let box_id = BoxId::new(&position.box_id).map_err(|error| CommandError::BadName(error.to_string()))?;
    let end = crate::export::signed_end(&reader, &key)?.min(position.end);
    let clocks = clocks(&reader, end)?;
    let mut times = TimeLine::new();
    clocks.iter().for_each(|at| times.take(&at.record));
    let asked = window::asked(args, &reader, &times)?;
    let choice = Choice::new(&reader, &asked, &clocks, &times, end)?;
    let chosen: Vec<Seq> = choice.records.keys().copied().collect();
    let receipts = receipts::choose(&state_dir.join("outbox/outbox.db"), &reader, &box_id, &chosen, end)?;
    let sizes: BTreeSet<u64> = receipts.iter().map(|(size, _)| *size).collect();
    let weirlog = weirlog(&reader, (&box_id, &key), &choice, sizes, end)?;
    let receipts: Vec<_> = receipts.into_iter().map(|(_, receipt)| receipt).collect();
    let count = receipts.len();
    let draft = Draft::new((&box_id, &key), &asked, weirlog, receipts).map_err(EvidenceError::Draft)?;
    let cose = seal(&draft, &asked, run_dir)?;
    let file = draft.seal(cose);
    let verdict = evidence::verify(&file, &Keys { box_key: Some(key), ..Keys::default() });
    if let Some(wrong) = verdict.findings.iter().find(|finding| finding.state == State::Wrong) {
        return Err(EvidenceError::NotProven(wrong.what.word()).into());
    }
    write(&args.out, &file)?;
    Ok(Made { records: chosen.len(), receipts: count, bytes: file.len(), unsigned: position.end.0 - end.0 })
}

/// The chosen records and the roots of all others, with the first signed head that covers the chosen ones and the newest.
fn weirlog(
    reader: &Reader,
    (box_id, key): (&BoxId, &PublicKey),
    choice: &Choice,
    mut sizes: BTreeSet<u64>,
    end: Seq,
) -> Result<Vec<u8>, EvidenceError> {
    let last = choice.records.keys().next_back().copied().unwrap_or_default();
    let mut heads = Vec::new();
    for after in [last.0, end.0 - 1] {
        let found = reader.checkpoints_after(after, 1).map_err(EvidenceError::Store)?;
        for head in found.into_iter().filter(|head| head.size <= end.0) {
            if holds(reader, &head, key)? && !heads.contains(&head) {
                sizes.insert(head.size);
                heads.push(head);
            }
        }
    }
    let mut writer = Writer::new(Vec::new(), box_id, key).map_err(EvidenceError::Log)?;
    let chosen = choice.records.keys().copied().collect();
    for part in cover(&chosen, &sizes, end.0) {
        let node = match part {
            Part::Record(seq) => Node::Leaf(choice.records[&seq].clone()),
            Part::Root(subtree) => {
                let root = reader.node(subtree).map_err(EvidenceError::Store)?;
                Node::Pruned { level: subtree.level(), root }
            }
        };
        writer.node(&node).map_err(EvidenceError::Log)?;
        if let Some(head) = heads.iter().find(|head| head.size == writer.next().0) {
            writer.checkpoint(&head.cose).map_err(EvidenceError::Log)?;
        }
    }
    writer.finish().map_err(EvidenceError::Log)
}

/// Whether a signed head is that of the records, as far as that can still be told.
fn holds(reader: &Reader, head: &StoredCheckpoint, key: &PublicKey) -> Result<bool, EvidenceError> {
    let Ok(checkpoint) = Checkpoint::verify(&head.cose, key) else { return Ok(false) };
    let root = root(reader, head.size).map_err(EvidenceError::Store)?;
    Ok(root == Some(checkpoint.head.root) && checkpoint.head.size == head.size)
}

/// The seal of the gateway, which alone has the box's private key.
fn seal(draft: &Draft, asked: &Asked, run_dir: &Path) -> Result<Vec<u8>, EvidenceError> {
    let members: Vec<_> = draft.digests().iter().map(|member| json!([member.name, member.sha256])).collect();
    let request = json!({"do": "seal_evidence", "asked": asked, "report_version": REPORT_VERSION, "members": members});
    let answer = control::ask(&run_dir.join("gateway.sock"), &request).map_err(EvidenceError::Seal)?;
    answer["seal"].as_str().and_then(|seal| hex::decode(seal).ok()).ok_or(EvidenceError::NoSeal)
}

/// Writes a file that is not there yet.
fn write(path: &Path, bytes: &[u8]) -> Result<(), EvidenceError> {
    let failed = |source| EvidenceError::Write { path: path.into(), source };
    let mut file = File::create_new(path).map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // What is half written is no evidence.
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}
