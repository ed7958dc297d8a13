//! `weir verify`: whether the journal, its signed tree heads and the platforms' receipts hold, and whether it says what
//! decoded every reading; or what an exported journal or an evidence file proves. Reads only.

mod codecs;
mod evidence;
mod file;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use batch::{Checkpoint, KeyStatement, Lineage, PublicKey, Receipt, Whose, platform_keys};
use control::chain;
use journal::{Outbox, Reader, StoreError};
use record::SeqRanges;
use record::merkle::Hash;
use serde::Serialize;
use syncd::SyncConfig;

use crate::backup::FORMER;
use crate::cli::VerifyArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::identity_card::{history, public_key};
use crate::lang::Lang;
use crate::output::{self, line};
use codecs::Codecs;

/// Signed tree heads read at once.
const CHECKPOINTS_PAGE: usize = 1_000;

/// One statement, and whether it is proven.
#[derive(Debug, Serialize)]
struct Finding {
    holds: bool,
    what: String,
}

/// Checks everything and prints one line for each statement.
pub(crate) fn run(state_dir: &Path, args: &VerifyArgs, lang: Lang) -> Result<Exit, CommandError> {
    if let Some(path) = &args.file {
        return match evidence::begins(path)? {
            true => evidence::run(path, args, lang),
            false => file::run(path, args, lang),
        };
    }
    let key = public_key(state_dir)?;
    let folder = state_dir.join(FORMER);
    let former = identity::former(&folder).map_err(|source| CommandError::Keys { path: folder, source })?;
    let keys: Vec<PublicKey> = [key].into_iter().chain(former).collect();
    let own = own_keys(state_dir, key)?;
    let mut findings = Vec::new();
    let opened = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store);
    match opened.and_then(|reader| verify_journal(&reader, (&keys, &own), lang, &mut findings)) {
        // Rows that contradict each other are what this command looks for, not what keeps it from looking.
        Err(CommandError::Store(error @ StoreError::Inconsistent { .. })) => {
            findings.push(Finding { holds: false, what: chain(&error) });
        }
        judged => judged?,
    }
    verify_receipts(state_dir, args, lang, &mut findings)?;
    let well = findings.iter().all(|finding| finding.holds);
    let mut out = output::stdout();
    if args.json {
        let shown = serde_json::json!({"holds": well, "box_key": key, "findings": findings});
        line(&mut out, &shown.to_string())?;
    } else {
        print(&mut out, &findings, lang)?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if well { Exit::Good } else { Exit::NotWell })
}

/// The keys of this machine, as each signed for the next one up to today's.
fn own_keys(state_dir: &Path, today: PublicKey) -> Result<Vec<PublicKey>, CommandError> {
    let history = history(state_dir)?;
    let box_id =
        history.iter().find_map(|(_, statement)| Some(statement.whose()).filter(|of| matches!(of, Whose::Box(_))));
    let Some(whose) = box_id else { return Ok(vec![today]) };
    let mut lineage = Lineage::new(whose, today);
    history.into_iter().for_each(|(_, statement)| lineage.take(None, statement));
    Ok(lineage.followed(&BTreeMap::new(), &[]).believed().copied().collect())
}

/// One line for each statement.
fn print(out: &mut impl Write, findings: &[Finding], lang: Lang) -> Result<(), CommandError> {
    for finding in findings {
        let mark = if finding.holds { lang.pick("ok  ", "通过") } else { lang.pick("FAIL", "失败") };
        line(out, &format!("{mark}  {}", lang.told(&finding.what)))?;
    }
    Ok(())
}

