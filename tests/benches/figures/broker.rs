//! Debian's mosquitto with its persistence on: what Weir is measured against.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::process::{Process, free_port};
use crate::publisher;

/// When mosquitto saves, and what it has to save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// Its default, every 1,800 s, and nobody subscribes: it acknowledges and keeps nothing at all.
    Nothing,
    /// Its default, every 1,800 s, and a persistent subscriber is offline: it keeps every message, in memory.
    InMemory,
    /// `autosave_on_changes` with `autosave_interval 1` and the same subscriber: the whole store is written and synced
    /// again and again; an acknowledgement still does not wait for it.
    EveryChange,
}

/// Starts it in a folder of its own.
///
/// By its default it queues 1,000 messages for a client that is offline, then drops what it has acknowledged and saves
/// nothing more; it is told to keep them all.
pub(crate) fn start(folder: &Path, persistence: Persistence) -> io::Result<(Process, SocketAddr)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    let save = match persistence {
        Persistence::Nothing | Persistence::InMemory => "",
        Persistence::EveryChange => "autosave_on_changes true\nautosave_interval 1\n",
    };
    // As root it would give up its rights, and then could not write this folder.
    let user = if rustix::process::getuid().is_root() { "user root\n" } else { "" };
    let config = format!(
        "{user}listener {} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\npersistence true\n\
         persistence_location {}/\nlog_type error\n{save}",
        address.port(),
        folder.display()
    );
    fs::write(folder.join("mosquitto.conf"), config)?;
    let mut command = Command::new("mosquitto");
    command.arg("-c").arg(folder.join("mosquitto.conf"));
    let mut process = Process::start(&mut command, &folder.join("mosquitto.log"))?;
    process.wait_for(address)?;
    if persistence != Persistence::Nothing {
        subscribe_and_leave(address)?;
    }
    Ok((process, address))
}

/// A session that stays behind: clean session off, QoS 1 on every device's topic.
fn subscribe_and_leave(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&publisher::connect("collector", false))?;
    stream.read_exact(&mut [0; 4])?;
    stream.write_all(b"\x82\x0b\x00\x01\x00\x06d/+/up\x01")?;
    stream.read_exact(&mut [0; 5])?;
    stream.write_all(b"\xe0\x00")
}
