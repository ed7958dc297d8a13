//! The batch of one minute on the wire, beside the same readings as JSON over MQTT and as packed JSON over HTTPS.

use std::io;
use std::path::Path;
use std::process::Command;

use batch::Content;
use serde_json::json;
use system_tests::Relay;

use super::SENSORS;
use super::series::{QUANTITIES, Series};
use super::site::Site;
use crate::{Plan, broker};

/// The first of them has the handshakes.
const MINUTES: usize = 20;

pub(crate) fn run(plan: &Plan) -> io::Result<()> {
    let mut site = Site::new(plan, &["city"])?;
    let mut series = Series::new(SENSORS, false);
    let mut minutes: Vec<Vec<serde_json::Value>> = Vec::new();
    let (mut first, mut rest) = (0, 0);
    for minute in 0..MINUTES {
        let mut frames = Vec::new();
        site.fill(&mut series, SENSORS, |row, readings| {
            let Content::Readings { source, .. } = &row.content else { return Ok(()) };
            let values = readings.iter().map(|reading| (reading.quantity.to_string(), json!(reading.value)));
            let values: serde_json::Map<_, _> = values.collect();
            frames.push(json!({ "device": source, "time": row.stamp.wall_ms.0, "values": values }));
            Ok(())
        })?;
        minutes.push(frames);
        if minute == 0 {
            site.start_sync()?;
        }
        site.until_drained()?;
        let passed = site.relays[0].passed();
        if minute == 0 {
            first = passed.request + passed.answer;
        } else {
            rest = passed.request + passed.answer - first;
        }
    }
    println!("\none minute at a time, {SENSORS} sensors; both directions; B/reading   first minute   each further one");
    print("Weir: signed batch and receipt over TLS 1.3", first, rest);
    others(plan, &site, &minutes)
}

/// paho with mosquitto, and Python's own HTTPS: the far end answers a refusal, which is as long as any other answer.
fn others(plan: &Plan, site: &Site, minutes: &[Vec<serde_json::Value>]) -> io::Result<()> {
    let folder = tempfile::tempdir_in(&plan.folder)?;
    let rows = folder.path().join("minutes.json");
    std::fs::write(&rows, json!(minutes).to_string())?;
    let (_mosquitto, address) = broker::start(&folder.path().join("mosquitto"), broker::Persistence::Nothing)?;
    let (mqtt, https) = (Relay::start(address.port()), Relay::start(site.platform_port(0)));
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (what, relay, way) in
        [("JSON over MQTT, QoS 1, without TLS", &mqtt, "mqtt"), ("gzip of JSON over HTTPS, TLS 1.3", &https, "https")]
    {
        let mut command = Command::new(tests.join(".tools/venv/bin/python"));
        command.arg(tests.join("peers/send_minutes.py")).arg(way).arg(relay.port.to_string()).arg(&rows);
        command.arg(site.platform_cert(0)).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn()?;
        let (mut first, mut all) = (0, 0);
        {
            use std::io::{BufRead, BufReader, Write};
            let (mut go, mut done) = (child.stdin.take(), child.stdout.take());
            let mut lines = done.take().map(|out| BufReader::new(out).lines()).into_iter().flatten();
            for minute in 0..minutes.len() {
                if let Some(go) = &mut go {
                    writeln!(go, "next")?;
                }
                lines.next().ok_or_else(|| io::Error::other("send_minutes.py ended early; try: tests/run tools"))??;
                let passed = relay.passed();
                all = passed.request + passed.answer;
                if minute == 0 {
                    first = all;
                }
            }
        }
        child.wait()?;
        print(what, first, all - first);
    }
    Ok(())
}

fn print(what: &str, first: u64, rest: u64) {
    let readings = (SENSORS * QUANTITIES.len()) as f64;
    println!("{what:<72} {:>12.2}   {:>16.2}", first as f64 / readings, rest as f64 / readings / (MINUTES - 1) as f64);
}
