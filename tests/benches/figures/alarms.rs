//! From a frame that raises an alarm to its acknowledgement, which says that the alarm is journaled, to the platform that has
//! it, and to the people who are told of it: a real sensor, box and platform, one frame at a time. Beside it frames that raise
//! nothing.

mod people;

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use system_tests::{Device, Party, Sensor, World};

use crate::Plan;
use crate::stats::percentile;

const RULE: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 80\n";
/// How often the platform is asked.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Transitions measured, at this many for each second of the plan.
const PER_SECOND: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(30);
/// Within which a notification must have left (domain.md, A23). s.
const TOLD_WITHIN_S: f64 = 60.0;

pub(crate) fn run(plan: &Plan) -> io::Result<()> {
    let transitions = u32::try_from(plan.seconds).unwrap_or(u32::MAX).saturating_mul(PER_SECOND);
    let device = Device::cod("cod-1");
    let mut world = prepared(&device)?;
    world.start_sync();
    let mut sensor = Sensor::connect(&world, &device);
    let (mut plain, mut acknowledged, mut delivered) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..transitions {
        // Each second frame moves the alarm: up, nothing, down, nothing.
        for (value, moves) in [(if n % 2 == 0 { 95 } else { 40 }, true), (if n % 2 == 0 { 96 } else { 41 }, false)] {
            let sent = Instant::now();
            sensor.publish(&payload(n, value));
            let took = sent.elapsed().as_secs_f64();
            if moves {
                acknowledged.push(took);
                delivered.push(until_told(&world.platforms[0], n + 1, sent)?);
            } else {
                plain.push(took);
            }
        }
    }
    drop((sensor, world));
    let [broker, receiver] = people::tell(transitions)?;
    println!("ms, {} transitions                 p50      p99", delivered.len());
    for (what, seconds) in [
        ("a frame acknowledged", &plain),
        ("a frame with its alarm acknowledged", &acknowledged),
        ("that alarm at the platform", &delivered),
        ("an alarm at people's broker, MQTT", &broker),
        ("an alarm at people's receiver, HTTPS", &receiver),
    ] {
        let ms = |percent: f64| 1e3 * percentile(seconds.iter().copied(), percent);
        println!("{what:<36} {:>8.1} {:>8.1}", ms(50.0), ms(99.0));
    }
    let slowest = broker.iter().chain(&receiver).copied().fold(f64::MIN_POSITIVE, f64::max);
    println!(
        "people were told {} times, the slowest 1/{:.0} of the {TOLD_WITHIN_S} s that it may take",
        broker.len(),
        TOLD_WITHIN_S / slowest
    );
    Ok(())
}

/// A box with one device and its rule, and the platforms. The upload daemon is still to be started.
fn prepared(device: &Device) -> io::Result<World> {
    let mut world = World::prepared(std::slice::from_ref(device), "");
    std::fs::write(world.path("rules.toml"), RULE)?;
    world.start_gateway();
    world.start_platforms();
    Ok(world)
}

fn payload(n: u32, value: u32) -> String {
    format!(r#"{{"n":{n},"cod":{value}}}"#)
}

/// Until the platform has so many transitions.
fn until_told(platform: &Party, count: u32, sent: Instant) -> io::Result<f64> {
    while platform.alarm_count() < count {
        if sent.elapsed() > PATIENCE {
            return Err(io::Error::other(format!("the platform has no {count} transitions")));
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(sent.elapsed().as_secs_f64())
}
