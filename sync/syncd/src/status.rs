//! What the daemon says of itself on its control socket. The command reads the same types.
//!
//! Request `{"do":"status"}`, answer `{"ok":true,"status":{…}}` with a [`Status`]. Request `{"do":"link_up"}`: everything
//! that waits is tried at once; answer `{"ok":true}`. Request `{"do":"retry","destination":"city","batch":"<hex>"}`: a parked
//! batch, or without `batch` all of that destination, is sent again; answer `{"ok":true,"batches":1}`. Request
//! `{"do":"drop","destination":"city","batch":"<hex>","audits":[SEQ,…]}`: a parked batch is given up, as these records of
//! the journal order; answer `{"ok":true,"batches":1}`. Anything else:
//! `{"ok":false,"error":"…"}`. Request `{"do":"notify"}`: who was told of which alarm, answer `{"ok":true,"notify":{…}}` with a
//! [`NotifyStatus`]. Request `{"do":"notify_test","target":NAME}`: each channel of a level, or one, gets a test; answer
//! `{"ok":true,"tested":[{"channel":…,"delivered":BOOL,"why":…},…]}`.

use std::collections::BTreeMap;

use record::Seq;
use serde::{Deserialize, Serialize};

pub use crate::notify::{ChannelStatus, EpisodeStatus, NotifyStatus, ToldStatus};

/// Most coverage ranges listed; the number of all of them stands beside.
pub const RANGES_SHOWN_MAX: usize = 16;

/// A request, one JSON object on a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How do you do?
    Status,
    /// The link is back: try everything now.
    LinkUp,
    /// Send parked batches again.
    Retry {
        /// Of this destination.
        destination: String,
        /// This one, in hex; without it all.
        batch: Option<String>,
    },
    /// Give up a parked batch.
    Drop {
        /// Of this destination.
        destination: String,
        /// This one, in hex.
        batch: String,
        /// The numbers of the records that order it: the gateway has journaled them.
        audits: Vec<Seq>,
    },
    /// Who was told of which alarm.
    Notify,
    /// Tell a level or a channel that this is a test.
    NotifyTest {
        /// Its name.
        target: String,
    },
}

/// The daemon's view, made when it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// How long it runs. ms.
    pub uptime_ms: u64,
    /// The version that counts in the place of a sync.toml that is refused, as `weir config history` lists it, and why it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_instead: Option<(String, String)>,
    /// What it waits for before it can begin; none when it works.
    pub waiting_for: Option<String>,
    /// The name of the box; none while the journal is not there.
    pub box_id: Option<String>,
    /// The number that the next record will get, as last read from the journal.
    pub journal_end: u64,
    /// In the order of the configuration; those that are not enabled are left out.
    pub destinations: Vec<DestinationStatus>,
    /// How people are told of alarms; none where nobody is.
    #[serde(default)]
    pub notify: Option<NotifyStatus>,
    /// Why nobody is told although notify.toml should say whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_refused: Option<String>,
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// The key that took the place of the one in the configuration, which had signed for it; none as long as that one signs.
    #[serde(default)]
    pub successor: Option<String>,
    /// Records before this number are known to its queue.
    pub end: u64,
    /// Records it holds by verified receipts.
    pub covered: u64,
    /// Records that its filter withholds: nobody waits for them.
    #[serde(default)]
    pub withheld: u64,
    /// The first ranges of both that have receipts, `[first, last]` each, at most [`RANGES_SHOWN_MAX`].
    pub covered_ranges: Vec<[u64; 2]>,
    /// How many ranges there are.
    pub covered_ranges_total: u64,
    /// Records set aside in batches that it refused.
    pub parked: u64,
    /// Records that were parked, and that somebody gave up.
    pub dropped: u64,
    /// Alarm records in no batch yet.
    pub alarms_waiting: u64,
    /// Live records in no batch yet.
    pub live_waiting: u64,
    /// Backlog records in no batch yet.
    pub backlog: u64,
    /// Numbers before `end` that are neither covered, parked, dropped nor gone: all of the above and what is under way.
    pub missing: u64,
    /// Numbers of which the journal has no record any more, or never had one, seen since the start: nobody waits for them.
    #[serde(default)]
    pub gone: u64,
    /// Batches cut and not receipted.
    pub outstanding: u64,
    /// Of those, batches on the wire now.
    pub in_flight: u64,
    /// How long ago the last verified receipt came. ms.
    pub last_receipt_ms_ago: Option<u64>,
    /// From the request to the receipt, last time. ms.
    pub rtt_ms: Option<u64>,
    /// When a batch that failed is tried again, from now. ms.
    pub next_try_ms: Option<u64>,
    /// The last failure since the last receipt.
    pub last_error: Option<LastError>,
    /// Why the gateway does not take what this platform commands.
    #[serde(default)]
    pub command_error: Option<String>,
    /// Bytes of batches in all tries since the start that found a trusted connection, repeated ones included.
    pub bytes_sent: u64,
    /// How large the next batch is made for the link, on the wire.
    pub batch_bytes: u64,
    /// What a batch got of the link, once that was measured.
    pub bytes_per_s: Option<u64>,
    /// How long the link usually holds, once it broke. ms.
    pub link_life_ms: Option<u64>,
    /// What its metered link carried; none without a budget.
    pub budget: Option<BudgetStatus>,
    /// What it has taken, for ever.
    pub delivered: Delivered,
    /// Counts since the start: `cut not_cut sent hedged acked refused divided parked`, and `failed_…` for each cause that occurred.
    pub counters: BTreeMap<String, u64>,
}

/// What a destination has taken, for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Batches with a verified receipt.
    pub receipts: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// What a metered link carried, headers included by an estimate that is never too low.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetStatus {
    /// In this day. Bytes.
    pub day_bytes: u64,
    /// The limit of a day. Bytes.
    pub day_bytes_max: Option<u64>,
    /// In this month. Bytes.
    pub month_bytes: u64,
    /// The limit of a month. Bytes.
    pub month_bytes_max: Option<u64>,
    /// What waits for the next day or month: `nothing`, `backlog`, or `all_but_alarms`.
    pub waits: String,
}

/// A failure and its cure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// Its kind, as in the counters.
    pub kind: String,
    /// In words, with the causes.
    pub what: String,
    /// What to do next.
    pub cure: String,
    /// How long ago. ms.
    pub ms_ago: u64,
}
