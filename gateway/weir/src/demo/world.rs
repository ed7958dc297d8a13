//! The demo's world: files, daemons and the link that can be cut.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use batch::{BoxId, PublicKey};
use platform::StateDir;
use platform::export::{Exported, write_artifacts};
use serde_json::{Value, json};

use super::children::Daemon;
use super::console::Console;
use super::devices::{self, Device};
use super::error::DemoError;
use super::folder::Folder;
use super::proxy::Proxy;
use super::settings;
use super::wait::Clock;

/// How long a daemon may take until it serves; a Raspberry Pi with a cold card needs some of it.
const READY: Duration = Duration::from_secs(20);

/// The platforms: one with a good link, one whose link is cut.
pub(crate) const PLATFORMS: [&str; 2] = ["city", "province"];
/// Their places in all lists.
pub(crate) const CITY: usize = 0;
pub(crate) const PROVINCE: usize = 1;

/// Everything that runs. Fields are dropped in this order: daemons first, their folder last.
#[derive(Debug)]
pub(crate) struct World {
    gateway: Daemon,
    sync: Daemon,
    /// In the order of [`PLATFORMS`].
    pub(crate) platforms: Vec<FarEnd>,
    /// The link to the province.
    pub(crate) link: Proxy,
    /// Who may speak.
    pub(crate) devices: Vec<Device>,
    /// Where the box listens for MQTT.
    pub(crate) mqtt: SocketAddr,
    /// Where the box listens for GWMP.
    pub(crate) gwmp: SocketAddr,
    /// The box's name.
    pub(crate) box_id: BoxId,
    /// The box's public key.
    pub(crate) box_key: PublicKey,
    folder: Folder,
}

/// A platform.
#[derive(Debug)]
pub(crate) struct FarEnd {
    daemon: Daemon,
    /// Its name.
    pub(crate) name: &'static str,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Its folder.
    pub(crate) state: StateDir,
    /// The key of its receipts.
    pub(crate) key: PublicKey,
    /// What readers show.
    pub(crate) read_token: String,
}

impl World {
    /// Makes keys and files and starts all four daemons, in the order in which they need each other.
    pub(crate) async fn start(folder: Folder, console: &Console) -> Result<World, DemoError> {
        let clock = console.clock();
        let root = folder.path().to_owned();
        make_folder(&root.join("logs"))?;
        let key = identity::load_or_create(&root.join("state/identity/box.key")).map_err(DemoError::Identity)?;
        let ports = settings::free_ports::<4>()?.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let [city, province, mqtt, gwmp] = ports;
        let mut platforms = Vec::new();
        for (name, address) in PLATFORMS.into_iter().zip([city, province]) {
            platforms.push(FarEnd::start(&root, name, address, &key.public(), clock).await?);
        }
        console.say(
            "two platforms run: city, and province behind a link that can be cut",
            "两个平台已启动：city（市级），以及链路可被切断的 province（省级）",
        );
        let link = Proxy::start(province).await?;
        let devices = devices::make()?;
        let destinations: Vec<_> = platforms
            .iter()
            .zip([city, link.address()])
            .map(|(platform, address)| (platform.name, address, platform.key.to_string()))
            .collect();
        write(&root.join("devices.toml"), devices::toml(&devices).as_bytes())?;
        write(&root.join("keys.toml"), devices::keys_toml(&devices).as_bytes())?;
        write(&root.join("rules.toml"), settings::rules().as_bytes())?;
        write(&root.join("gateway.toml"), settings::gateway(&folder.run_dir(), mqtt, gwmp).as_bytes())?;
        write(&root.join("sync.toml"), settings::sync(&folder.run_dir(), &destinations).as_bytes())?;
        let logs = root.join("logs");
        let mut gateway = Daemon::start("gateway", "gateway", &root.join("gateway.toml"), &logs)?;
        let mut sync = Daemon::start("sync", "sync", &root.join("sync.toml"), &logs)?;
        let socket = folder.run_dir().join("gateway.sock");
        ready(&mut gateway, "the gateway", clock, || status(&socket).is_some()).await?;
        let socket = folder.run_dir().join("sync.sock");
        let serves = || status(&socket).is_some_and(|status| status["waiting_for"].is_null());
        ready(&mut sync, "sync", clock, serves).await?;
        console.say(
            &format!("gateway and sync run: MQTT on {mqtt}, LoRa packet forwarders on {gwmp}"),
            &format!("网关与上传进程已启动：MQTT {mqtt}，LoRa 转发器 {gwmp}"),
        );
        let (box_id, box_key) = (BoxId::new(settings::BOX).map_err(DemoError::BoxName)?, key.public());
        Ok(World { gateway, sync, platforms, link, devices, mqtt, gwmp, box_id, box_key, folder })
    }

