//! What a technician asks of the committer over the control socket.

use batch::{Asked, MemberDigest};
use control::Uid;
use journal::SegmentChange;
use record::merkle::Hash;
use record::{Act, Actor, Audit, ConfigFile, Gap, RelayId, Seq, SourceId};
use relay::Done as PulseDone;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::manual::Entering;
use crate::registration::Registration;

/// Orders that may wait for the committer: each holds a control connection.
pub(crate) const ORDERS_MAX: usize = 16;

/// Something that only the committer can do, in a transaction.
#[derive(Debug)]
pub(crate) enum Order {
    /// `{"do":"flush_nonces","device":NAME}`
    FlushNonces { device: SourceId },
    /// `{"do":"reset_counter","device":NAME}`
    ResetCounter { device: SourceId },
    /// `{"do":"export_sessions","after":NAME}`: a page of them, by name; answered with keys, so the socket's rights are
    /// those of the journal.
    ExportSessions { after: Option<SourceId> },
    /// `{"do":"import_sessions","sessions":HEX,"jump":N}`
    ImportSessions { sessions: Vec<u8>, jump: u16 },
    /// `{"do":"send","device":NAME,"payload":HEX,"f_port":N,"confirmed":BOOL}`
    Send { device: SourceId, payload: Vec<u8>, f_port: u8, confirmed: bool },
    /// `{"do":"redecode","device":NAME,"from":SEQ,"to":SEQ}`
    Redecode { device: SourceId, from: Seq, to: Option<Seq> },
    /// `{"do":"seal_evidence","asked":{...},"report_version":N,"members":[["report.html",HEX],...]}`: the box signs that it
    /// was asked so, and that the file has these parts. It signs nothing else that anybody words.
    SealEvidence { asked: Asked, report_version: u32, members: Vec<MemberDigest> },
    /// `{"do":"audit","act":"pinned","records":{"first":SEQ,"last":SEQ},"reason":TEXT}`, the other acts as [`Act`] has them.
    /// Who orders it the kernel says, whatever the request does.
    Audit(Audit),
    /// `{"do":"register", ...}`, see [`Registration`].
    Register(Registration),
    /// `{"do":"enter", ...}`, see [`Entering`].
    Enter(Box<Entering>),
    /// `{"do":"command","platform":NAME,"command":HEX}`: what a platform signed (COSE_Sign1), as the upload daemon got it.
    /// Anybody may bring it: the signature tells whose it is.
    Command { platform: String, command: Vec<u8> },
    /// `{"do":"prove","platform":NAME,"receipt":HEX}`: the platform's receipt shows that the box delivers under the rules
    /// that it put on trial.
    Prove { platform: String, receipt: Vec<u8> },
    /// `{"do":"reload_rules","reason":TEXT}`: the files of rules are read anew and count at once; who orders it the kernel says.
    /// `{"do":"reload_rules","configured":SEQ}` after a record that tells of them already.
    ReloadRules(Reload),
    /// `{"do":"found","file":NAME,"sha256":HEX}`: of a daemon that was started by a text which nobody had applied.
    Found { file: ConfigFile, sha256: [u8; 32] },
    /// `{"do":"sample","device":NAME,"period_s":N}`
    Sample { device: SourceId, period_s: u32 },
    /// `{"do":"rotate_key","reason":TEXT}`: the box makes itself a new key, which the old one signs for. Who orders it the kernel
    /// says.
    RotateKey { by: Actor, reason: String },
    /// `{"do":"take_sample","sampler":NAME,"reason":TEXT}`: a retained sample, unless an interlock refuses it. Who orders it the
    /// kernel says.
    TakeSample { sampler: RelayId, by: Actor, reason: String },
    /// `{"do":"probe"}`: answered by the committer in the transaction that is next, with nothing. Who gets no answer knows
    /// that frames are not stored either.
    Probe,
    /// `{"do":"self_test","frame":HEX,"reason":TEXT}`: answered with the password of the one client that may hand this frame in
    /// by MQTT, or, where the box listens to no MQTT, with the number of its record. Who asks the kernel says.
    SelfTest { by: Actor, reason: String, frame: Vec<u8> },
    /// `{"do":"strangers"}`
    Strangers,
    /// Of the edge: what to remember of an MQTT client; empty: nothing any more.
    KeepSession { device: SourceId, state: Vec<u8> },
    /// Of the edge: an MQTT device has a command, or never will.
    CommandDone { id: u64 },
    /// Of the relays: what became of a pulse.
    PulseDone { relay: RelayId, done: PulseDone },
    /// Of the keeper: what a step of its upkeep changes in the database, and the loss that it brings.
    Keep { gaps: Vec<Gap>, changes: Vec<SegmentChange> },
    /// `{"do":"salvage"}`, and of the keeper where it read damage: the committer ends, and the next start saves what it can.
    GiveUp,
}

