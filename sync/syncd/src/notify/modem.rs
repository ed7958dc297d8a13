//! The box's modem, by ModemManager's D-Bus interface (1.20), which systemd's busctl speaks: its replies are JSON (`--json=short`).
//!
//! What is called: `GetManagedObjects` to find it, `Modem.Enable`, `Modem.Messaging.Create` and `Delete`, `Sms.Send`, `Sms.State`. The polkit rule
//! that lets the upload daemon do that comes with the package (`weir-sms.rules`).

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::sms::Radio;
use super::subprocess;

/// The program, by its whole path: no PATH decides what sends.
pub(super) const BUSCTL: &str = "/usr/bin/busctl";
const SERVICE: &str = "org.freedesktop.ModemManager1";
const ROOT: &str = "/org/freedesktop/ModemManager1";
const MODEM: &str = "org.freedesktop.ModemManager1.Modem";
const MESSAGING: &str = "org.freedesktop.ModemManager1.Modem.Messaging";
const SMS: &str = "org.freedesktop.ModemManager1.Sms";
/// `MM_SMS_STATE_SENT`.
const SENT: u64 = 5;
/// Longest answer of ModemManager to what no network is asked for.
const ASKED: Duration = Duration::from_secs(20);
/// busctl ends by itself at the time it was given; it is killed this much later.
const GRACE: Duration = Duration::from_secs(5);
/// Longest reason that is kept, in characters.
const WHY_CHARS_MAX: usize = 200;

/// Why there was no SMS.
#[derive(Debug, thiserror::Error)]
pub(super) enum ModemError {
    #[error("failed to start {BUSCTL}: {0} · try: apt install systemd")]
    Start(std::io::Error),
    #[error("ModemManager does not answer: {0} · try: systemctl status ModemManager")]
    Bus(String),
    #[error("no answer within {0} s")]
    Late(u64),
    #[error("ModemManager's answer cannot be read: {0} · try: mmcli --version, and report this as a bug")]
    Answer(serde_json::Error),
    #[error("there is no modem that sends SMS · try: mmcli -L")]
    NoModem,
    #[error("there is no modem with IMEI {0} that sends SMS · try: mmcli -m any, and `modem` in notify.toml")]
    NotThis(String),
    #[error("the SIM wants its PIN · try: mmcli -i any --pin=…, or switch the PIN off by --disable-pin")]
    Locked,
    #[error("the modem is {0} · try: mmcli -m any")]
    NotReady(&'static str),
    #[error(
        "not allowed: {0} · try: apt install polkitd, and see that weir-sms.rules is in /usr/share/polkit-1/rules.d"
    )]
    NotAllowed(String),
    #[error("the modem refused: {0}")]
    Refused(String),
}

/// A modem that can send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Modem {
    path: String,
}

/// As far as it matters: `MMModemState` of ModemManager's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Failed,
    Starting,
    Locked,
    Disabled,
    Searching,
    Registered,
}

impl State {
    fn of(number: i64) -> State {
        match number {
            2 => State::Locked,
            3 => State::Disabled,
            6 | 7 => State::Searching,
            8.. => State::Registered,
            0..=5 => State::Starting,
            _ => State::Failed,
        }
    }
}

/// One D-Bus value as busctl writes it.
#[derive(Debug, Deserialize)]
struct Variant {
    data: Value,
}

type Objects = BTreeMap<String, BTreeMap<String, BTreeMap<String, Variant>>>;

/// A modem that is registered in a network; the one with this IMEI, or any. One that is switched off is switched on, and tried later.
pub(super) fn find(imei: Option<&str>) -> Result<Modem, ModemError> {
    let (path, state) = choose(&managed()?, imei)?;
    let not_ready = |what| Err(ModemError::NotReady(what));
    match state {
        State::Registered => Ok(Modem { path }),
        State::Locked => Err(ModemError::Locked),
        State::Disabled => {
            call(&path, (MODEM, "Enable"), &["b", "true"], ASKED)?;
            not_ready("being switched on")
        }
        State::Starting => not_ready("starting"),
        State::Searching => not_ready("looking for a network"),
        State::Failed => not_ready("unusable, or has no SIM"),
    }
}

