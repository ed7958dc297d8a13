//! One `[[destination]]`.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use batch::{PlatformId, PublicKey};
use delivery::Date;
use jiff::Timestamp;
use jiff::tz::Offset;
use record::UnixMs;
use reqwest::Url;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Within;
use crate::Filter;

/// A far end, how it is trusted and how hard it is tried.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DestinationConfig {
    /// Its name in logs, status and outbox. Under another name it gets everything again.
    pub name: PlatformId,
    /// Whether it is served; what it holds is remembered either way.
    #[serde(default = "enabled_default")]
    pub enabled: bool,
    /// Where its API begins; `v1/boxes/…` is appended.
    #[serde(deserialize_with = "https")]
    pub url: BaseUrl,
    /// The certificates, PEM, that its TLS certificate must be signed by, or be. No other is trusted.
    pub ca_file: PathBuf,
    /// A certificate, PEM, that the box shows to a platform which asks for one, its own first; its batches are signed
    /// with the box's key either way.
    #[serde(default)]
    pub client_cert: Option<PathBuf>,
    /// The private key of that certificate, PEM.
    #[serde(default)]
    pub client_key: Option<PathBuf>,
    /// The key that its receipts must be signed with: 64 hex digits.
    pub key: PublicKey,
    /// An HTTP proxy to go through; the environment is never asked.
    #[serde(default)]
    pub proxy: Option<BaseUrl>,
    /// How much may be under way.
    #[serde(default)]
    pub windows: Windows,
    /// How records become batches.
    #[serde(default)]
    pub batch: BatchLimits,
    /// How long is long.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Waiting after a failure.
    #[serde(default)]
    pub backoff: Backoff,
    /// How much a metered link may carry.
    #[serde(default)]
    pub budget: Budget,
    /// Which records it gets.
    #[serde(default)]
    pub filter: Filter,
}

/// Batches that are cut and not yet receipted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Windows {
    /// Live and backlog batches.
    pub routine: Within<1, 64>,
    /// Alarm batches, which take no place of the others.
    pub alarm: Within<1, 64>,
    /// Live batches in a row before the backlog has its turn.
    pub live_run: Within<1, 1_000>,
}

/// How records become batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchLimits {
    /// Most records in one batch.
    pub records_max: Within<1, 100_000>,
    /// Most canonical bytes of records read for one batch; it is cut after the record that reaches them. A link that
    /// carries less, or breaks, gets smaller ones.
    pub bytes_max: Within<4_096, 2_097_152>,
    /// How long a live record waits for company. ms.
    pub linger_ms: Within<0, 3_600_000>,
    /// How many of the newest records are live; older ones are backlog.
    pub live_records: Within<1, 1_000_000>,
    /// Most records put aside that the platform refused; beyond them it is asked again, seldom, until there is room.
    pub parked_max: Within<1, 1_000_000>,
}

/// How long is long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// Name lookup, TCP and TLS. ms.
    pub connect_ms: Within<100, 300_000>,
    /// From the request to the end of the answer, apart from the time that the bytes need; less where answers are known to
    /// be quicker. ms.
    pub answer_ms: Within<100, 3_600_000>,
    /// How long nothing may move while a batch is sent or an answer received. ms.
    pub progress_ms: Within<100, 300_000>,
    /// Whether a small batch whose answer is late is sent a second time beside the first.
    pub hedge: bool,
    /// The slowest link that is not yet called broken. Bytes per second.
    pub bytes_per_s_min: Within<10, 1_000_000_000>,
    /// How long an idle connection is kept. ms.
    pub idle_ms: Within<0, 3_600_000>,
}

/// Waiting after a failure, with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// Longest first wait. ms.
    pub base_ms: Within<1, 3_600_000>,
    /// Longest wait, whatever the destination asks for. ms.
    pub ceiling_ms: Within<10, 86_400_000>,
}

/// How much a metered link may carry; without a number as much as there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// In a day. Megabytes, of a million bytes.
    pub day_mb: Option<Within<1, 1_000_000>>,
    /// In a calendar month. Megabytes.
    pub month_mb: Option<Within<1, 1_000_000>>,
    /// Where days begin: minutes from UTC to the time of the place, -720 to 840.
    pub utc_offset_minutes: UtcOffset,
}

/// Minutes from UTC to the time of a place, east of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UtcOffset(i64);

impl UtcOffset {
    /// Beijing time.
    const DEFAULT: UtcOffset = UtcOffset(480);

    /// Minutes.
    pub(crate) fn minutes(self) -> i16 {
        i16::try_from(self.0).unwrap_or(0)
    }

    /// The day since 1970-01-01 and the minute since midnight there at a moment.
    pub(crate) fn local(self, at: UnixMs) -> Option<(i64, u16)> {
        let minutes = at.0.div_euclid(60_000).checked_add(self.0)?;
        let minute = u16::try_from(minutes.rem_euclid(24 * 60)).ok()?;
        Some((minutes.div_euclid(24 * 60), minute))
    }

    /// The date there at a moment.
    pub(crate) fn date(self, at: UnixMs) -> Option<Date> {
        let local_ms = at.0.checked_add(self.0 * 60_000)?;
        let date = Offset::UTC.to_datetime(Timestamp::from_millisecond(local_ms).ok()?).date();
        let month = (i64::from(date.year()) - 1970) * 12 + i64::from(date.month()) - 1;
        Some(Date { day: local_ms.div_euclid(86_400_000), month })
    }
}

impl Default for UtcOffset {
    fn default() -> UtcOffset {
        UtcOffset::DEFAULT
    }
}

