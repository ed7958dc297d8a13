//! Conservation on the radio (A3), across SIGKILL under load: whatever a device sent and a gateway heard came to one thing,
//! and what came to nothing shows in the device's frame counter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::UdpSocket;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use system_tests::{Device, Peer, World, until};

const DEVICES: u64 = 6;
/// Each frame is heard by one, the next by the other, and then one by both.
const GATEWAYS: [&str; 2] = ["0016c001f153a101", "0016c001f153a102"];
/// Between a device's frames: 40 a second of all.
const INTERVAL_MS: u64 = 150;
/// One in so many asks to be acknowledged: a gateway that sends hears nothing, and has an hour's 1 % to do it in.
const CONFIRMED_EVERY: u64 = 8;
/// After so many frames an older one comes again.
const REPLAYED_EVERY: u64 = 5;
const KILLS: u64 = 8;
/// Transmissions between two kills, at least: every kill hits a gateway at work.
const SENT_BETWEEN_KILLS: usize = 80;
/// Transmissions that die with a gateway, at most: those that wait 200 ms for their copies, and a slow machine's backlog.
const LOST_PER_KILL_MAX: u64 = 80;
/// More records than there are.
const ALL: &str = "100000";

/// A frame by its device and counter.
type Frame = (String, u64);

/// What `lora_device.js` wrote to a file. The last line may be half written.
fn written(world: &World, file: &str) -> Vec<Value> {
    let text = fs::read_to_string(world.path(file)).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same by the name of the device.
fn lines(world: &World, file: &str) -> Vec<Frame> {
    let frame = |line: Value| {
        let address = line["dev_addr"].as_str().unwrap();
        (format!("level-{}", &address[7..]), line["fcnt"].as_u64().unwrap())
    };
    written(world, file).into_iter().map(frame).collect()
}

/// A frame of the journal: its record's number, and who heard it.
#[derive(Debug)]
struct Stored {
    seq: u64,
    frame: Frame,
    gateways: BTreeSet<String>,
}

fn stored(world: &World) -> Vec<Stored> {
    let records = world.weir(&["tail", "-n", ALL, "--json"]).exits(0).json_lines();
    let gateway = |reception: &Value| reception["gateway"].as_str().unwrap().to_owned();
    let frame = |record: &Value| {
        let link = record.get("link").filter(|link| link["f_cnt"].is_u64() && record["why"].is_null())?;
        let others = link["others"].as_array().into_iter().flatten().map(gateway);
        Some(Stored {
            seq: record["seq"].as_u64().unwrap(),
            frame: (record["source"].as_str().unwrap().to_owned(), link["f_cnt"].as_u64().unwrap()),
            gateways: others.chain([gateway(link)]).collect(),
        })
    };
    records.iter().filter_map(frame).collect()
}

/// How often each frame is in the journal.
fn counts(stored: &[Stored]) -> BTreeMap<&Frame, usize> {
    stored.iter().fold(BTreeMap::new(), |mut counts, stored| {
        *counts.entry(&stored.frame).or_default() += 1;
        counts
    })
}

/// What acknowledged frames must be, and all others may be: in the journal once.
fn assert_kept(acknowledged: &[Frame], stored: &[Stored], when: &str) {
    let counts = counts(stored);
    let missing: Vec<_> = acknowledged.iter().filter(|frame| !counts.contains_key(frame)).collect();
    assert!(missing.is_empty(), "{when}: acknowledged, and not in the journal: {missing:?}");
    let doubled: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "{when}: twice in the journal: {doubled:?}");
}

/// `accepted`, `duplicate`, `rejected` and `shed` of a device or gateway.
fn outcomes(of: &Value) -> [u64; 4] {
    ["accepted", "duplicate", "rejected", "shed"].map(|key| of[key].as_u64().unwrap_or_else(|| panic!("{key}: {of:#}")))
}

