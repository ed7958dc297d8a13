//! What a platform's answer means.

use batch::{BatchId, BoxId, OpenError, PublicKey, Receipt};
use delivery::Transient;
use record::SeqRanges;
use serde::Deserialize;

/// Longest text of an answer that is kept, in characters.
const WORDS_MAX: usize = 300;

/// The outcome of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A receipt that the pinned key signed, for this batch.
    Receipt {
        /// As it was signed.
        bytes: Vec<u8>,
        /// Every record that the platform says it holds.
        holds: SeqRanges,
        /// What it orders of the box, signed by itself.
        command: Option<Vec<u8>>,
        /// What the platform says that it needed from the last byte of the batch on; 0 if it says nothing. ms.
        own_ms: u64,
    },
    /// These bytes will never be taken.
    Refused {
        /// What the platform said.
        why: String,
    },
    /// The platform knows the box, and not the key that signed: it may have changed.
    StrangeKey {
        /// What the platform said.
        what: String,
    },
    /// A receipt, by a key that is none of the platform's known ones: it may have changed.
    StrangeReceipt {
        /// As it was signed.
        bytes: Vec<u8>,
        /// In words.
        what: String,
    },
    /// Another try may succeed.
    Failed {
        /// The cause.
        why: Transient,
        /// How long the platform asks to be left alone. ms.
        retry_after_ms: Option<u64>,
        /// In words.
        what: String,
    },
}

impl Answer {
    fn taking(mut self, ms: u64) -> Answer {
        if let Answer::Receipt { own_ms, .. } = &mut self {
            *own_ms = ms;
        }
        self
    }

    /// The answer, where nothing is to be learned of a key that is not known.
    #[must_use]
    pub fn settled(self) -> Answer {
        let failed = |why, what| Answer::Failed { why, retry_after_ms: None, what };
        match self {
            Answer::StrangeKey { what } => failed(Transient::NotEnrolled, what),
            Answer::StrangeReceipt { what, .. } => failed(Transient::Unverified, what),
            answer => answer,
        }
    }
}

/// What the receipt must be about.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The platform's: the pinned one first, then those that took its place, each by the word of the one before.
    pub keys: Vec<PublicKey>,
    /// Whose batch.
    pub box_id: BoxId,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Raw {
    /// Of HTTP.
    pub status: u16,
    /// The header of that name.
    pub retry_after: Option<String>,
    /// The header of that name.
    pub server_timing: Option<String>,
    /// Bounded already.
    pub body: Vec<u8>,
}

/// A refusal in the platform's own form.
#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
    #[serde(default)]
    next: String,
}

impl Expected {
    /// What an answer to this batch means.
    pub fn judge(&self, id: BatchId, raw: Raw) -> Answer {
        let refusal: Option<Refusal> = serde_json::from_slice(&raw.body).ok();
        // A body that broke on the way is the platform's 400, but says nothing about the bytes that we hold.
        let is = |code: &str| refusal.as_ref().is_some_and(|refusal| refusal.code == code);
        let is_cut_off = is("body_incomplete");
        let why = match raw.status {
            200 | 201 => return self.verify(id, raw.body).taking(stored_in_ms(raw.server_timing.as_deref())),
            400 if is_cut_off => Transient::Broken,
            400 | 409 | 413 | 415 | 422 => return Answer::Refused { why: words(raw.status, refusal, &raw.body) },
            403 if is("unknown_key") => return Answer::StrangeKey { what: words(raw.status, refusal, &raw.body) },
            403 if is("key_revoked") => Transient::Revoked,
            401 | 403 => Transient::NotEnrolled,
            408 => Transient::TimedOut,
            429 | 503 | 507 => Transient::Overloaded,
            _ => Transient::Faulty,
        };
        // Dates are not read: a box without a clock cannot compare them.
        let seconds = raw.retry_after.and_then(|text| text.trim().parse::<u64>().ok());
        let retry_after_ms = seconds.map(|seconds| seconds.saturating_mul(1_000));
        Answer::Failed { why, retry_after_ms, what: words(raw.status, refusal, &raw.body) }
    }

