//! `weir verify FILE` of an exported journal: what it proves, how far, and its first bad record.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use batch::weirlog::{self, Beliefs, Fault, Verdict};
use batch::{Heir, Revocation, STATEMENT_BYTES_MAX, Voucher};
use serde_json::json;

use super::{Finding, print};
use crate::cli::VerifyArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;

/// Read at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// Verifies the file, and prints one line for each statement.
pub(super) fn run(path: &Path, args: &VerifyArgs, lang: Lang) -> Result<Exit, CommandError> {
    let failed = |source| CommandError::Read { path: path.into(), source };
    let open = || Ok(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?));
    let platforms = args.platforms.iter().cloned().collect();
    // Twice: first for the keys, which may be told of behind what they signed.
    let mut beliefs = open().and_then(|file| Beliefs::read(file, args.key, &platforms)).map_err(failed)?;
    let revocations = revocations(args)?;
    let refused = revocations.iter().filter_map(|cose| beliefs.revoke(cose).err().map(|error| control::chain(&error)));
    let refused: Vec<String> = refused.collect();
    let verdict = open().and_then(|file| weirlog::verify_by(file, &beliefs)).map_err(failed)?;
    let (as_json, given) = (args.json, args.key.is_some());
    let mut findings = findings(&verdict, given, lang);
    keys(&verdict, &beliefs, &refused, lang, &mut findings);
    let mut out = output::stdout();
    if as_json {
        let first_bad = verdict
            .first_bad
            .map(|fault| json!({"place": fault.place(), "word": fault.word(), "what": words(&fault, lang)}));
        let shown = json!({
            "holds": verdict.holds(), "verdict": verdict, "first_bad": first_bad, "findings": findings,
        });
        output::line(&mut out, &shown.to_string())?;
    } else {
        print(&mut out, &findings, lang)?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if verdict.holds() { Exit::Good } else { Exit::NotWell })
}

