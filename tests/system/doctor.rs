//! `weir doctor` against real daemons: a box that is well, and boxes that are broken in many ways. Each break is found, with the
//! command that mends it, and nothing on the network keeps the doctor waiting.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
use serde_json::Value;
use system_tests::{Answer, Device, Sensor, World, until};

/// What the doctor promises is 3 s; a machine that is busy with other tests is given this.
const PROMISE: Duration = Duration::from_secs(10);
/// What is the machine's affair, and not the box's.
const OF_MACHINE: [&str; 6] = ["power", "board", "disk", "clock", "units", "ports"];

/// What `weir doctor --json` says, with how it ended.
fn doctor(world: &World, more: &[&str]) -> Answer {
    let (config, sync) =
        (world.path("gateway.toml").display().to_string(), world.path("sync.toml").display().to_string());
    world.weir(&[&["doctor", "--config", &config, "--sync-config", &sync], more].concat())
}

fn findings(world: &World) -> Vec<Value> {
    let answer = doctor(world, &["--json"]);
    let said = answer.json();
    let code = if said["well"] == true { 0 } else { 1 };
    answer.exits(code);
    said["findings"].as_array().unwrap().clone()
}

/// Whether somebody has to do something.
fn is_wrong(finding: &Value) -> bool {
    finding["verdict"] == "warning" || finding["verdict"] == "fault"
}

/// What a check has found; fails unless it is something wrong whose evidence and cure say this.
fn found<'f>(findings: &'f [Value], check: &str, evidence: &str, command: &str) -> &'f Value {
    let of_check: Vec<&Value> = findings.iter().filter(|finding| finding["check"] == check).collect();
    let says = |finding: &&&Value| {
        let has = |key: &str, text: &str| finding[key].as_str().is_some_and(|told| told.contains(text));
        is_wrong(finding) && has("evidence", evidence) && has("command", command)
    };
    of_check
        .iter()
        .find(says)
        .unwrap_or_else(|| panic!("{check} does not find `{evidence}`, `{command}`: {of_check:#?}"))
}

/// A rule for COD in this unit.
fn rule(unit: &str) -> String {
    let head = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\n";
    format!("{head}quantity = \"cod\"\nunit = \"{unit}\"\nhigh = 80\n")
}

/// A box with platforms that has delivered what its one sensor sent.
fn started() -> World {
    let device = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&device), "");
    fs::write(world.path("rules.toml"), rule("mg/L")).unwrap();
    world.start_gateway();
    let mut sensor = Sensor::connect(&world, &device);
    (0..5).for_each(|n| sensor.publish(&format!("{{\"n\": {n}, \"cod\": 40.1}}")));
    world.start_platforms();
    world.start_sync();
    world.delivered();
    world
}

#[test]
fn a_box_that_is_well_has_nothing_to_mend() {
    let world = started();
    let all = findings(&world);
    let is_ours =
        |finding: &&Value| !OF_MACHINE.contains(&finding["check"].as_str().unwrap().split('.').next().unwrap());
    let wrong: Vec<&Value> = all.iter().filter(|finding| is_wrong(finding)).filter(is_ours).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let well: Vec<&str> = all
        .iter()
        .filter(|finding| finding["verdict"] == "ok")
        .filter_map(|finding| finding["check"].as_str())
        .collect();
    for check in [
        "files.rights",
        "files.secrets",
        "config.gateway",
        "config.sync",
        "daemons.gateway",
        "daemons.sync",
        "daemons.version",
        "daemons.handles",
        "ports.mqtt",
        "ports.gwmp",
        "journal.opens",
        "journal.storing",
        "journal.head",
        "outbox.opens",
        "devices.any",
        "devices.never",
        "devices.rejected",
        "rules.quantities",
        "rules.units",
        "platforms.name",
        "platforms.connect",
        "platforms.certificates",
        "platforms.errors",
        "platforms.receipts",
        "platforms.parked",
    ] {
        assert!(well.contains(&check), "{check} is not well: {all:#?}");
    }
    let listed = world.weir(&["doctor", "--list"]).exits(0).out;
    assert_eq!(
        listed.lines().count(),
        all.iter().map(|one| one["check"].as_str()).collect::<std::collections::BTreeSet<_>>().len()
    );
    let told = doctor(&world, &["--all", "--lang", "zh"]).out;
    assert!(told.contains("采集服务应答") && told.contains("[daemons.gateway]"), "{told}");
}

