//! The daemons: what they say, how many files they have open, which ports.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use control::{AskError, ask_within, chain};
use rustix::net::sockopt::socket_peercred;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::board::text;
use crate::doctor::facts::{Answered, Fact, Handles, Listener, Places, Ports, Unseen};

/// How long a daemon may take to answer. ms.
const ANSWER_MS_MAX: u64 = 2_000;
/// The kernel's number for a TCP socket that listens.
const LISTEN: &str = "0A";

/// Asks the field daemon.
pub(super) fn gateway(places: &Places) -> Fact<Answered<gatewayd::status::Status>> {
    ask(&places.run_dir.join("gateway.sock"), "weir-gateway")
}

/// Asks the upload daemon.
pub(super) fn sync(places: &Places) -> Fact<Answered<syncd::status::Status>> {
    ask(&places.run_dir.join("sync.sock"), "weir-sync")
}

fn ask<T: DeserializeOwned>(socket: &Path, daemon: &'static str) -> Fact<Answered<T>> {
    let asked = ask_within(socket, &json!({"do": "status"}), Duration::from_millis(ANSWER_MS_MAX));
    let at_ms = jiff::Timestamp::now().as_millisecond();
    let mut answer = asked.map_err(|error| match &error {
        AskError::Connect { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            Unseen::Denied(socket.display().to_string())
        }
        AskError::Connect { .. } => Unseen::Silent(daemon),
        AskError::Exchange { .. } => Unseen::Late,
        _ => Unseen::Failed(chain(&error)),
    })?;
    let status = answer.get_mut("status").map(Value::take).unwrap_or_default();
    let status = serde_json::from_value(status).map_err(|error| Unseen::Failed(format!("{daemon}: {error}")))?;
    Ok(Answered { status, at_ms, handles: handles(socket) })
}

/// Of the process that opened the socket.
fn handles(socket: &Path) -> Fact<Handles> {
    let failed = |error: std::io::Error| Unseen::of(&error, &socket.display().to_string());
    let stream = UnixStream::connect(socket).map_err(failed)?;
    let pid = socket_peercred(&stream).map_err(|error| failed(error.into()))?.pid;
    let process = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
    let folder = process.join("fd");
    let open = fs::read_dir(&folder).map_err(|error| Unseen::of(&error, &folder.display().to_string()))?.count();
    let limits = text(&process.join("limits"))?;
    let most =
        limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok());
    let open_max = most.unwrap_or(u64::MAX);
    Ok(Handles { open: u64::try_from(open).unwrap_or(u64::MAX), open_max })
}

/// Every port that is open; `root` is where /proc is.
pub(super) fn ports(root: &Path) -> Fact<Ports> {
    let all = |names: [&str; 2], read: fn(&str) -> Option<Listener>| -> Fact<Vec<Listener>> {
        let mut found = Vec::new();
        for name in names {
            match text(&root.join("proc/net").join(name)) {
                Ok(table) => found.extend(table.lines().skip(1).filter_map(read)),
                // A kernel without IPv6.
                Err(Unseen::Missing(_)) => {}
                Err(unseen) => return Err(unseen),
            }
        }
        Ok(found)
    };
    Ok(Ports { tcp: all(["tcp", "tcp6"], tcp)?, udp: all(["udp", "udp6"], udp)? })
}

/// `0: 0100007F:075B 00000000:0000 0A …`
fn tcp(line: &str) -> Option<Listener> {
    let words: Vec<&str> = line.split_whitespace().collect();
    (*words.get(3)? == LISTEN).then(|| Some(Listener { port: port(words.get(1)?)?, drops: 0 })).flatten()
}

/// The last word of a line is how many datagrams were let go.
fn udp(line: &str) -> Option<Listener> {
    let words: Vec<&str> = line.split_whitespace().collect();
    Some(Listener { port: port(words.get(1)?)?, drops: words.last()?.parse().ok()? })
}

fn port(address: &str) -> Option<u16> {
    u16::from_str_radix(address.rsplit(':').next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let net = dir.path().join("proc/net");
        fs::create_dir_all(&net).unwrap();
        fs::write(
            net.join("tcp"),
            "  sl  local_address rem_address   st\n   0: 0100007F:075B 00000000:0000 0A 00000000:00000000 00\n   \
             1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00\n",
        )
        .unwrap();
        fs::write(
            net.join("udp"),
            "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer \
             drops\n  42: 0100007F:06A4 00000000:0000 07 00000000:00000000 00:00000000 00000000  0  0 1 2 0 17\n",
        )
        .unwrap();
        let ports = ports(dir.path()).unwrap();
        assert_eq!(ports.tcp, [Listener { port: 1_883, drops: 0 }]);
        assert_eq!(ports.udp, [Listener { port: 1_700, drops: 17 }]);
    }

    #[test]
    fn who_does_not_run_is_silent() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places { run_dir: dir.path().into(), ..Places::default() };
        assert!(matches!(gateway(&places), Err(Unseen::Silent("weir-gateway"))));
        assert!(matches!(sync(&places), Err(Unseen::Silent("weir-sync"))));
    }
}
