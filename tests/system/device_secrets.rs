//! No key in any output: every kind of secret is made anew, everything is done with it that can be, and then it is
//! looked for, in every spelling that programs give to bytes, in all that the box and its platforms print, log, store and
//! send.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use platform::export::write_artifacts;
use serde_json::json;
use system_tests::config::write_secret;
use system_tests::radio::{PATIENT, text};
use system_tests::{Answer, Daemon, Peer, Radio, World, until, weir_binary};

const PORT: &str = "[[serial]]\nname = \"lora-1\"\npath = \"port\"\n";
const LPP: &str = "kind = \"cayenne_lpp\"\n";
const COD: &str = "kind = \"json\"\nfields = [{ path = \"/n\", quantity = \"n\", unit = \"1\" }]\n";

/// Something that must stand nowhere but in its place.
struct Secret {
    what: String,
    /// Each way to write it, by name; those of hex digits in lower case.
    forms: BTreeMap<&'static str, Vec<u8>>,
}

impl Secret {
    fn of_bytes(what: impl Into<String>, bytes: &[u8]) -> Secret {
        let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
        let mut forms = BTreeMap::from([
            ("raw", bytes.to_vec()),
            ("hex", hex(bytes).into_bytes()),
            ("numbers", numbers.join(", ").into_bytes()),
            ("narrow numbers", numbers.join(",").into_bytes()),
        ]);
        // Within a longer text base64 begins at any of three places; what its neighbours decide is left out.
        for (name, url, skip) in [
            ("base64", false, 0),
            ("base64 + 1", false, 1),
            ("base64 + 2", false, 2),
            ("base64url", true, 0),
            ("base64url + 1", true, 1),
            ("base64url + 2", true, 2),
        ] {
            forms.insert(name, base64(&bytes[skip..bytes.len() - (bytes.len() - skip) % 3], url));
        }
        Secret { what: what.into(), forms }
    }

    fn of_hex(what: impl Into<String>, digits: &str) -> Secret {
        let digits = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        Secret::of_bytes(what, &digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect::<Vec<_>>())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Without padding, of a whole number of groups.
fn base64(bytes: &[u8], url: bool) -> Vec<u8> {
    let last = if url { b"-_" } else { b"+/" };
    let alphabet: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(last.iter().copied()).collect();
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| alphabet[bits >> shift & 63])
    };
    bytes.chunks_exact(3).flat_map(group).collect()
}

/// Random bytes of the kernel's.
fn random(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes
}

/// Which of the secrets stand in a text or file, and how.
fn found(haystack: &[u8], secrets: &[Secret]) -> Vec<String> {
    let lower = haystack.to_ascii_lowercase();
    let contains = |haystack: &[u8], needle: &[u8]| {
        let starts = haystack.iter().enumerate().filter(|(_, byte)| **byte == needle[0]);
        starts.into_iter().any(|(at, _)| haystack[at..].starts_with(needle))
    };
    let mut found = Vec::new();
    for secret in secrets {
        for (form, needle) in &secret.forms {
            if contains(if *form == "hex" { &lower } else { haystack }, needle) {
                found.push(format!("{} as {form}", secret.what));
            }
        }
    }
    found
}

/// All that was printed, logged, stored and sent, by where it stood.
#[derive(Default)]
struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    fn take(&mut self, whence: &str, answer: Answer) -> Answer {
        self.0.push((format!("{whence}, standard output"), answer.out.clone().into_bytes()));
        self.0.push((format!("{whence}, standard error"), answer.err.clone().into_bytes()));
        answer
    }

    /// Every file below a folder except these.
    fn take_files(&mut self, folder: &Path, but: &[&str]) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => self.take_files(&path, but),
                kind if kind.is_file() && !but.contains(&name.as_str()) => {
                    self.0.push((path.display().to_string(), fs::read(&path).unwrap()));
                }
                _ => {}
            }
        }
    }
}

/// A box whose daemons log all they can.
struct Bench {
    world: World,
    outputs: Outputs,
    secrets: Vec<Secret>,
}

impl Bench {
    fn weir(&mut self, arguments: &[&str]) -> Answer {
        let answer = self.world.weir(arguments);
        self.outputs.take(&arguments.join(" "), answer)
    }

    fn device(&mut self, arguments: &[&str]) -> Answer {
        let answer = self.world.device(arguments);
        self.outputs.take(&format!("device {}", arguments.join(" ")), answer)
    }

