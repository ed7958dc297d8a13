//! A byte stream with small buffers on both sides.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::packet::Header;

/// What a connection reads at once, and all that an idle one holds. Payloads are slices of it, so that some twenty
/// frames share one allocation.
const CHUNK_BYTES: usize = 4 * 1024;
/// Read and thrown away after a farewell, so that the system does not reset the connection before it is read.
const LINGER_BYTES_MAX: usize = 64 * 1024;

/// One client's stream and its buffers.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    /// Bytes received and not yet parsed.
    pub(crate) input: BytesMut,
    /// Bytes to be sent with the next [`Wire::flush`].
    pub(crate) output: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, input: BytesMut::new(), output: BytesMut::new() }
    }

    /// Reads what is there; 0 at the end of the stream. Cancel safe. Makes room for the packet that has begun, which
    /// the caller has found to be within the limits, else for a chunk.
    pub(crate) async fn read(&mut self) -> io::Result<usize> {
        if self.input.is_empty() && self.input.capacity() > 2 * CHUNK_BYTES {
            // A large packet is done with: give its room back.
            self.input = BytesMut::new();
        }
        let begun = Header::read(&self.input).ok().flatten().map_or(0, Header::packet_bytes);
        let missing = begun.saturating_sub(self.input.len());
        let room = self.input.capacity() - self.input.len();
        if room < missing.max(CHUNK_BYTES / 8) {
            self.input.reserve(missing.max(CHUNK_BYTES));
        }
        self.stream.read_buf(&mut self.input).await
    }

    /// Sends the output. Cancelled, it has sent a part and keeps the rest.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        while self.output.has_remaining() {
            if self.stream.write_buf(&mut self.output).await? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        if self.output.capacity() > 2 * CHUNK_BYTES {
            self.output = BytesMut::new();
        } else {
            self.output.clear();
        }
        self.stream.flush().await
    }

    /// Sends the output, says that nothing follows, and waits for the client to close, all within `limit`.
    pub(crate) async fn farewell(mut self, limit: Duration) {
        let last_words = async {
            self.flush().await?;
            self.stream.shutdown().await?;
            let mut drained = 0;
            let mut bin = [0; 512];
            while drained < LINGER_BYTES_MAX {
                match self.stream.read(&mut bin).await? {
                    0 => break,
                    n => drained += n,
                }
            }
            io::Result::Ok(())
        };
        // The connection is over either way; nobody is left to be told.
        let _ = timeout(limit, last_words).await;
    }
}
