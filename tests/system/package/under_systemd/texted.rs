//! SMS from a box under systemd, by the upload daemon as its unit confines it, a real D-Bus, polkit and ModemManager, and a modem
//! that speaks AT: who has a message does not get it twice because another one has not.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use system_tests::peer::Running;
use system_tests::{Answer, Device, Machine, Peer, until};

const LI: &str = "+8613800000000";
const WANG: &str = "13900000000";
const MODEM_MANAGER: &str =
    "/usr/sbin/ModemManager --test-enable --test-no-udev --test-no-suspend-resume --test-no-qrtr";
const NOTIFY: &str = "timeout_s = 2\n[backoff]\nbase_ms = 200\nceiling_ms = 1000\n\
    [[level]]\nname = \"镇\"\nchannels = [\"town-sms\"]\n\
    people = [{ name = \"李四\", mobile = \"+86 138-0000-0000\" }, { name = \"王五\", mobile = \"13900000000\" }]\n\
    [[channel]]\nname = \"town-sms\"\nkind = \"sms\"\n";
const RULE: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n\
    high = 80\ndeadband = 5\npriority = \"high\"\n";

/// The far end of the modem.
struct Network {
    dir: PathBuf,
    _modem: Running,
}

impl Network {
    /// Gives ModemManager a modem, which is switched off.
    fn start(machine: &Machine) -> Network {
        let dir = machine.outside().join("modem");
        fs::create_dir(&dir).unwrap();
        let peer = Peer::new("sms_modem.py").inside(machine).with("--name", "sms").with("--dir", dir.display());
        let modem = peer.start();
        until("the modem listens", 20, || dir.join("listens").exists().then_some(()));
        machine
            .run(
                "busctl call org.freedesktop.ModemManager1 /org/freedesktop/ModemManager1 \
                 org.freedesktop.ModemManager1.Test SetProfile ssas tests generic 1 abstract:sms",
            )
            .exits(0);
        Network { dir, _modem: modem }
    }

    fn treat(&self, moods: &Value) {
        fs::write(self.dir.join("moods.new"), moods.to_string()).unwrap();
        fs::rename(self.dir.join("moods.new"), self.dir.join("moods.json")).unwrap();
    }

    /// The texts that this number has, joined as a telephone joins them; what was refused is not there.
    fn has(&self, number: &str) -> Vec<String> {
        let lines = fs::read_to_string(self.dir.join("sms.jsonl")).unwrap_or_default();
        let all = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let (mut whole, mut text) = (Vec::new(), String::new());
        for sms in all.filter(|sms| sms["number"] == number && sms["mood"] != "refuse") {
            text.push_str(sms["text"].as_str().unwrap());
            if sms["part"] == sms["parts"] {
                whole.push(std::mem::take(&mut text));
            }
        }
        whole
    }

    /// How often the network refused this number.
    fn refused(&self, number: &str) -> usize {
        let lines = fs::read_to_string(self.dir.join("sms.jsonl")).unwrap_or_default();
        let all = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        all.filter(|sms| sms["number"] == number && sms["mood"] == "refuse").count()
    }
}

