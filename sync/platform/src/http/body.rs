//! The body of an upload: read whole, within a bound and a time.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};

use super::refusal::{Code, Refusal};

/// How long a body may take: the largest at some 14 kB/s.
const READ_TIME: Duration = Duration::from_secs(300);
/// How much of a refused body is read and thrown away, so that a client that writes before it reads sees its refusal.
const DRAIN_BYTES_MAX: usize = 16 << 20;
/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Reads a body of at most `bytes_max` bytes.
pub(super) async fn read(body: &mut Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    let too_large =
        || Refusal::new(Code::TooLarge, format!("the body is larger than body_bytes_max, {bytes_max} bytes"));
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > bytes_max {
        return Err(too_large());
    }
    let mut read = BytesMut::with_capacity(announced);
    let all = async {
        while let Some(part) = next(body).await? {
            if part.len() > bytes_max - read.len() {
                return Err(too_large());
            }
            read.extend_from_slice(&part);
        }
        Ok(())
    };
    let slow = || Refusal::new(Code::BodyIncomplete, format!("the body did not arrive within {READ_TIME:?}"));
    tokio::time::timeout(READ_TIME, all).await.map_err(|_| slow())??;
    Ok(read.freeze())
}

/// Reads a body for nothing.
pub(super) async fn drain(body: &mut Body) {
    let mut drained = 0;
    let all = async {
        while drained < DRAIN_BYTES_MAX
            && let Ok(Some(part)) = next(body).await
        {
            drained += part.len();
        }
    };
    // What is still coming then is cut off with the connection.
    drop(tokio::time::timeout(DRAIN_TIME, all).await);
}

/// The next part; `None` at the end. Trailers are none of ours and are skipped.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(part) = frame.into_data() {
                    return Ok(Some(part));
                }
            }
            Some(Err(error)) => return Err(Refusal::caused(Code::BodyIncomplete, &error)),
        }
    }
}
