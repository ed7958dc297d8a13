//! `weir setup` on a box without systemd, beside real platforms: by a file of answers and at a terminal, killed between any two
//! steps, with wrong codes and platforms that are not there, and once more on a box that is finished.

mod guided;
mod resumed;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use system_tests::config::{BOX, write_secret};
use system_tests::{Device, Party, Sensor, World, weir_binary};

const DEVICES: &str = include_str!("../../config/devices.toml");
const KEYS: &str = include_str!("../../config/keys.toml");
const DOSSIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/outfall.toml");

/// A box as the package leaves it, but for its ports and folders, and two platforms that do not know it.
pub(super) fn fresh() -> World {
    let mut world = World::prepared(&[Device::cod("cod-1")], "");
    let text = fs::read_to_string(world.path("gateway.toml")).unwrap();
    fs::write(world.path("gateway.toml"), text.replace(BOX, "as-shipped")).unwrap();
    fs::write(world.path("devices.toml"), DEVICES).unwrap();
    write_secret(&world.path("keys.toml"), KEYS);
    // The box of a test has folders of its own.
    fs::write(world.path("sync.toml"), "state_dir = \"state\"\nrun_dir = \"run\"\n").unwrap();
    world.start_strange_platforms();
    world
}

/// Answers for this box among others, with these codes. Its sensor has a password of its own, which a maker gave it.
fn answers(world: &World, codes: [&str; 2]) -> String {
    let platform = |party: &Party| format!("[[platform]]\nname = \"{}\"\nurl = \"{}\"\n", party.name, party.url());
    let platforms: String = world.platforms.iter().map(platform).collect();
    let [municipal, provincial] = codes;
    let text = format!(
        "{platforms}[[device]]\nname = \"cod-1\"\nlink = \"mqtt\"\ncodec = \"cod.toml\"\nkeys = {{ password = \"{}\" }}\n\
         [box.{BOX}]\noutfall = {{ file = \"{DOSSIER}\" }}\n[box.{BOX}.codes]\nmunicipal = \"{municipal}\"\n\
         provincial = \"{provincial}\"\n[[box.{BOX}.device]]\nname = \"station-2\"\nlink = \"mqtt\"\ncodec = \"senml_json\"\n\
         [box.outfall-9]\n",
        Device::cod("cod-1").password()
    );
    let codec = "kind = \"json\"\nfields = [{ path = \"/n\", quantity = \"n\", unit = \"1\" }, { path = \"/cod\", \
                 quantity = \"cod\", unit = \"mg/L\" }]\n";
    fs::write(world.path("cod.toml"), codec).unwrap();
    fs::write(world.path("answers.toml"), text).unwrap();
    world.path("answers.toml").display().to_string()
}

fn codes(world: &World) -> [String; 2] {
    [0, 1].map(|at: usize| world.platforms[at].invite(BOX))
}

/// A setup that runs, and says a line of JSON for each thing that it does.
struct Setup {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Setup {
    fn start(world: &World, more: &[&str]) -> Setup {
        let mut command = Command::new(weir_binary());
        for (option, place) in [("--state-dir", world.path("state")), ("--run-dir", world.path("run"))] {
            command.arg(option).arg(place);
        }
        command.args(["setup", "--json", "--box", BOX, "--config-dir", &world.config_dir(), "--answers"]);
        command.arg(world.path("answers.toml")).args(more).env("LANG", "C.UTF-8").env_remove("LC_ALL");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Setup { child, lines }
    }

    /// What it says next; none at its end.
    fn next(&mut self) -> Option<Value> {
        self.lines.next().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
    }

