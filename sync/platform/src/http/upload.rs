//! `PUT /v1/boxes/{box}/batches/{id}`: verify, store, answer with the receipt.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use batch::{Batch, BatchId, BoxId, Checkpoint, Lineage, OpenError, PublicKey};
use bytes::Bytes;
use record::UnixMs;
use tokio::sync::{OwnedSemaphorePermit, TryAcquireError};

use super::refusal::{Code, Refusal};
use super::{App, COSE, body};
use crate::box_keys::{self, BoxKeyError};
use crate::store::{Accepted, Delivery};

/// Most checkpoints in one batch: one travels with each cut, more only after a long break.
const CHECKPOINTS_MAX: usize = 1000;

pub(super) async fn put(
    State(app): State<Arc<App>>,
    Path((box_id, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    match receive(&app, &box_id, &id, &mut body).await {
        Ok((Accepted::Stored { receipt }, took)) => (StatusCode::CREATED, COSE, timing(took), receipt).into_response(),
        Ok((Accepted::Repeated { receipt }, took)) => {
            app.repeated.fetch_add(1, Ordering::Relaxed);
            (StatusCode::OK, COSE, timing(took), receipt).into_response()
        }
        Err(refusal) => {
            body::drain(&mut body).await;
            app.refused.count(&refusal, &path);
            refusal.into_response()
        }
    }
}

/// What of the time was this platform's own (`Server-Timing`, W3C), so that the box knows what was the link's.
fn timing(took: Duration) -> [(HeaderName, String); 1] {
    [(HeaderName::from_static("server-timing"), format!("store;dur={}", took.as_millis()))]
}

/// What became of the batch, and how long that took from its last byte on.
async fn receive(app: &Arc<App>, box_id: &str, id: &str, body: &mut Body) -> Result<(Accepted, Duration), Refusal> {
    // Who is not enrolled costs no memory.
    let unknown = || Refusal::new(Code::UnknownBox, "the box of the path is not enrolled here");
    let (box_id, keys) = BoxId::new(box_id)
        .ok()
        .and_then(|box_id| app.enrolments.keys(&box_id).map(|keys| (box_id, keys)))
        .ok_or_else(unknown)?;
    let id: BatchId = id.parse().map_err(|error| Refusal::caused(Code::BadId, &error))?;
    let uploading = app.uploads.try_acquire().map_err(|full| match full {
        TryAcquireError::NoPermits | TryAcquireError::Closed => {
            Refusal::new(Code::Busy, format!("{} uploads are under way", super::UPLOADS_MAX))
        }
    })?;
    let bytes = body::read(body, app.body_bytes_max).await?;
    let whole = Instant::now();
    let opening = Arc::clone(&app.opening).acquire_owned().await;
    let opening = opening.map_err(|_| Refusal::new(Code::Busy, "the platform stops"))?;
    let (delivery, opening) = open(app, box_id, keys, id, bytes, opening).await?;
    let accepted = app.store.accept(delivery).await?;
    drop((opening, uploading));
    Ok((accepted, whole.elapsed()))
}

/// Verifies off the async workers: hashing, signatures and decompression take milliseconds.
async fn open(
    app: &Arc<App>,
    box_id: BoxId,
    keys: Lineage,
    id: BatchId,
    bytes: Bytes,
    opening: OwnedSemaphorePermit,
) -> Result<(Delivery, OwnedSemaphorePermit), Refusal> {
    let received_ms = now();
    let app = Arc::clone(app);
    // The permit moves along: a client that hangs up must not let in another while this one still holds memory.
    let verify = move || -> Result<(Delivery, OwnedSemaphorePermit), Refusal> {
        let mut signed_with = None;
        let opened = Batch::open(&bytes, Some(&id), |kid| {
            signed_with = keys.heir(kid).filter(|heir| heir.by.is_some()).map(|heir| heir.key);
            signed_with
        });
        let batch = match opened {
            Err(OpenError::OtherId { found, .. }) if app.store.archive().receipt(&box_id, &id)?.is_some() => {
                let message = format!("batch {id} is stored with other bytes; these are those of {found}");
                return Err(Refusal::new(Code::IdReused, message));
            }
            opened => opened?,
        };
        if batch.box_id != box_id {
            let message = format!("the batch is of box {}, the path of box {box_id}", batch.box_id);
            return Err(Refusal::new(Code::BoxMismatch, message));
        }
        let unknown = || Refusal::new(Code::UnknownKey, "the batch names no key");
        let key = signed_with.ok_or_else(unknown)?;
        refuse_revoked(&app, &box_id, &key, &id)?;
        let checkpoints = verify_checkpoints(&batch, &key)?;
        let archive = app.store.archive();
        let command = app.commands.next(&box_id, |command| archive.is_commanded(&box_id, command));
        Ok((Delivery { id, bytes, batch, checkpoints, received_ms, command }, opening))
    };
    let verified = tokio::task::spawn_blocking(verify).await;
    verified.map_err(|error| Refusal::caused(Code::StoreFailed, &error))?
}

/// What is stored stays, and its receipt is given again.
fn refuse_revoked(app: &App, box_id: &BoxId, key: &PublicKey, id: &BatchId) -> Result<(), Refusal> {
    let Some(revoked) = box_keys::revocation(app.enrolments.state(), box_id, key.id())? else { return Ok(()) };
    if app.store.archive().receipt(box_id, id)?.is_some() {
        return Ok(());
    }
    let (box_id, key, reason) = (box_id.clone(), key.id(), revoked.reason);
    Err(BoxKeyError::Revoked { box_id, key, reason }.into())
}

fn verify_checkpoints(batch: &Batch, key: &PublicKey) -> Result<Vec<(Checkpoint, Vec<u8>)>, Refusal> {
    let count = batch.checkpoints.len();
    if count > CHECKPOINTS_MAX {
        let message = format!("the batch has {count} checkpoints, at most {CHECKPOINTS_MAX} are taken");
        return Err(Refusal::new(Code::BadCheckpoint, message));
    }
    let verified = batch.checkpoints.iter().map(|bytes| {
        let checkpoint =
            Checkpoint::verify(bytes, key).map_err(|error| Refusal::caused(Code::BadCheckpoint, &error))?;
        if checkpoint.box_id != batch.box_id {
            let message = format!("a checkpoint of box {} came with box {}", checkpoint.box_id, batch.box_id);
            return Err(Refusal::new(Code::BadCheckpoint, message));
        }
        Ok((checkpoint, bytes.clone()))
    });
    verified.collect()
}

/// This platform's wall clock.
pub(super) fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
