//! A port that systemd holds: what is sent while the daemon is away waits for it. The test stands in for systemd, and
//! starts this same program as the daemon.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gatewayd::{GatewayConfig, run};
use journal::Reader;
use lorawan::end_device::{DataUp, data_up};
use lorawan::gwmp::forwarder::push_data;
use lorawan::gwmp::{CrcStatus, Rxpk, Token};
use lorawan::{DataRate, DevAddr, Eui64, SessionKeys};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

/// Where the daemon below finds its configuration.
const FOLDER: &str = "WEIR_ACTIVATION_TEST_FOLDER";

/// Longer than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

const FRAMES: u32 = 200;

/// The daemon of the test below, in its own process; alone it does nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the other test starts it"]
async fn daemon() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let config = GatewayConfig::load(&Path::new(&folder).join("gateway.toml")).unwrap();
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let stop = async {
        let _ = terminate.recv().await;
    };
    run(config, stop).await.unwrap();
}

/// As systemd does it: the socket is descriptor 3, named, in a process that knows that it is meant.
fn start(folder: &Path, socket: &UdpSocket) -> Child {
    let script =
        "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=gwmp exec \"$0\" --ignored --exact daemon";
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script).arg(std::env::current_exe().unwrap()).env(FOLDER, folder);
    command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap()))).stdout(Stdio::null());
    command.spawn().unwrap()
}

fn stop(mut daemon: Child) {
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    assert!(daemon.wait().unwrap().success());
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let texts = [
        ("gateway.toml", "box = \"b\"\nstate_dir = \"state\"\nrun_dir = \"run\"\n[mqtt]\nenabled = false\n"),
        (
            "devices.toml",
            "[[device]]\nname = \"flow-1\"\n[device.lorawan]\ndev_addr = \"26010001\"\n[device.codec]\nkind = \"cayenne_lpp\"\n",
        ),
        (
            "keys.toml",
            "[flow-1]\nnwk_s_key = \"44024241ed4ce9a68c6a8bc055233fd3\"\napp_s_key = \"ec925802ae430ca77fd3dd73cb2cc588\"\n",
        ),
        ("rules.toml", ""),
    ];
    for (name, text) in texts {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    std::fs::set_permissions(folder.path().join("keys.toml"), std::fs::Permissions::from_mode(0o600)).unwrap();
    folder
}

fn push(f_cnt: u32) -> Vec<u8> {
    let key = |hex: &str| hex.parse().unwrap();
    let keys = SessionKeys::v1_0(key("44024241ed4ce9a68c6a8bc055233fd3"), key("ec925802ae430ca77fd3dd73cb2cc588"));
    let dev_addr = DevAddr::from_u32(0x2601_0001);
    let up = DataUp { dev_addr, f_cnt, f_port: 2, payload: &[1, 103, 1, 16], ..DataUp::default() };
    let rxpk = Rxpk {
        phy: data_up(up, &keys),
        tmst_us: f_cnt * 20_000,
        time: None,
        gps_ms: None,
        frequency_hz: 868_100_000,
        channel: None,
        rf_chain: None,
        crc: CrcStatus::Ok,
        data_rate: DataRate::Lora("SF7BW125".parse().unwrap()),
        coding_rate: None,
        rssi_dbm: None,
        snr_ddb: None,
    };
    push_data(Token([0, 0]), Eui64([1; 8]), &[rxpk], None)
}

fn stored(folder: &Path) -> u64 {
    let reader = Reader::open(&folder.join("state/journal/journal.db")).unwrap();
    let rows = reader.devices().unwrap();
    rows.values().map(|row| row.tally.accepted).sum()
}

#[test]
fn no_uplink_is_lost_by_restarts_under_load() {
    let folder = folder();
    let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let forwarder = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    forwarder.connect(socket.local_addr().unwrap()).unwrap();
    let mut sent = 0;
    let mut uplinks = |count: u32| {
        for _ in 0..count {
            forwarder.send(&push(sent)).unwrap();
            sent += 1;
            // 50 a second, as far as this machine keeps time.
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    uplinks(FRAMES / 10);
    for _ in 0..3 {
        let daemon = start(folder.path(), &socket);
        uplinks(2 * FRAMES / 10);
        // Frames flow while it stops, and while nobody is there.
        std::thread::scope(|scope| {
            scope.spawn(|| stop(daemon));
            uplinks(FRAMES / 10);
        });
    }
    assert_eq!(sent, FRAMES);
    let daemon = start(folder.path(), &socket);
    let until = Instant::now() + PATIENCE;
    while !folder.path().join("state/journal/journal.db").exists() || stored(folder.path()) < u64::from(FRAMES) {
        assert!(Instant::now() < until, "only {} of {FRAMES} are stored", stored(folder.path()));
        std::thread::sleep(Duration::from_millis(50));
    }
    stop(daemon);
    assert_eq!(stored(folder.path()), u64::from(FRAMES));
}
