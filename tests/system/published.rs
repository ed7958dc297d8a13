//! Alarms at an MQTT broker: mosquitto with TLS and passwords, and one that takes a message and never says so.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;
use system_tests::config::{free_tcp_port, write_secret};
use system_tests::{Answer, Device, Peer, World, until};

const PASSWORD: &str = "otter-7-otter";

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn configure(world: &World, url: &str) {
    fs::write(world.path("sync.toml"), "state_dir = \"state\"\nrun_dir = \"run\"\nnotify_file = \"notify.toml\"\n")
        .unwrap();
    let notify = format!(
        "timeout_s = 5\n[backoff]\nbase_ms = 100\nceiling_ms = 400\n\
         [[level]]\nname = \"city\"\nchannels = [\"desk\"]\npeople = [{{ name = \"李四\", mobile = \"13800000000\" }}]\n\
         [[channel]]\nname = \"desk\"\nkind = \"mqtt\"\nurl = \"{url}\"\ntopic = \"weir/outfall-1/alarms\"\nca_file = \"ca.crt\"\n\
         secret_file = \"desk.secret\"\n"
    );
    fs::write(world.path("notify.toml"), notify).unwrap();
}

/// A certificate of localhost, `mosquitto.crt`, and who signed it.
fn issue(world: &World) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "the city's own authority");
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &ca).unwrap();
    fs::write(world.path("ca.crt"), ca.pem()).unwrap();
    fs::write(world.path("mosquitto.crt"), certificate.pem()).unwrap();
    fs::write(world.path("mosquitto.key"), key.serialize_pem()).unwrap();
}

fn mosquitto(world: &World, port: u16) -> Ends {
    let at = |name: &str| world.path(name).display().to_string();
    let user = Answer::of(Command::new("id").arg("-un")).exits(0).out;
    Answer::of(Command::new("mosquitto_passwd").args(["-b", "-c", &at("users"), "box", PASSWORD])).exits(0);
    let config = format!(
        "user {}\nlistener {port} 127.0.0.1\nallow_anonymous false\npassword_file {}\ncertfile {}\nkeyfile {}\npersistence false\n",
        user.trim(),
        at("users"),
        at("mosquitto.crt"),
        at("mosquitto.key")
    );
    fs::write(world.path("mosquitto.conf"), config).unwrap();
    let log = File::create(world.path("mosquitto.log")).unwrap();
    let mut command = Command::new("mosquitto");
    command.args(["-c", &at("mosquitto.conf")]).stdout(Stdio::null()).stderr(log);
    let broker = Ends(command.spawn().unwrap());
    until("mosquitto listens", 20, || TcpStream::connect(("127.0.0.1", port)).ok());
    broker
}

/// Writes what it hears into `heard`.
fn subscriber(world: &World, port: u16) -> Ends {
    let heard = File::create(world.path("heard")).unwrap();
    // Into a file it would say nothing before it has much to say.
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "mosquitto_sub"]);
    command.args([
        "-h",
        "localhost",
        "-p",
        &port.to_string(),
        "-q",
        "1",
        "-t",
        "weir/#",
        "-u",
        "box",
        "-P",
        PASSWORD,
        "-d",
    ]);
    command.arg("--cafile").arg(world.path("ca.crt")).stdout(heard);
    let subscriber = Ends(command.spawn().unwrap());
    until("it is subscribed", 20, || {
        fs::read_to_string(world.path("heard")).ok()?.contains("Subscribed").then_some(())
    });
    subscriber
}

