//! The verbs that ask the running gateway: what they change lives in its journal.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::error::DeviceError;
use super::files::FilesError;
use super::sealed::SealedError;
use super::{Place, sealed};
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;

/// A passphrase file larger than this is none.
const PASSPHRASE_BYTES_MAX: u64 = 1024;
/// A file of sessions larger than this is none: 2,000 devices with 8 KiB of used DevNonces and some 2 KiB of keys each.
const SESSIONS_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// How long decoding history anew may take: a full journal, a piece between the frames of each moment.
const REDECODE_HOURS_MAX: u64 = 12;
/// How long a page of sessions may take: it waits for the disk like every frame.
const SESSIONS_SECONDS_MAX: u64 = 60;

/// Who sends and is not in the table.
pub(super) fn strangers(place: &Place<'_>, json: bool) -> Result<Exit, DeviceError> {
    let answer = ask(place, &json!({"do": "strangers"}))?;
    let strangers =
        answer.get("strangers").and_then(Value::as_array).ok_or(DeviceError::Answer { field: "strangers" })?;
    if json {
        return place.say(&json!({"strangers": strangers}).to_string());
    }
    if strangers.is_empty() {
        return place.say(place.lang.pick("nobody unknown was heard", "没有未知设备"));
    }
    let text = |stranger: &Value, key: &str| match stranger.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let heading = match place.lang {
        Lang::En => ["what", "address", "frames", "from", "last seen", "try"],
        Lang::Zh => ["类型", "地址", "帧数", "来源", "最近", "处理"],
    };
    let mut rows: Vec<Vec<String>> = vec![heading.iter().map(ToString::to_string).collect()];
    for stranger in strangers {
        let seen = stranger.get("seen_ms_ago").and_then(Value::as_u64).map_or_else(|| "-".to_owned(), output::age);
        let cell = |key| text(stranger, key);
        let (kind, cure) = match (place.lang, in_chinese(&cell("kind"))) {
            (Lang::Zh, Some((kind, cure))) => (kind.to_owned(), cure.to_owned()),
            _ => (cell("kind"), cell("cure")),
        };
        let from = if stranger.get("from").is_some() { cell("from") } else { cell("gateway") };
        rows.push(vec![kind, cell("address"), cell("frames"), from, seen, cure]);
    }
    let mut out = output::stdout();
    output::table(&mut out, &rows).map_err(DeviceError::output)?;
    Ok(Exit::Good)
}

/// A kind of stranger, and what to do; none for one of a later gateway.
fn in_chinese(kind: &str) -> Option<(&'static str, &'static str)> {
    let wrong_key = "核对 keys.toml 与设备中的密钥；若本站设备均正常，则为外来设备";
    Some(match kind {
        "join" => ("入网请求", "若为本站设备：用其 dev_eui、join_eui、app_key 执行 weir device add；否则忽略"),
        "join, other JoinEUI" => ("入网请求，JoinEUI 不符", "若为本站设备：修正 devices.toml 中的 join_eui；否则忽略"),
        "join, wrong key" => ("入网请求，密钥不符", wrong_key),
        "data" => ("数据帧", "若为本站设备：weir device add，或让其重新入网"),
        "data, wrong key" => ("数据帧，密钥不符", wrong_key),
        "foreign network" => ("其他网络", "属于其他网络的设备：忽略"),
        "serial" => ("串口帧", "若为本站设备：以此 id 执行 weir device add"),
        "serial, wrong key" => ("串口帧，密钥不符", wrong_key),
        "chirpstack" => {
            ("ChirpStack 事件", "若为本站设备：以此 dev_eui 执行 weir device add --link chirpstack；否则忽略")
        }
        "mqtt" => (
            "MQTT 客户端",
            "若为本站设备：以此名称执行 weir device add --link mqtt，或将其客户端标识与用户名改为设备名；否则忽略",
        ),
        "mqtt, wrong password" => (
            "MQTT，密码不符",
            "核对 keys.toml 中的密码，并用 weir device list 查看是否已停用；若本站设备均正常，则为外来客户端",
        ),
        "mqtt, names differ" => ("MQTT，名称不一致", "若为本站设备：将客户端标识与用户名都设为设备名"),
        "mqtt, no name" => {
            ("MQTT，标识无效", "若为本站设备：将客户端标识设为设备名（1 至 64 个 A-Z a-z 0-9 _ . -）；否则忽略")
        }
        "mqtt, other certificate" => ("MQTT，证书不符", "若为本站设备：换用名称与客户端标识相同的证书"),
        _ => return None,
    })
}

