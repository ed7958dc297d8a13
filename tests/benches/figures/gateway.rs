//! Weir's gateway, as its release binary in a process and a folder of its own.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use journal::Reader;

use crate::devices::{self, Tables};
use crate::process::{Process, free_port};

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// Its process.
    pub(crate) process: Process,
    /// Where it serves MQTT.
    pub(crate) mqtt: SocketAddr,
    folder: PathBuf,
}

/// A gateway's folder with its configuration: what is needed to start it, once or again.
#[derive(Debug)]
pub(crate) struct Site {
    folder: PathBuf,
    mqtt: SocketAddr,
    gwmp: SocketAddr,
}

impl Site {
    /// Writes the configuration with these devices; everything else is Weir's default.
    pub(crate) fn new(folder: &Path, tables: &Tables) -> io::Result<Site> {
        Site::with(folder, tables, "")
    }

    /// The same with `more` behind its last section, `[gwmp]`.
    pub(crate) fn with(folder: &Path, tables: &Tables, more: &str) -> io::Result<Site> {
        let mqtt = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let gwmp = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        fs::create_dir_all(folder)?;
        let config = format!(
            "box = \"outfall-1\"\nstate_dir = \"state\"\nrun_dir = \"run\"\n[mqtt]\nlisten = \"{mqtt}\"\n[gwmp]\nlisten = \"{gwmp}\"\n{more}"
        );
        fs::write(folder.join("gateway.toml"), config)?;
        fs::write(folder.join("devices.toml"), &tables.devices)?;
        let keys =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(folder.join("keys.toml"));
        keys?.write_all(tables.keys.as_bytes())?;
        fs::write(folder.join("rules.toml"), devices::RULES)?;
        Ok(Site { folder: folder.into(), mqtt, gwmp })
    }

    /// Where the gateway will serve MQTT.
    pub(crate) fn mqtt(&self) -> SocketAddr {
        self.mqtt
    }

    /// Where the gateway will serve packet forwarders.
    pub(crate) fn gwmp(&self) -> SocketAddr {
        self.gwmp
    }

    /// The journal's file.
    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.join("state/journal/journal.db")
    }

    /// Starts the process and returns at once.
    pub(crate) fn spawn(&self, weir: &Path) -> io::Result<Process> {
        let config = self.folder.join("gateway.toml");
        let mut command = Command::new(weir);
        command.args(["gateway", "run", "--config"]).arg(config);
        Process::start(&mut command, &self.folder.join("gateway.log"))
    }

    /// Starts the process and waits until it serves.
    pub(crate) fn start(&self, weir: &Path) -> io::Result<Gateway> {
        let mut process = self.spawn(weir)?;
        process.wait_for(self.mqtt)?;
        Ok(Gateway { process, mqtt: self.mqtt, folder: self.folder.clone() })
    }
}

impl Gateway {
    /// Records in the journal.
    pub(crate) fn records(&self) -> io::Result<u64> {
        let reader = Reader::open(&self.folder.join("state/journal/journal.db")).map_err(io::Error::other)?;
        Ok(reader.position().map_err(io::Error::other)?.end.0)
    }
}
