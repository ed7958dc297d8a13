//! From exec to the first acknowledgement.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::gateway::Site;
use crate::process::Process;
use crate::stats::{median, span};
use crate::{Plan, broker, devices, publisher, wear};

/// Records of the large journal: two weeks of 40 sensors, a frame every 50 seconds.
const RECORDS: u64 = 1_000_000;
/// Records of one transaction when it is made.
const RECORDS_PER_COMMIT: u64 = 5_000;

pub(crate) fn run(plan: &Plan) -> io::Result<()> {
    println!("ms                                        median            span");
    let nothing = (0..plan.rounds).map(|_| {
        let begin = Instant::now();
        Command::new(&plan.weir).arg("--version").output()?;
        Ok(begin.elapsed())
    });
    print("yardstick: weir --version", nothing.collect::<io::Result<_>>()?);

    let mosquitto = (0..plan.rounds).map(|_| {
        let folder = tempfile::tempdir_in(&plan.folder)?;
        let begin = Instant::now();
        let (_process, address) = broker::start(folder.path(), broker::Persistence::Nothing)?;
        first_acknowledgement(address)?;
        Ok(begin.elapsed())
    });
    print("yardstick: mosquitto", mosquitto.collect::<io::Result<_>>()?);

    let first = (0..plan.rounds).map(|_| {
        let folder = tempfile::tempdir_in(&plan.folder)?;
        exec(plan, &Site::new(folder.path(), &devices::mqtt_tables(1))?)
    });
    print("weir, no journal, no key yet", first.collect::<io::Result<_>>()?);

    let folder = tempfile::tempdir_in(&plan.folder)?;
    let site = Site::new(folder.path(), &devices::mqtt_tables(1))?;
    exec(plan, &site)?;
    let again = (0..plan.rounds).map(|_| exec(plan, &site));
    print("weir, again after SIGKILL", again.collect::<io::Result<_>>()?);

    let begin = Instant::now();
    let state = site.journal().parent().and_then(|journal| journal.parent()).map(ToOwned::to_owned).unwrap_or_default();
    wear::Site::open(&state)?.commits(RECORDS_PER_COMMIT, RECORDS / RECORDS_PER_COMMIT)?;
    let made = begin.elapsed().as_secs_f64();
    let large = (0..plan.rounds).map(|_| exec(plan, &site));
    print("weir, 1,000,000 records, after SIGKILL", large.collect::<io::Result<_>>()?);
    let bytes = std::fs::metadata(site.journal())?.len() as f64 / 1e6;
    println!("that journal has {bytes:.0} MB and was made in {made:.1} s; its pages are in the kernel's cache");
    println!("aim: exec to first acknowledgement at most 300 ms with an empty journal");
    Ok(())
}

fn print(what: &str, times: Vec<Duration>) {
    let times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    println!("{what:<40} {:>7.1}  {:>14}", median(times.iter().copied()), span(&times, 1));
}

/// Starts the gateway, and kills it after the first PUBACK.
fn exec(plan: &Plan, site: &Site) -> io::Result<Duration> {
    let begin = Instant::now();
    let mut process: Process = site.spawn(&plan.weir)?;
    process.wait_for(site.mqtt())?;
    first_acknowledgement(site.mqtt())?;
    Ok(begin.elapsed())
}

fn first_acknowledgement(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut packets = publisher::connect(&devices::name(0), true);
    packets.extend(publisher::publish(0, 1, 0));
    stream.write_all(&packets)?;
    let mut answers = [0; 8];
    stream.read_exact(&mut answers)?;
    match answers {
        [0x20, 2, 0, 0, 0x40, 2, 0, 1] => Ok(()),
        _ => Err(io::Error::other(format!("{answers:02x?} instead of CONNACK and PUBACK"))),
    }
}