    fn path(&self, name: &str) -> String {
        self.world.path(name).display().to_string()
    }

    /// A new key of so many bytes: its hex digits.
    fn key(&mut self, what: &str, count: usize) -> String {
        let bytes = random(count);
        self.secrets.push(Secret::of_bytes(what, &bytes));
        hex(&bytes)
    }

    /// A new text: hex digits, which none of the keys has.
    fn text(&mut self, what: &str) -> String {
        let text = hex(&random(12));
        self.secrets.push(Secret::of_bytes(what, text.as_bytes()));
        text
    }

    /// Adds a device with these lines of `keys.toml`.
    fn add(&mut self, name: &str, options: &[&str], keys: &[(&str, &str)]) {
        let lines: String = keys.iter().map(|(key, value)| format!("{key} = \"{value}\"\n")).collect();
        write_secret(&self.world.path("keys.of"), &lines);
        let file = self.path("keys.of");
        let all = [&["add", name, "--keys", &file], options].concat();
        self.device(&all).exits(0);
        fs::remove_file(self.world.path("keys.of")).unwrap();
    }

    fn start(&self, name: &str) -> Daemon {
        let mut command = Command::new(weir_binary());
        let config = self.world.path(&format!("{name}.toml"));
        command.args([name, "run", "--config"]).arg(config).env("WEIR_LOG", "trace");
        let mut daemon = Daemon::spawn(command, &self.world.path(&format!("{name}.log")));
        let socket = self.world.path(&format!("run/{name}.sock"));
        until("the daemon is ready", 20, || {
            daemon.check();
            UnixStream::connect(&socket).ok()
        });
        daemon
    }

    fn start_gateway(&mut self) {
        self.world.gateway = None;
        self.world.gateway = Some(self.start("gateway"));
    }
}

/// Every kind of device with every kind of key.
fn bench() -> (Bench, BTreeMap<&'static str, String>) {
    let world = World::prepared(&[], &format!("{PATIENT}{PORT}"));
    let mut bench = Bench { world, outputs: Outputs::default(), secrets: Vec::new() };
    fs::write(bench.world.path("lpp.toml"), LPP).unwrap();
    fs::write(bench.world.path("cod.toml"), COD).unwrap();
    let mut keys: BTreeMap<&str, String> = BTreeMap::new();
    for what in
        ["otaa app", "1.1 app", "1.1 nwk", "abp nwk", "abp app", "1.1 abp f", "1.1 abp s", "1.1 abp enc", "1.1 abp app"]
    {
        keys.insert(what, bench.key(what, 16));
    }
    for what in ["serial mac", "sealed mac"] {
        keys.insert(what, bench.key(what, 32));
    }
    for what in ["plain password", "sealed password", "mistyped password", "passphrase"] {
        keys.insert(what, bench.text(what));
    }
    let (lpp, cod) = (bench.path("lpp.toml"), bench.path("cod.toml"));
    let lora = ["--link", "lorawan", "--codec", &lpp];
    let mqtt = ["--link", "mqtt", "--codec", &cod];
    let key = |what: &str| keys[what].as_str();
    bench.add("plain-1", &mqtt, &[("password", key("plain password"))]);
    bench.add("sealed-1", &mqtt, &[("password", key("sealed password"))]);
    bench.add("rain-7", &["--link", "serial", "--id", "7", "--codec", &cod], &[("mac_key", key("serial mac"))]);
    let otaa = ["--dev-eui", "24e124538c458373", "--join-eui", "24e124c0002a0001"];
    bench.add("level-1", &[&lora[..], &otaa].concat(), &[("app_key", key("otaa app"))]);
    let newer = ["--version", "1.1", "--dev-eui", "24e124538c458374", "--join-eui", "24e124c0002a0001"];
    let both = [("app_key", key("1.1 app")), ("nwk_key", key("1.1 nwk"))];
    bench.add("level-2", &[&lora[..], &newer].concat(), &both);
    let abp = [("nwk_s_key", key("abp nwk")), ("app_s_key", key("abp app"))];
    bench.add("flow-1", &[&lora[..], &["--dev-addr", "00000001"]].concat(), &abp);
    let four = [
        ("f_nwk_s_int_key", key("1.1 abp f")),
        ("s_nwk_s_int_key", key("1.1 abp s")),
        ("nwk_s_enc_key", key("1.1 abp enc")),
        ("app_s_key", key("1.1 abp app")),
    ];
    bench.add("flow-2", &[&lora[..], &["--version", "1.1", "--dev-addr", "00000002"]].concat(), &four);
    // The only time that a secret is printed: to whoever added the device.
    let made = bench.world.device(&[&["add", "made-1"], &mqtt[..]].concat()).exits(0);
    let password = made.out.lines().next().and_then(|line| line.split(": ").nth(1)).unwrap().to_owned();
    bench.secrets.push(Secret::of_bytes("made password", password.as_bytes()));
    keys.insert("made password", password);
    // `weir device add` has no option for it.
    let table = fs::read_to_string(bench.world.path("devices.toml")).unwrap();
    let sealed = table.replace(
        "name = \"sealed-1\"\n\n[device.mqtt]\n",
        "name = \"sealed-1\"\n\n[device.mqtt]\nseal = \"required\"\n",
    );
    assert_ne!(table, sealed, "{table}");
    fs::write(bench.world.path("devices.toml"), sealed).unwrap();
    let text = fs::read_to_string(bench.world.path("keys.toml")).unwrap();
    let text = text.replace("[sealed-1]\n", &format!("[sealed-1]\nmac_key = \"{}\"\n", keys["sealed mac"]));
    write_secret(&bench.world.path("keys.toml"), &text);
    let hash = text.lines().find_map(|line| line.split('"').nth(1).filter(|value| value.starts_with("$argon2id")));
    bench.secrets.push(Secret::of_bytes("hash of a password", hash.expect("a hash").as_bytes()));
    (bench, keys)
}

