//! What is not done, and why: one code, one status and one next step each. All of them are counted.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use batch::OpenError;
use serde::Serialize;

use crate::box_keys::BoxKeyError;
use crate::store::{AcceptError, Refused, StoreError};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:ident, $next:literal;)*) => {
        /// Why a request was refused; the text stands in the answer and in the counts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($(#[$doc])* $name),* }

        impl Code {
            const ALL: &[Code] = &[$(Code::$name),*];

            fn as_str(self) -> &'static str { match self { $(Code::$name => $text),* } }
            fn status(self) -> StatusCode { match self { $(Code::$name => StatusCode::$status),* } }
            fn next(self) -> &'static str { match self { $(Code::$name => $next),* } }
        }
    };
}

codes! {
    /// The box of the path is not enrolled.
    UnknownBox = "unknown_box", FORBIDDEN,
        "enrol the box: by a code (`weir platform invite BOX`), or with the lines of `weir identity` in platform.toml";
    /// No code waits for this box, or another.
    NotInvited = "not_invited", FORBIDDEN,
        "ask for a new code: `weir platform invite BOX` beside the platform; it is of use once, for that box, for its time";
    /// The code was used by another key.
    AlreadyUsed = "code_used", CONFLICT,
        "ask who used the code; for a new key of this box ask for a new code";
    /// The box is in the configuration, which no code overrules.
    BoxConfigured = "box_configured", CONFLICT,
        "take the [[box]] out of platform.toml and restart, or put the box's new key there";
    /// Not an enrolment in the one form of `batch.cddl`.
    BadEnrolment = "bad_enrolment", BAD_REQUEST,
        "send an enrolment as batch.cddl describes it, signed by the key that it names";
    /// Signed, but not with the key this box was enrolled with.
    UnknownKey = "unknown_key", FORBIDDEN,
        "compare the key in platform.toml with `weir identity` on the box";
    /// Signed with a key that was revoked.
    KeyRevoked = "key_revoked", FORBIDDEN,
        "on the box, if nobody else has it: weir identity rotate --reason TEXT, then weir identity enroll by a new code of \
         this platform (`weir platform invite BOX`)";
    /// Not a change of a key in the one form of `batch.cddl`.
    BadStatement = "bad_statement", BAD_REQUEST,
        "send a key-change as batch.cddl describes it, signed by both keys that it names";
    /// The key handed over to another one before.
    KeySucceeded = "key_succeeded", CONFLICT,
        "somebody else may have the box's key: ask who, revoke it (`weir platform revoke`), and let the box in by a new code";
    /// The signature does not verify.
    BadSignature = "bad_signature", FORBIDDEN,
        "keep the bytes as evidence; send the batch as the box sealed it";
    /// The batch names another box than the path.
    BoxMismatch = "box_mismatch", FORBIDDEN,
        "send the batch to the path of the box that signed it";
    /// The id in the path is no batch id.
    BadId = "bad_id", BAD_REQUEST,
        "put the SHA-256 of the body into the path, as 64 lower-case hex digits";
    /// The id in the path is not the hash of the body.
    IdMismatch = "id_mismatch", BAD_REQUEST,
        "send the bytes that were sealed; they were cut or changed on the way";
    /// The id is that of a stored batch, the body is another.
    IdReused = "id_reused", CONFLICT,
        "the stored batch stays; send other bytes under their own id";
    /// Not a batch in the one form of `batch.cddl`.
    Malformed = "malformed", BAD_REQUEST,
        "cut the batch in two to find the record, park it, and report it against the program that signed it";
    /// A COSE artifact, but no batch.
    WrongType = "wrong_type", UNSUPPORTED_MEDIA_TYPE,
        "send a batch here";
    /// A batch of another format version.
    UnsupportedVersion = "unsupported_version", UNPROCESSABLE_ENTITY,
        "update this platform, or the box, so that both speak the same version";
    /// Larger than is read.
    TooLarge = "too_large", PAYLOAD_TOO_LARGE,
        "cut the batch in two, or raise body_bytes_max in platform.toml";
    /// The connection broke or stalled within the body.
    BodyIncomplete = "body_incomplete", BAD_REQUEST,
        "send the batch again";
    /// A checkpoint in the batch is not signed by this box.
    BadCheckpoint = "bad_checkpoint", BAD_REQUEST,
        "keep the batch as evidence, and send it without that checkpoint";
    /// Another row is stored under the same number (J1).
    Conflict = "conflict", CONFLICT,
        "the stored record stays; run `weir verify` on the box and ask who restored or changed its journal";
    /// Another root is stored for the same tree size (J1).
    Fork = "fork", CONFLICT,
        "the stored history stays; run `weir verify` on the box and ask who restored or changed its journal";
    /// The batch's tree does not continue one that is stored (J1).
    Inconsistent = "inconsistent", CONFLICT,
        "the stored history stays, keep this batch as evidence; run `weir verify` on the box and ask who restored or changed \
         its journal";
    /// No receipt could name what would be held.
    Scattered = "scattered", SERVICE_UNAVAILABLE,
        "deliver the oldest records first, then this batch again";
    /// Disk or configured size used up.
    StoreFull = "store_full", INSUFFICIENT_STORAGE,
        "free space or raise store_bytes_max in platform.toml; the box keeps the batch and tries again";
    /// The database failed.
    StoreFailed = "store_failed", SERVICE_UNAVAILABLE,
        "try again; if it lasts, see the platform's log";
    /// Too much at once.
    Busy = "busy", SERVICE_UNAVAILABLE,
        "try again in a moment";
    /// No or a wrong token.
    Unauthorized = "unauthorized", UNAUTHORIZED,
        "send `Authorization: Bearer ...` with the read_token of platform.toml";
    /// A parameter that does not fit.
    BadQuery = "bad_query", BAD_REQUEST,
        "see /openapi.json for the parameters";
    /// What was asked for is not held.
    NotFound = "not_found", NOT_FOUND,
        "list what is held: /v1/boxes, /v1/boxes/{box}/batches";
    /// No such path.
    NoRoute = "no_route", NOT_FOUND,
        "see /openapi.json for the paths";
    /// No such method on this path.
    NoMethod = "no_method", METHOD_NOT_ALLOWED,
        "see /openapi.json for the methods";
}

