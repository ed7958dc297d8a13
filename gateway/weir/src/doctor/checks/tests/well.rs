//! A box that is well in every respect, with a part of everything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use batch::{PublicKey, SigningKey};
use record::UnixMs;
use rules::RuleSet;
use serde_json::{Value, json};
use syncd::Known;

use crate::doctor::facts::{
    Answered, Board, Card, Certificate, Clock, DestinationFacts, DeviceFacts, DossierFacts, Duty, Facts, FarEnd,
    FileFacts, Handles, Head, JournalFacts, Listener, Memory, MqttTls, OutboxFacts, Places, Ports, Services, Setup,
    Space, Storage, Unit, Upload, WatchedFile, Whose,
};

/// 2026-11-29T00:00:00Z.
pub(super) const NOW_MS: i64 = 1_795_910_400_000;
pub(super) const DAY_MS: i64 = 86_400_000;

/// The key of the platform.
pub(super) fn platform_key() -> PublicKey {
    SigningKey::from_seed(&[7; 32]).public()
}

pub(super) fn well() -> Facts {
    Facts {
        now_ms: UnixMs(NOW_MS),
        version: "1.2.3",
        places: Places { state_dir: "/var/lib/weir".into(), run_dir: "/run/weir".into(), ..Places::default() },
        board: Ok(board()),
        storage: Ok(storage()),
        files: Ok(files()),
        clock: Ok(clock()),
        services: Ok(services()),
        upgrade: Ok(None),
        gateway: Ok(answered(serde_json::from_value(gateway()).unwrap())),
        sync: Ok(answered(serde_json::from_value(sync()).unwrap())),
        ports: Ok(Ports {
            tcp: vec![Listener { port: 1_883, drops: 0 }],
            udp: vec![Listener { port: 1_700, drops: 0 }, Listener { port: 68, drops: 9 }],
        }),
        setup: Ok(setup()),
        upload: Ok(upload()),
        changed: Ok(Vec::new()),
        page: Ok(()),
        far_ends: Ok(vec![FarEnd {
            name: "municipal".into(),
            host: "water.example".into(),
            addresses: Ok(vec![SocketAddr::from(([192, 0, 2, 1], 443))]),
            connect_ms: Ok(31),
        }]),
        certificates: Ok(vec![certificate(Whose::Platform, "ca.pem"), certificate(Whose::Mqtt, "mqtt.crt")]),
        journal: Ok(journal()),
        outbox: Ok(OutboxFacts {
            wal_bytes: 4_096,
            waiting_since_ms: BTreeMap::from([("municipal".into(), UnixMs(NOW_MS - 60_000))]),
        }),
    }
}

fn answered<T>(status: T) -> Answered<T> {
    Answered { status, at_ms: NOW_MS + 3, handles: Ok(Handles { open: 40, open_max: 1_024 }) }
}

fn board() -> Board {
    Board {
        throttled: Ok(0),
        temperature_mc: Ok(51_234),
        memory: Ok(Memory { total_kb: 4_000_000, available_kb: 2_000_000 }),
        load_hundredths: Ok(52),
        processors: 4,
        oom_kills: Ok(0),
    }
}

fn storage() -> Storage {
    let space = Space {
        bytes: 32_000_000_000,
        free_bytes: 20_000_000_000,
        inodes: 2_000_000,
        free_inodes: 1_900_000,
        read_only: false,
    };
    let card = Card { name: "mmcblk0".into(), life_tenths: 2, pre_eol: 1 };
    Storage { space: Ok(space), cards: Ok(vec![card]), ext4_errors: Ok(vec![("mmcblk0p2".into(), 0)]) }
}

fn files() -> Vec<WatchedFile> {
    let file = |path: &str, duty, mode, user: &'static str, group: &'static str| WatchedFile {
        path: path.into(),
        duty,
        widest: mode & 0o777,
        belongs_to: Some((user, group)),
        found: Ok(FileFacts { mode, user: user.into(), group: group.into() }),
    };
    vec![
        file("/var/lib/weir/journal", Duty::State, 0o2750, "weir", "weir"),
        file("/var/lib/weir/identity/box.key", Duty::Secret, 0o640, "weir", "weir-sync"),
    ]
}

fn clock() -> Clock {
    Clock {
        kernel: Ok((true, 12)),
        rtc: Ok("rtc-ds1307 1-0068".into()),
        set_ms_ago: Ok(600_000),
        zone: Ok("Asia/Shanghai".into()),
        known: Ok(Known::Is(UnixMs(NOW_MS))),
    }
}

fn services() -> Services {
    let unit = |id: &str, watchdog| Unit {
        id: id.into(),
        unit_file_state: "enabled".into(),
        active_state: "active".into(),
        result: "success".into(),
        restarts: 1,
        watchdog,
    };
    let units =
        vec![unit("weir-gateway.service", true), unit("weir-sync.service", true), unit("weir-gateway.socket", false)];
    Services { units, time_services: vec!["chrony.service".into()] }
}