/// Every device speaks, rightly and wrongly; what the joins derived is secret as well.
fn speak(bench: &mut Bench, keys: &BTreeMap<&'static str, String>) -> Vec<Secret> {
    let world = &bench.world;
    let sensor = |program: &str, name: &str, password: &str| {
        let peer = Peer::new(program).with("--port", world.mqtt_port).with("--user", name).with("--password", password);
        peer.with("--topic", format!("d/{name}/up")).with("--count", 3).with("--deadline", 10)
    };
    sensor("paho_sensor.py", "plain-1", &keys["plain password"]).run().exits(0);
    sensor("paho_sensor.py", "made-1", &keys["made password"]).run().exits(0);
    sensor("paho_sensor.py", "made-1", &keys["mistyped password"]).run().exits(3);
    sensor("paho_sensor.py", "nobody-1", &keys["mistyped password"]).run().exits(3);
    let sealed = |key: &str| sensor("sealed_sensor.py", "sealed-1", &keys["sealed password"]).with("--key", &keys[key]);
    sealed("sealed mac").run().exits(0);
    sealed("serial mac").run().exits(1);
    let serial = json!([{ "name": "rain-7", "id": 7, "mac_key": keys["serial mac"] }]);
    fs::write(world.path("serial.json"), serial.to_string()).unwrap();
    Peer::serial(world).with("--count", 2).run().exits(0);
    Peer::serial(world).with("--hostile", "key").with("--first", 10).with("--count", 2).run().exits(0);
    fs::remove_file(world.path("serial.json")).unwrap();

    let mut radio = Radio::start(world, &[]);
    for (name, version, dev_eui, app, nwk) in [
        ("level-1", "1.0.3", "24e124538c458373", "otaa app", "otaa app"),
        ("level-2", "1.1", "24e124538c458374", "1.1 app", "1.1 nwk"),
    ] {
        radio.ask(json!({ "do": "device", "name": name, "version": version, "dev_eui": dev_eui,
                          "join_eui": "24e124c0002a0001", "app_key": keys[app], "nwk_key": keys[nwk] }));
    }
    radio.ask(json!({ "do": "device", "name": "flow-1", "version": "1.0.3", "dev_addr": "00000001",
                      "nwk_s_key": keys["abp nwk"], "app_s_key": keys["abp app"] }));
    radio.join("level-1", 1, json!({ "wait": false, "wrong_key": keys["1.1 app"] }));
    let mut derived = Vec::new();
    for name in ["level-1", "level-2"] {
        radio.join(name, 2, json!({}));
        radio.confirmed(name, json!({ "fcnt": 0 }));
        radio.join(name, 3, json!({}));
        world.device(&["send", name, "0a0b", "--fport", "9"]).exits(0);
        radio.confirmed(name, json!({ "fcnt": 0, "f_opts": "02" }));
        let session = radio.ask(json!({ "do": "keys", "device": name }));
        for key in ["app", "f", "s", "enc"] {
            derived.push(Secret::of_hex(format!("{name}'s session key {key}"), &text(&session, key)));
        }
    }
    radio.confirmed("flow-1", json!({ "fcnt": 3 }));
    radio.send("flow-1", json!({ "fcnt": 1 }));
    radio.confirmed("flow-1", json!({ "fcnt": 4, "payload": "ff" }));
    derived
}

