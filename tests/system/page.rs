//! The page for inspectors beside real daemons: read with curl, and by a browser that nobody here wrote.

mod browser;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::{Timestamp, ToSpan};
use sha2::{Digest, Sha256};
use system_tests::config::free_tcp_port;
use system_tests::{Answer, Daemon, Device, Peer, Sensor, World, until};

const CODE: &str = "FA-231081-0001-SH-00";
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/outfall.toml");
const RULE: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 30\n";
/// README states it.
const BYTES_MAX: usize = 100_000;

/// A page of a world, while it runs.
struct Page {
    daemon: Daemon,
    url: String,
}

impl Page {
    fn start(world: &World, more: &str) -> Page {
        let port = free_tcp_port();
        let text = format!("listen = \"127.0.0.1:{port}\"\nstate_dir = \"state\"\nrun_dir = \"run\"\n{more}");
        fs::write(world.path("page.toml"), text).unwrap();
        let mut daemon = Daemon::start("page", &world.path("page.toml"), &world.path(""));
        let url = format!("http://127.0.0.1:{port}");
        until("the page answers", 20, || {
            daemon.check();
            (curl(&url, &["--head"]).code == Some(0)).then_some(())
        });
        Page { daemon, url }
    }

    /// What stands on a page, in English.
    fn read(&self, path: &str) -> String {
        let text = curl(&format!("{}{path}?lang=en", self.url), &["--fail"]).exits(0).out;
        assert!(text.len() < BYTES_MAX, "{path}: {} bytes", text.len());
        text
    }

    /// Waits until a page says this.
    fn until(&self, path: &str, text: &str) -> String {
        until(&format!("{path} says `{text}`"), 60, || Some(self.read(path)).filter(|page| page.contains(text)))
    }
}

fn curl(url: &str, options: &[&str]) -> Answer {
    Answer::of(Command::new("curl").args(["--silent", "--show-error", "--max-time", "60"]).args(options).arg(url))
}

