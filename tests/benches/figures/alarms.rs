//! From a frame that raises an alarm to its acknowledgement, which says that the alarm is journaled, and to the platform that has
//! it: a real sensor, box and platform, one frame at a time. Beside it frames that raise nothing.

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

pub(crate) fn run(plan: &Plan) -> io::Result<()> {
    let device = Device::cod("cod-1");
    let mut world = World::prepared(std::slice::from_ref(&device), "");
    std::fs::write(world.path("rules.toml"), RULE)?;
    world.start_gateway();
    world.start_platforms();
    world.start_sync();
    let mut sensor = Sensor::connect(&world, &device);
    let (mut plain, mut acknowledged, mut delivered) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..u32::try_from(plan.seconds).unwrap_or(u32::MAX).saturating_mul(PER_SECOND) {
        // Each second frame moves the alarm: up, nothing, down, nothing.
        for (value, moves) in [(if n % 2 == 0 { 95 } else { 40 }, true), (if n % 2 == 0 { 96 } else { 41 }, false)] {
            let sent = Instant::now();
            sensor.publish(&format!(r#"{{"n":{n},"cod":{value}}}"#));
            let took = sent.elapsed().as_secs_f64();
            if moves {
                acknowledged.push(took);
                delivered.push(until_told(&world.platforms[0], n + 1, sent)?);
            } else {
                plain.push(took);
            }
        }
    }
    println!("ms, {} transitions                 p50      p99", delivered.len());
    for (what, seconds) in [
        ("a frame acknowledged", &plain),
        ("a frame with its alarm acknowledged", &acknowledged),
        ("that alarm at the platform", &delivered),
    ] {
        let ms = |percent: f64| 1e3 * percentile(seconds.iter().copied(), percent);
        println!("{what:<36} {:>8.1} {:>8.1}", ms(50.0), ms(99.0));
    }
    Ok(())
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
