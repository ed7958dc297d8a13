//! For each check, the smallest break that it is there to find.

use ::rules::RuleSet;
use gatewayd::status::{AddressConflict, DeviceStatus, GatewayView, JournalStatus, RulesStatus, SerialStatus};
use record::{ConfigFile, UnixMs};
use serde_json::json;
use syncd::status::{DestinationStatus, LastError};

use super::well::{DAY_MS, NOW_MS, rules};
use crate::doctor::check::words;
use crate::doctor::facts::{
    Answered, Board, Changed, Clock, Facts, Handles, Head, JournalFacts, Setup, Space, Storage, Unit, Unseen,
    WatchedFile,
};
use crate::upgrade::Upgrade;

type Break = (&'static str, fn(&mut Facts));

fn board(facts: &mut Facts) -> &mut Board {
    facts.board.as_mut().unwrap()
}
fn storage(facts: &mut Facts) -> &mut Storage {
    facts.storage.as_mut().unwrap()
}
fn space(facts: &mut Facts) -> &mut Space {
    storage(facts).space.as_mut().unwrap()
}
fn file<'f>(facts: &'f mut Facts, name: &str) -> &'f mut WatchedFile {
    facts.files.as_mut().unwrap().iter_mut().find(|file| file.path.ends_with(name)).unwrap()
}
fn clock(facts: &mut Facts) -> &mut Clock {
    facts.clock.as_mut().unwrap()
}
fn taken_back() -> Upgrade {
    let upgrade = json!({
        "from": "0.1.0-1", "to": "0.2.0-1", "judged": ["gateway"], "tested": true, "begun_ms": NOW_MS,
        "phase": "rolled_back", "at_ms": NOW_MS, "why": "gateway: it does not answer", "by": null,
    });
    serde_json::from_value(upgrade).unwrap()
}
fn unit(facts: &mut Facts) -> &mut Unit {
    &mut facts.services.as_mut().unwrap().units[0]
}
fn gateway(facts: &mut Facts) -> &mut Answered<gatewayd::status::Status> {
    facts.gateway.as_mut().unwrap()
}
fn stored(facts: &mut Facts) -> &mut JournalStatus {
    &mut gateway(facts).status.journal
}
fn device(facts: &mut Facts) -> &mut DeviceStatus {
    gateway(facts).status.devices.get_mut("cod-1").unwrap()
}
fn radio(facts: &mut Facts) -> &mut GatewayView {
    gateway(facts).status.gwmp.as_mut().unwrap().gateways.values_mut().next().unwrap()
}
fn serial(facts: &mut Facts) -> &mut SerialStatus {
    &mut gateway(facts).status.serial[0]
}
fn edited() -> Changed {
    Changed { file: ConfigFile::Rules, path: "/etc/weir/rules.toml".into(), in_force: "rules-4".into() }
}
fn setup(facts: &mut Facts) -> &mut Setup {
    facts.setup.as_mut().unwrap()
}
fn journal(facts: &mut Facts) -> &mut JournalFacts {
    facts.journal.as_mut().unwrap()
}
fn sync(facts: &mut Facts) -> &mut Answered<syncd::status::Status> {
    facts.sync.as_mut().unwrap()
}
fn destination(facts: &mut Facts) -> &mut DestinationStatus {
    &mut sync(facts).status.destinations[0]
}
fn alarm(facts: &mut Facts, since_ms: i64) {
    let alarm = json!({
        "rule": "cod-high", "source": "cod-1", "quantity": "cod", "unit": "mg/L", "state": "unacknowledged", "limit": "80",
        "value": "91", "since_ms": since_ms, "since_error_ms": 0,
    });
    gateway(facts).status.alarms.push(serde_json::from_value(alarm).unwrap());
}
fn certificate(facts: &mut Facts, at: usize, until_ms: i64) {
    facts.certificates.as_mut().unwrap()[at].valid = Ok((UnixMs(0), UnixMs(until_ms)));
}