#[test]
fn each_device_and_each_gateway_accounts_for_every_frame_across_kills() {
    let devices: Vec<Device> =
        (1..=DEVICES).map(|n| Device::lora(&format!("level-{n}"), &format!("2601000{n}"))).collect();
    let mut world = World::prepared(&devices, "");
    let socket = UdpSocket::bind(("127.0.0.1", world.gwmp_port)).unwrap();
    world.start_gateway_activated(&socket);
    let stop = world.path("stop");
    let peer = Peer::lora(&world).with("--eui", GATEWAYS.join(",")).with("--interval", INTERVAL_MS);
    let peer = peer.with("--every", CONFIRMED_EVERY).with("--replay", REPLAYED_EVERY).with("--tries", 40);
    let peer = peer.with("--count", 1_000_000).with("--until", stop.display()).with("--deadline", 300);
    let files = ["sent", "acked"].map(|name| world.path(name));
    let running = peer.with("--sent", files[0].display()).with("--acked", files[1].display()).start();
    let until_sent = |world: &World, more: usize| {
        let before = lines(world, "sent").len();
        until("frames are sent", 60, || (lines(world, "sent").len() >= before + more).then_some(()));
    };
    let mut first = 0;
    for kill in 1..=KILLS {
        until_sent(&world, SENT_BETWEEN_KILLS);
        // Different moments of the commit's cycle: 0 to 96 ms in steps that share no factor with it.
        sleep(Duration::from_millis(kill * 37 % 97));
        world.kill_gateway();
        // Journaled is asked after acknowledged: what is acknowledged meanwhile cannot be missed by accident.
        let acknowledged = lines(&world, "acked");
        let stored = stored(&world);
        first = stored.last().map_or(0, |newest| newest.seq + 1);
        world.start_gateway_activated(&socket);
        assert_kept(&acknowledged, &stored, &format!("kill {kill}"));
    }
    until_sent(&world, SENT_BETWEEN_KILLS);
    fs::write(&stop, "").unwrap();
    let summary = running.finish().exits(0);
    let settled = until("everything is judged", 30, || {
        let status = world.status();
        let gateways = &status["gateway"]["gwmp"]["gateways"];
        let all = GATEWAYS.iter().map(|eui| &gateways[*eui]);
        let is_settled = |of: &Value| of["received"] == outcomes(of).iter().sum::<u64>();
        all.into_iter().all(is_settled).then_some(status)
    });

    let (sent, stored) = (lines(&world, "sent"), stored(&world));
    assert_eq!(sent.len() as u64, summary.number("uplinks"));
    assert_kept(&lines(&world, "acked"), &stored, "in the end");
    let by_device = |frames: &mut dyn Iterator<Item = &Frame>, device: &Device| -> Vec<u64> {
        frames.filter(|(name, _)| *name == device.name).map(|(_, fcnt)| *fcnt).collect()
    };
    let mut all = [0; 4];
    for device in &devices {
        let status = &settled["gateway"]["devices"][&device.name];
        let outcomes = outcomes(status);
        let transmitted = by_device(&mut sent.iter(), device);
        let (received, lost) = (outcomes.iter().sum::<u64>(), KILLS * LOST_PER_KILL_MAX / DEVICES);
        // Copies are one frame, unless a kill came between them: then the later one is a duplicate of its own.
        let of_device = sent.iter().zip(written(&world, "sent")).filter(|((name, _), _)| *name == device.name);
        let heard: usize = of_device.map(|(_, line)| line["gateways"].as_array().unwrap().len()).sum();
        let range = (transmitted.len() as u64).saturating_sub(lost)..=heard as u64;
        assert!(range.contains(&received), "{}: {} sent, {outcomes:?}", device.name, transmitted.len());
        let kept = by_device(&mut stored.iter().map(|stored| &stored.frame), device);
        assert_eq!(outcomes[0], kept.len() as u64, "{}: what counts as stored is stored", device.name);
        assert!(kept.iter().all(|fcnt| transmitted.contains(fcnt)), "{}: stored and never sent", device.name);
        // What came to nothing is a gap of the counter; frames behind the last one that came are not known of.
        let missed = kept.last().unwrap() + 1 - kept.first().unwrap() - kept.len() as u64;
        let told = ["received", "missed", "delivered_permille"].map(|key| status[key].as_u64());
        let permille = kept.len() as u64 * 1_000 / (kept.len() as u64 + missed);
        assert_eq!(told, [kept.len() as u64, missed, permille].map(Some), "{}: delivery", device.name);
        all = std::array::from_fn(|nth| all[nth] + outcomes[nth]);
    }
    assert!(all[1] > 0 && all[2] > 0, "copies and old frames were among them: {all:?}");
    for eui in GATEWAYS {
        let gateway = &settled["gateway"]["gwmp"]["gateways"][eui];
        let heard = stored.iter().filter(|stored| stored.seq >= first && stored.gateways.contains(eui)).count() as u64;
        assert_eq!(outcomes(gateway)[0], heard, "{eui}: since the last start: {gateway:#}");
        assert_eq!(gateway["received"], gateway["counters"]["rx"], "{eui}");
    }
    world.verify().exits(0);
}