/// Forgets used DevNonces.
pub(super) fn flush_nonces(place: &Place<'_>, name: &str) -> Result<Exit, DeviceError> {
    ask(place, &json!({"do": "flush_nonces", "device": name}))?;
    place.say(&format!("{name} {}", place.lang.pick("may join again with any DevNonce", "可用任意 DevNonce 重新入网")))
}

/// Forgets a frame counter.
pub(super) fn reset_counter(place: &Place<'_>, name: &str) -> Result<Exit, DeviceError> {
    let answer = ask(place, &json!({"do": "reset_counter", "device": name}))?;
    let lang = place.lang;
    let highest = match answer.get("highest").and_then(Value::as_u64) {
        Some(highest) => format!("{} {highest}", lang.pick("the highest was", "此前最大值")),
        None => lang.pick("it had none", "此前无记录").to_owned(),
    };
    let done = lang.pick("may begin its counter anew", "可重新开始帧计数");
    let risk = lang.pick("old frames of it can be replayed once each", "其旧帧可被各重放一次");
    place.say(&format!("{name} {done} · {highest} · {risk}"))
}

/// Writes the sessions of all LoRaWAN devices, encrypted, into a new file that only its owner reads.
pub(super) fn export(place: &Place<'_>, out: &Path, passphrase: Option<&Path>) -> Result<Exit, DeviceError> {
    let passphrase = passphrase_of(passphrase)?;
    sealed::check(&passphrase)?;
    let (content, count) = all_sessions(place)?;
    let sealed = sealed::seal(&content, &passphrase)?;
    let failed = |source| DeviceError::Write { path: out.into(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(failed)?;
    file.write_all(&sealed).and_then(|()| file.sync_all()).map_err(failed)?;
    let next = place.lang.pick(
        "sessions exported · stop this box's radio before the other one takes over",
        "个会话已导出 · 新站接管前请先停用本站无线电",
    );
    place.say(&format!("{count} {next}"))
}

/// Takes over sessions.
pub(super) fn import(place: &Place<'_>, file: &Path, passphrase: Option<&Path>) -> Result<Exit, DeviceError> {
    let passphrase = passphrase_of(passphrase)?;
    let content = sealed::open(&read(file, SESSIONS_BYTES_MAX)?, &passphrase)?;
    let pages = pages(&content)?;
    let table = gatewayd::config::load_devices(&place.devices, &place.keys).map_err(DeviceError::Config)?;
    // All devices are looked for before the first page is taken.
    for page in &pages {
        let sessions = ingest::import_sessions(page, ingest::COUNTER_JUMP).map_err(DeviceError::Sessions)?;
        if let Some(unknown) = sessions.keys().find(|device| table.by_name(device).is_none()) {
            return Err(FilesError::Missing { name: unknown.to_string(), path: place.devices.clone() }.into());
        }
    }
    let mut count = 0;
    for page in &pages {
        let request = json!({"do": "import_sessions", "sessions": hex::encode(page)});
        let answer = ask_within(place, &request, Duration::from_secs(SESSIONS_SECONDS_MAX))?;
        count += answer.get("count").and_then(Value::as_u64).ok_or(DeviceError::Answer { field: "count" })?;
    }
    place.say(&format!("{count} {}", place.lang.pick("sessions taken over", "个会话已接管")))
}

/// Decodes stored frames anew.
pub(super) fn redecode(place: &Place<'_>, name: &str, from: u64, to: Option<u64>) -> Result<Exit, DeviceError> {
    let request = json!({"do": "redecode", "device": name, "from": from, "to": to});
    let answer = ask_within(place, &request, Duration::from_secs(REDECODE_HOURS_MAX * 3_600))?;
    let count = |field: &'static str| answer.get(field).and_then(Value::as_u64).ok_or(DeviceError::Answer { field });
    let (decoded, failed, unreadable) = (count("redecoded")?, count("failed")?, count("unreadable")?);
    let lang = place.lang;
    let (ok, bad) = (lang.pick("frames decoded anew", "帧已重新解码"), lang.pick("give no readings", "帧无法解码"));
    let lost = lang.pick("cannot be decrypted any more", "帧已无法解密");
    place.say(&format!("{decoded} {ok} · {failed} {bad} · {unreadable} {lost}"))?;
    Ok(if failed + unreadable == 0 { Exit::Good } else { Exit::NotWell })
}

/// Queues a command.
pub(super) fn send(
    place: &Place<'_>,
    name: &str,
    payload: &str,
    f_port: Option<u8>,
    confirmed: bool,
) -> Result<Exit, DeviceError> {
    let payload = match payload.strip_prefix("text:") {
        Some(text) => hex::encode(text),
        None => hex::decode(payload).map(hex::encode).map_err(|_| DeviceError::Hex)?,
    };
    let request = json!({"do": "send", "device": name, "payload": payload, "f_port": f_port, "confirmed": confirmed});
    say_queued(place, &ask(place, &request)?)
}

/// Has a device told how often to measure.
pub(super) fn sample(place: &Place<'_>, name: &str, period_s: u32) -> Result<Exit, DeviceError> {
    say_queued(place, &ask(place, &json!({"do": "sample", "device": name, "period_s": period_s}))?)
}

fn say_queued(place: &Place<'_>, answer: &Value) -> Result<Exit, DeviceError> {
    let id = answer.get("id").and_then(Value::as_u64).ok_or(DeviceError::Answer { field: "id" })?;
    let text = match answer.get("via").and_then(Value::as_str) {
        Some(_) => place.lang.pick(
            "kept until ChirpStack has it, which sends it when the device listens",
            "已保存，直至 ChirpStack 收到，由其在设备接收时下发",
        ),
        None => place.lang.pick("kept until the device has it", "已保存，直至设备收到"),
    };
    place.say(&format!("{} {id}: {text}", place.lang.pick("command", "命令")))
}

fn ask(place: &Place<'_>, request: &Value) -> Result<Value, DeviceError> {
    control::ask(&place.run_dir.join("gateway.sock"), request).map_err(DeviceError::Ask)
}

fn ask_within(place: &Place<'_>, request: &Value, patience: Duration) -> Result<Value, DeviceError> {
    control::ask_within(&place.run_dir.join("gateway.sock"), request, patience).map_err(DeviceError::Ask)
}

/// Every page of the gateway's sessions, each behind its length (4 bytes, big-endian), and how many sessions they hold.
fn all_sessions(place: &Place<'_>) -> Result<(Zeroizing<Vec<u8>>, u64), DeviceError> {
    let no_sessions = DeviceError::Answer { field: "sessions" };
    let (mut content, mut count, mut after) = (Zeroizing::new(Vec::new()), 0, Value::Null);
    // Each page ends behind the one before, and a box has no more devices than this.
    for _ in 0..=ingest::DEVICES_MAX {
        let request = json!({"do": "export_sessions", "after": after});
        let mut answer = ask_within(place, &request, Duration::from_secs(SESSIONS_SECONDS_MAX))?;
        let page = answer.get("sessions").and_then(Value::as_str).and_then(|page| hex::decode(page).ok());
        let Some(page) = page.map(Zeroizing::new) else { return Err(no_sessions) };
        let Ok(length) = u32::try_from(page.len()) else { return Err(no_sessions) };
        content.extend_from_slice(&length.to_be_bytes());
        content.extend_from_slice(&page);
        count += answer.get("count").and_then(Value::as_u64).unwrap_or(0);
        after = answer.get_mut("next").map(Value::take).unwrap_or_default();
        if after.is_null() {
            return Ok((content, count));
        }
    }
    Err(DeviceError::Answer { field: "next" })
}

/// The pages that [`all_sessions`] put together.
fn pages(mut content: &[u8]) -> Result<Vec<&[u8]>, SealedError> {
    let mut pages = Vec::new();
    while let Some((length, rest)) = content.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SealedError::Form)?;
        let (page, rest) = rest.split_at_checked(length).ok_or(SealedError::Form)?;
        pages.push(page);
        content = rest;
    }
    match content.is_empty() {
        true => Ok(pages),
        false => Err(SealedError::Form),
    }
}

/// The first line of the file, or of standard input.
fn passphrase_of(file: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
    let bytes = match file {
        Some(path) => read(path, PASSPHRASE_BYTES_MAX)?,
        None => {
            let mut bytes = Zeroizing::new(Vec::new());
            let read = std::io::stdin().take(PASSPHRASE_BYTES_MAX).read_to_end(&mut bytes);
            read.map_err(|source| DeviceError::Read { path: "standard input".into(), source })?;
            bytes
        }
    };
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Zeroizing::new(line.trim_ascii_end().to_vec()))
}

fn read(path: &Path, bytes_max: u64) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
    let failed = |source| DeviceError::Read { path: path.into(), source };
    let mut bytes = Zeroizing::new(Vec::new());
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(bytes_max).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