/// Every record in canonical form, numbered without gap; every signed tree head equal to the tree over them.
fn verify_journal(
    reader: &Reader,
    (keys, own): (&[PublicKey], &[PublicKey]),
    lang: Lang,
    findings: &mut Vec<Finding>,
) -> Result<(), CommandError> {
    let position = reader.position().map_err(CommandError::Store)?;
    let mut signed: BTreeMap<u64, Option<Hash>> = BTreeMap::new();
    let (mut after, mut unsigned, mut by_former) = (0, 0u64, BTreeMap::<_, u64>::new());
    loop {
        let page = reader.checkpoints_after(after, CHECKPOINTS_PAGE).map_err(CommandError::Store)?;
        let Some(last) = page.last() else { break };
        after = last.size;
        for stored in &page {
            let by = |key: &PublicKey| Some((key.id(), Checkpoint::verify(&stored.cose, key).ok()?));
            let found = keys.iter().find_map(by).filter(|(_, found)| found.head.size == stored.size);
            unsigned += u64::from(found.is_none());
            if let Some((id, _)) = found.as_ref().filter(|(id, _)| keys.first().is_some_and(|key| key.id() != *id)) {
                *by_former.entry(*id).or_default() += 1;
            }
            signed.insert(stored.size, found.map(|(_, checkpoint)| checkpoint.head.root));
        }
    }
    let mut differ = Vec::new();
    let end = position.end.0;
    let mut root_at_end = (end == 0).then(|| position.frontier.root());
    let mut codecs = Codecs::new(reader).map_err(CommandError::Store)?;
    let recomputed = reader.recompute(|at, root| {
        codecs.take(at);
        let size = at.seq.0 + 1;
        if size == end {
            root_at_end = Some(root);
        }
        if let Some(Some(expected)) = signed.get(&size)
            && *expected != root
        {
            differ.push(size);
        }
    });
    let root = position.frontier.root();
    findings.push(match recomputed {
        Err(error) => Finding { holds: false, what: chain(&error) },
        Ok(_) => Finding {
            holds: root_at_end == Some(root),
            what: format!(
                "{} {end}: {root}",
                lang.pick("journal: records without gap, Merkle root over", "日志：记录连续，默克尔根，记录数")
            ),
        },
    });
    let beyond = signed.keys().filter(|size| **size > end).count();
    let text = lang.pick("signed tree heads that equal the tree", "与记录一致的签名树头");
    let bad = differ.len() + beyond;
    let mut what = format!("{text}: {}/{}", signed.len().saturating_sub(bad), signed.len());
    if let Some(first) = differ.first() {
        let text = lang.pick("the first that differs is over", "首个不一致的树头覆盖记录数");
        what.push_str(&format!(" · {text} {first}"));
    }
    findings.push(Finding { holds: bad == 0 && unsigned == 0, what });
    for (id, heads) in by_former {
        let text = match own.iter().any(|key| key.id() == id) {
            true => lang.pick(
                "of them signed with a former key of this box, which signed for the next one",
                "其中由本站旧密钥签名（旧密钥已为后继密钥签名）",
            ),
            false => lang.pick(
                "of them signed by a machine before this one, whose key a platform had enrolled or nobody knows",
                "其中由更换前的设备签名（其公钥应曾在平台登记）",
            ),
        };
        findings.push(Finding { holds: true, what: format!("{text}: {id}: {heads}") });
    }
    findings.extend(codecs.findings(lang));
    Ok(())
}

/// Every receipt signed by its platform's pinned key and about this box; no coverage without a receipt (D1).
fn verify_receipts(
    state_dir: &Path,
    args: &VerifyArgs,
    lang: Lang,
    findings: &mut Vec<Finding>,
) -> Result<(), CommandError> {
    let path = state_dir.join("outbox/outbox.db");
    if !path.exists() {
        return Ok(());
    }
    let outbox = Outbox::open_read_only(&path).map_err(CommandError::Store)?;
    let config = match SyncConfig::load(&args.sync_config) {
        Ok(config) => config,
        Err(error) => {
            let text =
                lang.pick("receipts are not judged, the platforms' keys are unknown", "平台公钥未知，未验证回执");
            findings
                .push(Finding { holds: false, what: format!("{text}: {} · try: --sync-config FILE", chain(&error)) });
            return Ok(());
        }
    };
    let history: Vec<KeyStatement> = history(state_dir)?.into_iter().map(|(_, statement)| statement).collect();
    for destination in &config.destinations {
        let (mut good, mut bad) = (0u64, 0u64);
        let mut held = SeqRanges::new();
        let keys = platform_keys(destination.key, &history);
        let coverage = outbox
            .claims(destination.name.as_str(), |stored| match Receipt::verify_by(&stored.cose, &keys) {
                Ok(receipt) if receipt.batch.0 == stored.id => {
                    good += 1;
                    receipt.holds.iter().for_each(|range| held.insert(range));
                }
                _ => bad += 1,
            })
            .map_err(CommandError::Store)?;
        let text = lang.pick("receipts verified", "已验证回执");
        findings
            .push(Finding { holds: bad == 0, what: format!("{}: {text}: {good}/{}", destination.name, good + bad) });
        let text = lang.pick("records claimed as delivered, each under a receipt", "声称已送达且有回执的记录");
        let what = format!("{}: {text}: {}", destination.name, coverage.len());
        findings.push(Finding { holds: held.covers(&coverage), what });
    }
    Ok(())
}