fn managed() -> Result<Objects, ModemError> {
    let reply = call(ROOT, ("org.freedesktop.DBus.ObjectManager", "GetManagedObjects"), &[], ASKED)?;
    let (objects,): (Objects,) = serde_json::from_value(reply).map_err(ModemError::Answer)?;
    Ok(objects)
}

/// The best one: what is registered before what may be later.
fn choose(objects: &Objects, imei: Option<&str>) -> Result<(String, State), ModemError> {
    let property = |of: &BTreeMap<String, Variant>, name: &str| of.get(name).map(|variant| variant.data.clone());
    let modems = objects.iter().filter_map(|(path, interfaces)| {
        let modem = interfaces.get(MODEM)?;
        let is_it = imei.is_none_or(|imei| property(modem, "EquipmentIdentifier").is_some_and(|id| id == imei));
        let state = State::of(property(modem, "State")?.as_i64()?);
        // One that is locked or off shows no interface for SMS yet.
        let can_send = interfaces.contains_key(MESSAGING) || state != State::Registered;
        (is_it && can_send).then(|| (path.clone(), state))
    });
    let urgency = |state: State| match state {
        State::Registered => 0,
        State::Searching | State::Starting => 1,
        State::Disabled => 2,
        State::Locked => 3,
        State::Failed => 4,
    };
    let none = || imei.map_or(ModemError::NoModem, |imei| ModemError::NotThis(imei.to_owned()));
    modems.min_by_key(|(_, state)| urgency(*state)).ok_or_else(none)
}

/// An SMS that the modem was handed.
#[derive(Debug)]
pub(super) struct Handed(String);

impl Radio for Modem {
    type Handed = Handed;

    fn hand(&self, number: &str, text: &str) -> Result<Handed, ModemError> {
        let properties = ["a{sv}", "2", "number", "s", number, "text", "s", text];
        let made = call(&self.path, (MESSAGING, "Create"), &properties, ASKED)?;
        let (path,): (String,) = serde_json::from_value(made).map_err(ModemError::Answer)?;
        Ok(Handed(path))
    }

    fn send(&self, Handed(path): &Handed, timeout: Duration) -> Result<(), ModemError> {
        call(path, (SMS, "Send"), &[], timeout).map(drop)
    }

    fn has_left(&self, Handed(path): &Handed) -> Result<bool, ModemError> {
        let state = call(path, ("org.freedesktop.DBus.Properties", "Get"), &["ss", SMS, "State"], ASKED)?;
        let (state,): (Variant,) = serde_json::from_value(state).map_err(ModemError::Answer)?;
        Ok(state.data == SENT)
    }

    fn forget(&self, Handed(path): &Handed) {
        // If it stays, the next one tells.
        if let Err(error) = call(&self.path, (MESSAGING, "Delete"), &["o", path], ASKED) {
            log::debug!(error:%; "failed to take an SMS out of the modem");
        }
    }
}

/// Calls a method and has the arguments of its reply.
fn call(
    path: &str,
    (interface, method): (&str, &str),
    arguments: &[&str],
    timeout: Duration,
) -> Result<Value, ModemError> {
    #[derive(Deserialize)]
    struct Reply {
        #[serde(default)]
        data: Value,
    }
    let mut command = Command::new(BUSCTL);
    // Nobody can be asked for a password here.
    command.args(["--system", "--json=short", "--allow-interactive-authorization=no"]);
    command.arg(format!("--timeout={}", timeout.as_secs())).args(["call", SERVICE, path, interface, method]);
    let ran = subprocess::run(command.args(arguments), Vec::new(), timeout + GRACE).map_err(ModemError::Start)?;
    match ran.status {
        None => Err(ModemError::Late(timeout.as_secs())),
        Some(status) if !status.success() => Err(refused(&ran.said, timeout)),
        Some(_) if ran.out.iter().all(u8::is_ascii_whitespace) => Ok(Value::Null),
        Some(_) => serde_json::from_slice(&ran.out).map(|reply: Reply| reply.data).map_err(ModemError::Answer),
    }
}