fn heard(world: &World) -> Vec<Value> {
    let text = fs::read_to_string(world.path("heard")).unwrap();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn measure(world: &World, sensor: &Device, n: u64, cod: &str) {
    let payload = format!(r#"{{"n":{n},"cod":{cod}}}"#);
    Peer::sensor("paho_sensor.py", world, sensor).with("--count", 1).with("--payload", payload).run().exits(0);
}

fn prepared(sensor: &Device) -> World {
    let mut world = World::prepared(std::slice::from_ref(sensor), "");
    let rule = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n\
                high = 80\ndeadband = 5\npriority = \"high\"\n";
    fs::write(world.path("rules.toml"), rule).unwrap();
    issue(&world);
    world.start_gateway();
    world
}

#[test]
fn a_subscriber_hears_of_an_alarm_once_and_of_its_end() {
    let sensor = Device::cod("cod-1");
    let mut world = prepared(&sensor);
    let port = free_tcp_port();
    configure(&world, &format!("mqtts://localhost:{port}"));
    write_secret(&world.path("desk.secret"), "user = \"box\"\nkey = \"wrong-wrong\"\n");
    world.weir(&["config", "check", &world.path("notify.toml").display().to_string()]).exits(0);
    world.restart_sync();
    measure(&world, &sensor, 1, "95.5");
    let down = until("nobody is there yet", 20, || {
        let status = world.weir(&["status"]).out;
        status.contains("desk tells nobody: failed to reach localhost").then_some(status)
    });
    assert!(down.contains("weir notify test desk"), "{down}");

    let _broker = mosquitto(&world, port);
    let refused = world.weir(&["notify", "test", "desk"]).exits(1).out;
    assert!(refused.contains("the broker does not let this user in"), "{refused}");
    let _subscriber = subscriber(&world, port);
    write_secret(&world.path("desk.secret"), &format!("user = \"box\"\nkey = \"{PASSWORD}\"\n"));
    world.restart_sync();
    until("the alarm is heard", 30, || (!heard(&world).is_empty()).then_some(()));
    measure(&world, &sensor, 2, "20");
    until("its end is heard", 30, || (heard(&world).len() >= 2).then_some(()));
    world.weir(&["notify", "test", "city"]).exits(0);
    let all = until("the test is heard", 30, || Some(heard(&world)).filter(|all| all.len() >= 3));
    let words: Vec<&Value> = all.iter().map(|one| &one["alarms"][0]["word"]).collect();
    assert_eq!(words, [&"alarm".into(), &"clear".into(), &Value::Null], "{all:#?}");
    assert_eq!((&all[0]["box"], &all[0]["alarms"][0]["value"]), (&"outfall-1".into(), &"95.5".into()), "{all:#?}");
    assert_eq!(all[2]["test"], true);
    let log = fs::read_to_string(world.path("sync.log")).unwrap();
    assert!(!log.contains(PASSWORD), "secrets stay secret");
}

#[test]
fn a_broker_that_does_not_confirm_gets_it_again_and_marked() {
    let sensor = Device::cod("cod-1");
    let mut world = prepared(&sensor);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    configure(&world, &format!("mqtt://{}", listener.local_addr().unwrap()));
    write_secret(&world.path("desk.secret"), &format!("user = \"box\"\nkey = \"{PASSWORD}\"\n"));
    world.restart_sync();
    measure(&world, &sensor, 1, "95.5");
    // It takes the first and hangs up; it answers the second with another packet's number; it confirms the third.
    let answers: [Option<[u8; 4]>; 3] = [None, Some([0x40, 2, 9, 9]), Some([0x40, 2, 0, 1])];
    let marked: Vec<Value> =
        answers.iter().map(|answer| taken(&listener, *answer)["alarms"][0]["may_be_repeated"].clone()).collect();
    assert_eq!(marked, [false, true, true].map(Value::from));
    until("it counts as told", 20, || {
        let told = &world.weir(&["notify", "list", "--json"]).json()["notify"]["episodes"][0]["told"][0];
        (told["delivered"] == 1 && told["is_in_doubt"] != true).then_some(())
    });
}

/// Lets one connection in, takes its message and says this.
fn taken(listener: &TcpListener, answer: Option<[u8; 4]>) -> Value {
    let mut stream = listener.accept().unwrap().0;
    let connect = packet(&mut stream);
    assert!(connect.windows(4).any(|bytes| bytes == b"MQTT"), "{connect:?}");
    stream.write_all(&[0x20, 2, 0, 0]).unwrap();
    let publish = packet(&mut stream);
    let topic = usize::from(u16::from_be_bytes([publish[0], publish[1]]));
    if let Some(answer) = answer {
        stream.write_all(&answer).unwrap();
        // Until it hangs up: else what was said could be lost with the connection.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    serde_json::from_slice(&publish[2 + topic + 2..]).unwrap()
}

/// The rest of one packet behind its remaining length.
fn packet(stream: &mut TcpStream) -> Vec<u8> {
    let mut byte = [0_u8];
    stream.read_exact(&mut byte).unwrap();
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        stream.read_exact(&mut byte).unwrap();
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).unwrap();
    rest
}