/// What the journal has to tell of rules that are read anew.
#[derive(Debug)]
pub(crate) enum Reload {
    /// Who wants it and why.
    Told { by: Actor, reason: String },
    /// Nothing more: this record, after which the files were changed, tells of them.
    After(Seq),
}

/// What an order came to: fields of the answer, or why it was not carried out.
pub(crate) type Done = Result<Value, String>;

/// An order and the one who waits for its answer.
#[derive(Debug)]
pub(crate) struct Ordered {
    pub(crate) order: Order,
    pub(crate) answer: oneshot::Sender<Done>,
}

/// FPort of a command that names none: the application's first.
pub(crate) const F_PORT: u8 = 1;

impl Order {
    /// Reads a request; none if it is for somebody else.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn parse(request: &Value, uid: Uid) -> Option<Result<Order, String>> {
        let parsed = match request.get("do")?.as_str()? {
            "flush_nonces" => device(request).map(|device| Order::FlushNonces { device }),
            "reset_counter" => device(request).map(|device| Order::ResetCounter { device }),
            "export_sessions" => after(request).map(|after| Order::ExportSessions { after }),
            "import_sessions" => import(request),
            "send" => send(request),
            "redecode" => redecode(request),
            "seal_evidence" => seal_evidence(request),
            "audit" => audit(request, uid),
            "register" => Registration::parse(request, uid).map(Order::Register),
            "enter" => Entering::parse(request, uid).map(|entering| Order::Enter(Box::new(entering))),
            "command" => {
                of_platform(request, "command").map(|(platform, command)| Order::Command { platform, command })
            }
            "prove" => of_platform(request, "receipt").map(|(platform, receipt)| Order::Prove { platform, receipt }),
            "reload_rules" => reload_rules(request, uid),
            "found" => found(request),
            "sample" => sample(request),
            "rotate_key" => rotate_key(request, uid),
            "take_sample" => take_sample(request, uid),
            "probe" => Ok(Order::Probe),
            "self_test" => self_test(request, uid),
            "strangers" => Ok(Order::Strangers),
            "salvage" => Ok(Order::GiveUp),
            _ => return None,
        };
        Some(parsed)
    }
}

fn device(request: &Value) -> Result<SourceId, String> {
    let name = request.get("device").and_then(Value::as_str).ok_or("`device` is missing: give its name")?;
    SourceId::new(name).map_err(|error| error.to_string())
}

/// The last device of the page before; none for the first page.
fn after(request: &Value) -> Result<Option<SourceId>, String> {
    match request.get("after").filter(|after| !after.is_null()) {
        None => Ok(None),
        Some(after) => {
            let name = after.as_str().ok_or("`after` is not the name of a device")?;
            SourceId::new(name).map(Some).map_err(|error| error.to_string())
        }
    }
}

fn bytes(request: &Value, key: &str) -> Result<Vec<u8>, String> {
    let text =
        request.get(key).and_then(Value::as_str).ok_or_else(|| format!("`{key}` is missing: give hex digits"))?;
    hex::decode(text).map_err(|_| format!("`{key}` is not hex: write every byte as two digits"))
}

fn import(request: &Value) -> Result<Order, String> {
    let jump = match request.get("jump").filter(|jump| !jump.is_null()) {
        None => ingest::COUNTER_JUMP,
        Some(jump) => jump.as_u64().and_then(|jump| u16::try_from(jump).ok()).ok_or("`jump` is not 0 to 65535")?,
    };
    Ok(Order::ImportSessions { sessions: bytes(request, "sessions")?, jump })
}