    /// The demo's folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the control sockets are.
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.folder.run_dir()
    }

    /// The journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.path().join("state/journal/journal.db")
    }

    /// The outbox.
    pub(crate) fn outbox(&self) -> PathBuf {
        self.path().join("state/outbox/outbox.db")
    }

    /// Process ids by name.
    pub(crate) fn pids(&self) -> Vec<(&'static str, u32)> {
        let platforms = self.platforms.iter().map(|platform| (platform.name, platform.daemon.pid()));
        [("gateway", self.gateway.pid()), ("sync", self.sync.pid())].into_iter().chain(platforms).collect()
    }

    /// SIGKILL for the gateway.
    pub(crate) fn kill_gateway(&mut self) {
        self.gateway.kill();
    }

    /// Starts the gateway again; returns how long it took until it served.
    pub(crate) async fn start_gateway(&mut self, clock: Clock) -> Result<Duration, DemoError> {
        let begun = Instant::now();
        let (config, logs) = (self.path().join("gateway.toml"), self.path().join("logs"));
        self.gateway = Daemon::start("gateway", "gateway", &config, &logs)?;
        let socket = self.run_dir().join("gateway.sock");
        ready(&mut self.gateway, "the gateway", clock, || status(&socket).is_some()).await?;
        Ok(begun.elapsed())
    }

    /// Fails if a daemon has ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), DemoError> {
        self.gateway.check()?;
        self.sync.check()?;
        self.platforms.iter_mut().try_for_each(|platform| platform.daemon.check())
    }

    /// Each batch, receipt and key of both platforms as files under `artifacts`.
    pub(crate) fn write_artifacts(&self) -> Result<Vec<Exported>, DemoError> {
        let write = |platform: &FarEnd| {
            let to = self.path().join("artifacts").join(platform.name);
            write_artifacts(&platform.state, &to)
                .map_err(|source| DemoError::Artifacts { platform: platform.name, source })
        };
        self.platforms.iter().map(write).collect()
    }

    /// Stops the daemons one after the other, those that send before those that receive.
    pub(crate) async fn end(self) {
        let World { gateway, sync, platforms, link, folder, .. } = self;
        gateway.stop().await;
        sync.stop().await;
        drop(link);
        for platform in platforms {
            platform.daemon.stop().await;
        }
        drop(folder);
    }
}

impl FarEnd {
    async fn start(
        root: &Path,
        name: &'static str,
        address: SocketAddr,
        box_key: &PublicKey,
        clock: Clock,
    ) -> Result<FarEnd, DemoError> {
        let folder = root.join("platforms").join(name);
        make_folder(&folder)?;
        let mut token = [0; 16];
        getrandom::fill(&mut token).map_err(DemoError::Random)?;
        let read_token = hex::encode(token);
        let config = folder.join("platform.toml");
        write(&config, settings::platform(name, address, &box_key.to_string(), &read_token).as_bytes())?;
        let mut daemon = Daemon::start(name, "platform", &config, &root.join("logs"))?;
        let state = StateDir::new(&folder);
        ready(&mut daemon, "a platform", clock, || {
            state.public_key().exists() && state.tls_cert().exists() && TcpStream::connect(address).is_ok()
        })
        .await?;
        let path = state.public_key();
        let text = fs::read_to_string(&path).map_err(|source| DemoError::Read { path: path.clone(), source })?;
        let key = text.trim().parse().map_err(|source| DemoError::PublicKey { path, source })?;
        Ok(FarEnd { daemon, name, address, state, key, read_token })
    }
}

/// Waits until a daemon serves; fails at once if it ends.
async fn ready(
    daemon: &mut Daemon,
    what: &'static str,
    clock: Clock,
    mut serves: impl FnMut() -> bool,
) -> Result<(), DemoError> {
    let looked = clock.until(READY, || match daemon.check() {
        Err(ended) => Some(Err(ended)),
        Ok(()) => serves().then_some(Ok(())),
    });
    match looked.await {
        Some(found) => found,
        None => {
            let (log, tail) = (daemon.log().to_owned(), daemon.tail());
            Err(DemoError::NotReady { what, seconds: READY.as_secs(), log, tail })
        }
    }
}

/// What a daemon says of itself, if it serves.
pub(crate) fn status(socket: &Path) -> Option<Value> {
    control::ask(socket, &json!({ "do": "status" })).ok().map(|mut answer| answer["status"].take())
}

fn make_folder(path: &Path) -> Result<(), DemoError> {
    fs::create_dir_all(path).map_err(|source| DemoError::Folder { path: path.into(), source })
}

/// Writes a file that holds secrets of the demo, for this user only.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), DemoError> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|source| DemoError::Write { path: path.into(), source })
}