    /// Whether these bytes are a receipt for this batch. One that was given before a change of the platform's key stays one.
    pub(crate) fn verify(&self, id: BatchId, bytes: Vec<u8>) -> Answer {
        let unverified = |what: String| Answer::Failed { why: Transient::Unverified, retry_after_ms: None, what };
        match Receipt::verify_by(&bytes, &self.keys) {
            Err(error @ OpenError::UnknownKey { .. }) => {
                let what = control::chain(&error);
                Answer::StrangeReceipt { bytes, what }
            }
            Err(error) => unverified(control::chain(&error)),
            Ok(receipt) if receipt.batch != id || receipt.box_id != self.box_id => {
                unverified(format!("the receipt is for batch {} of box {}", receipt.batch, receipt.box_id))
            }
            Ok(receipt) => {
                let command = receipt.command.map(Vec::from);
                Answer::Receipt { bytes, holds: receipt.holds, command, own_ms: 0 }
            }
        }
    }
}

/// From `cache;desc="…", store;dur=53.2` (W3C Server Timing, §3): what the metric `store` took, 0 if nothing of it can be read. ms.
fn stored_in_ms(server_timing: Option<&str>) -> u64 {
    let metrics = server_timing.unwrap_or_default().split(',');
    let mut store = metrics.map(|metric| metric.split(';').map(str::trim)).filter_map(|mut metric| {
        let is_store = metric.next() == Some("store");
        metric.filter_map(|parameter| parameter.strip_prefix("dur=")).next().filter(|_| is_store)
    });
    let whole_ms = store.next().and_then(|dur| dur.split('.').next());
    whole_ms.and_then(|ms| ms.parse().ok()).unwrap_or(0)
}

/// A refusal of something else than a batch, in words.
pub(crate) fn words_of(status: u16, body: &[u8]) -> String {
    words(status, serde_json::from_slice(body).ok(), body)
}

/// Printable and short: it goes to logs and screens.
fn words(status: u16, refusal: Option<Refusal>, body: &[u8]) -> String {
    let told = match refusal {
        Some(Refusal { code, message, next }) if next.is_empty() => format!("{code}: {message}"),
        Some(Refusal { code, message, next }) => format!("{code}: {message} · try: {next}"),
        None => String::from_utf8_lossy(&body[..body.len().min(4 * WORDS_MAX)]).into_owned(),
    };
    let printable = told.chars().map(|c| if c.is_control() { ' ' } else { c });
    let told: String = printable.take(WORDS_MAX).collect();
    if told.trim().is_empty() { format!("HTTP {status}") } else { format!("HTTP {status} {}", told.trim()) }
}