fn gateway() -> Value {
    let device = |link: &str| {
        json!({
            "link": link, "seen_ms_ago": 20_000, "accepted": 1_000, "duplicate": 3, "rejected": 1, "shed": 0, "warnings": 2,
            "readings_bad": 1, "readings": ["cod 40.1 mg/L"], "refusal": null, "battery": "87 %", "received": 990,
            "missed": 10, "delivered_permille": 990,
        })
    };
    json!({
        "box": "outfall-1", "version": "1.2.3", "uptime_ms": 3_600_000,
        "clock": {"wall_ms": NOW_MS, "state": "synchronised", "source": "ntp", "error_ms": 12},
        "journal": {
            "records": 2_000, "root": "ab", "commits": 1_999, "commits_failed": 0, "failing": null, "checkpoint": 1_900,
            "keeping": {
                "bytes": 9_000_000, "bytes_max": 4_000_000_000_u64, "disk_free_bytes": 20_000_000_000_u64, "whole": 1,
                "thinned": 0, "remnant": 0, "whole_from": 0, "trouble": null,
            },
        },
        "devices": {"cod-1": device("mqtt"), "flow-1": device("lorawan")},
        "alarms": [],
        "mqtt": {"listen": "127.0.0.1:1883", "counters": {}},
        "gwmp": {
            "listen": "127.0.0.1:1700", "refused": {},
            "gateways": {"aa555a0000000001": {
                "online": true, "address": "127.0.0.1:4000", "seen_ms_ago": 900, "pull_ms_ago": 900, "crc_ok": 900,
                "crc_bad": 40, "duty_percent": {"868.0-868.6": 3.5}, "tx_refused": {}, "address_conflict": null,
                "hints": [], "stat": null, "counters": {},
            }},
        },
        "relays": [{
            "name": "east", "place": "gpiochip0:17", "enabled": true, "open": true, "on": false, "error": null,
            "sampler": { "used": 3, "bottles": 24, "full": 24, "cooling_s": 0, "taking": false },
        }],
        "serial": [{
            "name": "lora-1", "path": "/dev/ttyUSB0", "open": true, "error": null, "opened": 1, "failures": 0, "frames": 500,
            "crc_differs": 0, "noise": 3, "incomplete": 1, "too_long": 0, "echoes": 0, "acknowledged": 500,
            "unacknowledged": 0,
        }],
    })
}

fn sync() -> Value {
    json!({
        "version": "1.2.3", "uptime_ms": 7_200_000, "waiting_for": null, "box_id": "outfall-1", "journal_end": 2_000,
        "destinations": [{
            "name": "municipal", "url": "https://water.example/", "end": 2_000, "covered": 1_990,
            "covered_ranges": [[0, 1_989]], "covered_ranges_total": 1, "parked": 0, "dropped": 0, "alarms_waiting": 0,
            "live_waiting": 10, "backlog": 0, "missing": 10, "outstanding": 1, "in_flight": 1,
            "last_receipt_ms_ago": 30_000, "rtt_ms": 80, "next_try_ms": null, "last_error": null, "bytes_sent": 90_000,
            "batch_bytes": 4_096, "bytes_per_s": 9_000, "link_life_ms": null,
            "budget": {
                "day_bytes": 1_000_000, "day_bytes_max": 20_000_000, "month_bytes": 9_000_000,
                "month_bytes_max": 300_000_000, "waits": "nothing",
            },
            "delivered": {"receipts": 9, "records": 1_990, "bytes": 90_000}, "counters": {"acked": 9},
        }],
    })
}

fn setup() -> Setup {
    let device = |name: &str| DeviceFacts { name: name.into(), enabled: true, outfall: Some("FA-1".into()) };
    Setup {
        state_dir: "/var/lib/weir".into(),
        keys: "/etc/weir/keys.toml".into(),
        journal_bytes_max: 4_000_000_000,
        disk_reserve_bytes: 64_000_000,
        checkpoint_records_max: 1_000,
        mqtt_tls: Some(MqttTls { cert: "mqtt.crt".into(), key: "mqtt.key".into(), client_ca: None }),
        devices: vec![device("cod-1"), device("flow-1")],
        unused_keys: Vec::new(),
        rules: rules("", ""),
        periods: ["1h".parse().unwrap()].into(),
    }
}

/// An upper and a lower limit of one device, with one text in the place of another.
pub(super) fn rules(from: &str, to: &str) -> RuleSet {
    let rule = |id: &str, limit: &str| {
        format!(
            "[[rule]]\nid = \"{id}\"\nkind = \"limit\"\ndevices = [\"cod-1\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n{limit}\n"
        )
    };
    let text = rule("cod-high", "high = 80") + &rule("cod-low", "low = 1");
    RuleSet::from_toml(&if from.is_empty() { text } else { text.replacen(from, to, 1) }).unwrap()
}

fn upload() -> Upload {
    Upload {
        state_dir: "/var/lib/weir".into(),
        destinations: vec![DestinationFacts {
            name: "municipal".into(),
            host: "water.example".into(),
            port: 443,
            key: platform_key(),
            ca_file: "ca.pem".into(),
            client_cert: None,
            client_key: None,
            parked_max: 10_000,
            filter: syncd::Filter::default(),
        }],
    }
}

fn certificate(whose: Whose, path: &str) -> Certificate {
    let valid = Ok((UnixMs(NOW_MS - 90 * DAY_MS), UnixMs(NOW_MS + 300 * DAY_MS)));
    Certificate { whose, path: PathBuf::from(path), valid }
}

fn journal() -> JournalFacts {
    let sent = BTreeSet::from([("cod".to_owned(), "mg/L".to_owned())]);
    JournalFacts {
        end: 2_000,
        newest_known_ms: Some(UnixMs(NOW_MS - 5_000)),
        wal_bytes: 4_000_000,
        quarantine: Ok(Vec::new()),
        head: Ok(Head { size: 1_900, is_ours: true }),
        block_holds: Ok(Some(true)),
        intervals_ms: BTreeMap::from([("cod-1".into(), 60_000), ("flow-1".into(), 60_000)]),
        measured: BTreeMap::from([("cod-1".into(), sent.clone()), ("flow-1".into(), sent)]),
        platform_keys: BTreeMap::from([("municipal".into(), vec![platform_key()])]),
        dossiers: BTreeMap::from([("FA-1".into(), DossierFacts::default())]),
    }
}
