//! The ten minutes of README: on a fresh Debian 12 somebody types what stands there and nothing else, answers the questions, and
//! sees the first receipt. README itself is read, so that it cannot say anything else.

use std::time::Instant;

use system_tests::config::BOX;
use system_tests::{Machine, Party, Peer, package};

const README: &str = include_str!("../../../../README.md");
/// What README promises, in seconds; whoever types needs the most of it, and nobody does here.
const SECONDS_MAX: u64 = 600;

/// The commands of the first block below this heading, without what they say beside them.
fn commands(heading: &str) -> Vec<String> {
    let section = README.split(heading).nth(1).unwrap_or_else(|| panic!("README has `{heading}`"));
    let block = section.split("```").nth(1).expect("a block of commands");
    let lines = block.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| line.split(" #").next().unwrap().trim().to_owned()).collect()
}

/// Setup as README calls it, at a terminal of 80 columns; gives its keys and the bytes on the line.
fn answer(machine: &Machine, command: &str, steps: &[String]) -> (u64, u64) {
    let peer = steps.iter().fold(Peer::new("terminal.py"), |peer, step| peer.with("--step", step));
    let summary = peer.args(["--"]).args(machine.command(command)).run().exits(0).summary().clone();
    (summary["keys"].as_u64().unwrap(), summary["bytes"].as_u64().unwrap())
}

#[test]
fn readme_alone_leads_from_a_fresh_machine_to_the_first_receipt() {
    let mut commands = commands("\n## On a box\n").into_iter();
    assert_eq!(commands.next().as_deref(), Some("cargo xtask package"), "which this test has done by its own means");
    let machine = Machine::start(&[]);
    let install = commands.next().unwrap();
    let install = install.strip_prefix("sudo ").expect("README installs the package as root");
    let name = install.strip_prefix("apt install ./").expect("README installs the package");
    assert!(name.starts_with(&format!("weir_{}-1_", env!("CARGO_PKG_VERSION"))), "under the name that it gets: {name}");
    std::fs::copy(package(""), machine.path(&format!("/root/{name}"))).unwrap();
    let begun = Instant::now();
    machine.run(&format!("cd /root && {install}")).exits(0);
    let installed = begun.elapsed();

    // The operator's part, as the platform's own README line has it.
    let platform = Party::start_on("municipal", &machine);
    let (url, code) = (platform.url(), platform.invite(BOX));
    let setup = commands.next().unwrap();
    assert_eq!(setup, "sudo weir setup");
    let typed: Vec<String> = [
        ("Box name", format!("{BOX}\\n")),
        ("Platform URL", format!("{}\\n", url.trim_start_matches("https://").trim_end_matches('/'))),
        ("Its code", format!("{code}\\n")),
        ("one more platform", "\\n".to_owned()),
        ("first sensor", "cod-1\\n".to_owned()),
        ("m MQTT", "\\n".to_owned()),
        ("Codec", "\\n".to_owned()),
        ("dossier", "\\n".to_owned()),
        ("Is this right?", "\\n".to_owned()),
    ]
    .into_iter()
    .flat_map(|(question, typed)| [format!("see:{question}"), format!("type:{typed}")])
    .chain(["see:steps done".to_owned(), "end:0".to_owned()])
    .collect();
    let (keys, bytes) = answer(&machine, setup.strip_prefix("sudo ").unwrap(), &typed);
    let took = begun.elapsed();
    eprintln!("first receipt after {took:?}, {installed:?} of it apt; {keys} keys, {bytes} bytes on the line");
    assert!(took.as_secs() < SECONDS_MAX, "{took:?}");
    let acts: Vec<String> = platform.audits().into_iter().map(|(act, ..)| act).collect();
    assert_eq!(acts, ["enrolled", "self_tested"]);

    for unit in ["weir-gateway.service", "weir-sync.service"] {
        assert_eq!(machine.property(unit, "ActiveState"), "active", "{unit}");
        assert_eq!(machine.property(unit, "UnitFileState"), "enabled", "{unit}");
    }
    assert!(!machine.run("cat /etc/weir/keys.toml").exits(0).out.contains("replace-me"), "no published password");
    let rights = machine.run("stat -c '%n %a %U:%G' /etc/weir/*.toml /etc/weir/*.pem").exits(0).out;
    for line in [
        "gateway.toml 640 root:weir",
        "devices.toml 640 root:weir",
        "sync.toml 640 root:weir",
        "keys.toml 600 weir:weir",
        "municipal-ca.pem 640 root:weir",
    ] {
        assert!(rights.contains(line), "{line}: {rights}");
    }
    // What else README has there is done by every later visit.
    for later in commands {
        machine.run(later.strip_prefix("sudo ").unwrap_or(&later)).exits(0);
    }
    let again = machine.run("weir setup").exits(0).out;
    assert!(again.contains("nothing was to be done"), "{again}");
    let devices = machine.run("weir device list --json").exits(0).json();
    assert_eq!(devices["devices"].as_array().map(Vec::len), Some(1), "no example is left: {devices}");
}