/// What a person can do about a cause.
pub(crate) fn cure(why: Transient) -> &'static str {
    match why {
        Transient::Unreachable => "check the link, and the url in sync.toml",
        Transient::Untrusted => {
            "compare ca_file in sync.toml with the platform's certificate, and the box's clock with the time"
        }
        Transient::Broken | Transient::TimedOut => "nothing; it is tried again. If it lasts, check the signal",
        Transient::Overloaded => "nothing; it is tried again. If it lasts, tell the platform's operator",
        Transient::Faulty => "check the url in sync.toml, then tell the platform's operator",
        Transient::NotEnrolled => "give the platform's operator the lines that weir identity prints",
        Transient::Revoked => {
            "if nobody else has this box: sudo weir identity rotate --reason TEXT, then ask the platform for a code: sudo weir \
             identity enroll URL CODE"
        }
        Transient::Unverified => "compare key in sync.toml with the platform's own public key",
        Transient::Unreadable => "weir verify",
        Transient::ParkingFull => "weir sync parked",
        Transient::Short => "tell the platform's operator: its receipts do not hold what was sent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use batch::{PlatformId, SigningKey, TreeHead};
    use record::merkle::Hash;
    use record::{Seq, SeqRange, UnixMs};

    const ID: BatchId = BatchId([7; 32]);

    fn expected() -> Expected {
        Expected { keys: vec![SigningKey::from_seed(&[1; 32]).public()], box_id: BoxId::new("box").unwrap() }
    }

    fn receipt(box_id: &str, batch: BatchId, seed: u8) -> Vec<u8> {
        let receipt = Receipt {
            platform: PlatformId::new("city").unwrap(),
            box_id: BoxId::new(box_id).unwrap(),
            batch,
            holds: [SeqRange { first: Seq(0), last: Seq(4) }].into_iter().collect(),
            head: TreeHead { size: 5, root: Hash([0; 32]) },
            received_ms: UnixMs(0),
            command: None,
            left_out: SeqRanges::new(),
        };
        receipt.sign(&SigningKey::from_seed(&[seed; 32]))
    }

    fn judge(status: u16, retry_after: Option<&str>, body: &[u8]) -> String {
        let retry_after = retry_after.map(str::to_owned);
        let raw = Raw { status, retry_after, server_timing: None, body: body.to_vec() };
        match expected().judge(ID, raw) {
            Answer::Receipt { holds, .. } => format!("receipt {:?}", holds.iter().collect::<Vec<_>>()),
            Answer::Refused { why } => format!("refused: {why}"),
            Answer::StrangeKey { what } => format!("strange key: {what}"),
            strange @ Answer::StrangeReceipt { .. } => match strange.settled() {
                Answer::Failed { why, what, .. } => format!("{} -: {what}", why.as_str()),
                other => format!("{other:?}"),
            },
            Answer::Failed { why, retry_after_ms, what } => {
                format!("{} {}: {what}", why.as_str(), retry_after_ms.map_or("-".into(), |ms| ms.to_string()))
            }
        }
    }

    #[test]
    fn only_the_pinned_keys_receipt_for_this_batch_is_one() {
        assert_eq!(judge(201, None, &receipt("box", ID, 1)), "receipt [0-4]");
        assert_eq!(judge(200, None, &receipt("box", ID, 1)), "receipt [0-4]");
        for body in [receipt("box", ID, 2), receipt("cox", ID, 1), receipt("box", BatchId([8; 32]), 1), b"ok".to_vec()]
        {
            let told = judge(201, None, &body);
            assert!(told.starts_with("receipt_unverified -: "), "{told}");
        }
        let mut flipped = receipt("box", ID, 1);
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        assert!(judge(201, None, &flipped).starts_with("receipt_unverified"));
    }

    #[test]
    fn a_platform_may_tell_what_of_the_time_was_its_own() {
        for (header, ms) in [
            ("store;dur=812", 812),
            ("cache;desc=\"a, b\";dur=1, store;dur=53.9", 53),
            ("store;desc=disk;dur=7", 7),
            ("restore;dur=7", 0),
            ("store", 0),
            ("store;dur=-3", 0),
            ("store;dur=soon", 0),
            ("store;dur=99999999999999999999999", 0),
        ] {
            let server_timing = Some(header.to_owned());
            let raw = Raw { status: 201, retry_after: None, server_timing, body: receipt("box", ID, 1) };
            let Answer::Receipt { own_ms, .. } = expected().judge(ID, raw) else { panic!("{header}") };
            assert_eq!(own_ms, ms, "{header}");
        }
    }

    #[test]
    fn every_status_has_its_meaning() {
        let refusal = br#"{"code":"conflict","message":"another row","next":"weir verify"}"#;
        assert_eq!(judge(409, None, refusal), "refused: HTTP 409 conflict: another row · try: weir verify");
        assert_eq!(judge(400, None, b"no\x1b[31m\nbatch"), "refused: HTTP 400 no [31m batch");
        assert!(judge(413, None, b"").starts_with("refused"));
        assert!(judge(415, None, b"").starts_with("refused"));
        assert!(judge(422, None, b"").starts_with("refused"));
        let cut_off = br#"{"code":"body_incomplete","message":"stalled"}"#;
        assert_eq!(judge(400, None, cut_off), "broken -: HTTP 400 body_incomplete: stalled");
        assert_eq!(judge(503, Some("30"), b""), "overloaded 30000: HTTP 503");
        assert_eq!(judge(429, Some("Fri, 31 Dec 1999 23:59:59 GMT"), b""), "overloaded -: HTTP 429");
        assert_eq!(judge(507, None, b""), "overloaded -: HTTP 507");
        assert_eq!(judge(403, None, b""), "not_enrolled -: HTTP 403");
        assert_eq!(judge(401, None, b""), "not_enrolled -: HTTP 401");
        let strange = br#"{"code":"unknown_key","message":"no key 12"}"#;
        assert_eq!(judge(403, None, strange), "strange key: HTTP 403 unknown_key: no key 12");
        let revoked = br#"{"code":"key_revoked","message":"stolen"}"#;
        assert_eq!(judge(403, None, revoked), "key_revoked -: HTTP 403 key_revoked: stolen");
        for status in [204, 301, 404, 405, 500, 502] {
            assert_eq!(judge(status, None, b""), format!("faulty -: HTTP {status}"));
        }
        assert_eq!(judge(500, None, &vec![b'x'; 100_000]).len(), "faulty -: HTTP 500 ".len() + WORDS_MAX);
    }
}