/// What busctl said, by its cause.
fn refused(said: &str, timeout: Duration) -> ModemError {
    let why = said.strip_prefix("Call failed: ").unwrap_or(said);
    let why: String = why.chars().filter(|c| !c.is_control()).take(WHY_CHARS_MAX).collect();
    let has = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if has(&["timed out", "Timeout was reached", "NoReply"]) {
        ModemError::Late(timeout.as_secs())
    } else if has(&["PolicyKit", "Access denied", "not authorized", "Interactive authentication"]) {
        ModemError::NotAllowed(why)
    } else if has(&[
        "Failed to connect to bus",
        "not provided by any .service",
        "was not provided",
        "Failed to activate",
        "Unit dbus-",
    ]) {
        ModemError::Bus(why)
    } else {
        ModemError::Refused(why)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As ModemManager 1.20.4 answered, by busctl of systemd 252, without what is not read.
    fn modem(state: i64, imei: &str, can_send: bool) -> Value {
        let messaging =
            json!({"SupportedStorages": {"type": "au", "data": [1]}, "DefaultStorage": {"type": "u", "data": 1}});
        let mut interfaces = json!({
            MODEM: {
                "Plugin": {"type": "s", "data": "generic"},
                "EquipmentIdentifier": {"type": "s", "data": imei},
                "State": {"type": "i", "data": state},
                "SignalQuality": {"type": "(ub)", "data": [64, true]},
            },
            "org.freedesktop.ModemManager1.Modem.Simple": {},
        });
        if can_send {
            interfaces[MESSAGING] = messaging;
        }
        interfaces
    }

    fn chosen(modems: &[Value], imei: Option<&str>) -> Result<(String, State), String> {
        let of = |n: usize| format!("{ROOT}/Modem/{n}");
        let mut objects: serde_json::Map<String, Value> =
            modems.iter().enumerate().map(|(n, modem)| (of(n), modem.clone())).collect();
        objects.insert(format!("{ROOT}/SIM/0"), json!({"org.freedesktop.ModemManager1.Sim": {}}));
        let (objects,): (Objects,) = serde_json::from_value(json!([objects])).unwrap();
        choose(&objects, imei).map_err(|error| error.to_string())
    }

    #[test]
    fn the_modem_that_can_send_now_is_taken() {
        let (locked, off, ready) = (modem(2, "1", false), modem(3, "2", true), modem(8, "3", true));
        let all = [locked.clone(), off.clone(), ready, modem(11, "4", false)];
        assert_eq!(chosen(&all, None), Ok((format!("{ROOT}/Modem/2"), State::Registered)));
        assert_eq!(chosen(&all, Some("1")), Ok((format!("{ROOT}/Modem/0"), State::Locked)));
        assert_eq!(chosen(&[locked, off], None), Ok((format!("{ROOT}/Modem/1"), State::Disabled)));
        for (modems, imei, cause) in [
            (&all[..0], None, "there is no modem that sends SMS"),
            (&all[3..], None, "there is no modem that sends SMS"),
            (&all[..], Some("9"), "no modem with IMEI 9"),
        ] {
            let told = chosen(modems, imei).unwrap_err();
            assert!(told.contains(cause) && told.contains("try: mmcli"), "{told}");
        }
    }

    #[test]
    fn what_busctl_says_has_its_cause_and_its_cure() {
        let of = |said: &str| refused(said, Duration::from_secs(30)).to_string();
        for (said, cause) in [
            ("Call failed: Connection timed out", "no answer within 30 s"),
            ("Call failed: Unknown message error: 38", "the modem refused: Unknown message error: 38"),
            ("Failed to connect to bus: No such file or directory", "systemctl status ModemManager"),
            (
                "Call failed: The name org.freedesktop.ModemManager1 was not provided by any .service files",
                "systemctl status ModemManager",
            ),
            ("Call failed: PolicyKit authorization failed: not authorized for 'x'", "weir-sms.rules"),
        ] {
            let told = of(said);
            assert!(told.contains(cause), "{told}");
        }
    }
}