/// Every verb that reads, and each that changes something, rightly and wrongly.
fn command(bench: &mut Bench, keys: &BTreeMap<&'static str, String>) {
    let names = ["gateway.toml", "devices.toml", "keys.toml", "rules.toml", "sync.toml"].map(|name| bench.path(name));
    let sync_config = bench.path("sync.toml");
    for more in [&[][..], &["--json"]] {
        for verb in [
            &["status"][..],
            &["tail", "-n", "1000"],
            &["export"],
            &["verify", "--sync-config", &sync_config],
            &["identity"],
        ] {
            bench.weir(&[verb, more].concat());
        }
        for name in &names {
            bench.weir(&[&["config", "check", name], more].concat()).exits(0);
        }
        for verb in [&["list"][..], &["strangers"], &["test", "flow-1", "01670110"]] {
            bench.device(&[verb, more].concat());
        }
        for name in ["plain-1", "made-1", "sealed-1", "rain-7", "level-1", "level-2", "flow-1", "flow-2"] {
            bench.device(&[&["show", name], more].concat()).exits(0);
        }
    }
    write_secret(&bench.world.path("passphrase"), &keys["passphrase"]);
    let (passphrase, sessions) = (bench.path("passphrase"), bench.path("s.weir"));
    bench.device(&["export-sessions", "-o", &sessions, "--passphrase-file", &passphrase]).exits(0);
    bench.device(&["import-sessions", &sessions, "--passphrase-file", &passphrase]).exits(0);
    fs::write(bench.world.path("passphrase"), &keys["plain password"]).unwrap();
    bench.device(&["import-sessions", &sessions, "--passphrase-file", &passphrase]).exits(3);
    fs::remove_file(bench.world.path("passphrase")).unwrap();
    for verb in [
        &["flush-nonces", "level-1"][..],
        &["reset-counter", "rain-7"],
        &["redecode", "flow-1"],
        &["disable", "flow-2"],
    ] {
        bench.device(verb).exits(0);
    }
    bench.device(&["remove", "flow-2"]).exits(0);
    // Keys that are spelled or placed wrongly, in both files and on their way in.
    let good = fs::read_to_string(bench.world.path("keys.toml")).unwrap();
    let (key, password) = (&keys["otaa app"], &keys["plain password"]);
    for (from, to) in [
        (format!("\"{key}\""), key.clone()),
        (format!("\"{key}\""), format!("\"{key}")),
        (format!("\"{key}\""), format!("\"{key}00\"")),
        (format!("\"{key}\""), format!("[\"{key}\"]")),
        ("app_key".to_owned(), "appkey".to_owned()),
        (format!("[plain-1]\npassword = \"{password}\""), format!("password = \"{password}\"")),
        (format!("password = \"{password}\""), format!("password = \"${password}\"")),
    ] {
        assert!(good.contains(&from), "{from} in {good}");
        write_secret(&bench.world.path("keys.toml"), &good.replacen(&from, &to, 1));
        for more in [&[][..], &["--json"]] {
            bench.weir(&[&["config", "check", &names[2]], more].concat()).exits(255);
        }
        bench.weir(&["gateway", "run", "--config", &names[0]]).exits(255);
        bench.device(&["list", "--json"]).exits(3);
        bench.device(&["add", "new-1", "--link", "mqtt", "--codec", "=plain-1"]).exits(3);
    }
    write_secret(&bench.world.path("keys.toml"), &good);
    for line in [format!("app_key = {key}\n"), format!("appkey = \"{key}\"\n"), format!("app_key = \"{key}0\"\n")] {
        write_secret(&bench.world.path("keys.of"), &line);
        let file = bench.path("keys.of");
        let typed = [
            "add",
            "new-1",
            "--link",
            "lorawan",
            "--dev-eui",
            "0000000000000001",
            "--codec",
            "=flow-1",
            "--keys",
            &file,
        ];
        bench.device(&typed).exits(3);
        let csv = format!(
            "name,link,codec,dev_eui,app_key\nnew-1,lorawan,=flow-1,0000000000000001,{}\n",
            line.replace(['"', '\n'], "")
        );
        write_secret(&bench.world.path("keys.of"), &csv);
        bench.device(&["import", &file]).exits(3);
    }
    fs::remove_file(bench.world.path("keys.of")).unwrap();
}

