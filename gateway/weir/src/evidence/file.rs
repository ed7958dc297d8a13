//! Making an evidence file: read, put together, have it sealed, look whether it proves itself, write.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::Path;

use batch::weirlog::Writer;
use batch::{Asked, BoxId};
use evidence::{Draft, Keys, Part, REPORT_VERSION, State, cover};
use journal::{Reader, StoredCheckpoint};
use record::merkle::Node;
use record::{Seq, TimeLine};
use serde_json::json;

use super::choice::{Choice, clocks};
use super::receipts::{self, root};
use super::{EvidenceArgs, EvidenceError, window};
use crate::error::CommandError;
use crate::signers::Signers;

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
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let position = reader.position().map_err(CommandError::Store)?;
    let box_id = BoxId::new(&position.box_id).map_err(|error| CommandError::BadName(error.to_string()))?;
    let signers = Signers::read(&reader, state_dir, &position.box_id)?;
    let today = signers.newest();
    let (end, signers) = crate::export::signed_end(&reader, signers)?;
    let (end, key) = (end.min(position.end), signers.newest());
    let clocks = clocks(&reader, end)?;
    let mut times = TimeLine::new();
    clocks.iter().for_each(|at| times.take(&at.record));
    let asked = window::asked(args, &reader, &times)?;
    let choice =
        Choice::new(&reader, (&asked, args.window.outfall.as_slice()), &clocks, &times, (end, signers.statements()))?;
    let chosen: Vec<Seq> = choice.records.keys().copied().collect();
    let receipts = receipts::choose(&state_dir.join("outbox/outbox.db"), &reader, &box_id, &chosen, end)?;
    let sizes: BTreeSet<u64> = receipts.iter().map(|(size, _)| *size).collect();
    let weirlog = weirlog(&reader, (&box_id, &signers), &choice, sizes, end)?;
    let receipts: Vec<_> = receipts.into_iter().map(|(_, receipt)| receipt).collect();
    let count = receipts.len();
    let draft = Draft::new((&box_id, &key), &asked, weirlog, receipts).map_err(EvidenceError::Draft)?;
    let cose = seal(&draft, &asked, run_dir)?;
    let file = draft.seal(cose);
    // The gateway seals with the key of today.
    let verdict = evidence::verify(&file, &Keys { box_key: Some(today), ..Keys::default() });
    if let Some(wrong) = verdict.findings.iter().find(|finding| finding.state == State::Wrong) {
        return Err(EvidenceError::NotProven(wrong.what.word()).into());
    }
    write(&args.out, &file)?;
    Ok(Made { records: chosen.len(), receipts: count, bytes: file.len(), unsigned: position.end.0 - end.0 })
}

/// The chosen records and the roots of all others, with the first signed head that covers the chosen ones, the newest, and of
/// each key that another one took the place of its last.
fn weirlog(
    reader: &Reader,
    (box_id, signers): (&BoxId, &Signers),
    choice: &Choice,
    mut sizes: BTreeSet<u64>,
    end: Seq,
) -> Result<Vec<u8>, EvidenceError> {
    let last = choice.records.keys().next_back().copied().unwrap_or_default();
    let (mut heads, mut last_of) = (Vec::new(), BTreeMap::new());
    if signers.former().next().is_some() {
        for head in crate::export::heads(reader, signers) {
            let head = head.map_err(EvidenceError::Store)?;
            last_of.extend(signers.head(&head.cose).map(|(key, _)| (key.to_bytes(), head.size)));
        }
    }
    let sizes_signed: BTreeSet<u64> = last_of.into_values().map(|size| size - 1).chain([last.0, end.0 - 1]).collect();
    for after in sizes_signed {
        let found = reader.checkpoints_after(after, 1).map_err(EvidenceError::Store)?;
        for head in found.into_iter().filter(|head| head.size <= end.0) {
            if holds(reader, &head, signers)? && !heads.contains(&head) {
                sizes.insert(head.size);
                heads.push(head);
            }
        }
    }
    let mut writer = Writer::new(Vec::new(), box_id, &signers.newest()).map_err(EvidenceError::Log)?;
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
fn holds(reader: &Reader, head: &StoredCheckpoint, signers: &Signers) -> Result<bool, EvidenceError> {
    let Some((_, checkpoint)) = signers.head(&head.cose) else { return Ok(false) };
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
