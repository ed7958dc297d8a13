//! The body of an upload: read whole, within a bound and a time.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};

use super::refusal::{Code, Refusal};

/// How long a body may take: the largest at some 14 kB/s.
const READ_TIME: Duration = Duration::from_secs(300);
/// How long nothing of it may come: a box whose link broke without a word must not keep its place for the whole time.
const IDLE_TIME: Duration = Duration::from_secs(20);
/// How much of a refused body is read and thrown away, so that a client that writes before it reads sees its refusal.
const DRAIN_BYTES_MAX: usize = 16 << 20;
/// How long that may take.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Reads a body of at most `bytes_max` bytes.
pub(super) async fn read(body: &mut Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    read_within(body, bytes_max, IDLE_TIME).await
}

async fn read_within(body: &mut Body, bytes_max: usize, idle: Duration) -> Result<Bytes, Refusal> {
    let too_large =
        || Refusal::new(Code::TooLarge, format!("the body is larger than body_bytes_max, {bytes_max} bytes"));
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > bytes_max {
        return Err(too_large());
    }
    let mut read = BytesMut::with_capacity(announced);
    let silent = || Refusal::new(Code::BodyIncomplete, format!("nothing of the body came for {idle:?}"));
    let all = async {
        while let Some(part) = tokio::time::timeout(idle, next(body)).await.map_err(|_| silent())?? {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::task::{Context, Poll};

    use http_body::Frame;

    /// Gives one part, and then nothing, as a connection does whose other end is gone.
    struct Stalled(Option<Bytes>);

    impl HttpBody for Stalled {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.take().map_or(Poll::Pending, |part| Poll::Ready(Some(Ok(Frame::data(part)))))
        }
    }

    #[tokio::test]
    async fn a_body_of_which_nothing_more_comes_is_given_up() {
        let mut body = Body::new(Stalled(Some(Bytes::from_static(b"half"))));
        let reading = read_within(&mut body, 100, Duration::from_millis(20));
        let refusal = tokio::time::timeout(Duration::from_secs(20), reading).await.expect("long before READ_TIME");
        assert_eq!(refusal.expect_err("it is not whole").code, Code::BodyIncomplete);
    }
}
