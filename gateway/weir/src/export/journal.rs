//! `weir export --journal`: the records themselves, with what proves them, for `weir verify FILE` or anyone else.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ::journal::{Reader, StoreError, StoredCheckpoint};
use batch::weirlog::{WriteError, Writer};
use batch::{BoxId, PublicKey};
use record::merkle::Node;
use record::{Seq, SeqRange};

use super::PAGE_BYTES;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;
use crate::signers::Signers;

/// Signed tree heads read at once.
const HEADS_PAGE: usize = 1_000;

/// Writes every record that a signed tree head covers, and says on standard error how many are not covered yet.
pub(super) fn run(state_dir: &Path, out: Option<&Path>, lang: Lang) -> Result<Exit, CommandError> {
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let position = reader.position().map_err(CommandError::Store)?;
    let box_id = BoxId::new(&position.box_id).map_err(|error| CommandError::BadName(error.to_string()))?;
    let (end, signers) = signed_end(&reader, Signers::read(&reader, state_dir, &position.box_id)?)?;
    let (end, key) = (end.min(position.end), signers.newest());
    let (nodes, heads) = (nodes(&reader, end), heads(&reader, &signers));
    match out {
        None => write(output::stdout(), CommandError::output, (&box_id, &key), nodes, heads)?,
        Some(path) => {
            let failed = |source| CommandError::Write { path: path.into(), source };
            let file = BufWriter::new(File::create(path).map_err(failed)?);
            write(file, failed, (&box_id, &key), nodes, heads)?;
        }
    }
    let (written, newer) = (lang.pick("records written", "已写入记录"), position.end.0 - end.0);
    let unsigned = lang.pick("newer ones that no tree head covers yet", "尚无签名树头覆盖的较新记录（未写入）");
    eprintln!("weir: {written}: {end} · {unsigned}: {newer}");
    Ok(Exit::Good)
}

/// The size of the newest tree head that the box signed, and the keys that a file up to there can explain.
pub(crate) fn signed_end(reader: &Reader, signers: Signers) -> Result<(Seq, Signers), CommandError> {
    let mut newest = None;
    for head in heads(reader, &signers) {
        let head = head.map_err(CommandError::Store)?;
        newest = signers.head(&head.cose).map(|(key, _)| (Seq(head.size), key)).or(newest);
    }
    let (end, key) = newest.ok_or(CommandError::NothingSigned)?;
    Ok((end, signers.before(end, key)))
}

/// Writes records and pruned subtrees in order, and each tree head behind the last record that it covers. A head over a
/// part of a pruned subtree is left out: what is left could not prove it.
fn write<W: Write>(
    out: W,
    failed: impl Fn(io::Error) -> CommandError,
    (box_id, key): (&BoxId, &PublicKey),
    nodes: impl Iterator<Item = Result<Node, StoreError>>,
    heads: impl Iterator<Item = Result<StoredCheckpoint, StoreError>>,
) -> Result<(), CommandError> {
    let failed = |error| match error {
        WriteError::Write(source) => failed(source),
        error @ WriteError::Entry { .. } => CommandError::Journal(error),
    };
    let mut writer = Writer::new(out, box_id, key).map_err(&failed)?;
    let mut heads = heads.peekable();
    for node in nodes {
        writer.node(&node.map_err(CommandError::Store)?).map_err(&failed)?;
        let size = writer.next().0;
        while let Some(head) = heads.next_if(|head| head.as_ref().map_or(true, |head| head.size <= size)) {
            let head = head.map_err(CommandError::Store)?;
            if head.size == size {
                writer.checkpoint(&head.cose).map_err(&failed)?;
            }
        }
    }
    writer.finish().map_err(&failed)?;
    Ok(())
}

/// Every record before `end`, as its canonical bytes, and the roots of what was taken away.
fn nodes(reader: &Reader, end: Seq) -> impl Iterator<Item = Result<Node, StoreError>> {
    let (mut next, mut page) = (Seq(0), VecDeque::new());
    std::iter::from_fn(move || {
        if page.is_empty() {
            let range = SeqRange::new(next, Seq(end.0.checked_sub(1)?))?;
            match reader.nodes(range, PAGE_BYTES) {
                Ok(nodes) => page.extend(nodes),
                Err(error) => return Some(Err(error)),
            }
        }
        let inconsistent = |what| Some(Err(StoreError::Inconsistent { path: reader.path().into(), what }));
        match page.pop_front() {
            Some((first, node)) if first == next => {
                let leaves = match &node {
                    Node::Leaf(_) => 1,
                    Node::Pruned { level, .. } => 1 << level,
                };
                next = Seq(next.0.saturating_add(leaves));
                Some(Ok(node))
            }
            // Also when retention took away what begins here while this was reading.
            Some((first, _)) => inconsistent(format!("record {next} is missing, {first} follows · try: again")),
            None => inconsistent(format!("record {next} is missing · try: weir journal check")),
        }
    })
}

/// Every tree head that is signed with one of these keys, the oldest first. Those of a machine whose place this one took, and
/// of which no statement tells, are not needed: the later ones cover the same records.
pub(crate) fn heads(reader: &Reader, signers: &Signers) -> impl Iterator<Item = Result<StoredCheckpoint, StoreError>> {
    let (mut after, mut page) = (0, VecDeque::new());
    let all = std::iter::from_fn(move || {
        if page.is_empty() {
            match reader.checkpoints_after(after, HEADS_PAGE) {
                Ok(heads) => page.extend(heads),
                Err(error) => return Some(Err(error)),
            }
        }
        let head: StoredCheckpoint = page.pop_front()?;
        after = head.size;
        Some(Ok(head))
    });
    all.filter(move |head| head.as_ref().map_or(true, |head| signers.claim(&head.cose)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use batch::{Checkpoint, SigningKey, TreeHead, weirlog};
    use record::merkle::{Block, Frontier, leaf_hash};
    use record::{BootNo, ClockQuality, MonoMs, Stamp, UnixMs};

    #[test]
    fn a_tree_head_over_a_part_of_what_is_gone_is_left_out() {
        let key = SigningKey::from_seed(&[1; 32]);
        let box_id = BoxId::new("box-1").unwrap();
        let stamp = Stamp { boot: BootNo(0), mono_ms: MonoMs(0), wall_ms: UnixMs(0), clock: ClockQuality::Unset };
        let mut tree = Frontier::new();
        let mut heads = Vec::new();
        for seq in 0u8..12 {
            tree.push(leaf_hash(&[seq]));
            let (size, root) = (tree.size(), tree.root());
            let signed = Checkpoint { box_id: box_id.clone(), head: TreeHead { size, root }, stamp }.sign(&key);
            heads.push(Ok(StoredCheckpoint { size, cose: signed }));
        }
        let mut block = Block::new(Seq(0), (0u8..12).map(|seq| vec![seq])).unwrap();
        block.prune(|seq| seq >= Seq(9));
        let nodes = block.nodes().iter().cloned().map(Ok);
        let mut file = Vec::new();
        write(&mut file, CommandError::output, (&box_id, &key.public()), nodes, heads.into_iter()).unwrap();
        let verdict = weirlog::verify(file.as_slice(), Some(key.public())).unwrap();
        // Behind 8 and 9 that are gone, and behind each record.
        assert_eq!((verdict.holds(), verdict.checkpoints, verdict.gone, verdict.records), (true, 5, 9, 3));
    }
}