/// The revocations that were given, each signed by somebody.
pub(super) fn revocations(args: &VerifyArgs) -> Result<Vec<Vec<u8>>, CommandError> {
    let read = |path: &PathBuf| {
        let failed = |source| CommandError::Read { path: path.clone(), source };
        let longest = u64::try_from(STATEMENT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let mut cose = Vec::new();
        File::open(path).and_then(|file| file.take(longest).read_to_end(&mut cose)).map_err(failed)?;
        Revocation::claimed(&cose).map_err(|source| CommandError::NoRevocation { path: path.clone(), source })?;
        Ok(cose)
    };
    args.revoked.iter().map(read).collect()
}

/// Which keys the box had, who vouches for them, and what was revoked.
fn keys(verdict: &Verdict, beliefs: &Beliefs, refused: &[String], lang: Lang, findings: &mut Vec<Finding>) {
    for heir in verdict.keys.iter().skip(1) {
        findings.push(Finding { holds: true, what: format!("{}: {}", voucher(heir, lang), heir.key) });
    }
    if verdict.unvouched > 0 {
        let text = lang.pick(
            "signed tree heads of keys that nobody vouches for, which prove nothing; give --platform",
            "签名者无人担保的树头，不作证明（请用 --platform 给出平台公钥）",
        );
        findings.push(Finding { holds: true, what: format!("{text}: {}", verdict.unvouched) });
    }
    for revoked in beliefs.revoked() {
        let text = lang.pick("revoked", "已吊销");
        let from = lang.pick("proves nothing from", "自此起不作证明");
        let what = format!("{text}: {} · {from} {} · {:?}", revoked.key, output::time(revoked.from_ms), revoked.reason);
        findings.push(Finding { holds: true, what });
    }
    for why in refused {
        let text = lang.pick("a revocation was not believed", "吊销声明未被采信");
        findings.push(Finding { holds: true, what: format!("{text}: {why} · try: --platform NAME=HEX") });
    }
    if verdict.revoked > 0 {
        let text = lang.pick("tree heads that a revoked key signed afterwards", "被吊销密钥在吊销后签名的树头");
        findings.push(Finding { holds: false, what: format!("{text}: {}", verdict.revoked) });
    }
}

/// Who vouches for a key.
pub(super) fn voucher(heir: &Heir, lang: Lang) -> String {
    match &heir.by {
        Some(Voucher::Given) => lang.pick("key", "公钥").to_owned(),
        Some(Voucher::Neighbour) => lang
            .pick("key of the box, by the word of the one before or after it", "本站公钥，由相邻密钥签名证明")
            .to_owned(),
        Some(Voucher::Platform(name)) => {
            format!("{} {name}", lang.pick("key of the box, by the word of platform", "本站公钥，由平台证明："))
        }
        None => lang
            .pick(
                "key that the file names and nobody vouches for, give --platform",
                "文件所列、无人担保的公钥（请用 --platform）",
            )
            .to_owned(),
    }
}

fn findings(verdict: &Verdict, key_given: bool, lang: Lang) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |holds, what| findings.push(Finding { holds, what });
    if let (Some(box_id), Some(key)) = (&verdict.box_id, &verdict.key) {
        let (read, gone) = (lang.pick("records read", "已读取记录"), lang.pick("taken away before", "此前已清除"));
        let text = lang.pick("exported journal of", "导出日志，站点");
        add(true, format!("{text} {box_id} · {read}: {} · {gone}: {}", verdict.records, verdict.gone));
        let whose = match key_given {
            true => lang.pick("the given key", "给定公钥"),
            false => lang.pick("the key that the file itself names, compare it", "文件自带公钥，请核对"),
        };
        let text = lang.pick("signed tree heads that fit", "与记录一致的签名树头");
        add(true, format!("{text}: {} · {whose}: {key}", verdict.checkpoints));
    }
    match &verdict.proven {
        Some(checkpoint) => {
            let proven = lang.pick("proven: records before", "已证明：此编号之前的记录");
            let (at, root) = (output::time(checkpoint.stamp.wall_ms), checkpoint.head.root);
            let signed = lang.pick("signed", "签名时间");
            let mut what = format!("{proven} {}: {root} · {signed} {at}", checkpoint.head.size);
            if verdict.altered > 0 {
                let but = lang.pick("but not those that were altered", "被篡改的记录除外，共");
                what.push_str(&format!(" · {but}: {}", verdict.altered));
            }
            add(verdict.altered == 0, what);
        }
        None if verdict.size > 0 => {
            add(
                false,
                lang.pick("nothing is proven: no signed tree head fits", "无任何证明：没有一致的签名树头").into(),
            );
        }
        None => {}
    }
    if verdict.proven_size() < verdict.size {
        let text = lang.pick("read, but not proven: records", "已读取但未证明的记录");
        add(false, format!("{text} {}-{}", verdict.proven_size(), verdict.size - 1));
    }
    if let Some(fault) = &verdict.first_bad {
        let text = lang.pick("the first that is wrong", "首个问题");
        add(false, format!("{text}: {}", words(fault, lang)));
    }
    findings
}

pub(super) fn words(fault: &Fault, lang: Lang) -> String {
    if lang == Lang::En {
        return fault.to_string();
    }
    match *fault {
        Fault::NoHeader => "文件开头不是导出的日志".into(),
        Fault::Version { found } => format!("文件格式版本为 {found}，本程序只读版本 1，请升级"),
        Fault::OtherKey => "文件中的公钥与给定公钥不同".into(),
        Fault::Unreadable { at, .. } => format!("记录 {at}：该处内容无法读取"),
        Fault::Cut { at } => format!("记录 {at}：文件在此处被截断"),
        Fault::Missing { at, found } => format!("缺少记录 {at}，其后为 {found}"),
        Fault::OutOfOrder { at, found } => format!("记录 {at}：该处为记录 {found}，顺序错误"),
        Fault::Altered { at } => format!("记录 {at} 已被篡改：内容与叶哈希不符"),
        Fault::Unproven { first, end } => format!("自记录 {first} 起无法证明：{end} 之前有记录与签名不符"),
        Fault::Unsigned { first } => format!("自记录 {first} 起没有签名：无树头覆盖"),
        Fault::Checkpoint { size, .. } => format!("前 {size} 条记录的签名树头无效"),
        Fault::End { .. } => "文件结尾与之前的内容不符".into(),
    }
}