#[test]
fn what_is_broken_is_found_with_its_cure() {
    let mut world = started();
    let devices = fs::read_to_string(world.path("devices.toml")).unwrap();
    let keys = fs::read_to_string(world.path("keys.toml")).unwrap();
    // A second device that nobody hears, one section of keys too many, and a rule in another unit.
    fs::write(world.path("devices.toml"), format!("{devices}{}", devices.replace("cod-1", "cod-2"))).unwrap();
    fs::write(
        world.path("keys.toml"),
        format!("{keys}{}{}", keys.replace("cod-1", "cod-2"), keys.replace("cod-1", "cod-9")),
    )
    .unwrap();
    world.kill_gateway();
    world.start_gateway();
    let history = ["config", "--config-dir", &world.config_dir(), "history", "--json"];
    until("it keeps what it works by", 20, || world.weir(&history).out.contains("rules-1").then_some(()));
    fs::write(world.path("rules.toml"), rule("ug/L")).unwrap();
    // A platform that is gone, the certificate of the other one replaced by one that ended, a folder open to all.
    world.platforms[0].stop();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
    let ended = params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    fs::write(world.platforms[1].state.tls_cert(), ended).unwrap();
    let journal = world.path("state/journal");
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o777)).unwrap();
    until("the gateway is heard again", 20, || {
        (world.status()["gateway"]["devices"]["cod-2"].is_object()).then_some(())
    });

    let all = findings(&world);
    found(&all, "files.rights", "state/journal has 0777", "sudo chmod 0750 ");
    found(&all, "devices.never", "cod-2", "weir device show cod-2");
    found(&all, "devices.keys", "cod-9", "keys.toml");
    found(&all, "rules.units", "cod-1 sends it in mg/L", "rules.toml");
    found(&all, "platforms.connect", "municipal 127.0.0.1:", "curl");
    found(&all, "platforms.certificates", "2020-01-01", "openssl x509");
    let clock = world.status()["gateway"]["clock"].clone();
    if clock["state"] == "unset" {
        found(&all, "clock.quality", "never set", "timedatectl set-ntp true");
    }
    found(&all, "config.in_force", "rules.toml was changed, and version rules-", "sudo weir rules reload");
    let told = doctor(&world, &[]).exits(1).out;
    let (first, last) = (told.find("[platforms.connect]").unwrap(), told.find("[devices.never]").unwrap());
    assert!(first < last, "what is broken stands before what is not well:\n{told}");

    // Keys that others can read are refused by the gateway as well; with the upload daemon gone the rest is still seen.
    fs::set_permissions(world.path("keys.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    world.sync = None;
    let all = findings(&world);
    found(&all, "files.secrets", "keys.toml has 0644", "sudo chmod 0600 ");
    found(&all, "config.gateway", "can be read by others", "weir config check");
    found(&all, "daemons.sync", "weir-sync does not answer", "sudo systemctl restart weir-sync");
}

#[test]
fn it_runs_without_daemons_and_says_what_it_could_not_see() {
    let world = World::prepared(&[Device::cod("cod-1")], "");
    let all = findings(&world);
    found(&all, "daemons.gateway", "weir-gateway does not answer", "sudo systemctl restart weir-gateway");
    found(&all, "journal.opens", "there is no database", "sudo systemctl restart weir-gateway");
    let skipped = all.iter().filter(|finding| finding["verdict"] == "skipped");
    assert!(skipped.clone().all(|finding| !finding["evidence"].as_str().unwrap().is_empty()));
    assert!(skipped.clone().any(|finding| finding["check"] == "devices.silent"), "{all:#?}");
}

#[test]
fn a_disk_that_is_nearly_full_is_found() {
    let mut world = World::on_disk(&[Device::cod("cod-1")], "");
    world.start_gateway();
    let of_space = |all: &[Value]| all.iter().find(|finding| finding["check"] == "disk.space").unwrap().clone();
    assert_eq!(of_space(&findings(&world))["verdict"], "ok");
    let disk = world.disk.as_ref().unwrap();
    disk.leave_free(40);
    found(&findings(&world), "disk.space", "42 of 1073 MB are free", "sudo du -xh");
    disk.leave_free(4);
    assert_eq!(of_space(&findings(&world))["verdict"], "fault");
}

/// A platform that takes no connection and refuses none: its queue is full, so what the box sends is not answered.
struct BlackHole {
    port: u16,
    _listener: std::os::fd::OwnedFd,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    fn open() -> BlackHole {
        let listener = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&listener, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        listen(&listener, 0).unwrap();
        let address = SocketAddr::try_from(getsockname(&listener).unwrap()).unwrap();
        // Until one more is not taken.
        let knock = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
        let queue = std::iter::from_fn(knock).take(64).collect();
        BlackHole { port: address.port(), _listener: listener, _queue: queue }
    }
}

#[test]
fn a_platform_that_does_not_answer_keeps_nobody_waiting() {
    let world = started();
    let hole = BlackHole::open();
    let text = fs::read_to_string(world.path("sync.toml")).unwrap();
    let lost = text.replace(&format!(":{}/", world.platforms[0].port), &format!(":{}/", hole.port));
    let lost = lost.replace(&format!("https://127.0.0.1:{}/", world.platforms[1].port), "https://platform.invalid/");
    fs::write(world.path("sync.toml"), lost).unwrap();
    let begun = Instant::now();
    let all = findings(&world);
    let took = begun.elapsed();
    eprintln!("doctor with a blackholed platform and a name that nobody knows: {:.2} s", took.as_secs_f64());
    found(&all, "platforms.connect", "municipal", "curl");
    found(&all, "platforms.name", "platform.invalid", "getent hosts platform.invalid");
    assert!(took < PROMISE, "{took:?}");
}
