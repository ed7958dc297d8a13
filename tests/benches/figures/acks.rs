//! Durable QoS 1 acknowledgements per second, beside mosquitto with persistence and the same client program.

use std::io;
use std::time::Duration;

use crate::broker::{self, Persistence};
use crate::gateway::Site;
use crate::process::{Memory, Process};
use crate::publisher::{self, Load, Measured};
use crate::stats::{median, ms, span};
use crate::{Plan, devices, disk};

const CLIENTS: usize = 50;
const WARM_UP: Duration = Duration::from_secs(1);
const WINDOWS: [usize; 2] = [1, 16];

#[derive(Debug, Clone, Copy)]
enum Server {
    Weir,
    Mosquitto(Persistence),
}

const SERVERS: [(Server, &str); 4] = [
    (Server::Weir, "weir, durable"),
    (Server::Mosquitto(Persistence::Nothing), "mosquitto, nobody subscribes"),
    (Server::Mosquitto(Persistence::InMemory), "mosquitto, default autosave"),
    (Server::Mosquitto(Persistence::EveryChange), "mosquitto, save on every change"),
];

/// One server under one load in one round.
#[derive(Debug, Clone)]
struct Run {
    measured: Measured,
    server_cpu_us: f64,
    memory: Memory,
}

pub(crate) fn run(plan: &Plan) -> io::Result<()> {
    println!("{CLIENTS} clients, MQTT 3.1.1, QoS 1, {}-byte frames, a fresh server each time", devices::FRAME_BYTES);
    println!("mosquitto keeps messages for a persistent subscriber that is offline, except where nobody subscribes");
    let mut appended = Vec::new();
    let mut overwritten = Vec::new();
    let mut runs: Vec<Vec<Vec<Run>>> = vec![vec![Vec::new(); SERVERS.len()]; WINDOWS.len()];
    for round in 0..plan.rounds {
        let (append, overwrite) = disk::syncs_per_s(&plan.folder, Duration::from_secs(1))?;
        appended.push(append);
        overwritten.push(overwrite);
        for (window, in_flight) in WINDOWS.into_iter().enumerate() {
            for turn in 0..SERVERS.len() {
                // Each round begins with another server, so that none always follows the same one.
                let server = (turn + round) % SERVERS.len();
                runs[window][server].push(measure(plan, SERVERS[server].0, in_flight)?);
            }
        }
    }
    for (window, in_flight) in WINDOWS.into_iter().enumerate() {
        print(in_flight, &runs[window], median(appended.iter().copied()));
    }
    println!(
        "\nfdatasync/s of this disk in the same rounds: append 4 KiB {:.0} ({}), overwrite 4 KiB {:.0} ({})",
        median(appended.iter().copied()),
        span(&appended, 0),
        median(overwritten.iter().copied()),
        span(&overwritten, 0)
    );
    Ok(())
}

fn measure(plan: &Plan, server: Server, in_flight: usize) -> io::Result<Run> {
    let folder = tempfile::tempdir_in(&plan.folder)?;
    let load =
        Load { clients: CLIENTS, in_flight, warm_up: WARM_UP, time: Duration::from_secs(plan.seconds), pause: None };
    match server {
        Server::Weir => {
            let site = Site::new(folder.path(), &devices::mqtt_tables(CLIENTS))?;
            let gateway = site.start(&plan.weir)?;
            let before = gateway.records()?;
            let run = push(&gateway.process, gateway.mqtt, load)?;
            let stored = gateway.records()? - before;
            if stored != run.measured.acknowledged {
                let message = format!("{} acknowledged, {stored} journaled", run.measured.acknowledged);
                return Err(io::Error::other(message));
            }
            Ok(run)
        }
        Server::Mosquitto(persistence) => {
            let (process, address) = broker::start(folder.path(), persistence)?;
            push(&process, address, load)
        }
    }
}

fn push(process: &Process, address: std::net::SocketAddr, load: Load) -> io::Result<Run> {
    let before = process.cpu()?;
    let measured = publisher::run(address, load)?;
    let cpu = process.cpu()?.saturating_sub(before);
    let server_cpu_us = cpu.as_secs_f64() * 1e6 / (measured.acknowledged.max(1) as f64);
    Ok(Run { measured, server_cpu_us, memory: process.memory()? })
}

fn print(in_flight: usize, runs: &[Vec<Run>], appends_per_s: f64) {
    println!(
        "\n{in_flight} in flight                          acks/s            span  p50 ms  p99 ms  CPU µs/msg  client µs  peak RSS MiB"
    );
    for ((_, name), runs) in SERVERS.iter().zip(runs) {
        let of = |value: fn(&Run) -> f64| median(runs.iter().map(value));
        let rates: Vec<f64> = runs.iter().map(|run| run.measured.per_s).collect();
        println!(
            "{name:<33} {:>8.0} {:>15}  {:>6.1}  {:>6.1}  {:>10.1}  {:>9.1}  {:>12.1}",
            of(|run| run.measured.per_s),
            span(&rates, 0),
            ms(of(|run| run.measured.p50_us)),
            ms(of(|run| run.measured.p99_us)),
            of(|run| run.server_cpu_us),
            of(|run| run.measured.own_cpu_us),
            of(|run| run.memory.peak),
        );
    }
    let weir: Vec<f64> = runs[0].iter().map(|run| run.measured.per_s).collect();
    for ((_, name), others) in SERVERS.iter().zip(runs).skip(1) {
        let ratios: Vec<f64> = weir.iter().zip(others).map(|(weir, other)| weir / other.measured.per_s).collect();
        println!("weir ÷ {name}: {:.2} ({})", median(ratios.iter().copied()), span(&ratios, 2));
    }
    println!("weir ÷ fdatasync/s (append): {:.1}", median(weir) / appends_per_s);
}