impl Code {
    /// Seconds after which the same request may succeed, where nothing but time or a person's help is needed.
    fn retry_after_seconds(self) -> Option<u16> {
        match self {
            Code::Busy => Some(1),
            Code::StoreFailed => Some(30),
            Code::Scattered => Some(60),
            Code::StoreFull => Some(300),
            _ => None,
        }
    }
}

/// A request that is not done.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) message: String,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
    next: &'a str,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into() }
    }

    /// With an error and all its causes as the message.
    pub(crate) fn caused(code: Code, error: &dyn Error) -> Refusal {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Refusal { code, message }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Refusal { code, message } = self;
        let body = Body { code: code.as_str(), message: &message, next: code.next() };
        let mut response = (code.status(), Json(body)).into_response();
        if let Some(seconds) = code.retry_after_seconds() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if code == Code::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<&OpenError> for Code {
    fn from(error: &OpenError) -> Code {
        match error {
            OpenError::TooLarge { .. } => Code::TooLarge,
            OpenError::WrongArtifact { .. } => Code::WrongType,
            OpenError::OtherId { .. } => Code::IdMismatch,
            OpenError::UnknownKey { .. } => Code::UnknownKey,
            OpenError::BadSignature { .. } => Code::BadSignature,
            OpenError::UnsupportedVersion { .. } => Code::UnsupportedVersion,
            OpenError::Envelope { .. }
            | OpenError::Decompress { .. }
            | OpenError::Payload { .. }
            | OpenError::NotCanonical { .. }
            | OpenError::Inconsistent(_) => Code::Malformed,
        }
    }
}

impl From<&BoxKeyError> for Code {
    fn from(error: &BoxKeyError) -> Code {
        match error {
            BoxKeyError::Statement(OpenError::BadSignature { .. }) => Code::BadSignature,
            BoxKeyError::Statement(OpenError::TooLarge { .. }) => Code::TooLarge,
            BoxKeyError::Statement(_) => Code::BadStatement,
            BoxKeyError::OtherName(_) => Code::BoxMismatch,
            BoxKeyError::Unknown { .. } => Code::UnknownKey,
            BoxKeyError::Succeeded { .. } => Code::KeySucceeded,
            BoxKeyError::Revoked { .. } => Code::KeyRevoked,
            BoxKeyError::TooMany(_) => Code::StoreFull,
            BoxKeyError::Future(_) | BoxKeyError::Reason | BoxKeyError::Key(_) | BoxKeyError::File { .. } => {
                Code::StoreFailed
            }
        }
    }
}

impl From<BoxKeyError> for Refusal {
    fn from(error: BoxKeyError) -> Refusal {
        Refusal::caused(Code::from(&error), &error)
    }
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Refusal {
        Refusal::caused(Code::from(&error), &error)
    }
}

impl From<AcceptError> for Refusal {
    fn from(error: AcceptError) -> Refusal {
        let code = match &error {
            AcceptError::Refused(Refused::Conflict { .. }) => Code::Conflict,
            AcceptError::Refused(Refused::Fork { .. }) => Code::Fork,
            AcceptError::Refused(Refused::Inconsistent { .. }) => Code::Inconsistent,
            AcceptError::Refused(Refused::Number { .. }) => Code::Malformed,
            AcceptError::Scattered { .. } => Code::Scattered,
            AcceptError::Full(_) => Code::StoreFull,
            AcceptError::Failed(_) | AcceptError::Closed => Code::StoreFailed,
            AcceptError::Busy { .. } => Code::Busy,
        };
        Refusal::caused(code, &error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        Refusal::caused(Code::StoreFailed, &error)
    }
}

/// How often each code was given since the start.
#[derive(Debug)]
pub(crate) struct Counters(Vec<AtomicU64>);

impl Counters {
    pub(crate) fn new() -> Counters {
        Counters(Code::ALL.iter().map(|_| AtomicU64::new(0)).collect())
    }

    /// Counts, and logs the 1st, 2nd, 4th, 8th ... of a code: whoever sends rubbish cannot fill the log with it.
    pub(crate) fn count(&self, refusal: &Refusal, path: &str) {
        let code = refusal.code;
        let count = self.0[code as usize].fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if count.is_power_of_two() {
            let path: String = path.chars().take(200).collect();
            log::warn!(code = code.as_str(), count, path = path.as_str(); "refused: {}", refusal.message);
        }
    }

    /// The codes that were given at all.
    pub(crate) fn by_code(&self) -> BTreeMap<&'static str, u64> {
        let counts = Code::ALL.iter().zip(&self.0).map(|(code, count)| (code.as_str(), count.load(Ordering::Relaxed)));
        counts.filter(|(_, count)| *count > 0).collect()
    }
}
