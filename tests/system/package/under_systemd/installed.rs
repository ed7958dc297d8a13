//! A box as README's lines make it: the package is installed by apt on a Debian 12 under systemd, files are edited, services
//! enabled; a frame is acknowledged and has its receipt; each user can do what it must and no more; all of it is there again
//! after the next start of the machine.

use std::process::Command;

use system_tests::config::BOX;
use system_tests::{Answer, Device, Machine, Party, Peer, until};

const UNITS: [&str; 4] =
    ["weir-gateway.socket", "weir-gateway-mqtt.socket", "weir-gateway.service", "weir-sync.service"];
const FRAMES: u64 = 20;
/// From the order to start until the daemon answers; README states what it was.
const START_MS_MAX: u64 = 5_000;

#[test]
fn a_package_becomes_a_box_whose_frames_have_receipts() {
    let mut machine = Machine::installed(&[]);
    nothing_runs_and_nobody_reads_the_keys(&machine);

    let cod = Device::cod("cod-1");
    machine.configure(std::slice::from_ref(&cod));
    machine.run("weir config check /etc/weir/gateway.toml").exits(0);
    machine.run("systemctl enable --now weir-gateway").exits(0);
    for unit in &UNITS[..3] {
        assert_eq!(machine.property(unit, "ActiveState"), "active", "{unit} comes with weir-gateway");
        assert_eq!(machine.property(unit, "UnitFileState"), "enabled", "{unit}");
    }
    acknowledged_is_stored(&machine, &cod);

    let platform = Party::start_on("municipal", &machine);
    let told = machine.run(&format!("weir identity enroll {} {}", platform.url(), platform.invite(BOX)));
    assert_eq!(told.code, Some(0), "{told:?}");
    machine.run("systemctl enable --now weir-sync").exits(0);
    until("the platform has given receipts for everything", 60, || {
        let status = machine.run("weir status --json").json();
        let city = &status["sync"]["destinations"][0];
        let end = status["gateway"]["journal"]["records"].as_u64()?;
        (city["missing"] == 0 && city["covered"].as_u64() >= Some(end)).then_some(())
    });
    let numbers = platform.rows().into_iter().filter(|row| row.source == "cod-1" && row.quantity == "n").count();
    assert_eq!(numbers as u64, FRAMES);
    machine.run("weir verify").exits(0);

    changed_rules_are_in_force_after_a_reload(&machine);
    the_page_answers_and_orders_nothing(&machine);
    each_user_can_do_what_it_must_and_no_more(&machine);
    drop(platform);
    everything_is_there_after_the_next_start(&mut machine, &cod);
}

fn nothing_runs_and_nobody_reads_the_keys(machine: &Machine) {
    for unit in UNITS {
        assert_eq!(machine.property(unit, "ActiveState"), "inactive", "{unit}: the files are not edited yet");
        assert_eq!(machine.property(unit, "UnitFileState"), "disabled", "{unit}");
    }
    let rights = |path: &str| machine.run(&format!("stat -c '%a %U:%G' {path}")).exits(0).out.trim().to_owned();
    assert_eq!(rights("/etc/weir"), "2750 root:weir");
    for name in ["gateway", "devices", "rules"] {
        assert_eq!(rights(&format!("/etc/weir/{name}.toml")), "640 root:weir");
    }
    assert_eq!(rights("/etc/weir/keys.toml"), "600 weir:weir");
    assert_eq!(
        machine.run("find / -xdev -user weir-sync -o -xdev -nouser").exits(0).out.trim(),
        "/var/lib/weir/outbox"
    );
}

fn acknowledged_is_stored(machine: &Machine, cod: &Device) {
    let port = "1883".to_owned();
    let numbers = ["4", "1", "1", &FRAMES.to_string()].map(str::to_owned);
    let mosquitto = Peer::new("mosquitto_sensor.sh").inside(machine);
    mosquitto.args([port, cod.name.clone(), cod.password(), cod.topic()]).args(numbers).run().exits(0);
    let stored = machine.run("weir export --quantity n").exits(0).out;
    assert_eq!(stored.lines().count() as u64, FRAMES + 1, "{stored}");
}

/// As the unit does it, within its own bounds; the process stays.
fn changed_rules_are_in_force_after_a_reload(machine: &Machine) {
    let pid = machine.property("weir-gateway", "MainPID");
    let rule =
        r#"\n[[rule]]\nid = "low"\nkind = "limit"\ndevices = ["*"]\nquantity = "cod"\nunit = "mg/L"\nlow = -1\n"#;
    machine.run(&format!("printf '{rule}' >>/etc/weir/rules.toml")).exits(0);
    let shown = machine.run("weir rules show").exits(0).out;
    assert!(!shown.contains("low = -1") && shown.contains("weir rules reload"), "{shown}");
    machine.run("systemctl reload weir-gateway").exits(0);
    let shown = machine.run("weir rules show").exits(0).out;
    assert!(shown.contains("low = -1") && !shown.contains("weir rules reload"), "{shown}");
    machine.run("cp -p /etc/weir/rules.toml /root/ && echo hihg >>/etc/weir/rules.toml").exits(0);
    assert_ne!(machine.run("systemctl reload weir-gateway 2>&1").code, Some(0), "a broken file is told");
    machine.run("cp -p /root/rules.toml /etc/weir/").exits(0);
    assert_eq!(
        (machine.property("weir-gateway", "MainPID"), machine.property("weir-gateway", "ActiveState").as_str()),
        (pid, "active")
    );
}