fn send(request: &Value) -> Result<Order, String> {
    let f_port = match request.get("f_port").filter(|f_port| !f_port.is_null()) {
        None => F_PORT,
        Some(f_port) => f_port
            .as_u64()
            .and_then(|f_port| u8::try_from(f_port).ok())
            .filter(|f_port| (1..=223).contains(f_port))
            .ok_or("`f_port` is not 1 to 223")?,
    };
    let confirmed = request.get("confirmed").and_then(Value::as_bool).unwrap_or(false);
    Ok(Order::Send { device: device(request)?, payload: bytes(request, "payload")?, f_port, confirmed })
}

fn of_platform(request: &Value, key: &str) -> Result<(String, Vec<u8>), String> {
    let platform = request.get("platform").and_then(Value::as_str).ok_or("`platform` is missing: give its name")?;
    Ok((platform.to_owned(), bytes(request, key)?))
}

fn sample(request: &Value) -> Result<Order, String> {
    let period_s = request.get("period_s").and_then(Value::as_u64).and_then(|period_s| u32::try_from(period_s).ok());
    Ok(Order::Sample { device: device(request)?, period_s: period_s.ok_or("`period_s` is missing: give seconds")? })
}

fn redecode(request: &Value) -> Result<Order, String> {
    let seq = |key: &str| request.get(key).and_then(Value::as_u64).map(Seq);
    Ok(Order::Redecode { device: device(request)?, from: seq("from").unwrap_or_default(), to: seq("to") })
}

fn audit(request: &Value, uid: Uid) -> Result<Order, String> {
    let act = Act::deserialize(request).map_err(|error| format!("`act` does not say what to do: {error}"))?;
    if matches!(act, Act::Commanded { .. } | Act::Settled { .. }) {
        return Err("no user orders in a platform's name, or settles what one commanded".into());
    }
    if matches!(act, Act::SelfTested { .. }) {
        return Err("nobody says that a test frame came in but the box · try: weir self-test".into());
    }
    if matches!(act, Act::Sampled { .. }) {
        return Err("nobody says that a sample was taken but the box · try: weir sampler take".into());
    }
    let by = Actor::User(uid.ok_or("the kernel does not say who asks")?);
    let reason = request["reason"].as_str().unwrap_or_default().trim().to_owned();
    let audit = Audit { by, act, reason };
    if !audit.is_bounded() {
        return Err(format!("a text is too long: use at most {} bytes", Audit::TEXT_BYTES_MAX));
    }
    Ok(Order::Audit(audit))
}

fn take_sample(request: &Value, uid: Uid) -> Result<Order, String> {
    let name = request.get("sampler").and_then(Value::as_str).ok_or("`sampler` is missing: give its name")?;
    let sampler = RelayId::new(name).map_err(|error| error.to_string())?;
    let by = Actor::User(uid.ok_or("the kernel does not say who asks")?);
    Ok(Order::TakeSample { sampler, by, reason: reason(request)? })
}

/// Why a person orders it; a bottle is used up, so somebody will ask.
fn reason(request: &Value) -> Result<String, String> {
    let reason = request["reason"].as_str().unwrap_or_default().trim().to_owned();
    match reason.len() {
        0 => Err("a sample needs a reason · try: weir sampler take … --reason TEXT".into()),
        len if len > Audit::TEXT_BYTES_MAX => {
            Err(format!("the reason is too long: use at most {} bytes", Audit::TEXT_BYTES_MAX))
        }
        _ => Ok(reason),
    }
}

fn found(request: &Value) -> Result<Order, String> {
    let file = ConfigFile::deserialize(&request["file"]).map_err(|error| format!("`file` is none: {error}"))?;
    let sha256 = bytes(request, "sha256")?.try_into().map_err(|_| "`sha256` has 64 hex digits")?;
    Ok(Order::Found { file, sha256 })
}

fn reload_rules(request: &Value, uid: Uid) -> Result<Order, String> {
    if let Some(seq) = request.get("configured").and_then(Value::as_u64) {
        return Ok(Order::ReloadRules(Reload::After(Seq(seq))));
    }
    let (by, reason) = who_and_why(request, uid)?;
    Ok(Order::ReloadRules(Reload::Told { by, reason }))
}

fn rotate_key(request: &Value, uid: Uid) -> Result<Order, String> {
    let (by, reason) = who_and_why(request, uid)?;
    Ok(Order::RotateKey { by, reason })
}

