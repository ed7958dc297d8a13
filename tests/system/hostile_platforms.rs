//! A real box with two platforms, one of them behind something broken or mean: the other one gets everything meanwhile
//! (D4), nothing is believed that is not a receipt (D1), and once it heals both hold each record once (D3).

mod front;
mod nginx;

use std::fs;
use std::path::Path;
use std::time::Duration;

use batch::{BatchId, BoxId, PlatformId, Receipt, SigningKey, TreeHead};
use front::{Front, Manner};
use nginx::Nginx;
use record::merkle::Hash;
use record::{Seq, SeqRange, SeqRanges, UnixMs};
use serde_json::Value;
use system_tests::config::{BOX, destination_toml, free_tcp_port};
use system_tests::row::{once, values};
use system_tests::sensor::noise;
use system_tests::{Device, Sensor, World, until};

/// The shortest and longest pauses of the box between tries are 50 and 500 ms, as in every test.
const HASTY: &str = "[destination.timeouts]\nconnect_ms = 1000\nanswer_ms = 1000\n";
/// More than nginx has patience with what is behind it (1 s to connect, 1 s to answer): the box is to hear of that.
const PATIENT: &str = "[destination.timeouts]\nconnect_ms = 1000\nanswer_ms = 10000\n";
const CEILING: Duration = Duration::from_millis(500);

/// A box whose municipal platform is well and whose provincial one is not.
struct Scene {
    world: World,
    device: Device,
    sensor: Sensor,
    sent: u64,
}

impl Scene {
    /// With the gateway and both platforms, and no upload daemon yet.
    fn new() -> Scene {
        let device = Device::cod("cod-1");
        let mut world = World::box_only(std::slice::from_ref(&device), "");
        world.start_platforms();
        let sensor = Sensor::connect(&world, &device);
        Scene { world, device, sensor, sent: 0 }
    }

    /// Starts the upload daemon, with the provincial platform behind this port and certificate.
    fn start_sync(&mut self, port: u16, ca_file: &Path, timeouts: &str) {
        let [city, province] = self.world.platforms.as_slice() else { panic!("two platforms") };
        let city_ca = city.state.tls_cert().display().to_string();
        let text = format!(
            "state_dir = \"state\"\nrun_dir = \"run\"\n{}{timeouts}{}{timeouts}",
            destination_toml(city.name, city.port, &city_ca, &city.public_key()),
            destination_toml(province.name, port, &ca_file.display().to_string(), &province.public_key()),
        );
        fs::write(self.world.path("sync.toml"), text).unwrap();
        self.world.restart_sync();
    }

