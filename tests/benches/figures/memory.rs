//! Resident memory of the two daemons with 200 clients, while everything is delivered to a platform, and of the gateway
//! with clients that want it to hold things.

mod crowd;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Plan;
use crate::devices;
use crate::gateway::{Gateway, Site};
use crate::process::{Process, free_port};
use crate::publisher::{self, Load};

const CLIENTS: usize = 200;
/// A device says something this often in the light phase.
const PAUSE: Duration = Duration::from_secs(5);
/// Delivery of what a phase left behind may take this long.
const DRAIN_MAX: Duration = Duration::from_secs(120);

/// A box and its platform.
struct World {
    gateway: Gateway,
    sync: Process,
    _platform: Process,
}

pub(crate) fn run(plan: &Plan) -> io::Result<()> {
    let folder = tempfile::tempdir_in(&plan.folder)?;
    let world = World::start(plan, folder.path())?;
    println!(
        "{CLIENTS} MQTT clients; MiB                 gateway RSS  (anonymous)   peak      sync RSS  (anonymous)   peak"
    );
    std::thread::sleep(Duration::from_secs(2));
    world.print("nobody connected")?;
    publisher::connected(world.gateway.mqtt, CLIENTS, || {
        std::thread::sleep(Duration::from_secs(3));
        world.print("200 connected, silent")
    })?;
    let light = Load {
        clients: CLIENTS,
        in_flight: 1,
        warm_up: Duration::ZERO,
        time: Duration::from_secs(20),
        pause: Some(PAUSE),
    };
    publisher::run(world.gateway.mqtt, light)?;
    world.print("200 at one frame in 5 s each, 20 s")?;
    let heavy = Load { in_flight: 16, time: Duration::from_secs(plan.seconds), pause: None, ..light };
    let pushed = publisher::run(world.gateway.mqtt, heavy)?;
    world.print("200 as fast as they can, 16 in flight")?;
    let took = world.drain(folder.path())?;
    world.print("after delivery of all that")?;
    println!(
        "the fast phase: {:.0} acks/s, p99 {:.0} ms; its {} frames were delivered {:.1} s after it",
        pushed.per_s,
        pushed.p99_us / 1e3,
        pushed.acknowledged,
        took.as_secs_f64()
    );
    println!("aim: RSS of each at most 32 MiB with 200 clients");
    drop(world);
    crowd::run(plan)
}

impl World {
    fn start(plan: &Plan, folder: &Path) -> io::Result<World> {
        let site = Site::new(folder, &devices::mqtt_tables(CLIENTS))?;
        let gateway = site.start(&plan.weir)?;
        let box_key = fs::read_to_string(folder.join("state/identity/box.pub"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let config = format!(
            "name = \"city\"\nlisten = \"{address}\"\nstate_dir = \"platform\"\n[[box]]\nid = \"outfall-1\"\nkey = \"{}\"\n",
            box_key.trim()
        );
        fs::write(folder.join("platform.toml"), config)?;
        let daemon = |what: &str| {
            let mut command = Command::new(&plan.weir);
            command.args([what, "run", "--config"]).arg(folder.join(format!("{what}.toml")));
            Process::start(&mut command, &folder.join(format!("{what}.log")))
        };
        let mut platform = daemon("platform")?;
        platform.wait_for(address)?;
        let platform_key = fs::read_to_string(folder.join("platform/platform.pub"))?;
        let config = format!(
            "state_dir = \"state\"\nrun_dir = \"run\"\n[[destination]]\nname = \"city\"\nurl = \"https://{address}/\"\n\
             ca_file = \"platform/tls.crt\"\nkey = \"{}\"\n",
            platform_key.trim()
        );
        fs::write(folder.join("sync.toml"), config)?;
        let mut sync = daemon("sync")?;
        sync.wait_for_file(&folder.join("run/sync.sock"))?;
        Ok(World { gateway, sync, _platform: platform })
    }

    fn print(&self, phase: &str) -> io::Result<()> {
        let (gateway, sync) = (self.gateway.process.memory()?, self.sync.memory()?);
        println!(
            "{phase:<38} {:>8.1}  {:>11.1}  {:>5.1}  {:>12.1}  {:>11.1}  {:>5.1}",
            gateway.rss, gateway.anonymous, gateway.peak, sync.rss, sync.anonymous, sync.peak
        );
        Ok(())
    }

    /// Waits until the platform holds every record.
    fn drain(&self, folder: &Path) -> io::Result<Duration> {
        let begin = Instant::now();
        let records = self.gateway.records()?;
        while begin.elapsed() < DRAIN_MAX {
            let outbox =
                journal::Outbox::open_read_only(&folder.join("state/outbox/outbox.db")).map_err(io::Error::other)?;
            if covered(&outbox)? >= records {
                return Ok(begin.elapsed());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "the platform does not get everything; see sync.log"))
    }
}

/// Records that the one destination has receipted.
fn covered(outbox: &journal::Outbox) -> io::Result<u64> {
    let coverage = outbox.coverage("city").map_err(io::Error::other)?;
    Ok(coverage.len())
}