/// Whom the kernel names, and what they say.
fn who_and_why(request: &Value, uid: Uid) -> Result<(Actor, String), String> {
    let by = Actor::User(uid.ok_or("the kernel does not say who asks")?);
    let reason = request["reason"].as_str().unwrap_or_default().trim().to_owned();
    if reason.len() > Audit::TEXT_BYTES_MAX {
        return Err(format!("the reason is too long: use at most {} bytes", Audit::TEXT_BYTES_MAX));
    }
    Ok((by, reason))
}

fn self_test(request: &Value, uid: Uid) -> Result<Order, String> {
    let by = Actor::User(uid.ok_or("the kernel does not say who asks")?);
    let reason = request["reason"].as_str().unwrap_or_default().trim().to_owned();
    let frame = bytes(request, "frame")?;
    if frame.len() > Act::TEST_FRAME_BYTES_MAX {
        return Err(format!("a test frame has at most {} bytes", Act::TEST_FRAME_BYTES_MAX));
    }
    if reason.len() > Audit::TEXT_BYTES_MAX {
        return Err(format!("the reason is too long: use at most {} bytes", Audit::TEXT_BYTES_MAX));
    }
    Ok(Order::SelfTest { by, reason, frame })
}

fn seal_evidence(request: &Value) -> Result<Order, String> {
    let no_asked = |error| format!("`asked` does not say what the evidence is of: {error}");
    let asked = Asked::deserialize(&request["asked"]).map_err(no_asked)?;
    let report_version = request["report_version"].as_u64().and_then(|version| u32::try_from(version).ok());
    let report_version = report_version.ok_or("`report_version` is missing: give its number")?;
    let members = request["members"].as_array().ok_or("`members` is missing: give [name, SHA-256 as hex] of each")?;
    let members = members.iter().map(member).collect::<Option<_>>();
    let members = members.ok_or("a member is not [name, SHA-256 as 64 hex digits]")?;
    Ok(Order::SealEvidence { asked, report_version, members })
}