/// One for each check.
pub(super) const BREAKS: &[Break] = &[
    ("power.voltage", |facts| board(facts).throttled = Ok(0x5_0005)),
    ("power.throttled", |facts| board(facts).throttled = Ok(0xe_0000)),
    ("board.temperature", |facts| board(facts).temperature_mc = Ok(83_000)),
    ("board.memory", |facts| board(facts).memory.as_mut().unwrap().available_kb = 90_000),
    ("board.load", |facts| board(facts).load_hundredths = Ok(1_900)),
    ("board.oom", |facts| board(facts).oom_kills = Ok(2)),
    ("disk.space", |facts| space(facts).free_bytes = 900_000_000),
    ("disk.inodes", |facts| space(facts).free_inodes = 10),
    ("disk.writable", |facts| space(facts).read_only = true),
    ("disk.budget", |facts| setup(facts).journal_bytes_max = 64_000_000_000),
    ("disk.card_life", |facts| storage(facts).cards.as_mut().unwrap()[0].life_tenths = 9),
    ("disk.errors", |facts| storage(facts).ext4_errors.as_mut().unwrap()[0].1 = 3),
    ("files.rights", |facts| file(facts, "journal").found.as_mut().unwrap().mode = 0o2755),
    ("files.secrets", |facts| file(facts, "box.key").found.as_mut().unwrap().mode = 0o644),
    ("files.owners", |facts| file(facts, "journal").found.as_mut().unwrap().user = "root".into()),
    ("files.identity", |facts| file(facts, "box.key").found = Err(Unseen::Missing("box.key".into()))),
    ("config.gateway", |facts| facts.setup = Err(Unseen::Failed("line 3: unknown field `bx`".into()))),
    ("config.sync", |facts| facts.upload = Err(Unseen::Failed("line 3: unknown field `ulr`".into()))),
    ("config.folders", |facts| setup(facts).state_dir = "/srv/weir".into()),
    ("config.in_force", |facts| facts.changed = Ok(vec![edited()])),
    ("config.page", |facts| facts.page = Err(Unseen::Failed("line 1: unknown field `listne`".into()))),
    ("units.enabled", |facts| unit(facts).unit_file_state = "disabled".into()),
    ("units.running", |facts| unit(facts).active_state = "failed".into()),
    ("units.restarts", |facts| unit(facts).restarts = 40),
    ("units.watchdog", |facts| unit(facts).watchdog = false),
    ("units.upgrade", |facts| facts.upgrade = Ok(Some(taken_back()))),
    ("daemons.gateway", |facts| facts.gateway = Err(Unseen::Silent("weir-gateway"))),
    ("daemons.sync", |facts| facts.sync = Err(Unseen::Silent("weir-sync"))),
    ("daemons.version", |facts| sync(facts).status.version = "1.2.2".into()),
    ("daemons.waiting", |facts| sync(facts).status.waiting_for = Some("the journal".into())),
    ("daemons.handles", |facts| gateway(facts).handles = Ok(Handles { open: 1_000, open_max: 1_024 })),
    ("ports.mqtt", |facts| facts.ports.as_mut().unwrap().tcp.clear()),
    ("ports.gwmp", |facts| facts.ports.as_mut().unwrap().udp.retain(|one| one.port != 1_700)),
    ("ports.drops", |facts| facts.ports.as_mut().unwrap().udp[0].drops = 12),
    ("clock.quality", |facts| gateway(facts).status.clock.state = "unset".into()),
    ("clock.kernel", |facts| clock(facts).kernel = Ok((false, 16_000))),
    ("clock.past", |facts| facts.now_ms = UnixMs(0)),
    ("clock.agrees", |facts| gateway(facts).at_ms = NOW_MS + 9_000),
    ("clock.rtc", |facts| clock(facts).rtc = Err(Unseen::Absent(words("none", "没有")))),
    ("clock.service", |facts| facts.services.as_mut().unwrap().time_services.clear()),
    ("clock.set", |facts| clock(facts).set_ms_ago = Ok(3 * 86_400_000)),
    ("clock.zone", |facts| clock(facts).zone = Ok("Europe/London".into())),
    ("journal.opens", |facts| facts.journal = Err(Unseen::Failed("no database".into()))),
    ("journal.storing", |facts| stored(facts).failing = Some("disk I/O error".into())),
    ("journal.upkeep", |facts| stored(facts).keeping.as_mut().unwrap().trouble = Some("no room".into())),
    ("journal.salvaged", |facts| stored(facts).salvaged = Some("1,999 records".into())),
    ("journal.quarantine", |facts| journal(facts).quarantine = Ok(vec!["1".into()])),
    ("journal.head", |facts| journal(facts).head = Ok(Head { size: 1_900, is_ours: false })),
    ("journal.signed", |facts| setup(facts).checkpoint_records_max = 10),
    ("journal.block", |facts| journal(facts).block_holds = Ok(Some(false))),
    ("journal.wal", |facts| journal(facts).wal_bytes = 100_000_000),
    ("outbox.opens", |facts| facts.outbox = Err(Unseen::Failed("database disk image is malformed".into()))),
    ("outbox.wal", |facts| facts.outbox.as_mut().unwrap().wal_bytes = 100_000_000),
    ("radio.heard", |facts| radio(facts).online = false),
    ("radio.crc", |facts| radio(facts).crc_bad = 900),
    ("radio.downlinks", |facts| radio(facts).tx_refused = [("TOO_LATE".into(), 4)].into()),
    ("radio.address", |facts| {
        radio(facts).address_conflict = Some(AddressConflict { from: "192.0.2.9:1".into(), ms_ago: 5, datagrams: 1 });
    }),
    ("radio.duty", |facts| radio(facts).duty_percent = [("868.0-868.6".into(), 97.0)].into()),
    ("serial.open", |facts| serial(facts).open = false),
    ("serial.damaged", |facts| serial(facts).noise = 900),
    ("devices.any", |facts| gateway(facts).status.devices.clear()),
    ("devices.never", |facts| *device(facts) = DeviceStatus { link: "mqtt".into(), ..DeviceStatus::default() }),
    ("devices.silent", |facts| device(facts).seen_ms_ago = Some(900_000)),
    ("devices.rejected", |facts| device(facts).rejected = 300),
    ("devices.shed", |facts| device(facts).shed = 1),
    ("devices.codec", |facts| device(facts).warnings = 300),
    ("devices.quality", |facts| device(facts).readings_bad = 300),
    ("devices.counters", |facts| device(facts).counter_resets = 1),
    ("devices.battery", |facts| device(facts).battery = Some("7 %".into())),
    ("devices.reception", |facts| device(facts).delivered_permille = Some(432)),
    ("devices.commands", |facts| device(facts).commands_given_up = 1),
    ("devices.network_server", |facts| device(facts).network_server_log = Some("ERROR UPLINK_MIC: bad".into())),
    ("devices.strangers", |facts| {
        let unknown = DeviceStatus { rejected: 3, ..DeviceStatus::default() };
        gateway(facts).status.devices.insert(String::new(), unknown);
    }),
    ("devices.keys", |facts| setup(facts).unused_keys.push("keys.toml, line 9: no device `cod-7`".into())),
    ("devices.outfall", |facts| setup(facts).devices[0].outfall = None),
    ("outfalls.dossier", |facts| setup(facts).devices[0].outfall = Some("FA-9".into())),
    ("outfalls.defects", |facts| {
        journal(facts).dossiers.get_mut("FA-1").unwrap().defects.push(("no limits in force", "无现行有效的限值"));
    }),
    ("outfalls.chiefs", |facts| journal(facts).dossiers.get_mut("FA-1").unwrap().chief_missing = true),
    ("rules.any", |facts| setup(facts).rules = RuleSet::default()),
    ("rules.devices", |facts| setup(facts).rules = rules("cod-1", "cod-7")),
    ("rules.quantities", |facts| setup(facts).rules = rules("\"cod\"", "\"nh3_n\"")),
    ("rules.units", |facts| setup(facts).rules = rules("mg/L", "ug/L")),
    ("rules.limits", |facts| setup(facts).rules = rules("high = 80", "high = 1")),
    ("rules.trial", |facts| {
        let rules = RulesStatus { platform: "municipal".into(), command: 7, trial_s: Some(60) };
        gateway(facts).status.rules = Some(rules);
    }),
    ("alarms.standing", |facts| alarm(facts, NOW_MS)),
    ("alarms.unseen", |facts| alarm(facts, NOW_MS - 2 * DAY_MS)),
    ("relays.lines", |facts| gateway(facts).status.relays[0].open = false),
    ("relays.bottles", |facts| gateway(facts).status.relays[0].sampler.as_mut().unwrap().used = 24),
    ("platforms.any", |facts| facts.upload.as_mut().unwrap().destinations.clear()),
    ("platforms.name", |facts| facts.far_ends.as_mut().unwrap()[0].addresses = Err(Unseen::Late)),
    ("platforms.connect", |facts| facts.far_ends.as_mut().unwrap()[0].connect_ms = Err(Unseen::Late)),
    ("platforms.certificates", |facts| certificate(facts, 0, NOW_MS - DAY_MS)),
    ("mqtt.certificate", |facts| certificate(facts, 1, NOW_MS + 9 * DAY_MS)),
    ("platforms.keys", |facts| {
        let other = batch::SigningKey::from_seed(&[8; 32]).public();
        journal(facts).platform_keys.insert("municipal".into(), vec![other]);
    }),
    ("platforms.errors", |facts| {
        let error = LastError { kind: "tls".into(), what: "expired".into(), cure: "weir status".into(), ms_ago: 5 };
        destination(facts).last_error = Some(error);
    }),
    ("platforms.receipts", |facts| destination(facts).last_receipt_ms_ago = Some(9_000_000)),
    ("platforms.backlog", |facts| {
        facts.outbox.as_mut().unwrap().waiting_since_ms.insert("municipal".into(), UnixMs(NOW_MS - DAY_MS));
    }),
    ("platforms.parked", |facts| destination(facts).parked = 9),
    ("platforms.refused", |facts| destination(facts).counters = [("refused".into(), 2)].into()),
    ("platforms.budget", |facts| destination(facts).budget.as_mut().unwrap().month_bytes = 290_000_000),
    ("platforms.aggregates", |facts| {
        facts.upload.as_mut().unwrap().destinations[0].filter.series = syncd::Series::Aggregates;
        setup(facts).periods.clear();
    }),
    ("platforms.commands", |facts| destination(facts).command_error = Some("not pinned".into())),
];