#[test]
fn an_alarm_reaches_each_telephone_once_and_every_obstacle_is_named() {
    let sensor = Device::cod("cod-1");
    let machine = Machine::installed(&[]);
    configure(&machine, &sensor);
    machine.run("systemctl enable --now weir-gateway weir-sync").exits(0);

    let without_modem = tested(&machine).exits(1);
    assert!(without_modem.out.contains("there is no modem that sends SMS · try: mmcli -L"), "{without_modem:?}");
    let network = Network::start(&machine);
    let rules = "/usr/share/polkit-1/rules.d/weir-sms.rules";
    machine.run(&format!("mv {rules} /root/")).exits(0);
    until("who may not send is told so", 60, || tested(&machine).out.contains("weir-sms.rules").then_some(()));
    machine.run(&format!("mv /root/weir-sms.rules {rules}")).exits(0);
    until("the modem was switched on and a test message left", 90, || (tested(&machine).code == Some(0)).then_some(()));
    assert!(network.has(LI)[0].contains("【测试】") && network.has(WANG).len() == network.has(LI).len());

    let tests = network.has(LI).len();
    network.treat(&json!({ WANG: "refuse" }));
    measure(&machine, &sensor, 1, "95.5");
    until("one number was refused again and again", 60, || (network.refused(WANG) >= 2).then_some(()));
    let problem = machine.run("weir notify list --json").exits(1).json();
    let why = problem["notify"]["channels"][0]["error"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("1 of 2 numbers: the modem refused"), "{problem}");
    network.treat(&json!({}));
    let texts = until("the other number has it", 60, || Some(network.has(WANG)).filter(|texts| texts.len() > tests));
    for part in ["【预警】", "cod-1", "95.5 mg/L", "上限 80 mg/L", "weir alarm ack cod-high cod-1", "不是超标结论"]
    {
        assert!(texts[tests].contains(part), "{part}: {texts:?}");
    }
    until("the alarm counts as told", 20, || (delivered(&machine) == 1).then_some(()));
    assert_eq!(network.has(LI).len(), tests + 1, "who had it did not get it again: {:?}", network.has(LI));

    // A network that is slower than the box waits: the modem goes on by itself, and what it did is asked for.
    network.treat(&json!({ LI: 6 }));
    measure(&machine, &sensor, 2, "20");
    let cleared =
        until("the all-clear is there", 120, || Some(network.has(WANG)).filter(|texts| texts.len() > tests + 1));
    assert!(cleared[tests + 1].contains("恢复"), "{cleared:?}");
    until("the all-clear counts as told", 60, || (delivered(&machine) == 2).then_some(()));
    for number in [LI, WANG] {
        assert_eq!(network.has(number).len(), tests + 2, "{number}: {:?}", network.has(number));
    }
    let log = machine.log("weir-sync");
    assert!(log.contains("people may have been told, tried again"), "it was slower than the box waits: {log}");
}

fn configure(machine: &Machine, sensor: &Device) {
    machine.configure(std::slice::from_ref(sensor));
    fs::write(machine.path("/etc/weir/rules.toml"), RULE).unwrap();
    fs::write(machine.path("/etc/weir/notify.toml"), NOTIFY).unwrap();
    fs::write(machine.path("/etc/weir/sync.toml"), "notify_file = \"notify.toml\"\n").unwrap();
    machine.run("cd /etc/weir && chown root:weir sync.toml && chgrp weir-sync notify.toml && chmod 640 sync.toml notify.toml").exits(0);
    machine.run("weir config check").exits(0);
    fs::create_dir_all(machine.path("/etc/systemd/system/ModemManager.service.d")).unwrap();
    // Debian's unit does not start it in a container, which has no modem.
    let with_test = format!("[Unit]\nConditionVirtualization=\n[Service]\nExecStart=\nExecStart={MODEM_MANAGER}\n");
    fs::write(machine.path("/etc/systemd/system/ModemManager.service.d/tests.conf"), with_test).unwrap();
    machine.run("systemctl daemon-reload && systemctl enable --now ModemManager").exits(0);
}

fn tested(machine: &Machine) -> Answer {
    machine.run("weir notify test 镇")
}

fn measure(machine: &Machine, sensor: &Device, n: u64, cod: &str) {
    let payload = format!(r#"{{"n":{n},"cod":{cod}}}"#);
    Peer::sensor_on(machine, sensor).with("--count", 1).with("--payload", payload).run().exits(0);
}

/// How many messages the channel has taken of the alarm, by its own word.
fn delivered(machine: &Machine) -> u64 {
    let list = machine.run("weir notify list --json").json();
    list["notify"]["episodes"][0]["told"][0]["delivered"].as_u64().unwrap_or_default()
}
