//! Debian's mosquitto with its persistence on: what Weir is measured against.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::process::{Process, free_port};
use crate::publisher;

/// When mosquitto saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Autosave {
    /// Its default: every 1,800 s. Nothing is on the disk when it acknowledges.
    Default,
    /// `autosave_on_changes` with `autosave_interval 1`: the whole store is written and synced after changes; the
    /// acknowledgement still does not wait for it.
    EveryChange,
}

/// Starts it in a folder of its own. A persistent subscriber that is offline makes it keep messages at all when it
/// saves at every change; without one it has nothing to save, which is left so for its default: it is faster then.
pub(crate) fn start(folder: &Path, autosave: Autosave) -> io::Result<(Process, SocketAddr)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    let save = match autosave {
        Autosave::Default => "",
        Autosave::EveryChange => "autosave_on_changes true\nautosave_interval 1\n",
    };
    let config = format!(
        "listener {} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\n{save}",
        address.port(),
        folder.display()
    );
    fs::write(folder.join("mosquitto.conf"), config)?;
    // As root it would give up its rights and then could not write this folder.
    fs::write(folder.join("mosquitto.log"), "")?;
    let mut command = Command::new("mosquitto");
    command.arg("-c").arg(folder.join("mosquitto.conf"));
    if rustix::process::getuid().is_root() {
        fs::write(
            folder.join("mosquitto.conf"),
            format!("user root\n{}", fs::read_to_string(folder.join("mosquitto.conf"))?),
        )?;
    }
    let mut process = Process::start(&mut command, &folder.join("mosquitto.log"))?;
    process.wait_for(address)?;
    if autosave == Autosave::EveryChange {
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