fn member(pair: &Value) -> Option<MemberDigest> {
    let (name, digest) = (pair[0].as_str()?, pair[1].as_str()?);
    let mut sha256 = [0; 32];
    hex::decode_to_slice(digest, &mut sha256).ok()?;
    Some(MemberDigest { name: name.to_owned(), sha256: Hash(sha256) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_are_read_or_refused_in_words() {
        let check = |request: Value, expected: &str| {
            let shown = match Order::parse(&request, Some(1_000)) {
                None => "not ours".to_owned(),
                Some(Ok(order)) => format!("{order:?}"),
                Some(Err(why)) => why,
            };
            assert_eq!(shown, expected);
        };
        check(json!({"do": "status"}), "not ours");
        check(json!({"do": "strangers"}), "Strangers");
        check(json!({"do": "export_sessions"}), "ExportSessions { after: None }");
        check(json!({"do": "export_sessions", "after": "flow-1"}), "ExportSessions { after: Some(\"flow-1\") }");
        check(json!({"do": "export_sessions", "after": 7}), "`after` is not the name of a device");
        check(json!({"do": "flush_nonces"}), "`device` is missing: give its name");
        check(json!({"do": "reset_counter", "device": "cod-1"}), "ResetCounter { device: \"cod-1\" }");
        check(
            json!({"do": "send", "device": "flow-1", "payload": "0aff", "confirmed": true}),
            "Send { device: \"flow-1\", payload: [10, 255], f_port: 1, confirmed: true }",
        );
        check(json!({"do": "send", "device": "flow-1", "payload": "0aff", "f_port": 224}), "`f_port` is not 1 to 223");
        check(
            json!({"do": "send", "device": "flow-1", "payload": "0a f"}),
            "`payload` is not hex: write every byte as two digits",
        );
        check(
            json!({"do": "redecode", "device": "flow-1", "from": 3, "to": null}),
            "Redecode { device: \"flow-1\", from: Seq(3), to: None }",
        );
        let asked = json!({"sources": ["cod-1"], "from_ms": 1, "to_ms": 2, "reason": "", "alarm": null});
        check(
            json!({"do": "seal_evidence", "asked": asked, "report_version": 1, "members": [["a", "00".repeat(32)]]}),
            &format!(
                "SealEvidence {{ asked: Asked {{ sources: [\"cod-1\"], from_ms: UnixMs(1), to_ms: UnixMs(2), reason: \"\", \
                 alarm: None }}, report_version: 1, members: [MemberDigest {{ name: \"a\", sha256: {} }}] }}",
                "00".repeat(32)
            ),
        );
        check(
            json!({"do": "seal_evidence", "asked": asked, "report_version": 1, "members": [["a", "00"]]}),
            "a member is not [name, SHA-256 as 64 hex digits]",
        );
        check(
            json!({"do": "seal_evidence", "asked": {}}),
            "`asked` does not say what the evidence is of: missing field `sources`",
        );
        let range = json!({"first": 3, "last": 5});
        check(
            json!({"do": "audit", "act": "pinned", "records": range, "reason": " the bureau asked "}),
            "Audit(Audit { by: User(1000), act: Pinned { records: 3-5 }, reason: \"the bureau asked\" })",
        );
        check(
            json!({"do": "audit", "uid": 0, "by": {"platform": "province"}, "act": "released", "pin": 9}),
            "Audit(Audit { by: User(1000), act: Released { pin: Seq(9) }, reason: \"\" })",
        );
        let forged = json!({"do": "audit", "act": "commanded", "number": 1, "order": "resend", "command": "00"});
        check(forged, "no user orders in a platform's name, or settles what one commanded");
        let forged = json!({"do": "audit", "act": "settled", "command": 1, "outcome": "kept"});
        check(forged, "no user orders in a platform's name, or settles what one commanded");
        check(
            json!({"do": "command", "platform": "city", "command": "0aff"}),
            "Command { platform: \"city\", command: [10, 255] }",
        );
        check(json!({"do": "command", "command": "0aff"}), "`platform` is missing: give its name");
        check(json!({"do": "prove", "platform": "city"}), "`receipt` is missing: give hex digits");
        let forged =
            json!({"do": "audit", "act": "sampled", "sampler": "east", "step": "taken", "bottle": 1, "bottles": 2});
        check(forged, "nobody says that a sample was taken but the box · try: weir sampler take");
        let forged = json!({"do": "audit", "act": "self_tested", "port": "mqtt", "frame": "00"});
        check(forged, "nobody says that a test frame came in but the box · try: weir self-test");
        check(
            json!({"do": "self_test", "frame": "00ff", "reason": " repaired "}),
            "SelfTest { by: User(1000), reason: \"repaired\", frame: [0, 255] }",
        );
        check(json!({"do": "self_test", "frame": "00".repeat(257)}), "a test frame has at most 256 bytes");
        check(
            json!({"do": "take_sample", "sampler": "east", "reason": " clue 7 "}),
            "TakeSample { sampler: \"east\", by: User(1000), reason: \"clue 7\" }",
        );
        check(
            json!({"do": "take_sample", "sampler": "east"}),
            "a sample needs a reason · try: weir sampler take … --reason TEXT",
        );
        check(json!({"do": "sample", "device": "cod-1", "period_s": 60}), "Sample { device: \"cod-1\", period_s: 60 }");
        check(json!({"do": "sample", "device": "cod-1", "period_s": -1}), "`period_s` is missing: give seconds");
        check(
            json!({"do": "audit", "act": "pinned", "records": {"first": 5, "last": 3}}),
            "`act` does not say what to do: a range ends before it begins",
        );
        check(
            json!({"do": "audit", "act": "released", "pin": 9, "reason": "x".repeat(1_001)}),
            "a text is too long: use at most 1000 bytes",
        );
        let unknown = Order::parse(&json!({"do": "audit", "act": "released", "pin": 9}), None);
        assert_eq!(unknown.unwrap().unwrap_err(), "the kernel does not say who asks");
        check(json!({"do": "import_sessions", "sessions": "", "jump": 65_536}), "`jump` is not 0 to 65535");
        let register = |more: Value| {
            let mut request = json!({"do": "register", "how": "add", "reason": "x", "dossiers": [{"code": "A-1"}]});
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            request
        };
        check(register(json!({})), "dossier `A-1`: missing field `name`");
        check(register(json!({"how": "drop"})), "`how` is not add, edit or import");
        check(register(json!({"dossiers": []})), "`dossiers` is missing: give one at least");
        check(register(json!({"reason": "x".repeat(1_001)})), "the reason is too long: use at most 1000 bytes");
        check(
            register(json!({"reason": " "})),
            "a dossier is not changed without a reason · try: the same with --reason TEXT",
        );
    }
}
