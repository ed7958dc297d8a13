//! The answering side, in the daemon's runtime.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::onlooker::{onlooker, refused};
use crate::{CONNECTIONS_MAX, IDLE_SECONDS_MAX, LINE_BYTES_MAX};

/// Owner and group may ask.
const SOCKET_MODE: u32 = 0o660;
/// After an accept error (out of descriptors) the loop rests instead of spinning.
const ACCEPT_PAUSE_MS: u64 = 50;

/// Who asks: the number that the kernel knows of that user; none where it does not say.
pub type Uid = Option<u32>;

/// Why the socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another daemon answers there.
    #[error("another daemon answers at `{path}` · try: systemctl status weir-gateway weir-sync")]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// It cannot be made.
    #[error("failed to open control socket `{path}` · try: check owner and rights of its directory")]
    Bind {
        /// The socket.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Opens the socket and answers with `handle` for as long as the returned future is polled. A socket file that a killed
/// daemon left behind is replaced; one that answers is not.
///
/// # Errors
/// [`ControlError`], before the future is returned.
pub fn serve<H>(path: &Path, handle: H) -> Result<impl Future<Output = ()> + Send + use<H>, ControlError>
where
    H: Fn(&Value) -> Result<Value, String> + Send + Sync + 'static,
{
    serve_async(path, move |_, request| std::future::ready(handle(&request)))
}

/// The same for answers that take a while: only the client who asked waits.
///
/// # Errors
/// [`ControlError`], before the future is returned.
pub fn serve_async<H, A>(path: &Path, handle: H) -> Result<impl Future<Output = ()> + Send + use<H, A>, ControlError>
where
    H: Fn(Uid, Value) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Value, String>> + Send + 'static,
{
    let listener = bind(path)?;
    let onlooker = onlooker();
    let handle = Arc::new(handle);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    Ok(async move {
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let handle = handle.clone();
                    tokio::spawn(async move {
                        converse(stream, onlooker, handle.as_ref()).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    log::warn!(error:% = error; "control socket accepts nobody for a moment");
                    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            }
        }
    })
}

fn bind(path: &Path) -> Result<UnixListener, ControlError> {
    let failed = |source| ControlError::Bind { path: path.into(), source };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed)?;
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(ControlError::InUse { path: path.into() });
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
    Ok(listener)
}

/// One client: request lines in, answer lines out, until it hangs up, idles, or writes too long a line.
async fn converse<H, A>(stream: UnixStream, onlooker: Uid, handle: &H)
where
    H: Fn(Uid, Value) -> A,
    A: Future<Output = Result<Value, String>>,
{
    let uid = stream.peer_cred().map(|cred| cred.uid()).ok();
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    loop {
        let mut line = Vec::new();
        let bytes_max = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
        let mut bounded = (&mut input).take(bytes_max);
        let read = timeout(Duration::from_secs(IDLE_SECONDS_MAX), bounded.read_until(b'\n', &mut line)).await;
        match read {
            Ok(Ok(length)) if length > 0 && line.last() == Some(&b'\n') => {}
            _ => return,
        }
        let answer = match serde_json::from_slice(&line) {
            Ok(request) => match refused(onlooker, uid, &request) {
                Some(why) => Err(why.to_owned()),
                None => handle(uid, request).await,
            },
            Err(error) => Err(format!("the request is no JSON: {error}")),
        };
        let answer = match answer {
            Ok(Value::Object(mut fields)) => {
                fields.insert("ok".into(), Value::Bool(true));
                Value::Object(fields)
            }
            Ok(other) => json!({"ok": true, "answer": other}),
            Err(why) => json!({"ok": false, "error": why}),
        };
        let line = format!(
            "{answer}
"
        );
        let written = timeout(Duration::from_secs(IDLE_SECONDS_MAX), output.write_all(line.as_bytes()));
        if !matches!(written.await, Ok(Ok(()))) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AskError, ask};

    fn echo(request: &Value) -> Result<Value, String> {
        match request.get("do").and_then(Value::as_str) {
            Some("status") => Ok(json!({"status": 7})),
            _ => Err("unknown request".into()),
        }
    }

    #[tokio::test]
    async fn asks_are_answered_and_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/gateway.sock");
        assert!(matches!(ask(&path, &json!({})), Err(AskError::Connect { .. })));
        tokio::spawn(serve(&path, echo).unwrap());
        let asked = path.clone();
        let answers = tokio::task::spawn_blocking(move || {
            (ask(&asked, &json!({"do": "status"})), ask(&asked, &json!({"do": "dance"})), ask(&asked, &json!([1])))
        });
        let (status, dance, list) = answers.await.unwrap();
        assert_eq!(status.unwrap()["status"], 7);
        assert!(matches!(dance, Err(AskError::Refused { .. })));
        assert!(matches!(list, Err(AskError::Refused { .. })));
        assert!(matches!(bind(&path), Err(ControlError::InUse { .. })));
    }

    #[tokio::test]
    async fn who_asks_is_told_by_the_kernel() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.sock");
        let who = |uid, _| std::future::ready(Ok(json!({ "who": uid })));
        tokio::spawn(serve_async(&path, who).unwrap());
        let asked = path.clone();
        let answer = tokio::task::spawn_blocking(move || ask(&asked, &json!({"do": "who", "uid": 4_242_424})));
        let own = fs::metadata(&path).map(|of| std::os::unix::fs::MetadataExt::uid(&of)).unwrap();
        assert_eq!(answer.await.unwrap().unwrap()["who"], own);
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sync.sock");
        drop(bind(&path).unwrap());
        assert!(path.exists());
        assert!(bind(&path).is_ok());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
    }

    #[tokio::test]
    async fn garbage_is_answered_and_an_endless_line_ends_the_talk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sync.sock");
        tokio::spawn(serve(&path, echo).unwrap());
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(b"{nonsense\n").await.unwrap();
        let mut lines = BufReader::new(&mut stream).lines();
        assert!(lines.next_line().await.unwrap().unwrap().contains("no JSON"));
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let _ = stream.write_all(&vec![b'x'; LINE_BYTES_MAX + 1]).await;
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest).await;
        assert!(ended.is_err() || rest.is_empty());
    }
}
