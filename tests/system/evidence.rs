//! What platforms hold, audited by `verify_cose.py` with other people's libraries: every signature, every bit.

use std::fs;

use platform::export::write_artifacts;
use serde_json::json;
use system_tests::row::values;
use system_tests::{Device, Peer, Row, World, tools};

/// Writes what both platforms hold to `evidence/<platform>` and has it audited; returns the auditor's readings.
fn audit(world: &World) -> Vec<Row> {
    let folder = world.path("evidence");
    for party in &world.platforms {
        let exported = write_artifacts(&party.state, &folder.join(party.name)).unwrap();
        assert!(exported.batches > 0 && exported.checkpoints > 0, "{exported:?}");
    }
    let csv = world.path("readings.csv");
    let auditor =
        Peer::new("verify_cose.py").args([&folder]).args(["--complete", "--flips", "2000", "--flip-files", "2"]);
    let audited = auditor.with("--csv", csv.display()).run().exits(0);
    let (problems, verified) = (audited.number("problems"), &audited.summary()["verified"]);
    assert!(problems == 0 && verified["flips"].as_u64() > Some(1_000), "{verified:#}");
    assert!(verified["continued"].as_u64() > Some(0), "heads are proven to be of one history: {verified:#}");
    Row::of_csv(&fs::read_to_string(csv).unwrap())
}

#[test]
fn an_auditor_with_other_libraries_verifies_every_artifact_and_finds_every_changed_bit() {
    let (sensor, lora) = (Device::cod("cod-1"), Device::lora("level-1", "26010001"));
    let mut world = World::prepared(&[sensor.clone(), lora], "[checkpoint]\nrecords_max = 40\n");
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    Peer::sensor("paho_sensor.py", &world, &sensor).with("--count", 150).run().exits(0);
    Peer::lora(&world).with("--count", 2).run().exits(0);
    let payload = [("--payload", r#"{"n":%n,"cod":"none"}"#), ("--count", "3"), ("--first", "1000")];
    payload.iter().fold(Peer::sensor("paho_sensor.py", &world, &sensor), |peer, (k, v)| peer.with(k, v)).run().exits(0);
    let rows = world.delivered();
    assert_eq!(audit(&world), rows, "the auditor reads what the journal and both platforms hold");
}

#[test]
fn a_recorded_series_comes_out_of_both_platforms_equal_to_the_last_digit() {
    let devices = [Device::flow("flow-4"), Device::flow("flow-5")];
    let world = World::start(&devices);
    let csv = tools("water-flow.csv");
    for (device, level) in devices.iter().zip([4, 5]) {
        let expected = world.path(&format!("{}.csv", device.name));
        let peer = Peer::sensor("replay_csv.py", &world, device).with("--csv", csv.display()).with("--level", level);
        assert_eq!(peer.with("--expected", expected.display()).run().exits(0).number("acknowledged"), 1_268);
    }
    let rows = world.delivered();
    for device in &devices {
        let expected = fs::read_to_string(world.path(&format!("{}.csv", device.name))).unwrap();
        let expected: Vec<Vec<String>> =
            expected.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
        assert_eq!(series(&rows, &device.name), expected, "{}", device.name);
        assert_eq!(values(&rows, &device.name, "flow").values().sum::<usize>(), 1_268);
    }
    assert!(audit(&world) == rows, "the auditor reads the same from the signed bytes");
}

/// `n`, time and flow of each frame in the order of the journal.
fn series(rows: &[Row], source: &str) -> Vec<Vec<String>> {
    let own: Vec<&Row> = rows.iter().filter(|row| row.source == source).collect();
    own.chunks(2)
        .map(|frame| {
            let [n, flow] = frame else { panic!("two readings a frame: {frame:?}") };
            assert!(n.seq == flow.seq && flow.quality == "good" && n.at_ms == flow.at_ms, "{frame:?}");
            vec![n.value.clone(), flow.at_ms.expect("the device's time").to_string(), flow.value.clone()]
        })
        .collect()
}

#[test]
fn the_same_batch_again_changes_nothing_and_a_changed_one_is_refused() {
    let sensor = Device::cod("cod-1");
    let world = World::start(std::slice::from_ref(&sensor));
    Peer::sensor("paho_sensor.py", &world, &sensor).with("--count", 20).run().exits(0);
    world.delivered();
    for party in &world.platforms {
        let folder = world.path(party.name).join("again");
        write_artifacts(&party.state, &folder).unwrap();
        let held = party.rows();
        for batch in fs::read_dir(folder.join("batches")).unwrap() {
            let batch = batch.unwrap().path();
            let id = batch.file_stem().unwrap().to_str().unwrap().to_owned();
            let receipt = folder.join("receipts").join(format!("{id}.cose"));
            let path = format!("/v1/boxes/outfall-1/batches/{id}");
            let put = |body: &str, to: &str| {
                let body = format!("@{body}");
                let kind = "content-type: application/cose; cose-type=\"cose-sign1\"";
                let shown = ["-X", "PUT", "-H", kind, "--data-binary", &body, "-w", "%{http_code}", "-o", to];
                party.curl(&path, &shown).exits(0).out
            };
            let answer = world.path("answer");
            assert_eq!(put(batch.to_str().unwrap(), answer.to_str().unwrap()), "200", "{path}");
            assert_eq!(fs::read(&answer).unwrap(), fs::read(&receipt).unwrap(), "the very same receipt");

            let mut changed = fs::read(&batch).unwrap();
            let middle = changed.len() / 2;
            changed[middle] ^= 1;
            let file = world.path("changed.cose");
            fs::write(&file, &changed).unwrap();
            assert!(put(file.to_str().unwrap(), answer.to_str().unwrap()).starts_with('4'), "{path}");
            let refusal = fs::read_to_string(&answer).unwrap();
            assert!(refusal.contains("\"next\""), "the refusal says what to do: {refusal}");
        }
        assert_eq!(party.rows(), held, "{}: nothing changed", party.name);
        let status = party.get("/v1/status");
        assert!(status["repeated"].as_u64() >= Some(1) && status["refused"] != json!({}), "{status:#}");
    }
}