    fn publish(&mut self, count: u64) {
        for n in self.sent..self.sent + count {
            let noise = noise(n) % 10_000_000_000;
            self.sensor.publish(&format!(r#"{{"n":{n},"cod":{}.{}}}"#, noise / 10, noise % 10));
        }
        self.sent += count;
    }

    /// Waits until both platforms gave receipts for everything.
    fn healed(&self) {
        let end = self.world.records();
        until("both platforms gave a receipt for every record", 60, || {
            self.world.destinations().iter().all(|one| holds_all(one, end)).then_some(())
        });
    }

    /// While `trouble` lasts: the city gets everything, the province nothing, and its fault is named so.
    fn suffers(&mut self, what: &str, kind: &str, words: &str) {
        let (before, held) = (self.world.destinations()[1].clone(), self.world.platforms[1].seqs());
        let failures = |of: &Value| of["counters"][format!("failed_{kind}")].as_u64().unwrap_or(0);
        self.publish(3);
        let end = self.world.records();
        let mut last = Value::Null;
        let told = |one: &Value| {
            let error = &one["last_error"];
            failures(one) >= failures(&before) + 2
                && error["kind"] == kind
                && error["what"].as_str().is_some_and(|text| text.contains(words))
                && error["cure"].as_str().is_some_and(|text| !text.is_empty())
        };
        until(&format!("{what}: the city has all, the province is named {kind}, {words}"), 30, || {
            last = Value::Array(self.world.destinations());
            (holds_all(&last[0], end) && told(&last[1])).then_some(())
        });
        assert_eq!(last[1]["covered"], before["covered"], "{what}: D1");
        assert_eq!(last[1]["parked"], 0, "{what}");
        assert_eq!(self.world.platforms[1].seqs(), held, "{what}: nothing got through");
    }

    /// Everything once, at both.
    fn finally(self) {
        self.healed();
        let rows = self.world.delivered();
        assert_eq!(values(&rows, &self.device.name, "n"), once(0..self.sent), "nothing is missing or doubled");
        for party in &self.world.platforms {
            assert_eq!(party.get("/v1/status")["boxes"][0]["doubled"], 0, "{}", party.name);
        }
        self.world.verify().exits(0);
    }
}

fn holds_all(one: &Value, end: u64) -> bool {
    one["covered"].as_u64() >= Some(end) && one["missing"] == 0 && one["outstanding"] == 0
}

fn answer(text: &str) -> Manner {
    Manner::Answer(text.as_bytes().to_vec())
}

/// A receipt for everything, by a key that the box does not know.
fn forged() -> Manner {
    let receipt = Receipt {
        platform: PlatformId::new("provincial").unwrap(),
        box_id: BoxId::new(BOX).unwrap(),
        batch: BatchId([7; 32]),
        holds: [SeqRange { first: Seq(0), last: Seq(1_000_000) }].into_iter().collect(),
        head: TreeHead { size: 1_000_001, root: Hash([0; 32]) },
        received_ms: UnixMs(1_793_491_200_000),
        command: None,
        left_out: SeqRanges::new(),
    };
    let receipt = receipt.sign(&SigningKey::from_seed(&[9; 32]));
    let head =
        format!("HTTP/1.1 201 Created\r\ncontent-type: application/cose\r\ncontent-length: {}\r\n\r\n", receipt.len());
    Manner::Answer([head.as_bytes(), &receipt].concat())
}

#[test]
fn whatever_stands_before_one_platform_harms_neither() {
    const EXPIRED: &str = "an expired certificate";
    const CLOSE: &str = "content-length: 0\r\nconnection: close\r\n\r\n";
    const PORTAL: &str = "<html><body><form action=\"/login\">Welcome to the free Wi-Fi</form></body></html>";
    let mut scene = Scene::new();
    let province = &scene.world.platforms[1];
    let front = Front::start(province.port, &province.state.tls_cert(), &scene.world.path("."));
    scene.start_sync(front.port, &front.ca_file, HASTY);
    scene.publish(3);
    scene.healed();
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/login\r\n{CLOSE}");
    let page =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{PORTAL}", PORTAL.len());
    let patience = |status: &str| answer(&format!("HTTP/1.1 {status}\r\nretry-after: 3600\r\n{CLOSE}"));
    for (what, manner, kind, words) in [
        ("a captive portal that redirects", answer(&redirect), "faulty", "HTTP 302"),
        ("a captive portal that shows its page", answer(&page), "receipt_unverified", ""),
        ("a captive portal by RFC 6585", patience("511 Network Authentication Required"), "faulty", "HTTP 511"),
        ("too many requests", patience("429 Too Many Requests"), "overloaded", "HTTP 429"),
        ("no service for an hour", patience("503 Service Unavailable"), "overloaded", "HTTP 503"),
        ("a full disk", patience("507 Insufficient Storage"), "overloaded", "HTTP 507"),
        (
            "thanks, and nothing stored",
            answer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
            "receipt_unverified",
            "",
        ),
        ("the receipt of another batch", Manner::Replay, "receipt_unverified", "the receipt is for batch"),
        ("a receipt by another key", forged(), "receipt_unverified", "key"),
        (EXPIRED, Manner::Expired, "untrusted", "expired"),
        ("another certificate", Manner::Changed, "untrusted", ""),
        ("an answer without end", Manner::Endless, "faulty", "more than"),
        ("an answer drop by drop", Manner::Drip, "timed_out", ""),
    ] {
        // A box that nobody ever told the time does not lock itself out by its clock.
        if what == EXPIRED && scene.world.status()["gateway"]["clock"]["state"] == "unset" {
            println!("{what}: not tried, because this machine's clock is not synchronised");
            continue;
        }
        front.requests();
        let is_plea = kind == "overloaded";
        front.behave(manner);
        // A connection that is kept would not show another certificate.
        if kind == "untrusted" {
            scene.world.restart_sync();
        }
        scene.suffers(what, kind, words);
        let requests = front.requests();
        for (at, (path, time)) in requests.iter().enumerate().filter(|_| is_plea) {
            let before = requests[..at].iter().rfind(|(earlier, _)| earlier == path);
            let hurried = before.is_some_and(|(_, before)| *time - *before < CEILING);
            assert!(!hurried, "{what}: {path} came again before the longest pause of the configuration");
        }
        front.behave(Manner::Honest);
        scene.healed();
    }
    scene.finally();
}

#[test]
fn a_platform_behind_nginx_gets_everything_once() {
    let mut scene = Scene::new();
    // Enough for batches that are larger than nginx takes.
    scene.publish(1_500);
    let (folder, target) = (scene.world.path(""), scene.world.platforms[1].port);
    let (port, ca_file) = (free_tcp_port(), folder.join("nginx-ca.crt"));
    let nginx = Nginx::start(&folder, port, target, &ca_file);
    scene.start_sync(port, &ca_file, PATIENT);
    scene.healed();
    let province = &scene.world.destinations()[1];
    assert!(province["counters"]["refused"].as_u64() > Some(0), "413 comes of nginx: {province}");
    assert_eq!(province["parked"], 0, "{province}");

    scene.world.platforms[1].stop();
    let held = scene.world.platforms[1].seqs();
    scene.suffers("the platform behind nginx is down", "faulty", "HTTP 502");
    assert_eq!(scene.world.platforms[1].seqs(), held);
    scene.world.platforms[1].restart();
    scene.healed();

    scene.world.platforms[1].signal("STOP");
    scene.suffers("the platform behind nginx hangs", "faulty", "HTTP 504");
    scene.world.platforms[1].signal("CONT");
    scene.healed();

    nginx.stop();
    scene.suffers("nginx is gone", "unreachable", "");
    let _again = Nginx::start(&folder, port, target, &ca_file);
    scene.finally();
}
