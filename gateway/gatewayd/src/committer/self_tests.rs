//! A test frame becomes an order of whoever asked for the test, and nothing else.

use ingest::SELF_TEST;
use mqtt::Reply;
use record::{Act, Actor, Audit, TestPort};
use serde_json::{Value, json};

use super::{Committer, Draft};
use crate::clock::mono_ms;
use crate::self_test::{TICKET_MS, TOPIC};

impl Committer {
    /// Lets the client of a test in. Where the box listens to no MQTT, `frame` itself is what is tested with.
    pub(super) fn self_test(
        &mut self,
        by: Actor,
        reason: String,
        frame: Vec<u8>,
        draft: &mut Draft,
    ) -> Result<Value, String> {
        match self.parts.self_test.clone() {
            Some(open) => {
                let no_password = |error| format!("the kernel gives no random numbers: {error}");
                let password = open.open(by, reason, mono_ms()).map_err(no_password)?;
                Ok(json!({ "client": SELF_TEST, "password": password, "topic": TOPIC, "ms": TICKET_MS }))
            }
            None => {
                let seq = self.next_seq(draft);
                self.journal_test(by, reason, TestPort::Control, frame, draft);
                Ok(json!({ "seq": seq }))
            }
        }
    }

    /// Takes a frame of the test client. One that nobody asked for any more is not acknowledged.
    pub(super) fn take_test(&mut self, frame: Vec<u8>, reply: Reply, draft: &mut Draft) {
        let asked = self.parts.self_test.as_ref().filter(|_| frame.len() <= Act::TEST_FRAME_BYTES_MAX);
        // A reply that is dropped says "not stored".
        let Some((by, reason)) = asked.and_then(|open| open.take(mono_ms())) else { return };
        self.journal_test(by, reason, TestPort::Mqtt, frame, draft);
        draft.tests.push(reply);
    }

    fn journal_test(&mut self, by: Actor, reason: String, port: TestPort, frame: Vec<u8>, draft: &mut Draft) {
        let audit = Audit { by, act: Act::SelfTested { port, frame }, reason };
        let stamp = self.stamp_into(draft);
        log::info!(by:? = audit.by, port = port.as_str(); "self-test frame taken");
        self.journal_audit(audit, stamp, draft);
    }
}