/// All that the box and its platforms keep and send, but for the two files that are made to hold secrets.
fn look_around(bench: &mut Bench) {
    for party in &bench.world.platforms {
        write_artifacts(&party.state, &bench.world.path("evidence").join(party.name)).unwrap();
        for page in [
            "/v1/boxes",
            "/v1/boxes/outfall-1/readings",
            "/v1/boxes/outfall-1/readings?format=csv",
            "/v1/boxes/outfall-1/records",
            "/openapi.json",
        ] {
            bench.outputs.take(&format!("{} {page}", party.name), party.curl(page, &[]));
        }
    }
    let opened = Peer::new("batch_payloads.py").args([bench.world.path("evidence")]);
    let opened = opened.with("--out", bench.world.path("payloads").display()).run().exits(0);
    assert!(opened.number("batches") > 0 && opened.number("bytes") > 1_000, "{:?}", opened.lines);
    for daemon in [&bench.world.gateway, &bench.world.sync].into_iter().flatten() {
        for file in ["cmdline", "environ"] {
            let path = format!("/proc/{}/{file}", daemon.pid());
            bench.outputs.0.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    let folder = bench.world.path("gateway.toml").parent().unwrap().to_owned();
    bench.outputs.take_files(&folder, &["keys.toml", "box.key"]);
}

#[test]
fn no_key_stands_in_any_output() {
    let (mut bench, keys) = bench();
    bench.start_gateway();
    bench.world.start_platforms();
    bench.world.start_sync();
    bench.world.sync = None;
    bench.world.sync = Some(bench.start("sync"));
    let derived = speak(&mut bench, &keys);
    bench.world.delivered();
    command(&mut bench, &keys);
    look_around(&mut bench);
    let own = fs::read_to_string(bench.world.path("state/identity/box.key")).unwrap();
    bench.secrets.push(Secret::of_hex("the box's private key", own.trim()));

    // The search finds what is there: each secret in its own file, in each way to write it, and in the trace of a join.
    let kept = fs::read(bench.world.path("keys.toml")).unwrap();
    for secret in bench.secrets.iter().chain(&derived) {
        for (form, needle) in &secret.forms {
            let upper = if *form == "hex" { needle.to_ascii_uppercase() } else { needle.clone() };
            let text = [b"key=", upper.as_slice(), b";"].concat();
            let hits = found(&text, std::slice::from_ref(secret));
            assert!(hits.contains(&format!("{} as {form}", secret.what)), "{} as {form}: {hits:?}", secret.what);
        }
    }
    let written = found(&kept, &bench.secrets);
    for what in ["otaa app as hex", "sealed mac as hex", "plain password as raw", "hash of a password as raw"] {
        assert!(written.iter().any(|hit| hit == what), "{what}: {written:?}");
    }
    assert!(bench.outputs.0.iter().any(|(whence, log)| whence.ends_with("gateway.log") && log.len() > 1_000));

    let mut leaks = Vec::new();
    for (whence, output) in &bench.outputs.0 {
        leaks.extend(found(output, &bench.secrets).into_iter().map(|what| format!("{whence}: {what}")));
        // What a join derived stands in the device's row of the journal's database, which its owner alone may read, and
        // nowhere else: not in what is signed, sent or shown.
        if !whence.contains("state/journal/journal.db") {
            leaks.extend(found(output, &derived).into_iter().map(|what| format!("{whence}: {what}")));
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    let in_journal = found(&fs::read(bench.world.path("state/journal/journal.db")).unwrap(), &derived);
    let in_wal = found(&fs::read(bench.world.path("state/journal/journal.db-wal")).unwrap_or_default(), &derived);
    assert!(in_journal.iter().chain(&in_wal).all(|hit| hit.ends_with("as raw")), "{in_journal:?} {in_wal:?}");
    assert!(in_journal.len() + in_wal.len() >= 8, "a control: {in_journal:?} {in_wal:?}");
    for file in ["keys.toml", "state/identity/box.key", "state/journal/journal.db", "s.weir"] {
        let mode = fs::metadata(bench.world.path(file)).unwrap().permissions().mode() & 0o007;
        assert_eq!(mode, 0, "{file} is closed to others");
    }
}