impl<'de> Deserialize<'de> for UtcOffset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<UtcOffset, D::Error> {
        match i64::deserialize(deserializer)? {
            minutes @ -720..=840 => Ok(UtcOffset(minutes)),
            minutes => Err(D::Error::custom(format!("{minutes} is out of range: use -720 to 840"))),
        }
    }
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { day_mb: None, month_mb: None, utc_offset_minutes: UtcOffset::DEFAULT }
    }
}

impl Default for Windows {
    fn default() -> Windows {
        let core = delivery::Config::default();
        Windows {
            routine: Within::nearest(core.window.get().into()),
            alarm: Within::nearest(core.alarm_window.get().into()),
            live_run: Within::nearest(core.live_run_max.get().into()),
        }
    }
}

impl Default for BatchLimits {
    fn default() -> BatchLimits {
        let core = delivery::Config::default();
        BatchLimits {
            records_max: Within::nearest(core.records_max.get().into()),
            bytes_max: Within::nearest(core.bytes_max.get()),
            linger_ms: Within::nearest(core.live_linger_ms),
            live_records: Within::nearest(core.live_window.get()),
            parked_max: Within::nearest(core.parked_max.get()),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        let core = delivery::Config::default();
        Timeouts {
            connect_ms: Within::nearest(15_000),
            progress_ms: Within::nearest(20_000),
            hedge: core.hedge,
            answer_ms: Within::nearest(core.answer_timeout_ms),
            bytes_per_s_min: Within::nearest(core.bytes_per_s_min.get().into()),
            idle_ms: Within::nearest(90_000),
        }
    }
}

impl Default for Backoff {
    fn default() -> Backoff {
        let core = delivery::Backoff::default();
        Backoff { base_ms: Within::nearest(core.base_ms), ceiling_ms: Within::nearest(core.ceiling_ms) }
    }
}

impl DestinationConfig {
    /// What its core is told.
    pub fn delivery(&self) -> delivery::Config {
        delivery::Config {
            records_max: count(self.batch.records_max),
            bytes_max: NonZeroU64::new(self.batch.bytes_max.get()).unwrap_or(NonZeroU64::MIN),
            live_window: NonZeroU64::new(self.batch.live_records.get()).unwrap_or(NonZeroU64::MIN),
            parked_max: NonZeroU64::new(self.batch.parked_max.get()).unwrap_or(NonZeroU64::MIN),
            live_linger_ms: self.batch.linger_ms.get(),
            live_run_max: count(self.windows.live_run),
            window: count(self.windows.routine),
            alarm_window: count(self.windows.alarm),
            answer_timeout_ms: self.timeouts.answer_ms.get(),
            bytes_per_s_min: count(self.timeouts.bytes_per_s_min),
            hedge: self.timeouts.hedge,
            budget: delivery::Budget { day_bytes: bytes(self.budget.day_mb), month_bytes: bytes(self.budget.month_mb) },
            backoff: delivery::Backoff {
                base_ms: self.backoff.base_ms.get(),
                ceiling_ms: self.backoff.ceiling_ms.get(),
            },
        }
    }
}

fn bytes(megabytes: Option<Within<1, 1_000_000>>) -> Option<NonZeroU64> {
    megabytes.and_then(|megabytes| NonZeroU64::new(megabytes.get() * 1_000_000))
}

/// The ranges above lie within `1..=u32::MAX`, so nothing is lost.
fn count<const MIN: u64, const MAX: u64>(number: Within<MIN, MAX>) -> NonZeroU32 {
    u32::try_from(number.get()).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

fn enabled_default() -> bool {
    true
}

/// A URL without user, query and fragment, ending in `/`; `https://` for a destination, also `http://` for a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// Host and port to which a connection is made.
    pub fn endpoint(&self) -> (String, u16) {
        let host = self.0.host_str().unwrap_or_default();
        // An address of IPv6 stands in brackets in a URL, and nowhere else.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        (host.to_owned(), self.0.port_or_known_default().unwrap_or_default())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BaseUrl, D::Error> {
        let text = String::deserialize(deserializer)?;
        let refused = |why: &str| D::Error::custom(format!("`{text}` {why}"));
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return Err(refused("must begin with https://"));
        }
        let mut url = Url::parse(&text).map_err(|error| refused(&format!("is no URL: {error}")))?;
        let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !bare || url.password().is_some() {
            return Err(refused("must stand without query, fragment and user: https://host:port/path/"));
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(BaseUrl(url))
    }
}

fn https<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BaseUrl, D::Error> {
    let url = BaseUrl::deserialize(deserializer)?;
    match url.0.scheme() {
        "https" => Ok(url),
        _ => Err(D::Error::custom(format!("`{url}` must begin with https://: batches and receipts travel over TLS"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_the_places_midnight() {
        let date = |ms: i64| UtcOffset::DEFAULT.date(UnixMs(ms)).map(|date| (date.day, date.month));
        // date -u -d '2026-11-30 15:59:59' +%s; a second later it is December in Beijing.
        assert_eq!(date(1_796_054_399_000), Some((20_787, 682)));
        assert_eq!(date(1_796_054_400_000), Some((20_788, 683)));
        assert_eq!(date(i64::MAX), None);
        let local = |ms: i64| UtcOffset::DEFAULT.local(UnixMs(ms));
        assert_eq!((local(1_796_054_399_000), local(1_796_054_400_000)), (Some((20_787, 1_439)), Some((20_788, 0))));
    }
}
