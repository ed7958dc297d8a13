//! `weir platform compare`: whether another platform was shown the same history of a box as this one.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;

use batch::{BoxId, CosignedCheckpoint, NOTE_BYTES_MAX, NoteError, PlatformId, PublicKey, TreeHead};
use platform::store::{Archive, StoreError};
use platform::{Comparison, StateDir};
use serde_json::{Value, json};
use syncd::note::{FetchError, fetch};
use tokio::runtime::Runtime;

use crate::cli::CompareArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    /// The note's file.
    #[error("failed to read note `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The other platform.
    #[error("there is no note to compare with")]
    Fetch(#[source] FetchError),
    /// The other platform has proven nothing of that box.
    #[error("`{0}` has no checkpoint of that box that is proven · try: wait for the next one, which comes every hour")]
    NothingThere(String),
    /// The note.
    #[error("the note is not believed")]
    Note(#[source] NoteError),
    /// It is another platform's.
    #[error("the note is by platform `{found}`, not by `{expected}` · try: --with {found}=KEY")]
    OtherPlatform {
        /// Whose key was given.
        expected: PlatformId,
        /// Who signed.
        found: PlatformId,
    },
    /// It is about another box than the first one.
    #[error("the other platform answered about box `{0}`")]
    OtherBox(BoxId),
    /// This platform's database.
    #[error("failed to read this platform's database · try: sudo; is state_dir in the configuration the platform's?")]
    Store(#[from] StoreError),
}

/// Compares, and says what came of it; only the same history is good.
pub(crate) fn run(args: &CompareArgs, lang: Lang) -> Result<Exit, CommandError> {
    let config = platform::Config::load(&args.config).map_err(CommandError::PlatformConfig)?;
    let archive = Archive::new(&StateDir::new(&config.state_dir).database());
    let other = Other::new(args).map_err(CommandError::Runtime)?;
    let newest = other.newest()?;
    let ask = |size| other.checkpoint(size, &newest.box_id);
    let ask = other.is_url().then_some(ask);
    let told = platform::compare(&archive, &newest.box_id, &newest.head, ask)?;
    let mut out = output::stdout();
    let text = match args.json {
        true => as_json(&newest, &told).to_string(),
        false => in_words(&newest, &told, &args.note, lang),
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(if matches!(told, Comparison::Same { .. }) { Exit::Good } else { Exit::NotWell })
}

/// The other platform, as far as it is known.
struct Other<'a> {
    note: &'a str,
    name: &'a PlatformId,
    key: &'a PublicKey,
    runtime: Runtime,
}

impl<'a> Other<'a> {
    fn new(args: &'a CompareArgs) -> std::io::Result<Other<'a>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (name, key) = &args.with;
        Ok(Other { note: &args.note, name, key, runtime })
    }

    fn is_url(&self) -> bool {
        self.note.contains("://")
    }

    fn newest(&self) -> Result<CosignedCheckpoint, CompareError> {
        let note = match self.is_url() {
            true => self.runtime.block_on(fetch(self.note, None)).map_err(CompareError::Fetch)?,
            false => Some(self.file()?),
        };
        self.believed(&note.ok_or_else(|| CompareError::NothingThere(self.note.to_owned()))?)
    }

    fn checkpoint(&self, size: u64, box_id: &BoxId) -> Result<Option<TreeHead>, CompareError> {
        let note = self.runtime.block_on(fetch(self.note, Some(size))).map_err(CompareError::Fetch)?;
        let Some(note) = note else { return Ok(None) };
        let checkpoint = self.believed(&note)?;
        if checkpoint.box_id != *box_id {
            return Err(CompareError::OtherBox(checkpoint.box_id));
        }
        Ok(Some(checkpoint.head))
    }

    fn believed(&self, note: &str) -> Result<CosignedCheckpoint, CompareError> {
        let checkpoint = CosignedCheckpoint::verify(note, self.key).map_err(CompareError::Note)?;
        if checkpoint.platform != *self.name {
            return Err(CompareError::OtherPlatform { expected: self.name.clone(), found: checkpoint.platform });
        }
        Ok(checkpoint)
    }

    fn file(&self) -> Result<String, CompareError> {
        let failed = |source| CompareError::Read { path: self.note.into(), source };
        let mut text = String::new();
        let bytes_max = u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX);
        // One byte more, so that a longer file is refused and not cut.
        let mut file = File::open(self.note).map_err(failed)?.take(bytes_max.saturating_add(1));
        file.read_to_string(&mut text).map_err(failed)?;
        Ok(text)
    }
}

fn as_json(newest: &CosignedCheckpoint, told: &Comparison) -> Value {
    let mut answer = match told {
        Comparison::Same { size } => json!({ "verdict": "same", "size": size }),
        Comparison::Fork { size, here, batch, there } => {
            json!({ "verdict": "fork", "size": size, "root_here": here, "batch_here": batch, "root_there": there })
        }
        Comparison::Apart { common, here, there } => {
            json!({ "verdict": "apart", "common": common, "newest_here": here, "newest_there": there })
        }
        Comparison::Incomparable { here, there } => {
            json!({ "verdict": "incomparable", "newest_here": here, "newest_there": there })
        }
    };
    answer["box"] = json!(newest.box_id);
    answer["with"] = json!(newest.platform);
    answer
}

fn in_words(newest: &CosignedCheckpoint, told: &Comparison, note: &str, lang: Lang) -> String {
    let CosignedCheckpoint { box_id, platform, .. } = newest;
    match told {
        Comparison::Same { size } => format!(
            "{box_id} · {platform}: {} {size}",
            lang.pick("the same history, records in it:", "历史一致，包含记录数：")
        ),
        Comparison::Fork { size, here, batch, there } => format!(
            "{box_id} · {platform}: {} {size}\n  {} {here}\n  {} {there}\n  {} GET /v1/boxes/{box_id}/batches/{batch}",
            lang.pick("TWO HISTORIES, both signed by the box; records:", "出现两份历史，均由该站点签名；记录数："),
            lang.pick("here: ", "本平台："),
            lang.pick("there:", "对方："),
            lang.pick("keep as evidence, and the other platform's note · try:", "请保全证据及对方的签注，并执行："),
        ),
        Comparison::Apart { common, here, there } => format!(
            "{box_id} · {platform}: {} {here}, {} {there}, {} {}\n  {}",
            lang.pick("no newest checkpoint in common; here", "最新检查点互不相同；本平台"),
            lang.pick("there", "对方"),
            lang.pick("in common up to", "共同至"),
            common.map_or_else(|| "–".to_owned(), |size| size.to_string()),
            lang.pick(
                "a box that hides a second history looks like this · try: this again in two hours, then ask for its journal: weir export --journal",
                "隐瞒另一份历史的站点会呈现此状 · 请两小时后重试，仍如此则调取其日志：weir export --journal"
            ),
        ),
        Comparison::Incomparable { here: None, .. } => format!(
            "{box_id} · {platform}: {}",
            lang.pick(
                "not comparable yet: no checkpoint of this box is proven here · try: curl /v1/boxes, see proven_size",
                "暂不可比：本平台尚无该站点已验证的检查点 · 请查看 /v1/boxes 的 proven_size"
            )
        ),
        Comparison::Incomparable { here: Some(here), there } => format!(
            "{box_id} · {platform}: {} {there} · try: curl 'https://…/v1/boxes/{box_id}/checkpoint?size={here}' > {note}",
            lang.pick(
                "not comparable yet: this platform holds no tree of the note's size,",
                "暂不可比：本平台没有与该签注相同记录数的树，其记录数为"
            ),
        ),
    }
}