    /// Its exit status, and what it said on standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Does as setup says to whoever sits at a box without systemd.
fn start_as_told(world: &mut World, line: &Value) {
    let Some(command) = line["start"].as_str() else { return };
    match command.contains("gateway run") {
        true => world.start_gateway(),
        false => world.restart_sync(),
    }
}

/// Runs setup to its end; what it said.
fn run(world: &mut World, more: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let mut setup = Setup::start(world, more);
    let mut said = Vec::new();
    while let Some(line) = setup.next() {
        start_as_told(world, &line);
        said.push(line);
    }
    let (code, err) = setup.end();
    (code, said, err)
}

/// Steps and how each ended.
fn states(said: &[Value]) -> Vec<(String, String)> {
    let text = |line: &Value, key: &str| line[key].as_str().map(str::to_owned);
    said.iter().filter_map(|line| Some((text(line, "step")?, text(line, "state")?))).collect()
}

/// Every file that a person may have written, and what the journal has.
fn everything(world: &World) -> (BTreeMap<String, Vec<u8>>, u64) {
    let names = ["gateway.toml", "devices.toml", "keys.toml", "sync.toml", "municipal-ca.pem", "provincial-ca.pem"];
    let files = names.iter().filter_map(|name| Some(((*name).to_owned(), fs::read(world.path(name)).ok()?)));
    (files.collect(), world.records())
}

/// The box works: what its sensor is acknowledged both platforms hold, and the test frame as one.
fn works(world: &World) {
    let mut sensor = Sensor::connect(world, &Device::cod("cod-1"));
    sensor.publish(r#"{"n": 1, "cod": 20.5}"#);
    let rows = world.delivered();
    assert_eq!(rows.iter().map(|row| row.source.as_str()).collect::<Vec<_>>(), ["cod-1", "cod-1"]);
    for party in &world.platforms {
        let acts: Vec<String> = party.audits().into_iter().map(|(act, ..)| act).collect();
        assert_eq!(acts.iter().filter(|act| *act == "enrolled").count(), 2, "{acts:?}");
        assert!(acts.contains(&"self_tested".to_owned()), "{acts:?}");
    }
}

#[test]
fn one_file_makes_a_box_and_changes_nothing_the_next_time() {
    let mut world = fresh();
    let secrets = codes(&world);
    answers(&world, [&secrets[0], &secrets[1]]);
    let (code, said, err) = run(&mut world, &["--plan"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(states(&said).iter().all(|(_, state)| state == "planned"), "{said:?}");
    assert!(!world.path("state").exists() && fs::read_to_string(world.path("devices.toml")).unwrap() == DEVICES);

    let (code, said, err) = run(&mut world, &[]);
    assert_eq!(code, Some(0), "{err} {said:?}");
    let steps =
        ["examples", "name", "device", "device", "gateway", "outfall", "platform", "platform", "upload", "self_test"];
    assert_eq!(states(&said), steps.map(|step| (step.to_owned(), "done".to_owned())));
    let tested = said.iter().find_map(|line| line.get("self_test")).unwrap();
    assert_eq!((&tested["ok"], &tested["port"]), (&json!(true), &json!("mqtt")), "{tested}");
    let password = said.iter().find(|line| line["device"] == "station-2").unwrap()["password"].as_str().unwrap();
    let keys = fs::read_to_string(world.path("keys.toml")).unwrap();
    assert!(!keys.contains("replace-me") && !keys.contains(password) && keys.contains("$argon2id$"), "{keys}");
    let logs = ["gateway.log", "sync.log"].map(|name| fs::read_to_string(world.path(name)).unwrap()).concat();
    for secret in secrets.iter().map(String::as_str).chain([password]) {
        assert!(!logs.contains(secret), "no secret in a log");
    }
    assert!(secrets.iter().all(|secret| !format!("{said:?}{err}").contains(secret)), "no code is said");
    assert_eq!(world.weir(&["outfall", "list", "--json"]).exits(0).out.matches("FA-231081-0001-SH-00").count(), 1);
    works(&world);

    let before = everything(&world);
    let (code, said, err) = run(&mut world, &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(states(&said).iter().all(|(_, state)| state == "already"), "{said:?}");
    assert_eq!(said.last().unwrap()["done"], 0);
    assert_eq!(everything(&world), before, "a finished box stays as it is");
    let dir = world.config_dir();
    let plain = ["setup", "--config-dir", &dir, "--answers", &format!("{dir}/answers.toml"), "--box", BOX];
    let told = world.weir(&plain).exits(0).out;
    assert!(told.contains("nothing was to be done"), "{told}");
    let told = world.weir(&[&["--lang", "zh"], &plain[..]].concat()).exits(0).out;
    assert!(told.contains("本机已配置完成"), "{told}");
}

#[test]
fn published_keys_that_somebody_uses_are_told_and_left() {
    let mut world = fresh();
    answers(&world, ["", ""]);
    let own = "[[device]]\nname = \"station-1\"\n[device.mqtt]\n[device.codec]\nkind = \"senml_json\"\n";
    fs::write(world.path("devices.toml"), own).unwrap();
    let text = format!("[[device]]\nname = \"cod-1\"\nlink = \"mqtt\"\ncodec = \"senml_json\"\n[box.{BOX}]\n");
    fs::write(world.path("answers.toml"), text).unwrap();
    let (code, said, err) = run(&mut world, &[]);
    assert_eq!((code, &states(&said)[0].1), (Some(1), &"not_well".to_owned()), "{err} {said:?}");
    assert!(said[0]["what"].as_str().unwrap().contains("published"), "{said:?}");
    assert_eq!(fs::read_to_string(world.path("devices.toml")).unwrap().matches("[[device]]").count(), 2);
}

#[test]
fn what_goes_wrong_says_what_to_do_and_the_rest_goes_on() {
    let mut world = fresh();
    let codes = codes(&world);
    let other = world.platforms[0].invite("somebody-else");
    answers(&world, [&other, &codes[1]]);
    world.platforms[1].stop();
    let (code, said, _) = run(&mut world, &["--wait", "20"]);
    assert_eq!(code, Some(1), "{said:?}");
    let failed: Vec<(String, String)> = states(&said).into_iter().filter(|(_, state)| state == "failed").collect();
    assert_eq!(failed, ["platform", "platform"].map(|step| (step.to_owned(), "failed".to_owned())));
    assert_eq!(said.iter().find_map(|line| line["failed"].as_u64()), Some(2), "{said:?}");
    let notes: String = said.iter().filter_map(|line| line["note"].as_str()).collect::<Vec<_>>().join("\n");
    assert!(notes.contains("weir platform invite BOX") && notes.contains("the code stays good"), "{notes}");
    assert!(!notes.contains(&other) && !notes.contains(&codes[1]), "{notes}");

    world.platforms[1].restart();
    answers(&world, [&codes[0], &codes[1]]);
    let (code, said, err) = run(&mut world, &[]);
    assert_eq!(code, Some(0), "{err} {said:?}");
    let done: Vec<String> =
        states(&said).into_iter().filter(|(_, state)| state == "done").map(|(step, _)| step).collect();
    assert_eq!(done, ["platform", "platform", "upload", "self_test"]);
    works(&world);

    let refused = |text: &str, more: &[&str], says: &str| {
        fs::write(world.path("answers.toml"), text).unwrap();
        let dir = world.config_dir();
        let file = format!("{dir}/answers.toml");
        let all = [&["setup", "--config-dir", &dir, "--answers", &file], more].concat();
        let told = world.weir(&all).exits(3);
        assert!(told.err.contains(says) && told.err.contains("try: ") && !told.err.contains("otter"), "{}", told.err);
    };
    refused("name = \"another\"\n", &[], "this box is called outfall-1, and its journal for good");
    refused("name = \"x\"\npasword = \"otter\"\n", &[], "line 2: unknown field `pasword`");
    refused("[box.a]\n[box.b]\n", &["--box", "c"], "there is no [box.c], but a, b");
    refused(
        "[[platform]]\nname = \"third\"\nurl = \"https://127.0.0.1:9/\"\ncode = \"otter\"\n",
        &["--box", BOX],
        "code",
    );
    let guided = world.weir(&["setup", "--config-dir", &world.config_dir()]);
    assert!(guided.out.contains("nothing was to be done"), "a finished box is asked nothing: {guided:?}");
}