/// Off until somebody switches it on by README's lines; then it reads by its group alone, and no daemon obeys it.
fn the_page_answers_and_orders_nothing(machine: &Machine) {
    assert_eq!(machine.property("weir-page", "UnitFileState"), "disabled");
    machine.run("install -o root -g weir -m 640 /usr/share/doc/weir/examples/page.toml /etc/weir/").exits(0);
    machine.run("weir config check /etc/weir/page.toml && systemctl enable --now weir-page").exits(0);
    let enter = machine.network();
    let home = until("the page has read the journal", 60, || {
        let curl = ["curl", "--silent", "--max-time", "30", "http://127.0.0.1:8080/?lang=en"];
        let home = Answer::of(Command::new(&enter[0]).args(&enter[1..]).args(curl)).out;
        home.contains("newest receipt verified").then_some(home)
    });
    assert!(home.contains("cod-1") && home.contains("No alarm stands."), "{home}");
    // Whoever takes it over has its user and the group of its unit.
    let taken = |line: &str| machine.run(&format!("setpriv --reuid=weir-page --regid=weir --clear-groups -- {line}"));
    taken("weir status --json").exits(0);
    let refused = taken("weir alarm ack cod-high cod-1 --reason x");
    assert!(refused.code == Some(3) && refused.err.contains("the page only looks"), "{refused:?}");
    for line in ["cat /etc/weir/keys.toml", "cat /var/lib/weir/identity/box.key", "touch /var/lib/weir/journal/stray"] {
        assert_ne!(taken(line).code, Some(0), "{line}");
    }
    // The process itself sees even less: everything is read-only to it.
    let pid = machine.property("weir-page", "MainPID");
    let mounts = machine.run(&format!("cat /proc/{pid}/mounts")).exits(0).out;
    let root = mounts.lines().find(|line| line.split(' ').nth(1) == Some("/")).unwrap();
    assert!(root.split(' ').nth(3).unwrap().starts_with("ro"), "{root}");
}

/// By real users of the kernel: what the gateway is taken over for does not reach the outbox, nor the upload daemon the journal.
fn each_user_can_do_what_it_must_and_no_more(machine: &Machine) {
    let (journal, outbox) = ("/var/lib/weir/journal", "/var/lib/weir/outbox");
    let key = "/var/lib/weir/identity/box.key";
    machine.run("useradd technician; useradd --groups weir helper").exits(0);
    let can = |user: &str, line: &str, may: bool| {
        let done = machine.run_as(user, line);
        assert_eq!(done.code == Some(0), may, "{user}: {line}: {done:?}");
    };
    for (user, reads_journal, writes_journal, writes_outbox, reads_key, reads_keys) in [
        ("weir", true, true, false, true, true),
        ("weir-sync", true, false, true, true, false),
        ("helper", true, false, false, false, false),
        ("technician", false, false, false, false, false),
    ] {
        can(user, &format!("cat {journal}/journal.db >/dev/null"), reads_journal);
        can(user, &format!("cat {outbox}/outbox.db >/dev/null"), reads_journal);
        can(user, &format!("test -w {journal}/journal.db -a -w {journal}/journal.db-wal"), writes_journal);
        can(user, &format!("touch {journal}/stray && rm {journal}/stray"), writes_journal);
        can(user, &format!("test -w {outbox}/outbox.db -a -w {outbox}/outbox.db-wal"), writes_outbox);
        can(user, &format!("touch {outbox}/stray && rm {outbox}/stray"), writes_outbox);
        can(user, &format!("cat {key}"), reads_key);
        can(user, "cat /etc/weir/keys.toml", reads_keys);
        can(user, "echo >> /etc/weir/gateway.toml", false);
        can(user, "weir status --json | grep -q municipal", reads_journal);
    }
    can("weir-sync", "mv /run/weir/gateway.sock /run/weir/other.sock", false);
    can("helper", "rm -f /run/weir/sync.sock", false);
    // The processes themselves, and not only somebody of their name.
    for (unit, user) in [("weir-gateway", "weir"), ("weir-sync", "weir-sync"), ("weir-page", "weir-page")] {
        let shown = machine.run(&format!("stat -c %U /proc/{}", machine.property(unit, "MainPID"))).exits(0);
        assert_eq!(shown.out.trim(), user);
    }
}

fn everything_is_there_after_the_next_start(machine: &mut Machine, cod: &Device) {
    machine.restart(&[]);
    for unit in UNITS {
        machine.until_active(unit, "active");
    }
    let microseconds = |name| machine.property("weir-gateway", name).parse::<u64>().unwrap();
    let took_ms =
        (microseconds("ActiveEnterTimestampMonotonic") - microseconds("InactiveExitTimestampMonotonic")) / 1_000;
    eprintln!("weir-gateway was ready {took_ms} ms after systemd started it");
    assert!(took_ms < START_MS_MAX, "{took_ms} ms");
    Peer::sensor_on(machine, cod).with("--first", FRAMES + 1).with("--count", FRAMES).run().exits(0);
    let stored = machine.run("weir export --quantity n").exits(0).out;
    assert_eq!(stored.lines().count() as u64, 2 * FRAMES + 1, "{stored}");
}
