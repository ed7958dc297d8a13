//! What is known of the box when the checks look: every probe leaves its facts here, or why it has none.

mod board;
mod clock;
mod daemons;
mod files;
mod journal;
mod platforms;
mod services;
mod setup;
mod storage;

use std::path::PathBuf;

use record::UnixMs;

pub(super) use board::{Board, Memory};
pub(super) use clock::Clock;
pub(super) use daemons::{Answered, Handles, Listener, Ports};
pub(super) use files::{Duty, FileFacts, WatchedFile};
pub(super) use journal::{DossierFacts, Head, JournalFacts, OutboxFacts};
pub(super) use platforms::{Certificate, FarEnd, Whose};
pub(super) use services::{Services, Unit};
pub(super) use setup::{Changed, DestinationFacts, DeviceFacts, MqttTls, Setup, Upload};
pub(super) use storage::{Card, Space, Storage};

use super::check::{Words, say};
use crate::lang::Lang;
use crate::upgrade::Upgrade;

/// A fact, or why it is not known.
pub(super) type Fact<T> = Result<T, Unseen>;

/// Everything that was seen.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// The system's clock when the probes began.
    pub(super) now_ms: UnixMs,
    /// Of this program.
    pub(super) version: &'static str,
    pub(super) places: Places,
    pub(super) board: Fact<Board>,
    pub(super) storage: Fact<Storage>,
    pub(super) files: Fact<Vec<WatchedFile>>,
    pub(super) clock: Fact<Clock>,
    pub(super) services: Fact<Services>,
    /// The last upgrade; none if there was none.
    pub(super) upgrade: Fact<Option<Upgrade>>,
    pub(super) gateway: Fact<Answered<gatewayd::status::Status>>,
    pub(super) sync: Fact<Answered<syncd::status::Status>>,
    pub(super) ports: Fact<Ports>,
    pub(super) setup: Fact<Setup>,
    pub(super) upload: Fact<Upload>,
    /// Files that have another text than the one by which their daemon works.
    pub(super) changed: Fact<Vec<Changed>>,
    /// Whether the page would start, if there is a page.toml.
    pub(super) page: Fact<()>,
    pub(super) far_ends: Fact<Vec<FarEnd>>,
    pub(super) certificates: Fact<Vec<Certificate>>,
    pub(super) journal: Fact<JournalFacts>,
    pub(super) outbox: Fact<OutboxFacts>,
}

/// Where was looked.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// gateway.toml.
    pub(super) config: PathBuf,
    /// sync.toml.
    pub(super) sync_config: PathBuf,
    pub(super) state_dir: PathBuf,
    pub(super) run_dir: PathBuf,
}

/// Why something was not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unseen {
    /// There is nothing of the kind here.
    Absent(Words),
    /// This file is not there.
    Missing(String),
    /// This user may not look.
    Denied(String),
    /// It took longer than a look may.
    Late,
    /// This daemon does not answer.
    Silent(&'static str),
    /// The look failed, in these words.
    Failed(String),
}

impl From<&Unseen> for Unseen {
    fn from(unseen: &Unseen) -> Unseen {
        unseen.clone()
    }
}

impl Unseen {
    /// By the kind of an error of the file system.
    pub(super) fn of(error: &std::io::Error, what: &str) -> Unseen {
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Unseen::Denied(what.to_owned()),
            std::io::ErrorKind::NotFound => Unseen::Missing(what.to_owned()),
            _ => Unseen::Failed(format!("{what}: {error}")),
        }
    }

    /// In words.
    pub(super) fn told(&self, lang: Lang) -> String {
        match self {
            Unseen::Absent(what) => what.told(lang).to_owned(),
            Unseen::Missing(what) => say!(lang, "{what} is not there", "{what} 不存在"),
            Unseen::Denied(what) => say!(lang, "this user may not look at {what}", "当前用户无权查看 {what}"),
            Unseen::Late => lang.pick("it took too long to look", "查看超时").to_owned(),
            Unseen::Silent(daemon) => say!(lang, "{daemon} does not answer", "{daemon} 无应答"),
            Unseen::Failed(why) => why.clone(),
        }
    }

    /// How to see it.
    pub(super) fn command(&self) -> Option<&'static str> {
        match self {
            Unseen::Denied(_) => Some("sudo weir doctor"),
            Unseen::Silent(_) => Some("systemctl status weir-gateway weir-sync"),
            Unseen::Absent(_) | Unseen::Missing(_) | Unseen::Late | Unseen::Failed(_) => None,
        }
    }
}
