//! One backlog, one link: how long, how many bytes, at what cost.

use std::io::{self, Write};
use std::time::Instant;

use super::SENSORS;
use super::floor::Floor;
use super::series::{QUANTITIES, Series};
use super::site::Site;
use crate::Plan;

/// A yardstick: what a person would send who packs a file once.
const ZSTD_LEVEL: i32 = 19;

pub(crate) struct Outage {
    site: Site,
    readings: f64,
    floor: f64,
    csv_bytes: f64,
}

impl Outage {
    pub(crate) fn new(plan: &Plan, frames: usize, is_held: bool) -> io::Result<Outage> {
        let mut site = Site::new(plan, &["city"])?;
        let mut floor = Floor::default();
        let mut csv = zstd::Encoder::new(Counted(0), ZSTD_LEVEL)?;
        site.fill(&mut Series::new(SENSORS, is_held), frames, |row, readings| {
            floor.add(row);
            let batch::Content::Readings { source, .. } = &row.content else { return Ok(()) };
            for reading in readings {
                let value = reading.value.map(|value| value.to_string()).unwrap_or_default();
                writeln!(csv, "{},{source},{},{value}", row.stamp.wall_ms.0, reading.quantity)?;
            }
            Ok(())
        })?;
        let csv_bytes = csv.finish()?.0 as f64;
        let readings = (frames * QUANTITIES.len()) as f64;
        Ok(Outage { site, readings, floor: floor.bytes_per_reading(), csv_bytes })
    }

    pub(crate) fn drain(mut self, data: &str, link: &str, bytes_per_s: u64, delay_ms: u64) -> io::Result<()> {
        self.site.relays[0].limit(bytes_per_s, delay_ms);
        self.site.start_sync()?;
        let begun = Instant::now();
        self.site.until_drained()?;
        let took_s = begun.elapsed().as_secs_f64();
        let (passed, cpu, memory) = (self.site.relays[0].passed(), self.site.sync_cpu()?, self.site.sync_memory()?);
        let wire = passed.request as f64;
        let per_reading = wire / self.readings;
        println!(
            "{data:<10}  {link:<9}  {delay_ms:>8}  {:>9}  {:>8.3}  {took_s:>7.1}  {:>10.1}  {per_reading:>9.3}  {:>6.2}  \
             {:>6.3}  {:>9.3}  {:>10.1}  {:>12.1}",
            self.readings,
            wire / 1e6,
            100.0 * wire / took_s / bytes_per_s as f64,
            per_reading / self.floor,
            self.floor,
            self.csv_bytes / self.readings,
            100.0 * cpu.as_secs_f64() / took_s,
            memory.peak
        );
        Ok(())
    }
}

/// Counts what is written.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
