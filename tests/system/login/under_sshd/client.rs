//! A client of the login that is spoken to while it runs, as somebody at a keyboard does.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use system_tests::{Answer, until};

/// A client; it is killed with this.
pub(super) struct Client {
    command: String,
    child: Child,
    heard: Arc<Mutex<Vec<u8>>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Client {
    pub(super) fn start(mut command: Command) -> Client {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let command = format!("{:?}", command.get_args().last());
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let (mut out, into) = (child.stdout.take().unwrap(), heard.clone());
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(length @ 1..) = out.read(&mut bytes) {
                into.lock().unwrap().extend_from_slice(&bytes[..length]);
            }
        });
        Client { command, child, heard, reader: Some(reader) }
    }

    /// Types it.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        // Who refuses reads no more.
        let _ = self.child.stdin.as_mut().unwrap().write_all(bytes);
    }

    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }

    /// Waits until this was heard, and forgets what was before its end.
    pub(super) fn until(&self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            // Under one lock: what comes between a look and its end must not be forgotten with the rest.
            let mut heard = self.heard.lock().unwrap();
            if let Some(at) = heard.windows(text.len()).position(|bytes| bytes == text.as_bytes()) {
                let before: Vec<u8> = heard.drain(..at + text.len()).collect();
                return String::from_utf8_lossy(&before).into_owned();
            }
            drop(heard);
            let heard = self.heard();
            assert!(begun.elapsed() < Duration::from_secs(15), "no {text:?} in {heard:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its end, once there is nothing more to read for it.
    pub(super) fn ended(mut self) -> Answer {
        drop(self.child.stdin.take());
        let status = until(&format!("the client of {} ends", self.command), 15, || self.child.try_wait().unwrap());
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        self.reader.take().unwrap().join().unwrap();
        Answer { code: status.code(), out: self.heard(), err }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