/// A box at an outfall with a dossier: a sensor of flow that tells a month of readings with their times, one of COD whose limit is
/// passed, and both platforms.
fn world() -> (World, Vec<Device>, Sensor) {
    let devices = vec![Device::flow("flow-1"), Device::cod("cod-1"), Device::cod("spare-9")];
    let mut world = World::prepared(&devices, "[checkpoint]\nseconds_max = 1\n");
    let text = fs::read_to_string(world.path("devices.toml")).unwrap();
    let placed = ["flow-1", "cod-1"].iter().fold(text, |text, name| {
        text.replace(&format!("name = \"{name}\"\n"), &format!("name = \"{name}\"\noutfall = \"{CODE}\"\n"))
    });
    fs::write(world.path("devices.toml"), placed).unwrap();
    fs::write(world.path("rules.toml"), RULE).unwrap();
    world.start_gateway_synchronised();
    world.start_platforms();
    world.start_sync();
    world.weir(&["outfall", "add", EXAMPLE, "--reason", "survey"]).exits(0);
    let mut flow = Sensor::connect(&world, &devices[0]);
    let now = Timestamp::now();
    for hour in (0..31 * 24_i64).rev().filter(|hour| !(200..260).contains(hour)) {
        let time = now - (hour * 60 + 1).minutes();
        let value = 100.0 + 40.0 * (hour as f64 / 12.0 * std::f64::consts::PI).sin() + (hour % 5) as f64;
        flow.publish(&format!(r#"{{"n": {hour}, "time": "{time}", "flow": {value:.2}}}"#));
    }
    let mut cod = Sensor::connect(&world, &devices[1]);
    (1..=20).for_each(|n| cod.publish(&format!(r#"{{"n": {n}, "cod": {}.5}}"#, 10 + n % 9)));
    (world, devices, cod)
}

#[test]
fn who_stands_at_the_outfall_reads_how_it_is() {
    let (mut world, devices, mut cod) = world();
    let page = Page::start(&world, "");
    let home = page.until("/", "No alarm stands.");
    assert!(home.contains(CODE) && home.contains("spare-9"), "{home}");
    cod.publish(r#"{"n": 21, "cod": 41.5}"#);
    page.until("/", "1 alarm stands.");
    let outfall = page.until(&format!("/outfall/{CODE}"), "41.5 mg/L; limit 30 mg/L");
    assert!(outfall.contains("<svg") && !outfall.contains("spare-9"), "{outfall}");
    for word in ["not acknowledged", "receiving water", "Version 1"] {
        assert!(outfall.contains(word), "{word}: {outfall}");
    }
    let end = world.records();
    until("the newest receipts are verified", 60, || {
        let home = page.read("/");
        (home.matches("newest receipt verified").count() == 2 && home.contains("; 0 records wait")).then_some(())
    });
    assert!(page.read("/").contains(&world.platforms[0].public_key()));
    assert!(end > 700);
    let device = page.read("/device/flow-1");
    assert_eq!(device.matches("<svg").count(), 4, "flow and the counter, day and month");
    assert!(device.contains("Flow (L/s)") && device.contains("Numbers by the day"));

    // Somebody sees the alarm, and sets it aside.
    world.weir(&["alarm", "ack", "cod-high", "cod-1", "--reason", "sludge, says 王工 13900000009"]).exits(0);
    page.until("/", ">acknowledged<");
    world.weir(&["alarm", "shelve", "cod-high", "cod-1", "--hours", "2", "--reason", "cleaning"]).exits(0);
    let shelved = page.until("/", "set aside until");
    assert!(shelved.contains("No alarm stands.") && !shelved.contains("13900000009"), "{shelved}");

    // One platform is gone: what waits grows, and how old its last word is stands there.
    world.platforms[0].stop();
    let sensor = Peer::sensor("paho_sensor.py", &world, &devices[2]).with("--count", 5);
    assert_eq!(sensor.run().exits(0).number("acknowledged"), 5);
    let cut = page.until("/", "cannot be reached or refuses");
    assert!(cut.contains("last receipt") && !cut.contains("municipal</dt><dd>last receipt none"), "{cut}");

    // The gateway dies: the page goes on, and says whose view it is and how old.
    world.kill_gateway();
    let dead = page.until("/", "does not answer; its last word is of");
    assert!(
        dead.contains("As the journal has them") && dead.contains("1 alarm stands."),
        "set aside is not known: {dead}"
    );
    assert!(page.read("/device/flow-1").matches("<svg").count() == 4);
    world.start_gateway_synchronised();
    page.until("/", "set aside until");
    assert_eq!(page.daemon.terminate(), Some(0));
}

/// The page may be asked for everything, by anybody, and changes nothing.
#[test]
fn it_only_reads() {
    let (mut world, ..) = world();
    world.delivered();
    world.kill_gateway();
    world.sync = None;
    let before = digests(&world.path("state"));
    let page = Page::start(&world, "names = [\"weir.lan\"]\n");
    page.until("/", "cod-1");
    let at = |path: &str| format!("{}{path}", page.url);
    let status = |path: &str, options: &[&str]| {
        let told = ["--output", "/dev/null", "--write-out", "%{http_code}"];
        curl(&at(path), &[&told, options].concat()).exits(0).out
    };
    for path in ["/nowhere", "/device/nobody", "/outfall/X-1", "/device/..%2f..%2fkeys", "/outfall/%00"] {
        assert_eq!(status(path, &[]), "404", "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        assert_eq!(status("/", &["--request", method, "--data", "x"]), "405", "{method}");
    }
    for (host, expected) in
        [("evil.example", "421"), ("weir.lan", "200"), ("WEIR.lan:80", "200"), ("127.0.0.1.evil", "421")]
    {
        assert_eq!(status("/", &["--header", &format!("Host: {host}")]), expected, "{host}");
    }
    heads(&at("/"));
    let chinese = curl(&at("/"), &["--header", "Accept-Language: fr, zh-CN;q=0.8"]).exits(0).out;
    assert!(chinese.contains("<html lang=\"zh-CN\">") && chinese.contains("采集服务"), "{chinese}");
    let english = curl(&at("/"), &["--header", "Accept-Language: en-GB"]).exits(0).out;
    assert!(english.contains("<html lang=\"en\">"));
    assert!(curl(&at("/?lang=zh"), &["--header", "Accept-Language: en"]).out.contains("<html lang=\"zh-CN\">"));

    // Databases are open for reading and nothing else of the state is open.
    let fds = format!("/proc/{}", page.daemon.pid());
    let (mut read, entries) = (0, fs::read_dir(format!("{fds}/fd")).unwrap().flatten());
    for entry in entries {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        // SQLite asks for more of what lies beside a database, and takes what rights there are: the unit gives it none.
        let beside = ["db-shm", "db-wal"].map(OsStr::new);
        let state = world.path("state").canonicalize().unwrap();
        if !target.starts_with(state) || target.extension().is_some_and(|end| beside.contains(&end)) {
            continue;
        }
        let info = fs::read_to_string(format!("{fds}/fdinfo/{}", entry.file_name().display())).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
        assert_eq!(u32::from_str_radix(flags, 8).unwrap() & 3, 0, "{}: {flags}", target.display());
        read += 1;
    }
    assert!(read > 0);
    assert_eq!(page.daemon.terminate(), Some(0));
    assert_eq!(digests(&world.path("state")), before);
}

fn heads(url: &str) {
    let told = curl(url, &["--dump-header", "-", "--output", "/dev/null"]).exits(0).out.to_ascii_lowercase();
    for head in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "x-frame-options: deny",
        "cache-control: private, no-cache",
        "vary: accept-language",
        "content-language: zh-cn",
    ] {
        assert!(told.contains(head), "{head}: {told}");
    }
    assert!(!told.contains("set-cookie"), "{told}");
    let tag = |told: &str| told.lines().find_map(|line| line.strip_prefix("etag: ").map(|tag| tag.trim().to_owned()));
    // Whoever asks again within the minute gets nothing but that word; the next minute has another page.
    until("a page is the same for a while", 60, || {
        let told = curl(url, &["--head"]).exits(0).out;
        let again = curl(url, &["--head", "--header", &format!("If-None-Match: {}", tag(&told)?)]).exits(0).out;
        again.starts_with("HTTP/1.1 304").then_some(())
    });
}

/// Each file of a folder by its content, without what SQLite shares between processes.
fn digests(folder: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => all.extend(digests(&path)),
            path if path.extension().is_some_and(|end| end == "db-shm") => {}
            path => all.push((path.display().to_string(), hex::encode(Sha256::digest(fs::read(&path).unwrap())))),
        }
    }
    all.sort();
    all
}

#[test]
fn a_configuration_that_lets_the_internet_in_by_accident_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.toml").display().to_string();
    let template = Answer::of_weir(&["config", "template", "page"]).exits(0).out;
    fs::write(&file, &template).unwrap();
    Answer::of_weir(&["config", "check", &file]).exits(0);
    for (text, said) in
        [("listen = \"0.0.0.0:8080\"", "public = true"), ("listenn = 1", "listenn"), ("lang = \"fr\"", "fr")]
    {
        fs::write(&file, text).unwrap();
        let refused = Answer::of_weir(&["config", "check", &file]).exits(255);
        assert!(refused.out.contains(said), "{refused:?}");
        let refused = Answer::of_weir(&["page", "run", "--config", &file]).exits(255);
        assert!(refused.err.contains(said), "{refused:?}");
    }
    fs::write(&file, "listen = \"169.254.99.99:8080\"").unwrap();
    let refused = Answer::of_weir(&["page", "run", "--config", &file]).exits(3);
    assert!(refused.err.contains("try: ss -ltnp"), "{refused:?}");
}
